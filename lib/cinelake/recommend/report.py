"""How good the recommender is: its newest training beside its rivals."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure
from pyspark.sql import functions as F

from cinelake.recommend.gate import CHALLENGER, CHAMPION, POPULAR
from cinelake.recommend.home import report as home
from cinelake.report.page import COLD, INK, QUIET, WARM, Cards, Cell, Grid, Part, Picture, Section
from cinelake.runtime.delta.lake import Lake
from cinelake.runtime.tracking.versions import ModelRun
from cinelake.runtime.workspace import Workspace
from cinelake.tables.contract import Table
from cinelake.tables.recommend import RECOMMENDER, RECOMMENDER_HEALTH, TRAINING_HEALTH

# Measures that are drawn, by name, and what they are called.
DRAWN = {
    "ndcg": "nDCG",
    "recall": "recall",
    "coverage": "coverage of the catalogue",
    "miscalibration": "miscalibration",
}
COLOURS = {CHALLENGER: WARM, CHAMPION: COLD, POPULAR: QUIET}
_SHOWN_VERSIONS = 10


def sections(workspace: Workspace) -> Iterator[Section]:
    """The newest training, and the versions before it; and how lists fared on the newest day."""
    versions = workspace.tracking.versions(RECOMMENDER)
    if versions:
        runs = [workspace.tracking.report(each) for each in versions[:_SHOWN_VERSIONS]]
        lake = workspace.lake
        health = [_newest_health(lake, table) for table in (RECOMMENDER_HEALTH, TRAINING_HEALTH)]
        yield recommender(runs, *health)
    yield from home.sections(workspace)


def _newest_health(lake: Lake, table: Table) -> list[dict[str, Any]]:
    """The rows of the newest day, in order of measure; none before there are any.

    The day is asked for by itself: in one query with its rows, the Java that Spark writes is longer than a method may
    be, and Spark says so in a page of log before it does without.
    """
    if not lake.exists(table):
        return []
    (told,) = lake.read(table).agg(F.max("day").alias("day")).toArrow().to_pylist()
    if told["day"] is None:
        return []
    rows = lake.read(table, start=told["day"]).toArrow().to_pylist()
    return sorted(rows, key=lambda row: str(row["measure"]))


def recommender(runs: Sequence[ModelRun], *healths: Sequence[Mapping[str, Any]]) -> Section:
    """Trainings, newest first, and rows of health, of the newest day of each table."""
    newest = runs[0]
    decided = newest.version.judged
    verdict = {True: "passed", False: "not passed"}[newest.version.approved] if decided else "open"
    parts: list[Part] = [
        Cards(
            [
                (str(newest.version.version), "newest version of the model"),
                (f"{newest.version.trained_through}", "is the first day that it has not seen"),
                (verdict, "is how its gate was"),
            ]
        ),
        Picture(
            _measures(newest.metrics),
            "The newest version on what profiles went on to watch, which no model had seen; lines are 95 % intervals.",
        ),
        Grid(
            ("version", "trained through", "gate", "why"),
            [
                (
                    str(run.version.version),
                    f"{run.version.trained_through}",
                    Cell(*_gate(run)),
                    run.version.reason,
                )
                for run in runs
            ],
        ),
    ]
    for health in filter(None, healths):
        rows = [
            (Cell("alarm", "bad") if row["is_alarm"] else Cell("no alarm"), row["message"])
            for row in health
        ]
        parts.append(Grid((f"on {health[0]['day']}", "what was measured"), rows))
    return Section(
        "Recommender",
        "A version is approved only if, on the same held-out days, it beats plain popularity and is no worse than the "
        "champion's recipe beyond noise; the same recipe on newer data has only popularity to beat.",
        parts,
    )


def _gate(run: ModelRun) -> tuple[str, str]:
    if not run.version.judged:
        return "not judged yet", "warn"
    return ("passed", "good") if run.version.approved else ("failed", "warn")


def _measures(metrics: Mapping[str, float]) -> Figure:
    figure = Figure(figsize=(11, 2.6), layout="constrained")
    columns = figure.subplots(1, len(DRAWN), squeeze=False)[0]
    models, k = models_measured(metrics), length_judged(metrics)
    for axes, (measure, title) in zip(columns, DRAWN.items(), strict=True):
        for place, model in enumerate(models):
            name = f"{model}.{measure}_at_{k}"
            if name not in metrics:
                continue
            value = metrics[name]
            axes.bar(place, value, color=COLOURS.get(model, QUIET), width=0.7)
            if f"{name}.low" in metrics:
                span = [metrics[f"{name}.low"], metrics[f"{name}.high"]]
                axes.plot([place, place], span, color=INK, lw=1.4)
        axes.set_xticks(range(len(models)), models, rotation=30, ha="right")
        axes.set_title(title, loc="left", fontsize=10, color=INK)
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(colors=INK, labelsize=8.5)
    return figure


def models_measured(metrics: Mapping[str, float]) -> list[str]:
    """The models that metrics are of: the challenger, its rivals by name, and the baseline last."""
    of = {
        name.partition(".")[0] for name in metrics if ".ndcg_at_" in name and "_minus_" not in name
    }
    first = [model for model in (CHALLENGER, CHAMPION) if model in of]
    last = [POPULAR] if POPULAR in of else []
    return [*first, *sorted(of - {CHALLENGER, CHAMPION, POPULAR}), *last]


def length_judged(metrics: Mapping[str, float]) -> int:
    """The length of lists that the gate looked at: others are measured, but not what lists show together."""
    found = [name.rpartition("_at_")[2] for name in metrics if ".gini_at_" in name]
    found += [name.rpartition("_at_")[2] for name in metrics if ".ndcg_at_" in name]
    return next((int(length) for length in found if length.isdigit()), 0)
