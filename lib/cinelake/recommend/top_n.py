"""The best N titles for every profile, without those it has seen.

Profiles stay where they are: each partition scores its profiles with the broadcast model, tile by
tile, sets titles that are seen or may not be shown (eligibility.py) to −inf and keeps the best.
MLlib's `recommendForAllUsers` is a cross join with a shuffle, cannot leave titles out, and has to
be asked for N plus the longest history.

The result depends on the model only, not on tiles, partitions or the BLAS in use:

1. Scores in single precision (scoring.py) find *candidates*: all titles within rounding error of the N-th
   best. The N-th best is bounded from below by the N-th largest of the maxima of groups of titles,
   which costs a tenth of a partial sort of the scores.
2. The few candidates are scored again in double precision, each by itself.
3. Equal scores are ordered by title id.

Of more than `EXACT_UP_TO` titles a model with factors takes its candidates from an index (nearest.py) instead of the
first step: of each profile's best titles a few in a hundred may be missed, but no title comes in that may not. Who is
left with fewer than `N` titles by then, as in a market with few titles, is scored in full.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import DoubleType, IntegerType, StructField, StructType
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from cinelake.recommend.eligibility import Offer
from cinelake.recommend.scoring import (
    Factored,
    FactoredScores,
    Matrix,
    Scores,
    Scoring,
    cells,
    matrix,
)

if TYPE_CHECKING:
    from cinelake.recommend.nearest import Nearest

# Scores of one tile: 8 MB of single-precision numbers, so that every pass over them stays in the
# cache.
TILE_CELLS = 2_000_000
# A profile with more candidates per wanted title than this (one that finds most titles equal) is
# cut down by itself, for its tile is as wide as its widest row.
WIDE = 8
# More groups give a tighter bound and cost more to sort; ten per wanted title leaves about 5 % too
# many candidates.
GROUPS_PER_TITLE = 10
LOWEST = np.finfo(np.float32).min
# A product with all titles of larger catalogues takes longer than the index and its misses are worth.
EXACT_UP_TO = 200_000
# Candidates from an index per wanted title, beside those that have been seen; and profiles that it is tried out on.
SPARE = 3
NEAREST_ROWS = 1024
SAMPLE = 200

# Exact scores for rows of a tile, of some titles each.
Exactly = Callable[[Matrix, Matrix], Matrix]
# Whoever wants to know how well an index finds what is best.
TellIndex = Callable[["Nearest"], None]


@dataclass(frozen=True)
class Catalogue:
    """The titles that can be recommended, ordered by id: a title's position breaks ties.

    `idx` are the dense integers under which histories name them; `offer`, of the same titles, says to whom they may be
    shown, if that is limited.
    """

    ids: pa.Array
    idx: npt.NDArray[np.int64]
    scoring: Scoring
    offer: Offer | None = None
    nearest: Nearest | None = None

    def __len__(self) -> int:
        return len(self.idx)

    def offering(self, offer: Offer | None) -> Catalogue:
        """The same titles, each shown only to whom the offer lets it be."""
        return replace(self, offer=offer and offer.among(self.ids))


def catalogue(titles: DataFrame, column: str = "factors") -> Catalogue:
    """Bring `title_id, title_idx, factors` to the driver, from where it is broadcast; profiles have theirs in `column`.

    Raises ValueError on factors that are not finite or differ in length.
    """
    rows = titles.select("title_id", "title_idx", "factors").toArrow().sort_by("title_id")
    factors = rows.column("factors").combine_chunks()
    if isinstance(factors, pa.ChunkedArray):
        factors = pa.concat_arrays(factors.chunks)
    return Catalogue(
        ids=_whole(rows.column("title_id")),
        idx=rows.column("title_idx").to_numpy().astype(np.int64),
        scoring=Factored(matrix(factors, None), column),
    )


def top_n(
    profiles: DataFrame,
    titles: Catalogue,
    n: int,
    exact_up_to: int = EXACT_UP_TO,
    tell: TellIndex | None = None,
) -> DataFrame:
    """`profile_id, rank, title_id, score` for `profile_id, seen array<int>` and the columns that the model reads, such
    as `factors array<float|double>`.

    `seen` holds title indexes and may be null; those unknown to the catalogue are ignored. A
    profile gets fewer than `n` rows where fewer titles are left, and none where it has seen them
    all. Rows with a null in a column that the model reads get none. Where the catalogue has an offer, `profiles` has
    the columns that it reads, `market string` and `age_limit int`; null means that nothing may be shown. `tell` is
    given the index where one is made.
    """
    if n < 1:
        raise ValueError(f"a list of {n} titles; ask for at least 1")
    columns = titles.scoring.columns
    limits = titles.offer.columns if titles.offer else ()
    needed = dict.fromkeys(("profile_id", "seen", *columns, *limits))
    source = profiles.select(*needed).na.drop(subset=list(columns))
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
    if len(titles) > exact_up_to and isinstance(titles.scoring, Factored):
        index = _index(source, titles.scoring, n)
        titles = replace(titles, nearest=index)
        if tell is not None:
            tell(index)
    shared = source.sparkSession.sparkContext.broadcast(titles)
    # Python, because Spark has no blocked matrix product on data frames.
    return source.mapInArrow(_ranking(lambda: shared.value, n), schema)


def _index(profiles: DataFrame, scoring: Factored, n: int) -> Nearest:
    from cinelake.recommend.nearest import nearest

    # The same profiles in each run.
    drawn = profiles.orderBy(F.xxhash64("profile_id"), "profile_id").limit(SAMPLE)
    asked = drawn.select(*scoring.columns).toArrow().column(0).combine_chunks()
    sample = matrix(asked, scoring.rank)
    return nearest(scoring.factors, sample.astype(np.float32), min(n, scoring.titles))


Batches = Iterator[pa.RecordBatch]


def _ranking(titles: Callable[[], Catalogue], n: int) -> Callable[[Batches], Batches]:
    def rank_batches(batches: Batches) -> Batches:
        # Spark runs one worker per core already; more BLAS threads would only fight over them.
        with threadpool_limits(limits=1):
            scorer = Scorer(titles(), n)
            for batch in batches:
                if batch.num_rows:
                    yield from scorer.rank(batch)

    return rank_batches


@dataclass(frozen=True)
class Kept:
    """What a batch of profiles is not shown: titles seen, by row, and by audience what is added to scores.

    Rows of one audience stand together.
    """

    seen_rows: Matrix
    seen_positions: Matrix
    audiences: Matrix | None
    added: Sequence[Matrix]

    def seen_of(self, start: int, stop: int) -> tuple[Matrix, Matrix]:
        """Row, counted from `start`, and position of what these profiles have seen."""
        first, last = np.searchsorted(self.seen_rows, [start, stop])
        return self.seen_rows[first:last] - start, self.seen_positions[first:last]

    def is_open(
        self, start: int, row: Matrix, position: Matrix, seen: tuple[Matrix, Matrix], titles: int
    ) -> Matrix:
        """Whether titles, or the −1 of no title, may be shown to the profiles in these rows from `start` on."""
        found: Matrix = (position >= 0) & ~np.isin(
            row * titles + position, seen[0] * titles + seen[1]
        )
        if self.audiences is not None:
            own = self.audiences[start + row]
            for audience in np.unique(own):
                mine = own == audience
                found[mine] &= self.added[audience][position[mine]] > -np.inf
        return found

    def close(self, scores: Matrix, start: int, stop: int) -> None:
        """Set the scores `(rows, titles)` of the profiles from `start` on to −inf where nothing may be shown."""
        scores[self.seen_of(start, stop)] = -np.inf
        if self.audiences is None:
            return
        own = self.audiences[start:stop]
        ends = [*(np.flatnonzero(np.diff(own)) + 1).tolist(), len(own)]
        for begin, end in zip([0, *ends], ends, strict=False):
            scores[begin:end] += self.added[own[begin]]


class Scorer:
    """Ranks batches of profiles against one catalogue; holds the buffers that all tiles share."""

    def __init__(self, titles: Catalogue, n: int) -> None:
        self.titles = titles
        self.n = min(n, len(titles))
        self.group = max(1, len(titles) // (GROUPS_PER_TITLE * self.n))
        self.groups = -(-len(titles) // self.group)
        # Titles are spread over the groups like cards over players, padded with columns that never
        # win.
        self.columns = self.group * self.groups
        self.position = np.full(int(titles.idx.max()) + 1, -1, np.int64)
        self.position[titles.idx] = np.arange(len(titles))
        self.rows = max(1, TILE_CELLS // self.columns)

    @cached_property
    def scores(self) -> Matrix:
        """The scores of a tile."""
        return np.empty((self.rows, self.columns), np.float32)

    def rank(self, batch: pa.RecordBatch) -> Batches:
        """One record batch of ranked titles per tile of profiles."""
        offer = self.titles.offer
        audiences, added = (None, []) if offer is None else offer.kept_from(batch)
        if audiences is not None:
            # Profiles of one audience side by side: what is kept from them is kept from them together.
            order = np.argsort(audiences, kind="stable")
            batch, audiences = batch.take(pa.array(order)), audiences[order]
        scored = self.titles.scoring.of(batch, self._cells)
        kept = Kept(*self._cells(batch.column("seen")), audiences, added)
        nearest = self.titles.nearest
        step = self.rows if nearest is None else NEAREST_ROWS
        for start in range(0, batch.num_rows, step):
            stop = min(start + step, batch.num_rows)
            row, position, score = (
                self._tile(scored, start, stop, kept)
                if nearest is None
                else self._nearby(nearest, scored, start, stop, kept)
            )
            yield self._as_batch(
                batch.column("profile_id").slice(start, stop - start), row, position, score
            )

    def _cells(self, titles: pa.Array) -> tuple[Matrix, Matrix]:
        """Row and position of every title of arrays of title indexes, ordered by row."""
        rows, values = cells(titles)
        idx = values.to_numpy(zero_copy_only=False).astype(np.int64)
        known = (idx >= 0) & (idx < len(self.position))
        rows, position = rows[known], self.position[idx[known]]
        listed = position >= 0
        return rows[listed], position[listed]

    def _tile(
        self, scored: Scores, start: int, stop: int, kept: Kept
    ) -> tuple[Matrix, Matrix, Matrix]:
        """Row, position and score of the best titles, ordered by row and rank."""
        scores = self.scores[: stop - start]
        slack = scored.fast(start, stop, scores)
        scores[:, len(self.titles) :] = -np.inf
        kept.close(scores[:, : len(self.titles)], start, stop)

        best = scores.reshape(len(scores), self.group, self.groups).max(axis=1)
        nth = np.partition(best, self.groups - self.n, axis=1)[:, self.groups - self.n]
        # Never −inf, so a seen title is no candidate even where fewer than n are left.
        threshold = np.maximum(nth - slack, LOWEST).astype(np.float32)
        cell = np.flatnonzero(scores >= threshold[:, None])
        row, position = np.divmod(cell, self.columns)
        exactly = partial(_exactly, scored, start)
        return self._best(
            len(scores), exactly, *self._narrowed(len(scores), exactly, row, position)
        )

    def _nearby(
        self, nearest: Nearest, scored: Scores, start: int, stop: int, kept: Kept
    ) -> tuple[Matrix, Matrix, Matrix]:
        """As `_tile`, with candidates from the index where these are enough."""
        assert isinstance(scored, FactoredScores)
        seen = kept.seen_of(start, stop)
        longest = int(np.bincount(seen[0], minlength=1).max())
        count = min(SPARE * self.n + longest, len(self.titles))
        found = nearest.search(scored.profiles[start:stop], count)
        row, position = np.repeat(np.arange(len(found)), found.shape[1]), found.ravel()
        is_open = kept.is_open(start, row, position, seen, len(self.titles))
        row, position = row[is_open], position[is_open]
        is_short = np.bincount(row, minlength=stop - start) < self.n
        order = np.lexsort((position, row))
        of_enough = order[~is_short[row[order]]]
        parts = [
            self._best(
                stop - start, partial(_exactly, scored, start), row[of_enough], position[of_enough]
            )
        ]
        for one in np.flatnonzero(is_short).tolist():
            whole = self._tile(scored, start + one, start + one + 1, kept)
            parts.append((whole[0] + one, *whole[1:]))
        rows, positions, scores = (np.concatenate(columns) for columns in zip(*parts, strict=True))
        # By row; within a row they stand in order of rank already.
        by_row = np.argsort(rows, kind="stable")
        return rows[by_row], positions[by_row], scores[by_row]

    def _narrowed(
        self, rows: int, exactly: Exactly, row: Matrix, position: Matrix
    ) -> tuple[Matrix, Matrix]:
        """The candidates, with those of very wide rows cut down to their n best."""
        count = np.bincount(row, minlength=rows)
        wide = np.flatnonzero(count > WIDE * self.n)
        if len(wide) == 0:
            return row, position
        first = np.cumsum(count) - count
        kept = np.ones(len(row), bool)
        for one in wide:
            cells = slice(first[one], first[one] + count[one])
            exact = exactly(np.array([one]), position[None, cells])[0]
            kept[cells] = False
            kept[first[one] + np.argsort(-exact, kind="stable")[: self.n]] = True
        return row[kept], position[kept]

    def _best(
        self, rows: int, exactly: Exactly, row: Matrix, position: Matrix
    ) -> tuple[Matrix, Matrix, Matrix]:
        """The first n of each row's candidates, which come ordered by row and position."""
        count = np.bincount(row, minlength=rows)
        width = int(count.max(initial=0))
        column = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count)
        candidate = np.zeros((rows, width), np.int64)
        candidate[row, column] = position
        exact = exactly(np.arange(rows), candidate)
        absent = np.arange(width) >= count[:, None]
        exact[absent] = -np.inf
        # Stable, on candidates in the order of their ids: equal scores keep that order.
        order = np.argsort(-exact, axis=1, kind="stable")[:, : self.n]
        kept = np.arange(order.shape[1]) < count[:, None]
        ranked_row = np.repeat(np.arange(rows), kept.sum(axis=1))
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


def _exactly(scored: Scores, start: int, rows: Matrix, positions: Matrix) -> Matrix:
    """Exact scores for rows of the tile that begins at `start`."""
    return scored.exact(rows + start, positions)


def _whole(column: pa.ChunkedArray) -> pa.Array:
    joined = column.combine_chunks()
    return pa.concat_arrays(joined.chunks) if isinstance(joined, pa.ChunkedArray) else joined


def _spark_type(arrow: pa.DataType) -> Any:
    from pyspark.sql.pandas.types import from_arrow_type

    return from_arrow_type(arrow)
