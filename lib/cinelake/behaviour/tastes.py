"""Daily sums of what kinds of titles are watched: by whom, on what, when and where.

Grain: a day each; see `tables/tastes.py`. A title counts whole in each of its genres, moods and themes: how much of
a drama that is also a thriller was watched as a drama, nobody can say.

Titles and profiles are taken as they stood when the day ended, so that a correction of the catalogue changes no day
before it.
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from cinelake.behaviour.features import UNKNOWN, has_started, known, sum_of_seconds
from cinelake.behaviour.history import EFFECTIVE_FROM, as_of
from cinelake.behaviour.surroundings import end_of
from cinelake.behaviour.titles import words

# Facets of which a title has several, by the column of the catalogue.
_SEVERAL = {"genre": "genres", "mood": "moods", "theme": "themes"}


def taste_days(sessions: DataFrame, titles: DataFrame) -> DataFrame:
    """What each profile watched on each day, by genre, mood, theme and language."""
    plays = _started(sessions, "profile_id", "is_finished")
    # Summed up by title first: the catalogue is looked up once a title and day, not once a play.
    by_title = plays.groupBy("profile_id", "play_date", "title_id").agg(
        F.count("*").alias("starts"),
        sum_of_seconds("seconds_watched"),
        F.count_if("is_finished").alias("finished"),
    )
    described = _described(by_title, titles, *_SEVERAL.values(), "language")
    facets = [_facet(facet, words(F.col(many))) for facet, many in _SEVERAL.items()]
    facets.append(_facet("language", words(F.array("language"))))
    told = described.select(
        "profile_id",
        "play_date",
        "starts",
        "seconds_watched",
        "finished",
        F.inline(F.flatten(F.array(*facets))),
    )
    return told.groupBy("profile_id", "play_date", "facet", "value").agg(
        F.sum("starts").alias("starts"),
        sum_of_seconds("seconds_watched"),
        F.sum("finished").alias("finished"),
    )


def genre_hours(sessions: DataFrame, titles: DataFrame) -> DataFrame:
    """When, and on what, each genre was watched."""
    key = ("play_date", "kind", "device_kind", "local_weekday", "local_hour")
    plays = _started(sessions, "kind", known("device_kind"), "local_weekday", "local_hour")
    by_title = plays.groupBy(*key, "title_id").agg(
        F.count("*").alias("starts"), sum_of_seconds("seconds_watched")
    )
    genres = words(F.col("genres"))
    named = F.when(F.size(genres) > 0, genres).otherwise(F.array(F.lit(UNKNOWN)))
    by_genre = _described(by_title, titles, "genres").select("*", F.explode(named).alias("genre"))
    return by_genre.groupBy(*key, "genre").agg(
        F.sum("starts").alias("starts"), sum_of_seconds("seconds_watched")
    )


def title_audiences(sessions: DataFrame, profiles: DataFrame) -> DataFrame:
    """By whom, where, on what and at what part of the day each film or series was watched on each day."""
    plays = _started(
        sessions, "profile_id", known("country"), known("device_kind"), daypart("local_hour")
    )
    kinds = profiles.select("profile_id", EFFECTIVE_FROM, F.col("kind").alias("profile_kind"))
    seen = as_of(plays.select("*", end_of("play_date").alias("_at")), kinds, ("profile_id",), "_at")
    return (
        seen.select(*plays.columns, known("profile_kind"))
        .groupBy("title_id", "play_date", "country", "profile_kind", "device_kind", "daypart")
        .agg(F.count("*").alias("starts"), sum_of_seconds("seconds_watched"))
    )


def daypart(hour: str) -> Column:
    """`daypart`: the quarter of the day that an hour, 0 to 23, lies in; null where nobody knows the hour."""
    value = F.col(hour)
    return (
        F.when(value < 6, "night")
        .when(value < 12, "morning")
        .when(value < 18, "afternoon")
        .when(value < 24, "evening")
        .alias("daypart")
    )


def _started(sessions: DataFrame, *wanted: str | Column) -> DataFrame:
    """The plays that came to a first frame: `title_id, play_date, seconds_watched` and what is wanted."""
    day = F.col("session_date").alias("play_date")
    return sessions.where(has_started()).select("title_id", day, "seconds_watched", *wanted)


def _described(sums: DataFrame, titles: DataFrame, *attributes: str) -> DataFrame:
    """Sums by title and day beside what the catalogue said of the title when the day ended."""
    placed = sums.select("*", end_of("play_date").alias("_at"))
    changes = titles.select("title_id", EFFECTIVE_FROM, *attributes)
    return as_of(placed, changes, on=("title_id",), at="_at")


def _facet(facet: str, values: Column) -> Column:
    """`array<struct<facet, value>>` of one facet's values."""
    return F.transform(
        values, lambda value: F.struct(F.lit(facet).alias("facet"), value.alias("value"))
    )
