"""Things that change over time, kept as change rows: how they looked at a moment.

Change rows are keyed `(id…, effective_from)`; a row holds until the next one of its id, and its end is
derived on reading, never stored (slowly changing dimensions of type 2, without updates in place).
"""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

EFFECTIVE_FROM = "effective_from"
_UNTIL, _ID = "_until", "_id_"


def as_of(facts: DataFrame, changes: DataFrame, on: Sequence[str], at: str) -> DataFrame:
    """Each fact beside the change row that held for its id at its time `at`.

    A fact whose id had no row yet, or whose id or time is null, keeps its row with nulls beside it. The
    result has the columns of `facts`, then those of `changes` without `on`. Raises ValueError when the two
    share another column.
    """
    added = [name for name in changes.columns if name not in on]
    shared = sorted(set(added) & set(facts.columns))
    if shared:
        raise ValueError(
            f"facts and changes both have {', '.join(shared)}; select or rename before as_of"
        )
    following = Window.partitionBy(*on).orderBy(EFFECTIVE_FROM)
    intervals = changes.select(
        *(F.col(name).alias(f"{_ID}{name}") for name in on),
        *added,
        F.lead(EFFECTIVE_FROM).over(following).alias(_UNTIL),
    )
    is_same = [F.col(name) == F.col(f"{_ID}{name}") for name in on]
    has_begun = F.col(at) >= F.col(EFFECTIVE_FROM)
    holds_still = F.col(_UNTIL).isNull() | (F.col(at) < F.col(_UNTIL))
    joined = facts.join(intervals, [*is_same, has_begun, holds_still], how="left")
    return joined.select(*(facts[name] for name in facts.columns), *added)


def latest(changes: DataFrame, on: Sequence[str], *names: str) -> DataFrame:
    """`on…, names…`: how each id looks by its newest change row."""
    last = F.max_by(F.struct(*names), EFFECTIVE_FROM).alias("_last")
    return changes.groupBy(*on).agg(last).select(*on, "_last.*")


def days_told(changes: DataFrame, on: Sequence[str], name: str) -> DataFrame:
    """`on…, name array<struct<told_on date, day date>>`: which days of the time `name` each id was told, when."""
    told = F.struct(F.col("effective_date").alias("told_on"), F.to_date(name).alias("day"))
    return changes.where(F.col(name).isNotNull()).groupBy(*on).agg(F.collect_set(told).alias(name))


def earliest_told(told: Column, by: Column) -> Column:
    """The earliest of `days_told` that was told by a day: rows of one day must not know what is told on later ones."""
    known = F.filter(told, lambda each: each["told_on"] <= by)
    return F.array_min(F.transform(known, lambda each: each["day"]))
