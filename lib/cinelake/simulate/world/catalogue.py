"""Films and series: what everybody may know of them, and what is hidden.

Hidden are a vector of features, a quality and a fame. The vector is made of the centres of the title's genres, of a
*niche* that no metadata name, and of the title's own part; so metadata tell something of who will like it, other
viewers tell more, and neither tells all. Moods, themes and pace are noisy readings of the vector.

Popularity follows from fame, quality, age and taste. Real catalogues have a head flatter than Zipf's law and a long
tail (Yu et al., "Understanding user behavior in large-scale video-on-demand systems", EuroSys 2006); how much of the
plays the head draws here is this project's choice.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from cinelake.simulate import randomness as rnd
from cinelake.simulate.calendar import day_number
from cinelake.simulate.randomness import Bools, Floats, Longs
from cinelake.simulate.settings import Settings
from cinelake.simulate.world.markets import Geography, geography
from cinelake.simulate.world.wording import GENRE_WEIGHTS, GENRES, MOODS, THEMES, title_names

FEATURES = 16
NICHES = 24
# What a context can favour; `viewers.context` weighs them.
CONTEXTS = ("horror", "family", "romcom", "kids", "short", "film", "documentary", "calm")
NEVER = 10**7  # a day that does not come

_G = {name: index for index, name in enumerate(GENRES)}


@dataclass(frozen=True)
class Catalogue:
    """Arrays by title number. Days are day numbers (UTC)."""

    name: tuple[str, ...]
    is_series: Bools
    genre: Longs  # primary
    second_genre: Longs
    vector: Floats  # titles × FEATURES, hidden
    niche: Longs  # hidden
    quality: Floats  # hidden, standard normal
    fame: Floats  # hidden, log scale
    context: Floats  # titles × CONTEXTS, 0 … 1
    runtime: Floats  # s; of an episode
    seasons: Longs
    episodes_a_season: Longs
    intro_start: Floats
    intro_end: Floats
    credits_share: Floats  # where the credits begin, as a share of the runtime
    maturity: Longs  # years
    language: Longs  # index into `Geography.languages`; of its market
    is_original: Bools
    release_day: Longs  # first day on the service
    release_year: Longs
    available_from: Longs  # titles × markets, day number; NEVER where it never comes
    available_until: Longs  # titles × markets
    market_offset: Floats  # titles × markets: liking that differs between markets
    moods: tuple[tuple[int, ...], ...]
    themes: tuple[tuple[int, ...], ...]
    pace: Longs  # 0 slow … 2 fast
    cast: tuple[tuple[int, ...], ...]
    directors: tuple[int, ...]
    cost: Floats  # US dollars a month
    neighbours: Longs  # titles × 24: the most similar by metadata, for "because you watched"

    def __len__(self) -> int:
        return len(self.name)

    @property
    def episodes(self) -> Longs:
        """Episodes over all seasons; 1 for a film."""
        return np.where(self.is_series, self.seasons * self.episodes_a_season, 1)


def genre_centres(seed: int) -> Floats:
    """GENRES × FEATURES; unit vectors, of which related genres lean towards each other."""
    centres = rnd.normal(seed, "genre centre", np.arange(len(GENRES))[:, None], np.arange(FEATURES))
    for one, other in (
        ("Crime", "Thriller"),
        ("Mystery", "Crime"),
        ("Animation", "Family"),
        ("Romance", "Drama"),
        ("Fantasy", "Science Fiction"),
        ("Action", "Thriller"),
    ):
        centres[_G[one]] += 0.6 * centres[_G[other]]
    return _unit(centres)


def niche_centres(seed: int) -> Floats:
    """NICHES × FEATURES, unit vectors."""
    return _unit(rnd.normal(seed, "niche centre", np.arange(NICHES)[:, None], np.arange(FEATURES)))


@lru_cache(maxsize=4)
def catalogue(settings: Settings) -> Catalogue:
    """All titles that are on the service at any time of the world."""
    seed, world = settings.seed, settings.world
    places = geography(world.markets)
    founded, ends = day_number(world.founded), day_number(world.ends)
    arrivals = round(world.new_titles_a_week * (ends - founded) / 7)
    count = world.titles + arrivals
    t = np.arange(count)

    release = np.where(
        t < world.titles,
        founded - 30 - (rnd.exponential(seed, "age", t) * 500).astype(np.int64),
        # Fridays are commonest.
        founded + _fridays(seed, t, (t - world.titles) * (ends - founded) // max(arrivals, 1)),
    )
    original = rnd.happens(
        np.where(t < world.titles, world.originals_share, 1.6 * world.originals_share),
        seed,
        "original",
        t,
    )
    genre = rnd.pick(GENRE_WEIGHTS, seed, "genre", t)
    second = rnd.pick(GENRE_WEIGHTS, seed, "second genre", t)
    second = np.where(second == genre, _G["Drama"], second)
    niche = rnd.integers(NICHES, seed, "niche", t)
    own = rnd.normal(seed, "own features", t[:, None], np.arange(FEATURES)) / np.sqrt(FEATURES)
    genres, niches = genre_centres(seed), niche_centres(seed)
    vector = _unit(0.70 * genres[genre] + 0.35 * genres[second] + 0.55 * niches[niche] + 0.35 * own)
    quality = rnd.normal(seed, "quality", t)
    fame = 0.45 * quality + 0.85 * rnd.normal(seed, "budget", t) + np.where(original, 0.15, 0.0)

    series_odds = np.where(
        np.isin(genre, [_G["Reality"], _G["Anime"], _G["Crime"], _G["Comedy"]]), 1.35, 0.85
    )
    is_series = rnd.happens(world.series_share * series_odds, seed, "series", t)
    half_hour = np.isin(genre, [_G["Comedy"], _G["Anime"], _G["Animation"], _G["Family"]])
    runtime = np.where(
        is_series,
        np.where(half_hour, 23, 47) * np.exp(0.13 * rnd.normal(seed, "episode length", t)),
        np.clip(104 + 17 * rnd.normal(seed, "film length", t), 62, 190),
    )
    runtime = np.round(runtime * 60)
    has_intro = is_series & rnd.happens(0.85, seed, "has intro", t)
    intro_start = np.where(has_intro, np.round(rnd.uniform(seed, "cold open", t) * 150), 0.0)
    intro_end = intro_start + np.where(
        has_intro, np.round(35 + 55 * rnd.uniform(seed, "intro", t)), 0.0
    )
    maturity = _maturity(seed, genre, t)
    languages = rnd.pick(places.weights + 0.05, seed, "language", t)
    since, until = _availability(settings, places, release, original, t)
    market_offset = 0.35 * rnd.normal(
        seed, "market taste", t[:, None], np.arange(len(places.countries))
    ) + 0.5 * (np.array(places.languages)[languages][:, None] == np.array(places.languages))
    moods = _readings(seed, "mood", vector, len(MOODS), 2)
    themes = _readings(seed, "theme", vector, len(THEMES), 2)
    pace_axis = vector @ _unit(rnd.normal(seed, "pace axis", np.arange(FEATURES))[None])[0]
    pace = np.digitize(pace_axis + 0.15 * rnd.normal(seed, "pace", t), [-0.18, 0.18])
    people = 900
    cast = tuple(
        tuple(int(g) * 50 + int(n) if n < 50 else int(n) % people for n in row)
        for g, row in zip(
            genre,
            rnd.integers(120, seed, "cast", t[:, None], np.arange(4)),
            strict=True,
        )
    )
    directors = tuple(int(n) for n in 10_000 + rnd.integers(300, seed, "director", t))
    return Catalogue(
        name=tuple(title_names(count, seed)),
        is_series=is_series,
        genre=genre,
        second_genre=second,
        vector=vector,
        niche=niche,
        quality=quality,
        fame=fame,
        context=_contexts(genre, second, is_series, runtime, maturity),
        runtime=runtime,
        seasons=np.where(is_series, 1 + np.minimum(rnd.poisson(1.1, seed, "seasons", t), 6), 0),
        episodes_a_season=np.where(
            is_series, np.where(half_hour, 8, 6) + rnd.integers(5, seed, "episodes", t), 0
        ),
        intro_start=intro_start,
        intro_end=intro_end,
        credits_share=np.where(is_series, 0.965, 0.94) - 0.02 * rnd.uniform(seed, "credits", t),
        maturity=maturity,
        language=languages,
        is_original=original,
        release_day=release,
        release_year=np.where(
            original | (t >= world.titles),
            2026,  # corrected below by the day of release
            2024 - (12 * rnd.exponential(seed, "year", t)).astype(np.int64),
        )
        + np.where(original | (t >= world.titles), (release - day_number_of_2026()) // 365, 0),
        available_from=since,
        available_until=until,
        market_offset=market_offset,
        moods=moods,
        themes=themes,
        pace=pace,
        cast=cast,
        directors=directors,
        cost=np.round(
            np.exp(8.6 + 0.5 * fame + 0.6 * rnd.normal(seed, "cost", t))
            * np.where(original, 2.2, 1.0),
            2,
        ),
        neighbours=_neighbours(seed, genre, second, moods, themes, release),
    )


def day_number_of_2026() -> int:
    """The day number of 2026-01-01."""
    return 20_454


def _fridays(seed: int, t: Longs, day: Longs) -> Longs:
    """Days after the foundation (a Monday), moved to that week's Friday in most cases."""
    friday = day - day % 7 + 4
    return np.where(rnd.happens(0.6, seed, "friday", t), friday, day)


