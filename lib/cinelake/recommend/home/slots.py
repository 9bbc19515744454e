"""Slots of pages, and what chance and editors do to what stands in them.

Of titles the position in the catalogue is meant.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from cinelake.recommend.draws import mixed
from cinelake.recommend.home.compiled import compiled
from cinelake.recommend.home.crowds import Crowd
from cinelake.recommend.home.plan import Plan
from cinelake.recommend.home.rules import Pin, Quotas, Stock, settled
from cinelake.recommend.home.shelving import Shelving, nth
from cinelake.recommend.home.taste import runs
from cinelake.recommend.scoring import Matrix

# More than a page may have.
_MOST_ROWS = 1 << 20
# A slot's draw is 64 bits: the upper ones say whether it is drawn at random, the lower ones which title.
_SHIFT, _LOWER = np.uint64(40), np.uint64((1 << 40) - 1)


@dataclass
class Slots:
    """Filled slots of pages, in order of profile, row and position; `candidate` is the row's place among candidates."""

    profile: Matrix
    row: Matrix
    position: Matrix
    candidate: Matrix
    title: Matrix
    odds: Matrix
    title_at: Matrix
    row_at: Matrix
    propensity: Matrix
    # Which rules the page cannot keep: a number of `Editing.unmet`.
    unmet: Matrix

    @property
    def of_row(self) -> Matrix:
        """A number of the row of each slot, over all profiles; it grows."""
        return self.profile * _MOST_ROWS + self.row

    def swap(self, one: Matrix, other: Matrix) -> None:
        """What stands in some slots of a row changes places with what stands in as many others of it."""
        for part in (self.title, self.odds, self.title_at, self.propensity):
            part[one], part[other] = part[other], part[one]

    def only(self, stays: Matrix) -> Slots:
        """Those that stay; the others of a row move up, and so do rows."""
        left = Slots(**{name: part[stays] for name, part in vars(self).items()})
        if len(left.row):
            of_row = left.of_row
            left.position = nth(of_row)
            begins = np.diff(of_row, prepend=of_row[0] - 1) != 0
            number = np.cumsum(begins) - 1
            for begin, end in runs(left.profile):
                left.row[begin:end] = number[begin:end] - number[begin]
        return left


