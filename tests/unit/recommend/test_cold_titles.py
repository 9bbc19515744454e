"""A title that nobody has liked gets the factors that its content tells, and none where it tells nothing."""

from __future__ import annotations

import math
from datetime import date
from typing import Any

import numpy as np
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from scipy.sparse import csr_array

from cinelake.recommend.cold_titles import (
    PENALTIES,
    ContentRecipe,
    counts,
    factors_by_content,
    ridge,
)

SAID = (
    "title_id string, kind string, genres array<string>, moods array<string>, themes array<string>, "
    "directors array<string>, cast array<string>, language string, pace string, maturity int, synopsis string"
)
DAY = date(2026, 3, 1)
FACTORS = "title_id string, factors array<float>"
LIKES = "title_id string, likes int"


def said(spark: SparkSession, **genres: list[str]) -> DataFrame:
    rows = [(title, "film", names, *[None] * 8) for title, names in genres.items()]
    return spark.createDataFrame(rows, SAID)


def by_title(frame: DataFrame) -> dict[str, list[float]]:
    return {row.title_id: row.factors for row in frame.collect()}


def test_a_title_has_the_sum_of_what_its_terms_were_found_to_add(spark: SparkSession) -> None:
    # Factors are (1, 0), and (2, 0) more with crime, (0, 3) more with love: exactly so.
    factors = spark.createDataFrame(
        [
            ("heist", [3.0, 0.0]),
            ("thief", [3.0, 0.0]),
            ("kiss", [1.0, 3.0]),
            ("vow", [1.0, 3.0]),
            ("odd", [1.0, 0.0]),
        ],
        FACTORS,
    )
    likes = spark.createDataFrame([(t, 9) for t in ("heist", "thief", "kiss", "vow", "odd")], LIKES)
    titles = said(
        spark,
        heist=["crime"],
        thief=["crime"],
        kiss=["love"],
        vow=["love"],
        odd=["once"],
        both=["crime", "love", "unheard"],
        unknown=["unheard"],
        lone=["once"],
    )

    learnt = ContentRecipe(penalty=1e-9).fit(factors, likes, titles)

    # Of "once" only one title is known, which is too few.
    assert {row.term for row in learnt.terms.collect()} == {"", "genre crime", "genre love"}
    found = by_title(factors_by_content(learnt.terms, titles))
    assert found.keys() == {"heist", "thief", "kiss", "vow", "both"}
    np.testing.assert_allclose(found["both"], [3.0, 3.0], atol=1e-6)
    np.testing.assert_allclose(found["heist"], [3.0, 0.0], atol=1e-6)


@pytest.mark.thorough
def test_a_new_title_is_stretched_and_an_old_one_as_it_is_predicted(spark: SparkSession) -> None:
    # Of a mean square length of 25 / 2.
    known = spark.createDataFrame([("heist", [3.0, 0.0]), ("kiss", [0.0, 4.0])], FACTORS)
    learnt = spark.createDataFrame(
        [("", [0.0, 0.5]), ("genre crime", [0.3, -0.1])], "term string, factors array<double>"
    )
    titles = said(
        spark,
        heist=["crime"],
        kiss=[],
        new=["crime"],
        old=["crime"],
        undated=["crime"],
        unknown=["unheard"],
    ).withColumn(
        "release_date",
        F.when(F.col("title_id") == "new", F.date_sub(F.lit(DAY), 27)).when(
            F.col("title_id") == "old", F.date_sub(F.lit(DAY), 28)
        ),
    )

    recipe = ContentRecipe(new_days=28, exploration=1.0)
    found = recipe.listable(known, learnt, titles, DAY).localCheckpoint()

    rows = {row.title_id: (row.factors, row.is_cold, row.is_new) for row in found.collect()}
    length = math.sqrt(12.5)
    assert rows == {
        "heist": ([3.0, 0.0], False, False),
        "kiss": ([0.0, 4.0], False, False),
        "new": (pytest.approx([0.6 * length, 0.8 * length]), True, True),
        "old": (pytest.approx([0.3, 0.4]), True, False),
        "undated": (pytest.approx([0.3, 0.4]), True, False),
    }
    assert counts(found, titles) == {
        "cold_titles": 3, "new_titles": 1, "titles_without_factors": 1,
    }  # fmt: skip
    half_way = recipe.model_copy(update={"exploration": 0.5})
    stretched = by_title(half_way.listable(known, learnt, titles, DAY).where("is_new"))["new"]
    assert math.hypot(*stretched) == pytest.approx(math.sqrt(length * 0.5))


