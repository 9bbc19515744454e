"""What is worse than it should be: cells and hours in which more sessions went bad than the baseline allows.

Grain: one row a cell, hour and metric with evidence enough that somebody might want to know; an alarm is one of them
that passes the threshold. Only a rise is an anomaly, for all metrics count what is bad; no data is none.

Evidence is how surprising an hour is (qoe/chances.py), in powers of ten. What lasts counts more than what does not:
an hour and the one before are taken together by Fisher's method, and an hour alone is discounted by `alone`.

The threshold comes from a budget of false incidents: where chance is tried T times a day, it passes `log10(T / B)`
B times. What is tried are the cells, hours and metrics with sessions enough to tell anything; as every session is in a
cell of each subset, what chance does shows in all of them at once, and T counts them once.

Affected sessions are bad ones beyond those expected. Minutes lost are their number times what a bad one of the cell's
hour loses in the mean: of stalls, what those stalled who stalled for longer than is bearable; of slow starts, what they
waited; of a failed or left start, what a start is watched; of a playback failure half of that; of a picture that jerks
or is blurred none.
"""

from __future__ import annotations

import math
import operator
from datetime import date, timedelta
from functools import reduce

from pydantic import BaseModel, ConfigDict, Field
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql.types import DoubleType, StructField, StructType

from cinelake.behaviour.records import within
from cinelake.qoe.baseline import DEEPEST, total_of, with_baseline
from cinelake.qoe.chances import with_surprise
from cinelake.qoe.maintenance.calendar import with_muted
from cinelake.qoe.usual import MOST_DAYS, Usual
from cinelake.tables.qoe import DIMENSIONS, HOUR, METRICS, QOE_ANOMALIES

_LN10 = math.log(10)
# Days before a window to be read: the histories that the whole service is told from, and the hour before the first.
HISTORY = DEEPEST * MOST_DAYS + 1


