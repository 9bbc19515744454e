"""Titles hidden from training are nowhere in the fit, and lists are judged by who likes them all the same."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any, ClassVar

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from cinelake.recommend import hidden_titles
from cinelake.recommend.cold_titles import ContentRecipe
from cinelake.recommend.hidden_titles import Hiding, judged, measured
from cinelake.recommend.hybrid_fold import HybridFold
from cinelake.recommend.keeping import known_by
from cinelake.recommend.lists import Known
from cinelake.recommend.models.als import NamedFactors
from cinelake.recommend.models.hybrid import Hybrid, HybridRecipe

KNOWN = "profile_id string, profile_idx int, title_id string, title_idx int, strength float, is_seen boolean"
SAID = (
    "title_id string, kind string, genres array<string>, moods array<string>, themes array<string>, "
    "directors array<string>, cast array<string>, language string, pace string, maturity int, synopsis string, "
    "release_date date"
)
SMALL = {
    "als": {"rank": 2, "reg_param": 0.1, "iterations": 3, "blocks": 1},
    "mixture": {"classes": 4, "rank": 1, "iterations": 4, "penalty": 1.0},
}
THROUGH = date(2026, 3, 31)
HIDING = Hiding(share=0.3, seed=8, k=3)


class Spied(HybridRecipe):
    """The model of lists that remembers which titles it was fitted to."""

    kind: ClassVar[str] = "spied"
    seen: ClassVar[set[str]] = set()

    def fit(self, interactions: DataFrame, *_: object) -> Hybrid:
        rows = interactions.select("title_id").distinct().collect()
        self.seen.update(row.title_id for row in rows)
        return super().fit(interactions)


@pytest.fixture(scope="module")
def known(spark: SparkSession) -> DataFrame:
    """Profiles like most titles of their parity: so content tells who likes a title."""
    told = [
        (f"p{p:02}", p, f"t{t:02}", t, 1.0, True)
        for p in range(20)
        for t in range(p % 2, 30, 2)
        if (p + t) % 7
    ]
    return spark.createDataFrame(told, KNOWN).localCheckpoint()


@pytest.fixture(scope="module")
def titles(spark: SparkSession) -> DataFrame:
    """Every sixth title says nothing of itself."""
    genres = [["even" if t % 2 == 0 else "odd"] if t % 6 else [] for t in range(30)]
    old = THROUGH - timedelta(days=400)
    rows = [(f"t{t:02}", "film", names, *[None] * 8, old) for t, names in enumerate(genres)]
    return spark.createDataFrame(rows, SAID)


@pytest.mark.thorough
def test_recall_and_what_chance_would_find(spark: SparkSession) -> None:
    train = spark.createDataFrame(
        [
            ("ann", 0, "old", 0, 1.0, True),
            ("ben", 1, "old", 0, 1.0, True),
            # Seen and in the catalogue: ben has one title less to find.
            ("ben", 1, "dull", 1, 0.0, True),
            ("ben", 1, "gone", 2, 0.0, True),
        ],
        KNOWN,
    )
    profiles = spark.createDataFrame(
        [("ann", [1.0, 0.0]), ("ben", [0.0, 1.0])], "profile_id string, factors array<float>"
    )
    catalogue = spark.createDataFrame(
        [
            ("old", [0.9, 0.9], False),
            ("dull", [0.5, 0.5], False),
            ("fine", [0.6, 0.7], False),
            ("new", [0.8, 0.1], True),
            ("newer", [0.7, 0.2], True),
        ],
        "title_id string, factors array<float>, is_hidden boolean",
    )
    # Nothing is told of `mute`, so nobody can find it.
    wanted = spark.createDataFrame(
        [("ann", "new"), ("ann", "mute"), ("ben", "newer")], "profile_id string, title_id string"
    )

    found = judged(train, wanted, lambda titles: NamedFactors(profiles, titles, 2), catalogue, 1)

    # Ann is shown `new`, one of her two; ben is shown `fine`.
    assert found["recall_at_1"] == pytest.approx((1 / 2 + 0) / 2)
    # Ann has not seen four, of which one is hers to find; ben three.
    assert found["random_recall_at_1"] == pytest.approx((1 / 2 * 1 / 4 + 1 / 3) / 2)
    assert found["lift"] == pytest.approx((1 / 4) / ((1 / 8 + 1 / 3) / 2))
    # One of two hidden titles takes ann's place, and none takes ben's.
    assert found["shuffled_recall_at_1"] == pytest.approx((1 / 2 * 1 / 2 + 0) / 2)
    assert found["lift_over_shuffled"] == pytest.approx((1 / 4) / (1 / 8))
    assert (found["profiles"], found["titles"], found["titles_without_factors"]) == (2, 3, 1)
    assert (found["share_of_catalogue"], found["share_of_lists"]) == (2 / 5, 1 / 2)


@pytest.mark.thorough
def test_hidden_titles_are_in_no_fit_and_are_found_by_their_content(
    known: DataFrame, titles: DataFrame
) -> None:
    hidden = {row.title_id for row in titles.where(HIDING.is_hidden()).collect()}
    mute = {f"t{t:02}" for t in range(0, 30, 6)} & hidden
    assert len(hidden) in range(5, 14)
    assert mute

    recipe = Spied.model_validate(SMALL)
    found = measured(known, titles, recipe, ContentRecipe(), HIDING, THROUGH)

    assert Spied.seen == {f"t{t:02}" for t in range(30)} - hidden
    assert found["cold_titles.titles"] == len(hidden)
    assert found["cold_titles.titles_without_factors"] == len(mute)
    assert found["cold_titles.lift"] > 1.5
    assert found["cold_titles.lift_over_shuffled"] > 1.2
    assert found["cold_titles.profiles"] == 20


def test_nothing_is_measured_where_nothing_is_hidden_or_nobody_could_be_asked(
    known: DataFrame, titles: DataFrame
) -> None:
    recipe, content = HybridRecipe.model_validate(SMALL), ContentRecipe()
    assert measured(known, titles, recipe, content, Hiding(share=0.0), THROUGH) == {}
    only_hidden = known.where(HIDING.is_hidden() | (F.col("strength") <= 0)).localCheckpoint()
    assert measured(only_hidden, titles, recipe, content, HIDING, THROUGH) == {}


@pytest.mark.thorough
def test_hidden_titles_are_placed_as_new_ones_are_by_the_model_of_lists(
    known: DataFrame, titles: DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Of what they like, profiles have met half, so that there is something for hidden titles to compete with.
    half = known.where((F.col("profile_idx") + F.floor(F.col("title_idx") / 2)) % 2 == 0)
    few = half.localCheckpoint()

    def lists(exploration: float, share: float) -> dict[str, float]:
        recipe = HybridRecipe.model_validate(SMALL | {"share": share})
        content = ContentRecipe(exploration=exploration)
        return measured(few, titles, recipe, content, HIDING, THROUGH)

    # What nobody likes is as long as what is liked, if it counts as new: titles of years ago do, once hidden.
    best_guess, stretched = lists(0.0, 0.0), lists(1.0, 0.0)
    assert stretched["cold_titles.share_of_lists"] > best_guess["cold_titles.share_of_lists"]
    # Tastes count in these lists as they do in those that are served.
    with monkeypatch.context() as patch:
        taken_up: list[Known] = []

        def spied(*version: Any) -> Known:
            taken_up.append(known_by(*version))
            return taken_up[-1]

        patch.setattr(hidden_titles, "known_by", spied)
        lists(1.0, 0.7)
    (model,) = taken_up
    assert isinstance(model.fold, HybridFold)
    assert model.fold.share == 0.7
