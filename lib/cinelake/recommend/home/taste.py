"""Taste: the scores of a model, standardised over all titles that it knows, profile by profile, and whence they come.

What a title of the history adds to a score is exact where the scores are of factors that were folded in (explain.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce

import numpy as np
import pyarrow as pa

from cinelake.recommend.fold_in import FoldedIn, Folding, markets
from cinelake.recommend.home.compiled import compiled
from cinelake.recommend.scoring import Factored, Matrix, Scoring, cells

# Profiles that are scored at a time.
TOGETHER = 64


@dataclass(frozen=True)
class Tastes:
    """A model's scores of those of its titles that pages may hold: `positions` among the titles of pages, `own` among
    the model's; `ids` and `idx` are those of all of the model's titles, the numbers under which histories name them.
    """

    scoring: Scoring
    ids: pa.Array
    idx: Matrix
    positions: Matrix
    own: Matrix
    folding: Folding | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """What is read of a profile's row; null where the model knows nothing of it."""
        return self.scoring.columns

    def of(self, tile: pa.RecordBatch) -> tuple[Matrix, Matrix]:
        """Places in the tile of the profiles that the model knows, and their tastes `(profiles, titles)`."""
        known, scores, mean, spread = self._scored(tile)
        return known, (scores[:, self.own] - mean[:, None]) / spread[:, None]

    def add(self, odds: Matrix, weight: float, tile: pa.RecordBatch) -> None:
        """Add the tastes times a weight to what titles are worth, `odds (profiles, titles)` float32."""
        known, scores, mean, spread = self._scored(tile)
        counts = (np.float32(weight) / spread).astype(np.float32)
        _added(odds, known, scores, (mean, counts), (self.positions, self.own))

    def _scored(self, tile: pa.RecordBatch) -> tuple[Matrix, Matrix, Matrix, Matrix]:
        """The profiles that the model knows, scores `(profiles, titles of the model)`, and their means and spreads.

        The model is asked for so many profiles at a time whatever there are: a product of matrices of another size may
        be rounded otherwise.
        """
        tile = tile.select(list(self.columns))
        is_known = [column.is_valid().to_numpy(zero_copy_only=False) for column in tile.columns]
        known = np.flatnonzero(reduce(np.logical_and, is_known))
        count = -(-len(known) // TOGETHER) * TOGETHER
        found = np.zeros((count, self.scoring.titles), np.float32)
        if not len(known):
            return known, found, np.zeros(0, np.float32), np.ones(0, np.float32)
        filled = known[np.minimum(np.arange(count), len(known) - 1)]
        scores = self.scoring.of(tile.take(pa.array(filled)), self._cells)
        for start in range(0, count, TOGETHER):
            scores.fast(start, start + TOGETHER, found[start : start + TOGETHER])
        mean, spread = (part[: len(known)] for part in scores.moments())
        # Who finds all titles equal has no taste.
        spread = np.where(spread > 0, spread, np.inf)
        return known, found[: len(known)], mean.astype(np.float32), spread.astype(np.float32)

    def sources(self, profiles: pa.RecordBatch, profile: Matrix, title: Matrix) -> pa.Array:
        """For each pair of a profile, by its place among `profiles (liked, market, …)`, and a title, by its position
        among those of pages, the title of the history that adds most to its score; null where nothing adds anything.
        Pairs come by profile.
        """
        if self.folding is None or not isinstance(self.scoring, Factored):
            return pa.nulls(len(profile), pa.string())
        found = np.full(len(profile), -1, np.int64)
        factors = self.scoring.factors.astype(np.float64)
        in_model = np.full(int(max(self.positions.max(initial=-1), title.max(initial=-1))) + 1, -1)
        in_model[self.positions] = self.own
        row, history = self._cells(profiles.column("liked"))
        first = np.searchsorted(row, np.arange(profiles.num_rows + 1))
        where = markets(profiles)
        for begin, end in runs(profile):
            whose = profile[begin]
            mine = np.unique(history[first[whose] : first[whose + 1]])
            listed, of_pair = np.unique(in_model[title[begin:end]], return_inverse=True)
            known = listed >= 0
            if not len(mine) or not known.any():
                continue
            added = self.folding.contributions(factors[listed[known]], factors[mine], where[whose])
            # A title is no reason for itself, as where it may be watched again.
            added[listed[known][:, None] == mine[None, :]] = -np.inf
            best = np.argmax(added, axis=1)
            adds = np.take_along_axis(added, best[:, None], axis=1)[:, 0] > 0
            of_listed = np.full(len(listed), -1, np.int64)
            of_listed[known] = np.where(adds, mine[best], -1)
            found[begin:end] = of_listed[of_pair]
        return self.ids.take(pa.array(np.maximum(found, 0), mask=found < 0))

    def _cells(self, titles: pa.Array) -> tuple[Matrix, Matrix]:
        row, values = cells(titles)
        wanted = values.to_numpy(zero_copy_only=False).astype(np.int64)
        order = np.argsort(self.idx)
        place = np.minimum(np.searchsorted(self.idx[order], wanted), len(self.idx) - 1)
        known = self.idx[order[place]] == wanted
        return row[known], order[place[known]]


@compiled
def _added(
    odds: Matrix,
    known: Matrix,
    scores: Matrix,
    moments: tuple[Matrix, Matrix],
    titles: tuple[Matrix, Matrix],
) -> None:
    (mean, counts), (positions, own) = moments, titles
    for at in range(len(known)):
        for title in range(len(own)):
            more = counts[at] * (scores[at, own[title]] - mean[at])
            odds[known[at], positions[title]] += more


def tastes(model: FoldedIn, ids: pa.Array) -> Tastes:
    """Of a model, for pages that hold the titles of `ids`."""
    held = model.catalogue()
    place = pa.compute.index_in(held.ids, value_set=ids)
    own = np.flatnonzero(place.is_valid().to_numpy(zero_copy_only=False))
    positions = place.take(pa.array(own)).to_numpy(zero_copy_only=False).astype(np.int64)
    return Tastes(held.scoring, held.ids, held.idx, positions, own, model.folding)


def runs(keys: Matrix) -> list[tuple[int, int]]:
    """Begin and end of each run of equal keys."""
    if not len(keys):
        return []
    begins = [0, *(np.flatnonzero(np.diff(keys)) + 1).tolist()]
    return list(zip(begins, [*begins[1:], len(keys)], strict=True))
