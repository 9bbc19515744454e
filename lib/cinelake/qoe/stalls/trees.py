"""Gradient-boosted trees that say how likely a stall is, fitted by MLlib and kept as a table of nodes.

Method: MLlib's GBTClassifier (Friedman, "Greedy function approximation", 2001; logistic loss), on all moments before a
stall and a share of the others that is drawn by a hash and weighs the more. Its margin is calibrated by a logistic
regression on days that the trees did not see (Platt 1999): chances are then of the service as it is, with its few
stalls.

Nodes instead of MLlib's own object: they can be read, kept as a frame, and applied to Arrow batches by numpy, in batch
and stream and by who loads the registered model, without Spark.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from pyspark.ml.classification import GBTClassifier, LogisticRegression
from pyspark.ml.feature import VectorAssembler
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import DoubleType, StructField, StructType

from cinelake.labels import OneSided
from cinelake.qoe.stalls.moments import FEATURES

LEAF = -1
_SHARE = 1_000_000
Floats = NDArray[np.float64]


class Recipe(BaseModel):
    """What is learned from, and how far the trees go."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    days: int = Field(14, ge=4, le=90, description="days of heartbeats that are learned from")
    share_of_plays: float = Field(
        1.0, gt=0, le=1, description="of plays, drawn by a hash; a large service needs a hundredth"
    )
    others: float = Field(
        15.0, gt=0, description="moments without a stall to each with one, that trees are fitted to"
    )
    trees: int = Field(30, ge=1, le=500, description="trees, each of which mends those before it")
    depth: int = Field(4, ge=1, le=10, description="splits from root to leaf")
    step: float = Field(0.15, gt=0, le=1, description="how far each tree is followed")
    least_in_leaf: int = Field(50, ge=1, description="moments that a leaf holds at least")
    seed: int = 7


@dataclass(frozen=True)
class Boosted:
    """Nodes of all trees, one after the other, and the calibration: chance = 1 / (1 + exp(−(a + b · margin)))."""

    root: list[int]
    feature: list[int]  # LEAF for none
    threshold: list[float]  # at most goes left
    left: list[int]
    right: list[int]
    value: list[float]  # what a leaf adds to the margin
    intercept: float = 0.0
    slope: float = 2.0  # of margins as MLlib has them

    def margin(self, rows: Floats) -> Floats:
        """One a row of `FEATURES`, in that order."""
        total = np.zeros(len(rows))
        for margin in self.margins(rows):
            total = margin
        return total

    def margins(self, rows: Floats) -> Iterator[Floats]:
        """As `margin`, of the first tree, of the first two, and so on to that of all."""
        feature, threshold = np.array(self.feature), np.array(self.threshold)
        left, right, value = np.array(self.left), np.array(self.right), np.array(self.value)
        total = np.zeros(len(rows))
        for root in self.root:
            at = np.full(len(rows), root)
            while (inner := feature[at] != LEAF).any():
                here = at[inner]
                goes_left = rows[inner, feature[here]] <= threshold[here]
                at[inner] = np.where(goes_left, left[here], right[here])
            total = total + value[at]
            yield total

    def chance(self, rows: Floats) -> Floats:
        """From 0 to 1."""
        found: Floats = 1 / (1 + np.exp(-(self.intercept + self.slope * self.margin(rows))))
        return found

    def told(self) -> dict[str, Any]:
        """As JSON can say it."""
        return asdict(self) | {"names": list(FEATURES)}

    def frame(self, spark: SparkSession) -> DataFrame:
        """The nodes as a table, for the registry; of the calibration every row tells."""
        is_root = set(self.root)
        rows = [
            (node, node in is_root, *parts, self.intercept, self.slope)
            for node, parts in enumerate(
                zip(self.feature, self.threshold, self.left, self.right, self.value, strict=True)
            )
        ]
        return spark.createDataFrame(
            rows,
            "node int, is_root boolean, feature int, threshold double, left int, right int, value double, "
            "intercept double, slope double",
        )

    @classmethod
    def of_frame(cls, frame: DataFrame) -> Self:
        rows = sorted(frame.toArrow().to_pylist(), key=lambda row: row["node"])

        def column(name: str) -> list[Any]:
            return [row[name] for row in rows]

        return cls(
            [row["node"] for row in rows if row["is_root"]],
            column("feature"),
            column("threshold"),
            column("left"),
            column("right"),
            column("value"),
            rows[0]["intercept"],
            rows[0]["slope"],
        )


