"""Settings are told apart on days that the gate does not judge by, by what is wanted whatever they are."""

from __future__ import annotations

import json
from datetime import date, timedelta
from functools import partial
from typing import Any

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from unit.recommend import limited
from unit.recommend.tastes import FIRST, two_tastes

from cinelake.recommend import evaluation
from cinelake.recommend.holdout import Holdout
from cinelake.recommend.models.als import AlsRecipe
from cinelake.recommend.models.popular import PopularRecipe
from cinelake.recommend.protocols import Split
from cinelake.recommend.search import Setting
from cinelake.recommend.strengths import Weights
from cinelake.recommend.validation import (
    NothingToSearchOn,
    as_recipes,
    blocks_before_the_gate,
    chosen,
    validation,
)

RECIPE = AlsRecipe(rank=2, alpha=5, reg_param=0.1, iterations=3, blocks=2)

# Regularised until nothing is left but popularity.
DULL = {"rank": 1, "reg_param": 50.0, "iterations": 1}


@pytest.mark.thorough
def test_ndcg_alone_is_the_same_as_among_all_measures(spark: SparkSession) -> None:
    # ann finds two of three, bob one of twelve at the end of his list, eve gets no list.
    wanted = [("ann", 1), ("ann", 3), ("ann", 9), ("eve", 1)] + [("bob", n) for n in range(8, 20)]
    listed = [("ann", rank, rank) for rank in range(1, 6)] + [
        ("bob", rank, rank - 1) for rank in range(1, 11)
    ]
    lists = spark.createDataFrame(listed, "profile_id string, rank int, title_idx int")
    truths = spark.createDataFrame(wanted, "profile_id string, title_idx int")
    titles = spark.range(20).select(
        F.col("id").cast("int").alias("title_idx"), F.lit(1).alias("likes"),
        F.array().cast("array<string>").alias("genres"),
    )  # fmt: skip
    told = truths.groupBy("profile_id").agg(
        F.count("*").cast("int").alias("relevant"), F.collect_list("title_idx").alias("wanted"),
        F.array().cast("array<int>").alias("liked"),
    )  # fmt: skip
    of_all = evaluation.per_profile(
        lists.withColumn("model", F.lit("m")), told, evaluation.traits(titles, 3), [10], ["m"]
    )
    expected = of_all.agg(F.sum("ndcg_at_10")).first()
    assert expected is not None

    alone = evaluation.ndcg(
        lists.withColumnRenamed("title_idx", "title_id"),
        truths.withColumnRenamed("title_idx", "title_id"), 10,
    ).first()  # fmt: skip
    assert alone is not None
    assert float(alone.total) == pytest.approx(expected[0], abs=1e-9)
    assert 0 < float(alone.total) < 3
    assert alone.profiles == 3


def test_blocks_lie_before_all_that_the_gate_holds_out(spark: SparkSession) -> None:
    days = spark.createDataFrame([(FIRST + timedelta(n),) for n in range(20)], "signal_date date")
    # The gate holds out the newest five of twenty days, and of the fifteen before them a block has three.
    assert blocks_before_the_gate(days, 0.25, 1, 0.2, 2) == [
        Holdout(FIRST + timedelta(12), FIRST + timedelta(15)),
        Holdout(FIRST + timedelta(9), FIRST + timedelta(12)),
    ]
    assert blocks_before_the_gate(days.limit(1), 0.1, 3, 0.1, 2) == []


@pytest.mark.thorough
def test_settings_are_judged_by_what_is_wanted_whatever_they_learn_from(
    spark: SparkSession,
) -> None:
    split = Split.at(
        two_tastes(spark), Holdout(FIRST + timedelta(days=4), FIRST + timedelta(days=6))
    )
    with validation([split], Weights(), 4) as blocks:
        (good,) = blocks.judge(Setting(RECIPE, Weights()))
        (dull,) = blocks.judge(Setting(RECIPE.model_copy(update=DULL), Weights()))
        # Under this one nobody likes anything: it asks for no less, and gets nothing.
        (void,) = blocks.judge(Setting(RECIPE, Weights(like_from=5.0)))
    assert (good.profiles, dull.profiles, void.profiles) == (24, 24, 24)
    assert good.total == pytest.approx(24.0)
    assert 0 < dull.total < 22
    assert void.total == 0


@pytest.mark.thorough
def test_settings_are_judged_by_lists_that_could_have_been_served(spark: SparkSession) -> None:
    service_at = partial(limited.service_at, spark)
    with validation([limited.split(spark)], Weights(), 1, service_at) as blocks:
        (judged,) = blocks.together([PopularRecipe()], Weights())
    # An adult and a kid find theirs behind what is not on offer; what was not on offer then is missed.
    assert judged == [(2.0, 3)]


def test_where_nothing_can_be_told_apart_it_is_said(spark: SparkSession) -> None:
    with (
        pytest.raises(NothingToSearchOn, match="lower `gate_share`"),
        validation([], Weights(), 4),
    ):
        pass


def stored(as_of: date, measured_until: date, alpha: float) -> dict[str, Any]:
    setting = Setting(RECIPE.model_copy(update={"alpha": alpha}), Weights(half_life_days=30))
    return {
        "as_of": as_of, "kind": "als", **setting.tags, "objective": "ndcg_at_10", "mean": 0.25,
        "configured_mean": 0.2, "trials": 12, "pruned": 5, "measured_until": measured_until, "search": "s",
    }  # fmt: skip


def test_the_newest_choice_counts_that_was_not_made_by_the_days_it_is_judged_by(
    spark: SparkSession,
) -> None:
    start = Setting(RECIPE, Weights())
    signals = two_tastes(spark)
    told = [stored(FIRST, FIRST, 6.0), stored(FIRST + timedelta(7), FIRST + timedelta(5), 7.0)]
    # Of another kind, and newer than all.
    told.append(
        stored(FIRST + timedelta(9), FIRST, 9.0) | {"kind": "ease", "recipe": json.dumps({})}
    )
    recipes = as_recipes(signals, told)

    def alpha(*cuts: int) -> float:
        judged_by = [Holdout(FIRST + timedelta(n), FIRST + timedelta(n + 1)) for n in cuts]
        return chosen(recipes, start, judged_by)[0].recipe.alpha

    assert (alpha(6, 5), alpha(6, 4), alpha()) == (7.0, 6.0, 7.0)
    setting, words = chosen(recipes, start, [])
    assert setting.weights.half_life_days == 30
    assert words == "search of 2026-03-08: ndcg_at_10 0.2500 after 12 trials"
    assert chosen(recipes.limit(0), start, []) == (start, "configuration")
