"""Models get the weights and the penalty that did best where they were judged, or stay as they are configured."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import pytest

from cinelake.recommend.blending import (
    MIXED,
    OF_TASTES,
    PENALTIES,
    SHARES,
    SHRINKAGES,
    blended,
    penalised,
    shrunk,
    with_tastes,
)
from cinelake.recommend.model import Recipe
from cinelake.recommend.models.als import AlsRecipe
from cinelake.recommend.models.blend import BlendRecipe
from cinelake.recommend.models.ease import EaseRecipe
from cinelake.recommend.models.hybrid import HybridRecipe
from cinelake.recommend.models.item_item import ItemItemRecipe
from cinelake.recommend.search import Found, Judged, Setting, Space, Trial
from cinelake.recommend.strengths import Weights
from cinelake.recommend.validation import Blocks

START = BlendRecipe(ease=EaseRecipe(penalty=50.0), weights={"als": 0.75, "ease": 0.25})
ALS = Setting(AlsRecipe(rank=3), Weights(half_life_days=30))


@dataclass(frozen=True)
class Scripted(Blocks):
    """Two blocks, of two profiles and of one, on which recipes fare as told."""

    fares: Callable[[Recipe], float] = lambda _: 0.5

    def together(self, recipes: Sequence[Recipe], weights: Weights) -> Iterator[list[Judged]]:
        assert weights.half_life_days in (None, ALS.weights.half_life_days)
        for profiles in (2, 1):
            yield [Judged(self.fares(recipe) * profiles, profiles) for recipe in recipes]


def test_what_did_best_is_taken() -> None:
    def fares(recipe: Recipe) -> float:
        if isinstance(recipe, EaseRecipe):
            return 1 / (1 + abs(recipe.penalty - 110))
        assert isinstance(recipe, BlendRecipe)
        assert recipe.als == ALS.recipe
        return 1 - abs(recipe.weights["als"] - 0.31) - recipe.ease.penalty / 1e4

    ease, tried = penalised(START.ease, ALS, Scripted((), 10, fares))
    setting, outcome = blended(START, ease.recipe, ALS, Scripted((), 10, fares))

    # What EASE is tuned on is what it is fitted to.
    assert ease == Setting(EaseRecipe(penalty=100.0), ALS.weights)
    assert (tried.trials, tried.mean) == (1 + len(PENALTIES), pytest.approx(1 / 11))
    assert tried.configured_mean == pytest.approx(1 / 61)
    assert setting.recipe.weights == {"als": 0.3, "ease": 0.7}
    assert (setting.recipe.ease.penalty, setting.weights) == (100.0, ALS.weights)
    assert outcome.objective == "ndcg_at_10"
    assert outcome.mean == pytest.approx(1 - 0.01 - 0.01)
    assert outcome.configured_mean == pytest.approx(1 - 0.44 - 0.005)
    assert outcome.trials == len(SHARES) + len(MIXED) + 2


def test_a_mixture_of_tastes_is_added_to_the_best_of_the_others() -> None:
    def fares(recipe: Recipe) -> float:
        assert isinstance(recipe, BlendRecipe)
        return 1 - abs(recipe.weights["als"] - 0.4) - abs(recipe.weights.get("mixture", 0) - 0.5)

    setting, outcome = blended(START, START.ease, ALS, Scripted((), 10, fares))
    assert setting.recipe.weights == {"als": 0.2, "ease": 0.3, "mixture": 0.5}
    assert outcome.mean == pytest.approx(0.8)


def test_of_equals_what_is_configured_is_taken() -> None:
    setting, outcome = blended(START, EaseRecipe(), ALS, Scripted((), 10))
    assert setting.recipe == START.model_copy(update={"als": ALS.recipe})
    assert outcome.mean == outcome.configured_mean == 0.5
    assert penalised(START.ease, ALS, Scripted((), 10))[0].recipe == START.ease


def test_neighbours_get_the_shrinkage_that_did_best_on_what_als_learns_from() -> None:
    def fares(recipe: Recipe) -> float:
        assert isinstance(recipe, ItemItemRecipe)
        return 1 / (1 + abs(recipe.shrinkage - 29))

    start = ItemItemRecipe(neighbours=7)
    setting, outcome = shrunk(start, ALS, Scripted((), 10, fares))

    assert setting == Setting(ItemItemRecipe(neighbours=7, shrinkage=30.0), ALS.weights)
    # What is configured stands among those that are tried.
    assert outcome.trials == len(SHRINKAGES)
    assert outcome.mean == pytest.approx(1 / 2)
    assert outcome.configured_mean == pytest.approx(1 / 20)


def found() -> Found[AlsRecipe]:
    """Of two trials the second did better."""
    trials = (
        Trial(number=0, values={"rank": 8, "half_life_days": None}, means=(0.2,), pruned=False),
        Trial(number=1, values={"rank": 3, "half_life_days": 30.0}, means=(0.4,), pruned=False),
    )
    return Found(Setting(AlsRecipe(rank=8), Weights()), Space(), "ndcg_at_10", trials)


@pytest.mark.parametrize(("best", "share"), [(0.0, 0.0), (0.52, 0.5), (0.9, 0.7)])
def test_tastes_count_what_did_best_beside_the_setting_that_was_found(
    best: float, share: float
) -> None:
    def fares(recipe: Recipe) -> float:
        assert isinstance(recipe, HybridRecipe)
        return (0.4 if recipe.als.rank == 3 else 0.2) - abs(recipe.share - best) / 10

    start = HybridRecipe(als=AlsRecipe(rank=8), share=0.3)
    setting, outcome = with_tastes(start, found(), Scripted((), 10, fares))

    assert setting.recipe == HybridRecipe(als=AlsRecipe(rank=3), share=share)
    assert setting.weights.half_life_days == 30
    assert outcome.mean == pytest.approx(0.4 - abs(share - best) / 10)
    assert outcome.configured_mean == pytest.approx(0.2 - abs(0.3 - best) / 10)
    assert outcome.trials == 2 + len(OF_TASTES)


def test_what_was_configured_stays_where_nothing_is_better() -> None:
    def fares(recipe: Recipe) -> float:
        assert isinstance(recipe, HybridRecipe)
        return 0.2 if recipe.als.rank == 3 else 0.3

    start = HybridRecipe(als=AlsRecipe(rank=8), share=0.3)
    setting, outcome = with_tastes(start, found(), Scripted((), 10, fares))

    assert setting == Setting(start, Weights())
    assert outcome.mean == outcome.configured_mean == 0.3
