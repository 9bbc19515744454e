"""Traces of page views: impressions, and what viewers do with tiles (hover, scroll past, click, details, my list).

Tiles of rows down to one below the last seen row are delivered, as an app loads them. Hovering goes with liking,
weakly: most of what is hovered over is not played, and most of what is played was not hovered over.
"""

from __future__ import annotations

import numpy as np

from cinelake.simulate import randomness as rnd
from cinelake.simulate.randomness import Bools, Floats, Longs
from cinelake.simulate.settings import Settings
from cinelake.simulate.trace import SECOND, Records
from cinelake.simulate.viewers.choices import PageDraft, page_number
from cinelake.simulate.viewers.encoding import flags, id_column, real, title_column, whole, words
from cinelake.simulate.viewers.lanes import Lanes
from cinelake.simulate.viewers.page import ROW_KINDS
from cinelake.simulate.viewers.watching import Seats, impression_order
from cinelake.sources.interactions import ACTIONS

ARTWORK = ("face", "group", "scene", "title")
HOVER, PAST, CLICK, DETAILS, UP, DOWN, ADD, REMOVE, NO = range(9)


class Tiles:
    """The delivered tiles of page views, flat; indexes into the draft and its matrices."""

    def __init__(self, lanes: Lanes, seat: Seats, pages: PageDraft) -> None:
        deepest = np.where(pages.seen.any(axis=2), np.arange(pages.seen.shape[1]), 0).max(
            axis=1, initial=0
        )
        loaded = np.arange(pages.title.shape[1]) <= deepest[:, None] + 1
        self.page, self.row, self.rank = np.nonzero((pages.title >= 0) & loaded[:, :, None])
        lane, nth = pages.lane, pages.nth
        self.number = page_number(lanes.sitting[lane, nth], pages.step)
        self.account = lanes.crowd.account[lane]
        self.profile = lanes.crowd.profile[lane]
        self.device = seat.device[lane, nth]
        self.title = pages.title[self.page, self.row, self.rank]
        self.seen = pages.seen[self.page, self.row, self.rank]
        self.order = impression_order(self.number[self.page], self.row, self.rank)
        span = (pages.pressed_at - pages.shown_at)[self.page]
        depth = self.row / (deepest[self.page] + 2.0) + self.rank * 0.002
        self.at = pages.shown_at[self.page] + (np.minimum(depth, 0.98) * span).astype(np.int64)
        self.lane = lane[self.page]
        self.pages = pages
        self.deepest = deepest

    def take(self, index: Longs) -> Tiles:
        part = object.__new__(Tiles)
        part.__dict__.update(self.__dict__)
        for name in ("page", "row", "rank", "title", "seen", "order", "at", "lane"):
            setattr(part, name, getattr(self, name)[index])
        return part


def impressions(settings: Settings, tiles: Tiles, start_us: int, end_us: int) -> Records:
    """One record a delivered tile in the window."""
    seed = settings.seed
    inside = np.flatnonzero((tiles.at >= start_us) & (tiles.at < end_us))
    t = tiles.take(inside)
    page = t.page
    artwork = rnd.integers(
        len(ARTWORK), seed, "artwork", tiles.profile[page], t.title, t.at // (7 * 86_400 * SECOND)
    )
    explored = tiles.pages.exploration[page, t.row, t.rank]
    return Records(
        "impressions",
        tiles.account[page],
        t.at,
        t.order,
        {
            "page_id": _spread(seed, "page", tiles.number, page),
            "account_id": _spread(seed, "account", tiles.account, page),
            "profile_id": _spread(seed, "profile", tiles.profile, page),
            "device_id": _spread(seed, "device", tiles.device, page),
            "title_id": title_column(seed, t.title),
            "row": whole(t.row),
            "row_kind": words(tiles.pages.row_kind[page, t.row], ROW_KINDS),
            "rank": whole(t.rank),
            "artwork": words(artwork, ARTWORK),
            "is_exploration": flags(explored),
            "seen": flags(t.seen),
        },
    )


