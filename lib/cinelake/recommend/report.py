"""How good the recommender is: its newest training beside its rivals."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from matplotlib.figure import Figure

from cinelake.recommend.gate import CHALLENGER, CHAMPION, POPULAR
from cinelake.report.page import COLD, INK, QUIET, WARM, Cards, Cell, Grid, Part, Picture, Section
from cinelake.runtime.tracking import ModelRun
from cinelake.runtime.workspace import Workspace
from cinelake.tables.recommend import ALS

# Measures that are drawn, by the beginning of a metric's name, and what they are called.
DRAWN = {
    "ndcg_at_": "nDCG",
    "recall_at_": "recall",
    "average_precision_at_": "average precision",
    "coverage_at_": "coverage of the catalogue",
}
COLOURS = {CHALLENGER: WARM, CHAMPION: COLD, POPULAR: QUIET}
_SHOWN_VERSIONS = 10


def sections(workspace: Workspace) -> Iterator[Section]:
    """The newest training, and the versions before it."""
    versions = workspace.tracking.versions(ALS)
    if versions:
        yield recommender([workspace.tracking.report(each) for each in versions[:_SHOWN_VERSIONS]])


def recommender(runs: Sequence[ModelRun]) -> Section:
    """Trainings, newest first."""
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
    return Section(
        "Recommender",
        "A model serves only after it beats plain popularity, and the champion before it, on the same held-out days.",
        parts,
    )


def _gate(run: ModelRun) -> tuple[str, str]:
    if not run.version.judged:
        return "not judged yet", "warn"
    return ("passed", "good") if run.version.approved else ("failed", "warn")


def _measures(metrics: Mapping[str, float]) -> Figure:
    figure = Figure(figsize=(11, 2.6), layout="constrained")
    columns = figure.subplots(1, len(DRAWN), squeeze=False)[0]
    models = [m for m in COLOURS if any(name.startswith(f"{m}.") for name in metrics)]
    for axes, (beginning, title) in zip(columns, DRAWN.items(), strict=True):
        for place, model in enumerate(models):
            name = metric_named(metrics, f"{model}.{beginning}")
            if name is None:
                continue
            value = metrics[name]
            axes.bar(place, value, color=COLOURS[model], width=0.7)
            if f"{name}.low" in metrics:
                span = [metrics[f"{name}.low"], metrics[f"{name}.high"]]
                axes.plot([place, place], span, color=INK, lw=1.4)
        axes.set_xticks(range(len(models)), models)
        axes.set_title(title, loc="left", fontsize=10, color=INK)
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(colors=INK, labelsize=8.5)
    return figure


def metric_named(metrics: Mapping[str, float], beginning: str) -> str | None:
    """The metric whose name begins so, and is no bound of an interval."""
    ends = (".low", ".high")
    return next(
        (n for n in sorted(metrics) if n.startswith(beginning) and not n.endswith(ends)), None
    )
