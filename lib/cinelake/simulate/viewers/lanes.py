"""Lanes: a viewer in one of its blocks of six weeks, the unit in which choices are simulated.

What a viewer watches depends on what it watched before, and yet every window must be computable alone. So a viewer's
time is cut into blocks of `BLOCK` days, with a phase of its own so that no day is special; inside a block choices
follow one another, and a block begins without unfinished titles. A title is open to a viewer in one block of `CYCLE`,
so that it does not come twice within months. A window costs the simulation of its blocks up to its end: three weeks
more than itself on average.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cinelake.simulate import randomness as rnd
from cinelake.simulate.abuse.misuse import clocks
from cinelake.simulate.calendar import to_local
from cinelake.simulate.randomness import Bools, Floats, Longs
from cinelake.simulate.settings import Settings
from cinelake.simulate.trace import DAY, HOUR, PROFILES, VIEWERS
from cinelake.simulate.viewers.people import Batch, People
from cinelake.simulate.viewers.sittings import DAY_BEGINS, PARTS, sittings
from cinelake.simulate.viewers.tastes import exact, liking, renown, taste_vectors
from cinelake.simulate.viewers.whereabouts import whereabouts
from cinelake.simulate.world.catalogue import NEVER, Catalogue, catalogue, genre_centres
from cinelake.simulate.world.households import ADULT, MEMBERS
from cinelake.simulate.world.markets import geography

BLOCK = 42  # days
CYCLE = 2
IN_MIND = 32  # titles that a viewer may think of unprompted
PICKS = 40
SITTING_BITS = 17  # of the day and its part in a sitting's number


@dataclass(frozen=True)
class Lanes:
    """Arrays over lanes; `crowd` has a row a lane. Matrices by title have a column for each of `numbers`."""

    crowd: People
    market: Longs
    numbers: Longs  # title number of each column
    column: Longs  # column of each title number; −1, and −1 at the end
    like: Floats  # lanes × columns: taste alone
    urge: Floats  # lanes × columns: taste, renown and the block's luck; −99 where closed
    score: Floats  # lanes × columns: what the service's recommender thinks
    best: Longs  # lanes × PICKS: columns the recommender thinks best of
    in_mind: Longs  # lanes × IN_MIND
    genre_taste: Floats  # lanes × genres
    since: Longs  # lanes × columns: first day available in the market
    until: Longs
    blocked: Bools  # lanes × columns: above the profile's maturity limit
    # Sittings, lanes × most sittings of a lane, in order of time; `count` are real.
    count: Longs
    starts_at: Longs
    local: Longs
    budget: Floats
    device: Longs
    fallback: Longs
    network: Longs
    sitting: Longs


def lanes(
    settings: Settings, batch: Batch, crowd: People, start_us: int, end_us: int
) -> Lanes | None:
    """The lanes that a window needs; None if nobody is there."""
    seed = settings.seed
    places = geography(settings.world.markets)
    zone = clocks(settings, crowd.viewer, crowd.offender, batch.homes.zone[crowd.home])
    phase = rnd.integers(BLOCK, seed, "block phase", crowd.viewer)

    def block_of(at_us: int) -> Longs:
        local = to_local(places.zones, zone, np.full(len(zone), at_us))
        return ((local - DAY_BEGINS * HOUR) // DAY + phase) // BLOCK

    first, last = block_of(start_us), block_of(end_us - 1)
    # A window longer than a block has more than two.
    rows, blocks = [], []
    for step in range(int((last - first).max(initial=-1)) + 1):
        here = np.flatnonzero(first + step <= last)
        rows.append(here)
        blocks.append(first[here] + step)
    if not rows:
        return None
    row, block = np.concatenate(rows), np.concatenate(blocks)
    order = np.lexsort((block, crowd.viewer[row]))
    row, block = row[order], block[order]
    crowd, zone = crowd.take(row), zone[row]
    first_day = block * BLOCK - phase[row]

    found = sittings(settings, batch, crowd, zone, first_day, BLOCK)
    happens = (found.happens & (found.starts_at < end_us)).reshape(len(row), -1)
    keep = happens.any(axis=1)
    # Nothing is lost with lanes that end before the window: their blocks overlap it, their sittings may not.
    if not keep.any():
        return None
    lane, place = np.nonzero(happens)
    starts_at = found.starts_at.reshape(len(row), -1)[lane, place]
    local = found.local.reshape(len(row), -1)[lane, place]
    day = first_day[lane] + place // PARTS
    where = whereabouts(settings, batch, crowd.take(lane), starts_at, local)
    number = (crowd.viewer[lane] << SITTING_BITS) | (day * 4 + place % PARTS)
    count = happens.sum(axis=1)
    nth = np.arange(len(lane)) - np.repeat(np.cumsum(count) - count, count)

    def padded(values: NDArray[Any]) -> NDArray[Any]:
        matrix = np.zeros((len(row), int(count.max())), dtype=values.dtype)
        matrix[lane, nth] = values
        return matrix

    return Lanes(
        crowd=crowd,
        count=count,
        starts_at=padded(starts_at),
        local=padded(local),
        budget=padded(found.budget.reshape(len(row), -1)[lane, place]),
        device=padded(where.device),
        fallback=padded(where.fallback),
        network=padded(where.network),
        sitting=padded(number),
        **_minds(settings, batch, crowd, block, first_day),
    )


def _minds(
    settings: Settings, batch: Batch, crowd: People, block: Longs, first_day: Longs
) -> dict[str, Any]:
    """What each lane's viewer and the service's recommender think of each title."""
    seed = settings.seed
    titles: Catalogue = catalogue(settings)
    market = batch.homes.market[crowd.home]
    window = (int(first_day.min()) - 1, int(first_day.max()) + BLOCK + 2)
    numbers = np.flatnonzero(
        (titles.available_from.min(axis=1) < window[1])
        & (
            np.where(titles.available_from < NEVER, titles.available_until, 0).max(axis=1)
            > window[0]
        )
    )
    column = np.full(len(titles) + 1, -1, dtype=np.int64)
    column[numbers] = np.arange(len(numbers))
    middle = first_day + BLOCK // 2
    tastes = taste_vectors(settings, crowd.viewer, crowd.age, middle * DAY)
    like = liking(settings, tastes, titles, numbers)
    known = renown(settings, titles, numbers, market, middle)
    luck = rnd.gumbel(seed, "luck", crowd.viewer[:, None], block[:, None], numbers)
    turn = rnd.integers(CYCLE, seed, "open to", crowd.viewer[:, None], numbers)
    closed = (turn + block[:, None]) % CYCLE != 0
    since, until = (
        titles.available_from[numbers].T[market],
        titles.available_until[numbers].T[market],
    )
    # What is not there in a lane's own block must not depend on who else is in the batch.
    blocked = titles.maturity[numbers][None, :] > crowd.maturity[:, None]
    blocked |= (since > (first_day + BLOCK)[:, None]) | (until < first_day[:, None])
    urge = np.where(closed | blocked, -99.0, like + known + luck)
    # The page knows the profile's taste, not who of a family sits before it.
    profile_taste = _owners(settings, batch, crowd, middle * DAY)
    error = 1.2 * rnd.normal(seed, "recommender", crowd.profile[:, None], numbers)
    score = (
        0.75 * liking(settings, profile_taste, titles, numbers)
        + 0.8 * known
        + settings.page.blur * error
    )
    score = np.where(blocked, -99.0, score)
    best = np.argpartition(-score, PICKS, axis=1)[:, :PICKS]
    in_mind = np.argpartition(-urge, IN_MIND, axis=1)[:, :IN_MIND]
    return {
        "market": market,
        "numbers": numbers,
        "column": column,
        "like": like.astype(np.float32),
        "urge": urge.astype(np.float32),
        "score": score.astype(np.float32),
        "best": np.sort(best, axis=1),
        "in_mind": np.sort(in_mind, axis=1),
        "genre_taste": exact(profile_taste) @ exact(genre_centres(seed)).T,
        "since": since,
        "until": until,
        "blocked": blocked,
    }


def _owners(settings: Settings, batch: Batch, crowd: People, at_us: Longs) -> Floats:
    """The tastes of those who made the profiles; whoever else watches there gets their page."""
    slot = crowd.profile % PROFILES
    member = slot < MEMBERS
    age = np.where(member, batch.homes.age[crowd.home, np.minimum(slot, MEMBERS - 1)], ADULT)
    return taste_vectors(settings, crowd.account * VIEWERS + slot, age, at_us)
