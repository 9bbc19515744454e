"""On which network and device a viewer watches a sitting: home and away, honest or not.

Everybody has a base (home, a student's lodging, a second home, an ex-partner's new home, a friend's); trips, visits,
work and errands lead away from it; VPNs and relays hide where one is. The same rules hold for offenders.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cinelake.simulate import randomness as rnd
from cinelake.simulate.abuse.confounders import on_trip, term_time
from cinelake.simulate.abuse.misuse import BUYERS, FRIENDS
from cinelake.simulate.calendar import weekday
from cinelake.simulate.randomness import Bools, Floats, Longs
from cinelake.simulate.settings import Settings
from cinelake.simulate.trace import COMMON, DAY, DEVICES, HOUR, NETWORKS, Offender
from cinelake.simulate.viewers.people import Batch, People
from cinelake.simulate.world import devices as dev
from cinelake.simulate.world import networks as net
from cinelake.simulate.world.households import ADULT, CHILD, MEMBERS
from cinelake.simulate.world.markets import COMMON_SYSTEMS

_VPN = [n for n, (_, kind) in enumerate(COMMON_SYSTEMS) if kind == "vpn"]
_RELAY = [n for n, (_, kind) in enumerate(COMMON_SYSTEMS) if kind == "relay"]
_OFFICE = [n for n, (_, kind) in enumerate(COMMON_SYSTEMS) if kind == "corporate"]


@dataclass(frozen=True)
class Whereabouts:
    """Per sitting: the device meant first, the one to fall back on when it is taken, and the network."""

    device: Longs
    fallback: Longs
    network: Longs


def personal_device(
    settings: Settings, account: Longs, slot: Longs, laptop: Bools, at_us: Longs
) -> Longs:
    """A viewer's telephone of the time, or its laptop or tablet."""
    first = account * DEVICES + dev.PERSONAL + 3 * slot
    later = at_us >= dev.replaced_at(settings, first)
    return first + np.where(laptop, 2, np.where(later, 1, 0))


def shared_device(settings: Settings, account: Longs, slot: int, at_us: Longs) -> Longs:
    """A household's television, console or tablet of the time."""
    first = account * DEVICES + slot
    return first + (at_us >= dev.replaced_at(settings, first))


def whereabouts(
    settings: Settings, batch: Batch, crowd: People, at_us: Longs, local_us: Longs
) -> Whereabouts:
    """Where these viewers (one row a sitting) are."""
    seed, traits = settings.seed, batch.traits
    home, account, slot = crowd.home, crowd.account, crowd.slot
    key = (crowd.viewer, at_us)
    day = (local_us - 5 * HOUR) // DAY
    hour = local_us % DAY / HOUR
    of_week = weekday(day)
    weekend = (of_week >= 5) | ((of_week == 4) & (hour >= 17))
    member = slot < MEMBERS
    offends = (at_us >= crowd.offends_from) & (at_us < crowd.offends_until)
    kind = np.where(offends, crowd.offender, Offender.HONEST)
    own = account * NETWORKS

    def chance(odds: float, what: str) -> Bools:
        return rnd.happens(odds, seed, what, *key)

    # Whole stays are drawn per day or weekend, not per sitting.
    week = (day + 3) // 7
    away_weekend = rnd.happens(0.45, seed, "weekend away", account, week)
    visits = rnd.happens(0.22, seed, "visit", account, week)
    studies = member & (slot == traits.student[home]) & term_time(day)
    student_home = weekend & rnd.happens(0.25, seed, "student comes home", crowd.viewer, week)
    student = studies & ~student_home
    cottage = member & traits.second_home[home] & weekend & away_weekend
    apart = traits.apart[home] & (slot == 1) & (kind == Offender.HONEST) & ~weekend & ~cottage
    ex = kind == Offender.EX_PARTNER
    relatives = member & traits.relatives[home] & weekend & visits & ~cottage
    family_trip = (
        member & ~student & ~ex & on_trip(settings, account, day, traits.wanders[home], "household")
    )
    business = (
        (slot == 0)
        & ~family_trip
        & on_trip(settings, account, day, traits.business[home], "traveller")
    )
    trip = family_trip | business
    friend = kind == Offender.FRIEND
    buyer = kind == Offender.BUYER
    intruder = kind == Offender.INTRUDER
    slow = kind == Offender.SLOW_INTRUDER
    index = slot - FRIENDS
    base = net.home_network(settings, account, at_us)
    network = np.select(
        [trip, student, ex, apart | cottage, relatives, friend, buyer, intruder, slow],
        [
            own + net.HOTEL,
            own + net.LODGING,
            own + net.EX_HOME,
            own + net.SECOND_HOME,
            own + net.RELATIVES,
            own + net.FRIEND_HOME + np.minimum(index, 3),
            own + net.BUYER_HOME + np.minimum(slot - BUYERS, 5),
            own + net.PROXY + day % 3,
            own + net.BUYER_HOME + 5,
        ],
        base,
    )
    grown = (crowd.age == ADULT) & (member | friend)
    at_work = (
        grown
        & traits.office[home]
        & ~weekend
        & (hour > 8.5)
        & (hour < 17.5)
        & chance(0.7, "at work")
    )
    office = _OFFICE[0] + rnd.integers(len(_OFFICE), seed, "employer", crowd.viewer)
    exit_ = rnd.integers(3, seed, "office exit", crowd.viewer, day) + 5 * office
    network = np.where(at_work & ~trip, net.common_network(0, exit_) + office * 1000, network)
    child = crowd.age == CHILD
    # Half of the people never watch on their way.
    roams = rnd.happens(0.45, seed, "watches on the way", crowd.viewer)
    out = roams & np.where(
        (hour > 6) & (hour < 18), chance(0.36, "out by day"), chance(0.09, "out in the evening")
    )
    out = out & ~child & ~at_work & ~intruder & ~slow & (kind != Offender.SCREENS)
    sim = np.select(
        [ex, friend],
        [own + net.EX_MOBILE, own + net.FRIEND_MOBILE + np.minimum(index, 3)],
        own + net.MOBILE + np.minimum(slot, 5),
    )
    mobile = out & (member | friend)
    network = np.where(mobile, sim, network)

    device, fallback = _devices(settings, batch, crowd, at_us, hour, kind, network, base)
    network = _hidden(settings, batch, crowd, at_us, day, device, network, kind)
    return Whereabouts(device, fallback, network)


