"""Days of use, by few plays."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from pyspark.sql import SparkSession
from unit.tables.rows import rows, same

from cinelake.integrity.usage import usage_days
from cinelake.tables.behaviour import DEVICES, TITLES
from cinelake.tables.integrity import USAGE_DAYS
from cinelake.tables.viewing import VIEWING_SESSIONS

EVENING = datetime(2026, 3, 2, 20)


def play(title: str, **more: Any) -> dict[str, Any]:
    told = {"account_id": "a", "title_id": title, "started_at": EVENING, "first_frame_at": EVENING}
    return told | {"session_date": EVENING.date(), "ended_at": EVENING} | more


def test_titles_are_counted_by_the_genres_they_had_then(spark: SparkSession) -> None:
    plays = rows(
        spark,
        VIEWING_SESSIONS,
        play("series", play_id="1", episode_id="first"),
        play("series", play_id="2", episode_id="second"),
        play("film", play_id="3"),
        play("unknown to the catalogue", play_id="4"),
        # It never came to a picture.
        play("other", play_id="5", first_frame_at=None),
        play("without genres", play_id="6", device_id="another"),
    )
    titles = rows(
        spark,
        TITLES,
        *(
            {"title_id": title, "genres": genres, "effective_from": datetime(2026, month, 1)}
            for title, genres, month in (
                ("series", ["Drama", "Crime"], 1),
                ("film", ["Comedy"], 1),
                ("film", ["Drama", "Drama"], 2),
                ("film", ["Horror"], 4),
                ("other", ["War"], 1),
                ("without genres", [" ", None], 1),
            )
        ),
    )
    found = usage_days(plays, rows(spark, DEVICES), titles)
    expected = spark.createDataFrame(
        [("another", 1, 1, []), ("x", 4, 4, [("Crime", 1), ("Drama", 2)])],
        "device_id string, plays bigint, titles bigint, genres array<struct<genre string, titles bigint>>",
    )
    same(found, expected)
    assert set(found.columns) == set(USAGE_DAYS.names)


def test_a_day_knows_of_a_device_what_was_registered_by_then(spark: SparkSession) -> None:
    plays = rows(
        spark,
        VIEWING_SESSIONS,
        *(
            play("film", play_id=str(day), device_id="tv", session_date=date(2026, 3, day))
            for day in (2, 9, 10, 20, 25)
        ),
        play("film", play_id="other", device_id="nobody's"),
    )
    devices = rows(
        spark,
        DEVICES,
        *(
            {"account_id": "a", "device_id": "tv", "first_seen_at": first_seen}
            | {"effective_from": datetime(2026, 3, day), "effective_date": date(2026, 3, day)}
            for day, first_seen in (
                (5, None),
                (10, datetime(2026, 3, 10, 18)),
                (20, datetime(2025, 1, 1, 18)),
                (25, datetime(2026, 3, 10, 18)),
            )
        ),
    )
    expected = spark.createDataFrame(
        [
            ("nobody's", 2, None),
            ("tv", 2, None),
            ("tv", 9, None),
            ("tv", 10, date(2026, 3, 10)),
            ("tv", 20, date(2025, 1, 1)),
            ("tv", 25, date(2025, 1, 1)),
        ],
        "device_id string, day int, device_since date",
    )
    found = usage_days(plays, devices, rows(spark, TITLES))
    same(found.selectExpr("device_id", "day(use_date) AS day", "device_since"), expected)
