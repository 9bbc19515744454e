"""What the titles of a history add to a score sums to the score, and the reasons are those that add most."""

from __future__ import annotations

import numpy as np
import pytest
from pyspark.sql import DataFrame, SparkSession
from unit.tables.rows import rows

from cinelake.recommend.content import SAID
from cinelake.recommend.explain import Said, with_reasons
from cinelake.recommend.fold_in import FoldedIn, Ridge
from cinelake.recommend.hybrid_fold import HybridFold
from cinelake.recommend.lists import histories
from cinelake.recommend.models.als import AlsRecipe
from cinelake.recommend.taste_fold import TasteFold
from cinelake.tables.behaviour import TITLES

RECIPE = AlsRecipe(rank=4, alpha=2.0, reg_param=0.1, iterations=3, blocks=2)
RIDGE = Ridge(RECIPE.alpha, RECIPE.reg_param)


@pytest.fixture(scope="module")
def interactions(spark: SparkSession) -> DataFrame:
    random = np.random.default_rng(2)
    told = [
        (f"p{p:02}", p, f"t{t:02}", 40 - t, 1.0, True)
        for p in range(20)
        for t in random.choice(np.arange(p % 2, 24, 2), 6, replace=False).tolist()
    ]
    schema = "profile_id string, profile_idx int, title_id string, title_idx int, strength float, is_seen boolean"
    return spark.createDataFrame(told, schema).localCheckpoint()


def test_contributions_are_those_of_the_equation() -> None:
    random = np.random.default_rng(1)
    titles = random.normal(size=(30, 5))
    liked = titles[[3, 8, 21]]
    added = RIDGE.among(titles).contributions(titles, liked, None)
    system = titles.T @ titles + 2.0 * liked.T @ liked + 0.1 * 3 * np.eye(5)
    profile = np.linalg.solve(system, 3.0 * liked.sum(axis=0))
    np.testing.assert_allclose(added.sum(axis=1), titles @ profile, rtol=1e-12)
    assert added.shape == (30, 3)


@pytest.mark.thorough
def test_reasons_add_up_to_the_score_and_the_most_comes_first(interactions: DataFrame) -> None:
    model = FoldedIn(RECIPE.fit(interactions).of_titles, RIDGE)
    numbers = interactions.select("title_id", "title_idx").distinct()
    history = histories(interactions.drop("title_idx"), numbers)
    lists = model.lists(history, 5)
    liked = {
        (row.profile_id, row.title_id)
        for row in interactions.select("profile_id", "title_id").collect()
    }
    said = rows(interactions.sparkSession, TITLES).select("title_id", *SAID)
    everything = with_reasons(lists, history, model, 100, said).collect()
    assert len(everything) == 20 * 5
    for row in everything:
        given = [reason.contribution for reason in row.because]
        assert given == sorted(given, reverse=True)
        assert {(row.profile_id, reason.title_id) for reason in row.because} <= liked
        # What takes away is no reason, but is told beside them; factors of ALS give nothing to everybody.
        assert sum(given) + row.by_others == pytest.approx(row.score, abs=1e-9)
        assert row.by_others <= 0
        assert row.for_everybody == pytest.approx(0, abs=1e-9)
        if len(given) == 6:
            assert row.by_others == 0
    assert sum(len(row.because) == 6 for row in everything) > 10
    kept = {(r.profile_id, r.rank, r.title_id): r.score for r in everything}
    assert kept == {(r.profile_id, r.rank, r.title_id): r.score for r in lists.collect()}
    few = with_reasons(lists, history, model, 2, said).where("rank = 1").collect()
    first = {row.profile_id: row.because for row in everything if row.rank == 1}
    assert all(row.because == first[row.profile_id][:2] for row in few)
    for row in few:
        assert len(row.because) == 2
        shown = sum(reason.contribution for reason in row.because)
        assert shown + row.by_others + row.for_everybody == pytest.approx(row.score, abs=1e-9)


