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
from cinelake.recommend.home.rules import Pin, obeyed
from cinelake.recommend.home.shelving import nth
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

    @property
    def of_row(self) -> Matrix:
        """A number of the row of each slot, over all profiles; it grows."""
        return self.profile * _MOST_ROWS + self.row

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
    """What is changed of pages once they are composed; `own_rows` candidate rows are profiles' own."""

    def __init__(self, plan: Plan, own_rows: int) -> None:
        self.plan, self.own_rows = plan, own_rows
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
        """What brand rules leave of pages, and put on them."""
        plan = self.plan
        if not plan.rules.rules:
            return slots
        pinned = np.zeros(len(slots.title), bool)
        doubled = np.zeros(len(slots.title), bool)
        for pin, title in self._pins.items():
            if title < 0 or not crowd.is_open[title]:
                continue
            at = (slots.row == pin.row) & (slots.position == pin.position)
            at &= ~crowd.seen[slots.profile, title]
            doubled |= np.isin(slots.profile, slots.profile[at]) & (slots.title == title)
            doubled &= ~at
            slots.title[at], slots.title_at[at], slots.propensity[at] = title, -1, np.nan
            slots.odds[at] = (
                crowd.odds[slots.profile[at], title] + plan.at[crowd.market][number][title]
            )
            pinned |= at
        stays = ~doubled
        for begin, end in runs(slots.profile):
            own = np.flatnonzero(stays[begin:end]) + begin
            # What editors pinned goes last.
            worth = np.where(pinned[own], np.inf, slots.odds[own])
            stays[own] = obeyed(slots.title[own], worth, plan.rules.rules, plan.groups)
        return slots.only(stays)


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
