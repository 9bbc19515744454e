"""Pictures of clusters: how their number was chosen, what components explain, and the map."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from cinelake.audience.choice import Choice, utilities

BLUE, RED, GREY = "#1b6ca8", "#c0504d", "#b8c4ce"
PANELS = ("silhouette", "stability", "gain (nats a title)", "all three")


def curves(choice: Choice) -> Figure:
    """The measures by number of clusters, and what was taken of each kind."""
    figure = Figure(figsize=(12, 3), layout="constrained")
    useful = utilities(choice.measured)
    kinds = list(dict.fromkeys(one.candidate.kind for one in choice.measured))
    colours = dict(zip(kinds, (BLUE, RED, "#7a5195"), strict=False))
    for axes, panel in zip(figure.subplots(1, 4), PANELS, strict=True):
        for kind in kinds:
            own = sorted(
                (one.candidate.k, n)
                for n, one in enumerate(choice.measured)
                if one.candidate.kind == kind
            )
            values = [_value(choice, n, panel, useful[n]) for _, n in own]
            axes.plot([k for k, _ in own], values, "o-", color=colours[kind], label=kind)
            if panel.startswith("gain"):
                errors = [1.96 * choice.measured[n].gain.error for _, n in own]
                axes.errorbar([k for k, _ in own], values, errors, color=colours[kind], fmt="none")
        axes.axvline(choice.taken.candidate.k, color=GREY, zorder=0)
        axes.set_title(panel, fontsize=10)
        axes.set_xlabel("clusters")
        axes.set_ylim(bottom=min(0, axes.get_ylim()[0]))
    figure.axes[0].legend(fontsize=8)
    return figure


def _value(choice: Choice, place: int, panel: str, useful: float) -> float:
    one = choice.measured[place]
    known = {"silhouette": one.silhouette, "stability": one.stability, PANELS[2]: one.gain.mean}
    return known.get(panel, useful)


def explained(shares: Mapping[str, np.ndarray[Any, Any]]) -> Figure:
    """What share of the variance the components explain together, by population."""
    figure = Figure(figsize=(5, 3), layout="constrained")
    axes = figure.subplots()
    for population, own in shares.items():
        axes.plot(range(1, len(own) + 1), np.cumsum(own), "o-", ms=3, label=population)
    axes.set_xlabel("principal components")
    axes.set_ylabel("variance explained")
    axes.set_ylim(0, 1.02)
    axes.legend(fontsize=8)
    return figure


def cluster_map(
    clusters: Sequence[Mapping[str, Any]], poles: Sequence[tuple[Sequence[str], Sequence[str]]]
) -> Figure:
    """Rows of `cluster_states` of one population; a circle's area is its members. `poles` say what lies left and
    right, then below and above.
    """
    figure = Figure(figsize=(10, 6.5), layout="constrained")
    axes = figure.subplots()
    most = max((row["members"] for row in clusters), default=1)
    order = sorted(clusters, key=lambda row: -row["members"])
    axes.scatter(
        [row["x"] for row in order], [row["y"] for row in order],
        [120 + 2600 * row["members"] / max(most, 1) for row in order],
        color=[BLUE if row["event"] in ("kept", "born") else RED for row in order], alpha=0.35, edgecolor="white",
    )  # fmt: skip
    for row in order:
        axes.annotate(
            f"{_wrapped(row['name'])}\n{row['member_share']:.0%}", (row["x"], row["y"]), ha="center", va="center",
            fontsize=8,
        )  # fmt: skip
    (left, right), (below, above) = poles
    axes.set_xlabel(f"← {', '.join(left)}      {', '.join(right)} →")
    axes.set_ylabel(f"← {', '.join(below)}      {', '.join(above)} →")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.margins(0.18)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def marks(
    clusters: Sequence[Mapping[str, Any]],
    portraits: Sequence[Mapping[str, Any]],
    aspect: str,
    terms: int = 14,
) -> Figure:
    """What each cluster watches more of than the rest of its population: rows of its portrait, by term.

    A colour is the logarithm of the lift; a term is there that marks some cluster beyond chance, the surest first.
    """
    own = [row for row in portraits if row["aspect"] == aspect and row["lift"]]
    surest: dict[str, float] = {}
    for row in own:
        surest[row["term"]] = max(surest.get(row["term"], 0.0), row["z"])
    names = sorted(surest, key=lambda term: (-surest[term], term))[:terms]
    lifts = {(row["cluster_id"], row["term"]): row for row in own}
    figure = Figure(figsize=(11, 1.4 + 0.42 * len(clusters)), layout="constrained")
    axes = figure.subplots()
    table = np.full((len(clusters), len(names)), np.nan)
    for down, cluster in enumerate(clusters):
        for across, term in enumerate(names):
            mark = lifts.get((cluster["cluster_id"], term))
            if mark is not None:
                table[down, across] = np.clip(np.log2(mark["lift"]), -2, 2)
                axes.text(
                    across, down, f"×{mark['lift']:.1f}", ha="center", va="center", fontsize=8
                )
    axes.imshow(table, cmap="RdBu_r", vmin=-3, vmax=3, aspect="auto")
    axes.set_xticks(range(len(names)), names, rotation=35, ha="right", fontsize=9)
    called = [f"{_wrapped(row['name'], 40)} ({row['member_share']:.0%})" for row in clusters]
    axes.set_yticks(range(len(clusters)), called, fontsize=9)
    axes.set_title(
        f"{aspect}: share of watching, against the rest of the population", loc="left", fontsize=10
    )
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return figure


def _wrapped(name: str, width: int = 24) -> str:
    lines = [""]
    for word in name.split(" "):
        longer = f"{lines[-1]} {word}".strip()
        if len(longer) > width and lines[-1]:
            lines.append(word)
        else:
            lines[-1] = longer
    return "\n".join(lines)
