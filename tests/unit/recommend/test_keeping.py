"""A version keeps all that lists are made with, and titles that nobody has played are known by their content."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from unit.tables.rows import rows

from cinelake.recommend.cold_titles import ContentRecipe
from cinelake.recommend.content import SAID
from cinelake.recommend.fold_in import FoldedIn, Ridge
from cinelake.recommend.keeping import Kept, kept, known_by
from cinelake.recommend.lists import Known, histories
from cinelake.recommend.models.als import AlsRecipe
from cinelake.recommend.models.hybrid import Hybrid, HybridRecipe
from cinelake.recommend.models.mixture import MixtureRecipe
from cinelake.recommend.newness import Newness
from cinelake.recommend.search import Setting, UnknownSetting
from cinelake.recommend.strengths import Weights
from cinelake.tables.behaviour import TITLES

pytestmark = pytest.mark.thorough
THROUGH = date(2026, 3, 28)
PROFILES, KNOWN = 40, 16
RECIPE = HybridRecipe(
    als=AlsRecipe(rank=3, iterations=3, blocks=1),
    mixture=MixtureRecipe(classes=4, rank=2, iterations=2),
    share=0.4,
)
# Even profiles like even titles.
LIKED = np.random.default_rng(5).uniform(size=(PROFILES, KNOWN)) < np.where(
    (np.arange(PROFILES)[:, None] + np.arange(KNOWN)) % 2 == 0, 0.7, 0.1
)


@pytest.fixture(scope="module")
def interactions(spark: SparkSession) -> DataFrame:
    told = [
        (f"p{p:02}", p, f"t{t:02}", 100 - t, 1.0, True, "JP" if p % 4 > 1 else "US", THROUGH)
        for p, t in np.argwhere(LIKED).tolist()
    ]
    schema = (
        "profile_id string, profile_idx int, title_id string, title_idx int, strength float, is_seen boolean, "
        "market string, met_on date"
    )
    return spark.createDataFrame(told, schema).localCheckpoint()


@pytest.fixture(scope="module")
def said(spark: SparkSession) -> DataFrame:
    """What is known of titles, of two that came tomorrow and years ago, and of one of which nothing is told."""
    ages = {f"t{n:02}": 400 + n for n in range(KNOWN)} | {"new": -1, "old": 4000, "mute": -1}
    told = [
        {
            "title_id": title,
            "kind": "film",
            "themes": None if title == "mute" else ["Odd" if title[-1] in "13579" else "Even"],
            "release_date": THROUGH - timedelta(days=age),
        }
        for title, age in ages.items()
    ]
    return rows(spark, TITLES, *told).select("title_id", *SAID).localCheckpoint()


@pytest.fixture(scope="module")
def fitted(interactions: DataFrame) -> Hybrid:
    return RECIPE.fit(interactions)


@pytest.fixture(scope="module")
def stored(fitted: Hybrid, interactions: DataFrame, said: DataFrame) -> Kept:
    return kept(fitted, interactions, ContentRecipe(), said, THROUGH)


def again(stored: Kept, said: DataFrame, recipe: HybridRecipe = RECIPE, **tags: str) -> Known:
    told = Setting(recipe, Weights()).tags | dict(stored.tags) | tags
    return known_by(told, stored.frames.__getitem__, said, THROUGH)


def lists(model: FoldedIn, interactions: DataFrame, numbers: DataFrame) -> Mapping[Any, float]:
    made = model.lists(histories(interactions.drop("title_idx"), numbers), KNOWN)
    return {(row.profile_id, row.title_id): row.score for row in made.collect()}


def test_lists_of_a_version_are_those_of_the_fit(
    fitted: Hybrid, stored: Kept, interactions: DataFrame, said: DataFrame
) -> None:
    numbers = interactions.select("title_id", "title_idx").distinct()
    known = again(stored, said)
    warm = known.titles.where(~F.col("is_cold")).join(numbers, on="title_id", how="inner")

    found = lists(FoldedIn(warm, known.fold), interactions, numbers)

    expected = lists(fitted.model, interactions, numbers)
    assert len(expected) > PROFILES
    assert found == pytest.approx(expected, rel=1e-9)


def test_titles_of_the_catalogue_are_known_by_what_is_said_of_them(
    stored: Kept, said: DataFrame
) -> None:
    newness = Newness(slope=2.0, usual=0.25, days=30.0).model_dump_json()

    plain, newer = (
        {row.title_id: row for row in again(stored, said, **tags).titles.collect()}
        for tags in ({}, {"content.newness": newness})
    )

    assert {title for title, row in plain.items() if row.is_cold} == {"new", "old"}
    assert {len(row.factors) for row in plain.values()} == {3 + 2 + 1}
    assert plain["new"].is_new
    assert not plain["old"].is_new
    # Both are said to be the same; the length of the one's factors of ALS is that of known titles.
    np.testing.assert_allclose(plain["new"].factors[3:], plain["old"].factors[3:], rtol=1e-6)
    moved = {title: np.subtract(newer[title].factors, plain[title].factors) for title in newer}
    np.testing.assert_allclose(moved["new"], [*[0] * 5, 2.0 * (1 - 0.25)], atol=1e-5)
    np.testing.assert_allclose(moved["old"], [*[0] * 5, -2.0 * 0.25], atol=1e-5)
    assert all((change == 0).all() for title, change in moved.items() if title[0] == "t")


def test_als_alone_is_kept_as_ever(interactions: DataFrame, said: DataFrame) -> None:
    alone = RECIPE.model_copy(update={"share": 0.0})

    stored = kept(alone.fit(interactions), interactions, ContentRecipe(), said, THROUGH)

    assert stored.frames.keys() == {"titles", "content"}
    known = again(stored, said, alone)
    assert known.fold == Ridge(alone.als.alpha, alone.als.reg_param)
    assert {len(row.factors) for row in known.titles.collect()} == {3}


def test_a_version_of_another_kind_is_refused(stored: Kept, said: DataFrame) -> None:
    with pytest.raises(UnknownSetting, match="hybrid"):
        known_by(
            {"recipe": AlsRecipe().model_dump_json()}, stored.frames.__getitem__, said, THROUGH
        )
