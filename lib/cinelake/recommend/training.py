"""Training with evidence: recipes against the baseline on temporal holdouts, then the model itself.

Everything is measured on models that were fitted without the days they are tested on; the model
that is registered is fitted on everything afterwards.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import date
from functools import reduce
from types import MappingProxyType
from typing import Any

import numpy as np
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from cinelake.persisted import persisted
from cinelake.recommend import evaluation
from cinelake.recommend.eligibility import offer
from cinelake.recommend.evaluation import named
from cinelake.recommend.gate import CHALLENGER, POPULAR, Measured
from cinelake.recommend.holdout import NEW, cold, relevant, relevant_to_cold
from cinelake.recommend.lists import histories
from cinelake.recommend.measures import MEASURES, Traits
from cinelake.recommend.model import Fits, Recipe, kinds
from cinelake.recommend.models.popular import PopularRecipe, popular_titles
from cinelake.recommend.popular_here import PopularHere, Popularity, circles_of_likes
from cinelake.recommend.protocols import Split
from cinelake.recommend.rerank import Taste, rerank
from cinelake.recommend.service import Service, ServiceAt
from cinelake.recommend.strengths import Weights, strengths

Row = dict[str, Any]
# Weights of calibration at which the trade-off is drawn.
CALIBRATIONS = (0.0, 0.2, 0.4, 0.6, 0.8, 0.95)
# The largest groups of a segment, whose nDCG is a metric: a market more is no metric more for ever.
GROUPS_TOLD = 5
_OF_PROFILE = ("profile_id", "profile_idx")
AS_WANTED: Mapping[str, Weights] = MappingProxyType({})


@dataclass(frozen=True)
class Comparison:
    """How models fared on the same holdouts, in plain numbers.

    `measures` holds one row per model and measure, among them `lead`, how far the challenger's nDCG
    is ahead of the model's on the same profiles; `segments` the same at `k` by groups of profiles,
    among them those that are `new`, to whom every model shows what is popular around them; `shown` coverage and Gini
    index in the newest holdout, `cold` what could not be predicted from the past. Names of measures end in
    the length of the lists, `_at_10`; `k` is the length that counts.
    """

    k: int
    measures: list[Row]
    segments: list[Row]
    shown: list[Row]
    cold: list[Row]
    # The challenger's lists in the newest holdout, the more calibrated the further down: `calibration, ndcg,
    # miscalibration, coverage`.
    trade_off: list[Row] = field(default_factory=list)

    def measured(self, measure: str) -> dict[str, Measured]:
        """By model, as the gate wants it; what nobody has is not there."""
        return {
            row["model"]: Measured(row["mean"], row["low"], row["high"], row["profiles"])
            for row in self.measures
            if row["measure"] == self._wanted(measure) and row["mean"] is not None
        }

    def grouped(self, measure: str) -> dict[tuple[str, str], dict[str, Measured]]:
        """By segment and group of profiles, and then by model."""
        found: dict[tuple[str, str], dict[str, Measured]] = {}
        for row in self.segments:
            if row["measure"] == self._wanted(measure) and row["mean"] is not None:
                one = Measured(row["mean"], row["low"], row["high"], row["profiles"])
                found.setdefault((row["segment"], row["group"]), {})[row["model"]] = one
        return found

    def _of_groups(self) -> dict[str, float]:
        """The challenger's nDCG in the largest groups of each segment: `challenger.ndcg_at_10.market.DE`."""
        name, found = named("ndcg", self.k), self.grouped("ndcg")
        flat = {}
        for segment in dict.fromkeys(segment for segment, _ in found):
            own = {
                group: models[CHALLENGER]
                for (other, group), models in found.items()
                if other == segment and CHALLENGER in models
            }
            for group in sorted(own, key=lambda group: (-own[group].profiles, group))[:GROUPS_TOLD]:
                # Names of metrics have few characters.
                plain = re.sub(r"[^\w.-]", "-", group, flags=re.ASCII)
                flat[f"{CHALLENGER}.{name}.{segment}.{plain}"] = own[group].mean
        return flat

    def _wanted(self, measure: str) -> str:
        return measure if measure == "lead" else named(measure, self.k)

    def metrics(self) -> dict[str, float]:
        """Flat names for MLflow: `challenger.ndcg_at_10`, and the bounds of its interval."""
        flat: dict[str, float] = {}
        for row in self.measures:
            name = f"{row['model']}.{row['measure']}"
            if row["measure"] == "lead":
                name = f"{CHALLENGER}_minus_{row['model']}.{named('ndcg', self.k)}"
                if row["model"] == CHALLENGER or row["mean"] is None:
                    continue
            if row["mean"] is not None:
                flat |= {name: row["mean"], f"{name}.low": row["low"], f"{name}.high": row["high"]}
            flat[f"{row['model']}.profiles"] = max(
                row["profiles"], flat.get(f"{row['model']}.profiles", 0)
            )
        for row in self.shown:
            for name in ("coverage", "gini"):
                flat[f"{row['model']}.{named(name, self.k)}"] = row[name]
        flat |= self._of_groups()
        for row in self.cold:
            for name in ("profiles", "cold_profiles", "titles", "cold_titles"):
                flat[f"holdout_{row['fold']}.{name}"] = row[name]
        return flat


