"""Profiles that pages are made for together, and what titles are worth to them.

A *crowd* is a block of profiles of one market that may be shown the same titles: one tile of scores, which serves all
rows and all circumstances. Of titles the position in the catalogue is meant, −1 for none.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from cinelake.recommend.home.plan import Plan
from cinelake.recommend.home.taste import runs
from cinelake.recommend.scoring import Matrix, cells

# Profiles of a tile.
ROWS = 256


@dataclass(frozen=True)
class Crowd:
    """What titles are worth to each profile `(profiles, titles)`, which may be shown there, and which each has seen."""

    batch: pa.RecordBatch
    market: str
    odds: Matrix
    is_open: Matrix
    seen: Matrix

    def __len__(self) -> int:
        return int(self.batch.num_rows)


class Positions:
    """Where titles stand in the catalogue, by the numbers under which histories name them."""

    def __init__(self, idx: Matrix) -> None:
        self._position = np.full(int(idx.max(initial=0)) + 1, -1, np.int64)
        self._position[idx] = np.arange(len(idx))

    def of(self, idx: pa.Array) -> Matrix:
        """−1 of those that no page may hold."""
        values = idx.to_numpy(zero_copy_only=False).astype(np.int64)
        known = (values >= 0) & (values < len(self._position))
        found = np.full(len(values), -1, np.int64)
        found[known] = self._position[values[known]]
        return found


class Crowds:
    """Gathers the profiles of a batch into crowds."""

    def __init__(self, plan: Plan, positions: Positions) -> None:
        self.plan, self.positions = plan, positions
        self._blocked = plan.blocked()

    def of(self, batch: pa.RecordBatch) -> Iterator[Crowd]:
        audiences, added = self._audiences(batch)
        order = np.argsort(audiences, kind="stable")
        batch, audiences = batch.take(pa.array(order)), audiences[order]
        for begin, end in runs(audiences):
            is_open = added[audiences[begin]] & ~self._blocked
            # Whom nothing may be shown has no page, and maybe no market that is told of.
            if not is_open.any():
                continue
            for start in range(begin, end, ROWS):
                yield self._crowd(batch.slice(start, min(ROWS, end - start)), is_open)

    def _audiences(self, batch: pa.RecordBatch) -> tuple[Matrix, list[Matrix]]:
        """By profile the number of its audience, by audience which titles it may be shown."""
        if self.plan.offer is None:
            return np.zeros(batch.num_rows, np.int64), [np.ones(len(self.plan.idx), bool)]
        of_row, added = self.plan.offer.kept_from(batch)
        return of_row, [np.isfinite(closed) for closed in added]

    def _crowd(self, batch: pa.RecordBatch, is_open: Matrix) -> Crowd:
        plan = self.plan
        told = batch.column("market")[0].as_py() if "market" in batch.schema.names else ""
        # Where no market is told of, all profiles are in the same.
        market = told if told in plan.worth else next(iter(plan.worth))
        odds = np.repeat(plan.worth[market].astype(np.float32)[None, :], batch.num_rows, axis=0)
        if plan.tastes is not None:
            plan.tastes.add(odds, plan.taste, batch)
        row, shown = cells(batch.column("shown"))
        position = self.positions.of(shown.field("title_idx"))
        times = shown.field("pages").to_numpy(zero_copy_only=False)
        there = position >= 0
        odds[row[there], position[there]] += plan.shown * np.log1p(times[there])
        seen = np.zeros(odds.shape, bool)
        row, titles = cells(batch.column("seen"))
        position = self.positions.of(titles)
        seen[row[position >= 0], position[position >= 0]] = True
        return Crowd(batch, market, odds, is_open, seen)
