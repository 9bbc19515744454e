"""How many profiles like two titles, for each pair of titles: the ground of all models from title to title.

Grain: one row a pair `a <= b` of title numbers that at least one profile likes both; `a = b` counts a title's likes.

A profile of `n` titles makes `n²/2` pairs, so of a long history only some titles, evenly spaced in the order of their
numbers, are taken.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from scipy.sparse import csr_array, triu

# Pairs that a task holds before it hands them on: some 60 MB.
HELD = 4_000_000
# Profiles taken together: their pairs are summed at once.
ROWS = 2048


def liked_together(wanted: DataFrame, longest: int) -> DataFrame:
    """`a int, b int, profiles bigint` from rows `profile_id, title_idx`; at most `longest` titles a profile."""
    histories = wanted.groupBy("profile_id").agg(
        F.sort_array(F.collect_set("title_idx")).alias("titles")
    )
    # Python, because Spark would have to make a row of each pair of each profile.
    pairs = histories.select("titles").mapInArrow(
        lambda batches: _pairs(batches, longest), "a int, b int, profiles bigint"
    )
    return pairs.groupBy("a", "b").agg(F.sum("profiles").alias("profiles"))


def _pairs(batches: Iterator[pa.RecordBatch], longest: int) -> Iterator[pa.RecordBatch]:
    held: csr_array | None = None
    for batch in batches:
        for start in range(0, batch.num_rows, ROWS):
            counts = _counted(batch.column("titles").slice(start, ROWS), longest)
            if held is not None:
                size = max(held.shape[0], counts.shape[0])
                held.resize((size, size))
                counts.resize((size, size))
                counts = held + counts
            held = counts
            if held.nnz > HELD:
                yield _as_batch(held)
                held = None
    if held is not None:
        yield _as_batch(held)


def _counted(histories: pa.Array, longest: int) -> csr_array:
    short = []
    for titles in histories:
        numbers = titles.values.to_numpy()
        if len(numbers) > longest:
            numbers = numbers[np.linspace(0, len(numbers) - 1, longest).round().astype(np.int64)]
        short.append(numbers)
    columns = np.concatenate(short)
    starts = np.concatenate([[0], np.cumsum([len(numbers) for numbers in short])])
    size = int(columns.max(initial=-1)) + 1
    liked = csr_array((np.ones(len(columns), np.int64), columns, starts), (len(short), size))
    return csr_array(triu(liked.T @ liked, format="csr"))


def _as_batch(counts: csr_array) -> pa.RecordBatch:
    pairs = counts.tocoo()
    columns = [
        pa.array(pairs.row.astype(np.int32)),
        pa.array(pairs.col.astype(np.int32)),
        pa.array(pairs.data.astype(np.int64)),
    ]
    return pa.RecordBatch.from_arrays(columns, names=["a", "b", "profiles"])