def learned(examples: DataFrame, later: DataFrame, recipe: Recipe) -> Boosted:
    """Trees fitted to `examples`, calibrated on `later`: rows of `moments`. Raises OneSided."""
    trees = _fitted(examples, recipe)
    told = with_margin(later, trees).select(
        F.col("margin"), F.col("stalls").cast("double").alias("label")
    )
    _refuse_one_sided(told)
    assembled = VectorAssembler(inputCols=["margin"], outputCol="features").transform(told)
    platt = LogisticRegression(standardization=False, maxIter=100).fit(assembled)
    # Whatever the later days say, more margin is never less of a risk.
    slope = max(float(platt.coefficients[0]), 0.0)
    return Boosted(**asdict(trees) | {"intercept": float(platt.intercept), "slope": slope})


def _fitted(examples: DataFrame, recipe: Recipe) -> Boosted:
    label = F.col("stalls").cast("double").alias("label")
    counts = examples.agg(F.count_if("stalls").alias("n"), F.count("*").alias("total")).first()
    stalled, total = (counts["n"], counts["total"]) if counts else (0, 0)
    if not 0 < stalled < total:
        raise OneSided(
            f"of {total} moments {stalled} were followed by a stall; both kinds are needed"
        )
    share = min(1.0, recipe.others * stalled / (total - stalled))
    # Drawn by who and when it is: as by chance, and the same in every run.
    is_drawn = (
        F.pmod(F.xxhash64("play_id", "at", F.lit(recipe.seed)), F.lit(_SHARE)) < share * _SHARE
    )
    drawn = examples.where(F.col("stalls") | is_drawn).select(
        label, F.when(F.col("stalls"), 1.0).otherwise(1 / share).alias("weight"), *FEATURES
    )
    rows = VectorAssembler(inputCols=list(FEATURES), outputCol="features").transform(drawn)
    # Sampling and splits go by the order of rows, which must not change from run to run.
    rows = rows.select("label", "weight", "features")
    classifier = GBTClassifier(
        maxIter=recipe.trees,
        maxDepth=recipe.depth,
        stepSize=recipe.step,
        minInstancesPerNode=recipe.least_in_leaf,
        weightCol="weight",
        seed=recipe.seed,
    )
    model = classifier.fit(rows)
    nodes: dict[str, list[Any]] = {
        name: [] for name in ("feature", "threshold", "left", "right", "value")
    }
    roots = [
        _walked(tree._call_java("rootNode"), weight, nodes)
        for tree, weight in zip(model.trees, model.treeWeights, strict=True)
    ]
    return Boosted(
        roots, nodes["feature"], nodes["threshold"], nodes["left"], nodes["right"], nodes["value"]
    )


def _walked(node: Any, weight: float, nodes: dict[str, list[Any]]) -> int:
    """Enter a node of MLlib's and all below it; returns its number."""
    place = len(nodes["value"])
    if node.subtreeDepth() == 0:
        told: tuple[Any, ...] = (LEAF, 0.0, place, place, weight * node.prediction())
    else:
        split = node.split()
        told = (split.featureIndex(), split.threshold(), LEAF, LEAF, 0.0)
    for name, value in zip(nodes, told, strict=True):
        nodes[name].append(value)
    if told[0] != LEAF:
        nodes["left"][place] = _walked(node.leftChild(), weight, nodes)
        nodes["right"][place] = _walked(node.rightChild(), weight, nodes)
    return place


def with_margin(rows: DataFrame, trees: Boosted) -> DataFrame:
    """Rows with `margin double`."""
    return _with(rows, "margin", lambda batch: trees.margin(matrix(batch)))


def with_chance(rows: DataFrame, trees: Boosted) -> DataFrame:
    """Rows of `moments` with `chance double` of a stall in the next minute."""
    return _with(rows, "chance", lambda batch: trees.chance(matrix(batch)))


def matrix(batch: pa.RecordBatch) -> Floats:
    """`FEATURES` of a batch as a matrix."""
    columns = [batch.column(name).to_numpy(zero_copy_only=False) for name in FEATURES]
    return np.column_stack(columns).astype(np.float64).reshape(-1, len(FEATURES))


def _with(rows: DataFrame, name: str, told: Any) -> DataFrame:
    def scored(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            yield batch.append_column(name, pa.array(told(batch), type=pa.float64()))

    # No built-in function walks a table of nodes; MLlib's own object cannot go into a stream's batches by version.
    shape = StructType([*rows.schema.fields, StructField(name, DoubleType())])
    return rows.mapInArrow(scored, shape)


def _refuse_one_sided(told: DataFrame) -> None:
    counts = told.agg(F.sum("label").alias("n"), F.count("*").alias("total")).first()
    if counts is None or not 0 < (counts["n"] or 0) < counts["total"]:
        raise OneSided(
            "of the days that calibrate no moment, or every one, was followed by a stall"
        )
