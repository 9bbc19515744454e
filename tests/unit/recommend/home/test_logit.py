"""A regression finds the odds that were planted, by names that can be read, and shrinks what was seldom seen."""

from __future__ import annotations

import math

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from cinelake.labels import OneSided
from cinelake.recommend.home.logit import Logit, Penalty, fit


def counts(spark: SparkSession, *told: tuple[float, list[str], int, int]) -> DataFrame:
    """Rows with `x`, terms, and how many of how many came true."""
    rows = [
        (x, terms, float(true if came else of - true), came)
        for x, terms, true, of in told
        for came in (True, False)
    ]
    return spark.createDataFrame(rows, "x double, terms array<string>, n double, came boolean")


@pytest.mark.thorough
def test_the_odds_of_numbers_and_terms_are_found(spark: SparkSession) -> None:
    told = counts(
        spark,
        (0.0, [], 100, 1000),
        (1.0, [], 250, 1000),
        (0.0, ["horror in October"], 400, 1000),
    )
    found = fit(told, ["x"], "came", Penalty(1e-6), terms="terms", weight="n")
    assert found.intercept == pytest.approx(math.log(1 / 9), abs=1e-3)
    assert found.weights["x"] == pytest.approx(math.log(3), abs=1e-3)
    assert found.weights["horror in October"] == pytest.approx(math.log(6), abs=1e-3)


@pytest.mark.thorough
def test_what_was_seldom_seen_says_little(spark: SparkSession) -> None:
    told = counts(spark, (0.0, [], 100, 1000), (0.0, ["often"], 400, 1000), (0.0, ["once"], 1, 1))
    found = fit(told, [], "came", Penalty(20.0), terms="terms", weight="n")
    assert found.weights["often"] > 5 * found.weights["once"] > 0


def test_a_term_of_too_few_rows_is_none(spark: SparkSession) -> None:
    told = counts(spark, (0.0, ["often"], 3, 9), (0.0, ["often"], 4, 9), (0.0, ["once"], 1, 2))
    found = fit(told, [], "came", Penalty(1.0, rows_of_a_term=3), terms="terms", weight="n")
    assert found.weights.keys() == {"often"}


def test_what_parts_have_in_common_is_not_shared_out_among_them_where_the_whole_is_free(
    spark: SparkSession,
) -> None:
    # Horror is chosen less than all else, on both screens alike.
    told = counts(
        spark,
        (0.0, [], 400, 1000),
        (0.0, ["horror", "horror on tv"], 50, 500),
        (0.0, ["horror", "horror on phones"], 50, 500),
    )
    shared = fit(told, [], "came", Penalty(30.0), terms="terms", weight="n")
    assert shared.weights["horror on tv"] < -0.2
    free = Penalty(30.0, spares=lambda term: term == "horror")
    found = fit(told, [], "came", free, terms="terms", weight="n")
    assert found.weights["horror"] == pytest.approx(math.log((1 / 9) / (2 / 3)), abs=0.1)
    assert abs(found.weights["horror on tv"]) < 0.02


def test_rows_that_stand_for_several_count_as_many(spark: SparkSession) -> None:
    told = counts(spark, (0.0, ["horror"], 30, 100), (0.0, [], 10, 100))
    each = told.withColumn("one", F.explode(F.array_repeat(F.lit(1), F.col("n").cast("int"))))
    penalty = Penalty(1.0, rows_of_a_term=100)
    found = fit(told, [], "came", penalty, terms="terms", weight="n", rows="n")
    one = fit(each, [], "came", penalty, terms="terms")
    assert found.weights == pytest.approx(one.weights)
    assert found.weights.keys() == {"horror"}
    rarer = Penalty(1.0, rows_of_a_term=101)
    none = fit(told, [], "came", rarer, terms="terms", weight="n", rows="n")
    assert (none.intercept, none.weights) == (pytest.approx(math.log(40 / 160)), {})


def test_a_chance_is_a_column_and_is_kept_as_a_table(spark: SparkSession) -> None:
    logit = Logit.of_frame(Logit(-1.0, {"x": 2.0, "other": 5.0}).frame(spark))
    row = spark.createDataFrame([(0.5,)], "x double").select(logit.chance("x").alias("p")).first()
    assert row is not None
    assert row.p == pytest.approx(0.5)


def test_examples_that_all_came_to_the_same_are_named(spark: SparkSession) -> None:
    told = counts(spark, (0.0, [], 5, 5)).where(F.col("came"))
    with pytest.raises(OneSided, match="of 1 examples all have the same 'came'"):
        fit(told, ["x"], "came", Penalty(1.0), weight="n")
