"""Runs: signs of something that follow each other closely, so that they are signs of one and the same thing.

A run breaks where nothing is heard for longer than a gap, and after a sign that ends it. A client that never falls
silent would make a run without end, whose beginning no window could see. So a run that has gone on for twelve hours
without a break is cut at the next noon or midnight (UTC) at which it still goes on, and at every one after that.

Therefore a run is shorter than a day, and one day of signs before a window and one after it tell the runs that
begin in it, whatever the window: whether a sign begins a run depends on the twelve hours and the gap before it and
on the half day that it lies in; and what looks like a beginning because reading began there is a day away.
"""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

# Days of signs to read around those on which runs begin.
BEFORE, AFTER = 1, 1
# The longest gap for which that is enough.
LONGEST_GAP_S = 4 * 3600
_HALF_DAY = 12 * 3600 * 1_000_000


def in_runs(signs: DataFrame, by: Sequence[str], order: Sequence[str], gap_s: int) -> DataFrame:
    """Signs with `begun`: the `order` columns of the sign that their run began with.

    `signs` have times `at` and `until` (µs, within one minute of the clock) and `is_last`, whether they end their
    run; `by` says whose they are, and `order`, which begins with `at`, puts them in a total order.
    """
    in_order = Window.partitionBy(*by).orderBy(*order)
    so_far = in_order.rowsBetween(Window.unboundedPreceding, Window.currentRow)
    at = F.col("at")
    is_late = at - F.lag("until").over(in_order) > gap_s * 1_000_000
    half_day = F.expr(f"at DIV {_HALF_DAY}")
    marked = signs.select(
        "*",
        F.coalesce(is_late | F.lag("is_last").over(in_order), F.lit(True)).alias("_breaks"),
        (half_day != F.lag(half_day).over(in_order)).alias("_is_first_of_half_day"),
    )
    since = F.last_value(F.when(F.col("_breaks"), at), F.lit(True)).over(so_far)
    is_cut = (at - since >= _HALF_DAY) & F.col("_is_first_of_half_day")
    begins = F.col("_breaks") | F.coalesce(is_cut, F.lit(False))
    cut = marked.select("*", F.when(begins, F.struct(*order)).alias("_begins"))
    return cut.select(
        *signs.columns, F.last_value("_begins", F.lit(True)).over(so_far).alias("begun")
    )
