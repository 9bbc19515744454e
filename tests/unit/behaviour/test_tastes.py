"""What is watched is told by what the catalogue said of it that day, and a title counts whole in each of its values."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from unit.tables.rows import DAY, NOON, rows, same

from cinelake.behaviour.tastes import genre_hours, taste_days, title_audiences
from cinelake.tables.behaviour import PROFILES, TITLES
from cinelake.tables.tastes import GENRE_HOURS, TASTE_DAYS, TITLE_AUDIENCES
from cinelake.tables.viewing import VIEWING_SESSIONS

NEXT = DAY + timedelta(days=1)


def play(seconds: int, **more: Any) -> dict[str, Any]:
    started = {
        "profile_id": "p1", "title_id": "t1", "kind": "film", "first_frame_at": NOON,
        "local_weekday": 5, "local_hour": 20,
    }  # fmt: skip
    return started | {"seconds_watched": Decimal(seconds)} | more


@pytest.fixture(scope="module")
def sessions(spark: SparkSession) -> DataFrame:
    return rows(
        spark,
        VIEWING_SESSIONS,
        play(60, device_kind="tv", country="DE", is_finished=True),
        play(40, device_kind="tv", country="DE"),
        play(9, session_date=NEXT, device_kind="phone", country="FR"),
        # Of a title that nobody knows, by a profile that nobody knows, from nowhere.
        play(5, profile_id="p9", title_id="t9", kind="episode", episode_id="e9", local_hour=5),
        # Never came to a picture.
        play(0, first_frame_at=None),
    )


@pytest.fixture(scope="module")
def titles(spark: SparkSession) -> DataFrame:
    """A thriller that is also a drama, of which the catalogue later thinks otherwise."""
    before = {"title_id": "t1", "effective_from": datetime(2020, 4, 1)}
    return rows(
        spark,
        TITLES,
        before | {"genres": ["Thriller", "Drama", "Drama"], "moods": ["dark", " "], "language": "de"},
        before | {"effective_from": datetime(2020, 5, 2, 8), "genres": ["Comedy"], "themes": ["war"]},
    )  # fmt: skip


def test_a_title_counts_whole_in_each_of_its_values_as_of_the_day(
    spark: SparkSession, sessions: DataFrame, titles: DataFrame
) -> None:
    first = {
        "profile_id": "p1",
        "play_date": DAY,
        "starts": 2,
        "seconds_watched": Decimal(100),
        "finished": 1,
    }
    second = {"profile_id": "p1", "play_date": NEXT, "starts": 1, "seconds_watched": Decimal(9)}
    expected = rows(
        spark,
        TASTE_DAYS,
        first | {"facet": "genre", "value": "Thriller"},
        first | {"facet": "genre", "value": "Drama"},
        first | {"facet": "mood", "value": "dark"},
        first | {"facet": "language", "value": "de"},
        second | {"facet": "genre", "value": "Comedy"},
        second | {"facet": "theme", "value": "war"},
    )  # fmt: skip
    same(taste_days(sessions, titles), expected)


def test_genres_have_hours_and_devices_and_what_is_not_known_is_said(
    spark: SparkSession, sessions: DataFrame, titles: DataFrame
) -> None:
    week = {"kind": "film", "local_weekday": 5, "local_hour": 20}
    first = week | {
        "play_date": DAY,
        "device_kind": "tv",
        "starts": 2,
        "seconds_watched": Decimal(100),
    }
    expected = rows(
        spark,
        GENRE_HOURS,
        first | {"genre": "Thriller"},
        first | {"genre": "Drama"},
        week | {"play_date": NEXT, "genre": "Comedy", "device_kind": "phone", "starts": 1,
                "seconds_watched": Decimal(9)},
        week | {"play_date": DAY, "genre": "unknown", "kind": "episode", "device_kind": "unknown",
                "local_hour": 5, "starts": 1, "seconds_watched": Decimal(5)},
    )  # fmt: skip
    same(genre_hours(sessions, titles), expected)


def test_an_audience_is_told_by_kind_of_profile_country_and_device(
    spark: SparkSession, sessions: DataFrame
) -> None:
    made = {"profile_id": "p1", "account_id": "a1", "status": "active"}
    profiles = rows(
        spark,
        PROFILES,
        made | {"kind": "kid", "effective_from": datetime(2020, 4, 1)},
        made | {"kind": "adult", "effective_from": datetime(2020, 5, 2)},
    )
    expected = rows(
        spark,
        TITLE_AUDIENCES,
        {"title_id": "t1", "play_date": DAY, "country": "DE", "profile_kind": "kid",
         "device_kind": "tv", "daypart": "evening", "starts": 2, "seconds_watched": Decimal(100)},
        {"title_id": "t1", "play_date": NEXT, "country": "FR", "profile_kind": "adult",
         "device_kind": "phone", "daypart": "evening", "starts": 1, "seconds_watched": Decimal(9)},
        {"title_id": "t9", "play_date": DAY, "country": "unknown", "profile_kind": "unknown",
         "device_kind": "unknown", "daypart": "night", "starts": 1, "seconds_watched": Decimal(5)},
    )  # fmt: skip
    same(title_audiences(sessions, profiles), expected)
