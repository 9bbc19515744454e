"""What hour, weekday, season and device do to choices, and what is talked about this week.

Weights are on the scale of utilities, so e^weight multiplies a title's odds. Effects to be found again: horror in
October and most before Halloween, family films at holidays, romantic comedy on Friday evening, children's titles
in the afternoon, films at weekends and on televisions, short episodes on telephones, documentaries on Sunday evening.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from cinelake.simulate import randomness as rnd
from cinelake.simulate.calendar import is_holiday, month_and_day, weekday
from cinelake.simulate.randomness import Floats, Longs
from cinelake.simulate.settings import Settings
from cinelake.simulate.trace import DAY, HOUR
from cinelake.simulate.world.catalogue import CONTEXTS, Catalogue, catalogue
from cinelake.simulate.world.devices import PHONE, TV


def context_weights(settings: Settings, market: Longs, local_us: Longs, kind: Longs) -> Floats:
    """rows × CONTEXTS, for wall times and kinds of device."""
    # The evening lasts until five in the morning.
    day = (local_us - 5 * HOUR) // DAY
    hour = local_us % DAY / HOUR
    of_week = weekday(day)
    month, in_month = month_and_day(day)
    holiday = is_holiday(settings.world.markets, market, day)
    october = (month == 10) * (0.5 + 1.5 * np.minimum(in_month, 31) / 31)
    evening = (hour >= 18) | (hour < 5)
    weekend = of_week >= 5
    afternoon = (hour >= 13) & (hour < 18)
    weight = {
        "horror": october + 0.25 * (hour >= 22) - 0.8 * ((hour > 5) & (hour < 16)),
        "family": 1.2 * holiday + 0.3 * weekend - 0.5 * (hour >= 21),
        "romcom": 1.3 * ((of_week == 4) & evening)
        + 0.5 * ((month == 2) & (in_month >= 10) & (in_month <= 15)),
        "kids": 0.7 * afternoon - 0.7 * (hour >= 20),
        "short": 0.9 * (kind == PHONE) + 0.3 * ((hour > 5) & (hour < 17)) - 0.1 * (kind == TV),
        "film": 0.7 * (weekend & evening)
        + 0.5 * (of_week == 4)
        + 0.2 * (kind == TV)
        - 0.9 * (kind == PHONE),
        "documentary": 0.6 * ((of_week == 6) & evening),
        "calm": 0.5 * ((hour >= 22) | (hour < 3)) * (of_week < 4),
    }
    stacked = np.stack([np.asarray(weight[name], dtype=np.float64) for name in CONTEXTS], axis=1)
    return settings.viewers.context * stacked


@lru_cache(maxsize=128)
def talk_of(settings: Settings, day: int) -> Floats:
    """How much each title is talked about on a UTC day: bursts that come up at once and halve in five days.

    A burst has a keyed day and size; those of the last thirty days count. One in 120 title-months has one.
    """
    titles: Catalogue = catalogue(settings)
    t = np.arange(len(titles))
    total = np.zeros(len(titles))
    for month in (day // 30, day // 30 - 1):
        bursts = rnd.happens(0.02, settings.seed, "talk", t, month)
        begins = month * 30 + rnd.integers(30, settings.seed, "talk day", t, month)
        size = 0.8 + rnd.exponential(settings.seed, "talk size", t, month)
        since = day - begins
        total += np.where(bursts & (since >= 0), size * 0.5 ** (np.maximum(since, 0) / 5), 0.0)
    return total
