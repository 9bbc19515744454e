"""What viewers like: a mixture of archetypes, a part of their own, and slow drift.

Titles and tastes live in one space of hidden features (`world.catalogue`); liking is their inner product. Archetypes
share taste between people, which is what collaborative filtering lives on; the personal part bounds what it can
learn. Drift is a sum of two sinusoids of the year's order with a viewer's own phases: smooth, bounded, and known at any
time without the past.
"""

from __future__ import annotations

import numpy as np

from cinelake.simulate import randomness as rnd
from cinelake.simulate.randomness import Floats, Longs
from cinelake.simulate.settings import Settings
from cinelake.simulate.trace import DAY
from cinelake.simulate.world.catalogue import (
    FEATURES,
    NICHES,
    Catalogue,
    genre_centres,
    niche_centres,
)
from cinelake.simulate.world.households import CHILD
from cinelake.simulate.world.wording import GENRES

ARCHETYPES = 8
CHILD_ARCHETYPES = 3
# Tuned so that popularity, collaborative filtering and the oracle stand apart (see the tests of hardness).
LIKING = 9.0  # utility of a perfect match
PERSONAL = 0.20  # length of the personal part; the archetypes' has length 1
SHARPNESS = 3.5  # spread of the logarithms of archetypes' weights


def archetype_vectors(seed: int) -> Floats:
    """ARCHETYPES + CHILD_ARCHETYPES × FEATURES, unit vectors."""
    genres, niches = genre_centres(seed), niche_centres(seed)
    a = np.arange(ARCHETYPES)
    # Each archetype has its favourite genres, one apart from the others', and two niches.
    first = (a * 5 + 3) % len(GENRES)
    second = rnd.integers(len(GENRES), seed, "archetype genre", a)
    niche = rnd.integers(NICHES, seed, "archetype niche", a[:, None], np.arange(3))
    grown = genres[first] + 0.6 * genres[second] + 0.75 * niches[niche].sum(axis=1)
    c = np.arange(CHILD_ARCHETYPES)
    family = np.array([GENRES.index("Family"), GENRES.index("Animation"), GENRES.index("Fantasy")])
    niche = rnd.integers(NICHES, seed, "child archetype niche", c[:, None], np.arange(3))
    small = 0.6 * genres[family[c]] + 0.8 * niches[niche].sum(axis=1)
    return _unit(np.concatenate([_unit(grown), _unit(small)]))


def mixtures(settings: Settings, viewer: Longs, age: Longs) -> Floats:
    """Weights of the archetypes, viewers × archetypes; most have one or two that matter."""
    drawn = rnd.normal(
        settings.seed, "mixture", viewer[:, None], np.arange(ARCHETYPES + CHILD_ARCHETYPES)
    )
    child = (age == CHILD)[:, None]
    small = np.arange(ARCHETYPES + CHILD_ARCHETYPES) >= ARCHETYPES
    weight = np.exp(SHARPNESS * drawn) * np.where(child == small, 1.0, np.where(child, 0.01, 0.0))
    share: Floats = weight / weight.sum(axis=1, keepdims=True)
    return share


def taste_vectors(settings: Settings, viewer: Longs, age: Longs, at_us: Longs) -> Floats:
    """Unit vectors, one a row, as of these moments."""
    seed, spread = settings.seed, settings.viewers.personal
    f = np.arange(FEATURES)
    base = _unit(exact(mixtures(settings, viewer, age)) @ exact(archetype_vectors(seed)))
    own = rnd.normal(seed, "personal taste", viewer[:, None], f) / np.sqrt(FEATURES)
    vector = base + PERSONAL * spread * own
    for wave in (1, 2):
        period = 260 * wave + 200 * rnd.uniform(seed, "drift period", viewer, wave)
        phase = rnd.uniform(seed, "drift phase", viewer, wave)
        turn = np.sin(2 * np.pi * (at_us / DAY / period + phase)) * settings.viewers.drift
        way = rnd.normal(seed, "drift way", viewer[:, None], f, wave) / np.sqrt(FEATURES)
        vector = vector + 0.18 * turn[:, None] * way
    return _unit(vector)


def liking(settings: Settings, tastes: Floats, titles: Catalogue, index: Longs) -> Floats:
    """How much each taste likes each of the titles, without fame: rows × titles."""
    match = exact(tastes) @ exact(titles.vector[index]).T
    liked: Floats = LIKING * settings.viewers.taste * match + 0.25 * titles.quality[index]
    return liked


def renown(
    settings: Settings, titles: Catalogue, index: Longs, market: Longs, day: Longs
) -> Floats:
    """What is known and talked of, whoever asks: rows × titles, as of a local day.

    Fame fades with a half-life of some months towards a floor; the first weeks after a release count most.
    """
    age = np.maximum(day[:, None] - titles.release_day[index][None, :], 0)
    fresh = 1.5 * np.exp(-age / 14.0) + 0.9 * np.exp(-age / 120.0)
    known = 1.1 * titles.fame[index] + 1.4 * titles.market_offset[index][:, market].T + fresh
    renowned: Floats = settings.viewers.fame * known
    return renowned


def exact(rows: Floats) -> Floats:
    """Rounded to 20 binary digits, so that inner products are exact.

    A product of matrices adds up in an order that depends on their sizes; with exact sums
    rows are the same in any batch.
    """
    rounded: Floats = np.round(rows * 2.0**20) * 2.0**-20
    return rounded


def _unit(rows: Floats) -> Floats:
    lengths: Floats = np.linalg.norm(rows, axis=-1, keepdims=True)
    return rows / lengths
