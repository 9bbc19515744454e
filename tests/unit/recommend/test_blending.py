"""A blend gets the weights and the penalty that did best where it was judged, or stays as it is configured."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import pytest

from cinelake.recommend.blending import MIXED, PENALTIES, SHARES, blended
from cinelake.recommend.model import Recipe
from cinelake.recommend.models.als import AlsRecipe
from cinelake.recommend.models.blend import BlendRecipe
from cinelake.recommend.models.ease import EaseRecipe
from cinelake.recommend.search import Judged, Setting
from cinelake.recommend.strengths import Weights
from cinelake.recommend.validation import Blocks

START = BlendRecipe(ease=EaseRecipe(penalty=50.0), weights={"als": 0.75, "ease": 0.25})
ALS = Setting(AlsRecipe(rank=3), Weights(half_life_days=30))


@dataclass(frozen=True)
class Scripted(Blocks):
    """Two blocks, of two profiles and of one, on which recipes fare as told."""

    fares: Callable[[Recipe], float] = lambda _: 0.5

    def together(self, recipes: Sequence[Recipe], weights: Weights) -> Iterator[list[Judged]]:
        assert weights == ALS.weights
        for profiles in (2, 1):
            yield [Judged(self.fares(recipe) * profiles, profiles) for recipe in recipes]


def test_what_did_best_is_taken() -> None:
    def fares(recipe: Recipe) -> float:
        if isinstance(recipe, EaseRecipe):
            return 1 / (1 + abs(recipe.penalty - 110))
        assert isinstance(recipe, BlendRecipe)
        assert recipe.als == ALS.recipe
        return 1 - abs(recipe.weights["als"] - 0.31) - recipe.ease.penalty / 1e4

    setting, outcome = blended(START, ALS, Scripted((), 10, fares))

    assert setting.recipe.weights == {"als": 0.3, "ease": 0.7}
    assert (setting.recipe.ease.penalty, setting.weights) == (100.0, ALS.weights)
    assert outcome.objective == "ndcg_at_10"
    assert outcome.mean == pytest.approx(1 - 0.01 - 0.01)
    assert outcome.configured_mean == pytest.approx(1 - 0.44 - 0.005)
    assert outcome.trials == len(PENALTIES) + len(SHARES) + len(MIXED) + 3


def test_a_mixture_of_tastes_is_added_to_the_best_of_the_others() -> None:
    def fares(recipe: Recipe) -> float:
        if isinstance(recipe, EaseRecipe):
            return 0.1
        assert isinstance(recipe, BlendRecipe)
        return 1 - abs(recipe.weights["als"] - 0.4) - abs(recipe.weights.get("mixture", 0) - 0.5)

    setting, outcome = blended(START, ALS, Scripted((), 10, fares))
    assert setting.recipe.weights == {"als": 0.2, "ease": 0.3, "mixture": 0.5}
    assert outcome.mean == pytest.approx(0.8)


def test_of_equals_what_is_configured_is_taken() -> None:
    setting, outcome = blended(START, ALS, Scripted((), 10))
    assert setting.recipe == START.model_copy(update={"als": ALS.recipe})
    assert outcome.mean == outcome.configured_mean == 0.5
