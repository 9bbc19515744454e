"""Titles as change rows (see changes.py), and their genres."""

from __future__ import annotations

from datetime import date

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from cinelake.behaviour.accounting import AccountFor, Accounts, nobody_asks
from cinelake.behaviour.changes import change_rows
from cinelake.behaviour.records import is_duplicate
from cinelake.sources.bronze import payload
from cinelake.sources.titles import TITLES_SOURCE

# All that the catalogue says of a title. Records of the first version leave most of it open.
ATTRIBUTES = tuple(name for name in TITLES_SOURCE.names if name != "title_id")


def title_changes(
    bronze: DataFrame, before: DataFrame, start: date, end: date, tell: AccountFor = nobody_asks
) -> DataFrame:
    """The change rows of `[start, end)` with `_reasons`.

    `bronze` holds the window's records and those of the days before that may repeat in it, `before` the
    change rows of the days before.
    """
    typed = payload(bronze, TITLES_SOURCE)
    told = typed.select(
        "title_id",
        "event_time",
        "event_date",
        "received_at",
        "event_id",
        is_duplicate(TITLES_SOURCE.names).alias("_is_duplicate"),
        F.coalesce("genres", F.array().cast("array<string>")).alias("genres"),
        *(name for name in ATTRIBUTES if name != "genres"),
    )
    accounts = Accounts(start, end, tell)
    return change_rows(told, before, ("title_id",), ATTRIBUTES, TITLES_SOURCE, accounts)


def title_genres(titles: DataFrame) -> DataFrame:
    """A row each genre of each change row."""
    return titles.select(
        "title_id",
        "effective_from",
        "effective_date",
        F.explode(words(F.col("genres"))).alias("genre"),
    )


def words(values: Column) -> Column:
    """Each of the words that a catalogue says of a title once, without nulls and blanks; none where it says nothing.

    Titles keep what was told as it was told, so who counts genres, moods or themes reads them through this.
    """
    told = F.coalesce(values.cast("array<string>"), F.array().cast("array<string>"))
    return F.array_distinct(F.filter(told, lambda word: F.trim(word) != ""))