def test_titles_that_weigh_more_say_more_of_their_terms() -> None:
    # Two share a term and have little else in common; two have none.
    design, targets = (
        csr_array([[1.0], [1.0], [0.0], [0.0]]),
        np.array([[2.0], [0.0], [0.0], [0.0]]),
    )

    def with_the_term(first: float, second: float) -> float:
        found = ridge(design, targets, np.array([first, second, 1.0, 1.0]), 1e-9)
        return float((found.intercept + found.coefficients[0])[0])

    assert with_the_term(1.0, 1.0) == pytest.approx(1.0)
    assert with_the_term(0.9, 0.1) == pytest.approx(1.8)


def test_the_same_in_spark_as_by_the_equations(spark: SparkSession) -> None:
    random = np.random.default_rng(4)
    genres = ["drama", "crime", "love", "war", "space"]
    design = random.integers(0, 2, size=(40, 5))
    design[:, 0] |= design.sum(axis=1) == 0
    factors = random.normal(size=(40, 3)).astype(np.float32)
    likes = random.integers(1, 30, size=40)
    names = [f"t{n:02}" for n in range(40)]
    titles = said(
        spark,
        **{
            name: [genre for genre, has in zip(genres, row, strict=True) if has]
            for name, row in zip(names, design, strict=True)
        },
    )
    told: list[tuple[Any, ...]] = list(zip(names, factors.tolist(), strict=True))
    liked = list(zip(names, likes.tolist(), strict=True))
    recipe = ContentRecipe(facets={"genre": 0.5}, half_known=5.0, penalty=3.0)

    learnt = recipe.fit(
        spark.createDataFrame(told, FACTORS), spark.createDataFrame(liked, LIKES), titles
    )

    weights = likes / (likes + 5.0)
    weights /= weights.mean()
    columns = np.column_stack([np.ones(40), 0.5 * design])
    system = columns.T @ (weights[:, None] * columns) + np.diag([0.0, *[3.0] * 5])
    expected = columns @ np.linalg.solve(system, columns.T @ (weights[:, None] * factors))
    found = by_title(factors_by_content(learnt.terms, titles))
    np.testing.assert_allclose([found[name] for name in names], expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("noise", [0.3, 3.0, 10.0])
def test_the_penalty_is_that_of_the_least_cross_validated_error(noise: float) -> None:
    random = np.random.default_rng(5)
    design = random.integers(0, 2, size=(60, 8)).astype(float)
    targets = design @ random.normal(size=(8, 2)) + noise * random.normal(size=(60, 2))
    weights = random.uniform(0.2, 1.8, size=60)
    weights /= weights.mean()

    found = ridge(csr_array(design), targets, weights, None)

    def error(penalty: float) -> float:
        """Golub, Heath and Wahba's, with the matrix that makes predictions of targets written out."""
        columns = np.sqrt(weights)[:, None] * np.column_stack([np.ones(60), design])
        system = columns.T @ columns + np.diag([0.0, *[penalty] * 8])
        hat = columns @ np.linalg.solve(system, columns.T)
        missed = np.sqrt(weights)[:, None] * targets
        missed = missed - hat @ missed
        return float((missed**2).sum() / (60 - np.trace(hat)) ** 2)

    assert found.penalty == min(PENALTIES, key=error)


def test_where_terms_tell_nothing_apart_a_title_is_like_the_mean() -> None:
    targets = np.array([[1.0, 0.0], [3.0, 0.0]])
    found = ridge(csr_array(np.ones((2, 1))), targets, np.ones(2), None)
    np.testing.assert_allclose(found.intercept + found.coefficients[0], [2.0, 0.0])
    assert found.penalty == PENALTIES[0]


def test_a_facet_that_there_is_not_is_refused_with_those_there_are() -> None:
    with pytest.raises(ValueError, match=r"no facet 'gerne'; there are genre, mood"):
        ContentRecipe(facets={"gerne": 1.0})
