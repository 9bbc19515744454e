"""The home page as the simulated service shows it: rows of tiles, chosen by a recommender that errs.

Row 0 is continue-watching where there is anything to continue. Below come top picks, trending, genres, new releases,
"because you watched", popular. The recommender knows the taste behind a profile through a blur, and fame. A share of
slots is filled at random (`is_exploration`), which is what propensities can be estimated from. How far people look
falls geometrically with row and rank, much as in models of carousels (Rahdari, Kveton, Brusilovsky, "From Ranked Lists
to Carousels: A Carousel Click Model", arXiv 2209.13426, 2022).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from cinelake.simulate import randomness as rnd
from cinelake.simulate.randomness import Bools, Floats, Longs
from cinelake.simulate.settings import Settings
from cinelake.simulate.viewers.context import talk_of
from cinelake.simulate.world.catalogue import catalogue
from cinelake.simulate.world.devices import PHONE, TV
from cinelake.simulate.world.wording import GENRES

SHELF = 40  # titles that a row chooses from
TRENDING, NEW, POPULAR, FIRST_GENRE = 0, 1, 2, 3
ROW_KINDS = (
    "continue_watching",
    "top_picks",
    "trending",
    "new_releases",
    "popular",
    "because_you_watched",
    "genre",
)
CONTINUE, TOP, TREND, FRESH, POP, BECAUSE, GENRE = range(7)
_RECIPE = (TOP, TREND, GENRE, FRESH, BECAUSE, GENRE, POP, GENRE)


@lru_cache(maxsize=200)
def shelves(settings: Settings, day: int) -> NDArray[np.int32]:
    """What each market can offer on a UTC day: markets × kinds × SHELF title numbers, −1 where there are fewer.

    Kinds are trending, new, popular and the genres.
    """
    titles = catalogue(settings)
    markets = titles.available_from.shape[1]
    talk = talk_of(settings, day)
    kinds = FIRST_GENRE + len(GENRES)
    found = np.full((markets, kinds, SHELF), -1, dtype=np.int32)
    age = day - titles.release_day
    for market in range(markets):
        here = np.flatnonzero(
            (titles.available_from[:, market] <= day) & (titles.available_until[:, market] > day)
        )
        fame = titles.fame[here] + titles.market_offset[here, market]
        fresh = np.exp(-np.maximum(age[here], 0) / 30.0)
        recent = here[day - titles.available_from[here, market] <= 45]

        def fill(kind: int, among: Longs, score: Floats, market: int = market) -> None:
            best = among[np.argsort(-score, kind="stable")[:SHELF]]
            found[market, kind, : len(best)] = best

        fill(TRENDING, here, 2.0 * talk[here] + 1.2 * fresh + 0.4 * fame)
        fill(NEW, recent, -age[recent].astype(np.float64))
        fill(POPULAR, here, fame + fresh)
        for genre in range(len(GENRES)):
            fits = (titles.genre[here] == genre) | (titles.second_genre[here] == genre)
            # The head of a genre and a changing part of its tail.
            luck = 1.3 * rnd.normal(settings.seed, "genre shelf", here[fits], day // 7, market)
            fill(FIRST_GENRE + genre, here[fits], fame[fits] + fresh[fits] + luck)
    return found


@lru_cache(maxsize=200)
def on_offer(settings: Settings, day: int) -> tuple[Longs, Longs]:
    """All titles of each market on a day: markets × most, −1 where there are fewer, and how many."""
    titles = catalogue(settings)
    here = (titles.available_from <= day) & (titles.available_until > day)
    count = here.sum(axis=0)
    offered = np.full((here.shape[1], max(int(count.max()), 1)), -1, dtype=np.int64)
    for market in range(here.shape[1]):
        offered[market, : count[market]] = np.flatnonzero(here[:, market])
    return offered, np.maximum(count, 1)


@dataclass(frozen=True)
class Pages:
    """Page views: arrays over pages; matrices are pages × rows × tiles. Titles are −1 where a slot is empty."""

    title: NDArray[np.int32]
    row_kind: NDArray[np.int8]  # pages × rows
    seen: Bools
    exploration: Bools


def compose(
    settings: Settings,
    page: Longs,
    market: Longs,
    day: Longs,
    taste: Floats,
    score: Floats,
    best: Longs,
    blocked: Bools,
    last: Longs,
    kind: Longs,
    keen: Floats,
    column: Longs,
    numbers: Longs,
) -> Pages:
    """Page views without their continue-watching row, which is left empty as row 0.

    `score` and `blocked` are pages × columns (what the recommender thinks; what may not be shown), `best` each
    page's best columns; `column` maps title numbers to columns, `numbers` back. `taste` is affinity to genres,
    `last` the title watched last (−1), `kind` the device, `keen` how far the viewer looks.
    """
    seed, rows, tiles = settings.seed, settings.page.rows, settings.page.tiles
    n = len(page)
    r = np.arange(n)
    noise = rnd.normal(seed, "genre of the day", page[:, None], np.arange(len(GENRES)))
    genres = np.argsort(-(taste + 0.12 * noise), axis=1)
    candidates, kinds = _candidates(settings, market, day, genres, numbers[best], last)
    at = column[candidates]  # −1 for empty slots: column[-1] is −1
    usable = (candidates >= 0) & (at >= 0)
    at = np.maximum(at, 0)
    usable &= ~blocked[r[:, None, None], at]
    value = score[r[:, None, None], at] + 0.8 * rnd.normal(
        seed, "page noise", page[:, None, None], np.arange(rows)[:, None], candidates
    )
    value = np.where(usable, value, -99.0)
    top = np.argpartition(-value, tiles, axis=2)[:, :, :tiles]
    top_value = np.take_along_axis(value, top, axis=2)
    order = np.argsort(-top_value, axis=2, kind="stable")
    top = np.take_along_axis(top, order, axis=2)
    chosen = np.take_along_axis(candidates, top, axis=2)
    chosen = np.where(np.take_along_axis(top_value, order, axis=2) > -90, chosen, -1)

    drawn, explores = _exploration(settings, page, market, day)
    explores &= ~blocked[r[:, None, None], column[drawn]] & (chosen >= 0)
    full = np.full((n, rows + 1, tiles), -1, dtype=np.int32)
    full[:, 1:] = np.where(explores, drawn, chosen)
    explored = np.zeros(full.shape, dtype=bool)
    explored[:, 1:] = explores
    return Pages(full, kinds, _looked_at(settings, page, kind, keen) & (full >= 0), explored)


def _candidates(
    settings: Settings, market: Longs, day: Longs, genres: Longs, best: Longs, last: Longs
) -> tuple[Longs, NDArray[np.int8]]:
    """Titles that each row chooses from, pages × rows × SHELF (−1 where there are fewer), and kinds of rows."""
    titles = catalogue(settings)
    rows, n = settings.page.rows, len(market)
    days, place = np.unique(day, return_inverse=True)
    shelf = np.stack([shelves(settings, int(d)) for d in days])
    candidates = np.full((n, rows, SHELF), -1, dtype=np.int64)
    kinds = np.zeros((n, rows + 1), dtype=np.int8)
    genres_used = 0
    for index in range(rows):
        what = _RECIPE[index] if index < len(_RECIPE) else GENRE
        kinds[:, index + 1] = what
        if what == TOP:
            candidates[:, index] = best
        elif what == BECAUSE:
            known = last >= 0
            near = titles.neighbours[np.maximum(last, 0)]
            candidates[:, index, : near.shape[1]] = near
            candidates[~known, index] = shelf[place[~known], market[~known], POPULAR]
            kinds[~known, index + 1] = POP
        elif what == GENRE:
            genre = genres[:, genres_used % len(GENRES)]
            genres_used += 1
            candidates[:, index] = shelf[place, market, FIRST_GENRE + genre]
        else:
            from_ = {TREND: TRENDING, FRESH: NEW, POP: POPULAR}[what]
            candidates[:, index] = shelf[place, market, from_]
    return candidates, kinds


def _exploration(settings: Settings, page: Longs, market: Longs, day: Longs) -> tuple[Longs, Bools]:
    """A title drawn evenly from all that the market has, for each slot, and whether it is to be shown there."""
    days, place = np.unique(day, return_inverse=True)
    shape = np.arange(settings.page.rows)[:, None], np.arange(settings.page.tiles)
    slot = rnd.uniform(settings.seed, "exploration", page[:, None, None], *shape)
    offers = [on_offer(settings, int(d)) for d in days]
    width = max(offer.shape[1] for offer, _ in offers)
    offered = np.full((len(days), len(settings.world.markets), width), -1, dtype=np.int64)
    for index, (offer, _) in enumerate(offers):
        offered[index, :, : offer.shape[1]] = offer
    size = np.stack([count for _, count in offers])[place, market][:, None, None]
    # What is left of the draw below the threshold is uniform again.
    luck = slot / max(settings.page.exploration, 1e-9) * size
    luck = np.minimum(luck.astype(np.int64), size - 1)
    drawn = offered[place[:, None, None], market[:, None, None], luck]
    return drawn, (slot < settings.page.exploration) & (drawn >= 0)


def _looked_at(settings: Settings, page: Longs, kind: Longs, keen: Floats) -> Bools:
    """Which slots come into view. A telephone shows few tiles at a time, a television makes it easy to go on."""
    seed, rows, tiles = settings.seed, settings.page.rows + 1, settings.page.tiles
    first = np.where(kind == PHONE, 3, np.where(kind == TV, 5, 6))
    down = np.clip(np.where(kind == PHONE, 0.80, 0.76) + 0.05 * keen, 0.3, 0.95)
    depth = 2 + np.floor(np.log(rnd.uniform(seed, "rows looked at", page)) / np.log(down))
    drawn = rnd.uniform(seed, "tiles looked at", page[:, None], np.arange(rows))
    across = first[:, None] + np.floor(np.log(drawn) / np.log(0.5))
    seen: Bools = (np.arange(rows)[None, :, None] < depth[:, None, None]) & (
        np.arange(tiles)[None, None, :] < across[:, :, None]
    )
    return seen
