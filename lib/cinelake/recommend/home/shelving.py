"""The rows that the profiles of a crowd may have, each with the titles that it chooses from.

Rows of their own, as of what each has begun, come first and then shelves, which all share: the place of a row among
these candidates is the same for all profiles of a market. Of titles the position in the catalogue is meant, −1 for
none.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from cinelake.recommend.home import kernels
from cinelake.recommend.home.compose import RowOffers
from cinelake.recommend.home.context import Circumstances
from cinelake.recommend.home.crowds import Crowd, Positions
from cinelake.recommend.home.plan import Plan
from cinelake.recommend.home.taste import runs
from cinelake.recommend.rows.kind import Shelf
from cinelake.recommend.scoring import Matrix, cells

# Titles that are worth most, from which rows take theirs.
BEST = 800
# Less than any odds: titles that may not be shown.
CLOSED = np.float32(-np.inf)


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

    def in_order(self, worth: Matrix) -> Rows:
        """The best of each row first; equals as they came."""
        order = np.empty(worth.shape, np.int64)
        kernels.ordered(np.where(self.titles >= 0, worth + self.added, -np.inf), order)
        parts = {
            name: np.take_along_axis(getattr(self, name), order, axis=2)
            for name in ("titles", "added", "odds", "title_at")
        }
        return replace(self, **parts)


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
        """Of what each profile may be shown and has not seen."""
        width, shelves = self.plan.width, self.shelves(crowd.market)
        odds = np.where(crowd.is_open & ~crowd.seen, crowd.odds, CLOSED)
        best = _best(odds)
        shape = (len(crowd), len(shelves), width)
        titles, added = np.full(shape, -1), np.zeros(shape)
        # Of the best titles those that belong to it, which stand in order already.
        kernels.filled(best, *self._belonging(crowd.market, shelves), titles)
        for at, shelf in enumerate(shelves):
            if shelf.added is not None:
                worth = odds[:, shelf.titles] + shelf.added.astype(np.float32)
                order = np.argsort(-worth, axis=1, kind="stable")[:, :width]
                there = np.isfinite(np.take_along_axis(worth, order, axis=1))
                titles[:, at, : order.shape[1]] = np.where(there, shelf.titles[order], -1)
                added[:, at, : order.shape[1]] = shelf.added[order]
        nowhere = np.full(shape, -1)
        return Rows(titles, added, np.full(shape, np.nan), nowhere, nowhere[:, :, 0])

    def _belonging(self, market: str, shelves: list[Shelf]) -> tuple[Matrix, Matrix]:
        """To which shelves that add nothing each title belongs: where those of a title begin, and their places."""
        if market not in self._members:
            pairs = [(shelf.titles, at) for at, shelf in enumerate(shelves) if shelf.added is None]
            title = np.concatenate([titles for titles, _ in pairs] or [np.zeros(0, np.int64)])
            place = np.repeat([at for _, at in pairs], [len(titles) for titles, _ in pairs])
            order = np.argsort(title, kind="stable")
            counts = np.bincount(title, minlength=len(self.plan.idx))
            first = np.concatenate([[0], np.cumsum(counts)])
            self._members[market] = first, place.astype(np.int64)[order]
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

    def own_at(self, own: OwnRows, circumstances: Circumstances, profiles: int) -> Rows:
        here = (circumstances.device_class, circumstances.daypart)
        applies = np.array([pair in ((None, None), here) for pair in own.when], bool)
        mine = np.flatnonzero(applies[own.of_row])
        of_row = own.of_row[mine]
        at = own.profile[of_row], own.place[of_row], own.nth[mine]
        shape = (profiles, len(self.own_kinds), self.plan.width)
        found = Rows(
            np.full(shape, -1), np.zeros(shape), np.full(shape, np.nan), np.full(shape, -1),
            np.full(shape[:2], -1),
        )  # fmt: skip
        found.titles[at], found.added[at], found.odds[at] = (
            part[mine] for part in (own.titles, own.added, own.odds)
        )
        found.title_at[at], found.row_at[at[:2]] = mine, of_row
        return found

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


def joined(one: Rows, other: Rows) -> Rows:
    """The rows of both, side by side."""
    return Rows(
        *(
            np.concatenate([getattr(one, name), getattr(other, name)], axis=1)
            for name in ("titles", "added", "odds", "title_at", "row_at")
        )
    )


def _best(odds: Matrix) -> Matrix:
    """The titles that are worth most to each profile, in order; −1 where no more may be shown."""
    count = min(BEST, odds.shape[1])
    if count < odds.shape[1]:
        # In the order of positions, so that the sort below leaves equals in it.
        found = np.sort(np.argpartition(-odds, count - 1, axis=1)[:, :count], axis=1)
    else:
        found = np.repeat(np.arange(count)[None, :], len(odds), axis=0)
    own = np.take_along_axis(odds, found, axis=1)
    order = np.argsort(-own, axis=1, kind="stable")
    found, own = (np.take_along_axis(part, order, axis=1) for part in (found, own))
    return np.where(np.isfinite(own), found, -1)


def nth(groups: Matrix) -> Matrix:
    """The place of each element within its run of equal ones."""
    begins = np.array([begin for begin, _ in runs(groups)], np.int64)
    lengths = np.diff([*begins, len(groups)])
    found: Matrix = np.arange(len(groups)) - np.repeat(begins, lengths)
    return found
