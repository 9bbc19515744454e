"""What `cinelake evaluate` prints, and what it says where nothing can be measured."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from rich.console import Console
from unit.recommend.tastes import two_tastes

from cinelake.recommend.model import kinds
from cinelake.recommend.models.als import AlsRecipe
from cinelake.recommend.models.blend import BlendRecipe
from cinelake.recommend.models.ease import EaseRecipe
from cinelake.recommend.models.hybrid import HybridRecipe
from cinelake.recommend.models.item_item import ItemItemRecipe
from cinelake.recommend.search import Found, Setting, Space, Trial
from cinelake.recommend.strengths import Weights
from cinelake.recommend.training import Comparison
from cinelake.recommend.trial import (
    Evaluation,
    NothingToMeasure,
    Protocol,
    Tuned,
    as_json,
    evaluated,
    liked_from,
    space_of,
    table,
)
from cinelake.tables.behaviour import TITLES
from cinelake.tables.features import TITLE_SIGNALS

RANDOM = Protocol("random", 0.25, 42, 10, 4.0)


def measured(model: str, measure: str, mean: float | None) -> dict[str, object]:
    bounds = (
        {"low": mean - 0.01, "high": mean + 0.01}
        if mean is not None
        else {"low": None, "high": None}
    )
    return {
        "model": model,
        "measure": measure,
        "profiles": 40 if mean is not None else 0,
        "mean": mean,
    } | bounds


FOUND = Comparison(
    k=10,
    measures=[
        measured("popular", "ndcg_at_10", 0.25),
        measured("als", "ndcg_at_10", 0.5),
        measured("als", "novelty_at_10", 3.25),
        measured("als", "miscalibration_at_10", None),
        measured("als", "lead", None),
    ],
    segments=[
        measured("als", "ndcg_at_10", mean) | {"segment": "history", "group": group}
        for group, mean in (("1-9", 0.5), ("new", 0.3))
    ],
    shown=[
        {"model": "als", "coverage": 0.125, "gini": 0.75},
        {"model": "popular", "coverage": 0.01, "gini": 0.99},
    ],
    cold=[{"fold": 1, "profiles": 50, "cold_profiles": 10, "titles": 30, "cold_titles": 3}],
)


def test_the_best_model_comes_first_with_its_interval() -> None:
    page = io.StringIO()
    Console(width=80, file=page).print(table(Evaluation(FOUND), RANDOM))
    text = page.getvalue()
    assert "random, share 0.25, seed 42, liked from 4: 40 profiles" in text
    assert text.index("als") < text.index("popular")
    assert "als: 0.5000 [0.4900, 0.5100]" in text
    assert "0.125" in text
    assert "miscalibration" not in text
    assert re.search(r"history new +40 +0\.3000", text)
    assert "not tuned" in text


def test_why_nothing_was_tuned_is_told() -> None:
    page = io.StringIO()
    found = Evaluation(FOUND, untuned="there is nothing to split")
    Console(width=80, file=page).print(table(found, RANDOM))
    assert "settings as they come, not tuned: there is nothing to split" in page.getvalue()
    tuning = as_json(found, RANDOM)["tuning"]
    assert tuning == {"trials": 0, "not_tuned": "there is nothing to split"}


def test_protocols_of_published_tables_want_every_rating_unless_told_otherwise() -> None:
    assert liked_from("random") == liked_from("leave-last-out") == 0.5
    assert liked_from("temporal") == Weights().like_from == 4.0
    assert liked_from("random", 3.5) == 3.5


def test_what_has_no_time_is_searched_for_no_fade_and_for_no_like() -> None:
    start = Setting(AlsRecipe(), Weights(like_from=0.5))
    found = space_of("random", start.weights).around(start)
    searched = {name for name, values in found.items() if not values.single()}
    assert searched == {"rank", "alpha", "reg_param"}
    assert space_of("temporal", start.weights) == Space()


def test_json_has_every_measure_there_is() -> None:
    told = json.loads(json.dumps(as_json(Evaluation(FOUND), RANDOM)))
    assert told["protocol"] == {
        "name": "random", "share": 0.25, "seed": 42, "k": 10, "like_from": 4.0, "tune": 0,
        "minutes": None, "ks": [],
    }  # fmt: skip
    assert "setting" not in told
    assert told["tuning"] == {"trials": 0, "not_tuned": "it was not asked for"}
    of_group = told["segments"]["history"]["new"]
    assert of_group == {
        "als": {"ndcg_at_10": {"mean": 0.3, "low": 0.29, "high": 0.31, "profiles": 40}}
    }
    assert told["models"]["als"] == {
        "ndcg_at_10": {"mean": 0.5, "low": 0.49, "high": 0.51, "profiles": 40},
        "novelty_at_10": {"mean": 3.25, "low": 3.24, "high": 3.26, "profiles": 40},
        "coverage_at_10": {"mean": 0.125},
        "gini_at_10": {"mean": 0.75},
    }
    assert told["cold"]["cold_titles"] == 3


def test_what_tuning_chose_is_told_beside_what_it_chose_from() -> None:
    start = Setting(AlsRecipe(), Weights())
    values = {name: start.value(name) for name, _ in Space()}
    trials = (
        Trial(number=0, values=values, means=(0.25,), pruned=False),
        Trial(number=1, values=values | {"alpha": 12.5}, means=(0.5,), pruned=False),
    )
    blend = BlendRecipe(ease=EaseRecipe(penalty=100), weights={"als": 0.6, "ease": 0.4})
    found = Found(start, Space(), "ndcg_at_10", trials)
    recipes = (
        AlsRecipe(),
        EaseRecipe(penalty=30),
        ItemItemRecipe(shrinkage=3),
        HybridRecipe(share=0.3),
        blend,
    )
    settings = {recipe.kind: Setting(recipe, Weights()) for recipe in recipes}
    tuned = Evaluation(FOUND, Tuned(found, settings, ("blend",)))
    page = io.StringIO()
    Console(width=300, file=page).print(table(tuned, replace(RANDOM, tune=9)))
    assert "tuned: 2 of 9 settings of ALS tried, 0 broken off" in page.getvalue()
    assert "time was up before these were tuned: blend" in page.getvalue()
    words = "als, best of 2 trials (0.5000 within what is trained on, 0.2500 as it comes): "
    assert f"{words}rank 64, alpha 12.5, reg_param 0.6, half_life_days none" in page.getvalue()
    words = "hybrid, share of tastes 0.3; ease, penalty 30; item_item, shrinkage 3; blend of als 0.6, ease 0.4"
    assert words in page.getvalue()
    told = json.loads(json.dumps(as_json(tuned, RANDOM)))
    assert told["setting"] == values | {"alpha": 12.5}
    assert told["share_of_tastes"] == 0.3
    assert told["blend"] == {"weights": {"als": 0.6, "ease": 0.4}, "ease.penalty": 100}
    assert (told["ease"], told["item_item"]) == ({"penalty": 30}, {"shrinkage": 3})
    assert told["tuning"] == {
        "trials": 2, "broken_off": 0, "objective": "ndcg_at_10", "mean": 0.5, "mean_as_it_comes": 0.25,
        "on": "what the protocol trains on, split again in the same way", "left_out": ["blend"],
    }  # fmt: skip


@pytest.mark.thorough
@pytest.mark.timeout(600)
def test_a_tuned_evaluation_sees_nothing_that_it_is_measured_on(spark: SparkSession) -> None:
    signals = two_tastes(spark)
    titles = spark.createDataFrame([], TITLES.schema)
    told: list[tuple[int, int, str]] = []
    protocol = Protocol("temporal", 0.3, 42, 4, 4.0, tune=2)
    found = evaluated(signals, titles, protocol, lambda *step: told.append(step))
    # In the newest days everyone does what their neighbour did, and the same is tried and found.
    is_new = F.col("signal_date") >= "2026-03-05"
    neighbour = (F.col("profile_idx") + F.when(is_new, 1).otherwise(0)) % 24
    swapped = signals.withColumns(
        {
            "profile_idx": neighbour.cast("int"),
            "profile_id": F.concat(F.lit("p"), neighbour.cast("int").cast("string")),
        }
    )
    again = evaluated(swapped, titles, protocol)
    assert found.tuned is not None
    assert again.tuned is not None
    assert again.tuned == found.tuned
    assert again.comparison.measures != found.comparison.measures
    kinds_told = [(done, total, said.split(",")[0]) for done, total, said in told]
    names = ("als", "als", "hybrid", "ease", "item_item", "blend")
    assert kinds_told == [(done, 6, name) for done, name in enumerate(names, start=1)]


@pytest.mark.thorough
def test_what_cannot_be_split_again_is_measured_as_it_comes_unless_tuning_is_a_must(
    spark: SparkSession,
) -> None:
    # Two days: one to learn from, one to be asked for.
    signals = two_tastes(spark).where(F.col("signal_date") <= "2026-03-02").localCheckpoint()
    titles = spark.createDataFrame([], TITLES.schema)
    protocol = Protocol("temporal", 0.3, 42, 4, 4.0, tune=2)
    with pytest.raises(NothingToMeasure, match="cannot be split again.*leave out --tune"):
        evaluated(signals, titles, protocol)
    people = signals.select("profile_id", F.lit("DE").alias("market"), F.lit("kid").alias("kind"))
    people = people.distinct().withColumn("device_kind", F.lit("tv"))
    found = evaluated(signals, titles, protocol, people=people, must_tune=False)
    assert found.tuned is None
    assert "cannot be split again" in str(found.untuned)
    assert found.comparison.measured("ndcg").keys() == set(kinds())
    segments = found.comparison.grouped("ndcg").keys()
    assert {("market", "DE"), ("kind", "kid"), ("device_kind", "tv")} < segments


@pytest.mark.thorough
def test_without_time_one_setting_is_tried_and_all_else_is_as_it_comes(spark: SparkSession) -> None:
    signals = two_tastes(spark)
    titles = spark.createDataFrame([], TITLES.schema)
    protocol = Protocol("random", 0.25, 42, 4, 4.0, tune=5, ks=(2,))
    found = evaluated(signals, titles, protocol, spent=lambda: 1.0)
    assert found.tuned is not None
    assert len(found.tuned.als.trials) == 1
    assert found.tuned.left_out == ("hybrid", "ease", "item_item", "blend")
    recipes = (AlsRecipe(), EaseRecipe(), ItemItemRecipe(), HybridRecipe(), BlendRecipe())
    weights = Weights(like_from=4.0)
    assert found.tuned.settings == {each.kind: Setting(each, weights) for each in recipes}
    assert found.comparison.metrics()["als.ndcg_at_2"] > 0


def test_where_nothing_can_be_held_out_it_is_said(spark: SparkSession) -> None:
    numbers = (F.lit(0).alias(f"{name}_idx") for name in ("profile", "title"))
    nothing = spark.createDataFrame([], TITLE_SIGNALS.schema).select("*", *numbers)
    titles = spark.createDataFrame([], TITLES.schema)
    with pytest.raises(NothingToMeasure, match="nothing to hold out"):
        evaluated(nothing, titles, RANDOM)
