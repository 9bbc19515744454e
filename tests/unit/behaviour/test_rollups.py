"""Sums of days come to what a day is asked for: faded by age, as shares, and never with the day itself."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from pyspark.sql import DataFrame, Row, SparkSession
from unit.tables.rows import DAY, rows

from cinelake.behaviour.rollups import (
    completion_curves,
    habits,
    hour_shares,
    novelty_appetite,
    taste_shares,
    trends,
)
from cinelake.tables.features import PROFILE_DAYS, TITLE_DAYS, TITLE_SIGNALS, WATCH_HOURS
from cinelake.tables.tastes import TASTE_DAYS


def day(before: int) -> date:
    return DAY - timedelta(days=before)


def found(frame: DataFrame, *order: str) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in frame.orderBy(*order).collect()]


def test_shares_of_tastes_fade_by_the_half_life_and_leave_the_day_itself_out(
    spark: SparkSession,
) -> None:
    one = {"profile_id": "p1", "facet": "genre", "starts": 1}
    told = rows(
        spark,
        TASTE_DAYS,
        one | {"play_date": day(1), "value": "Drama", "seconds_watched": Decimal(50)},
        one | {"play_date": day(8), "value": "Comedy", "seconds_watched": Decimal(300)},
        one | {"play_date": day(0), "value": "War", "seconds_watched": Decimal(999)},
        one | {"play_date": day(1), "facet": "mood", "value": "dark", "seconds_watched": Decimal(0)},
    )  # fmt: skip
    assert found(taste_shares(told, DAY, 7.0), "value") == [
        ("p1", "genre", "Comedy", 0.75),
        ("p1", "genre", "Drama", 0.25),
    ]
    assert [row[3] for row in found(taste_shares(told, DAY, None), "value")] == [
        300 / 350,
        50 / 350,
    ]


def test_hours_of_a_profile_are_shares_of_its_starts(spark: SparkSession) -> None:
    one = {"profile_id": "p1", "play_date": day(1), "local_weekday": 5}
    told = rows(
        spark,
        WATCH_HOURS,
        one | {"device_kind": "tv", "local_hour": 20, "starts": 3},
        one | {"device_kind": "phone", "local_hour": 8, "starts": 1},
    )
    assert found(hour_shares(told, DAY, 30.0), "local_hour") == [
        ("p1", "phone", 5, 8, 0.25),
        ("p1", "tv", 5, 20, 0.75),
    ]


def test_habits_are_rates_and_a_rate_of_nothing_is_null(spark: SparkSession) -> None:
    told = rows(
        spark,
        PROFILE_DAYS,
        {"profile_id": "p1", "profile_date": day(1), "starts": 4, "finished": 1, "binged": 2,
         "browse_sessions": 2, "seconds_browsing": Decimal(60), "exits": 1},
        {"profile_id": "p2", "profile_date": day(1), "searches": 4, "zero_result_searches": 1,
         "played_searches": 2},
    )  # fmt: skip
    rate = Row("profile_id", "finish_rate", "binge_rate", "exit_rate", "searches_per_browse",
               "browse_s_per_start", "zero_result_rate", "search_play_rate")  # fmt: skip
    assert habits(told, DAY, 14.0).orderBy("profile_id").collect() == [
        rate("p1", 0.25, 0.5, 0.5, 0.0, 15.0, None, None),
        rate("p2", None, None, None, None, None, 0.25, 0.5),
    ]


def test_an_appetite_for_novelty_is_the_share_of_first_days(spark: SparkSession) -> None:
    one = {"profile_id": "p1", "title_id": "t1", "plays": 1}
    told = rows(
        spark,
        TITLE_SIGNALS,
        one | {"signal_date": day(3)},
        one | {"signal_date": day(2)},
        one | {"signal_date": day(1)},
        one | {"signal_date": day(1), "title_id": "t2"},
        # Looked at, not played; and on the day itself.
        {"profile_id": "p1", "title_id": "t3", "signal_date": day(1), "hovers": 1},
        one | {"signal_date": day(0), "title_id": "t4"},
    )
    assert found(novelty_appetite(told, DAY), "profile_id") == [("p1", 2, 0.5)]


def test_a_trend_sets_lately_against_before(spark: SparkSession) -> None:
    told = rows(
        spark,
        TITLE_DAYS,
        {"title_id": "t1", "play_date": day(7), "starts": 14},
        {"title_id": "t1", "play_date": day(8), "starts": 28},
        {"title_id": "t2", "play_date": day(1), "starts": 7},
        # Too old, and on the day itself.
        {"title_id": "t1", "play_date": day(36), "starts": 1000},
        {"title_id": "t1", "play_date": day(0), "starts": 1000},
    )
    assert found(trends(told, DAY, 7, 28, floor=1.0), "title_id") == [
        ("t1", 14, 28, (2 + 1) / (1 + 1)),
        ("t2", 7, 0, (1 + 1) / (0 + 1)),
    ]


def test_a_completion_curve_tells_where_most_are_lost(spark: SparkSession) -> None:
    told = rows(
        spark,
        TITLE_DAYS,
        {"watched_id": "t1", "play_date": day(2), "measured": 6, "reached": [6, 6, 2, 2, 2, 2, 2, 2, 2, 1]},
        {"watched_id": "t1", "play_date": day(1), "measured": 4, "reached": [4, 4, 3, 3, 3, 3, 3, 3, 3, 3]},
        {"watched_id": "t2", "play_date": day(1), "measured": 0, "reached": [0] * 10},
    )  # fmt: skip
    assert found(completion_curves(told, ["watched_id"]), "watched_id") == [
        ("t1", 10, [1.0, 1.0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.4], 3),
        ("t2", 0, [None] * 10, None),
    ]
