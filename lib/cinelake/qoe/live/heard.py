"""What a stream remembers of plays: all records of each that is heard of, so that the batch's code can be run on it.

Grain of `gathered`: one row a play and two days that follow one another, whenever a record of them came in, with all
its records of those days so far. The state is one such row; it lies in RocksDB, and is forgotten once the watermark has
passed its second day.

The watermark goes by `event_time` of bronze, which no client's clock can push ahead: ingestion dates what is ahead of
its receipt by the receipt, and turns away what is ahead by more than a day (sources/bronze.py). It stands `late` behind
the newest record of the slower of both sources, and nothing is dropped before it has passed the end of a second day.

Caveat. Attempts that are heard of on three days in a row come out as two; the batch knows better.
"""

from __future__ import annotations

from datetime import timedelta

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from cinelake.qoe.heard import BEAT_COLUMNS
from cinelake.qoe.stalls.moments import NEEDED
from cinelake.sources.bronze import payload
from cinelake.sources.heartbeats import HEARTBEATS_SOURCE
from cinelake.sources.playback import PLAYBACK_SOURCE

_EVENT, _BEAT = "events", "beats"
WIDTH, STEP = "2 days", "1 day"
# What sessions are made of, and what tells that one is about to stall.
HEARD = tuple(dict.fromkeys((*BEAT_COLUMNS, *NEEDED)))


def gathered(playback: DataFrame, heartbeats: DataFrame, late: timedelta) -> DataFrame:
    """`play_id, first_day date, events array, beats array` from streams of bronze, for output mode update."""
    delay = f"{int(late.total_seconds())} seconds"
    told = payload(playback, PLAYBACK_SOURCE).withWatermark("event_time", delay)
    signs = payload(heartbeats, HEARTBEATS_SOURCE, *HEARD).withWatermark("event_time", delay)
    event = told.select("play_id", "event_time", F.struct(*told.columns).alias("_event"))
    sign = signs.select("play_id", "event_time", F.struct(*signs.columns).alias("_beat"))
    both = event.unionByName(sign, allowMissingColumns=True)
    # Aggregates leave out what is null.
    return (
        both.groupBy("play_id", F.window("event_time", WIDTH, STEP).alias("_days"))
        .agg(F.collect_list("_event").alias(_EVENT), F.collect_list("_beat").alias(_BEAT))
        .select("play_id", F.to_date("_days.start").alias("first_day"), _EVENT, _BEAT)
    )


def events_of(batch: DataFrame) -> DataFrame:
    """Typed records of `playback`, of rows of `gathered`; each once, though it is of two rows."""
    return _records(batch, _EVENT)


def beats_of(batch: DataFrame) -> DataFrame:
    """Typed records of `heartbeats`, of rows of `gathered`."""
    return _records(batch, _BEAT)


def _records(batch: DataFrame, name: str) -> DataFrame:
    return batch.select(F.explode(name).alias("_one")).select("_one.*").distinct()
