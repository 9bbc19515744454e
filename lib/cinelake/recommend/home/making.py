"""Pages of a batch of profiles, tile by tile: scores, candidates of rows, rows in order, tiles that stay.

Arrays stand for profiles of one audience: those of one market that are shown the same titles. A *tile* here is a block
of such profiles. Of titles the position in the catalogue is meant, −1 for none.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pyarrow as pa
from scipy.sparse import csr_array

from cinelake.recommend.draws import mixed
from cinelake.recommend.home import kernels
from cinelake.recommend.home.compose import Candidates, RowOffers, compose
from cinelake.recommend.home.context import Circumstances
from cinelake.recommend.home.plan import Plan
from cinelake.recommend.home.rules import First, Pin, obeyed
from cinelake.recommend.home.taste import runs
from cinelake.recommend.rows.kind import ANCHOR, Shelf
from cinelake.recommend.scoring import Matrix, cells

Batches = Iterator[pa.RecordBatch]
# Profiles of a tile.
ROWS = 256
# Titles that are worth most, from which rows take theirs.
BEST = 800
# Less than any odds: titles that may not be shown.
CLOSED = np.float32(-np.inf)
# A slot's draw is 64 bits: the upper ones say whether it is drawn at random, the lower ones which title.
_SHIFT, _LOWER = np.uint64(40), np.uint64((1 << 40) - 1)


@dataclass(frozen=True)
class _Audience:
    """A tile of profiles of one market: what titles are worth to each `(profiles, titles)`, which may be shown there,
    and which each has seen.
    """

    batch: pa.RecordBatch
    market: str
    odds: Matrix
    is_open: Matrix
    seen: Matrix

    def __len__(self) -> int:
        return int(self.batch.num_rows)


@dataclass(frozen=True)
class _OwnRows:
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
class _Rows:
    """Candidate rows `(profiles, rows, width)`: titles, what is added to them in their row, odds that are told (NaN:
    what they are worth), and where else something is told of an own row and its titles (−1: nowhere).
    """

    titles: Matrix
    added: Matrix
    odds: Matrix
    title_at: Matrix
    row_at: Matrix

    def in_order(self, worth: Matrix) -> _Rows:
        """The best of each row first; equals as they came."""
        order = np.empty(worth.shape, np.int64)
        kernels.ordered(np.where(self.titles >= 0, worth + self.added, -np.inf), order)
        parts = {
            name: np.take_along_axis(getattr(self, name), order, axis=2)
            for name in ("titles", "added", "odds", "title_at")
        }
        return replace(self, **parts)


@dataclass
class _Tiles:
    """Tiles of pages, in order of profile, row and position; `candidate` is the row's place among candidates."""

    profile: Matrix
    row: Matrix
    position: Matrix
    candidate: Matrix
    title: Matrix
    odds: Matrix
    title_at: Matrix
    row_at: Matrix
    propensity: Matrix

    def only(self, stays: Matrix) -> _Tiles:
        """Those that stay; the others of a row move up, and so do rows."""
        left = _Tiles(**{name: part[stays] for name, part in vars(self).items()})
        if len(left.row):
            of_row = left.profile * (1 << 20) + left.row
            left.position = _nth(of_row)
            begins = np.diff(of_row, prepend=of_row[0] - 1) != 0
            number = np.cumsum(begins) - 1
            for begin, end in runs(left.profile):
                left.row[begin:end] = number[begin:end] - number[begin]
        return left


