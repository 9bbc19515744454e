"""What rises is what is started more than on the same weekdays before."""

from __future__ import annotations

import math
from datetime import date, timedelta

import numpy as np
import pytest
from pyspark.sql import SparkSession
from scipy.sparse import csr_array
from unit.tables.rows import rows

from cinelake.recommend.eligibility import InForce
from cinelake.recommend.home.known_titles import FLOOR, known_titles, trends_of
from cinelake.recommend.popular_here import CircledScoring
from cinelake.recommend.service import Service
from cinelake.tables.tastes import TITLE_AUDIENCES

UNTIL = date(2026, 3, 2)


def starts(
    title: str, ago: int, count: int, country: str = "DE", daypart: str = "evening"
) -> dict[str, object]:
    day = UNTIL - timedelta(days=ago)
    told = {"title_id": title, "play_date": day, "country": country, "starts": count}
    return told | {"daypart": daypart}


def test_trends_compare_the_last_days_with_those_weekdays_before(spark: SparkSession) -> None:
    told = rows(
        spark,
        TITLE_AUDIENCES,
        # 12 yesterday and 8 the day before, which count half; 10 and 14 on the same days of two weeks before.
        starts("up", 1, 12),
        starts("up", 2, 8),
        starts("up", 8, 10),
        starts("up", 16, 14),
        # Other weekdays, and what is too old, say nothing.
        starts("up", 6, 99),
        starts("up", 36, 99),
        # Never before.
        starts("new", 1, 15),
        # No more, and another country.
        starts("old", 9, 8),
        starts("up", 1, 1, "US"),
    )
    whole = trends_of(told, UNTIL).where("daypart IS NULL").collect()
    found = {(row.market, row.title_id): row.trend for row in whole}
    assert found == pytest.approx(
        {
            ("DE", "up"): math.log((12 + 4 + FLOOR) / ((10 + 7) / 2 + FLOOR)),
            ("DE", "new"): math.log((15 + FLOOR) / FLOOR),
            ("DE", "old"): math.log(FLOOR / (2 + FLOOR)),
            ("US", "up"): math.log((1 + FLOOR) / FLOOR),
        }
    )


def test_a_trend_of_a_part_of_the_day_is_drawn_to_that_of_the_whole(spark: SparkSession) -> None:
    told = rows(
        spark,
        TITLE_AUDIENCES,
        starts("up", 1, 80, daypart="morning"),
        starts("up", 8, 20, daypart="morning"),
        starts("up", 1, 40),
        starts("up", 8, 60),
        # Of other parts nothing is known but the day.
        starts("few", 1, 20),
    )
    found = {(row.title_id, row.daypart): row.trend for row in trends_of(told, UNTIL).collect()}
    whole = (120 + FLOOR) / (80 + FLOOR)
    assert found == pytest.approx(
        {
            ("up", None): math.log(whole),
            ("up", "morning"): math.log((80 + FLOOR * whole) / (20 + FLOOR)),
            ("up", "evening"): math.log((40 + FLOOR * whole) / (60 + FLOOR)),
            ("few", None): math.log((20 + FLOOR) / FLOOR),
            ("few", "evening"): math.log((20 + (20 + FLOOR)) / FLOOR),
        }
    )


def test_each_word_of_a_title_counts_once_and_a_blank_is_none(spark: SparkSession) -> None:
    told = [
        ("heat", ["Horror", "Sci-Fi", "Horror", " ", None], ["tense", None], [" "]),
        ("alien", None, None, None),
    ]
    texts = "title_id string, genres array<string>, moods array<string>, themes array<string>"
    said = spark.createDataFrame(
        [(*row, None, None) for row in told], f"{texts}, pace string, release_date date"
    )
    service = Service(UNTIL, None, said, InForce(market=False, age=False), (), said, said, 1.0)
    popular = CircledScoring([], csr_array((0, 2)), np.zeros(0), np.array([0.5, 0.5]), 1.0)
    trends = spark.createDataFrame(
        [("", "heat", None, 0.5), ("", "heat", "morning", 2.0), ("", "gone", None, 9.0)],
        "market string, title_id string, daypart string, trend double",
    )
    found = known_titles(["alien", "heat"], service, popular, trends)
    assert found.trend[""].tolist() == [0.0, 0.5]
    # Where nothing is known of a part of the day, it is as the whole.
    assert found.trend_at["", "morning"].tolist() == [0.0, 2.0]
    assert found.trend_at["", "evening"].tolist() == [0.0, 0.5]
    assert found.genres == ((), ("Horror", "Sci-Fi"))
    assert found.moods == ((), ("tense",))
    assert found.themes == ((), ())


def test_of_a_service_in_its_first_week_nothing_is_known(spark: SparkSession) -> None:
    yesterday = UNTIL - timedelta(days=1)
    only = {"title_id": "up", "play_date": yesterday, "country": "DE", "starts": 9}
    told = rows(spark, TITLE_AUDIENCES, only)
    assert trends_of(told, UNTIL).count() == 0
