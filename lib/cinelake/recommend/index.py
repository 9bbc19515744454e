"""Dense integers for string ids, from a mapping that only grows.

An id keeps its integer for ever, so that factors of two days can be compared. New ids get the next
integers in the order of the day they were first seen and then of the id itself.
"""

from __future__ import annotations

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F


def grown(index: DataFrame, events: DataFrame, id_column: str, day_column: str) -> DataFrame:
    """The rows to add to `index` (`<id_column>, idx, first_seen`) for the ids of `events` it does
    not hold.
    """
    new = (
        events.groupBy(id_column)
        .agg(F.min(day_column).alias("first_seen"))
        .join(index.select(id_column), on=id_column, how="left_anti")
    )
    taken = index.agg((F.coalesce(F.max("idx"), F.lit(-1))).alias("taken"))
    # One partition numbers all new ids: consecutive integers need one counter, and new ids of a day
    # are few.
    position = F.row_number().over(Window.orderBy("first_seen", id_column))
    return new.crossJoin(F.broadcast(taken)).select(
        id_column, (F.col("taken") + position).cast("int").alias("idx"), "first_seen"
    )