def indexed(
    signals: DataFrame, profiles: DataFrame, titles: DataFrame, people: DataFrame | None = None
) -> DataFrame:
    """Signals with `profile_idx` and `title_idx` from the two maps; with `people (profile_id, market)`, also with
    `market`.
    """
    numbered = signals.join(
        profiles.select("profile_id", F.col("idx").alias("profile_idx")),
        on="profile_id",
        how="inner",
    ).join(titles.select("title_id", F.col("idx").alias("title_idx")), on="title_id", how="inner")
    if people is None:
        return numbered
    return numbered.join(people.select("profile_id", "market"), on="profile_id", how="left")


def rivals(names: Sequence[str], settled: Mapping[str, Recipe]) -> dict[str, Recipe]:
    """The recipes of these kinds: as settled, or else as they come, of settled parts where there are such."""
    found = {}
    for name in names:
        if name in settled:
            found[name] = settled[name]
            continue
        recipe = kinds()[name]()
        parts = {part: settled[part] for part in type(recipe).model_fields if part in settled}
        found[name] = recipe.model_copy(update=parts)
    return found


def compare(
    splits: Sequence[Split],
    recipes: Mapping[str, Recipe],
    *,
    weights: Weights,
    k: int,
    ks: Sequence[int] = (),
    genres: DataFrame | None = None,
    groups: DataFrame | None = None,
    learned: Mapping[str, Weights] = AS_WANTED,
    service_at: ServiceAt | None = None,
) -> Comparison:
    """Fit every recipe to one side of each split and judge its lists, and the popular ones, on the
    other.

    Splits are of rows of `title_signals` with the integers `profile_idx, title_idx`; `ks` are lengths besides `k` that
    are measured. `genres` holds `title_id, genres array<string>`, `groups` holds `profile_id` and texts to group
    profiles by; how long their histories are is one by itself. There, who liked nothing before is `new`, and shown what
    was liked most where the profile is, as far as `groups` tell of `market`, `kind` and `device_kind`, for so are lists
    that are served (popular_here.py); the model `popular` stays that of the whole service. A split that leaves nobody
    who wanted anything to train on is passed over.

    `weights` say what profiles wanted, the same for all models; a model named in `learned` is fitted to strengths by
    weights of its own. What is popular is told by what was wanted, whatever `learned` says.

    `service_at` tells what may be shown to whom at a cut, where something limits it: no list of any model holds
    anything else, and what was wanted of it counts as missed. Who is `new` is known as the split ends.
    """
    recipes = {**recipes, POPULAR: PopularRecipe()}
    learned = {name: each for name, each in learned.items() if name in recipes and name != POPULAR}
    lengths = sorted({k, *ks})
    with ExitStack() as stack:
        folds = []
        for number, split in enumerate(splits, start=1):
            known = interactions(split.train, weights, split.train_until)
            train = stack.enter_context(persisted(known))
            test = stack.enter_context(persisted(strengths(split.test, weights, split.test_until)))
            if not train.where("strength > 0").isEmpty():
                own = {
                    each: stack.enter_context(
                        persisted(interactions(split.train, each, split.train_until))
                    )
                    for each in set(learned.values()) - {weights}
                }
                told = {name: own[each] for name, each in learned.items() if each in own}
                then = service_at and service_at(split.train_until)
                later = service_at and service_at(split.test_until)
                days = _Days(number, train, test, genres, groups, told, then, later)
                folds.append(_fold(stack, days, recipes, lengths, k))
        if not folds:
            return Comparison(k, [], [], [], [])
        judged = _all([fold.judged for fold in folds])
        led = stack.enter_context(
            persisted(evaluation.with_lead(judged, CHALLENGER, named("ndcg", k)))
        )
        measures = [named(name, length) for length in lengths for name in MEASURES]
        newest = folds[0]
        return Comparison(
            k=k,
            measures=_rows(evaluation.intervals(led, [*measures, "lead"])),
            segments=[
                *_by_segment(led, newest.segments, k),
                *_of_the_new(_all([fold.newcomers for fold in folds]), list(recipes), k),
            ],
            shown=_rows(evaluation.shown(newest.lists, newest.titles, k)),
            cold=_rows(_all([fold.cold for fold in folds])),
            trade_off=newest.trade_off(),
        )


