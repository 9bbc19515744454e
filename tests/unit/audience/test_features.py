"""Vectors tell how a profile differs from others, and nothing where nothing is known of it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from unit.audience.world import MONDAY, service, told_of
from unit.tables.rows import same

from cinelake.audience import cells as told_cells
from cinelake.audience.cells import ASPECTS
from cinelake.audience.features import FeatureRecipe, Vocabulary, vectors, vocabulary
from cinelake.audience.reduction import Reduction, scales

TERMS = pa.list_(
    pa.struct([("aspect", pa.string()), ("term", pa.string()), ("weight", pa.float64())])
)
KNOWN = Vocabulary(
    (("genre", "Comedy"), ("genre", "Crime"), ("device", "tv")), np.array([0.25, 0.75, 1.0]), 2
)


def batch(terms: list[Any], factors: list[Any]) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays(
        [pa.array(terms, TERMS), pa.array(factors, pa.list_(pa.float64()))],
        names=["terms", "factors"],
    )


def term(aspect: str, name: str, weight: float) -> dict[str, Any]:
    return {"aspect": aspect, "term": name, "weight": weight}


def test_shares_are_differences_from_what_is_usual_shrunk_for_who_watched_little() -> None:
    little = [term("genre", "Comedy", 1.0)]
    much = [term("genre", "Comedy", 98.0), term("genre", "Unheard of", 0.0)]
    found = vectors(batch([little, much], [None, None]), KNOWN, prior=2.0)
    # One title and two like everybody's: 1/3 (1 − .25) and 1/3 (0 − .75).
    assert found[0].tolist() == pytest.approx([0, 0, 0.25, -0.25, 0])
    assert found[1, 2:4] == pytest.approx([0.98 * 0.75, -0.98 * 0.75])


def test_a_term_that_takes_no_part_still_counts_in_the_whole() -> None:
    half = [term("genre", "Comedy", 4.0), term("genre", "Rare", 4.0)]
    (found,) = vectors(batch([half], [None]), KNOWN, prior=2.0)
    assert found[2] == pytest.approx((4 - 8 * 0.25) / 10)


def test_of_whom_nothing_is_known_the_vector_is_nothing() -> None:
    strange = [term("unheard of", "x", 3.0)]
    found = vectors(batch([None, [], strange], [None, None, None]), KNOWN, prior=2.0)
    assert (found == 0).all()
    reduced = Reduction(np.zeros(5), np.ones(5), np.eye(5)[:, :2], np.ones(2) / 2).of(found)
    assert (reduced == 0).all()


def test_factors_count_by_their_direction() -> None:
    found = vectors(batch([None] * 3, [[3.0, 4.0], [30.0, 40.0], [0.0, 0.0]]), KNOWN, prior=2.0)
    assert found[:, :2].tolist() == [[0.6, 0.8], [0.6, 0.8], [0.0, 0.0]]


@pytest.mark.parametrize("wrong", [[float("nan"), 1.0], [float("inf"), 1.0]])
def test_a_factor_that_is_no_number_is_refused_with_what_to_do(wrong: list[float]) -> None:
    with pytest.raises(ValueError, match=r"NaN or infinite.*run --only train_recommender"):
        vectors(batch([None, None], [[1.0, 0.0], wrong]), KNOWN, prior=2.0)


def test_factors_of_another_model_are_refused() -> None:
    with pytest.raises(ValueError, match=r"length 3 where the clusters know 2.*train_clusters"):
        vectors(batch([None], [[1.0, 0.0, 0.0]]), KNOWN, prior=2.0)


def test_a_block_has_the_variance_it_is_given_whatever_its_length() -> None:
    recipe = FeatureRecipe(weights={"factors": 2.0, "genre": 1.0})
    variance = np.array([0.5, 1.5, 0.1, 0.3, 0.7])
    scale = scales(variance, KNOWN.blocks, recipe)
    assert (scale[:2] ** 2 * variance[:2]).sum() == pytest.approx(2.0)
    assert (scale[2:4] ** 2 * variance[2:4]).sum() == pytest.approx(1.0)
    # A block without a weight has no say.
    assert scale[4] == 0
    assert scales(np.zeros(5), KNOWN.blocks, recipe).tolist() == [0] * 5


@pytest.mark.thorough
def test_what_is_watched_counts_by_titles_and_when_by_plays(spark: SparkSession) -> None:
    told = told_of(service(spark, 3))
    signals = told.title_signals.where("profile_id = 'p00'")
    # Played on five days, it is one title; it was played last on the day before.
    again = signals.limit(1).select(
        *(name for name in signals.columns if name != "signal_date"),
        F.explode(F.array(*(F.lit(MONDAY - timedelta(days=d)) for d in (1, 9, 17, 25, 33)))).alias("signal_date"),
    ).select(*signals.columns)  # fmt: skip
    one = told_cells.Told(
        again, told.watch_hours.where("profile_id = 'p00'"), told.profile_days.where("profile_id = 'p00'"),
        told.titles, told.profiles, told.accounts,
    )  # fmt: skip
    cells = told_cells.cells(one, MONDAY, None)
    expected = spark.createDataFrame(
        [
            ("p00", "genre", "Crime", "1"), ("p00", "mood", "Tense", "1"), ("p00", "format", "film", "1"),
            ("p00", "novelty", "new titles", "1"), ("p00", "novelty", "known titles", "4"),
            ("p00", "daypart", "weekday night", "4"), ("p00", "device", "phone", "4"),
            ("p00", "finishing", "seen to the end", "2"), ("p00", "finishing", "left", "2"),
            ("p00", "binging", "one at a time", "4"),
        ],
        "profile_id string, aspect string, term string, weight string",
    )  # fmt: skip
    same(
        cells.select(
            "profile_id",
            "aspect",
            "term",
            F.col("weight").cast("int").cast("string").alias("weight"),
        ),
        expected,
    )
    assert {row.aspect for row in cells.collect()} <= set(ASPECTS)
    # With two profiles at least, the terms of one profile are no terms.
    assert vocabulary(cells, FeatureRecipe(profiles_at_least=2)).isEmpty()
