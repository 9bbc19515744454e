"""All kinds of model on one data set, with settings as they come, to be set against what others publish."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pyspark.sql import DataFrame
from rich.console import Group, RenderableType
from rich.text import Text

from cinelake.behaviour.history import latest
from cinelake.recommend.evaluation import named
from cinelake.recommend.model import Recipe, kinds
from cinelake.recommend.models.als import AlsRecipe
from cinelake.recommend.persisted import persisted
from cinelake.recommend.protocols import PROTOCOLS
from cinelake.recommend.scoreboard import scoreboard
from cinelake.recommend.strengths import Weights
from cinelake.recommend.training import Comparison, compare, rivals


class NothingToMeasure(ValueError):
    """A data set cannot be split so that anything can be measured; the message says why."""


@dataclass(frozen=True)
class Protocol:
    """How something is held out, and what is measured of it."""

    name: str
    share: float
    seed: int
    k: int
    like_from: float


def evaluated(told: DataFrame, titles: DataFrame, protocol: Protocol) -> Comparison:
    """Every kind of model on rows of `title_signals` with `profile_idx, title_idx`, and the change rows of titles.

    Raises NothingToMeasure.
    """
    with persisted(told) as signals:
        split = PROTOCOLS[protocol.name](signals, protocol.share, protocol.seed)
        if split is None:
            raise NothingToMeasure(
                "there is nothing to hold out: no signals, or all of one day, which a cut in time cannot part; "
                "--protocol random can"
            )
        names = [name for name in kinds() if name not in ("als", "popular")]
        recipes: dict[str, Recipe] = {"als": AlsRecipe(), **rivals(AlsRecipe(), names)}
        found = compare(
            [split],
            recipes,
            weights=Weights(like_from=protocol.like_from),
            k=protocol.k,
            genres=latest(titles, ["title_id"], "genres"),
        )
    if not found.measures:
        raise NothingToMeasure(
            "no profile liked something before and something new after; lower --like-from or change --test"
        )
    return found


def table(comparison: Comparison, protocol: Protocol) -> RenderableType:
    """Models and measures, best nDCG first."""
    ndcg = comparison.measured("ndcg")
    models = sorted(ndcg, key=lambda name: -ndcg[name].mean)
    profiles = max(one.profiles for one in ndcg.values())
    how = f"{protocol.name}, share {protocol.share:g}, seed {protocol.seed}, liked from {protocol.like_from:g}"
    return Group(
        Text(f"{how}: {profiles:,} profiles"),
        scoreboard(comparison.metrics(), models, comparison.k),
    )


def as_json(comparison: Comparison, protocol: Protocol) -> dict[str, Any]:
    """The same for a program: by model and measure, mean and interval."""
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
    return {"protocol": vars(protocol), "models": models, "cold": cold[0]}