def _maturity(seed: int, genre: Longs, t: Longs) -> Longs:
    steps = np.array([0, 7, 13, 16, 18])
    weights = np.tile(np.array([0.02, 0.13, 0.40, 0.33, 0.12]), (len(GENRES), 1))
    weights[[_G["Family"], _G["Animation"]]] = [0.55, 0.38, 0.07, 0, 0]
    weights[[_G["Horror"], _G["Thriller"], _G["Crime"]]] = [0, 0, 0.2, 0.5, 0.3]
    weights[_G["Sport"]] = [0.1, 0.4, 0.4, 0.1, 0]
    return steps[rnd.pick_by_row(weights[genre], rnd.uniform(seed, "maturity", t))]


def _availability(
    settings: Settings, places: Geography, release: Longs, original: Bools, t: Longs
) -> tuple[Longs, Longs]:
    seed = settings.seed
    m = np.arange(len(places.countries))
    offered = original[:, None] | rnd.happens(0.8, seed, "licensed in", t[:, None], m)
    # A title that nobody could ever see would be an orphan of the catalogue.
    offered[~offered.any(axis=1), 0] = True
    lag = np.where(
        original[:, None] | rnd.happens(0.7, seed, "same day", t[:, None], m),
        0,
        rnd.integers(60, seed, "market lag", t[:, None], m),
    )
    stay = 200 + (rnd.exponential(seed, "licence", t[:, None], m) * 900).astype(np.int64)
    since = release[:, None] + lag
    until = np.where(original[:, None], NEVER, since + stay)
    return np.where(offered, since, NEVER), np.where(offered, until, NEVER + 1)


