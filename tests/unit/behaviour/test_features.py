"""Days of features add up what silver holds of each day, and days of sums add up to any period."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from unit.tables.rows import DAY, NOON, rows, same

from cinelake.behaviour.features import profile_days, title_days, title_signals, watch_hours
from cinelake.tables.behaviour import RATINGS
from cinelake.tables.browsing import BROWSE_SESSIONS, INTERACTIONS, SEARCHES
from cinelake.tables.features import PROFILE_DAYS, TITLE_DAYS, TITLE_SIGNALS, WATCH_HOURS
from cinelake.tables.viewing import VIEWING_SESSIONS


def play(seconds: int, **more: Any) -> dict[str, Any]:
    started = {"profile_id": "p1", "title_id": "t1", "first_frame_at": NOON}
    return started | {"seconds_watched": Decimal(seconds)} | more


@pytest.fixture(scope="module")
def sessions(spark: SparkSession) -> DataFrame:
    """Four plays of a day and one of the next."""
    return rows(
        spark,
        VIEWING_SESSIONS,
        play(60, completion=0.3, went_back_to_s=[59.9, 60.0, 61.0], device_kind="tv"),
        play(40, completion=1.0, is_finished=True, device_kind="tv", seconds_rewatched=Decimal(5)),
        # An episode, of unknown length and by a device that nobody knows.
        play(7, title_id="s1", episode_id="s1-e2", binge_position=1, profile_id="p2"),
        # Never came to a picture.
        play(0, first_frame_at=None, close_reason="error"),
        play(9, session_date=DAY + timedelta(days=1), completion=0.05, device_kind="tv"),
    )


@pytest.fixture(scope="module")
def acts(spark: SparkSession) -> DataFrame:
    """Acts on a title that was played, on one that was not, and a tile that was only shown."""
    return rows(
        spark,
        INTERACTIONS,
        {"profile_id": "p1", "title_id": "t1", "action": "thumbs_up"},
        {"profile_id": "p1", "title_id": "t2", "action": "hover"},
        {"profile_id": "p1", "title_id": "t2", "action": "hover"},
        {"profile_id": "p1", "title_id": "t3", "action": "impression"},
    )


@pytest.fixture(scope="module")
def ratings(spark: SparkSession) -> DataFrame:
    """A title rated twice: the later word counts, though it came first."""
    late = NOON + timedelta(hours=1)
    return rows(
        spark,
        RATINGS,
        {"profile_id": "p1", "title_id": "t1", "rating": 4.5, "rated_at": late, "rating_date": DAY},
        {"profile_id": "p1", "title_id": "t1", "rating": 5.0, "rated_at": NOON, "rating_date": DAY},
    )


def test_a_day_of_signals_holds_plays_acts_and_the_last_rating(
    spark: SparkSession, sessions: DataFrame, acts: DataFrame, ratings: DataFrame
) -> None:
    one = {"profile_id": "p1", "signal_date": DAY}
    late = NOON + timedelta(hours=1)
    expected = rows(
        spark,
        TITLE_SIGNALS,
        one | {"title_id": "t1", "plays": 2, "seconds_watched": Decimal(100), "finished": 1,
               "seconds_rewatched": Decimal(5), "completion": 1.0, "thumbs_up": 1, "rating": 4.5,
               "rated_at": late},
        one | {"title_id": "t1", "signal_date": DAY + timedelta(days=1), "plays": 1,
               "seconds_watched": Decimal(9), "completion": 0.05},
        one | {"title_id": "t2", "hovers": 2},
        one | {"profile_id": "p2", "title_id": "s1", "plays": 1, "seconds_watched": Decimal(7)},
    )  # fmt: skip
    same(title_signals(sessions, acts, ratings), expected)


def test_a_day_of_a_title_holds_its_completion_curve_and_where_viewers_went_back(
    spark: SparkSession, sessions: DataFrame
) -> None:
    film = {"watched_id": "t1", "title_id": "t1", "viewers": 1}
    expected = rows(
        spark,
        TITLE_DAYS,
        film | {"play_date": DAY, "attempts": 3, "starts": 2, "seconds_watched": Decimal(100),
                "seconds_rewatched": Decimal(5), "finished": 1, "measured": 2,
                "reached": [2, 2, 2, 1, 1, 1, 1, 1, 1, 1],
                "went_back_to": [(0, 1), (1, 2)]},
        film | {"play_date": DAY + timedelta(days=1), "attempts": 1, "starts": 1, "finished": 0,
                "seconds_watched": Decimal(9), "measured": 1, "reached": [0] * 10},
        {"watched_id": "s1-e2", "title_id": "s1", "viewers": 1, "play_date": DAY, "attempts": 1,
         "starts": 1, "finished": 0, "seconds_watched": Decimal(7), "measured": 0,
         "reached": [0] * 10},
    )  # fmt: skip
    found = title_days(sessions)
    same(found.drop("viewers_sketch"), expected.drop("viewers_sketch"))
    sketches = {
        row.play_date: row.viewers_sketch for row in found.where("title_id = 't1'").collect()
    }
    # The same viewer on both days, and only one.
    assert sketches[DAY] == sketches[DAY + timedelta(days=1)]
    assert len(sketches[DAY]) == 1


def test_hours_are_those_of_the_viewer_and_what_is_not_known_is_said(
    spark: SparkSession, sessions: DataFrame
) -> None:
    week = {"local_weekday": 0, "local_hour": 0, "binged": 0}
    expected = rows(
        spark,
        WATCH_HOURS,
        week | {"profile_id": "p1", "play_date": DAY, "device_kind": "tv", "starts": 2,
                "seconds_watched": Decimal(100)},
        week | {"profile_id": "p1", "play_date": DAY + timedelta(days=1), "device_kind": "tv",
                "starts": 1, "seconds_watched": Decimal(9)},
        week | {"profile_id": "p2", "play_date": DAY, "device_kind": "unknown", "starts": 1,
                "seconds_watched": Decimal(7), "binged": 1},
    )  # fmt: skip
    same(watch_hours(sessions), expected)


def test_a_day_of_a_profile_holds_what_it_watched_browsed_and_searched(
    spark: SparkSession, sessions: DataFrame
) -> None:
    browsing = rows(
        spark,
        BROWSE_SESSIONS,
        {"profile_id": "p1", "outcome": "exit", "seconds_browsing": Decimal(30)},
        {"profile_id": "p1", "outcome": "play", "seconds_browsing": Decimal(12)},
        {"profile_id": "p3", "outcome": "exit", "seconds_browsing": Decimal(1)},
    )
    found_nothing = {"is_zero_results": True, "refinements": 2, "keystrokes": 9}
    sought = rows(
        spark,
        SEARCHES,
        {"profile_id": "p1", **found_nothing},
        {"profile_id": "p1", "keystrokes": 3, "clicked_title_id": "t1", "is_played": True},
        {"profile_id": "p1", "keystrokes": 3, "clicked_title_id": "t1"},
    )
    expected = rows(
        spark,
        PROFILE_DAYS,
        {"profile_id": "p1", "profile_date": DAY, "starts": 2, "seconds_watched": Decimal(100),
         "finished": 1, "browse_sessions": 2, "seconds_browsing": Decimal(42), "exits": 1,
         "searches": 3, "zero_result_searches": 1, "clicked_searches": 2, "played_searches": 1,
         "refinements": 2, "keystrokes": 15},
        {"profile_id": "p1", "profile_date": DAY + timedelta(days=1), "starts": 1,
         "seconds_watched": Decimal(9)},
        {"profile_id": "p2", "profile_date": DAY, "starts": 1, "seconds_watched": Decimal(7),
         "binged": 1},
        {"profile_id": "p3", "profile_date": DAY, "browse_sessions": 1,
         "seconds_browsing": Decimal(1), "exits": 1},
    )  # fmt: skip
    same(profile_days(sessions, browsing, sought), expected)