class Editing:
    """What is changed of pages once they are composed.

    `unmet` are names of rules that some page cannot keep, together; the first are none.
    """

    def __init__(self, plan: Plan, shelving: Shelving) -> None:
        self.plan, self.shelving = plan, shelving
        # So many candidate rows are profiles' own.
        self.own_rows = len(shelving.own_kinds)
        self.quotas = Quotas.of(plan.rules.rules, plan.groups)
        self.unmet: list[tuple[str, ...]] = [()]
        self._members: dict[tuple[str, int], Matrix] = {}
        self._pins = {
            pin: pa.compute.index(plan.ids, pin.title).as_py()
            for pin in plan.rules.rules
            if isinstance(pin, Pin)
        }

    def explored(self, slots: Slots, crowd: Crowd, number: int) -> None:
        """Fill some slots at random, each with any title that may be shown and stands nowhere else on the page.

        Rows of what a profile has begun, seen or kept are left as they are.
        """
        grid, plan = self.plan.grid, self.plan
        hashes = crowd.batch.column("_hash").to_numpy()
        slot = (number * grid.rows + slots.row) * grid.titles + slots.position
        drawn = mixed(hashes[slots.profile], slot)
        chance = (drawn >> _SHIFT).astype(np.float64) / 2.0**24
        is_drawn = (chance < grid.exploration) & (slots.candidate >= self.own_rows)
        cells = np.flatnonzero(is_drawn)
        begins = np.searchsorted(slots.profile, np.arange(len(crowd) + 1))
        _drawn(
            (cells, (drawn[cells] & _LOWER).astype(np.int64)),
            (slots.profile, slots.title, begins),
            (crowd.odds, plan.at[crowd.market][number].astype(np.float32)),
            (crowd.is_open, crowd.seen),
            (slots.odds, slots.propensity),
        )

    def ruled(self, slots: Slots, crowd: Crowd, number: int) -> Slots:
        """What brand rules put on pages, and leave of them.

        What goes moves the rest up, pinned titles too, so these are put in their places again until nothing goes. What
        a cap or share takes off a page is pinned there no more.
        """
        rules = self.plan.rules.rules
        if not rules:
            return slots
        may_stand = {
            pin: ~crowd.seen[:, title]
            for pin, title in self._pins.items()
            if title >= 0 and crowd.is_open[title]
        }
        while True:
            places = {
                pin: self._pinned(pin, slots, crowd, number, whom)
                for pin, whom in may_stand.items()
            }
            pinned, stays = np.zeros(len(slots.title), bool), np.ones(len(slots.title), bool)
            for at in places.values():
                pinned[at] = True
            for pin, at in places.items():
                twice = np.isin(slots.profile, slots.profile[at]) & ~pinned
                stays &= ~(twice & (slots.title == self._pins[pin]))
            for begin, end in runs(slots.profile):
                own = np.flatnonzero(stays[begin:end]) + begin
                stays[own] = self._within_quotas(slots, own, pinned[own], crowd, number)
            if stays.all():
                return slots
            for pin, at in places.items():
                may_stand[pin][slots.profile[at[~stays[at]]]] = False
            slots = slots.only(stays)

    def _within_quotas(
        self, slots: Slots, own: Matrix, pinned: Matrix, crowd: Crowd, number: int
    ) -> Matrix:
        """Put on a page, of slots `own`, what caps and shares want; which of the slots stay then."""
        if not self.quotas.rules or not len(own):
            return np.ones(len(own), bool)
        whose, before = slots.profile[own[0]], slots.title[own]
        worth_of = crowd.odds[whose] + self.plan.at[crowd.market][number].astype(np.float32)
        is_free = crowd.is_open & ~crowd.seen[whose]
        is_free[before] = False
        free = np.flatnonzero(is_free)
        # In rows of what a profile has begun, seen or kept nothing else can stand.
        is_own = slots.candidate[own] < self.own_rows
        stock = Stock(
            free[np.argsort(-worth_of[free], kind="stable")],
            lambda tile: self._of_row(crowd.market, int(slots.candidate[own[tile]])),
            pinned | is_own,
        )
        # What editors pinned goes last.
        worth = np.where(pinned, np.inf, slots.odds[own])
        after, stays, unmet = settled(before, worth, worth_of, self.quotas, stock)
        new = own[after != before]
        slots.title[own] = after
        slots.odds[new] = worth_of[slots.title[new]]
        slots.title_at[new], slots.propensity[new] = -1, np.nan
        if unmet not in self.unmet:
            self.unmet.append(unmet)
        slots.unmet[own] = self.unmet.index(unmet)
        return stays

    def _of_row(self, market: str, candidate: int) -> Matrix:
        """Which titles belong to a shelf."""
        if (market, candidate) not in self._members:
            found = np.zeros(len(self.plan.idx), bool)
            found[self.shelving.shelves(market)[candidate - self.own_rows].titles] = True
            self._members[market, candidate] = found
        return self._members[market, candidate]

    def _pinned(
        self, pin: Pin, slots: Slots, crowd: Crowd, number: int, may_stand: Matrix
    ) -> Matrix:
        """Put a title in its place, on the pages of those who may have it there; which slots these are.

        A title of the same row changes places with what stands there; one of another row, or of none, takes its place,
        for not everything may stand in every row.
        """
        title = self._pins[pin]
        of_pin = (slots.row == pin.row) & (slots.position == pin.position)
        at = np.flatnonzero(of_pin & may_stand[slots.profile])
        before = np.full(len(crowd), -1)
        in_row = np.flatnonzero((slots.row == pin.row) & (slots.title == title))
        before[slots.profile[in_row]] = in_row
        was = before[slots.profile[at]]
        slots.swap(at[was >= 0], was[was >= 0])
        new = at[was < 0]
        slots.title[new], slots.title_at[new] = title, -1
        here = self.plan.at[crowd.market][number][title]
        slots.odds[new] = crowd.odds[slots.profile[new], title] + here
        slots.propensity[at] = np.nan
        return at


@compiled
def _drawn(
    slots: tuple[Matrix, Matrix],
    pages: tuple[Matrix, Matrix, Matrix],
    worth: tuple[Matrix, Matrix],
    limits: tuple[Matrix, Matrix],
    told: tuple[Matrix, Matrix],
) -> None:
    """Put into slots, cells with their draws, a title each of those that are free; its odds and chance into `told`."""
    (cells, draws), (profiles, titles, begins) = slots, pages
    (odds, here), (is_open, seen) = worth, limits
    is_free = np.empty(len(is_open), np.bool_)
    for at in range(len(cells)):
        cell = cells[at]
        whose, free = profiles[cell], 0
        for title in range(len(is_open)):
            is_free[title] = is_open[title] and not seen[whose, title]
        for other in range(begins[whose], begins[whose + 1]):
            is_free[titles[other]] = False
        for title in range(len(is_free)):
            free += is_free[title]
        if free == 0:
            continue
        left = draws[at] % free
        for title in range(len(is_free)):
            left -= is_free[title]
            if left < 0:
                titles[cell] = title
                told[0][cell] = odds[whose, title] + here[title]
                told[1][cell] = 1 / free
                break
