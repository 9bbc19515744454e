"""Slots of pages, and what chance and editors do to what stands in them.

Of titles the position in the catalogue is meant.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from cinelake.recommend.draws import mixed
from cinelake.recommend.home.crowds import Crowd
from cinelake.recommend.home.plan import Plan
from cinelake.recommend.home.rules import Pin, obeyed
from cinelake.recommend.home.shelving import nth
from cinelake.recommend.home.taste import runs
from cinelake.recommend.scoring import Matrix

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

    def only(self, stays: Matrix) -> Slots:
        """Those that stay; the others of a row move up, and so do rows."""
        left = Slots(**{name: part[stays] for name, part in vars(self).items()})
        if len(left.row):
            of_row = left.profile * (1 << 20) + left.row
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
        is_own = slots.candidate < self.own_rows
        for cell in np.flatnonzero((chance < grid.exploration) & ~is_own):
            whose = slots.profile[cell]
            free = crowd.is_open & ~crowd.seen[whose]
            begin, end = np.searchsorted(slots.profile, [whose, whose + 1])
            free[slots.title[begin:end]] = False
            among = np.flatnonzero(free)
            if len(among):
                title = among[int(drawn[cell] & _LOWER) % len(among)]
                slots.title[cell] = title
                slots.odds[cell] = crowd.odds[whose, title] + plan.at[crowd.market][number][title]
                slots.propensity[cell] = 1 / len(among)

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
