"""The catalogue as records: titles (films, series, episodes) and their availability by market.

A title is announced a week before it comes. Metadata are what an editor wrote; nothing hidden is in them.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from cinelake.simulate import randomness as rnd
from cinelake.simulate.calendar import midnight
from cinelake.simulate.randomness import Longs
from cinelake.simulate.settings import Settings
from cinelake.simulate.trace import DAY, EPISODES, HOUR, Records, ids
from cinelake.simulate.viewers.encoding import (
    flags,
    real,
    times,
    title_column,
    whole,
    words,
)
from cinelake.simulate.world.catalogue import NEVER, catalogue
from cinelake.simulate.world.markets import geography
from cinelake.simulate.world.wording import GENRES, MOODS, THEMES, person_name

_PACE = ("slow", "moderate", "fast")
_KINDS = ("film", "series", "episode")


def announced_at(settings: Settings) -> Longs:
    """When each title's records come (µs UTC)."""
    titles = catalogue(settings)
    first = titles.available_from.min(axis=1)
    at: Longs = (np.minimum(first, titles.release_day) - 7) * DAY + 9 * HOUR
    return at


def title_records(settings: Settings, start_us: int, end_us: int) -> Records:
    """Titles announced in a window, series before their episodes."""
    at = announced_at(settings)
    chosen = np.flatnonzero((at >= start_us) & (at < end_us))
    titles = catalogue(settings)
    count = np.where(titles.is_series[chosen], titles.episodes[chosen], 0)
    title = np.concatenate([chosen, np.repeat(chosen, count)])
    number = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    episode = np.concatenate([np.full(len(chosen), -1), number])
    return _records(settings, title, episode, at[title] + (episode >= 0) * 1000)


def _records(settings: Settings, title: Longs, episode: Longs, at: Longs) -> Records:
    seed, titles = settings.seed, catalogue(settings)
    places = geography(settings.world.markets)
    part = episode >= 0
    series = titles.is_series[title]
    kind = np.where(part, 2, np.where(series, 1, 0))
    season = episode // np.maximum(titles.episodes_a_season[title], 1)
    in_season = episode % np.maximum(titles.episodes_a_season[title], 1)
    names = [
        f"{titles.name[t]} {s + 1}:{e + 1}" if p else titles.name[t]
        for t, s, e, p in zip(
            title.tolist(), season.tolist(), in_season.tolist(), part.tolist(), strict=True
        )
    ]
    intro = titles.intro_end[title] > titles.intro_start[title]
    shown = np.array([dt.date(1970, 1, 1) + dt.timedelta(days=int(d)) for d in titles.release_day])
    genres = [
        [GENRES[g], GENRES[s]] if two else [GENRES[g]]
        for g, s, two in zip(
            titles.genre,
            titles.second_genre,
            rnd.happens(0.8, seed, "second genre told", np.arange(len(titles))),
            strict=True,
        )
    ]
    moods = [[MOODS[m] for m in row] for row in titles.moods]
    themes = [[THEMES[t] for t in row] for row in titles.themes]
    cast = [[person_name(n) for n in row] for row in titles.cast]
    directors = [[person_name(n)] for n in titles.directors]
    country = [[places.countries[n]] for n in titles.language]
    synopsis = [
        f"A {_PACE[p]}-paced {g[0].lower()} {'series' if s else 'film'} of {t[0]} and {t[1]}, {m[0]} and {m[1]}."
        for p, g, s, t, m in zip(titles.pace, genres, titles.is_series, themes, moods, strict=True)
    ]
    texts = np.array([day.isoformat() for day in shown], dtype=object)[title]
    return Records(
        "titles",
        np.full(len(title), -1, dtype=np.int64),
        at,
        title * EPISODES + episode + 1,
        {
            "title_id": ids(seed, "title", title * EPISODES + episode + 1),
            "name": pa.array(names, type=pa.string()),
            "release_year": whole(titles.release_year[title]),
            "genres": _lists(genres, title),
            "kind": words(kind, _KINDS),
            "series_id": title_column(seed, title, part),
            "season": whole(season + 1, part),
            "episode": whole(in_season + 1, part),
            "seasons": whole(titles.seasons[title], series & ~part),
            "episodes": whole(titles.episodes[title], series & ~part),
            "runtime_s": real(titles.runtime[title]),
            "intro_start_s": real(titles.intro_start[title], intro),
            "intro_end_s": real(titles.intro_end[title], intro),
            "credits_start_s": real(np.round(titles.runtime * titles.credits_share, 1)[title]),
            "moods": _lists(moods, title),
            "themes": _lists(themes, title),
            "pace": words(titles.pace[title], _PACE),
            "language": words(titles.language[title], places.languages),
            "countries": _lists(country, title),
            "directors": _lists(directors, title),
            "cast": _lists(cast, title),
            "maturity": whole(titles.maturity[title]),
            "is_original": flags(titles.is_original[title]),
            "release_date": pa.array(texts, type=pa.string()),
            "synopsis": pa.array([synopsis[t] for t in title], type=pa.string()),
            "cost": real(titles.cost[title], ~part),
        },
    )


def _lists(values: Sequence[Sequence[str]], title: Longs) -> pa.Array:
    return pa.array([list(row) for row in values], type=pa.list_(pa.string())).take(pa.array(title))


def availability_records(settings: Settings, start_us: int, end_us: int) -> Records:
    """Contracts that become known in a window: one a title and market."""
    titles = catalogue(settings)
    places = geography(settings.world.markets)
    at = announced_at(settings) + HOUR
    title, market = np.nonzero(titles.available_from < NEVER)
    keep = (at[title] >= start_us) & (at[title] < end_us)
    title, market = title[keep], market[keep]
    since, until = titles.available_from[title, market], titles.available_until[title, market]
    known = until < NEVER
    return Records(
        "availability",
        np.full(len(title), -1, dtype=np.int64),
        at[title],
        title * 64 + market,
        {
            "title_id": title_column(settings.seed, title),
            "market": words(market, places.countries),
            "available_from": times(since * DAY),
            "available_until": times(np.where(known, until, 0) * DAY, known),
        },
    )


def last_days(settings: Settings) -> Longs:
    """The day from which each title is nowhere on the service."""
    titles = catalogue(settings)
    last: Longs = np.where(titles.available_from < NEVER, titles.available_until, 0).max(axis=1)
    return last


def standing_titles(settings: Settings, at_us: int) -> list[Records]:
    """What was announced before a moment and is still somewhere on the service then, or will be."""
    beginning = midnight(dt.date(1990, 1, 1))
    last = last_days(settings)
    found = []
    for records in (
        title_records(settings, beginning, at_us),
        availability_records(settings, beginning, at_us),
    ):
        size = EPISODES if records.source == "titles" else 64
        # Who began on a title's last evening may still watch it.
        there = last[records.order // size] * DAY > at_us - 2 * DAY
        found.append(records.take(np.flatnonzero(there)))
    return found
