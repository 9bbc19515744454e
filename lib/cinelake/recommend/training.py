"""Training with evidence: recipes against the baseline on temporal holdouts, then the model itself.

Everything is measured on models that were fitted without the days they are tested on; the model
that is registered is fitted on everything afterwards.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date
from functools import reduce
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from mlflow.models import infer_signature
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from cinelake.recommend import evaluation, serving
from cinelake.recommend.als import Recipe, fit
from cinelake.recommend.gate import CHALLENGER, POPULAR, Measured
from cinelake.recommend.holdout import Holdout, before, cold, relevant, within
from cinelake.recommend.lists import (
    NamedFactors,
    histories,
    personal_lists,
    popular_lists,
)
from cinelake.recommend.persisted import persisted
from cinelake.recommend.popularity import popular_titles
from cinelake.recommend.strengths import Weights, strengths

Row = dict[str, Any]


@dataclass(frozen=True)
class Comparison:
    """How models fared on the same holdouts, in plain numbers.

    `measures` holds one row per model and measure, among them `lead`, how far the challenger's nDCG
    is ahead of the model's on the same profiles; `by_history` recall by length of history, `shown`
    coverage and popularity bias in the newest holdout, `cold` what could not be predicted from the
    past.
    """

    k: int
    measures: list[Row]
    by_history: list[Row]
    shown: list[Row]
    cold: list[Row]

    def measured(self, measure: str) -> dict[str, Measured]:
        """By model, as the gate wants it."""
        return {
            row["model"]: Measured(row["mean"], row["low"], row["high"], row["profiles"])
            for row in self.measures
            if row["measure"] == measure
        }

    def metrics(self) -> dict[str, float]:
        """Flat names for MLflow: `challenger.ndcg_at_10`, and the bounds of its interval."""
        flat: dict[str, float] = {}
        for row in self.measures:
            name = f"{row['model']}.{row['measure']}_at_{self.k}"
            if row["measure"] == "lead":
                name = f"{CHALLENGER}_minus_{row['model']}.ndcg_at_{self.k}"
                if row["model"] == CHALLENGER:
                    continue
            flat |= {name: row["mean"], f"{name}.low": row["low"], f"{name}.high": row["high"]}
            flat[f"{row['model']}.profiles"] = row["profiles"]
        for row in self.shown:
            for name in ("coverage", "average_popularity", "gini"):
                flat[f"{row['model']}.{name}_at_{self.k}"] = row[name]
        for row in self.cold:
            for name in ("profiles", "cold_profiles", "titles", "cold_titles"):
                flat[f"holdout_{row['fold']}.{name}"] = row[name]
        return flat


def indexed(signals: DataFrame, profiles: DataFrame, titles: DataFrame) -> DataFrame:
    """Signals with `profile_idx` and `title_idx` from the two maps."""
    return signals.join(
        profiles.select("profile_id", F.col("idx").alias("profile_idx")),
        on="profile_id",
        how="inner",
    ).join(titles.select("title_id", F.col("idx").alias("title_idx")), on="title_id", how="inner")


def compare(
    signals: DataFrame,
    holdouts: Sequence[Holdout],
    recipes: Mapping[str, Recipe],
    *,
    weights: Weights,
    k: int,
) -> Comparison:
    """Fit every recipe before each cut and judge its lists, and the popular ones, on the days
    after.

    `signals` are rows of `title_signals` with the integers `profile_idx, title_idx`. A holdout
    before whose cut nobody wanted anything is passed over.
    """
    models = [*recipes, POPULAR]
    with ExitStack() as stack:
        folds = []
        for number, holdout in enumerate(holdouts, start=1):
            train = stack.enter_context(
                persisted(_interactions(before(signals, holdout), weights, holdout.cut))
            )
            test = stack.enter_context(
                persisted(strengths(within(signals, holdout), weights, holdout.end))
            )
            if not train.where("strength > 0").isEmpty():
                numbers = train.select("title_id", "title_idx").distinct()
                warm = histories(train.drop("title_idx"), numbers).where("liked > 0")
                days = _Days(number, train, test, stack.enter_context(persisted(warm)), numbers)
                folds.append(_fold(days, recipes, k))
        if not folds:
            return Comparison(k, [], [], [], [])
        lists = stack.enter_context(persisted(_all([fold.lists for fold in folds])))
        wanted = _all([fold.relevant for fold in folds])
        judged = stack.enter_context(persisted(evaluation.per_profile(lists, wanted, k, models)))
        led = evaluation.with_lead(judged, CHALLENGER, "ndcg")
        newest = folds[0]
        return Comparison(
            k=k,
            measures=_rows(evaluation.intervals(led, (*evaluation.MEASURES, "lead"))),
            by_history=_rows(evaluation.by_history(judged, _all([f.histories for f in folds]))),
            shown=_rows(evaluation.shown(lists.where(newest.is_it), newest.titles, k)),
            cold=_rows(_all([fold.cold for fold in folds])),
        )


def fit_named(signals: DataFrame, recipe: Recipe, weights: Weights, as_of: date) -> NamedFactors:
    """Fit on all of `signals`, with the factors under the ids that people and tables use.

    Raises NothingLiked where nobody wants anything.
    """
    with persisted(_interactions(signals, weights, as_of)) as interactions:
        return _named(interactions, recipe, ids=signals)


def registrable(
    factors: NamedFactors, signals: DataFrame, recipe: Recipe, weights: Weights, as_of: date
) -> Row:
    """Arguments of `Tracker.register` that follow from a trained model: its code, artefacts,
    frames, signature with a real example of use, and requirements.
    """
    likes = popular_titles(strengths(signals, weights, as_of)).select(
        "title_id", F.col("factors")[0].alias("likes")
    )
    rows = factors.titles.join(likes, on="title_id", how="inner").toArrow().sort_by("title_id")
    ids = np.array(rows.column("title_id").to_pylist(), dtype=np.str_)
    matrix = np.array(rows.column("factors").to_pylist(), dtype=np.float32)
    liked = rows.column("likes").to_numpy()
    packed = serving.pack(ids, matrix, liked, alpha=recipe.alpha, reg_param=recipe.reg_param)
    favourites = ids[np.argsort(-liked, kind="stable")[:2]].tolist()
    best, scores = serving.FoldIn(io.BytesIO(packed)).top(favourites, 3)
    example = pd.DataFrame({"history": [favourites]})
    answer = pd.DataFrame({"titles": [best], "scores": [scores]})
    return {
        "python_model": Path(serving.__file__),
        "artifacts": {serving.FILE: packed},
        "frames": {"profiles": factors.profiles, "titles": factors.titles},
        "input_example": example,
        "signature": infer_signature(example, answer, params={"k": 10}),
        "pip_requirements": [f"{name}=={version(name)}" for name in ("mlflow", "numpy", "pandas")],
        "params": recipe.model_dump(),
    }


@dataclass(frozen=True)
class _Days:
    """One holdout's strengths before and after the cut, its warm histories, and the titles' numbers."""

    number: int
    train: DataFrame
    test: DataFrame
    warm: DataFrame
    numbers: DataFrame


@dataclass(frozen=True)
class _Fold:
    """What the models listed in one holdout, and all it takes to judge it."""

    is_it: Column
    lists: DataFrame
    relevant: DataFrame
    histories: DataFrame
    titles: DataFrame
    cold: DataFrame


def _fold(days: _Days, recipes: Mapping[str, Recipe], k: int) -> _Fold:
    train, warm, numbers = days.train, days.warm, days.numbers
    fold = F.lit(days.number).alias("fold")
    made = {
        name: personal_lists(warm, _named(train, recipe, ids=train), numbers, k)
        for name, recipe in recipes.items()
    }
    made[POPULAR] = popular_lists(warm, train, numbers, k)
    columns = ["profile_id", "rank", "title_id"]
    return _Fold(
        is_it=F.col("fold") == days.number,
        lists=_all(
            [
                frame.select(F.lit(name).alias("model"), fold, *columns)
                for name, frame in made.items()
            ]
        ),
        relevant=relevant(train, days.test).select(fold, "profile_id", "title_id"),
        histories=warm.select(fold, "profile_id", "liked"),
        titles=train.groupBy("title_id").agg(F.count_if(F.col("strength") > 0).alias("likes")),
        cold=cold(train, days.test).select(fold, "*"),
    )


def _interactions(signals: DataFrame, weights: Weights, as_of: date) -> DataFrame:
    """Strengths with the integers that MLlib wants."""
    profiles = signals.select("profile_id", "profile_idx").distinct()
    titles = signals.select("title_id", "title_idx").distinct()
    return (
        strengths(signals, weights, as_of)
        .join(profiles, on="profile_id", how="inner")
        .join(titles, on="title_id", how="inner")
    )


def _named(interactions: DataFrame, recipe: Recipe, ids: DataFrame) -> NamedFactors:
    factors = fit(interactions, recipe)
    profiles = ids.select("profile_id", "profile_idx").distinct()
    titles = ids.select("title_id", "title_idx").distinct()
    return NamedFactors(
        factors.profiles.join(profiles, on="profile_idx", how="inner").select(
            "profile_id", "factors"
        ),
        factors.titles.join(titles, on="title_idx", how="inner").select("title_id", "factors"),
    )


def _all(frames: Sequence[DataFrame]) -> DataFrame:
    return reduce(DataFrame.unionByName, frames)


def _rows(small: DataFrame) -> list[Row]:
    rows: list[Row] = small.toArrow().to_pylist()
    return sorted(rows, key=lambda row: [str(value) for value in row.values()])
