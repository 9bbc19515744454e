"""The fit solves the equations it says it solves, the same way every time."""

from __future__ import annotations

import numpy as np
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from cinelake.recommend.model import NothingLiked
from cinelake.recommend.models.als import FEWEST, AlsRecipe, NamedFactors

SCHEMA = "profile_idx int, title_idx int, strength float"
# Two tastes, a title that both like, and a title seen but not liked.
TASTES = [(p, t, 1.0) for p in range(8) for t in range(6) if t % 2 == p % 2 and (p + t) % 5]
TASTES += [(p, 6, 1.0) for p in range(8)] + [(0, 7, 0.0)]


def fit(rows: DataFrame, recipe: AlsRecipe) -> NamedFactors:
    """Ids are numbers as text."""
    ids = (F.col(f"{name}_idx").cast("string").alias(f"{name}_id") for name in ("profile", "title"))
    return recipe.fit(rows.select("*", *ids))


def _by_id(frame: DataFrame) -> dict[int, np.ndarray]:
    return {int(row[0]): np.array(row.factors) for row in frame.collect()}


def test_factors_solve_the_regularised_equations_of_each_profile(spark: SparkSession) -> None:
    recipe = AlsRecipe(rank=3, alpha=2.0, reg_param=0.1, iterations=3, blocks=2)

    factors = fit(spark.createDataFrame(TASTES, SCHEMA), recipe)

    profiles, titles = _by_id(factors.of_profiles), _by_id(factors.of_titles)
    assert sorted(titles) == list(range(7))  # the title nobody liked has no factors
    y = np.array([titles[t] for t in sorted(titles)])
    for profile, factor in profiles.items():
        liked = y[[t for p, t, strength in TASTES if p == profile and strength]]
        ridge = recipe.reg_param * len(liked) * np.eye(recipe.rank)
        left = y.T @ y + recipe.alpha * liked.T @ liked + ridge
        right = (1 + recipe.alpha) * liked.sum(axis=0)
        np.testing.assert_allclose(factor, np.linalg.solve(left, right), atol=1e-4)


@pytest.mark.thorough
def test_there_are_no_more_factors_than_a_profile_has_likes(spark: SparkSession) -> None:
    many = [(p, t, 1.0) for p in range(3) for t in range(8 + p)] + [(0, 20, 0.0)]
    recipe = AlsRecipe(rank=64, iterations=1, blocks=2)

    fitted = [fit(spark.createDataFrame(rows, SCHEMA), recipe) for rows in (many, TASTES)]

    # Nine likes on average; three and a half, of which so few factors are never made.
    assert {len(one.of_titles.first().factors) for one in fitted} == {9, FEWEST}
    assert [one.rank for one in fitted] == [9, FEWEST]


@pytest.mark.thorough
def test_fitting_twice_gives_the_same_factors_however_the_rows_lie(spark: SparkSession) -> None:
    recipe = AlsRecipe(rank=2, iterations=2, blocks=2)

    one = fit(spark.createDataFrame(TASTES, SCHEMA), recipe)
    other = fit(spark.createDataFrame(TASTES[::-1], SCHEMA).repartition(3), recipe)

    for first, second in ((one.of_profiles, other.of_profiles), (one.of_titles, other.of_titles)):
        before, after = _by_id(first), _by_id(second)
        assert before.keys() == after.keys()
        for key in before:
            np.testing.assert_allclose(before[key], after[key], rtol=1e-6)


def test_where_nobody_liked_anything_the_setting_to_lower_is_named(spark: SparkSession) -> None:
    with pytest.raises(NothingLiked, match="wanted_from"):
        fit(spark.createDataFrame([(0, 0, 0.0)], SCHEMA), AlsRecipe())