def _spread(seed: int, kind: str, numbers: Longs, index: Longs) -> Longs:
    """Ids of a page's number, for each of its tiles."""
    return id_column(seed, kind, numbers[index])  # type: ignore[no-any-return]


def tile_acts(
    settings: Settings, lanes: Lanes, tiles: Tiles, start_us: int, end_us: int
) -> Records:
    """Hover, scroll past, click, details, my list and "not interested" on tiles."""
    seed, pages = settings.seed, tiles.pages
    seen = tiles.take(np.flatnonzero(tiles.seen))
    column = np.maximum(lanes.column[seen.title], 0)
    like = lanes.like[seen.lane, column].astype(np.float64)
    fond = np.clip(like, -6, 8) / 4
    acts: list[tuple[Longs, Longs, Longs, Floats]] = []  # tile, action, delay (µs), seconds

    def add(where: Bools, action: int, delay: Floats, seconds: Floats) -> None:
        index = np.flatnonzero(where)
        wait = (delay[index] * SECOND).astype(np.int64)
        acts.append((index, np.full(len(index), action), wait, seconds[index]))

    def chance(odds: Floats | float, what: str) -> Bools:
        return rnd.happens(odds, seed, what, seen.order)

    none = np.full(len(seen.order), np.nan)
    chosen = (pages.chosen_row[seen.page] == seen.row) & (pages.chosen_rank[seen.page] == seen.rank)
    hover = chance(np.clip(0.035 * np.exp(0.75 * fond), 0, 0.35) + 0.25 * chosen, "hover")
    dwell = np.exp(0.9 + 0.22 * fond + 0.8 * rnd.normal(seed, "hover seconds", seen.order))
    dwell = np.clip(dwell, 0.4, 120.0)
    add(hover, HOVER, np.full(len(none), 0.3), dwell)
    passes = ~hover & ~chosen & chance(np.clip(0.07 * np.exp(-0.5 * fond), 0, 0.3), "scroll past")
    add(passes, PAST, np.full(len(none), 0.2), np.clip(dwell / 8, 0.1, 1.0))
    details = (hover & (dwell > 4) & chance(0.30, "details")) | (chosen & chance(0.18, "details"))
    length = np.clip(4 * np.exp(0.7 * rnd.normal(seed, "details seconds", seen.order)), 1, 90)
    add(details, DETAILS, dwell + 0.3, length)
    keeps = details & ~chosen & chance(0.20, "my list")
    add(keeps, ADD, dwell + 0.4 + 0.8 * length, none)
    drops = hover & ~keeps & ~chosen & chance(0.010, "off my list")
    add(drops, REMOVE, dwell + 0.5, none)
    refuses = (
        hover & ~chosen & chance(np.clip(0.02 * np.exp(-1.0 * fond), 0, 0.2), "not interested")
    )
    add(refuses, NO, dwell + 0.6, none)
    press = (pages.pressed_at[seen.page] - seen.at) / SECOND
    add(chosen, CLICK, np.maximum(press - 0.2, 0.0), none)
    index, action, delay, seconds = (np.concatenate(part) for part in zip(*acts, strict=True))
    at = seen.at[index] + delay
    inside = (at >= start_us) & (at < end_us)
    index, action, at, seconds = index[inside], action[inside], at[inside], seconds[inside]
    page = seen.page[index]
    return Records(
        "interactions",
        tiles.account[page],
        at,
        seen.order[index] * 16 + action,
        {
            "account_id": _spread(seed, "account", tiles.account, page),
            "profile_id": _spread(seed, "profile", tiles.profile, page),
            "device_id": _spread(seed, "device", tiles.device, page),
            "action": words(action, ACTIONS),
            "title_id": title_column(seed, seen.title[index]),
            "page_id": _spread(seed, "page", tiles.number, page),
            "row": whole(seen.row[index]),
            "rank": whole(seen.rank[index]),
            "seconds": real(np.round(np.nan_to_num(seconds), 2), ~np.isnan(seconds)),
        },
    )