class Alarming(BaseModel):
    """When somebody should look."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    false_incidents_a_day: float = Field(
        1.0, gt=0, description="incidents that chance may open, in the whole service"
    )
    least_bad: int = Field(4, ge=1, description="bad sessions in an hour that it takes at least")
    least_lift: float = Field(
        1.5, ge=1, description="times the expected rate that it takes at least"
    )
    alone: float = Field(
        0.5, ge=0, description="evidence taken off an hour whose hour before was as usual"
    )
    told_from: float = Field(
        2.0, ge=0, description="evidence from which an hour is written down, alarm or not"
    )


def anomalies(
    rollups: DataFrame,
    start: date,
    end: date,
    usual: Usual,
    alarming: Alarming,
    calendar: DataFrame,
) -> DataFrame:
    """The anomalies of `[start, end)`; `rollups` reach back `HISTORY` days, `calendar` is `qoe_maintenance`."""
    hourly = rollups.where(F.col("width") == HOUR)
    since = start - timedelta(days=1)
    known = hourly.where(F.col("cell_date") < F.lit(end))
    tried = within(hourly, "cell_date", since, end)
    rated = dated(with_baseline(known, usual, since))
    told = judged(rated, thresholds(tried, alarming), alarming)
    inside = within(told, "anomaly_date", start, end)
    return muted(inside, within(hourly, "cell_date", start, end), calendar)


def figures(alarming: Alarming) -> dict[str, Column]:
    """What is told of all rows of `qoe_anomalies`: counts, the greatest threshold, how often chance was tried for it.

    Thresholds are never below 1, so `tries` is ten times the budget at least.
    """
    return {
        "threshold": F.max("threshold"),
        "tries": F.max(alarming.false_incidents_a_day * F.pow(F.lit(10.0), "threshold")),
        "anomalies": F.count("*"),
        "alarms": F.count_if("is_alarm"),
        "muted": F.count_if("is_muted"),
    }


def dated(rows: DataFrame) -> DataFrame:
    """Rows with `anomaly_date` and `bucket_at` of their `day` and `hour`."""
    second = F.col("day").cast("bigint") * 86_400 + F.col("hour") * 3600
    return rows.select(
        "*",
        F.date_from_unix_date("day").alias("anomaly_date"),
        F.timestamp_seconds(second).alias("bucket_at"),
    )


def judged(rated: DataFrame, thresholds: DataFrame, alarming: Alarming) -> DataFrame:
    """Rows of `with_baseline` that are worse than usual, with evidence and the threshold of their day."""
    candidates = _worse(rated, alarming)
    schema = StructType([*candidates.schema.fields, StructField("surprise", DoubleType())])
    lasting = _lasting(candidates.mapInArrow(with_surprise, schema), alarming)
    told = lasting.where(F.col("evidence") >= alarming.told_from)
    return told.join(F.broadcast(thresholds), on="anomaly_date", how="left")


def muted(told: DataFrame, hourly: DataFrame, calendar: DataFrame) -> DataFrame:
    """Rows of `qoe_anomalies`: what was judged, where it is by hourly roll-ups, and what is announced kept quiet."""
    where = hourly.select(
        "bucket_at", "cell", "subset", *DIMENSIONS, _minutes_lost().alias("_losses")
    )
    lost = F.col("affected_sessions") * F.element_at("_losses", F.col("metric"))
    is_alarm = (F.col("evidence") >= F.col("threshold")) & ~F.col("is_muted")
    placed = told.join(where, on=["bucket_at", "cell"], how="inner")
    return (
        with_muted(placed, calendar)
        .select("*", lost.alias("lost_minutes"), is_alarm.alias("is_alarm"))
        .select(*QOE_ANOMALIES.names)
    )


def _worse(rows: DataFrame, alarming: Alarming) -> DataFrame:
    """Rows that are worse than expected by more than a standard deviation."""
    bad, total, rate = F.col("bad"), F.col("total"), F.col("rate")
    expected, deviation = total * rate, deviation_of_bad()
    is_worse = (
        (bad >= alarming.least_bad)
        & (bad > alarming.least_lift * expected)
        & (bad > expected + deviation)
    )
    return rows.where(is_worse).select(
        "cell",
        "bucket_at",
        "anomaly_date",
        "metric",
        "bad",
        "total",
        rate.alias("expected_rate"),
        allowed(3).alias("expected_high"),
        F.col("known").cast("bigint").alias("history"),
        "spread",
        (bad - expected).alias("affected_sessions"),
    )  # fmt: skip


def deviation_of_bad() -> Column:
    """Of the bad sessions of a row of `with_baseline`: by chance, and by how sessions go bad together."""
    worth = 1 + (F.col("total") - 1) * F.col("spread")
    return F.sqrt(F.col("total") * F.col("rate") * (1 - F.col("rate")) * worth)


def allowed(sigmas: float) -> Column:
    """The share of bad ones that lies so many standard deviations above the usual, or below it, within 0 and 1."""
    share = F.col("rate") + sigmas * deviation_of_bad() / F.col("total")
    return F.when(share.isNotNull(), F.least(F.lit(1.0), F.greatest(F.lit(0.0), share)))


def _minutes_lost() -> Column:
    """What a bad session of an hour loses in the mean (min), by metric, by the hour's counts."""
    a_start = F.try_divide(F.col("play_ms"), F.col("starts")) / 60_000
    # No start of the hour is watched for longer than an evening; of none it is told, half an hour is usual.
    watched = F.least(F.coalesce(a_start, F.lit(30.0)), F.lit(120.0))
    minutes = {
        "start_failure": watched,
        "exit_before_start": watched,
        # Of old cells that do not tell it of the bad ones alone, a start is as slow as all are, and all stalls are
        # theirs.
        "slow_start": F.coalesce(
            F.try_divide("slow_join_ms", "slow_starts"), F.try_divide("join_ms", "timed_starts")
        )
        / 60_000,
        "stall": F.try_divide(F.coalesce("stalled_ms", "stall_ms"), "stalled_hours") / 60_000,
        "playback_failure": watched / 2,
        # Such pictures are seen to the end, as a rule: nobody waits.
        "dropped_frames": F.lit(0.0),
        "low_bitrate": F.lit(0.0),
    }
    return F.create_map(
        *(
            part
            for metric, lost in minutes.items()
            for part in (F.lit(metric), F.coalesce(lost, F.lit(0.0)))
        )
    )


def _lasting(told: DataFrame, alarming: Alarming) -> DataFrame:
    """Rows with `evidence`."""
    hours = Window.partitionBy("cell", "metric").orderBy("bucket_at")
    before = F.unix_seconds(F.lag("bucket_at").over(hours))
    follows = F.unix_seconds("bucket_at") - before == HOUR * 60
    last = F.when(follows, F.lag("surprise").over(hours))
    total = (F.col("surprise") + last) * _LN10
    both = (total - F.log1p(total)) / _LN10
    alone = F.col("surprise") - alarming.alone
    evidence = F.greatest(alone, F.coalesce(both, alone), F.lit(0.0))
    return told.select("*", evidence.alias("evidence"))


def thresholds(hourly: DataFrame, alarming: Alarming) -> DataFrame:
    """`anomaly_date, threshold` of each day of hourly roll-ups, from how often chance is tried on it."""
    could_tell = (F.count_if(total_of(metric) >= 2 * alarming.least_bad) for metric in METRICS)
    counted = hourly.groupBy(F.col("cell_date").alias("anomaly_date")).agg(
        reduce(operator.add, could_tell).alias("told"), F.count_distinct("subset").alias("subsets")
    )
    tried = F.greatest(F.col("told") / F.col("subsets"), F.lit(1.0))
    nominal = F.log10(tried / alarming.false_incidents_a_day)
    return counted.select("anomaly_date", F.greatest(nominal, F.lit(1.0)).alias("threshold"))
