"""What a profile did with a title says whether it wants it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

from chispa import assert_df_equality
from pyspark.sql import DataFrame, SparkSession
from unit.tables.rows import rows

from cinelake.recommend.strengths import Weights, strengths
from cinelake.tables.features import TITLE_SIGNALS

MONDAY = date(2026, 3, 2)
TUESDAY, WEDNESDAY = MONDAY + timedelta(days=1), MONDAY + timedelta(days=2)
MORNING, EVENING = (datetime(2026, 3, 2, hour, tzinfo=UTC) for hour in (8, 20))


def signals(spark: SparkSession, *told: dict[str, Any]) -> DataFrame:
    return rows(
        spark, TITLE_SIGNALS, *({"profile_id": "ann", "signal_date": MONDAY} | t for t in told)
    )


def wanted(found: DataFrame) -> dict[str, tuple[float, bool]]:
    return {row.title_id: (row.strength, row.is_seen) for row in found.collect()}


def test_the_last_rating_of_a_title_counts_and_the_threshold_itself_is_a_like(
    spark: SparkSession,
) -> None:
    told = signals(
        spark,
        {"title_id": "heat", "rating": 5.0, "rated_at": MORNING},
        {"title_id": "heat", "rating": 2.0, "rated_at": EVENING, "signal_date": TUESDAY},
        {"title_id": "alien", "rating": 4.0, "rated_at": MORNING},
        {"title_id": "jaws", "rating": 3.5, "rated_at": MORNING},
    )
    expected = spark.createDataFrame(
        [
            ("ann", "heat", 0.0, True, MONDAY),
            ("ann", "alien", 1.0, True, MONDAY),
            ("ann", "jaws", 0.0, True, MONDAY),
        ],
        "profile_id string, title_id string, strength float, is_seen boolean, met_on date",
    )

    assert_df_equality(
        strengths(told, Weights(), WEDNESDAY),
        expected,
        ignore_row_order=True,
        ignore_nullable=True,
        ignore_metadata=True,
    )


def test_what_was_watched_counts_by_how_far_and_days_add_up(spark: SparkSession) -> None:
    told = signals(
        spark,
        {"title_id": "whole", "plays": 1, "completion": 1.0},
        {"title_id": "a third", "plays": 1, "completion": 0.3},
        {"title_id": "a third a day", "plays": 1, "completion": 0.3},
        {"title_id": "a third a day", "plays": 1, "completion": 0.3, "signal_date": TUESDAY},
        # Its length is not known.
        {"title_id": "to its end", "plays": 1, "finished": 1},
        {"title_id": "broken off, then judged", "plays": 1, "completion": 0.05, "thumbs_up": 1},
    )

    assert wanted(strengths(told, Weights(), WEDNESDAY)) == {
        "whole": (1.0, True),
        "a third": (0.0, True),
        "a third a day": (1.0, True),
        "to its end": (1.0, True),
        "broken off, then judged": (1.0, True),
    }


def test_a_title_is_seen_when_it_was_played_or_judged_and_not_when_it_was_looked_at(
    spark: SparkSession,
) -> None:
    told = signals(
        spark,
        {"title_id": "kept for later", "added_to_list": 1},
        {"title_id": "hovered over, then played", "hovers": 1},
        {"title_id": "hovered over, then played", "plays": 1, "signal_date": TUESDAY},
        {"title_id": "kept and dropped", "added_to_list": 1, "removed_from_list": 1},
        {"title_id": "hovered over", "hovers": 3},
        {"title_id": "no more of it", "not_interested": 1},
        {"title_id": "watched, thumbs down", "plays": 1, "completion": 1.0, "thumbs_down": 1},
    )

    found = strengths(told, Weights(), WEDNESDAY)
    assert wanted(found) == {
        "hovered over, then played": (0.0, True),
        "kept for later": (1.0, False),
        "kept and dropped": (0.0, False),
        "hovered over": (0.0, False),
        "no more of it": (0.0, True),
        "watched, thumbs down": (0.0, True),
    }
    assert {row.title_id: row.met_on for row in found.where("met_on IS NOT NULL").collect()} == {
        "hovered over, then played": TUESDAY,
        "no more of it": MONDAY,
        "watched, thumbs down": MONDAY,
    }


def test_signals_fade_by_half_over_a_half_life(spark: SparkSession) -> None:
    told = signals(spark, {"title_id": "heat", "plays": 1, "completion": 0.8})
    week = Weights(half_life_days=7)

    at_once, half_faded = MONDAY + timedelta(days=1), MONDAY + timedelta(days=8)
    assert wanted(strengths(told, week, at_once)) == {"heat": (1.0, True)}
    # .4 is less than it takes.
    assert wanted(strengths(told, week, half_faded)) == {"heat": (0.0, True)}
