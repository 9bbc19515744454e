"""Moments: heartbeats of sessions that play, what is known at each, and whether a stall came in the minute after.

Grain: one row a heartbeat whose player plays, copies apart. What is known are numbers of this heartbeat and of those
before it in the play, how its cells (point of presence; provider and region) fared in the five minutes before those of
the heartbeat, and how its model of device fared on the day before: nothing of the moment's own five minutes but of the
session itself, so that it is known then. A number that a device does not tell is `UNTOLD`, which no number is.

A stall is the player's event of a connection-induced rebuffer: those that a jump causes nobody can foresee. A session
that ends within the minute without one did not stall.
"""

from __future__ import annotations

from datetime import date

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from cinelake.behaviour.records import within
from cinelake.qoe.cells import UNKNOWN
from cinelake.qoe.heard import (
    BUFFERS_S,
    SLICE_MS,
    THROUGHPUTS_KBPS,
    plausible,
    slice_of,
    within_bounds,
)

FEATURES = (
    "buffer_s", "buffer_change", "buffer_least", "throughput", "throughput_trend", "headroom", "headroom_least",
    "headroom_change", "bitrate", "rebuffers", "rebuffer_s", "since_rebuffer", "beats", "dropped", "pop_stalled",
    "pop_told", "network_stalled", "network_told", "device_stalled", "device_told",
)  # fmt: skip
# Those that the play itself tells; the others are of what is around it.
OWN = FEATURES[:14]
CELL = ("cdn", "pop", "isp", "region")
NEEDED = (
    "play_id", "sequence", "state", "bitrate_kbps", "buffer_s", "throughput_kbps", "dropped_frames", "rebuffers",
    "rebuffer_s", "cdn", "pop",
)  # fmt: skip
UNTOLD = -100.0
HORIZON_MS = 60_000
# Heartbeats that a trend is told from, and those of five minutes.
FEW, SOME = 4, 10
# A cell of so many heartbeats counts as much as what is usual.
_USUAL, _WEIGHT = 0.01, 50.0
_MILLION = 1_000_000
# Of records: what was before a day, and what comes in the minute after it.
BEFORE, AFTER = 1, 1


def moments(
    heartbeats: DataFrame, playback: DataFrame, start: date, end: date, share: float = 1.0
) -> DataFrame:
    """`play_id, day, bucket bigint, at bigint (ms), CELL, FEATURES double, stalls boolean` of `[start, end)`.

    `heartbeats` with `NEEDED` and `playback` are typed records from `BEFORE` days before to `AFTER` days after,
    duplicates among them. `share` of the plays is drawn by a hash; how cells fare is told of all.
    """
    beats = _placed(_once(heartbeats), _plays(playback))
    is_drawn = F.pmod(F.xxhash64("play_id"), F.lit(_MILLION)) < share * _MILLION
    told = _known(beats.where(is_drawn) if share < 1 else beats)
    played = within(with_surroundings(told, beats), "day", start, end).where("is_playing")
    return played.select("play_id", "day", "bucket", "at", *CELL, *features(), "stalls")


def own_moments(heartbeats: DataFrame, playback: DataFrame) -> DataFrame:
    """Each heartbeat, be it that its player plays or not, with what its play alone tells.

    `play_id, event_id, at, day, bucket, CELL, device_model, OWN, is_playing, is_stalled, stalls`.
    """
    return _known(_placed(_once(heartbeats), _plays(playback)))


def with_surroundings(rows: DataFrame, beats: DataFrame) -> DataFrame:
    """Rows of `own_moments` with how their cells and devices fared before, by all `beats`, which are such rows or have
    their `CELL, device_model, day, bucket, is_stalled`.
    """
    beside = _with_cell(rows, beats, ("cdn", "pop"), "pop")
    both = _with_cell(beside, beats, ("isp", "region"), "network")
    # Some devices are always bad; five minutes of a model tell little.
    return _with_cell(both, beats, ("device_model",), "device", "day")


def features() -> list[Column]:
    """`FEATURES` as the model takes them."""
    return [F.coalesce(F.col(name).cast("double"), F.lit(UNTOLD)).alias(name) for name in FEATURES]


def _once(heartbeats: DataFrame) -> DataFrame:
    """Each heartbeat as it was first received."""
    names = [name for name in NEEDED if name != "play_id"]
    # Of two that were received at once either is right, and the same one is taken each time.
    first = F.struct("received_at", F.xxhash64(*names))
    return heartbeats.groupBy("play_id", "event_id").agg(
        F.min(F.unix_millis("event_time")).alias("at"),
        F.min_by(F.struct(*names), first).alias("_told"),
    ).select("play_id", "event_id", "at", "_told.*")  # fmt: skip


def _plays(playback: DataFrame) -> DataFrame:
    """`play_id`, where it was, and when it stalled."""
    at = F.unix_millis("event_time")
    is_stall = (F.col("event") == "rebuffer_start") & ~F.coalesce(
        F.col("cause") == "seek", F.lit(False)
    )
    where = F.struct("isp", "region", "device_model")
    first = F.struct("event_date", "sequence", "event_id")
    return playback.groupBy("play_id").agg(
        F.collect_set(F.when(is_stall, at)).alias("_stalls"), F.min_by(where, first).alias("_where")
    )


