"""Ratings: one row each act of rating, duplicates and unknown titles set apart with the reason."""

from __future__ import annotations

from datetime import date

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from cinelake.behaviour.facts import title_facts
from cinelake.behaviour.identity import IdKind, known_as
from cinelake.sources.ratings import RATINGS_SOURCE


def ratings(
    bronze: DataFrame, titles: DataFrame, keys: DataFrame, start: date, end: date
) -> DataFrame:
    """The ratings of `[start, end)` with `_reasons`; bronze is read from `records.LOOKBACK` days before."""
    return title_facts(bronze, RATINGS_SOURCE, titles, start, end).select(
        known_as(IdKind.EVENT, "event_id", keys),
        known_as(IdKind.PROFILE, "profile_id", keys),
        "title_id",
        "rating",
        F.col("event_time").alias("rated_at"),
        F.col("event_date").alias("rating_date"),
        "_reasons",
    )
