"""What `cinelake evaluate` prints, and what it says where nothing can be measured."""

from __future__ import annotations

import io
import json

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from rich.console import Console

from cinelake.recommend.training import Comparison
from cinelake.recommend.trial import NothingToMeasure, Protocol, as_json, evaluated, table
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
    segments=[],
    shown=[
        {"model": "als", "coverage": 0.125, "gini": 0.75},
        {"model": "popular", "coverage": 0.01, "gini": 0.99},
    ],
    cold=[{"fold": 1, "profiles": 50, "cold_profiles": 10, "titles": 30, "cold_titles": 3}],
)


def test_the_best_model_comes_first_with_its_interval() -> None:
    page = io.StringIO()
    Console(width=80, file=page).print(table(FOUND, RANDOM))
    text = page.getvalue()
    assert "random, share 0.25, seed 42, liked from 4: 40 profiles" in text
    assert text.index("als") < text.index("popular")
    assert "als: 0.5000 [0.4900, 0.5100]" in text
    assert "0.125" in text
    assert "miscalibration" not in text


def test_json_has_every_measure_there_is() -> None:
    told = json.loads(json.dumps(as_json(FOUND, RANDOM)))
    assert told["protocol"] == {
        "name": "random",
        "share": 0.25,
        "seed": 42,
        "k": 10,
        "like_from": 4.0,
    }
    assert told["models"]["als"] == {
        "ndcg_at_10": {"mean": 0.5, "low": 0.49, "high": 0.51, "profiles": 40},
        "novelty_at_10": {"mean": 3.25, "low": 3.24, "high": 3.26, "profiles": 40},
        "coverage_at_10": {"mean": 0.125},
        "gini_at_10": {"mean": 0.75},
    }
    assert told["cold"]["cold_titles"] == 3


def test_where_nothing_can_be_held_out_it_is_said(spark: SparkSession) -> None:
    numbers = (F.lit(0).alias(f"{name}_idx") for name in ("profile", "title"))
    nothing = spark.createDataFrame([], TITLE_SIGNALS.schema).select("*", *numbers)
    titles = spark.createDataFrame([], TITLES.schema)
    with pytest.raises(NothingToMeasure, match="nothing to hold out"):
        evaluated(nothing, titles, RANDOM)
