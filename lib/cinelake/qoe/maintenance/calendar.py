"""Which anomalies announced work explains: those of its hours, in what it is at and in parts of that.

A cell that the work only is a part of stays loud: a CDN of which one point of presence is worked at may have another
fault. The hour in which work begins counts as its own.
"""

from __future__ import annotations

from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from cinelake.tables.qoe import DIMENSIONS


def standing(calendar: DataFrame) -> DataFrame:
    """Rows of `qoe_maintenance` that hold: the newest of each piece of work, unless it was called off."""
    names = [name for name in calendar.columns if name != "maintenance_id"]
    newest = calendar.groupBy("maintenance_id").agg(
        F.max_by(F.struct(*names), "number").alias("_newest")
    )
    return newest.select("maintenance_id", "_newest.*").where(~F.col("is_cancelled"))


def with_muted(rows: DataFrame, calendar: DataFrame) -> DataFrame:
    """Rows with `bucket_at` and the dimensions get `is_muted boolean`. Works are few."""
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
    return beside.select(*rows.columns, F.exists("_works", explains).alias("is_muted"))
