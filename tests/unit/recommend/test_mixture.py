"""A mixture of tastes is fitted where profiles are, scores by what is expected of them, and takes in who is new."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from scipy.sparse import csr_array

from cinelake.recommend.lists import histories
from cinelake.recommend.model import Fitted
from cinelake.recommend.models.mixture import UNIT, MixtureRecipe, Tastes
from cinelake.recommend.on_offer import offered
from cinelake.recommend.taste_classes import Classes, Evidence, Sums

PROFILES, TITLES = 40, 12
RECIPE = MixtureRecipe(classes=3, rank=2, penalty=1.0, iterations=2)
# Even profiles like even titles; the last third of the titles is not on offer in Japan.
DRAWN = np.random.default_rng(5).uniform(size=(PROFILES, TITLES))
IN_JAPAN = np.arange(PROFILES) % 4 > 1
WANTED = np.where((np.arange(PROFILES)[:, None] + np.arange(TITLES)) % 2 == 0, 0.7, 0.1)
LIKED = WANTED > DRAWN
LIKED[:, 8:] &= ~IN_JAPAN[:, None]


@pytest.fixture(scope="module")
def interactions(spark: SparkSession) -> DataFrame:
    """Numbers of titles are not in the order of their ids; title 3 came on the second day."""
    told = [
        (
            f"p{p:02}", p, f"t{t:02}", 100 - t, 1.0, True, "JP" if IN_JAPAN[p] else "US",
            date(2026, 3, 2) + timedelta(days=int(t == 3 or p > 30)),
        )
        for p, t in np.argwhere(LIKED).tolist()
    ]  # fmt: skip
    schema = (
        "profile_id string, profile_idx int, title_id string, title_idx int, strength float, is_seen boolean, "
        "market string, met_on date"
    )
    return spark.createDataFrame(told, schema).localCheckpoint()


@pytest.fixture(scope="module")
def fitted(interactions: DataFrame) -> Tastes:
    return RECIPE.fit(interactions)


def scores(model: Fitted, interactions: DataFrame) -> dict[tuple[str, str], float]:
    numbers = interactions.select("title_id", "title_idx").distinct()
    listed = model.lists(histories(interactions.drop("title_idx"), numbers), TITLES)
    return {(row.profile_id, row.title_id): row.score for row in listed.collect()}


def by_hand(interactions: DataFrame) -> tuple[Classes, np.ndarray]:
    """The same fit of matrices, and the posteriors that come of it."""
    reach = offered(interactions, ["JP", "US"], 100 - np.arange(TITLES)) ** RECIPE.making_up
    chosen, market = LIKED.astype(float), np.where(IN_JAPAN, 0, 1)
    found = Classes.at_random(chosen.sum(axis=0), reach, 3, 2, 1.0, RECIPE.seed)
    for _ in range(RECIPE.iterations):
        told = Evidence.of(found).posteriors(csr_array(chosen), market)
        told = np.round(told / UNIT) * UNIT
        lengths = told * chosen.sum(axis=1, keepdims=True)
        of_market = np.stack([lengths[market == m].sum(axis=0) for m in (0, 1)])
        found = found.better(Sums(told.T @ chosen, of_market, told.sum(axis=0)))
    return found, Evidence.of(found).posteriors(csr_array(chosen), market)


def test_a_fit_is_that_of_matrices_and_scores_are_expected_utilities(
    fitted: Tastes, interactions: DataFrame
) -> None:
    expected, posteriors = by_hand(interactions)
    assert fitted.classes.utilities == pytest.approx(expected.utilities, rel=1e-9)
    utilities = posteriors @ expected.utilities
    assert scores(fitted, interactions) == pytest.approx(
        {
            (f"p{p:02}", f"t{t:02}"): utilities[p, t]
            for p in range(PROFILES)
            for t in range(TITLES)
            if not LIKED[p, t] and LIKED[p].any()
        },
        # The titles' factors are kept in single precision.
        abs=1e-5,
    )


def test_a_fit_does_not_depend_on_how_rows_lie(fitted: Tastes, interactions: DataFrame) -> None:
    again = RECIPE.fit(interactions.repartition(5, "title_id").localCheckpoint())
    assert np.array_equal(again.classes.utilities, fitted.classes.utilities)


def test_who_is_new_likes_what_those_alike_like(spark: SparkSession, fitted: Tastes) -> None:
    rows = [
        # No market of the fit, titles that it does not know, and one that it does.
        ("new", [96, 7], [96, 7], "FR"),
        ("nothing", [96], [], "US"),
    ]
    schema = "profile_id string, seen array<int>, liked array<int>, market string"
    (row,) = fitted.profiles(spark.createDataFrame(rows, schema)).collect()
    history = np.zeros((1, TITLES))
    history[0, 4] = 1
    alike = Evidence.of(fitted.classes).posteriors(csr_array(history), np.array([-1]))[0]
    assert (row.profile_id, row.market) == ("new", "FR")
    assert row.tastes == pytest.approx([*(alike @ fitted.classes.classes), 1.0], abs=1e-5)


@pytest.mark.thorough
def test_without_markets_and_days_everything_is_taken_for_on_offer(interactions: DataFrame) -> None:
    plain = interactions.drop("market", "met_on")
    model = MixtureRecipe(classes=2, rank=1, iterations=1).fit(plain)
    alike = interactions.withColumns(
        {"market": F.lit("unknown"), "met_on": F.lit("2026-03-02").cast("date")}
    )
    same = MixtureRecipe(classes=2, rank=1, iterations=1).fit(alike)
    assert np.array_equal(model.classes.utilities, same.classes.utilities)
    numbers = plain.select("title_id", "title_idx").distinct()
    people = model.profiles(histories(plain.drop("title_idx"), numbers))
    assert people.count() == int(LIKED.any(axis=1).sum())
