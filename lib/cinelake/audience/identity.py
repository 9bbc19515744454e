"""Which of today's clusters are yesterday's: identity by members.

Clusters of two days are matched one to one so that the sum of their Jaccard indexes, of members known on both days, is
greatest (the assignment problem: Kuhn 1955, "The Hungarian Method"; solved by scipy). A pair that has less in common
than a setting is no match. What has no match today was *born*, or *split* from the old cluster that most of its members
come from; what has none from yesterday *merged* into the cluster that most of its members went to, or *ended*.

The same model finds the same clusters, which are then matched by their numbers, however their members move.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from scipy.optimize import linear_sum_assignment

from cinelake.audience.features import Matrix

# Most of something.
HALF = 0.5


@dataclass(frozen=True)
class Fate:
    """What became of a cluster: `component` is its number today, None where it ended; `overlap` and `churn` are None
    where it was not there before.
    """

    cluster_id: str
    component: int | None
    event: str
    related: tuple[str, ...] = ()
    overlap: float | None = None
    churn: float | None = None


def new_id(population: str, day: date, trained_through: date, component: int) -> str:
    """The id of a cluster that was first found on that day, under that number, by a model trained through."""
    founded = f"{population}|{day}|{trained_through}|{component}"
    return hashlib.sha256(founded.encode()).hexdigest()[:12]


def fates(
    before: Sequence[str],
    moved: Mapping[tuple[str, int], int],
    components: int,
    ids: Sequence[str],
    *,
    least_overlap: float,
    numbers: Mapping[str, int] | None = None,
) -> list[Fate]:
    """What became of the clusters `before`, and of those that are new, in the order of today's numbers, then of ids.

    `moved` counts profiles by cluster before and number today, `ids` are for those that are new. With `numbers`, by
    which yesterday's clusters are known to the very same model, nothing needs to be matched.
    """
    old = sorted(before)
    table = np.zeros((len(old), components), np.int64)
    for (cluster, component), profiles in moved.items():
        if cluster in old:
            table[old.index(cluster), component] = profiles
    common = _jaccard(table)
    if numbers is None:
        matched = _matched(common, least_overlap)
    else:
        matched = {old.index(one): numbers[one] for one in old if numbers.get(one) is not None}
    known = {component: row for row, component in matched.items()}
    named = [old[known[c]] if c in known else ids[c] for c in range(components)]
    found = []
    for component in range(components):
        if component in known:
            row = known[component]
            overlap, churn = float(common[row, component]), _churn(table[row], component)
            found.append(Fate(named[component], component, "kept", (), overlap, churn))
        else:
            parent = _most(table[:, component])
            event = "born" if parent is None else "split"
            found.append(
                Fate(named[component], component, event, () if parent is None else (old[parent],))
            )
    for row in sorted(set(range(len(old))) - set(matched)):
        heir = _most(table[row])
        event = "ended" if heir is None else "merged"
        related = () if heir is None else (named[heir],)
        found.append(Fate(old[row], None, event, related, 0.0, 1.0))
    return found


def _jaccard(table: Matrix) -> Matrix:
    union = table.sum(axis=1, keepdims=True) + table.sum(axis=0, keepdims=True) - table
    found: Matrix = table / np.maximum(union, 1)
    return found


def _matched(common: Matrix, least: float) -> dict[int, int]:
    rows, columns = linear_sum_assignment(common, maximize=True)
    return {
        int(row): int(column)
        for row, column in zip(rows, columns, strict=True)
        if common[row, column] >= least and common[row, column] > 0
    }


def _churn(moved: Matrix, component: int) -> float | None:
    whole = int(moved.sum())
    return None if not whole else float(1 - moved[component] / whole)


def _most(counts: Matrix) -> int | None:
    """The place that holds more than half."""
    whole = counts.sum()
    if not whole:
        return None
    place = int(np.argmax(counts))
    return place if counts[place] > HALF * whole else None


def total_variation(one: Mapping[str, float], other: Mapping[str, float]) -> float:
    """Half the sum of the differences of two distributions, 0 to 1."""
    return 0.5 * sum(abs(one.get(t, 0.0) - other.get(t, 0.0)) for t in sorted({*one, *other}))
