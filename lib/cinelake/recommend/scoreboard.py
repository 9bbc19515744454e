"""Models side by side, for a terminal: a row a measure, a column a model, and below them the intervals of one; and one
measure by groups of profiles.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.console import Group, RenderableType
from rich.table import Table as Grid
from rich.text import Text

from cinelake.recommend.gate import Measured

# Groups of a segment that are told.
GROUPS = 6
# What measures are called; those that are not measured of a model stay out.
LABELS = {
    "ndcg": "nDCG",
    "recall": "recall",
    "precision": "precision",
    "average_precision": "MAP",
    "reciprocal_rank": "MRR",
    "hit_rate": "hit rate",
    "coverage": "coverage",
    "gini": "Gini",
    "popularity": "popularity",
    "novelty": "novelty, bits",
    "diversity": "diversity",
    "miscalibration": "miscalibration",
    "serendipity": "serendipity",
}


def scoreboard(
    metrics: Mapping[str, float], models: Sequence[str], k: int, deciding: str = "ndcg"
) -> RenderableType:
    """Metrics named `als.ndcg_at_10`, and `.low` and `.high` of the deciding one."""
    # Without lines, six kinds of models fit into eighty columns.
    grid = Grid(box=None, pad_edge=False)
    grid.add_column(f"@{k}", no_wrap=True)
    for model in models:
        grid.add_column(model, justify="right")
    for measure, label in LABELS.items():
        found = [metrics.get(f"{model}.{measure}_at_{k}") for model in models]
        if any(value is not None for value in found):
            grid.add_row(label, *map(_told, found))
    lines = []
    for model in models:
        name = f"{model}.{deciding}_at_{k}"
        low, high = metrics.get(f"{name}.low"), metrics.get(f"{name}.high")
        if low is not None and high is not None:
            lines.append(Text(f"  {model}: {metrics[name]:.4f} [{low:.4f}, {high:.4f}]"))
    heading = [Text(f"{LABELS[deciding]}@{k} with 95 % intervals")] if lines else []
    return Group(grid, *heading, *lines)


def by_group(
    groups: Mapping[tuple[str, str], Mapping[str, Measured]], models: Sequence[str], k: int
) -> list[RenderableType]:
    """nDCG by segment and group of profiles, of each segment the largest groups; nothing where there is but one."""
    if len(groups) < 2:
        return []
    grid = Grid(box=None, pad_edge=False)
    grid.add_column(f"{LABELS['ndcg']}@{k}", no_wrap=True)
    grid.add_column("profiles", justify="right")
    for model in models:
        grid.add_column(model, justify="right")
    for segment in dict.fromkeys(segment for segment, _ in groups):
        own = {group: of for (other, group), of in groups.items() if other == segment}
        size = {group: max(one.profiles for one in of.values()) for group, of in own.items()}
        largest = sorted(own, key=lambda group: (-size[group], group))[:GROUPS]
        for group in sorted(largest):
            means = [own[group][name].mean if name in own[group] else None for name in models]
            grid.add_row(f"{segment} {group}", f"{size[group]:,}", *map(_told, means))
    return [grid]


def _told(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.4f}" if abs(value) < 1 else f"{value:.4g}"
