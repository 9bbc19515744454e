"""A step of the live watch: sessions, cells and anomalies of what a micro-batch touched, by the code of the batch.

A play that is heard of is told anew from all its records, and takes the place of what was told of it. The hours that
its records lie in are then summed anew from all sessions of those hours, so that cells are those of the batch at any
moment: a sum of what came in so far. Nothing depends on how records were cut into micro-batches, and a step that is
done twice is as once. Cells of a day are left to the batch.

Only a play that joins still is no exit before the start, though the batch would take it for one if nothing more came:
it is left out until others are heard of a grace after its own last sign. So the hours of plays that went on when cells
were last told are told anew, too, be it that nothing more of them is heard.

Anomalies need what is usual. That is told of the days before today alone (qoe/baseline.py), so it is told once a day,
of each cell and hour (`expected`), and joined. The hour that is not over yet has fewer sessions, and is judged as such;
of those that go on, bad are only such as will be whatever comes (qoe/cells.py), so that what was usual of whole hours
can be held against it. Once it is over its cells are the batch's.
Its threshold is that of the day before, for how often chance will be tried today is not known yet. What is too small,
or new today, waits for the batch.

That threshold is made for one look an hour, and an hour that goes on is looked at with every micro-batch: of sixty
looks the luckiest counts. So while the hour goes on `log10(looks)` is added to it (Bonferroni); 20 are enough for
sixty, for looks that follow one another are of almost the same sessions. Of made-up binomial hours, looked at every
minute, chance passes the threshold of one look up to nine times as often as the budget says, and with 20 as often at
most, the look when the hour is over counted in. To ask for two looks in a row would not do: it is five times as
often then.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import date, datetime, timedelta

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import DoubleType, IntegerType, StringType, StructField, StructType

from cinelake.behaviour.identity import IdKind, known_as
from cinelake.qoe.anomalies import Alarming, dated, judged, muted, thresholds
from cinelake.qoe.baseline import COUNTED, PARENTS, by_metric, with_baseline
from cinelake.qoe.cells import Bearable, cells
from cinelake.qoe.history import EPOCH
from cinelake.qoe.live.heard import beats_of, events_of
from cinelake.qoe.rollups import rollups
from cinelake.qoe.sessions import qoe_sessions
from cinelake.qoe.usual import Usual
from cinelake.tables.qoe import FIVE_MINUTES, HOUR, QOE_SESSIONS

WIDTHS = (FIVE_MINUTES, HOUR)
GONE = "_gone"
_HOUR = timedelta(hours=1)
_SAME = ("cell", "metric", "day", "hour")
EXPECTED = StructType(
    [
        StructField("cell", StringType()),
        StructField("metric", StringType()),
        StructField("day", IntegerType()),
        StructField("hour", IntegerType()),
        *(StructField(name, DoubleType()) for name in ("rate", "spread", "known", "threshold")),
    ]
)
# Where the day before has no threshold: a hundred thousand tries to one false alarm.
DEFAULT_THRESHOLD = 5.0


def sessions(batch: DataFrame, keys: DataFrame, start: date, end: date, grace_s: int) -> DataFrame:
    """Rows of `qoe_sessions` of the plays of a micro-batch, and `_gone` of those that may have been told and are not.

    `batch` are rows of `gathered` whose first days lie in `[start, end)`.
    """
    told = qoe_sessions(
        events_of(batch), beats_of(batch), keys, start, end + timedelta(days=1), grace_s
    ).select(*QOE_SESSIONS.names)
    # Of a play's last day but one all is known; what was taken for a start on the day after was none.
    named = batch.select(known_as(IdKind.PLAY, "play_id", keys), "first_day")
    may_start = named.select(
        "play_id", F.col("first_day").alias("session_date"), F.lit(True).alias("_is_known")
    )
    after = named.select(
        "play_id", F.date_add("first_day", 1).alias("session_date"), F.lit(False).alias("_is_known")
    )
    days = (
        may_start.union(after)
        .groupBy("play_id", "session_date")
        .agg(F.bool_or("_is_known").alias("_is_known"))
    )
    joined = days.join(
        told.withColumn("_is_told", F.lit(True)), on=["play_id", "session_date"], how="left"
    )
    holds = F.col("_is_known") & F.coalesce("_is_told", F.lit(False))
    return joined.select(*QOE_SESSIONS.names, (~holds).alias(GONE))  # fmt: skip


def touched(batch: DataFrame, grace_s: int) -> DataFrame:
    """`hour timestamp`, each once: in which what was told of the plays of a micro-batch may lie, before or after it."""
    times = F.concat(
        F.transform("events", lambda one: one["event_time"]),
        F.transform("beats", lambda one: one["event_time"]),
    )
    first = F.date_trunc("hour", F.array_min(times))
    last = F.date_trunc("hour", F.array_max(times) + _grace(grace_s))
    every = F.sequence(first, last, F.expr("INTERVAL 1 HOUR"))
    return batch.select(F.explode(every).alias("hour")).distinct()


def heard_until(known: DataFrame, grace_s: int) -> DataFrame:
    """`until timestamp`, one row: the newest last sign in all rows of `qoe_sessions_live`.

    By the sessions of which nobody told the end; where the newest ended with a word, it is less by a grace at most.
    """
    return known.agg((F.max("ended_at") - _grace(grace_s)).alias("until"))


def told_until(cells_live: DataFrame) -> DataFrame:
    """`until timestamp`, one row: the newest bucket of `qoe_cells_live`; null where there is none."""
    return cells_live.agg(F.max("bucket_at").alias("until"))


def went_on(known: DataFrame, told: datetime, grace_s: int) -> DataFrame:
    """`hour timestamp`, each once: of sessions that were not over when cells were `told` until then."""
    open_ = known.where(F.col("ended_at") > F.lit(told) - _grace(grace_s))
    every = F.sequence(
        F.date_trunc("hour", "started_at"),
        F.date_trunc("hour", "ended_at"),
        F.expr("INTERVAL 1 HOUR"),
    )
    return open_.select(F.explode(every).alias("hour")).distinct()


def joins_still(until: datetime) -> Column:
    """Whether a session has shown no picture, and may: nobody told its end, and its grace is not over."""
    shows_none = F.col("outcome") == "exit_before_start"
    waited = F.unix_millis("ended_at") - F.unix_millis("started_at")
    # A session of which nobody told the end ends a grace after it was last heard of.
    is_untold = waited > F.coalesce("wait_ms", F.lit(0))
    return shows_none & is_untold & (F.col("ended_at") > F.lit(until))


def live_cells(
    known: DataFrame,
    wanted: Sequence[datetime],
    bearable: Bearable,
    until: datetime,
    grace_s: int,
) -> DataFrame:
    """The cells of these hours, of five minutes and of the hour, as heard `until` then.

    `known` are rows of `qoe_sessions_live`.
    """
    first, last = min(wanted), max(wanted)
    of_time = known.where(~joins_still(until)).where(
        (F.col("started_at") < F.lit(last + _HOUR)) & (F.col("ended_at") >= F.lit(first))
    )
    # Of one of which nobody told the end it is its last sign, and of others at most as much before that.
    last_sign = F.when(F.col("ended_at") > F.lit(until), F.col("ended_at") - _grace(grace_s))
    end = last.date() + timedelta(days=1)
    found = cells(of_time, first.date(), end, bearable, WIDTHS, last_sign)
    return found.where(in_hours(F.col("bucket_at"), wanted))


def _grace(grace_s: int) -> Column:
    return F.make_dt_interval(secs=F.lit(grace_s))


def in_hours(at: Column, wanted: Sequence[datetime]) -> Column:
    """Whether a time lies in one of these hours."""
    return F.date_trunc("hour", at).isin(*(F.lit(hour) for hour in wanted))


def expected(past: DataFrame, today: date, usual: Usual, alarming: Alarming) -> DataFrame:
    """`EXPECTED`: what is usual of each cell, metric and hour of `today`, by hourly roll-ups of the days before."""
    hourly = past.where(F.col("width") == HOUR)
    recent = F.col("cell_date") >= F.lit(today - timedelta(days=usual.days))
    number = (today - EPOCH).days
    at = F.timestamp_seconds(F.lit(number * 86_400) + F.col("hour") * 3600)
    counts = {bad: 0 for bad, _ in COUNTED.values()} | {total: 1 for _, total in COUNTED.values()}
    # Nothing of a day enters what is usual on it: any row asks for what a row of that hour would be told.
    asked = (
        hourly.where(recent)
        .select("cell", "subset", *PARENTS)
        .distinct()
        .select("*", F.explode(F.sequence(F.lit(0), F.lit(23))).alias("hour"))
        .select(
            "cell", "subset", *PARENTS, F.lit(today).alias("cell_date"), at.alias("bucket_at"),
            *(F.lit(count).cast("bigint").alias(name) for name, count in counts.items()),
        )
    )  # fmt: skip
    rated = with_baseline(hourly.select(*asked.columns).unionByName(asked), usual, today)
    # Of metrics that the cell has not had lately, nothing is told.
    told = rated.where(F.col("known") > 0)
    yesterday = F.col("cell_date") == F.lit(today - timedelta(days=1))
    of_yesterday = thresholds(hourly.where(yesterday), alarming)
    # Where nothing was tried yesterday, as after a day without data, what is tried today is told by what is known.
    limit = F.coalesce("_threshold", F.lit(DEFAULT_THRESHOLD))
    held = of_yesterday.agg(F.max("threshold").alias("_threshold"))
    return told.crossJoin(F.broadcast(held)).select(
        "cell", "metric", "day", "hour", "rate", "spread", "known", limit.alias("threshold")
    )


def live_anomalies(
    found: DataFrame,
    usual_today: DataFrame,
    wanted: Sequence[datetime],
    subsets: Sequence[str],
    floor: int,
    alarming: Alarming,
    calendar: DataFrame,
    until: datetime,
    looks: float,
) -> DataFrame:
    """Rows of `qoe_anomalies` of the `wanted` hours, as heard `until` then.

    `found` are cells of these hours and of those before each.
    """
    rolled = rollups(found.where(F.col("width") == HOUR), subsets, floor)
    rated = dated(by_metric(rolled).join(usual_today, on=list(_SAME), how="inner"))
    limits = rated.groupBy("anomaly_date").agg(F.max("threshold").alias("threshold"))
    told = judged(rated.drop("threshold"), limits, alarming)
    goes_on = F.col("bucket_at") > F.lit(until - _HOUR)
    threshold = F.col("threshold") + F.when(goes_on, math.log10(looks)).otherwise(0.0)
    inside = told.where(in_hours(F.col("bucket_at"), wanted)).withColumn("threshold", threshold)
    return muted(inside, rolled, calendar)


def ahead(batch: DataFrame, live: DataFrame, day: str) -> DataFrame:
    """Rows of a table, and those of its live one of the days that it does not know yet."""
    newest = batch.agg(F.max(day).alias("_newest"))
    later = live.crossJoin(F.broadcast(newest)).where(
        F.col("_newest").isNull() | (F.col(day) > F.col("_newest"))
    )
    return batch.unionByName(later.drop("_newest"))
