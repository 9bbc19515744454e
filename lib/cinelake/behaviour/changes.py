"""Change rows from records that each tell how a thing looks as a whole, from a moment on.

Grain of the result: one row a thing and moment at which it came to look otherwise (see history.py for reading them).

Method: of several records of one thing and moment the one received last counts, for who tells corrects itself
so; the others are set apart as `superseded`. A record that says what the row before it says is no change, and
makes no row. Both are decided by records of the same and earlier moments only, so a change row of a day does not
depend on what is told later, and any order of arrival gives the same rows. What came before the window is known
from its change rows, not from bronze, which is soon deleted.
"""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from cinelake.behaviour.accounting import Accounts
from cinelake.behaviour.history import EFFECTIVE_FROM
from cinelake.behaviour.records import reasons, within
from cinelake.sources.source import Source

EFFECTIVE_DATE = "effective_date"


def change_rows(
    told: DataFrame,
    before: DataFrame,
    on: Sequence[str],
    attributes: Sequence[str],
    source: Source,
    accounts: Accounts,
) -> DataFrame:
    """The change rows of the accounts' days with `_reasons`; what makes no row is accounted for as `unchanged`.

    `told` holds the records of the window: `on` names what identifies a thing, `attributes` how it looks; beside them
    stand `event_time, event_date, received_at, event_id, _is_duplicate`. `before` are the change rows of the days
    before. A change of anything that is no attribute is no change here.
    """
    start, end = accounts.start, accounts.end
    fresh = within(told, "event_date", start, end)
    known = fresh.unionByName(_last_known(before, on, attributes))
    compared = known.select("*", F.struct(*attributes).alias("_looks"))
    # Duplicates come last, so that they neither supersede nor break the row of changes.
    newest_first = Window.partitionBy(*on, "event_time").orderBy(
        "_is_duplicate",
        F.desc("received_at"),
        F.desc("event_id"),
        F.desc("_looks"),
    )
    is_newest = F.row_number().over(newest_first) == 1
    ranked = compared.select("*", (is_newest & ~F.col("_is_duplicate")).alias("_counts"))
    earlier = Window.partitionBy(*on, "_counts").orderBy("event_time")
    with_last = ranked.select("*", F.lag("_looks").over(earlier).alias("_looked"))
    is_change = ~F.col("_looks").eqNullSafe(F.col("_looked"))
    makes_row = ~F.col("_counts") | is_change
    counted = accounts.tell(source, with_last, unchanged=accounts.own("event_date", ~makes_row))
    kept = counted.where(makes_row)
    return within(kept, "event_date", start, end).select(
        *on,
        F.col("event_time").alias(EFFECTIVE_FROM),
        F.col("event_date").alias(EFFECTIVE_DATE),
        *attributes,
        reasons(
            duplicate=F.col("_is_duplicate"),
            superseded=~F.col("_counts") & ~F.col("_is_duplicate"),
        ).alias("_reasons"),
    )


def _last_known(before: DataFrame, on: Sequence[str], attributes: Sequence[str]) -> DataFrame:
    looks = F.struct(EFFECTIVE_FROM, EFFECTIVE_DATE, *attributes)
    last = before.groupBy(*on).agg(F.max_by(looks, EFFECTIVE_FROM).alias("_last"))
    return last.select(
        *on,
        F.col(f"_last.{EFFECTIVE_FROM}").alias("event_time"),
        F.col(f"_last.{EFFECTIVE_DATE}").alias("event_date"),
        F.col(f"_last.{EFFECTIVE_FROM}").alias("received_at"),
        F.lit("").alias("event_id"),
        *(F.col(f"_last.{name}").alias(name) for name in attributes),
        F.lit(False).alias("_is_duplicate"),
    )
