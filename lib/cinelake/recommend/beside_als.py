"""What is tuned once a setting of ALS is found: each other kind of model on a line of its own (blending.py).

A limit in time ends the trials of ALS when half of it is spent, and begins no line after it; what has begun is
finished, and what is left out stays as it was. What a line has measured is written down, by the recipes and the
strengths that it measured, so that no rerun of the same search measures it again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from cinelake.recommend.blending import blended, penalised, shrunk, with_tastes
from cinelake.recommend.model import Recipe
from cinelake.recommend.models.als import AlsRecipe
from cinelake.recommend.models.blend import BlendRecipe
from cinelake.recommend.models.ease import EaseRecipe
from cinelake.recommend.models.hybrid import HybridRecipe
from cinelake.recommend.models.item_item import ItemItemRecipe
from cinelake.recommend.search import Found, Judged, Outcome, Record, Setting, Unrecorded
from cinelake.recommend.strengths import Weights
from cinelake.recommend.validation import Blocks

# Of the time for a search, what is for ALS; the rest is for what is tuned after it.
SHARE_OF_ALS = 0.5
# First the model of lists; a blend comes after EASE, of which it is made.
BESIDE = ("hybrid", "ease", "item_item", "blend")
# The tag under which what a line has measured is found again.
LINE = "line"

# How each recipe fared on all blocks together, by what was measured.
Measured = Mapping[str, Sequence[Judged]]


class Tuned(NamedTuple):
    """The best setting of a kind, and how it fared."""

    setting: Setting[Any]
    outcome: Outcome


@dataclass(frozen=True)
class Beside:
    """What was found by kind, and for which kinds nothing was looked for, since time was up."""

    found: Mapping[str, Tuned]
    left_out: tuple[str, ...]


def beside(
    start: HybridRecipe,
    als: Found[AlsRecipe],
    blocks: Blocks,
    *,
    is_over: Callable[[], bool],
    earlier: Measured | None = None,
    record: Callable[[str], Record] = lambda _: Unrecorded(),
    tell: Callable[[int, str], None] = lambda *_: None,
) -> Beside:
    """Tune the other kinds, one after the other, for as long as there is time; `start` is what is configured.

    `record` opens the record of a line by its kind, unless `earlier` ones tell all that it would measure; `tell` hears
    how many lines are done.
    """
    setting, found, left_out = als.setting, dict[str, Tuned](), list[str]()

    def ease() -> EaseRecipe:
        tuned = found.get("ease")
        return tuned.setting.recipe if tuned else EaseRecipe()

    lines: Mapping[str, Callable[[Blocks], tuple[Setting[Any], Outcome]]] = {
        "hybrid": lambda on: with_tastes(start, als, on),
        "ease": lambda on: penalised(EaseRecipe(), setting, on),
        "item_item": lambda on: shrunk(ItemItemRecipe(), setting, on),
        "blend": lambda on: blended(BlendRecipe(mixture=start.mixture), ease(), setting, on),
    }
    for number, kind in enumerate(BESIDE, start=1):
        line = Line(blocks.asked, blocks.k, blocks, kind, is_over, earlier or {}, record)
        try:
            found[kind] = Tuned(*lines[kind](line))
        except TimeIsUp:
            left_out.append(kind)
            continue
        except BaseException as error:
            line.fail(error)
            raise
        line.finish(found[kind])
        fared = found[kind].outcome
        tell(number, f"{kind}, {fared.objective} {fared.mean:.4f}")
    return Beside(found, tuple(left_out))


def chosen_values(recipe: Recipe) -> dict[str, float]:
    """What was chosen on the line of a recipe, by name."""
    if isinstance(recipe, HybridRecipe):
        return {"share_of_tastes": recipe.share}
    if isinstance(recipe, BlendRecipe):
        weights = {f"blend.{name}": weight for name, weight in recipe.weights.items()}
        return {"blend.ease.penalty": recipe.ease.penalty} | weights
    if isinstance(recipe, EaseRecipe):
        return {"ease.penalty": recipe.penalty}
    assert isinstance(recipe, ItemItemRecipe)
    return {"item_item.shrinkage": recipe.shrinkage}


def measured(tags: Sequence[Mapping[str, str]]) -> Measured:
    """What lines have measured, from the tags of their finished runs."""
    found: dict[str, list[Judged]] = {}
    for each in tags:
        for name, judged in json.loads(each.get(LINE, "{}")).items():
            found.setdefault(name, [Judged(*one) for one in judged])
    return found


class TimeIsUp(Exception):
    """No line begins any more."""


@dataclass(frozen=True)
class Line(Blocks):
    """The blocks `on`, taken together, for one line: what was measured `earlier` is not measured again."""

    on: Blocks
    kind: str
    is_over: Callable[[], bool]
    earlier: Measured
    record: Callable[[str], Record]
    # Opened when there is something to measure: one at most.
    opened: list[Record] = field(default_factory=list)
    measured: dict[str, list[Judged]] = field(default_factory=dict)

    def together(self, recipes: Sequence[Recipe], weights: Weights) -> Iterator[list[Judged]]:
        """All blocks as one. Raises TimeIsUp before the first of a line."""
        name = _name_of(recipes, weights)
        if name in self.earlier:
            yield list(self.earlier[name])
            return
        if not self.opened:
            if self.is_over():
                raise TimeIsUp
            self.opened.append(self.record(self.kind))
        totals, profiles = [0.0] * len(recipes), 0
        for judged in self.on.together(recipes, weights):
            totals = [total + one.total for total, one in zip(totals, judged, strict=True)]
            profiles += judged[0].profiles
        self.measured[name] = [Judged(total, profiles) for total in totals]
        yield self.measured[name]

    def finish(self, tuned: Tuned) -> None:
        """Write down what was measured, and what came of it."""
        fared = tuned.outcome
        for kept in self.opened:
            kept.log_params(chosen_values(tuned.setting.recipe))
            means = {"": fared.mean, "configured.": fared.configured_mean}
            kept.log_metrics({f"{of}{fared.objective}": mean for of, mean in means.items()})
            kept.set_tags({LINE: json.dumps(self.measured)})
            kept.finish()

    def fail(self, error: BaseException) -> None:
        """Write down why nothing came of it."""
        for kept in self.opened:
            kept.finish("FAILED", f"{type(error).__name__}: {error}")


def _name_of(recipes: Sequence[Recipe], weights: Weights) -> str:
    told = [[recipe.kind, recipe.model_dump_json()] for recipe in recipes]
    return hashlib.sha256(json.dumps([told, weights.model_dump_json()]).encode()).hexdigest()[:16]
