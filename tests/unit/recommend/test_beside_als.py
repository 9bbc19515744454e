"""What is tuned after ALS begins as long as there is time, is written down, and is not measured twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from unit.recommend.test_blending import found

from cinelake.recommend.beside_als import LINE, Beside, beside, measured
from cinelake.recommend.model import Recipe
from cinelake.recommend.models.blend import BlendRecipe
from cinelake.recommend.models.ease import EaseRecipe
from cinelake.recommend.models.hybrid import HybridRecipe
from cinelake.recommend.models.mixture import MixtureRecipe
from cinelake.recommend.search import Judged, Unrecorded
from cinelake.recommend.strengths import Weights
from cinelake.recommend.validation import Blocks

START = HybridRecipe(als=found().start.recipe, mixture=MixtureRecipe(classes=3))


@dataclass(frozen=True)
class Scripted(Blocks):
    """Two blocks on which EASE does best with a penalty of 100, and a blend with a tenth of ALS; `seen` are the kinds
    that were measured, in order.
    """

    seen: list[str] = field(default_factory=list)

    def together(self, recipes: Sequence[Recipe], weights: Weights) -> Iterator[list[Judged]]:
        self.seen.append(recipes[0].kind)
        for profiles in (2, 1):
            yield [Judged(_fares(recipe) * profiles, profiles) for recipe in recipes]


def _fares(recipe: Recipe) -> float:
    if isinstance(recipe, EaseRecipe):
        return 1 / (1 + abs(recipe.penalty - 100))
    if isinstance(recipe, BlendRecipe):
        return 1 - abs(recipe.weights["als"] - 0.1) - recipe.weights.get("mixture", 0)
    return 0.3


@dataclass
class Kept(Unrecorded):
    """A record in memory."""

    told: dict[str, Any] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    status: str = "RUNNING"

    def log_params(self, params: Any) -> None:
        self.told |= params

    def log_metrics(self, metrics: Any, step: int | None = None) -> None:
        self.told |= metrics

    def set_tags(self, tags: Any) -> None:
        self.tags |= tags

    def finish(self, status: str = "FINISHED", error: str | None = None) -> None:
        self.status = status


@dataclass
class Search:
    """Searches of the same inputs, one after the other; `runs` are the records of the newest."""

    runs: dict[str, Kept] = field(default_factory=dict)
    tags: list[dict[str, str]] = field(default_factory=list)

    def again(self, blocks: Blocks, is_over: Callable[[], bool] = lambda: False) -> Beside:
        self.runs = {}

        def record(kind: str) -> Kept:
            return self.runs.setdefault(kind, Kept())

        try:
            return beside(
                START, found(), blocks, is_over=is_over, earlier=measured(self.tags), record=record
            )
        finally:
            self.tags += [run.tags for run in self.runs.values() if run.status == "FINISHED"]


def test_each_line_is_written_down_with_what_it_found() -> None:
    search = Search()

    tuned = search.again(Scripted((), 10))

    assert list(search.runs) == ["hybrid", "ease", "item_item", "blend"]
    assert search.runs["ease"].told == {
        "ease.penalty": 100.0, "ndcg_at_10": 1.0, "configured.ndcg_at_10": pytest.approx(1 / 201),
    }  # fmt: skip
    assert tuned.left_out == ()
    # A blend is of the best EASE, and of tastes as they are configured.
    blend = tuned.found["blend"].setting.recipe
    assert (blend.ease.penalty, blend.mixture) == (100.0, START.mixture)
    assert search.runs["blend"].told["blend.als"] == 0.1


def test_no_line_begins_when_time_is_up_and_what_has_begun_is_finished() -> None:
    search, blocks = Search(), Scripted((), 10)

    tuned = search.again(blocks, lambda: len(blocks.seen) >= 1)

    # It is measured twice: beside the setting of ALS that was found, and as configured.
    assert blocks.seen == ["hybrid", "hybrid"]
    assert (list(tuned.found), tuned.left_out) == (["hybrid"], ("ease", "item_item", "blend"))
    assert list(search.runs) == ["hybrid"]


def test_a_search_again_measures_what_is_left_alone_and_finds_the_same() -> None:
    search, blocks = Search(), Scripted((), 10)
    whole = Search().again(Scripted((), 10))

    search.again(blocks, lambda: len(blocks.seen) >= 3)
    rest = Scripted((), 10)
    assert search.again(rest) == whole
    assert list(search.runs) == ["item_item", "blend"]
    assert set(rest.seen) == {"item_item", "blend"}
    # What is known takes no time.
    nothing = Scripted((), 10)
    assert search.again(nothing, lambda: True) == whole
    assert (nothing.seen, search.runs) == ([], {})


def test_a_line_that_fails_is_measured_again() -> None:
    class Broken(Scripted):
        def together(self, recipes: Sequence[Recipe], weights: Weights) -> Iterator[list[Judged]]:
            if recipes[0].kind == "ease":
                raise ConnectionAbortedError
            yield from super().together(recipes, weights)

    search = Search()
    with pytest.raises(ConnectionAbortedError):
        search.again(Broken((), 10))

    assert {kind: run.status for kind, run in search.runs.items()} == {
        "hybrid": "FINISHED", "ease": "FAILED",
    }  # fmt: skip
    assert LINE not in search.runs["ease"].tags
    search.again(Scripted((), 10))
    assert list(search.runs) == ["ease", "item_item", "blend"]
