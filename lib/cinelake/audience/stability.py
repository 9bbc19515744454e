"""How much of a clustering is in the data, and how much is chance: clusterings of resamples beside one another.

A clustering is fitted again to bootstrap samples of the profiles, and every profile is put into its cluster by both.
The *adjusted Rand index* says how far they agree on pairs of profiles, beyond chance (Hubert and Arabie 1985); and of
each cluster, the greatest *Jaccard index* with one of the resample's: below .6 it dissolves, from .75 on it is real
(Hennig 2007). Both come from how many profiles are in cluster a by one and b by the other, a group-by in Spark.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from cinelake.audience.features import Matrix, mapped
from cinelake.audience.mixture import Mixture


class Labels:
    """Rows with `reduced` → the cluster of each by each of several mixtures."""

    ddl = "labels array<int>"

    def __init__(self, mixtures: Sequence[Mixture]) -> None:
        self.mixtures = mixtures

    def __call__(self, batch: pa.RecordBatch) -> dict[str, pa.Array]:
        column = batch.column("reduced")
        size = self.mixtures[0].centres.shape[1]
        points = column.flatten().to_numpy(zero_copy_only=False).reshape(-1, size)
        found = np.stack(
            [mixture.memberships(points).argmax(axis=1) for mixture in self.mixtures], axis=1
        )
        ends = np.arange(len(found) + 1, dtype=np.int32) * found.shape[1]
        return {"labels": pa.ListArray.from_arrays(ends, pa.array(found.ravel().astype(np.int32)))}


def labelled(points: DataFrame, mixtures: Sequence[Mixture]) -> DataFrame:
    """`profile_id, reduced, labels array<int>`: the cluster by each mixture."""
    return mapped(points, "profile_id, reduced", Labels(mixtures))


def contingencies(labels: DataFrame, pairs: Sequence[tuple[int, int]]) -> list[Matrix]:
    """For each pair of places among the labels, how many profiles are in cluster a by the one and b by the other."""
    each = [
        F.struct(F.lit(n).alias("pair"), F.col("labels")[one].alias("a"), F.col("labels")[other].alias("b"))
        for n, (one, other) in enumerate(pairs)
    ]  # fmt: skip
    counted = labels.select(F.inline(F.array(*each))).groupBy("pair", "a", "b").count()
    rows = counted.toArrow().to_pylist()
    found = []
    for n in range(len(pairs)):
        own = [row for row in rows if row["pair"] == n]
        table = np.zeros(
            (1 + max((r["a"] for r in own), default=0), 1 + max((r["b"] for r in own), default=0)),
            np.int64,
        )
        for row in own:
            table[row["a"], row["b"]] = row["count"]
        found.append(table)
    return found


def adjusted_rand(table: Matrix) -> float:
    """From −.5 to 1, 0 by chance; 1 where both put all into one cluster, or each into its own."""

    def pairs(counts: Matrix) -> int:
        # Whole numbers of Python, which do not overflow.
        return sum(int(n) * (int(n) - 1) // 2 for n in counts.ravel())

    together, ones, others = pairs(table), pairs(table.sum(axis=1)), pairs(table.sum(axis=0))
    every = pairs(np.array([table.sum()]))
    expected = ones * others / every if every else 0.0
    most = (ones + others) / 2
    return 1.0 if most == expected else float((together - expected) / (most - expected))


def jaccard(table: Matrix) -> Matrix:
    """Of each cluster a, the greatest Jaccard index with a cluster b; 0 of one that has nobody."""
    union = table.sum(axis=1, keepdims=True) + table.sum(axis=0, keepdims=True) - table
    found: Matrix = (table / np.maximum(union, 1)).max(axis=1)
    return found
