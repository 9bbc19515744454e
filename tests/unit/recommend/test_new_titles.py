"""A new title is made as much of as those that were new lately, had they been there all the time."""

from __future__ import annotations

from datetime import date, timedelta
from math import sqrt

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from cinelake.recommend.cold_titles import ContentRecipe, listable_of
from cinelake.recommend.new_titles import FEWEST, length

THROUGH = date(2026, 3, 28)
SAID = (
    "title_id string, kind string, genres array<string>, moods array<string>, themes array<string>, "
    "directors array<string>, cast array<string>, language string, pace string, maturity int, synopsis string, "
    "release_date date"
)
# Titles that came to the service on the first day of the 28 or on the 22nd, and one that was there before.
NEW = {"a": 0, "b": 0, "c": 0, "d": 21, "e": 21}


def factors(spark: SparkSession, **lengths: float) -> DataFrame:
    rows = [(title, n, [0.0, long]) for n, (title, long) in enumerate(lengths.items())]
    return spark.createDataFrame(rows, "title_id string, title_idx int, factors array<float>")


def meetings(spark: SparkSession, titles: DataFrame) -> DataFrame:
    """Each title is met twenty times on each day since it came; the old one so often that a quarter of all meetings
    come in the last week.
    """
    days = spark.range(28).select(F.col("id").cast("int").alias("day"))
    came = F.coalesce(
        *(F.when(F.col("title_id") == title, F.lit(day)) for title, day in NEW.items()), F.lit(0)
    )
    others = F.when(F.col("day") < 21, 20).otherwise(20 - 2 * 20)
    times = F.when(F.col("title_id") == "old", 100 + others).otherwise(20)
    return (
        titles.select("title_id", "title_idx")
        .crossJoin(days)
        .where(F.col("day") >= came)
        .withColumn("time", F.explode(F.sequence(F.lit(1), times)))
        .select(
            F.concat_ws(" ", "day", "time").alias("profile_id"),
            "title_id",
            "title_idx",
            F.lit(1.0).alias("strength"),
            F.date_add(F.lit(THROUGH - timedelta(days=27)), F.col("day")).alias("met_on"),
        )
    )


def said(spark: SparkSession, titles: dict[str, int]) -> DataFrame:
    first = THROUGH - timedelta(days=27)
    rows = [
        (title, "film", ["drama"], *[None] * 8, first + timedelta(days=day))
        for title, day in titles.items()
    ]
    return spark.createDataFrame(rows, SAID)


def test_titles_that_came_late_count_for_what_they_would_have_been(spark: SparkSession) -> None:
    known = factors(spark, old=9.0, a=2.0, b=2.0, c=2.0, d=1.0, e=1.0)
    told = said(spark, NEW | {"old": -400, "coming": 30})

    found = length(known, meetings(spark, known), told, THROUGH, days=28)

    # Those of the last week were there for a quarter of the meetings, so their likes are a quarter of what they
    # would have been, and their factors half as long.
    assert found == pytest.approx((3 * 2.0 + 2 * 1.0 / sqrt(0.25)) / 5, rel=0.01)
    assert length(known.where("title_id <> 'e'"), meetings(spark, known), told, THROUGH, 28) is None
    assert FEWEST == 5


def test_a_version_keeps_how_long_the_factors_of_new_titles_are(spark: SparkSession) -> None:
    known = factors(spark, old=9.0, a=2.0, b=2.0, c=2.0, d=1.0, e=1.0)
    told = said(spark, NEW | {"old": -400, "tomorrow": 28})
    recipe = ContentRecipe(exploration=1.0)
    learnt = recipe.learn(known, meetings(spark, known), told, THROUGH)
    frames = {"titles": known.drop("title_idx"), "content": learnt.terms}

    found = listable_of(learnt.tags, frames.__getitem__, told, THROUGH).where("is_cold")

    ((title, of_title),) = found.select("title_id", "factors").collect()
    assert (title, of_title) == ("tomorrow", pytest.approx([0.0, learnt.new_length], rel=1e-6))
