"""What being new adds to titles is found from what content leaves unsaid of those that were new lately."""

from __future__ import annotations

from datetime import date, timedelta
from math import exp

import pytest
from pyspark.sql import DataFrame, SparkSession

from cinelake.recommend.newness import FEWEST, Newness

THROUGH = date(2026, 3, 28)


def found(spark: SparkSession, ages: dict[str, int | None]) -> Newness:
    """Of titles that are ahead of what content says by 3 exp(-age / 30), the unreliable ones by anything."""
    told = [
        (
            title,
            [0.5, 1.0 + (100.0 if title == "nobody" else 3 * exp(-age / 30) if age is not None else 0.0)],
            0 if title == "nobody" else 1000,
            None if age is None else THROUGH - timedelta(days=age),
        )
        for title, age in ages.items()
    ]  # fmt: skip
    schema = "title_id string, factors array<double>, likes long, release_date date"
    known = spark.createDataFrame(told, schema)
    predicted = spark.createDataFrame(
        [(title, [0.0, 1.0]) for title in ages], "title_id string, factors array<double>"
    )
    return Newness.found(
        known.drop("release_date"), predicted, known.select("title_id", "release_date"),
        through=THROUGH, new_days=28, half_known=2.0, days=30.0,
    )  # fmt: skip


def added(spark: SparkSession, newness: Newness, dates: list[date | None]) -> list[float]:
    frame: DataFrame = spark.createDataFrame([(day,) for day in dates], "release_date date")
    return [row[0] for row in frame.select(newness.added(THROUGH)).collect()]


def test_the_slope_is_that_of_known_titles_by_their_age(spark: SparkSession) -> None:
    ages: dict[str, int | None] = {
        "a": 0,
        "b": 5,
        "c": 9,
        "d": 14,
        "e": 20,
        "old": 200,
        "older": 900,
        "nobody": 3,
        "undated": None,
    }
    newness = found(spark, ages)
    assert newness.slope == pytest.approx(3.0)

    tomorrow, old, undated = added(
        spark, newness, [THROUGH + timedelta(days=1), date(1960, 1, 1), None]
    )

    # A new title is ahead of an old one by all of it, and of the usual one by what that lacks.
    assert tomorrow - old == pytest.approx(3.0)
    assert old == pytest.approx(-3.0 * newness.usual)
    assert undated == 0.0


def test_of_few_new_titles_nothing_is_learnt(spark: SparkSession) -> None:
    newness = found(spark, {"a": 0, "b": 5, "c": 9, "d": 14, "old": 200})
    assert newness.slope == 0.0
    assert added(spark, newness, [THROUGH]) == [0.0]
    assert FEWEST == 5
