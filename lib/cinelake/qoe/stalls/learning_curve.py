"""How the loss falls from tree to tree: on moments that the trees were fitted to, and on others.

Where the second no longer falls, or rises again, more trees teach no more. The loss is that of boosting itself,
`ln(1 + exp(−2 y F))` for a margin `F` and `y` of 1 or −1, in nats a moment; calibration has no part in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa
from matplotlib.figure import Figure
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from cinelake.qoe.stalls.moments import FEATURES
from cinelake.qoe.stalls.trees import Boosted, matrix

SHAPE = "trees int, loss double, moments long"


def losses(rows: DataFrame, trees: Boosted) -> list[float]:
    """Of rows of `moments`, the mean loss with the first tree, with the first two, and so on with all."""

    def summed(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            sign = np.where(batch.column("stalls").to_numpy(zero_copy_only=False), 1.0, -1.0)
            found = [
                float(np.logaddexp(0, -2 * sign * margin).sum())
                for margin in trees.margins(matrix(batch))
            ]
            counts = np.full(len(found), len(sign), np.int64)
            numbers = np.arange(1, len(found) + 1, dtype=np.int32)
            yield pa.RecordBatch.from_arrays(
                [pa.array(numbers), pa.array(found), pa.array(counts)],
                ["trees", "loss", "moments"],
            )

    # A tree of nodes is walked by numpy, as in trees.py.
    sums = rows.select(*FEATURES, "stalls").mapInArrow(summed, SHAPE).groupBy("trees")
    told = sums.agg((F.sum("loss") / F.sum("moments")).alias("loss")).orderBy("trees")
    return [row["loss"] for row in told.toArrow().to_pylist()]


def learning_curve(found: Mapping[str, Sequence[float]]) -> Figure:
    """A line for each kind of moments, by name."""
    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    colours = ("#a0a0a0", "#1b6ca8")
    for (name, values), colour in zip(found.items(), colours, strict=True):
        axes.plot(range(1, len(values) + 1), values, color=colour, label=name)
    axes.set_xlabel("trees")
    axes.set_ylabel("loss, nats a moment")
    axes.legend(frameon=False)
    return figure
