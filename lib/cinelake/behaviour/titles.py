"""Titles as change rows, and their genres.

Method: of several records of one title and moment the one received last counts, for a catalogue corrects
itself so; the others are set apart as `superseded`. A record that says what the row before it says is no
change, and makes no row. Both are decided by records of the same and earlier moments only, so a change row
of a day does not depend on what the catalogue says later, and any order of arrival gives the same rows.
What came before the window is known from its change rows, not from bronze, which is soon deleted.
"""

from __future__ import annotations

from datetime import date

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from cinelake.behaviour.records import is_duplicate, reasons, within
from cinelake.sources.bronze import payload
from cinelake.sources.titles import TITLES_SOURCE

# What the table keeps of what the catalogue says; a change of anything else is no change here.
ATTRIBUTES = ("name", "release_year", "genres", "imdb_id", "tmdb_id")


def title_changes(bronze: DataFrame, before: DataFrame, start: date, end: date) -> DataFrame:
    """The change rows of `[start, end)` with `_reasons`.

    `bronze` holds the window's records and those of the days before that may repeat in it, `before` the
    change rows of the days before.
    """
    typed = payload(bronze, TITLES_SOURCE).withColumn(
        "genres", F.coalesce("genres", F.array().cast("array<string>"))
    )
    columns = ("title_id", "event_time", "event_date", "received_at", "event_id", *ATTRIBUTES)
    fresh = within(
        typed.select(*columns, is_duplicate(TITLES_SOURCE.names).alias("_is_duplicate")),
        "event_date",
        start,
        end,
    )
    told = fresh.unionByName(_last_known(before)).select("*", F.struct(*ATTRIBUTES).alias("_looks"))
    # Duplicates come last, so that they neither supersede nor break the row of changes.
    newest_first = Window.partitionBy("title_id", "event_time").orderBy(
        "_is_duplicate",
        F.desc("received_at"),
        F.desc("event_id"),
        F.desc("_looks"),
    )
    is_newest = F.row_number().over(newest_first) == 1
    ranked = told.select("*", (is_newest & ~F.col("_is_duplicate")).alias("_counts"))
    earlier = Window.partitionBy("title_id", "_counts").orderBy("event_time")
    compared = ranked.select("*", F.lag("_looks").over(earlier).alias("_looked"))
    is_change = ~F.col("_looks").eqNullSafe(F.col("_looked"))
    kept = compared.where(~F.col("_counts") | is_change)
    return within(kept, "event_date", start, end).select(
        "title_id",
        F.col("event_time").alias("effective_from"),
        F.col("event_date").alias("effective_date"),
        *ATTRIBUTES,
        reasons(
            duplicate=F.col("_is_duplicate"),
            superseded=~F.col("_counts") & ~F.col("_is_duplicate"),
        ).alias("_reasons"),
    )


def _last_known(before: DataFrame) -> DataFrame:
    last = before.groupBy("title_id").agg(
        F.max_by(F.struct("effective_from", "effective_date", *ATTRIBUTES), "effective_from").alias(
            "_last"
        )
    )
    return last.select(
        "title_id",
        F.col("_last.effective_from").alias("event_time"),
        F.col("_last.effective_date").alias("event_date"),
        F.col("_last.effective_from").alias("received_at"),
        F.lit("").alias("event_id"),
        *(F.col(f"_last.{name}").alias(name) for name in ATTRIBUTES),
        F.lit(False).alias("_is_duplicate"),
    )


def title_genres(titles: DataFrame) -> DataFrame:
    """A row each genre of each change row."""
    return titles.select(
        "title_id",
        "effective_from",
        "effective_date",
        F.explode(F.array_distinct("genres")).alias("genre"),
    ).where(F.trim("genre") != "")
