"""The rows that the profiles of a crowd may have, each with the titles that it chooses from.

Rows of their own, as of what each has begun, come first and then shelves, which all share: the place of a row among
these candidates is the same for all profiles of a market. Of titles the position in the catalogue is meant, −1 for
none.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import pyarrow as pa

from cinelake.recommend.home import candidates
from cinelake.recommend.home.compose import Candidates, RowOffers
from cinelake.recommend.home.context import Circumstances
from cinelake.recommend.home.crowds import Crowd, Positions
from cinelake.recommend.home.plan import Plan
from cinelake.recommend.home.taste import runs
from cinelake.recommend.rows.kind import Shelf
from cinelake.recommend.scoring import Matrix, cells

# Titles that are worth most, from which rows take theirs.
BEST = 800


@dataclass(frozen=True)
class OwnRows:
    """The own rows of a tile of profiles, flat: by row its profile, place among candidate rows, key, anchor and
    circumstances; by title its row, position, what is added and told odds, best of a row first, and its place there.
    """

    profile: Matrix
    place: Matrix
    keys: pa.Array
    anchors: pa.Array
    when: list[tuple[str | None, str | None]]
    of_row: Matrix
    titles: Matrix
    added: Matrix
    odds: Matrix
    nth: Matrix
    told: pa.Array


@dataclass(frozen=True)
class Rows:
    """Candidate rows `(profiles, rows, width)`: titles, what is added to them in their row, odds that are told (NaN:
    what they are worth), and where else something is told of an own row and its titles (−1: nowhere).
    """

    titles: Matrix
    added: Matrix
    odds: Matrix
    title_at: Matrix
    row_at: Matrix

    @classmethod
    def empty(cls, profiles: int, rows: int, width: int) -> Self:
        shape = (profiles, rows, width)
        return cls(
            np.full(shape, -1, np.int32), np.zeros(shape, np.float32), np.full(shape, np.nan, np.float32),
            np.full(shape, -1, np.int32), np.full(shape[:2], -1, np.int32),
        )  # fmt: skip

    def in_order(self, odds: Matrix, here: Matrix) -> tuple[Candidates, Matrix]:
        """The best of each row first, equals as they came, and where something is told of the titles.

        `odds (profiles, titles)` is what titles are worth, `here (titles)` what circumstances add, both float32.
        """
        given = Candidates(np.empty_like(self.titles), np.zeros_like(self.odds))
        told = np.empty_like(self.title_at)
        rows = self.titles, self.added, self.odds, self.title_at
        candidates.arranged(rows, odds, here, (given.titles, given.odds, told))
        return given, told


class Shelving:
    """Makes candidate rows by a plan."""

    def __init__(self, plan: Plan, positions: Positions) -> None:
        self.plan, self.positions = plan, positions
        self.kind = {kind.kind: at for at, kind in enumerate(plan.kinds)}
        # Places of own rows, kind by kind, before those of shelves.
        self.own_kinds = np.repeat(
            np.arange(len(plan.kinds)), [kind.offered for kind in plan.kinds]
        )
        self._shelves: dict[str, list[Shelf]] = {}
        self._members: dict[str, tuple[Matrix, Matrix]] = {}

    def shelves(self, market: str) -> list[Shelf]:
        if market not in self._shelves:
            self._shelves[market] = [s for s in self.plan.shelves if s.market in (None, market)]
        return self._shelves[market]

    def shared(self, crowd: Crowd) -> Rows:
        """Of what each profile may be shown and has not seen; rows of profiles' own have nothing yet (`own_at`)."""
        shelves, first = self.shelves(crowd.market), len(self.own_kinds)
        rows = Rows.empty(len(crowd), first + len(shelves), self.plan.width)
        found = np.full((len(crowd), min(BEST, crowd.odds.shape[1])), -1, np.int32)
        candidates.best(crowd.odds, crowd.is_open, crowd.seen, found)
        # Of the best titles those that belong to it, which stand in order already.
        candidates.filled(found, *self._belonging(crowd.market, shelves), rows.titles)
        for at, shelf in enumerate(shelves, first):
            if shelf.added is not None:
                told = shelf.titles.astype(np.int32), shelf.added.astype(np.float32)
                candidates.blended(
                    crowd.odds, crowd.is_open, crowd.seen, told, at, rows.titles, rows.added
                )  # fmt: skip
        return rows

    def elsewhen(self, market: str, circumstances: Circumstances) -> Matrix:
        """Places among candidate rows of shelves that are offered at another part of the day."""
        others = [
            at
            for at, shelf in enumerate(self.shelves(market), len(self.own_kinds))
            if shelf.daypart not in (None, circumstances.daypart)
        ]
        return np.array(others, np.int64)

    def _belonging(self, market: str, shelves: list[Shelf]) -> tuple[Matrix, Matrix]:
        """To which shelves that add nothing each title belongs: where those of a title begin, and their places among
        candidate rows.
        """
        if market not in self._members:
            places = enumerate(shelves, len(self.own_kinds))
            pairs = [(shelf.titles, at) for at, shelf in places if shelf.added is None]
            title = np.concatenate([titles for titles, _ in pairs] or [np.zeros(0, np.int64)])
            place = np.repeat([at for _, at in pairs], [len(titles) for titles, _ in pairs])
            order = np.argsort(title, kind="stable")
            counts = np.bincount(title, minlength=len(self.plan.idx))
            first = np.concatenate([[0], np.cumsum(counts)])
            self._members[market] = first.astype(np.int64), place.astype(np.int64)[order]
        return self._members[market]

    def own(self, crowd: Crowd) -> OwnRows:
        """Of what each profile may be shown; seen titles only where the kind of row holds such."""
        plan = self.plan
        profile, rows = cells(crowd.batch.column("own"))
        kinds = np.array([self.kind[name] for name in rows.field("kind").to_pylist()], np.int64)
        nth_row = rows.field("place").to_numpy(zero_copy_only=False).astype(np.int64)
        first = np.searchsorted(self.own_kinds, kinds)
        fits = nth_row < np.array([kind.offered for kind in plan.kinds])[kinds]
        when = zip(*(rows.field(n).to_pylist() for n in ("device_class", "daypart")), strict=True)
        of_row, told = cells(rows.field("titles"))
        position = self.positions.of(told.field("title_idx"))
        added = told.field("added").to_numpy(zero_copy_only=False)
        odds = told.field("odds").fill_null(np.nan).to_numpy(zero_copy_only=False)
        shows_seen = np.array([kind.shows_seen for kind in plan.kinds])[kinds]
        may_be = (position >= 0) & fits[of_row] & crowd.is_open[position]
        may_be &= shows_seen[of_row] | ~crowd.seen[profile[of_row], position]
        # Where a row has more titles than it may choose from, those that have most for them there.
        worth = np.where(np.isnan(odds), 0.0, odds) + added
        order = np.lexsort((position, -worth, of_row))
        order = order[may_be[order]]
        place = nth(of_row[order])
        order, place = order[place < plan.width], place[place < plan.width]
        return OwnRows(
            profile, first + nth_row, rows.field("key"), rows.field("anchor"), list(when),
            of_row[order], position[order], added[order], odds[order], place, told.take(pa.array(order)),
        )  # fmt: skip

    def without_kept(self, crowd: Crowd, own: OwnRows) -> Crowd:
        """The crowd as if it had seen what rows of its own keep for themselves."""
        keeps = np.array([kind.keeps_titles for kind in self.plan.kinds])[self.own_kinds]
        kept = keeps[own.place[own.of_row]]
        seen = crowd.seen.copy()
        seen[own.profile[own.of_row[kept]], own.titles[kept]] = True
        return replace(crowd, seen=seen)

    def own_at(self, own: OwnRows, circumstances: Circumstances, rows: Rows) -> None:
        """Put the profiles' own rows, as they are then, into their places among candidate rows."""
        here = (circumstances.device_class, circumstances.daypart)
        applies = np.array([pair in ((None, None), here) for pair in own.when], bool)
        mine = np.flatnonzero(applies[own.of_row])
        of_row = own.of_row[mine]
        at, first = (own.profile[of_row], own.place[of_row], own.nth[mine]), len(self.own_kinds)
        rows.titles[:, :first], rows.row_at[:, :first] = -1, -1
        rows.titles[at], rows.added[at], rows.odds[at] = (
            part[mine] for part in (own.titles, own.added, own.odds)
        )
        rows.title_at[at], rows.row_at[at[:2]] = mine, of_row

    def offers(self, market: str) -> RowOffers:
        kinds, shelves = self.plan.kinds, self.shelves(market)
        of_rows = np.array(
            [*self.own_kinds, *(self.kind[shelf.kind] for shelf in shelves)], np.int64
        )
        return RowOffers(
            kinds=of_rows,
            least=np.array([kind.least for kind in kinds])[of_rows],
            most=np.array([kind.most for kind in kinds]),
            always=np.array([kind.always for kind in kinds]),
        )


def nth(groups: Matrix) -> Matrix:
    """The place of each element within its run of equal ones."""
    begins = np.array([begin for begin, _ in runs(groups)], np.int64)
    lengths = np.diff([*begins, len(groups)])
    found: Matrix = np.arange(len(groups)) - np.repeat(begins, lengths)
    return found
