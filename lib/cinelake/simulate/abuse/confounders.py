"""Honest ways of living that look like misuse: they are several times as frequent as misuse itself.

Each is a trait of an account or one of its viewers that `viewers.whereabouts` acts out: VPN and private relay, an
employer's network, a student away in term, a second home, a couple that lives apart on weekdays, visits to relatives,
much travel, televisions that run all night, a shop that lets customers try its display. One home behind one address,
carrier NAT and drifting geo lookups follow from `world.households` and `world.networks`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cinelake.simulate import randomness as rnd
from cinelake.simulate.calendar import month_and_day
from cinelake.simulate.randomness import Bools, Floats, Longs
from cinelake.simulate.settings import Settings
from cinelake.simulate.trace import DAY
from cinelake.simulate.world.households import COUPLE, FAMILY, FLAT_SHARE, TEEN, Households
from cinelake.simulate.world.networks import TRIP_SLOT


@dataclass(frozen=True)
class Confounders:
    """Traits over a batch of accounts; slots are −1 where nobody."""

    vpn: Bools
    relay: Bools
    office: Bools  # adults watch at work, behind the employer's exits
    student: Longs  # slot of the viewer who studies elsewhere
    second_home: Bools
    apart: Bools  # the second adult lives elsewhere on weekdays
    relatives: Bools
    wanders: Floats  # odds of a trip in four weeks, for the household
    business: Floats  # the same for the first adult alone
    night_tv: Bools  # falls asleep before the television


def confounders(settings: Settings, homes: Households) -> Confounders:
    """The traits of these accounts."""
    seed, factor, account = settings.seed, settings.abuse.confounders, homes.account

    def has(trait: str, odds: float) -> Bools:
        return rnd.happens(min(odds * factor, 1.0), seed, trait, account)

    teen = homes.exists & (homes.age == TEEN)
    slot = np.where(teen.any(axis=1), np.argmax(teen, axis=1), np.where(homes.exists[:, 1], 1, -1))
    studies = np.where(
        teen.any(axis=1),
        has("student", 0.22),
        (homes.type == FLAT_SHARE) & has("flat mate studies", 0.2),
    )
    coupled = np.isin(homes.type, [COUPLE, FAMILY])
    return Confounders(
        vpn=has("VPN", 0.06),
        relay=has("private relay", 0.08),
        office=has("watches at work", 0.07),
        student=np.where(studies, slot, -1),
        second_home=has("second home", 0.045),
        apart=coupled & has("lives apart", 0.05),
        relatives=has("visits relatives", 0.08),
        wanders=np.where(has("travels much", 0.12), 0.55, 0.12) * min(factor, 1.5),
        business=np.where(has("business traveller", 0.05), 0.8, 0.03) * min(factor, 1.2),
        night_tv=has("television runs all night", 0.04),
    )


@dataclass(frozen=True)
class Trips:
    """Trips of four-week slots: days from the epoch, half-open; same shape as the keys."""

    happens: Bools
    first_day: Longs
    last_day: Longs


def trips(settings: Settings, account: Longs, slot: Longs, odds: Floats, who: str) -> Trips:
    """Whether and when somebody (`who`: the household or its traveller) is away in these slots."""
    seed = settings.seed
    month, _ = month_and_day(slot * TRIP_SLOT + TRIP_SLOT // 2)
    # Holidays: July, August and December see twice as many trips as other months (a guess).
    season = np.where(np.isin(month, [7, 8, 12]), 1.7, 0.85) if who == "household" else 1.0
    keys = (account, slot)
    length = 2 + (rnd.exponential(seed, f"{who} trip length", *keys) * 4).astype(np.int64)
    length = np.minimum(length, 16)
    begin = rnd.integers(TRIP_SLOT - length, seed, f"{who} trip day", *keys)
    first = slot * TRIP_SLOT + begin
    return Trips(rnd.happens(odds * season, seed, f"{who} trip", *keys), first, first + length)


def term_time(day: Longs) -> Bools:
    """Whether students are away: autumn and spring terms."""
    month, in_month = month_and_day(day)
    in_term: Bools = (
        np.isin(month, [2, 3, 5, 10, 11])
        | ((month == 1) & (in_month > 6))
        | ((month == 4) & (in_month > 14))
        | ((month == 6) & (in_month < 20))
        | ((month == 9) & (in_month > 12))
        | ((month == 12) & (in_month < 18))
    )
    return in_term


def on_trip(settings: Settings, account: Longs, day: Longs, odds: Floats, who: str) -> Bools:
    """Whether somebody is away on these days."""
    found = trips(settings, account, day // TRIP_SLOT, odds, who)
    away: Bools = found.happens & (day >= found.first_day) & (day < found.last_day)
    return away


def moment_of(day: Longs) -> Longs:
    """The UTC start of a day number (µs)."""
    return day * DAY
