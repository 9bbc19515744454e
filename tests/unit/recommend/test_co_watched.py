"""Lists of similar titles are judged by what the same people watched in the week after."""

from __future__ import annotations

import pytest
from pyspark.sql import DataFrame, SparkSession

from cinelake.recommend.co_watched import precision

LISTS = "title_id string, rank int, similar_id string"
WEEK = "profile_id string, title_id string, title_idx int, strength float"


def _lists(spark: SparkSession) -> DataFrame:
    return spark.createDataFrame(
        [
            ("alien", 1, "heat"),
            ("alien", 2, "jaws"),
            ("alien", 3, "up"),  # beyond the two that are judged
            ("heat", 1, "up"),
            ("jaws", 1, "alien"),
            ("up", 1, "heat"),
            ("unwatched", 1, "up"),
        ],
        LISTS,
    )


def test_a_listed_title_counts_when_somebody_wanted_both_in_the_week(spark: SparkSession) -> None:
    numbers = {"alien": 0, "heat": 1, "jaws": 2, "up": 3, "new": 4}
    week = spark.createDataFrame(
        [
            (profile, title, numbers[title], strength)
            for profile, title, strength in (
                ("ann", "alien", 1.0),
                ("ann", "jaws", 1.0),
                ("ann", "up", 1.0),
                ("bob", "heat", 1.0),
                ("bob", "new", 1.0),  # has no list, so it is nobody's partner
                ("eve", "heat", 1.0),
                ("eve", "up", 0.0),  # seen, and not wanted
            )
        ],
        WEEK,
    )

    found = precision(_lists(spark), week, k=2, longest_history=100).first()

    assert found is not None
    # alien, jaws and up were watched together; alien's list has one of the others, jaws' one, up's none.
    assert found.titles == 3
    assert found.precision == pytest.approx((1 / 2 + 1 / 2 + 0) / 3)
    # Each has two partners among the four others that have lists.
    assert found.at_random == pytest.approx(2 / 4)


def test_a_week_in_which_nothing_was_watched_together_tells_nothing(spark: SparkSession) -> None:
    week = spark.createDataFrame([("ann", "alien", 0, 1.0)], WEEK)

    found = precision(_lists(spark), week, k=2, longest_history=100).first()

    assert found is not None
    assert tuple(found) == (0, None, None)
