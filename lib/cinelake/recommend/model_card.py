"""A model card: what a trained version is, how it was judged, for whom it is better or worse, what it is not for.

One page of HTML a training, made of what the training measured (Mitchell et al. 2019, "Model cards for model
reporting"). All figures are of groups of profiles; no profile stands on the page.

The gap of a segment is the nDCG of the group that fares best less that of the group that fares worst. The groups are
different profiles, so the interval of their difference follows from their own (MOVER: Zou and Donner 2008,
"Construction of confidence limits about effect measures"). Caveat: which groups these are is known only afterwards,
so gaps are overstated, the more so the more and the smaller the groups.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from math import hypot
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from cinelake.recommend import pictures
from cinelake.recommend.gate import CHALLENGER, CHAMPION, POPULAR, Decision, Measured, Tolerances
from cinelake.recommend.holdout import NEW
from cinelake.recommend.scoreboard import LABELS
from cinelake.recommend.training import Comparison
from cinelake.report.page import Cards, Cell, Grid, Part, Picture, Points, Section, as_html, verdict
from cinelake.tables.contract import Model

CALLED = {CHALLENGER: "this version", CHAMPION: "the champion's recipe", POPULAR: "popularity"}


@dataclass(frozen=True)
class Data:
    """What a model was trained on: days that hold signals, and how much."""

    first: date | None
    last: date | None
    signals: int
    profiles: int
    titles: int


@dataclass(frozen=True)
class Training:
    """What is known of a training besides its measures; `inputs` are versions of tables by name."""

    model: Model
    through: date
    data: Data
    inputs: Mapping[str, int]
    settings: Mapping[str, Any]


@dataclass(frozen=True)
class Gap:
    """How far apart the groups of a segment are: the best, the worst, and the difference of their nDCG."""

    best: str
    worst: str
    difference: Measured


def data_of(signals: DataFrame) -> Data:
    """What rows of `title_signals` hold."""
    found = signals.agg(
        F.min("signal_date").alias("first"),
        F.max("signal_date").alias("last"),
        F.count(F.lit(1)).alias("signals"),
        F.count_distinct("profile_id").alias("profiles"),
        F.count_distinct("title_id").alias("titles"),
    )
    return Data(**found.toArrow().to_pylist()[0])


def gap(groups: Mapping[str, Measured], least: int) -> Gap | None:
    """The gap among the groups of at least `least` profiles; None where fewer than two have as many."""
    judged = sorted((one.mean, name) for name, one in groups.items() if one.profiles >= least)
    if len(judged) < 2:
        return None
    (_, worst), (_, best) = judged[0], judged[-1]
    above, below = groups[best], groups[worst]
    mean = above.mean - below.mean
    low = mean - hypot(above.mean - above.low, below.high - below.mean)
    high = mean + hypot(above.high - above.mean, below.mean - below.low)
    return Gap(best, worst, Measured(mean, low, high, above.profiles + below.profiles))


def model_card(
    training: Training, comparison: Comparison, tolerances: Tolerances, decision: Decision
) -> str:
    """The page."""
    sections = [_what_it_is(training), _decision(decision, tolerances)]
    if comparison.measures:
        sections += [_measures(comparison), _groups(comparison, tolerances)]
    sections.append(_limits(training.model, comparison, tolerances))
    title = f"Model card: {training.model.area} / {training.model.name}"
    return as_html(title, training.model.description, sections)


def _what_it_is(training: Training) -> Section:
    data = training.data
    days = f"{data.first} to {data.last}" if data.first else "none"
    versions = [
        (f"table {name}", f"version {version}") for name, version in sorted(training.inputs.items())
    ]
    parts: list[Part] = [
        Cards(
            [
                (f"{training.through}", "is the first day that it has not seen"),
                (
                    f"{data.signals:,}",
                    "signals: days on which a profile did something with a title",
                ),
                (f"{data.profiles:,}", "profiles"),
                (f"{data.titles:,}", "titles"),
            ]
        ),
        Grid(("trained on", ""), [("days with signals", days), *versions]),
        Grid(
            ("setting", "value"), [(name, str(value)) for name, value in training.settings.items()]
        ),
    ]
    return Section("What it is", "How it was made, so that it can be made again.", parts)


def _decision(decision: Decision, tolerances: Tolerances) -> Section:
    allowed = [
        (name, value, field.description or "")
        for (name, value), field in zip(tolerances, Tolerances.model_fields.values(), strict=True)
    ]
    return Section(
        "The gate",
        "It has to beat popularity, and be not worse than the champion's recipe and than rivals by more than this.",
        [
            verdict(passed=decision.passed, reason=decision.reason),
            Grid(("tolerance", "at most", "of what"), allowed),
        ],
    )


def _measures(comparison: Comparison) -> Section:
    k = comparison.k
    ndcg = comparison.measured("ndcg")
    first = [name for name in CALLED if name in ndcg]
    models = [*first, *sorted(set(ndcg) - set(first))]
    together = {row["model"]: row for row in comparison.shown}
    rows: list[tuple[str, ...]] = []
    for measure, label in LABELS.items():
        if measure in ("coverage", "gini"):
            cells = [
                _number(together[name][measure]) if name in together else "" for name in models
            ]
        else:
            found = comparison.measured(measure)
            cells = [_interval(found[name]) if name in found else "" for name in models]
        if any(cells):
            rows.append((f"{label}@{k}", *cells))
    lead = comparison.measured("lead")
    leads = ("" if name == CHALLENGER else _interval(lead[name]) for name in models)
    rows.insert(1, ("lead of this version", *leads))
    parts: list[Part] = [
        Picture(
            pictures.quality(comparison),
            "Left: nDCG of each model. Right: recall by how much of a profile's taste was known.",
        ),
        Grid(
            ("measure", *(CALLED.get(name, name) for name in models)),
            rows,
            "Means over held-out profiles with 95 % intervals; the lead is of nDCG, profile by profile. Coverage and "
            "Gini are of all lists together, over the titles that somebody had met before, and have no intervals. "
            "Popularity bias: lists of high popularity, high Gini and low coverage show to all what all know.",
        ),
    ]
    if comparison.trade_off:
        parts.append(
            Picture(
                pictures.trade_off(comparison),
                "What it would cost to make lists follow the genres of histories more closely.",
            )
        )
    return Section(
        "How good it is",
        "On days that no model had seen, every title competing. All models were fitted to the same days before.",
        parts,
    )


def _groups(comparison: Comparison, tolerances: Tolerances) -> Section:
    least = tolerances.group_profiles
    ndcg, recall, lead = (comparison.grouped(name) for name in ("ndcg", "recall", "lead"))
    parts: list[Part] = [
        Picture(
            pictures.groups(comparison),
            "nDCG by group of profiles: this version, and popularity in grey. Lines are 95 % intervals.",
        )
    ]
    for segment in dict.fromkeys(segment for segment, _ in ndcg):
        named_so = pictures.in_order(group for other, group in ndcg if other == segment)
        rows = [
            (
                group,
                ndcg[segment, group][CHALLENGER].profiles,
                _interval(ndcg[segment, group][CHALLENGER]),
                _interval(ndcg[segment, group][POPULAR]),
                _toned(lead[segment, group][POPULAR]),
                _interval(recall[segment, group][CHALLENGER]),
            )
            for group in named_so
        ]
        headings = (segment, "profiles", "nDCG", "popularity's", "difference", "recall")
        apart = gap({group: ndcg[segment, group][CHALLENGER] for group in named_so}, least)
        caption = (
            f"Largest gap: {apart.best} is ahead of {apart.worst} by {apart.difference.signed} nDCG."
            if apart
            else f"No gap can be told: fewer than two groups have {least} profiles."
        )
        parts.append(Grid(headings, rows, caption))
    return Section(
        "For whom",
        "The same lists, judged for each group of profiles by itself: by how many titles a profile liked before, by "
        "market, by kind of profile and by kind of device. Who is new liked none, and is shown what is popular "
        "around, whichever model there is. A profile counts once in each holdout.",
        parts,
    )


def _limits(model: Model, comparison: Comparison, tolerances: Tolerances) -> Section:
    return Section(
        "Limits",
        "What it is not for, and where it is weak.",
        [
            Points(model.not_for),
            Points(
                [*_cold(comparison), *_small(comparison, tolerances.group_profiles), *model.weak]
            ),
        ],
    )


def _cold(comparison: Comparison) -> Iterator[str]:
    """What no model could have known."""
    for what in ("titles", "profiles"):
        total = sum(row[what] for row in comparison.cold)
        cold = sum(row[f"cold_{what}"] for row in comparison.cold)
        if total:
            yield (
                f"Of {total:,} {what} with a like in the holdouts, {cold:,} ({cold / total:.0%}) had none before: the "
                f"model cannot know such {what}."
            )


def _small(comparison: Comparison, least: int) -> Iterator[str]:
    small = [
        f"{segment} {group} ({models[CHALLENGER].profiles})"
        for (segment, group), models in comparison.grouped("ndcg").items()
        if models[CHALLENGER].profiles < least and group != NEW
    ]
    if small:
        yield f"Too few to be judged by themselves, and so not protected by the gate: {', '.join(small)}."


def _toned(lead: Measured) -> Cell:
    """A difference, and whether it is beyond noise."""
    tone = "good" if lead.low > 0 else "bad" if lead.high < 0 else ""
    return Cell(_interval(lead), tone)


def _interval(one: Measured) -> str:
    # It is not broken into lines, so that columns can be compared.
    low, high = _number(one.low), _number(one.high)
    return f"{_number(one.mean)} [{low}, {high}]".replace(" ", "\N{NO-BREAK SPACE}")


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3f}"
