"""How odd a party is among all: an isolation forest, which is told no verdicts.

Method: Liu, Ting and Zhou, "Isolation Forest" (ICDM 2008): what few random cuts set apart is odd. Fitted by scikit-
learn on a bounded sample of parties that stand apart from a home, the same for the same rows; kept as a table of nodes
and applied to Arrow batches, so that neither jobs nor their executors unpickle anything. The score is that of the
paper, 2^(−E(h)/c(n)): about 0.5 for the usual, near 1 for the odd.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from sklearn.ensemble import IsolationForest

TREES, SAMPLE, SEED = 64, 256, 7
# Parties that the forest is drawn from at most.
MOST_ROWS = 50_000
LEAF = -1
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Forest:
    """Nodes of all trees, one after the other; children are places in the same arrays."""

    names: tuple[str, ...]
    root: NDArray[np.int64]
    feature: NDArray[np.int64]  # LEAF for none
    threshold: Floats
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    length: Floats  # of the path to a leaf, with what its rows would still take
    sample: int

    def score(self, rows: Floats) -> Floats:
        """One a row, 0 to 1; columns are in the order of `names`."""
        total = np.zeros(len(rows))
        for at in leaves(rows, self.root, self.feature, self.threshold, self.left, self.right):
            total += self.length[at]
        scores: Floats = 2.0 ** (-total / len(self.root) / usual_length(self.sample))
        return scores

    def frame(self, spark: SparkSession) -> DataFrame:
        """The nodes as a table, for the registry."""
        is_root = np.isin(np.arange(len(self.feature)), self.root)
        rows = zip(
            range(len(self.feature)), is_root.tolist(),
            [self.names[f] if f != LEAF else None for f in self.feature],
            self.threshold.tolist(), self.left.tolist(), self.right.tolist(), self.length.tolist(),
            [self.sample] * len(self.feature), strict=True,
        )  # fmt: skip
        return spark.createDataFrame(
            list(rows),
            "node int, is_root boolean, name string, threshold double, left int, right int, length double, sample int",
        )

    @classmethod
    def of_frame(cls, frame: DataFrame) -> Self:
        rows = sorted(frame.toArrow().to_pylist(), key=lambda row: row["node"])
        names = tuple(sorted({row["name"] for row in rows} - {None}))
        place = {name: number for number, name in enumerate(names)} | {None: LEAF}
        return cls(
            names,
            np.array([row["node"] for row in rows if row["is_root"]], dtype=np.int64),
            np.array([place[row["name"]] for row in rows], dtype=np.int64),
            np.array([row["threshold"] for row in rows]),
            np.array([row["left"] for row in rows], dtype=np.int64),
            np.array([row["right"] for row in rows], dtype=np.int64),
            np.array([row["length"] for row in rows]),
            rows[0]["sample"],
        )


def leaves(
    rows: Floats,
    roots: NDArray[np.int64],
    feature: NDArray[np.int64],
    threshold: Floats,
    left: NDArray[np.int64],
    right: NDArray[np.int64],
) -> Iterator[NDArray[np.int64]]:
    """For each tree the node in which each row ends."""
    for root in roots:
        at = np.full(len(rows), root)
        while (inner := feature[at] != LEAF).any():
            here = at[inner]
            goes_left = rows[inner, feature[here]] <= threshold[here]
            at[inner] = np.where(goes_left, left[here], right[here])
        yield at


def fitted(rows: Floats, names: Sequence[str]) -> Forest:
    """A forest of these rows. Raises ValueError for fewer than two."""
    if len(rows) < 2:
        raise ValueError(f"an isolation forest needs two rows or more, there are {len(rows)}")
    sample = min(SAMPLE, len(rows))
    forest = IsolationForest(n_estimators=TREES, max_samples=sample, random_state=SEED).fit(rows)
    parts: dict[str, list[NDArray[np.generic]]] = {}
    roots, offset = [], 0
    for tree in forest.estimators_:
        own = tree.tree_
        depth = np.zeros(own.node_count)
        for node in range(own.node_count):
            if own.children_left[node] != LEAF:
                depth[[own.children_left[node], own.children_right[node]]] = depth[node] + 1
        leaf = own.children_left == LEAF
        told = {
            "feature": np.where(leaf, LEAF, own.feature),
            "threshold": own.threshold,
            "left": np.where(leaf, LEAF, own.children_left + offset),
            "right": np.where(leaf, LEAF, own.children_right + offset),
            "length": depth + np.array([usual_length(int(n)) for n in own.n_node_samples]),
        }
        for name, values in told.items():
            parts.setdefault(name, []).append(values)
        roots.append(offset)
        offset += own.node_count
    whole = {name: np.concatenate(values) for name, values in parts.items()}
    return Forest(tuple(names), np.array(roots, dtype=np.int64), sample=sample, **whole)


def sample_of(parties: DataFrame, most: int = MOST_ROWS) -> DataFrame:
    """`features` of parties apart from a home: the newest of each party, of at most so many, always the same."""
    newest = (
        parties.where(~F.col("is_home"))
        .groupBy("account_id", "party")
        .agg(F.max_by("features", "as_of").alias("features"))
    )
    # By a hash of who it is: drawn as by chance, and the same in every run.
    return (
        newest.orderBy(F.xxhash64("account_id", "party"), "account_id", "party")
        .limit(most)
        .select("features")
    )


def matrix_of(features: Sequence[Sequence[Mapping[str, Any]]], names: Sequence[str]) -> Floats:
    """Rows of numbers from `array<struct<name, value>>`; a feature that is not told counts as 0."""
    told = [{each["name"]: each["value"] for each in row} for row in features]
    return np.array([[row.get(name, 0.0) for name in names] for row in told]).reshape(
        -1, len(names)
    )


def with_oddness(parties: DataFrame, forest: Forest | None) -> DataFrame:
    """Rows with `oddness double` from their `features`; null without a forest, and of rows without features."""
    if forest is None:
        return parties.select("*", F.lit(None).cast("double").alias("oddness"))

    def scored(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            told = batch.column("features").to_pylist()
            scores = forest.score(matrix_of(told, forest.names)) if len(batch) else np.zeros(0)
            empty = np.array([not row for row in told], dtype=bool)
            column = pa.array(scores, mask=empty, type=pa.float64())
            yield batch.append_column("oddness", column)

    # No built-in function walks trees of this kind; MLlib has no isolation forest.
    whole = parties.select("*", F.lit(None).cast("double").alias("oddness")).schema
    return parties.mapInArrow(scored, whole)


def usual_length(rows: int) -> float:
    """Mean length of an unsuccessful search in a binary tree of so many rows: c(n) of the paper."""
    if rows <= 1:
        return 0.0
    if rows == 2:
        return 1.0
    return float(2 * (np.log(rows - 1) + np.euler_gamma) - 2 * (rows - 1) / rows)
