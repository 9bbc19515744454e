"""All kinds of model on one data set, to be set against what others publish.

With settings as they come; or with the best that a search finds within what the protocol trains on: it is split again
in the same way, and what is held out for the measures is never seen. First ALS is searched, then each rival on a line
of its own, fitted to what ALS learns from best, as far as the time that is given for it reaches (beside_als.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from pyspark.sql import DataFrame
from rich.console import Group, RenderableType
from rich.text import Text

from cinelake.behaviour.history import latest
from cinelake.persisted import persisted
from cinelake.recommend.beside_als import BESIDE, SHARE_OF_ALS, beside
from cinelake.recommend.evaluation import named
from cinelake.recommend.holdout import temporal_holdouts
from cinelake.recommend.model import kinds
from cinelake.recommend.models.als import AlsRecipe
from cinelake.recommend.models.blend import BlendRecipe
from cinelake.recommend.models.ease import EaseRecipe
from cinelake.recommend.models.hybrid import HybridRecipe
from cinelake.recommend.models.item_item import ItemItemRecipe
from cinelake.recommend.protocols import PROTOCOLS, Split
from cinelake.recommend.scoreboard import by_group, scoreboard
from cinelake.recommend.search import Between, Budget, Found, Setting, Space, search
from cinelake.recommend.service import ServiceAt
from cinelake.recommend.strengths import Weights
from cinelake.recommend.training import Comparison, compare, rivals
from cinelake.recommend.validation import Blocks, NothingToSearchOn, validation

# Blocks of days, one before the other, that settings are told apart on.
BLOCKS = 3
# What groups profiles, of what is known of viewers.
SEGMENTS = ("market", "kind", "device_kind")
# No scale has a rating below it.
EVERY_RATING = 0.5
Tell = Callable[[int, int, str], None]


class NothingToMeasure(ValueError):
    """A data set cannot be split so that anything can be measured; the message says why."""


@dataclass(frozen=True)
class Protocol:
    """How something is held out, what is measured of it, and how many settings of ALS are tried before, for how long.

    `k` is the length of lists that decides, `ks` are others that are told beside.
    """

    name: str
    share: float
    seed: int
    k: int
    like_from: float
    tune: int = 0
    minutes: float | None = None
    ks: tuple[int, ...] = ()


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
    """The search for a setting of ALS, the best settings by kind that were found with it, and for which kinds none was
    looked for, since time was up.
    """

    als: Found[AlsRecipe]
    settings: Mapping[str, Setting[Any]]
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True)
class Evaluation:
    """How all kinds fared, and the search for settings before it; or why there was none, though it was asked for."""

    comparison: Comparison
    tuned: Tuned | None = None
    untuned: str | None = None


def evaluated(
    told: DataFrame,
    titles: DataFrame,
    protocol: Protocol,
    tell: Tell = lambda *_: None,
    *,
    people: DataFrame | None = None,
    service_at: ServiceAt | None = None,
    spent: Callable[[], float] = lambda: 0.0,
    must_tune: bool = True,
) -> Evaluation:
    """Every kind of model on rows of `title_signals` with `profile_idx, title_idx`, and the change rows of titles.

    `people` are rows of viewers.py, by whom profiles are judged in groups. `service_at` limits lists to what could be
    shown at a cut in time; the other protocols know no day at which to ask, and their lists hold any title. `tell`
    hears how far tuning is, and `spent` says what share of its time is; unless it must be, what cannot be tuned is
    measured as it comes. Raises NothingToMeasure.
    """
    weights = Weights(like_from=protocol.like_from)
    limits = service_at if protocol.name == "temporal" else None
    start, tuned, untuned = Setting(AlsRecipe(), weights), None, None
    with persisted(told) as signals:
        split = PROTOCOLS[protocol.name](signals, protocol.share, protocol.seed)
        if split is None:
            raise NothingToMeasure(
                "there is nothing to hold out: no signals, or all of one day, which a cut in time cannot part; "
                "--protocol random can"
            )
        if protocol.tune:
            try:
                tuned = _tuned(split.train, start, protocol, limits, tell, spent)
            except NothingToSearchOn as nothing:
                untuned = "what the protocol trains on cannot be split again so that settings could be told apart"
                if must_tune:
                    raise NothingToMeasure(f"{untuned}; leave out --tune") from nothing
        settings = tuned.settings if tuned else {"als": start}
        names = [name for name in kinds() if name != "popular"]
        found = compare(
            [split],
            rivals(names, {name: setting.recipe for name, setting in settings.items()}),
            weights=weights,
            k=protocol.k,
            ks=protocol.ks,
            genres=latest(titles, ["title_id"], "genres"),
            groups=None if people is None else people.select("profile_id", *SEGMENTS),
            # Kinds that nothing was searched for learn from what ALS learns from.
            learned={name: settings.get(name, settings["als"]).weights for name in names},
            service_at=limits,
        )
    if not found.measures:
        raise NothingToMeasure(
            "no profile liked something before and something new after; lower --like-from or change --test"
        )
    return Evaluation(found, tuned, untuned)


def _tuned(
    train: DataFrame,
    start: Setting[AlsRecipe],
    protocol: Protocol,
    service_at: ServiceAt | None,
    tell: Tell,
    spent: Callable[[], float],
) -> Tuned:
    tried = protocol.tune + len(BESIDE)
    with (
        persisted(train) as kept,
        _inner(kept, protocol) as splits,
        validation(splits, start.weights, protocol.k, service_at) as blocks,
    ):
        found = search(
            start,
            space_of(protocol.name, start.weights),
            blocks.judge,
            Budget(protocol.tune, lambda: spent() >= SHARE_OF_ALS),
            objective=blocks.objective,
            seed=protocol.seed,
            tell=lambda done, total, said: tell(done, total + len(BESIDE), f"als, {said}"),
        )
        return _beside(found, blocks, spent, lambda n, said: tell(protocol.tune + n, tried, said))


def _beside(
    found: Found[AlsRecipe],
    blocks: Blocks,
    spent: Callable[[], float],
    tell: Callable[[int, str], None],
) -> Tuned:
    """The other kinds, one after the other, for as long as there is time; what is left out stays as it comes."""
    als = found.setting
    start = HybridRecipe(als=found.start.recipe)
    tuned = beside(start, found, blocks, is_over=lambda: spent() >= 1, tell=tell)
    settings: dict[str, Setting[Any]] = {
        recipe.kind: Setting(recipe, als.weights)
        for recipe in (als.recipe, EaseRecipe(), ItemItemRecipe(), HybridRecipe(als=als.recipe))
    }
    settings |= {kind: each.setting for kind, each in tuned.found.items()}
    plain = BlendRecipe(als=als.recipe, ease=settings["ease"].recipe)
    return Tuned(found, {"blend": Setting(plain, als.weights)} | settings, tuned.left_out)


def space_of(protocol: str, weights: Weights) -> Space:
    """What is searched: what was drawn from all days alike does not fade, and what counts as a like is told, so that
    only ALS itself is left.
    """
    if protocol == "temporal":
        return Space()

    def told(value: float) -> Between:
        return Between(low=value, high=value)

    fixed = {
        name: told(getattr(weights, name))
        for name, values in Space()
        if name in Weights.model_fields and isinstance(values, Between)
    }
    return Space.model_validate({"half_life_days": (), "like_from": (), **fixed})


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
    """Models and measures, best nDCG first; and how groups of profiles fare, where there are several."""
    comparison, metrics = evaluation.comparison, evaluation.comparison.metrics()
    ndcg = comparison.measured("ndcg")
    models = sorted(ndcg, key=lambda name: -ndcg[name].mean)
    profiles = max(one.profiles for one in ndcg.values())
    how = f"{protocol.name}, share {protocol.share:g}, seed {protocol.seed}, liked from {protocol.like_from:g}"
    parts: list[RenderableType] = [
        Text(f"{how}: {profiles:,} profiles"),
        *_setting(evaluation, protocol),
        scoreboard(metrics, models, comparison.k),
        *by_group(comparison.grouped("ndcg"), models, comparison.k),
    ]
    others = sorted(set(protocol.ks) - {comparison.k})
    return Group(*parts, *(scoreboard(metrics, models, k) for k in others))


def _setting(evaluation: Evaluation, protocol: Protocol) -> Sequence[Text]:
    """What a search chose, in words."""
    tuned = evaluation.tuned
    if tuned is None:
        why = f": {evaluation.untuned}" if evaluation.untuned else ""
        return [Text(f"settings as they come, not tuned{why}")]
    found, settings = tuned.als, tuned.settings
    values = (
        f"{name} {'none' if value is None else format(value, '.4g')}"
        for name, value in found.best.values.items()
    )
    means = (
        f"{found.best.mean:.4f} within what is trained on, {found.trials[0].mean:.4f} as it comes"
    )
    weights = ", ".join(
        f"{name} {weight:g}" for name, weight in settings["blend"].recipe.weights.items()
    )
    lines = [
        f"tuned: {found.outcome.trials} of {protocol.tune} settings of ALS tried, {found.outcome.pruned} broken off",
        f"als, best of {len(found.trials)} trials ({means}): {', '.join(values)}",
        f"hybrid, share of tastes {settings['hybrid'].recipe.share:g}; "
        f"ease, penalty {settings['ease'].recipe.penalty:g}; "
        f"item_item, shrinkage {settings['item_item'].recipe.shrinkage:g}; blend of {weights}",
    ]
    if tuned.left_out:
        lines.append(f"time was up before these were tuned: {', '.join(tuned.left_out)}")
    return [Text(line) for line in lines]


def as_json(evaluation: Evaluation, protocol: Protocol) -> dict[str, Any]:
    """The same for a program: by model and measure, mean and interval; and by segment and group of profiles."""
    comparison = evaluation.comparison
    models: dict[str, dict[str, Any]] = {}
    for row in comparison.measures:
        if row["mean"] is not None and row["measure"] != "lead":
            models.setdefault(row["model"], {})[row["measure"]] = _told(row)
    for row in comparison.shown:
        for name in ("coverage", "gini"):
            models[row["model"]][named(name, comparison.k)] = {"mean": row[name]}
    segments: dict[str, dict[str, dict[str, dict[str, Any]]]] = {}
    for row in comparison.segments:
        if row["mean"] is not None and row["measure"] != "lead":
            groups = segments.setdefault(row["segment"], {})
            group = groups.setdefault(row["group"], {})
            group.setdefault(row["model"], {})[row["measure"]] = _told(row)
    cold = [
        {name: value for name, value in row.items() if name != "fold"} for row in comparison.cold
    ]
    told = {"protocol": vars(protocol), "models": models, "segments": segments, "cold": cold[0]}
    return told | _tuning(evaluation)


def _told(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in ("mean", "low", "high", "profiles")}


def _tuning(evaluation: Evaluation) -> dict[str, Any]:
    """How many settings were tried, how, and what was chosen."""
    tuned = evaluation.tuned
    if tuned is None:
        return {"tuning": {"trials": 0, "not_tuned": evaluation.untuned or "it was not asked for"}}
    outcome, settings = tuned.als.outcome, tuned.settings
    blend = settings["blend"].recipe
    return {
        "tuning": {
            "trials": outcome.trials,
            "broken_off": outcome.pruned,
            "objective": outcome.objective,
            "mean": outcome.mean,
            "mean_as_it_comes": outcome.configured_mean,
            "on": "what the protocol trains on, split again in the same way",
            "left_out": list(tuned.left_out),
        },
        "setting": tuned.als.best.values,
        "share_of_tastes": settings["hybrid"].recipe.share,
        "ease": {"penalty": settings["ease"].recipe.penalty},
        "item_item": {"shrinkage": settings["item_item"].recipe.shrinkage},
        "blend": {"weights": blend.weights, "ease.penalty": blend.ease.penalty},
    }