def _readings(
    seed: int, what: str, vector: Floats, words: int, chosen: int
) -> tuple[tuple[int, ...], ...]:
    """The words that seem to fit best: hidden features through noise."""
    axes = _unit(rnd.normal(seed, f"{what} axis", np.arange(words)[:, None], np.arange(FEATURES)))
    fit = vector @ axes.T + 0.22 * rnd.normal(
        seed, what, np.arange(len(vector))[:, None], np.arange(words)
    )
    best = np.argsort(-fit, axis=1, kind="stable")[:, :chosen]
    return tuple(tuple(int(word) for word in row) for row in best)


def _contexts(
    genre: Longs, second: Longs, is_series: Bools, runtime: Floats, maturity: Longs
) -> Floats:
    def of(name: str) -> Floats:
        share: Floats = (genre == _G[name]) * 1.0 + (second == _G[name]) * 0.5
        return share

    romcom = np.minimum(of("Romance"), 1) * 0.6 + np.minimum(of("Comedy"), 1) * 0.4
    columns = {
        "horror": of("Horror"),
        "family": np.maximum(of("Family"), of("Animation")) * (maturity <= 7),
        "romcom": np.where(of("Romance") > 0, romcom, 0.2 * romcom),
        "kids": 1.0 * (maturity <= 7),
        "short": 1.0 * (runtime < 35 * 60),
        "film": 1.0 * ~is_series,
        "documentary": of("Documentary"),
        "calm": np.maximum(of("Comedy"), of("Reality")),
    }
    table: Floats = np.stack([np.minimum(columns[name], 1.0) for name in CONTEXTS], axis=1)
    return table


def _neighbours(
    seed: int,
    genre: Longs,
    second: Longs,
    moods: tuple[tuple[int, ...], ...],
    themes: tuple[tuple[int, ...], ...],
    release: Longs,
) -> Longs:
    """Similar by genre, mood and theme; what came much later was no neighbour yet."""
    marks = np.zeros((len(genre), len(GENRES) + len(MOODS) + len(THEMES)), dtype=np.float32)
    rows = np.arange(len(genre))
    marks[rows, genre] = 1.2
    marks[rows, second] += 0.6
    for row, (mood, theme) in enumerate(zip(moods, themes, strict=True)):
        marks[row, [len(GENRES) + m for m in mood]] = 0.7
        marks[row, [len(GENRES) + len(MOODS) + m for m in theme]] = 0.7
    nearest = np.empty((len(genre), 24), dtype=np.int64)
    jitter = 0.1 * rnd.uniform(seed, "neighbour", rows)
    for start in range(0, len(genre), 512):
        part = marks[start : start + 512] @ marks.T + jitter
        part[np.arange(len(part)), rows[start : start + 512]] = -1
        part -= (release > release[start : start + 512, None] + 90) * 2.0
        nearest[start : start + 512] = np.argpartition(-part, 24, axis=1)[:, :24]
    return np.sort(nearest, axis=1)


def _unit(rows: Floats) -> Floats:
    lengths: Floats = np.linalg.norm(rows, axis=-1, keepdims=True)
    return rows / lengths
