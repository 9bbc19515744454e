"""When viewers sit down: every day has three parts, and in each a viewer may sit down once.

Hours follow the curve known from streaming services and television: low before dawn, a rise from late afternoon, the
peak between 20 and 22 o'clock local time (Nielsen's local people meters, by MediaPost, April 2020); children peak after
school, teenagers late. The curves themselves are this project's. A day begins at 5 in the morning, local time.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cinelake.simulate import randomness as rnd
from cinelake.simulate.calendar import is_holiday, to_utc, weekday, winter
from cinelake.simulate.randomness import Bools, Floats, Longs
from cinelake.simulate.settings import Settings
from cinelake.simulate.trace import DAY, HOUR, SECOND, Offender
from cinelake.simulate.viewers.people import Batch, People
from cinelake.simulate.world.households import ADULT, CHILD, TEEN
from cinelake.simulate.world.markets import geography

PARTS = 3
DAY_BEGINS = 5  # hours after midnight
# Parts of the day (hours from midnight, the last reaching into the next morning).
EDGES = ((5.0, 17.0), (17.0, 21.0), (21.0, 28.0))
# Odds of the hours 5 … 27, by age: relative viewing at that hour of a working day, then of a day off.
_CURVES = {
    (ADULT, False): "1 2 3 3 2 2 3 4 4 3 3 4 8 12 18 22 18 11 6 3 2 1 1",
    (ADULT, True): "1 1 2 4 6 6 6 6 7 8 8 8 10 13 17 20 18 13 8 5 3 2 1",
    (TEEN, False): "1 2 2 1 1 1 1 2 3 6 10 10 10 12 14 17 17 13 8 4 2 1 1",
    (TEEN, True): "0 1 1 2 4 6 8 8 9 9 9 9 10 12 14 17 17 14 10 6 4 2 1",
    (CHILD, False): "2 6 6 3 2 2 2 3 4 7 14 18 18 14 8 3 1 0 0 0 0 0 0",
    (CHILD, True): "2 8 14 14 12 9 6 5 6 8 9 10 12 11 7 4 1 0 0 0 0 0 0",
}


@dataclass(frozen=True)
class Sittings:
    """Sittings of viewers × days × PARTS; days are local, as of wall clocks."""

    happens: Bools
    starts_at: Longs  # µs UTC
    local: Longs  # µs on the wall
    budget: Floats  # s that the viewer has


def _curves() -> Floats:
    curve = np.array([[float(x) for x in text.split()] for text in _CURVES.values()])
    shares: Floats = curve / curve.sum(axis=1, keepdims=True)
    return shares


def sittings(
    settings: Settings, batch: Batch, crowd: People, zone: Longs, first_day: Longs, days: int
) -> Sittings:
    """The sittings of viewers on `days` days from `first_day` (one per viewer) on."""
    seed = settings.seed
    homes = batch.homes
    day = first_day[:, None] + np.arange(days)
    market = homes.market[crowd.home][:, None]
    southern = geography(settings.world.markets).southern[market] == 1
    holiday = is_holiday(settings.world.markets, np.broadcast_to(market, day.shape), day)
    off = (weekday(day) >= 5) | holiday
    # Offenders with nothing else to do and screens in bars know no weekday curve.
    age = crowd.age[:, None]
    curve = _curves()[np.broadcast_to(age, day.shape) * 2 + off]  # viewers × days × hours
    hours = np.arange(curve.shape[-1]) + DAY_BEGINS
    daily = (
        crowd.sittings[:, None]
        * np.where(off, 1.22, 0.93)
        * (1 + 0.10 * winter(day, southern))
        * np.where(weekday(day) == 4, 0.95, 1.0)
    )
    key = (crowd.viewer[:, None], day)
    happens = np.zeros((*day.shape, PARTS), dtype=bool)
    local = np.zeros((*day.shape, PARTS), dtype=np.int64)
    for part, (begin, end) in enumerate(EDGES):
        inside = (hours + 1 > begin) & (hours < end)
        weight = curve * inside
        share = weight.sum(axis=-1)
        happens[..., part] = rnd.happens(
            np.minimum(daily * share, 0.97), seed, "sits down", *key, part
        )
        drawn = rnd.uniform(seed, "sits down at", *key, part)
        edges = np.cumsum(weight, axis=-1) / np.maximum(share, 1e-9)[..., None]
        place = np.minimum((edges < drawn[..., None]).sum(axis=-1), len(hours) - 1)
        fraction = rnd.uniform(seed, "minute", *key, part)
        hour = np.clip(hours[place] + fraction, begin, end - 0.01)
        local[..., part] = day * DAY + (hour * HOUR).astype(np.int64)
    moments = to_utc(
        geography(settings.world.markets).zones,
        np.broadcast_to(zone[:, None, None], local.shape),
        local,
    )
    active = (moments >= crowd.from_us[:, None, None]) & (moments < crowd.until_us[:, None, None])
    parts = np.arange(PARTS)
    spread = np.exp(0.6 * rnd.normal(seed, "budget", key[0][..., None], day[..., None], parts))
    median = np.where(crowd.age == CHILD, 42.0, 66.0)[:, None, None]
    budget = median * 60 * spread * np.where(off, 1.2, 1.0)[..., None]
    bar = (crowd.offender == Offender.SCREENS)[:, None, None]
    budget = np.where(bar, budget * 2.5, budget)
    asleep = batch.traits.night_tv[crowd.home][:, None] & (crowd.slot == 0)[:, None]
    nods_off = asleep & rnd.happens(0.5, seed, "nods off", *key)
    budget[..., PARTS - 1] *= np.where(nods_off, 5.0, 1.0)
    return Sittings(happens & active, moments // SECOND * SECOND, local, budget)
