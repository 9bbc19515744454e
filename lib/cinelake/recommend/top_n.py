"""The best N titles for every profile, without those it has seen.

Profiles stay where they are: each partition multiplies its profiles with the broadcast matrix of
titles, tile by tile, sets seen titles to −inf and keeps the best. MLlib's `recommendForAllUsers` is
a cross join with a shuffle, cannot leave titles out, and has to be asked for N plus the longest
history.

The result depends on the factors only, not on tiles, partitions or the BLAS in use:

1. Products in single precision find *candidates*: all titles within rounding error of the N-th
   best. The N-th best is bounded from below by the N-th largest of the maxima of groups of titles,
   which costs a tenth of a partial sort of the scores.
2. The few candidates are scored again in double precision, one inner product after the other.
3. Equal scores are ordered by title id.

Exact for any catalogue whose matrix fits into a worker's memory, some 200,000 titles.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import DoubleType, IntegerType, StructField, StructType
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

# Scores of one tile: 8 MB of single-precision numbers, so that every pass over them stays in the
# cache.
TILE_CELLS = 2_000_000
# Candidates scored again at a time, for the same reason.
RESCORED_CELLS = 4096
# A profile with more candidates per wanted title than this (one that finds most titles equal) is
# cut down by itself, for its tile is as wide as its widest row.
WIDE = 8
# More groups give a tighter bound and cost more to sort; ten per wanted title leaves about 5 % too
# many candidates.
GROUPS_PER_TITLE = 10
LOWEST = np.finfo(np.float32).min

Matrix = npt.NDArray[Any]


@dataclass(frozen=True)
class Catalogue:
    """The titles that can be recommended, ordered by id: a title's position breaks ties.

    `idx` are the dense integers under which histories name them.
    """

    ids: pa.Array
    idx: npt.NDArray[np.int64]
    factors: Matrix

    def __len__(self) -> int:
        return len(self.idx)

    @property
    def rank(self) -> int:
        return int(self.factors.shape[1])


def catalogue(titles: DataFrame) -> Catalogue:
    """Bring `title_id, title_idx, factors` to the driver, from where it is broadcast.

    Raises ValueError on factors that are not finite or differ in length.
    """
    rows = titles.select("title_id", "title_idx", "factors").toArrow().sort_by("title_id")
    factors = rows.column("factors").combine_chunks()
    if isinstance(factors, pa.ChunkedArray):
        factors = pa.concat_arrays(factors.chunks)
    return Catalogue(
        ids=_whole(rows.column("title_id")),
        idx=rows.column("title_idx").to_numpy().astype(np.int64),
        factors=_matrix(factors, None),
    )


def top_n(profiles: DataFrame, titles: Catalogue, n: int) -> DataFrame:
    """`profile_id, rank, title_id, score` for `profile_id, factors array<float|double>, seen
    array<int>`.

    `seen` holds title indexes and may be null; those unknown to the catalogue are ignored. A
    profile gets fewer than `n` rows where fewer titles are left, and none where it has seen them
    all. Rows whose factors are null get none.
    """
    if n < 1:
        raise ValueError(f"a list of {n} titles; ask for at least 1")
    source = profiles.select("profile_id", "factors", "seen").where(F.col("factors").isNotNull())
    profile_type = source.schema["profile_id"].dataType
    title_type = _spark_type(titles.ids.type)
    schema = StructType(
        [
            StructField("profile_id", profile_type),
            StructField("rank", IntegerType()),
            StructField("title_id", title_type),
            StructField("score", DoubleType()),
        ]
    )
    if len(titles) == 0:
        return source.limit(0).select(
            "profile_id",
            F.lit(None).cast("int").alias("rank"),
            F.lit(None).cast(title_type).alias("title_id"),
            F.lit(None).cast("double").alias("score"),
        )
    shared = source.sparkSession.sparkContext.broadcast(titles)
    # Python, because Spark has no blocked matrix product on data frames.
    return source.mapInArrow(_ranking(lambda: shared.value, n), schema)


Batches = Iterator[pa.RecordBatch]


def _ranking(titles: Callable[[], Catalogue], n: int) -> Callable[[Batches], Batches]:
    def rank_batches(batches: Batches) -> Batches:
        # Spark runs one worker per core already; more BLAS threads would only fight over them.
        with threadpool_limits(limits=1, user_api="blas"):
            scorer = Scorer(titles(), n)
            for batch in batches:
                if batch.num_rows:
                    yield from scorer.rank(batch)

    return rank_batches


class Scorer:
    """Ranks batches of profiles against one catalogue; holds the buffers that all tiles share."""

    def __init__(self, titles: Catalogue, n: int) -> None:
        self.titles = titles
        self.n = min(n, len(titles))
        self.group = max(1, len(titles) // (GROUPS_PER_TITLE * self.n))
        self.groups = -(-len(titles) // self.group)
        self.columns = self.group * self.groups
        single = titles.factors.astype(np.float32)
        # Titles are spread over the groups like cards over players, padded with columns that never
        # win.
        self.transposed = np.zeros((titles.rank, self.columns), np.float32)
        self.transposed[:, : len(titles)] = single.T
        norms = np.sqrt(np.einsum("tr,tr->t", single, single, dtype=np.float64))
        # Twice the worst rounding error of an inner product of single-precision numbers, per unit
        # of the profile's norm (Higham 2002, section 3.1), and that of casting double factors down.
        self.slack = 4.0 * (titles.rank + 4) * np.finfo(np.float32).eps * float(norms.max())
        self.position = np.full(int(titles.idx.max()) + 1, -1, np.int64)
        self.position[titles.idx] = np.arange(len(titles))
        self.rows = max(1, TILE_CELLS // self.columns)
        self.scores = np.empty((self.rows, self.columns), np.float32)

    def rank(self, batch: pa.RecordBatch) -> Batches:
        """One record batch of ranked titles per tile of profiles."""
        factors = _matrix(batch.column("factors"), self.titles.rank)
        seen_row, seen_position = self._seen(batch.column("seen"))
        for start in range(0, batch.num_rows, self.rows):
            stop = min(start + self.rows, batch.num_rows)
            first, last = np.searchsorted(seen_row, [start, stop])
            row, position, score = self._tile(
                factors[start:stop], seen_row[first:last] - start, seen_position[first:last]
            )
            yield self._as_batch(
                batch.column("profile_id").slice(start, stop - start), row, position, score
            )

    def _seen(self, seen: pa.Array) -> tuple[Matrix, Matrix]:
        """Row and position of every seen cell, ordered by row."""
        lengths = seen.value_lengths().fill_null(0).to_numpy(zero_copy_only=False)
        rows = np.repeat(np.arange(len(seen)), lengths)
        idx = seen.flatten().to_numpy(zero_copy_only=False).astype(np.int64)
        known = (idx >= 0) & (idx < len(self.position))
        rows, position = rows[known], self.position[idx[known]]
        listed = position >= 0
        return rows[listed], position[listed]

    def _tile(
        self, profiles: Matrix, seen_row: Matrix, seen_position: Matrix
    ) -> tuple[Matrix, Matrix, Matrix]:
        """Row, position and score of the best titles, ordered by row and rank."""
        scores = self.scores[: len(profiles)]
        single = profiles.astype(np.float32)
        np.dot(single, self.transposed, out=scores)
        scores[:, len(self.titles) :] = -np.inf
        scores[seen_row, seen_position] = -np.inf

        best = scores.reshape(len(profiles), self.group, self.groups).max(axis=1)
        nth = np.partition(best, self.groups - self.n, axis=1)[:, self.groups - self.n]
        norms = np.sqrt(np.einsum("pr,pr->p", single, single, dtype=np.float64))
        # Never −inf, so a seen title is no candidate even where fewer than n are left.
        threshold = np.maximum(nth - self.slack * norms, LOWEST).astype(np.float32)
        cell = np.flatnonzero(scores >= threshold[:, None])
        row, position = np.divmod(cell, self.columns)
        double = profiles.astype(np.float64)
        return self._best(double, *self._narrowed(double, row, position))

    def _narrowed(self, profiles: Matrix, row: Matrix, position: Matrix) -> tuple[Matrix, Matrix]:
        """The candidates, with those of very wide rows cut down to their n best."""
        count = np.bincount(row, minlength=len(profiles))
        wide = np.flatnonzero(count > WIDE * self.n)
        if len(wide) == 0:
            return row, position
        first = np.cumsum(count) - count
        kept = np.ones(len(row), bool)
        for one in wide:
            cells = slice(first[one], first[one] + count[one])
            exact = self._exact(position[None, cells], profiles[one : one + 1])[0]
            kept[cells] = False
            kept[first[one] + np.argsort(-exact, kind="stable")[: self.n]] = True
        return row[kept], position[kept]

    def _exact(self, candidate: Matrix, profiles: Matrix) -> Matrix:
        """Inner products in double precision, each summed in the same order wherever it stands."""
        exact = np.empty(candidate.shape)
        rows = max(1, RESCORED_CELLS // max(1, candidate.shape[1]))
        for start in range(0, len(profiles), rows):
            block = slice(start, start + rows)
            titles = self.titles.factors[candidate[block]].astype(np.float64)
            exact[block] = np.einsum("pcr,pr->pc", titles, profiles[block])
        return exact

    def _best(
        self, profiles: Matrix, row: Matrix, position: Matrix
    ) -> tuple[Matrix, Matrix, Matrix]:
        """The first n of each row's candidates, which come ordered by row and position."""
        count = np.bincount(row, minlength=len(profiles))
        width = int(count.max(initial=0))
        column = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count)
        candidate = np.zeros((len(profiles), width), np.int64)
        candidate[row, column] = position
        exact = self._exact(candidate, profiles)
        absent = np.arange(width) >= count[:, None]
        exact[absent] = -np.inf
        # Stable, on candidates in the order of their ids: equal scores keep that order.
        order = np.argsort(-exact, axis=1, kind="stable")[:, : self.n]
        kept = np.arange(order.shape[1]) < count[:, None]
        ranked_row = np.repeat(np.arange(len(profiles)), kept.sum(axis=1))
        return (
            ranked_row,
            np.take_along_axis(candidate, order, axis=1)[kept],
            np.take_along_axis(exact, order, axis=1)[kept],
        )

    def _as_batch(
        self, profile_ids: pa.Array, row: Matrix, position: Matrix, score: Matrix
    ) -> pa.RecordBatch:
        count = np.bincount(row, minlength=len(profile_ids))
        rank = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count) + 1
        return pa.RecordBatch.from_arrays(
            [
                profile_ids.take(pa.array(row)),
                pa.array(rank.astype(np.int32)),
                self.titles.ids.take(pa.array(position)),
                pa.array(score),
            ],
            names=["profile_id", "rank", "title_id", "score"],
        )


def _matrix(factors: pa.Array, rank: int | None) -> Matrix:
    """Lists of equal length as a matrix without copying. Raises ValueError where they are not equal
    or finite.
    """
    lengths = np.unique(factors.value_lengths().to_numpy(zero_copy_only=False))
    if len(lengths) == 0:
        return np.empty((0, rank or 1), np.float32)
    if len(lengths) > 1 or (rank is not None and lengths[0] != rank):
        expected = "the same for all" if rank is None else f"{rank}, as those of the titles"
        raise ValueError(
            f"factors of length {', '.join(str(n) for n in lengths)}; it has to be {expected}"
        )
    matrix: Matrix = factors.flatten().to_numpy(zero_copy_only=False).reshape(len(factors), -1)
    if not np.isfinite(matrix).all():
        raise ValueError("factors hold NaN or infinite numbers; train the model again")
    return matrix


def _whole(column: pa.ChunkedArray) -> pa.Array:
    joined = column.combine_chunks()
    return pa.concat_arrays(joined.chunks) if isinstance(joined, pa.ChunkedArray) else joined


def _spark_type(arrow: pa.DataType) -> Any:
    from pyspark.sql.pandas.types import from_arrow_type

    return from_arrow_type(arrow)
