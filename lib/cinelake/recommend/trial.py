"""All kinds of model on one data set, to be set against what others publish.

With settings as they come; or, of ALS, EASE and their blend, the best that a search finds within what the protocol
trains on: it is split again in the same way, and what is held out for the measures is never seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from pyspark.sql import DataFrame
from rich.console import Group, RenderableType
from rich.text import Text

from cinelake.behaviour.history import latest
from cinelake.persisted import persisted
from cinelake.recommend.blending import blended, with_tastes
from cinelake.recommend.evaluation import named
from cinelake.recommend.holdout import temporal_holdouts
from cinelake.recommend.model import Recipe, kinds
from cinelake.recommend.models.als import AlsRecipe
from cinelake.recommend.models.blend import BlendRecipe
from cinelake.recommend.models.hybrid import HybridRecipe
from cinelake.recommend.protocols import PROTOCOLS, Split
from cinelake.recommend.scoreboard import scoreboard
from cinelake.recommend.search import Between, Budget, Found, Setting, Space, search
from cinelake.recommend.strengths import Weights
from cinelake.recommend.training import Comparison, compare, rivals
from cinelake.recommend.validation import NothingToSearchOn, validation

# Blocks of days, one before the other, that settings are told apart on.
BLOCKS = 3
# No scale has a rating below it.
EVERY_RATING = 0.5
Tell = Callable[[int, int, str], None]


class NothingToMeasure(ValueError):
    """A data set cannot be split so that anything can be measured; the message says why."""


@dataclass(frozen=True)
class Protocol:
    """How something is held out, what is measured of it, and how many settings of ALS are tried before."""

    name: str
    share: float
    seed: int
    k: int
    like_from: float
    tune: int = 0


def liked_from(protocol: str, told: float | None = None) -> float:
    """The rating from which a title counts as liked, where nobody told.

    Those who publish tables by the random and the leave-last-out protocol hold out ratings of any height, and want each
    of them (Microsoft Recommenders; He et al. 2017 and what followed); a cut in time asks for what people came to like.
    """
    if told is not None:
        return told
    return Weights().like_from if protocol == "temporal" else EVERY_RATING


@dataclass(frozen=True)
class Tuned:
    """The search for a setting of ALS, and the hybrid and the blend that did best with what it found."""

    als: Found[AlsRecipe]
    hybrid: HybridRecipe
    blend: BlendRecipe


@dataclass(frozen=True)
class Evaluation:
    """How all kinds fared, and the search for settings before it, if there was one."""

    comparison: Comparison
    tuned: Tuned | None = None


def evaluated(
    told: DataFrame, titles: DataFrame, protocol: Protocol, tell: Tell = lambda *_: None
) -> Evaluation:
    """Every kind of model on rows of `title_signals` with `profile_idx, title_idx`, and the change rows of titles.

    `tell` hears how far a search is. Raises NothingToMeasure.
    """
    weights = Weights(like_from=protocol.like_from)
    setting, tuned = Setting(AlsRecipe(), weights), None
    with persisted(told) as signals:
        split = PROTOCOLS[protocol.name](signals, protocol.share, protocol.seed)
        if split is None:
            raise NothingToMeasure(
                "there is nothing to hold out: no signals, or all of one day, which a cut in time cannot part; "
                "--protocol random can"
            )
        settled: dict[str, Recipe] = {"als": setting.recipe}
        if protocol.tune:
            tuned = _tuned(split.train, setting, protocol, tell)
            setting = tuned.als.setting
            settled = {
                "als": setting.recipe, "ease": tuned.blend.ease,
                "hybrid": tuned.hybrid, "blend": tuned.blend,
            }  # fmt: skip
        recipes = rivals([name for name in kinds() if name != "popular"], settled)
        found = compare(
            [split],
            recipes,
            weights=weights,
            k=protocol.k,
            genres=latest(titles, ["title_id"], "genres"),
            learned=dict.fromkeys(("als", "hybrid", "blend"), setting.weights),
        )
    if not found.measures:
        raise NothingToMeasure(
            "no profile liked something before and something new after; lower --like-from or change --test"
        )
    return Evaluation(found, tuned)


def _tuned(train: DataFrame, start: Setting[AlsRecipe], protocol: Protocol, tell: Tell) -> Tuned:
    try:
        with (
            persisted(train) as kept,
            _inner(kept, protocol) as splits,
            validation(splits, start.weights, protocol.k) as blocks,
        ):
            found = search(
                start,
                space_of(protocol.name, start.weights),
                blocks.judge,
                Budget(protocol.tune),
                objective=blocks.objective,
                seed=protocol.seed,
                tell=tell,
            )
            hybrid, _ = with_tastes(HybridRecipe(als=start.recipe), found, blocks)
            blend, _ = blended(BlendRecipe(), found.setting, blocks)
            return Tuned(found, hybrid.recipe, blend.recipe)
    except NothingToSearchOn as nothing:
        raise NothingToMeasure(
            "what the protocol trains on cannot be split again so that settings could be told apart; leave out --tune"
        ) from nothing


def space_of(protocol: str, weights: Weights) -> Space:
    """What is searched: what was drawn from all days alike does not fade, and what counts as a like is told, so that
    only ALS itself is left.
    """
    if protocol == "temporal":
        return Space()

    def told(value: float) -> Between:
        return Between(low=value, high=value)

    return Space(
        half_life_days=(),
        like_from=(),
        wanted_from=told(weights.wanted_from),
        on_list=told(weights.on_list),
        abandoned=told(weights.abandoned),
    )


@contextmanager
def _inner(train: DataFrame, protocol: Protocol) -> Iterator[list[Split]]:
    """The training part, split as the protocol splits the whole."""
    if protocol.name == "temporal" and protocol.share * BLOCKS < 1:
        cuts = temporal_holdouts(train, protocol.share, BLOCKS)
        yield [Split.at(train, cut) for cut in cuts]
        return
    split = PROTOCOLS[protocol.name](train, protocol.share, protocol.seed + 1)
    if split is None:
        yield []
        return
    # Drawn once, and not again for each trial.
    with persisted(split.train) as drawn:
        yield [replace(split, train=drawn)]


def table(evaluation: Evaluation, protocol: Protocol) -> RenderableType:
    """Models and measures, best nDCG first."""
    comparison = evaluation.comparison
    ndcg = comparison.measured("ndcg")
    models = sorted(ndcg, key=lambda name: -ndcg[name].mean)
    profiles = max(one.profiles for one in ndcg.values())
    how = f"{protocol.name}, share {protocol.share:g}, seed {protocol.seed}, liked from {protocol.like_from:g}"
    return Group(
        Text(f"{how}: {profiles:,} profiles"),
        *_setting(evaluation.tuned),
        scoreboard(comparison.metrics(), models, comparison.k),
    )


def _setting(tuned: Tuned | None) -> Sequence[Text]:
    """What a search chose, in words."""
    if tuned is None:
        return []
    found, blend = tuned.als, tuned.blend
    values = (
        f"{name} {'none' if value is None else format(value, '.4g')}"
        for name, value in found.best.values.items()
    )
    means = (
        f"{found.best.mean:.4f} within what is trained on, {found.trials[0].mean:.4f} as it comes"
    )
    weights = ", ".join(f"{name} {weight:g}" for name, weight in blend.weights.items())
    return [
        Text(f"als, best of {len(found.trials)} trials ({means}): {', '.join(values)}"),
        Text(
            f"hybrid, share of tastes {tuned.hybrid.share:g}; ease, penalty {blend.ease.penalty:g}; blend of {weights}"
        ),
    ]


def as_json(evaluation: Evaluation, protocol: Protocol) -> dict[str, Any]:
    """The same for a program: by model and measure, mean and interval."""
    comparison, tuned = evaluation.comparison, evaluation.tuned
    models: dict[str, dict[str, Any]] = {}
    for row in comparison.measures:
        if row["mean"] is not None and row["measure"] != "lead":
            kept = {name: row[name] for name in ("mean", "low", "high", "profiles")}
            models.setdefault(row["model"], {})[row["measure"]] = kept
    for row in comparison.shown:
        for name in ("coverage", "gini"):
            models[row["model"]][named(name, comparison.k)] = {"mean": row[name]}
    cold = [
        {name: value for name, value in row.items() if name != "fold"} for row in comparison.cold
    ]
    told = {"protocol": vars(protocol), "models": models, "cold": cold[0]}
    if tuned is None:
        return told
    blend = {"weights": tuned.blend.weights, "ease.penalty": tuned.blend.ease.penalty}
    return told | {
        "setting": tuned.als.best.values,
        "share_of_tastes": tuned.hybrid.share,
        "blend": blend,
    }