def _placed(beats: DataFrame, plays: DataFrame) -> DataFrame:
    """Heartbeats with where they are, their five minutes, and whether their player stalled since the one before."""
    is_stalled = (F.coalesce("rebuffers", F.lit(0)) > 0) | (F.col("state") == "rebuffering")
    joined = beats.join(plays, on="play_id", how="left")
    return joined.select(
        *(name for name in beats.columns if name not in CELL),
        "_stalls",
        slice_of("at").alias("bucket"),
        F.to_date(F.timestamp_millis("at")).alias("day"),
        is_stalled.alias("is_stalled"),
        *(F.coalesce(name, F.lit(UNKNOWN)).alias(name) for name in ("cdn", "pop")),
        *(F.coalesce(F.col("_where")[name], F.lit(UNKNOWN)).alias(name)
          for name in ("isp", "region", "device_model")),
    )  # fmt: skip


def _known(beats: DataFrame) -> DataFrame:
    """Heartbeats with what the play itself has told so far."""
    so_far = Window.partitionBy("play_id").orderBy("at", "sequence", "event_id")
    few, some = so_far.rowsBetween(1 - FEW, 0), so_far.rowsBetween(1 - SOME, 0)
    whole = so_far.rowsBetween(Window.unboundedPreceding, 0)
    rate, flow = (
        F.log2(plausible("bitrate_kbps")),
        within_bounds("throughput_kbps", THROUGHPUTS_KBPS),
    )
    # Half a kbit/s more, so that nothing has a logarithm, too.
    throughput = F.log2(flow + 0.5)
    told = beats.select(
        *(name for name in beats.columns if name not in {"buffer_s", "rebuffers", "rebuffer_s"}),
        within_bounds("buffer_s", BUFFERS_S).alias("buffer_s"),
        # What is less than none is none; so it is where nothing is told, too.
        F.greatest("rebuffers", F.lit(0)).alias("_rebuffers"),
        F.greatest("rebuffer_s", F.lit(0.0)).alias("_rebuffer_s"),
        throughput.alias("throughput"),
        rate.alias("bitrate"),
        (throughput - rate).alias("headroom"),
    )
    last_stall = F.max(F.when(F.col("is_stalled"), F.col("at"))).over(whole)
    comes = F.exists("_stalls", lambda at: (at > F.col("at")) & (at <= F.col("at") + HORIZON_MS))
    return told.select(
        "play_id", "event_id", "at", "day", "bucket", *CELL, "device_model", "is_stalled", "buffer_s", "throughput",
        "bitrate", "headroom",
        F.coalesce(F.col("state") == "playing", F.lit(False)).alias("is_playing"),
        F.coalesce(comes, F.lit(False)).alias("stalls"),
        (F.col("buffer_s") - F.lag("buffer_s").over(so_far)).alias("buffer_change"),
        F.min("buffer_s").over(few).alias("buffer_least"),
        (F.col("throughput") - F.avg("throughput").over(few)).alias("throughput_trend"),
        F.min("headroom").over(few).alias("headroom_least"),
        (F.col("headroom") - F.lag("headroom").over(so_far)).alias("headroom_change"),
        F.sum("_rebuffers").over(some).alias("rebuffers"),
        F.sum("_rebuffer_s").over(some).alias("rebuffer_s"),
        F.log1p((F.col("at") - last_stall) / 1000).alias("since_rebuffer"),
        F.log1p(F.row_number().over(so_far)).alias("beats"),
        F.log1p(F.sum(F.greatest(F.coalesce("dropped_frames", F.lit(0)), F.lit(0))).over(some)).alias("dropped"),
    )  # fmt: skip


def _with_cell(
    rows: DataFrame, beats: DataFrame, cell: tuple[str, ...], name: str, by: str = "bucket"
) -> DataFrame:
    """Rows with `{name}_stalled`, the share of stalled heartbeats of their cell in the bucket or on the day before
    theirs, and `{name}_told`, of how many.
    """
    count, stalled = F.col("_beats"), F.col("_stalled")
    following = F.date_add(by, 1) if by == "day" else F.col(by) + 1
    before = (
        beats.groupBy(*cell, by)
        .agg(F.count("*").alias("_beats"), F.count_if("is_stalled").alias("_stalled"))
        .select(
            *cell,
            following.alias(by),
            ((stalled + _USUAL * _WEIGHT) / (count + _WEIGHT)).alias(f"{name}_stalled"),
            F.log1p(count).alias(f"{name}_told"),
        )
    )
    return rows.join(before, on=[*cell, by], how="left")


def bucket_at(bucket: Column | str) -> Column:
    """When a bucket of five minutes begins."""
    return F.timestamp_millis((F.col(bucket) if isinstance(bucket, str) else bucket) * SLICE_MS)
