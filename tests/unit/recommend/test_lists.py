"""Everyone gets a list, from the model or else from what is popular, and never a title seen before."""

from __future__ import annotations

from datetime import date

import pytest
from chispa import assert_df_equality
from pyspark.sql import DataFrame, SparkSession

from cinelake.recommend.fold_in import FoldedIn, Ridge
from cinelake.recommend.lists import Arrangement, lists_for_everyone, numbered
from cinelake.recommend.models.popular import popular_titles
from cinelake.recommend.rerank import Taste

STRENGTHS = "profile_id string, title_id string, strength float, is_seen boolean"
COLUMNS = ["profile_id", "rank", "title_id", "source"]
EXPECTED = "profile_id string, rank int, title_id string, source string"


def _interactions(spark: SparkSession) -> DataFrame:
    return spark.createDataFrame(
        [
            ("ann", "heat", 1.0, True),
            ("bob", "heat", 1.0, True),
            ("bob", "up", 1.0, True),
            ("new", "jaws", 0.0, True),  # not liked, but seen
            ("ann", "up", 0.0, False),  # looked at only
        ],
        STRENGTHS,
    )


def _titles(spark: SparkSession) -> DataFrame:
    return spark.createDataFrame(
        [("heat", [3.0]), ("up", [2.0]), ("old", [1.0])], "title_id string, factors array<float>"
    )


def test_profiles_the_model_knows_get_its_titles_and_all_others_the_popular_ones(
    spark: SparkSession,
) -> None:
    expected = spark.createDataFrame(
        [
            ("ann", 1, "up", "als"),
            ("ann", 2, "old", "als"),  # rated by nobody any more, yet in the model
            ("bob", 1, "old", "als"),
            ("new", 1, "heat", "popular"),
            ("new", 2, "up", "popular"),
        ],
        EXPECTED,
    )

    numbers = numbered(_interactions(spark), _titles(spark))
    known = _interactions(spark).join(numbers, on="title_id")
    model = FoldedIn(_titles(spark).join(numbers, on="title_id"), Ridge(2.0, 0.1))
    lists = lists_for_everyone(known, model, 2, source="als", reasons=1).localCheckpoint()

    assert_df_equality(lists.select(COLUMNS), expected, ignore_row_order=True, ignore_nullable=True)
    because = {(row.profile_id, row.title_id): row.because for row in lists.collect()}
    assert [reason.title_id for reason in because["ann", "up"]] == ["heat"]
    # Of the two that Bob likes, heat adds more.
    assert [reason.title_id for reason in because["bob", "old"]] == ["heat"]
    assert because["new", "heat"] is None


@pytest.mark.thorough
def test_lists_are_arranged_by_what_the_catalogue_says(spark: SparkSession) -> None:
    numbers = numbered(_interactions(spark), _titles(spark))
    known = _interactions(spark).join(numbers, on="title_id")
    model = FoldedIn(_titles(spark).join(numbers, on="title_id"), Ridge(2.0, 0.1))
    said = spark.createDataFrame(
        [
            ("heat", ["crime"], None),
            ("up", ["family"], date(1990, 1, 1)),
            ("old", ["crime"], date(2026, 3, 1)),
        ],
        "title_id string, genres array<string>, release_date date",
    )

    def first(**weights: float) -> dict[str, str]:
        arrangement = Arrangement(Taste(**weights), said, date(2026, 3, 2))
        lists = lists_for_everyone(
            known, model, 1, source="als", reasons=1, arrangement=arrangement
        )
        return {row.profile_id: row.title_id for row in lists.collect()}

    # By their scores it would be "up" for her, who liked a crime film; and the other is new.
    assert first(calibration=0.5, freshness=0.5) == {"ann": "old", "bob": "old", "new": "heat"}


def test_without_a_model_everyone_gets_the_popular_titles(spark: SparkSession) -> None:
    expected = spark.createDataFrame(
        [
            ("ann", 1, "up", "popular"),
            ("ann", 2, "jaws", "popular"),
            ("bob", 1, "jaws", "popular"),
            ("new", 1, "heat", "popular"),
            ("new", 2, "up", "popular"),
        ],
        EXPECTED,
    )

    known = _interactions(spark)
    known = known.join(numbered(known), on="title_id")
    lists = lists_for_everyone(known, None, 2, source="als", reasons=1)

    assert_df_equality(lists.select(COLUMNS), expected, ignore_row_order=True, ignore_nullable=True)


def test_popular_is_what_most_liked_and_then_what_most_know(spark: SparkSession) -> None:
    interactions = spark.createDataFrame(
        [
            ("ann", "liked", 1.0, True),
            ("ann", "known", 0.0, True),
            ("bob", "known", 0.0, True),
            ("ann", "obscure", 0.0, True),
            ("bob", "obscure", 0.0, False),  # looked at only
        ],
        STRENGTHS,
    )
    expected = spark.createDataFrame(
        [("liked", [1.5]), ("known", [2 / 3]), ("obscure", [0.5])],
        "title_id string, factors array<double>",
    )

    assert_df_equality(
        popular_titles(interactions), expected, ignore_row_order=True, ignore_nullable=True
    )
