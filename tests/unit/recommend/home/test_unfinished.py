"""What is over is not gone on with; of a series the next episode follows, where there is one."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from unit.tables.rows import DAY, NOON, rows, same

from cinelake.recommend.home.unfinished import (
    episodes_in_order,
    on_day,
    stopping_points,
    unfinished,
)
from cinelake.tables.behaviour import TITLES
from cinelake.tables.home import STOPPING_POINTS
from cinelake.tables.viewing import VIEWING_SESSIONS

LATER = DAY + timedelta(days=9)


def test_where_a_profile_stopped_is_told_by_its_last_play_in_the_circumstances(
    spark: SparkSession,
) -> None:
    def play(play_id: str, minutes: int, **more: Any) -> dict[str, Any]:
        at = NOON + timedelta(minutes=minutes)
        told = {
            "play_id": play_id, "profile_id": "p1", "title_id": "heat", "kind": "film", "started_at": at,
            "ended_at": at + timedelta(minutes=5), "first_frame_at": at, "local_hour": 20, "device_kind": "tv",
        }  # fmt: skip
        return told | more

    sessions = rows(
        spark,
        VIEWING_SESSIONS,
        play("1", 0, completion=0.9, end_position_s=540.0),
        play("2", 30, completion=0.2, end_position_s=120.0),
        # Never came to a picture.
        play("3", 60, first_frame_at=None, completion=0.0),
        play("4", 90, device_kind="phone", is_finished=True, completion=1.0, end_position_s=600.0),
    )
    common = {"profile_id": "p1", "title_id": "heat", "play_date": DAY, "daypart": "evening"}
    expected = rows(
        spark,
        STOPPING_POINTS,
        common
        | {
            "device_class": "tv", "plays": 2, "completion": 0.2, "position_s": 120.0,
            "stopped_at": NOON + timedelta(minutes=35),
        },
        common
        | {
            "device_class": "phone", "plays": 1, "completion": 1.0, "position_s": 600.0, "is_finished": True,
            "stopped_at": NOON + timedelta(minutes=95),
        },
    )  # fmt: skip
    same(stopping_points(sessions), expected)


@pytest.fixture
def episodes(spark: SparkSession) -> DataFrame:
    def episode(title: str, season: int, number: int, **more: Any) -> dict[str, Any]:
        told = {
            "title_id": title,
            "kind": "episode",
            "series_id": "s",
            "season": season,
            "episode": number,
        }
        return told | {"effective_from": datetime(2020, 1, 1)} | more  # fmt: skip

    titles = rows(
        spark,
        TITLES,
        episode("s1e2", 1, 2),
        episode("s2e1", 2, 1),
        episode("s1e1", 1, 1),
        # Corrected since.
        episode("s2e2", 1, 9),
        episode("s2e2", 2, 2, effective_from=datetime(2020, 2, 1)),
        episode("s", 0, 0, kind="series", series_id=None),
    )
    return episodes_in_order(titles)


def test_episodes_follow_one_another_over_seasons(spark: SparkSession, episodes: DataFrame) -> None:
    expected = spark.createDataFrame(
        [
            ("s", "s1e1", "s1e2", 0.25),
            ("s", "s1e2", "s2e1", 0.5),
            ("s", "s2e1", "s2e2", 0.75),
            ("s", "s2e2", None, 1.0),
        ],
        "title_id string, episode_id string, next_episode_id string, progress double",
    )
    same(episodes, expected)


def test_what_is_unfinished_when_a_day_begins(spark: SparkSession, episodes: DataFrame) -> None:
    def point(title: str, day: date, **more: Any) -> dict[str, Any]:
        at = datetime(day.year, day.month, day.day, 20)
        told = {
            "profile_id": "p1",
            "title_id": title,
            "play_date": day,
            "stopped_at": at,
            "plays": 1,
        }
        told |= {"device_class": "tv", "daypart": "evening"}
        return told | more  # fmt: skip

    before = LATER - timedelta(days=1)
    points = rows(
        spark,
        STOPPING_POINTS,
        # A film that was stopped twice: the newer stop counts.
        point("heat", DAY, completion=0.9, position_s=900.0),
        point("heat", before, completion=0.3, position_s=300.0, plays=2, device_class="phone"),
        # An episode that is over is followed by the next, though the next was played long before.
        point("s", before, episode_id="s1e2", is_finished=True, completion=1.0, position_s=9.0),
        point("s", DAY, episode_id="s2e1", completion=0.5),
        # Over: a film, and a last episode. Given up: played too long ago. Of the day itself nothing is known yet.
        point("up", before, is_finished=True, completion=1.0),
        point("s", before, profile_id="p2", episode_id="s2e2", is_finished=True),
        point("jaws", DAY - timedelta(days=1), completion=0.5),
        point("alien", LATER, completion=0.5),
        # A film of which nothing but the play is known.
        point("rope", DAY, profile_id="p3"),
    )
    found = unfinished(points, episodes, on_day(points, LATER), keep_days=9)
    expected = spark.createDataFrame(
        [
            ("p1", LATER, "heat", None, 300.0, False, 1, 0.3, 0.0, 2, 3, "phone", "evening"),
            ("p1", LATER, "s", "s2e1", 0.0, True, 1, 0.0, 0.5, 2, 2, "tv", "evening"),
            ("p3", LATER, "rope", None, 0.0, False, 9, 0.0, 0.0, 1, 1, "tv", "evening"),
        ],
        "profile_id string, day date, title_id string, episode_id string, position_s double, is_next boolean, "
        "days_since int, completion double, progress double, days_played bigint, plays bigint, device_class string, "
        "daypart string",
    )
    same(found, expected)
