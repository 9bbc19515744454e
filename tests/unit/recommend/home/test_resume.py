"""Who goes on with what is learned from visits, and judged by where the title stood in its row."""

from __future__ import annotations

import math
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from unit.tables.rows import rows, same

from cinelake.recommend.home.judging import calibration_error
from cinelake.recommend.home.logit import Logit
from cinelake.recommend.home.resume import (
    BY_RECENCY,
    FEATURES,
    ResumeRecipe,
    examples,
    learned,
    not_given_up,
    reciprocal_ranks,
    reliability,
    visits,
)
from cinelake.tables.home import SHOWN_TILES, STOPPING_POINTS

DAY = date(2026, 2, 10)
NO_EPISODES = "title_id string, episode_id string, next_episode_id string, progress double"


def point(title: str, ago: int, **more: Any) -> dict[str, Any]:
    day = DAY - timedelta(days=ago)
    told = {
        "profile_id": "p", "title_id": title, "play_date": day, "plays": 1, "completion": 0.5,
        "stopped_at": datetime(day.year, day.month, day.day, 20), "device_class": "tv", "daypart": "evening",
    }  # fmt: skip
    return told | more


def test_visits_are_page_views_and_plays(spark: SparkSession) -> None:
    tile = {"profile_id": "p", "shown_date": DAY, "device_class": "phone", "daypart": "morning"}
    tiles = rows(spark, SHOWN_TILES, tile, tile | {"rank": 1})
    points = rows(spark, STOPPING_POINTS, point("heat", 0), point("up", 0))
    expected = spark.createDataFrame(
        [("p", DAY, "phone", "morning"), ("p", DAY, "tv", "evening")],
        "profile_id string, day date, device_class string, daypart string",
    )
    same(visits(tiles, points), expected)


def test_an_example_is_an_unfinished_title_at_a_visit(spark: SparkSession) -> None:
    points = rows(
        spark,
        STOPPING_POINTS,
        point("heat", 4, plays=3, device_class="phone"),
        point("heat", 1, completion=0.02),
        point("up", 3),
        # Gone on with in the evening.
        point("heat", 0),
    )
    told = spark.createDataFrame(
        [("p", DAY, "tv", "evening"), ("p", DAY, "phone", "morning")],
        "profile_id string, day date, device_class string, daypart string",
    )
    found = examples(told, points, spark.createDataFrame([], NO_EPISODES), ResumeRecipe())
    heat = {
        "recency": 0.0, "yesterday": 1.0, "place": 0.0, "others": math.log(2), "completion": 0.02, "tasted": 1.0,
        "is_next": 0.0, "is_series": 0.0, "progress": 0.0, "days_played": math.log(2),
        "plays_a_day": math.log(2), "same_device": 1.0, "same_daypart": 1.0, "on_tv": 1.0, "on_phone": 0.0,
        "series_on_phone": 0.0, "at_night": 0.0, "in_the_morning": 0.0, "in_the_afternoon": 0.0,
    }  # fmt: skip
    up = heat | {
        "recency": math.log(3), "yesterday": 0.0, "place": math.log(2), "completion": 0.5, "tasted": 0.0,
        "days_played": 0.0, "plays_a_day": 0.0,
    }  # fmt: skip
    rows_of = {
        (r.device_class, r.title_id): (r.resumed, [r[f] for f in FEATURES]) for r in found.collect()
    }
    apart = {
        "same_device": 0.0,
        "same_daypart": 0.0,
        "on_tv": 0.0,
        "on_phone": 1.0,
        "in_the_morning": 1.0,
    }
    expected = {
        ("tv", "heat"): (True, heat),
        ("tv", "up"): (False, up),
        ("phone", "heat"): (False, heat | apart),
        ("phone", "up"): (False, up | apart),
    }
    assert rows_of.keys() == expected.keys()
    for key, (resumed, features) in expected.items():
        assert rows_of[key][0] is resumed
        assert rows_of[key][1] == pytest.approx([features[name] for name in FEATURES])


def test_what_is_gone_on_with_too_seldom_is_given_up(spark: SparkSession) -> None:
    told = spark.createDataFrame([("kept", -4.5), ("given up", -4.7)], "title string, odds double")
    recipe = ResumeRecipe(least_chance=0.01)
    kept = told.where(not_given_up(F.col("odds"), recipe)).collect()
    assert [row.title for row in kept] == ["kept"]
    assert told.where(not_given_up(F.col("odds"), ResumeRecipe(least_chance=0.0))).count() == 2


COLUMNS = "profile_id string, day date, device_class string, daypart string, title_id string, resumed boolean, "
COLUMNS += ", ".join(f"{name} double" for name in FEATURES)


def drawn(spark: SparkSession, count: int) -> DataFrame:
    """Three titles a visit, of which what was seen furthest is gone on with, however old."""
    dice = np.random.default_rng(4)
    told = []
    for n in range(count):
        for place, title in enumerate("abc"):
            age, share = math.log(place + 1), dice.random()
            values = dict.fromkeys(FEATURES, 0.0)
            values |= {"completion": share, "place": age, "recency": age}
            came = bool(dice.random() < 1 / (1 + math.exp(3 - 6 * share)))
            visit = (f"p{n % 9}", DAY + timedelta(n // 9), "tv", "evening")
            told.append((*visit, title, came, *(values[name] for name in FEATURES)))
    return spark.createDataFrame(told, COLUMNS)


@pytest.mark.thorough
def test_what_is_learned_ranks_better_than_recency_and_is_calibrated(spark: SparkSession) -> None:
    before, after = drawn(spark, 600), drawn(spark, 300)
    logit = learned(before, ResumeRecipe())
    assert logit.weights["completion"] == pytest.approx(6, abs=1)
    ranks = (
        reciprocal_ranks(after, logit).groupBy("model").agg(F.avg("reciprocal_rank").alias("mrr"))
    )
    found = {row.model: row.mrr for row in ranks.collect()}
    assert found["resume"] > found["recency"] + 0.1
    bins = [row.asDict() for row in reliability(after, logit).collect()]
    assert sum(row["examples"] for row in bins) == after.count()
    assert calibration_error(bins) < 0.05
    assert (
        calibration_error([row.asDict() for row in reliability(after, BY_RECENCY).collect()]) > 0.1
    )


def test_the_reciprocal_rank_is_that_of_the_first_title_gone_on_with(spark: SparkSession) -> None:
    def row(
        profile: str, title: str, place: int, completion: float, resumed: bool
    ) -> tuple[Any, ...]:
        values = dict.fromkeys(FEATURES, 0.0) | {"place": math.log(place), "completion": completion}
        return (profile, DAY, "tv", "evening", title, resumed, *(values[name] for name in FEATURES))

    told = spark.createDataFrame(
        [
            row("p", "a", 1, 0.1, False),
            row("p", "b", 2, 0.2, True),
            row("p", "c", 3, 0.9, True),
            # Nothing was gone on with: no part of the mean.
            row("q", "a", 1, 0.1, False),
        ],
        COLUMNS,
    )
    logit = Logit(0.0, dict.fromkeys(FEATURES, 0.0) | {"completion": 1.0})
    expected = spark.createDataFrame(
        [(0, "p", "resume", 1.0), (0, "p", "recency", 0.5)],
        "fold int, profile_id string, model string, reciprocal_rank double",
    )
    same(reciprocal_ranks(told, logit), expected)
