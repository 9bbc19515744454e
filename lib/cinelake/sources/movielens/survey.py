"""What must be known of a MovieLens folder before its first record is written: times, and repeated rows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from cinelake.sources.movielens.lines import Reject
from cinelake.sources.movielens.rows import FIRST_TIME, LAST_TIME, Ints, Rows, rejects_of

SECONDS_A_DAY = 86_400


@dataclass(frozen=True)
class Times:
    """When the records are taken to be received, and from when the titles are known."""

    received_at: datetime
    first_day: datetime


class Survey:
    """Goes through all ratings and tags once, keeping eight bytes a row."""

    def __init__(self) -> None:
        self.good = 0
        self.first_reject: Reject | None = None
        self._oldest, self._newest = LAST_TIME, FIRST_TIME
        self._keys: list[Ints] = []

    def add(self, rows: Rows) -> None:
        """Look at the rows of one block."""
        good = rows.good
        self.good += int(good.sum())
        self._keys.append(rows.key[good])
        if self.first_reject is None:
            self.first_reject = next(rejects_of(rows, None), None)
        times = rows.time[good]
        if len(times):
            self._oldest = min(self._oldest, int(times.min()))
            self._newest = max(self._newest, int(times.max()))

    def once(self) -> Once:
        """The keys of the blocks seen since the last call, to find those that repeat one."""
        keys = np.concatenate([np.empty(0, np.int64), *self._keys])
        self._keys.clear()
        # The published files are in this order already, which the stable sort makes use of.
        keys.sort(kind="stable")
        return Once(np.unique(keys[1:][keys[1:] == keys[:-1]]))

    def times(self) -> Times:
        """Midnight after the newest time, and before the oldest."""

        def midnight(day: int) -> datetime:
            return datetime.fromtimestamp(day * SECONDS_A_DAY, UTC)

        return Times(
            received_at=midnight(self._newest // SECONDS_A_DAY + 1),
            first_day=midnight(self._oldest // SECONDS_A_DAY),
        )


class Once:
    """Of the good rows with one key the first in the file counts, the others are duplicates."""

    def __init__(self, repeated: Ints) -> None:
        self._repeated = repeated
        self._seen: set[int] = set()

    def marked(self, rows: Rows) -> Rows:
        """The same rows, with the reason `duplicate` where it holds; blocks must come in order."""
        if not len(self._repeated):
            return rows
        keys = rows.key
        suspects = np.flatnonzero(rows.good & np.isin(keys, self._repeated))
        # Lines that were read by themselves stand last among the rows.
        for index in suspects[np.argsort(rows.line[suspects], kind="stable")].tolist():
            key = int(keys[index])
            if key in self._seen:
                rows.reasons.setdefault(index, []).append("duplicate")
            self._seen.add(key)
        return rows
