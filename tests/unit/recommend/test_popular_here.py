"""Who is new sees what is popular around it, and where little is known, what is popular further out."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from pyspark.sql import SparkSession
from unit.tables.rows import rows, same

from cinelake.recommend import popular_here as module
from cinelake.recommend.popular_here import PopularHere, circles, circles_of_likes
from cinelake.tables.tastes import TITLE_AUDIENCES

TODAY = date(2026, 3, 2)
CIRCLES = "circle array<string>, title_id string, starts double, total double"


def _started(title: str, starts: int, *circle: str, age: int = 1) -> dict[str, object]:
    country, kind, device, daypart = circle
    return {
        "title_id": title,
        "play_date": TODAY - timedelta(days=age),
        "country": country,
        "profile_kind": kind,
        "device_kind": device,
        "daypart": daypart,
        "starts": starts,
    }


def test_starts_add_up_in_each_circle_and_fade(spark: SparkSession) -> None:
    days = rows(
        spark,
        TITLE_AUDIENCES,
        _started("up", 4, "DE", "kid", "tv", "evening"),
        _started("up", 4, "DE", "kid", "phone", "night", age=8),  # a half-life earlier
        _started("heat", 8, "DE", "adult", "tv", "evening"),
        _started("heat", 99, "DE", "adult", "tv", "evening", age=0),  # not over yet
    )
    expected = spark.createDataFrame(
        [
            (["DE"], "up", 6.0, 14.0),
            (["DE"], "heat", 8.0, 14.0),
            (["DE", "kid"], "up", 6.0, 6.0),
            (["DE", "adult"], "heat", 8.0, 8.0),
            (["DE", "kid", "tv"], "up", 4.0, 4.0),
            (["DE", "kid", "phone"], "up", 2.0, 2.0),
            (["DE", "adult", "tv"], "heat", 8.0, 8.0),
            (["DE", "kid", "tv", "evening"], "up", 4.0, 4.0),
            (["DE", "kid", "phone", "night"], "up", 2.0, 2.0),
            (["DE", "adult", "tv", "evening"], "heat", 8.0, 8.0),
        ],
        CIRCLES,
    )

    same(circles(days, TODAY, half_life_days=7), expected)


def test_of_a_circle_the_titles_started_most_are_kept_and_all_count(
    spark: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TITLES_OF_A_CIRCLE", 1)
    days = rows(
        spark,
        TITLE_AUDIENCES,
        _started("up", 3, "DE", "kid", "tv", "evening"),
        _started("heat", 2, "DE", "kid", "tv", "evening"),
    )

    kept = circles(days, TODAY, half_life_days=7).collect()

    assert {(row.title_id, row.starts, row.total) for row in kept} == {("up", 3.0, 5.0)}


def test_a_list_is_that_of_the_narrowest_circle_leaning_on_those_around_it(
    spark: SparkSession,
) -> None:
    titles = spark.createDataFrame(
        [("heat", 0, [3.0]), ("new", 1, [0.0]), ("old", 2, [0.0]), ("up", 3, [1.0])],
        "title_id string, title_idx int, factors array<double>",
    )
    starts = spark.createDataFrame(
        [
            (["DE"], "up", 2.0, 4.0),
            (["DE"], "heat", 2.0, 4.0),
            (["DE", "kid"], "up", 2.0, 2.0),
            (["DE", "kid"], "gone from the catalogue", 0.0, 2.0),
        ],
        CIRCLES,
    )
    everyone = spark.createDataFrame(
        [
            ("ann", "FR", "adult", None, []),  # nobody starts anything there
            ("bob", "DE", "adult", "tv", []),
            ("kim", "DE", "kid", "tv", []),
            ("pat", "DE", "kid", "tv", [3]),
            ("new", None, None, None, None),
        ],
        "profile_id string, market string, kind string, device_kind string, seen array<int>",
    )
    # A prior of 4: everywhere heat has 3/4 and up 1/4; in DE a title has (2 + 4 · that) / (4 + 4), among its kids
    # (its starts there + 4 · that) / (2 + 4).
    expected = spark.createDataFrame(
        [
            ("ann", 1, "heat", 0.75),
            ("ann", 2, "up", 0.25),
            ("bob", 1, "heat", 0.625),
            ("bob", 2, "up", 0.375),
            ("kim", 1, "up", 3.5 / 6),
            ("kim", 2, "heat", 2.5 / 6),
            ("pat", 1, "heat", 2.5 / 6),
            ("pat", 2, "new", 0.0),  # of those that nobody started the first by id
            ("new", 1, "heat", 0.75),
            ("new", 2, "up", 0.25),
        ],
        "profile_id string, rank int, title_id string, score double",
    )

    same(PopularHere(titles, starts, prior=4.0).lists(everyone, 2), expected)


def test_without_any_starts_likes_decide(spark: SparkSession) -> None:
    titles = spark.createDataFrame(
        [("heat", 0, [1.5]), ("up", 1, [0.5])],
        "title_id string, title_idx int, factors array<double>",
    )
    ann = spark.createDataFrame(
        [("ann", "DE", "kid", "tv", [])],
        "profile_id string, market string, kind string, device_kind string, seen array<int>",
    )

    lists = PopularHere(titles, spark.createDataFrame([], CIRCLES), prior=4.0).lists(ann, 5)

    assert [(row.title_id, row.score) for row in lists.collect()] == [("heat", 0.75), ("up", 0.25)]


def test_likes_make_circles_as_far_as_it_is_told_where_profiles_are(spark: SparkSession) -> None:
    liked = spark.createDataFrame(
        [("ann", "up"), ("ann", "heat"), ("bob", "up"), ("eve", "up")],
        "profile_id string, title_id string",
    )
    people = spark.createDataFrame(
        [("ann", "DE", "adult", "x"), ("bob", "DE", "kid", "x"), ("eve", None, "kid", "x")],
        "profile_id string, market string, kind string, hobby string",
    )
    expected = spark.createDataFrame(
        [
            (["DE"], "up", 2.0, 3.0),
            (["DE"], "heat", 1.0, 3.0),
            (["DE", "adult"], "up", 1.0, 2.0),
            (["DE", "adult"], "heat", 1.0, 2.0),
            (["DE", "kid"], "up", 1.0, 1.0),
            (["unknown"], "up", 1.0, 1.0),
            (["unknown", "kid"], "up", 1.0, 1.0),
        ],
        CIRCLES,
    )

    same(circles_of_likes(liked, people), expected)
    assert circles_of_likes(liked, people.select("profile_id", "hobby")).isEmpty()