def test_beside_a_reason_stands_what_is_said_of_both_the_rarest_first(spark: SparkSession) -> None:
    said = rows(
        spark,
        TITLES,
        {"title_id": "heat", "genres": ["Crime", "Drama"], "moods": ["Tense"], "themes": ["heist", "police"]},
        {"title_id": "ronin", "genres": ["Crime", "Drama"], "moods": ["Tense"], "themes": ["heist"], "cast": ["N"]},
        {"title_id": "up", "genres": ["Drama"], "moods": ["Tense"], "cast": ["N"]},
        {"title_id": "odd", "genres": ["Drama"], "moods": ["drama"]},
    ).select("title_id", *SAID)  # fmt: skip
    titles = spark.createDataFrame(
        [("heat", 7, [1.0, 0.1]), ("mute", 5, [0.9, 0.2]), ("ronin", 3, [0.8, 0.3]), ("up", 1, [0.85, 0.15])],
        "title_id string, title_idx int, factors array<float>",
    )  # fmt: skip
    model = FoldedIn(titles, RIDGE)
    history = spark.createDataFrame(
        [("ann", [3, 5, 1], [3, 5, 1])], "profile_id string, seen array<int>, liked array<int>"
    )

    (row,) = with_reasons(model.lists(history, 1), history, model, 3, said).collect()

    assert row.title_id == "heat"
    shared = dict(zip((reason.title_id for reason in row.because), row.shared, strict=True))
    assert shared == {
        # Of the four that they share those that fewest have; the cast is told by no facet of these.
        "ronin": ["genre Crime", "theme heist", "mood Tense"],
        "mute": [],
        "up": ["mood Tense", "genre Drama"],
    }
    # In the order of their ids: heat is the first, ronin the third.
    told = Said.of(said, model.catalogue().ids)
    assert (told.shared(0, 0), told.shared(2, 0)) == ([], shared["ronin"])


def test_a_history_folded_in_has_the_factors_of_the_fit(interactions: DataFrame) -> None:
    model = RECIPE.fit(interactions)
    numbers = interactions.select("title_id", "title_idx").distinct()
    history = histories(interactions.drop("title_idx"), numbers)
    folded = FoldedIn(model.of_titles, RIDGE).profiles(history)
    fitted = {row.profile_id: row.factors for row in model.of_profiles.collect()}
    assert folded.count() == len(fitted) == 20
    for row in folded.collect():
        np.testing.assert_allclose(row.factors, fitted[row.profile_id], atol=1e-4)


def test_who_likes_nothing_that_the_model_knows_is_left_out(interactions: DataFrame) -> None:
    model = FoldedIn(RECIPE.fit(interactions).of_titles, RIDGE)
    told = [("new", [], [39]), ("odd", [], [7]), ("none", [], []), ("mixed", [], [39, 7])]
    columns = "profile_id string, seen array<int>, liked array<int>"
    history = interactions.sparkSession.createDataFrame(told, columns)
    found = {row.profile_id: row.factors for row in model.profiles(history).collect()}
    assert found.keys() == {"new", "mixed"}
    assert found["new"] == found["mixed"]


def test_what_tastes_offer_to_everybody_is_told_beside_the_reasons(spark: SparkSession) -> None:
    """With tastes a score has a part that no history gave; the rest is by the titles liked, those not named, too."""
    random = np.random.default_rng(4)
    tastes = TasteFold(random.normal(size=(3, 2)), np.log([0.5, 0.3, 0.2]), np.zeros((1, 3)), ())
    of_titles = random.normal(size=(9, 5))
    titles = spark.createDataFrame(
        [(f"t{n}", n, factors) for n, factors in enumerate(of_titles.tolist())],
        "title_id string, title_idx int, factors array<double>",
    )
    model = FoldedIn(titles, HybridFold(RIDGE, tastes, 0.5))
    history = spark.createDataFrame(
        [("ann", [0, 1, 2], [0, 1, 2])], "profile_id string, seen array<int>, liked array<int>"
    )
    said = rows(spark, TITLES).select("title_id", *SAID)

    found = with_reasons(model.lists(history, 6), history, model, 1, said).collect()

    held = np.array(spark_factors(titles))
    folding = HybridFold(RIDGE, tastes, 0.5).among(held)
    by_title = folding.contributions(held, held[:3], None)
    assert len(found) == 6
    assert any(abs(row.for_everybody) > 0.01 for row in found)
    for row in found:
        of_history = by_title[int(row.title_id[1:])]
        shown = sum(reason.contribution for reason in row.because)
        assert shown + row.by_others == pytest.approx(of_history.sum(), abs=1e-6)
        assert shown + row.by_others + row.for_everybody == pytest.approx(row.score, abs=1e-9)


def spark_factors(titles: DataFrame) -> list[list[float]]:
    return [row.factors for row in titles.orderBy("title_id").collect()]