def _devices(
    settings: Settings,
    batch: Batch,
    crowd: People,
    at_us: Longs,
    hour: Floats,
    kind: Longs,
    network: Longs,
    base: Longs,
) -> tuple[Longs, Longs]:
    seed, account, slot = settings.seed, crowd.account, crowd.slot
    members = batch.homes.exists.sum(axis=1)[crowd.home]
    drawn = rnd.uniform(seed, "device", crowd.viewer, at_us)
    late = (hour >= 22) | (hour < 5)
    by_day = (hour >= 5) & (hour < 17)
    # Habits are firm: many never take the laptop, or nothing else.
    habit = np.clip(0.40 + 0.75 * rnd.normal(seed, "fond of the laptop", crowd.viewer), 0, 1)
    laptop = rnd.happens(habit, seed, "laptop", crowd.viewer, at_us)
    personal = personal_device(settings, account, slot, laptop, at_us)
    phone = personal_device(settings, account, slot, np.zeros(len(slot), dtype=bool), at_us)
    second = personal_device(settings, account, slot, np.ones(len(slot), dtype=bool), at_us)
    # How much a viewer prefers the big screen is its own.
    fond = 0.92 + 0.35 * rnd.normal(seed, "fond of television", crowd.viewer)
    big = drawn < np.clip(fond - 0.08 * late - 0.10 * by_day, 0.05, 1.0)
    at_home = network == base
    device = personal
    choice = rnd.uniform(seed, "which screen", crowd.viewer, at_us)
    for shared, odds in (
        (dev.THE_TABLET, np.where(crowd.age == CHILD, 0.45, 0.10)),
        (dev.THE_CONSOLE, np.where(crowd.age == ADULT, 0.10, 0.35)),
        (dev.SECOND_TV, np.where(slot == 0, 0.12, 0.40)),
        (dev.MAIN_TV, 1.0),
    ):
        owned = dev.owns(settings, account, members, shared)
        # Tablets and consoles are taken first by those who like them.
        takes = at_home & big & owned & (choice < odds)
        device = np.where(
            takes & (device == personal), shared_device(settings, account, shared, at_us), device
        )
    first = account * DEVICES
    role = network % NETWORKS
    elsewhere = (
        big
        & np.isin(kind, [Offender.EX_PARTNER, Offender.FRIEND, Offender.BUYER])
        & (network < COMMON)
    )
    at_theirs = elsewhere & ~net.is_mobile_role(network) & (role >= net.EX_HOME)
    set_ = np.where(kind == Offender.EX_PARTNER, 0, 1 + np.clip(slot - FRIENDS, 0, 5))
    device = np.where(at_theirs, first + dev.TV_ELSEWHERE + set_, device)
    device = np.where(
        (network < COMMON) & (role == net.SECOND_HOME) & big, first + dev.SECOND_HOME_TV, device
    )
    bar = kind == Offender.SCREENS
    device = np.where(bar, np.where(slot == FRIENDS, first + dev.MAIN_TV, phone), device)
    device = np.where(bar & (slot > FRIENDS), first + dev.TV_ELSEWHERE + slot - FRIENDS, device)
    device = np.where((network < COMMON) & net.is_mobile_role(network), phone, device)
    device = np.where(network >= COMMON, second, device)
    return device, np.where(device == second, phone, second)


def _hidden(
    settings: Settings,
    batch: Batch,
    crowd: People,
    at_us: Longs,
    day: Longs,
    device: Longs,
    network: Longs,
    kind: Longs,
) -> Longs:
    """VPN and private relay lay themselves over any network but televisions' own."""
    seed, traits = settings.seed, batch.traits
    tube = np.isin(dev.kinds(settings, device), [dev.TV, dev.CONSOLE])
    uses_vpn = (
        traits.vpn[crowd.home]
        & (crowd.slot <= 1)
        & rnd.happens(0.55, seed, "VPN on", crowd.viewer, day)
    )
    # Some intruders come through VPNs, as some honest viewers do; most through people's homes.
    uses_vpn |= np.isin(kind, [Offender.INTRUDER, Offender.SLOW_INTRUDER]) & rnd.happens(
        0.3, seed, "intruder's VPN", crowd.viewer, day
    )
    exits = rnd.integers(14, seed, "VPN exit", crowd.viewer, day)
    system = _VPN[0] + rnd.integers(len(_VPN), seed, "VPN service", crowd.viewer)
    network = np.where(uses_vpn & ~tube, net.common_network(0, exits) + system * 1000, network)
    # Relays keep the country nearly always: their exits are near.
    relay = traits.relay[crowd.home] & rnd.happens(0.5, seed, "relay", crowd.viewer)
    region = batch.homes.region[crowd.home]
    exits = rnd.integers(3, seed, "relay exit", crowd.viewer, at_us) + 3 * region
    system = _RELAY[0] + rnd.integers(len(_RELAY), seed, "relay service", crowd.viewer)
    covered = relay & ~tube & ~uses_vpn & (kind == Offender.HONEST)
    return np.where(covered, net.common_network(0, exits) + system * 1000, network)
