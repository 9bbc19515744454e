"""Frames computed once and kept for as long as a block lasts: who persists unpersists."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pyspark.sql import DataFrame


@contextmanager
def persisted(frame: DataFrame) -> Iterator[DataFrame]:
    """Compute `frame` now and keep its rows in memory, on disk where memory is short.

    A local checkpoint rather than a cache, for two reasons. Spark analyses the whole plan behind a
    cached frame again at each step built on it, which took longer than the steps themselves; and
    what follows reads these rows and no others, where a cache is recomputed in part when memory
    runs out (MLlib's ALS fails, or worse, on input that then differs: SPARK-28927). The price is
    that the work within the block fails with an executor that is lost.
    """
    kept = frame.localCheckpoint(eager=True)
    try:
        yield kept
    finally:
        # Only the plan knows the rows it holds; without this they would wait for a garbage collection.
        kept._jdf.queryExecution().logical().rdd().unpersist(False)
