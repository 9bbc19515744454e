"""Pictures of the home page's models, for MLflow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure

from cinelake.recommend.home.logit import Logit
from cinelake.recommend.home.worth import AT

STRONGEST = 15


def reliability(bins: Sequence[Mapping[str, Any]]) -> Figure:
    """Chances against what came of them; as large as there are examples."""
    figure = Figure(figsize=(5, 5), layout="constrained")
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color="#a0a0a0", lw=1)
    most = max((row["examples"] for row in bins), default=1)
    axes.scatter(
        [row["chance"] for row in bins],
        [row["resumed"] for row in bins],
        [20 + 300 * row["examples"] / most for row in bins],
        color="#1b6ca8",
        alpha=0.7,
    )
    axes.set_xlabel("chance that was told")
    axes.set_ylabel("share that came true")
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    return figure


def circumstances(logit: Logit) -> Figure:
    """What draws together, and apart, most: terms of titles and circumstances with the greatest weights."""
    crossed = {name: weight for name, weight in logit.weights.items() if AT in name}
    order = sorted(crossed, key=lambda name: (crossed[name], name))
    strongest = [*order[:STRONGEST], *[n for n in order[-STRONGEST:] if n not in order[:STRONGEST]]]
    figure = Figure(figsize=(8, 0.25 * len(strongest) + 1), layout="constrained")
    axes = figure.subplots()
    values = [crossed[name] for name in strongest]
    colours = ["#1b6ca8" if value > 0 else "#c0504d" for value in values]
    axes.barh(range(len(strongest)), values, color=colours)
    axes.set_yticks(range(len(strongest)), strongest, fontsize=8)
    axes.set_xlabel("log odds")
    return figure


def leaderboard(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """Rows of `home_scores` of a day: policies beside one another, measure by measure, with their intervals."""
    measures = sorted({row["measure"] for row in rows})
    figure = Figure(figsize=(4 * len(measures), 3), layout="constrained")
    for axes, measure in zip(
        figure.subplots(1, len(measures), squeeze=False)[0], measures, strict=True
    ):
        own = sorted(
            (row for row in rows if row["measure"] == measure), key=lambda row: row["mean"]
        )
        for place, row in enumerate(own):
            below, above = row["mean"] - row["low"], row["high"] - row["mean"]
            axes.errorbar(
                row["mean"], place, xerr=[[below], [above]], fmt="o", capsize=4, color="#1b6ca8"
            )
        axes.set_yticks(range(len(own)), [row["policy"] for row in own])
        axes.set_ylim(-0.5, len(own) - 0.5)
        axes.set_xlim(left=0)
        axes.set_xlabel(f"{measure}, 95 % intervals")
    return figure
