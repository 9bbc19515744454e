"""Which anomalies announced work explains: those of its hours, in what it is at, in parts of that, and above it.

A cell that the work only is a part of stays loud as a rule: a CDN of which one point of presence is worked at may have
another fault. But work at a large provider shows in its regions and in the whole service, too; where a cell that is
muted and part of it explains most of what a wider one has too much, in that hour and metric, the wider one is muted as
well. Another fault of that hour shows in its own cells. The hour in which work begins counts as its own.
"""

from __future__ import annotations

from functools import reduce

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from cinelake.tables.qoe import DIMENSIONS

# Of the affected sessions of a wider cell, the share that has to be of one that is muted.
MOST = 0.5


def standing(calendar: DataFrame) -> DataFrame:
    """Rows of `qoe_maintenance` that hold: the newest of each piece of work, unless it was called off."""
    names = [name for name in calendar.columns if name != "maintenance_id"]
    newest = calendar.groupBy("maintenance_id").agg(
        F.max_by(F.struct(*names), "number").alias("_newest")
    )
    return newest.select("maintenance_id", "_newest.*").where(~F.col("is_cancelled"))


def with_muted(rows: DataFrame, calendar: DataFrame) -> DataFrame:
    """Rows of `qoe_anomalies` without it get `is_muted boolean`. Works are few, and rows of an hour are."""
    work = F.struct(F.date_trunc("hour", "starts_at").alias("begins"), "ends_at", *DIMENSIONS)
    works = standing(calendar).agg(F.collect_list(work).alias("_works"))

    def explains(each: Column) -> Column:
        here = (F.col("bucket_at") >= each["begins"]) & (F.col("bucket_at") < each["ends_at"])
        alike = (
            each[name].isNull() | (each[name] == F.coalesce(F.col(name), F.lit("")))
            for name in DIMENSIONS
        )
        return reduce(Column.__and__, alike, here)

    beside = rows.crossJoin(F.broadcast(works))
    told = beside.select(*rows.columns, F.exists("_works", explains).alias("_is_at_work"))
    # One pass: what rows are told from is not computed for a join as well.
    at_work = F.when(F.col("_is_at_work"), F.struct("affected_sessions", *DIMENSIONS))
    hour = Window.partitionBy("bucket_at", "metric")

    def is_part(one: Column) -> Column:
        holds = (F.col(name).isNull() | (F.col(name).eqNullSafe(one[name])) for name in DIMENSIONS)
        return reduce(Column.__and__, holds)

    parts = F.filter(F.collect_list(at_work).over(hour), is_part)
    # Cells overlap: the one in which most were affected tells at least how many were.
    known = F.array_max(F.transform(parts, lambda one: one["affected_sessions"]))
    is_explained = F.coalesce(known > MOST * F.col("affected_sessions"), F.lit(False))
    return told.select(*rows.columns, (F.col("_is_at_work") | is_explained).alias("is_muted"))
