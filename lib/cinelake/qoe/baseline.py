"""What is usual: the share of bad sessions that a cell should have in an hour, from the days before it.

Grain: one row a cell, hour and metric of which the cell had any session.

Method. History is the `days` days before the day of the row; nothing of the day itself enters, so an incident does not
become its own baseline, and every window of days comes to the same. Hours that were bad themselves enter capped, at
`cap` times the rate that was usual then and three sessions. Rates are shrunk (empirical Bayes, as the posterior mean of
a beta prior), in two steps:

1. The cell's level: its rate of the last week towards that of its whole history (trend), that towards its parent's.
2. Its rate at that hour of the day, on weekdays or on weekends and holidays, towards its level times its parent's
   profile of the day.

A parent is the region, else the provider, else the whole service: evenings come by region. A young cell thus begins
with what its parent knows, and on a service's first day with what all others do in the same hour.

`spread` is how much more than by chance sessions of one hour go bad together: the intraclass correlation ρ of a
beta-binomial, by moments, `E[(x − nr)²] = nr(1 − r)(1 + (n − 1)ρ)`, shrunk towards a common value; what the rate is not
known well is added to it.

All of it is told of the hours of one cell and metric, which are sent over the network once (qoe/history.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from functools import reduce

import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import DoubleType, StructField, StructType

from cinelake.qoe.history import SERIES, TOLD, whole_series, with_usual
from cinelake.qoe.rollups import ALL
from cinelake.qoe.usual import Usual
from cinelake.tables.qoe import METRICS

# What of the counts is bad, and of what, by metric.
COUNTED: Mapping[str, tuple[str, str]] = {
    "start_failure": ("start_failures", "attempts"),
    "exit_before_start": ("exits_before_start", "attempts"),
    "slow_start": ("slow_starts", "timed_starts"),
    "stall": ("stalled_hours", "hours"),
    "playback_failure": ("playback_failures", "hours"),
    "dropped_frames": ("choppy_hours", "frame_hours"),
    "low_bitrate": ("poor_hours", "rated_hours"),
}
assert tuple(COUNTED) == METRICS
EPOCH = date(1970, 1, 1)


def by_metric(rollups: DataFrame, minutes: Mapping[str, Column], usual: Usual) -> DataFrame:
    """Hourly roll-ups, a row a metric: `cell, subset, parent, metric, bucket_at, day, hour, is_free, bad, total, loss`.

    `loss` is what one bad session loses, as `minutes` tells by metric (min).
    """
    is_free = F.weekday("cell_date") >= 5
    if usual.holidays:
        is_free = is_free | F.col("cell_date").isin(*(F.lit(day) for day in usual.holidays))
    parent = (
        F.when(F.col("region").isNotNull(), F.concat(F.lit("region="), "region"))
        .when(F.col("isp").isNotNull(), F.concat(F.lit("isp="), "isp"))
        .otherwise(ALL)
    )
    told = F.array(
        *(
            F.struct(
                F.lit(metric).alias("metric"),
                F.col(bad).alias("bad"),
                # A session that failed in an hour may have no slice in it.
                F.greatest(bad, total).alias("total"),
                F.coalesce(minutes[metric], F.lit(0.0)).alias("loss"),
            )
            for metric, (bad, total) in COUNTED.items()
        )
    )
    return rollups.select(
        "cell",
        "subset",
        parent.alias("parent"),
        "bucket_at",
        F.unix_date("cell_date").alias("day"),
        F.hour("bucket_at").alias("hour"),
        is_free.alias("is_free"),
        F.inline(told),
    ).where("total > 0")


def with_baseline(rows: DataFrame, usual: Usual, first: date) -> DataFrame:
    """Rows of `by_metric` from `first` on, with `rate double, spread double, known double` (sessions in history).

    Rows reach back twice `usual.days` before `first`, for history is capped by its own. `rate` is null where nothing is
    known at all.
    """
    judged = (first - EPOCH).days
    is_whole, is_parent = F.col("cell") == ALL, F.col("cell") == F.col("parent")
    nothing = F.lit(None).cast("double")
    whole = rows.where(is_whole).select(
        "*", nothing.alias("prior"), F.lit(1.0).alias("profile"), nothing.alias("now")
    )
    service = _rated(whole, usual)
    of_service = service.select(
        "metric",
        "bucket_at",
        F.col("level").alias("prior"),
        F.try_divide("rate", "level").alias("profile"),
        (F.col("bad") / F.col("total")).alias("now"),
    )
    beside = rows.where(~is_whole).join(
        F.broadcast(of_service), on=["metric", "bucket_at"], how="left"
    )
    parents = _rated(beside.where(is_parent), usual)
    of_parents = parents.select(
        F.col("cell").alias("parent"),
        "metric",
        "bucket_at",
        F.col("level").alias("_prior"),
        F.try_divide("rate", "level").alias("_profile"),
    )
    below = beside.where(~is_parent).join(
        F.broadcast(of_parents), on=["parent", "metric", "bucket_at"], how="left"
    )
    own = [name for name in beside.columns if name not in {"prior", "profile"}]
    rest = _rated(
        below.select(
            *own,
            F.coalesce("_prior", "prior").alias("prior"),
            F.coalesce("_profile", "profile").alias("profile"),
        ),
        usual,
        judged,
    )
    names = [*rows.columns, "rate", "spread", "known"]
    each = (service.where(F.col("day") >= judged), parents.where(F.col("day") >= judged), rest)
    return reduce(DataFrame.unionByName, (frame.select(*names) for frame in each))


def _rated(rows: DataFrame, usual: Usual, first: int = 0) -> DataFrame:
    """Rows with `level, rate, spread, known` of the days from `first` on (days since 1970); they hold `prior, profile,
    now`, null where nobody knows.
    """

    def told(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for table in whole_series(batches):
            yield from with_usual(table, usual, first).to_batches()

    schema = StructType([*rows.schema, *(StructField(name, DoubleType()) for name in TOLD)])
    # No built-in window sums days of several parts in one pass; tests/benchmarks/bench_qoe.py tells what this costs.
    return rows.repartition(*SERIES).sortWithinPartitions(*SERIES).mapInArrow(told, schema)