def _by_segment(judged: DataFrame, segments: Sequence[str], k: int) -> list[Row]:
    """`model, segment, group, measure, profiles, mean, low, high`."""
    measures = [*(named(name, k) for name in MEASURES), "lead"]
    found = [
        evaluation.intervals(judged, measures, by=[segment]).select(
            "model",
            F.lit(segment).alias("segment"),
            F.col(segment).alias("group"),
            *("measure", "profiles", "mean", "low", "high"),
        )
        for segment in segments
    ]
    return _rows(_all(found))


def _of_the_new(newcomers: DataFrame, models: Sequence[str], k: int) -> list[Row]:
    """The same of the profiles that no model knows, for whom all models are one: none is ahead of another."""
    measures = [named(name, k) for name in MEASURES]
    found = [row for row in _rows(evaluation.intervals(newcomers, measures)) if row["profiles"]]
    if found and CHALLENGER in models:
        level = {"measure": "lead", "mean": 0.0, "low": 0.0, "high": 0.0}
        found.append(found[0] | level)
    group = {"segment": "history", "group": NEW}
    return [row | group | {"model": model} for model in models for row in found]


@dataclass(frozen=True)
class _Days:
    """One holdout's strengths before and after the cut, and what is known of titles and profiles."""

    number: int
    train: DataFrame
    test: DataFrame
    genres: DataFrame | None
    groups: DataFrame | None
    # Of models that are fitted to strengths of their own, those before the cut.
    learned: Mapping[str, DataFrame]
    # The service at the cut, and when the days after it end: until then newcomers are not known.
    then: Service | None
    later: Service | None


@dataclass(frozen=True)
class _Fold:
    """What came of one holdout: every model's measures by profile, its lists, and what they could hold."""

    judged: DataFrame
    newcomers: DataFrame
    segments: list[str]
    lists: DataFrame
    titles: DataFrame
    cold: DataFrame
    trade_off: Callable[[], list[Row]]


def _fold(
    stack: ExitStack, days: _Days, recipes: Mapping[str, Recipe], lengths: Sequence[int], k: int
) -> _Fold:
    train = days.train
    numbers = train.select("title_id", "title_idx").distinct()
    offered = offer(days.then.shown, days.then.rules) if days.then else None

    def limited(profiles: DataFrame, service: Service | None) -> DataFrame:
        """With what the offer reads of a profile."""
        return profiles if service is None or offered is None else service.with_limits(profiles)

    history = limited(histories(train.drop("title_idx"), numbers), days.then)
    warm = stack.enter_context(persisted(history.where(F.size("liked") > 0)))
    fits = {id(frame): Fits(frame) for frame in (train, *days.learned.values())}

    def listed(name: str, n: int) -> DataFrame:
        """A model's lists from what it learned from."""
        own = days.learned.get(name, train)
        told = warm
        if own is not train:
            # For the same profiles, or a model that takes more for a like would show more of the catalogue.
            told = (
                histories(own.drop("title_idx"), numbers)
                .select("profile_id", "seen", "liked")
                .join(warm.drop("seen", "liked"), on="profile_id", how="inner")
            )
        return fits[id(own)].of(recipes[name]).lists(told, n, offered)

    made = [listed(name, max(lengths)).select(F.lit(name).alias("model"), "*") for name in recipes]
    lists = stack.enter_context(
        persisted(
            _all(made)
            .join(F.broadcast(numbers), on="title_id", how="inner")
            .select("model", "profile_id", "rank", "title_idx")
        )
    )
    titles = train.groupBy("title_idx").agg(F.count_if(F.col("strength") > 0).alias("likes"))
    traits = evaluation.traits(_with_genres(titles, numbers, days.genres), warm.count())
    truths = _truths(relevant(train, days.test), warm, numbers, _length_of_history())
    segments = ["history"]
    if days.groups is not None:
        segments += [name for name in days.groups.columns if name != "profile_id"]
        truths = truths.join(days.groups, on="profile_id", how="left")
    judged = evaluation.per_profile(lists, truths, traits, lengths, list(recipes))

    def newcomers() -> DataFrame:
        """How what is popular around them fares with who liked nothing before; they may have met titles, though."""
        asked = relevant_to_cold(train, days.test)
        nothing = F.array().cast("array<int>")
        met = asked.select("profile_id").distinct().join(history, on="profile_id", how="left")
        told = met.withColumns(
            {"seen": F.coalesce("seen", nothing), "liked": F.coalesce("liked", nothing)}
        )
        truths = _truths(asked, told, numbers, F.lit(NEW))
        people = told.select("profile_id") if days.groups is None else days.groups
        around = circles_of_likes(
            train.where("strength > 0").select("profile_id", "title_id"), people
        )
        likes = popular_titles(train).join(numbers, on="title_id", how="inner")
        here = PopularHere(likes, around, Popularity().prior)
        placed = limited(
            told.drop("market", "age_limit").join(people, on="profile_id", how="left"), days.later
        )
        shown = here.lists(placed, max(lengths), offered).select("profile_id", "rank", "title_id")
        listed = shown.join(F.broadcast(numbers), on="title_id", how="inner").select(
            F.lit(POPULAR).alias("model"), "profile_id", "rank", "title_idx"
        )
        return evaluation.per_profile(listed, truths, traits, lengths, [POPULAR])

    def trade_off() -> list[Row]:
        if CHALLENGER not in recipes or not traits.genres.size:
            return []
        candidates = listed(CHALLENGER, Taste().candidates)
        told = candidates.join(F.broadcast(numbers), on="title_id", how="inner").drop("title_id")
        return _calibrated(told, warm, truths, traits, k)

    fold = F.lit(days.number).alias("fold")
    return _Fold(
        judged=judged.select(fold, "*"),
        newcomers=newcomers(),
        segments=segments,
        lists=lists,
        titles=titles,
        cold=cold(train, days.test).select(fold, "*"),
        trade_off=trade_off,
    )


