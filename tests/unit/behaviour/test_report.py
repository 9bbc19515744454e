"""The numbers behind the pictures of what is watched."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from unit.tables.rows import DAY, rows

from cinelake.behaviour.distinct import sketched
from cinelake.behaviour.report import (
    habits,
    most_watched,
    programme_types,
    seasonal_index,
    top_genres,
)
from cinelake.report.page import Cards, Picture
from cinelake.tables.features import PROFILE_DAYS, TITLE_DAYS
from cinelake.tables.tastes import GENRE_HOURS


def test_an_index_sets_a_genres_share_of_a_period_against_its_usual_one(
    spark: SparkSession,
) -> None:
    def hours(genre: str, weekday: int, seconds: int) -> dict[str, object]:
        return {"genre": genre, "local_weekday": weekday, "seconds_watched": Decimal(seconds)}

    told = rows(
        spark,
        GENRE_HOURS,
        hours("Drama", 1, 100), hours("Horror", 1, 100),
        # Ten times as much is watched, and of it Horror has more than its half.
        hours("Drama", 5, 500), hours("Horror", 5, 1500),
    )  # fmt: skip
    found = seasonal_index(told, F.col("local_weekday"), "period").orderBy("genre", "period")
    usual = {"Drama": 600 / 2200, "Horror": 1600 / 2200}
    assert [tuple(row) for row in found.collect()] == [
        ("Drama", 1, 0.5 / usual["Drama"]),
        ("Drama", 5, 0.25 / usual["Drama"]),
        ("Horror", 1, 0.5 / usual["Horror"]),
        ("Horror", 5, 0.75 / usual["Horror"]),
    ]
    assert [row.genre for row in top_genres(told, 1).collect()] == ["Horror"]


def test_months_are_drawn_when_there_are_two_whole_ones(spark: SparkSession) -> None:
    one = {"genre": "Drama", "device_kind": "tv", "seconds_watched": Decimal(60)}
    days = [one | {"play_date": DAY + timedelta(days=n)} for n in range(45)]
    assert len(programme_types(rows(spark, GENRE_HOURS, *days[:31])).parts) == 2
    pictures = programme_types(rows(spark, GENRE_HOURS, *days)).parts
    assert len(pictures) == 3
    assert all(isinstance(part, Picture) for part in pictures)


def test_most_watched_titles_count_a_viewer_of_two_days_once(spark: SparkSession) -> None:
    seen = spark.createDataFrame([(1, "p1"), (2, "p1"), (2, "p2")], "n int, v string")
    sketch = {row.n: row.s for row in sketched(seen, ["n"], "v", "s").collect()}
    film = {"watched_id": "t1", "title_id": "t1", "starts": 2, "finished": 1}
    told = rows(
        spark,
        TITLE_DAYS,
        film | {"play_date": DAY, "seconds_watched": Decimal(3600), "viewers_sketch": sketch[1]},
        film | {"play_date": DAY + timedelta(days=1), "seconds_watched": Decimal(1800),
                "viewers_sketch": sketch[2]},
        film | {"title_id": "t2", "seconds_watched": Decimal(1)},
    )  # fmt: skip
    assert [tuple(row) for row in most_watched(told, 1).collect()] == [("t1", 1.5, 4, 0.5, 2)]


def test_habits_are_told_in_numbers_and_nothing_of_nothing_is_said_so(spark: SparkSession) -> None:
    told = rows(
        spark,
        PROFILE_DAYS,
        {"profile_id": "p1", "profile_date": DAY, "starts": 4, "finished": 3, "binged": 1,
         "seconds_watched": Decimal(7200), "browse_sessions": 2, "exits": 1},
    )  # fmt: skip
    numbers = habits(told).parts[0]
    assert isinstance(numbers, Cards)
    shown = {what: number for number, what in numbers.numbers}
    assert shown["watched"] == "2 h"
    assert shown["of starts seen to the end"] == "75 %"
    assert shown["of browsing ended without a play"] == "50 %"
    assert shown["of searches found nothing"] == "none"