class Maker:
    """Makes the pages of batches of profiles by one plan."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.position = np.full(int(plan.idx.max(initial=0)) + 1, -1, np.int64)
        self.position[plan.idx] = np.arange(len(plan.idx))
        self.blocked = plan.blocked()
        self.kind = {kind.kind: at for at, kind in enumerate(plan.kinds)}
        # Places of own rows, kind by kind, before those of shelves.
        self.own_kinds = np.repeat(
            np.arange(len(plan.kinds)), [kind.offered for kind in plan.kinds]
        )
        self.pins = {
            pin: pa.compute.index(plan.ids, pin.title).as_py()
            for pin in plan.rules.rules
            if isinstance(pin, Pin)
        }
        self._shelves: dict[str, list[Shelf]] = {}
        self._members: dict[str, tuple[Matrix, Matrix]] = {}

    def make(self, batch: pa.RecordBatch) -> Batches:
        """Batches of tiles, of the schema of `pages`."""
        audiences, added = self._audiences(batch)
        order = np.argsort(audiences, kind="stable")
        batch, audiences = batch.take(pa.array(order)), audiences[order]
        for begin, end in runs(audiences):
            is_open = added[audiences[begin]] & ~self.blocked
            for start in range(begin, end, ROWS):
                audience = self._audience(batch.slice(start, min(ROWS, end - start)), is_open)
                yield from self._pages(audience)

    def _audiences(self, batch: pa.RecordBatch) -> tuple[Matrix, list[Matrix]]:
        """By profile the number of its audience, by audience which titles it may be shown."""
        if self.plan.offer is None:
            return np.zeros(batch.num_rows, np.int64), [np.ones(len(self.plan.idx), bool)]
        of_row, added = self.plan.offer.kept_from(batch)
        return of_row, [np.isfinite(closed) for closed in added]

    def _audience(self, batch: pa.RecordBatch, is_open: Matrix) -> _Audience:
        plan = self.plan
        told = batch.column("market")[0].as_py() if "market" in batch.schema.names else ""
        # Who is in no market that is told of is shown nothing; any will do.
        market = told if told in plan.worth else next(iter(plan.worth))
        odds = np.repeat(plan.worth[market].astype(np.float32)[None, :], batch.num_rows, axis=0)
        if plan.tastes is not None:
            known, taste = plan.tastes.of(batch, ROWS)
            odds[np.ix_(known, plan.tastes.positions)] += plan.taste * taste
        row, shown = cells(batch.column("shown"))
        position = self._positions(shown.field("title_idx"))
        times = shown.field("pages").to_numpy(zero_copy_only=False)
        there = position >= 0
        odds[row[there], position[there]] += plan.shown * np.log1p(times[there])
        seen = np.zeros(odds.shape, bool)
        row, titles = cells(batch.column("seen"))
        position = self._positions(titles)
        seen[row[position >= 0], position[position >= 0]] = True
        return _Audience(batch, market, odds, is_open, seen)

    def _pages(self, audience: _Audience) -> Batches:
        plan = self.plan
        shelves = self._shelved(audience.market)
        own = self._own_rows(audience)
        audience = self._without_kept(audience, own)
        shared = self._shelf_rows(audience, shelves)
        offers = self._offers(shelves)
        tastes = self._tastes(audience.batch)
        first = [self.kind[rule.kind] for rule in plan.rules.rules if isinstance(rule, First)]
        every = np.arange(len(audience))[:, None, None]
        made = []
        for number, circumstances in enumerate(plan.circumstances):
            rows = _joined(self._own_at(own, circumstances, len(audience)), shared)
            at = np.where(rows.titles >= 0, rows.titles, 0)
            worth = audience.odds[every, at] + plan.at[audience.market][number][at]
            worth = np.where(np.isnan(rows.odds), worth, rows.odds)
            rows = replace(rows, odds=worth).in_order(worth)
            given = Candidates(rows.titles, rows.odds)
            looked_at = plan.attention.of(
                circumstances.device_class, plan.grid.rows, plan.grid.titles
            )
            page = compose(given, offers, tastes, plan.genres, looked_at, plan.grid, first)
            profile, row, position = np.nonzero(page.slots >= 0)
            candidate = page.rows[profile, row]
            cell = profile, candidate, page.slots[profile, row, position]
            tiles = _Tiles(
                profile, row, position, candidate, rows.titles[cell], rows.odds[cell],
                rows.title_at[cell], rows.row_at[profile, candidate], np.full(len(row), np.nan),
            )  # fmt: skip
            self._explore(tiles, audience, number)
            made.append(self._ruled(tiles, audience, number))
        because = self._because(audience, made)
        for circumstances, tiles, sources in zip(plan.circumstances, made, because, strict=True):
            yield self._told(tiles, audience, circumstances, own, shelves, sources)

    # ---- rows

    def _shelved(self, market: str) -> list[Shelf]:
        if market not in self._shelves:
            self._shelves[market] = [s for s in self.plan.shelves if s.market in (None, market)]
        return self._shelves[market]

    def _shelf_rows(self, audience: _Audience, shelves: list[Shelf]) -> _Rows:
        """Of what each profile may be shown and has not seen."""
        width = self.plan.width
        odds = np.where(audience.is_open & ~audience.seen, audience.odds, CLOSED)
        best = _best(odds)
        shape = (len(audience), len(shelves), width)
        titles, added = np.full(shape, -1), np.zeros(shape)
        # Of the best titles those that belong to it, which stand in order already.
        kernels.filled(best, *self._belonging(audience.market, shelves), titles)
        for at, shelf in enumerate(shelves):
            if shelf.added is not None:
                worth = odds[:, shelf.titles] + shelf.added.astype(np.float32)
                order = np.argsort(-worth, axis=1, kind="stable")[:, :width]
                there = np.isfinite(np.take_along_axis(worth, order, axis=1))
                titles[:, at, : order.shape[1]] = np.where(there, shelf.titles[order], -1)
                added[:, at, : order.shape[1]] = shelf.added[order]
        nowhere = np.full(shape, -1)
        return _Rows(titles, added, np.full(shape, np.nan), nowhere, nowhere[:, :, 0])

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

    def _own_rows(self, audience: _Audience) -> _OwnRows:
        """Of what each profile may be shown; seen titles only where the kind of row holds such."""
        plan = self.plan
        profile, rows = cells(audience.batch.column("own"))
        kinds = np.array([self.kind[name] for name in rows.field("kind").to_pylist()], np.int64)
        nth_row = rows.field("place").to_numpy(zero_copy_only=False).astype(np.int64)
        first = np.searchsorted(self.own_kinds, kinds)
        fits = nth_row < np.array([kind.offered for kind in plan.kinds])[kinds]
        when = zip(*(rows.field(n).to_pylist() for n in ("device_class", "daypart")), strict=True)
        of_row, told = cells(rows.field("titles"))
        position = self._positions(told.field("title_idx"))
        added = told.field("added").to_numpy(zero_copy_only=False)
        odds = told.field("odds").fill_null(np.nan).to_numpy(zero_copy_only=False)
        shows_seen = np.array([kind.shows_seen for kind in plan.kinds])[kinds]
        may_be = (position >= 0) & fits[of_row] & audience.is_open[position]
        may_be &= shows_seen[of_row] | ~audience.seen[profile[of_row], position]
        # Where a row has more titles than it may choose from, those that have most for them there.
        worth = np.where(np.isnan(odds), 0.0, odds) + added
        order = np.lexsort((position, -worth, of_row))
        order = order[may_be[order]]
        nth = _nth(of_row[order])
        order, nth = order[nth < plan.width], nth[nth < plan.width]
        return _OwnRows(
            profile, first + nth_row, rows.field("key"), rows.field("anchor"), list(when),
            of_row[order], position[order], added[order], odds[order], nth, told.take(pa.array(order)),
        )  # fmt: skip

    def _without_kept(self, audience: _Audience, own: _OwnRows) -> _Audience:
        """The audience as if it had seen what rows of its own keep for themselves."""
        keeps = np.array([kind.keeps_titles for kind in self.plan.kinds])[self.own_kinds]
        kept = keeps[own.place[own.of_row]]
        seen = audience.seen.copy()
        seen[own.profile[own.of_row[kept]], own.titles[kept]] = True
        return replace(audience, seen=seen)

    def _own_at(self, own: _OwnRows, circumstances: Circumstances, profiles: int) -> _Rows:
        here = (circumstances.device_class, circumstances.daypart)
        applies = np.array([pair in ((None, None), here) for pair in own.when], bool)
        mine = np.flatnonzero(applies[own.of_row])
        of_row = own.of_row[mine]
        at = own.profile[of_row], own.place[of_row], own.nth[mine]
        shape = (profiles, len(self.own_kinds), self.plan.width)
        found = _Rows(
            np.full(shape, -1), np.zeros(shape), np.full(shape, np.nan), np.full(shape, -1),
            np.full(shape[:2], -1),
        )  # fmt: skip
        found.titles[at], found.added[at], found.odds[at] = (
            part[mine] for part in (own.titles, own.added, own.odds)
        )
        found.title_at[at], found.row_at[at[:2]] = mine, of_row
        return found

    def _offers(self, shelves: list[Shelf]) -> RowOffers:
        kinds = self.plan.kinds
        of_rows = np.array(
            [*self.own_kinds, *(self.kind[shelf.kind] for shelf in shelves)], np.int64
        )
        return RowOffers(
            kinds=of_rows,
            least=np.array([kind.least for kind in kinds])[of_rows],
            most=np.array([kind.most for kind in kinds]),
        )

    def _tastes(self, batch: pa.RecordBatch) -> Matrix:
        """Shares of genres among what each profile liked; even shares where nothing is known."""
        row, liked = cells(batch.column("liked"))
        position = self._positions(liked)
        known, genres = position >= 0, self.plan.genres
        shape = (batch.num_rows, genres.shape[0])
        history = csr_array((np.ones(int(known.sum())), (row[known], position[known])), shape=shape)
        found = (history @ genres).toarray()
        total = found.sum(axis=1, keepdims=True)
        even = np.full_like(found, 1 / genres.shape[1])
        shares: Matrix = np.divide(found, total, out=even, where=total > 0)
        return shares

    # ---- what chance and editors do to pages

    def _explore(self, tiles: _Tiles, audience: _Audience, number: int) -> None:
        """Fill some slots at random, each with any title that may be shown and stands nowhere else on the page.

        Rows of what a profile has begun, seen or kept are left as they are.
        """
        grid, plan = self.plan.grid, self.plan
        hashes = audience.batch.column("_hash").to_numpy()
        slot = (number * grid.rows + tiles.row) * grid.titles + tiles.position
        drawn = mixed(hashes[tiles.profile], slot)
        chance = (drawn >> _SHIFT).astype(np.float64) / 2.0**24
        is_own = tiles.candidate < len(self.own_kinds)
        for cell in np.flatnonzero((chance < grid.exploration) & ~is_own):
            whose = tiles.profile[cell]
            free = audience.is_open & ~audience.seen[whose]
            begin, end = np.searchsorted(tiles.profile, [whose, whose + 1])
            free[tiles.title[begin:end]] = False
            among = np.flatnonzero(free)
            if len(among):
                title = among[int(drawn[cell] & _LOWER) % len(among)]
                tiles.title[cell] = title
                tiles.odds[cell] = (
                    audience.odds[whose, title] + plan.at[audience.market][number][title]
                )
                tiles.propensity[cell] = 1 / len(among)

    def _ruled(self, tiles: _Tiles, audience: _Audience, number: int) -> _Tiles:
        """What brand rules leave of pages, and put on them."""
        plan = self.plan
        if not plan.rules.rules:
            return tiles
        pinned = np.zeros(len(tiles.title), bool)
        doubled = np.zeros(len(tiles.title), bool)
        for pin, title in self.pins.items():
            if title < 0 or not audience.is_open[title]:
                continue
            at = (tiles.row == pin.row) & (tiles.position == pin.position)
            at &= ~audience.seen[tiles.profile, title]
            doubled |= np.isin(tiles.profile, tiles.profile[at]) & (tiles.title == title)
            doubled &= ~at
            tiles.title[at], tiles.title_at[at], tiles.propensity[at] = title, -1, np.nan
            tiles.odds[at] = (
                audience.odds[tiles.profile[at], title] + plan.at[audience.market][number][title]
            )
            pinned |= at
        stays = ~doubled
        for begin, end in runs(tiles.profile):
            own = np.flatnonzero(stays[begin:end]) + begin
            # What editors pinned goes last.
            worth = np.where(pinned[own], np.inf, tiles.odds[own])
            stays[own] = obeyed(tiles.title[own], worth, plan.rules.rules, plan.groups)
        return tiles.only(stays)

    # ---- what is told of them

    def _because(self, audience: _Audience, made: list[_Tiles]) -> list[pa.Array]:
        """The title of the history that speaks most for each tile, page by page; null where nothing does."""
        lengths = [len(tiles.title) for tiles in made]
        if self.plan.tastes is None:
            return [pa.nulls(length, pa.string()) for length in lengths]
        profile, title = (
            np.concatenate([getattr(tiles, name) for tiles in made])
            for name in ("profile", "title")
        )
        order = np.argsort(profile, kind="stable")
        liked = audience.batch.column("liked")
        found = self.plan.tastes.sources(liked, profile[order], title[order])
        back = np.empty_like(order)
        back[order] = np.arange(len(order))
        sources = pa.array(found, pa.string()).take(pa.array(back))
        ends = np.cumsum(lengths)
        return [
            sources.slice(end - length, length) for end, length in zip(ends, lengths, strict=True)
        ]

    def _told(
        self,
        tiles: _Tiles,
        audience: _Audience,
        circumstances: Circumstances,
        own: _OwnRows,
        shelves: list[Shelf],
        sources: pa.Array,
    ) -> pa.RecordBatch:
        count = len(tiles.title)
        nowhere = tiles.title_at < 0
        at = pa.array(np.where(nowhere, 0, tiles.title_at), mask=nowhere)
        rows = self._called(tiles, own, shelves)
        anchors = rows.pop("anchor")
        columns = {
            "profile_id": audience.batch.column("profile_id").take(pa.array(tiles.profile)),
            "device_class": pa.repeat(circumstances.device_class, count),
            "daypart": pa.repeat(circumstances.daypart, count),
            "row": pa.array(tiles.row.astype(np.int32)),
            "position": pa.array(tiles.position.astype(np.int32)),
            "title_id": self.plan.ids.take(pa.array(tiles.title)),
            **rows,
            "score": pa.array(1 / (1 + np.exp(-tiles.odds.astype(np.float64)))),
            "because": pa.compute.coalesce(anchors, sources),
            "episode_id": own.told.field("episode_id").take(at),
            "position_s": own.told.field("position_s").take(at),
            "propensity": pa.array(tiles.propensity, mask=np.isnan(tiles.propensity)),
        }
        return pa.RecordBatch.from_pydict(columns)

    def _called(self, tiles: _Tiles, own: _OwnRows, shelves: list[Shelf]) -> dict[str, pa.Array]:
        """Kind, key, text and anchor of the rows that tiles stand in."""
        kinds = [self.plan.kinds[at] for at in self.own_kinds.tolist()]
        whole = [(kind.kind, "", kind.text) for kind in kinds]
        whole += [(shelf.kind, shelf.key, shelf.text) for shelf in shelves]
        pairs, of_tile = np.unique(
            np.stack([tiles.candidate, tiles.row_at]), axis=1, return_inverse=True
        )
        told = []
        for candidate, row in pairs.T.tolist():
            kind, key, text = whole[candidate]
            anchor = own.anchors[row].as_py() if row >= 0 else None
            key = own.keys[row].as_py() if row >= 0 else key
            told.append((kind, key, text.replace(ANCHOR, self._name(anchor)), anchor))
        names = ("row_kind", "row_key", "row_text", "anchor")
        of_tiles = pa.array(of_tile.reshape(-1))
        return {
            name: pa.array([row[n] for row in told], pa.string()).take(of_tiles)
            for n, name in enumerate(names)
        }

    def _name(self, title: str | None) -> str:
        return self._names.get(title or "", f"title {title}")

    @cached_property
    def _names(self) -> dict[str, str]:
        return dict(zip(self.plan.ids.to_pylist(), self.plan.names, strict=True))

    def _positions(self, idx: pa.Array) -> Matrix:
        """Of titles by their numbers; −1 of those that no page may hold."""
        values = idx.to_numpy(zero_copy_only=False).astype(np.int64)
        known = (values >= 0) & (values < len(self.position))
        found = np.full(len(values), -1, np.int64)
        found[known] = self.position[values[known]]
        return found


def _joined(one: _Rows, other: _Rows) -> _Rows:
    return _Rows(
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


def _nth(groups: Matrix) -> Matrix:
    """The place of each element within its run of equal ones."""
    begins = np.array([begin for begin, _ in runs(groups)], np.int64)
    lengths = np.diff([*begins, len(groups)])
    found: Matrix = np.arange(len(groups)) - np.repeat(begins, lengths)
    return found
