"""Pictures of comparisons and searches, for MLflow."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import accumulate
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cinelake.recommend.evaluation import named
from cinelake.recommend.holdout import NEW
from cinelake.recommend.search import Found
from cinelake.recommend.training import Comparison

HISTORIES = (NEW, "1-9", "10-29", "30-99", "100+")
COLOURS = {"challenger": "#1b6ca8", "champion": "#d08c00", "popular": "#8a8a8a"}
# Of all other models, by their names, so that a model has the same in every picture.
OTHERS = ("#2e8b57", "#8e4585", "#c0504d", "#5f9ea0", "#7a5c3e", "#a0a83a")


def quality(comparison: Comparison, measure: str = "ndcg") -> Figure:
    """Each model's mean with its interval, and recall by how much of a profile is known."""
    figure = Figure(figsize=(10, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    measured = comparison.measured(measure)
    models = sorted(measured, key=lambda model: measured[model].mean)
    colours = _colours(models)
    for place, model in enumerate(models):
        one = measured[model]
        left.errorbar(
            one.mean,
            place,
            xerr=[[one.mean - one.low], [one.high - one.mean]],
            fmt="o",
            capsize=4,
            color=colours[model],
        )
    left.set_yticks(range(len(models)), models)
    left.set_ylim(-0.5, len(models) - 0.5)
    profiles = max((one.profiles for one in measured.values()), default=0)
    left.set_xlabel(f"{measure}@{comparison.k}, 95 % interval over {profiles} profiles")
    left.set_xlim(left=0)
    _recall_by_history(right, comparison, models)
    return figure


def _recall_by_history(axes: Axes, comparison: Comparison, models: list[str]) -> None:
    width, colours = 0.8 / max(1, len(models)), _colours(models)
    recall = named("recall", comparison.k)
    found = [
        row
        for row in comparison.segments
        if row["segment"] == "history" and row["measure"] == recall
    ]
    counts = {row["group"]: row["profiles"] for row in found}
    for number, model in enumerate(models):
        mean = {row["group"]: row["mean"] for row in found if row["model"] == model}
        places = [at + (number - (len(models) - 1) / 2) * width for at in range(len(HISTORIES))]
        heights = [mean.get(history, 0.0) for history in HISTORIES]
        axes.bar(places, heights, width, label=model, color=colours[model])
    labels = [f"{history}\n({counts.get(history, 0)} profiles)" for history in HISTORIES]
    axes.set_xticks(range(len(HISTORIES)), labels)
    axes.set_xlabel("titles liked before the cut")
    axes.set_ylabel(f"recall@{comparison.k}")
    axes.legend()


def _colours(models: Iterable[str]) -> dict[str, str]:
    others = sorted(set(models) - set(COLOURS))
    return COLOURS | {name: OTHERS[at % len(OTHERS)] for at, name in enumerate(others)}


def in_order(groups: Iterable[str]) -> list[str]:
    """Histories by their length, and all else by name."""
    return sorted(
        groups, key=lambda name: (HISTORIES.index(name) if name in HISTORIES else 0, name)
    )


def groups(comparison: Comparison) -> Figure:
    """nDCG of the challenger and of popularity in every group of profiles, a panel a segment."""
    found = comparison.grouped("ndcg")
    segments = list(dict.fromkeys(segment for segment, _ in found))
    figure = Figure(figsize=(10, 3.2), layout="constrained")
    panels = figure.subplots(1, len(segments), sharey=True, squeeze=False)[0]
    for axes, segment in zip(panels, segments, strict=True):
        names = in_order(group for other, group in found if other == segment)
        for model, aside in (("popular", 0.12), ("challenger", -0.12)):
            ones = [found[segment, name][model] for name in names]
            axes.errorbar(
                [place + aside for place in range(len(names))],
                [one.mean for one in ones],
                # A resampled interval may miss its mean by the last digit, which is no length to draw.
                yerr=[
                    [max(0.0, one.mean - one.low) for one in ones],
                    [max(0.0, one.high - one.mean) for one in ones],
                ],
                fmt="o",
                capsize=3,
                color=COLOURS[model],
            )
        axes.set_xticks(range(len(names)), names, rotation=30 if len(names) > 5 else 0)
        axes.set_xlim(-0.6, len(names) - 0.4)
        axes.set_title(segment, fontsize=10, loc="left")
        axes.set_ylim(bottom=0)
    panels[0].set_ylabel(f"nDCG@{comparison.k}")
    return figure


def trade_off(comparison: Comparison) -> Figure:
    """nDCG against calibration and coverage, as lists are re-ranked by the genres of the history."""
    figure = Figure(figsize=(10, 4), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    k, rows = comparison.k, comparison.trade_off
    gains = ((left, "miscalibration", "KL from the history's genres (nats; less is better)"),
             (right, "coverage", "share of the catalogue that is shown to anyone"))  # fmt: skip
    for axes, gain, label in gains:
        axes.plot([row[gain] for row in rows], [row["ndcg"] for row in rows], "o-", color="#1b6ca8")
        for row in rows:
            axes.annotate(
                f"{row['calibration']:g}", (row[gain], row["ndcg"]),
                textcoords="offset points", xytext=(6, 5), fontsize=8,
            )  # fmt: skip
        axes.set_xlabel(label)
        axes.set_ylim(bottom=0)
    left.set_ylabel(f"nDCG@{k} in the newest holdout")
    figure.suptitle("What it costs to calibrate: numbers are weights", fontsize=10)
    return figure


def search(found: Found[Any]) -> Figure:
    """What each trial came to, the best until then, and which dimensions made the difference."""
    figure = Figure(figsize=(10, 4), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=[3, 2])
    numbers = [trial.number for trial in found.finished]
    means = [trial.mean for trial in found.finished]
    left.step(numbers, list(accumulate(means, max)), where="post", color=COLOURS["challenger"])
    left.plot(numbers, means, "o", color=COLOURS["challenger"], label="finished")
    pruned = [trial for trial in found.trials if trial.pruned]
    left.plot(
        [trial.number for trial in pruned], [trial.mean for trial in pruned],
        "x", color=COLOURS["popular"], label="broken off, over the blocks it got to",
    )  # fmt: skip
    left.axhline(found.trials[0].mean, color=COLOURS["champion"], ls=":", label="as configured")
    left.set_xlabel("trial")
    left.set_ylabel(found.objective)
    left.legend(fontsize=8)
    shares = sorted(found.importance.items(), key=lambda item: item[1])
    right.barh([name for name, _ in shares], [share for _, share in shares], color="#1b6ca8")
    right.set_xlabel("share in how much finished trials differ (fANOVA)")
    if not shares:
        right.text(0.5, 0.5, "too few trials to tell", ha="center", transform=right.transAxes)
    return figure