def _calibrated(
    candidates: DataFrame, histories: DataFrame, truths: DataFrame, traits: Traits, k: int
) -> list[Row]:
    """What it costs in nDCG, and gains, to calibrate lists more and more."""
    with persisted(candidates) as given:
        unchanged = np.zeros(len(traits))
        names = [f"{weight:g}" for weight in CALIBRATIONS]
        lists = _all(
            [
                rerank(given, histories, traits, unchanged, Taste(calibration=weight), k).select(
                    F.lit(name).alias("model"), "*"
                )
                for weight, name in zip(CALIBRATIONS, names, strict=True)
            ]
        )
        with persisted(lists) as made:
            judged = evaluation.per_profile(made, truths, traits, [k], names)
            means = judged.groupBy("model").agg(
                F.avg(named("ndcg", k)).alias("ndcg"),
                F.avg(named("miscalibration", k)).alias("miscalibration"),
            )
            titles = made.sparkSession.createDataFrame(
                [(int(number),) for number in traits.numbers], "title_idx int"
            )
            together = evaluation.shown(made, titles, k)
            rows = _rows(means.join(together, on="model", how="inner"))
    return sorted(
        (
            {"calibration": float(row["model"])}
            | {name: row[name] for name in ("ndcg", "miscalibration", "coverage")}
            for row in rows
        ),
        key=lambda row: float(row["calibration"]),
    )


def _truths(
    wanted: DataFrame, histories: DataFrame, numbers: DataFrame, length: Column
) -> DataFrame:
    """What profiles went on to like, and had liked before: `profile_id, relevant, wanted, liked, history`."""
    gathered = (
        wanted.join(F.broadcast(numbers), on="title_id", how="left")
        .groupBy("profile_id")
        .agg(
            F.count(F.lit(1)).cast("int").alias("relevant"),
            F.collect_list("title_idx").alias("wanted"),
        )
    )
    return gathered.join(
        histories.select("profile_id", "liked", length.alias("history")),
        on="profile_id",
        how="inner",
    )


def _length_of_history() -> Column:
    """In how many titles that were liked, by groups."""
    length, bucket = F.size("liked"), F.lit("100+")
    for below, name in ((100, "30-99"), (30, "10-29"), (10, "1-9")):
        bucket = F.when(length < below, name).otherwise(bucket)
    return bucket


def _with_genres(titles: DataFrame, numbers: DataFrame, genres: DataFrame | None) -> DataFrame:
    if genres is None:
        return titles.withColumn("genres", F.array().cast("array<string>"))
    told = numbers.join(genres.select("title_id", "genres"), on="title_id", how="inner")
    return titles.join(told.select("title_idx", "genres"), on="title_idx", how="left")


def interactions(signals: DataFrame, weights: Weights, as_of: date) -> DataFrame:
    """Strengths with the integers that MLlib wants, and with the market of the profile where signals have it."""
    of_profile = [name for name in (*_OF_PROFILE, "market") if name in signals.columns]
    profiles = signals.select(*of_profile).distinct()
    titles = signals.select("title_id", "title_idx").distinct()
    return (
        strengths(signals, weights, as_of)
        .join(profiles, on="profile_id", how="inner")
        .join(titles, on="title_id", how="inner")
    )


def _all(frames: Sequence[DataFrame]) -> DataFrame:
    return reduce(DataFrame.unionByName, frames)


def _rows(small: DataFrame) -> list[Row]:
    rows: list[Row] = small.toArrow().to_pylist()
    return sorted(rows, key=lambda row: [str(value) for value in row.values()])
