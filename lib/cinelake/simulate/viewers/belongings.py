"""Profiles and devices as records: when each comes, changes and goes.

A household's profiles and devices come with its sign-up; devices are replaced and profiles changed now and then, some
when a new telephone is set up; people who should not be there bring their own devices and sometimes make a profile, or
change one. Every device and profile of any other record has one here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from cinelake.simulate import randomness as rnd
from cinelake.simulate.abuse import misuse as abuse
from cinelake.simulate.randomness import Bools, Longs
from cinelake.simulate.settings import Settings
from cinelake.simulate.trace import (
    DAY,
    DEVICE_KINDS,
    DEVICES,
    EPISODES,
    MINUTE,
    PROFILES,
    VIEWERS,
    Offender,
    Records,
    ids,
)
from cinelake.simulate.viewers.encoding import id_column, times, whole, words
from cinelake.simulate.viewers.page import on_offer
from cinelake.simulate.viewers.people import Batch, maturity_limits
from cinelake.simulate.viewers.tastes import liking, taste_vectors
from cinelake.simulate.world import devices as dev
from cinelake.simulate.world import wording
from cinelake.simulate.world.catalogue import catalogue
from cinelake.simulate.world.households import ADULT, MEMBERS
from cinelake.simulate.world.markets import geography

GUESTS = ("Guest", "New", "TV", "User", "Me", "2")
MADE, DELETED, EDITED = range(3)
SEASON = 91 * DAY
# Of a household's changes of profiles those that make one more, and of telephones those that bring a change along, at
# one change a year.
ONE_MORE, WITH_NEW_PHONE = 0.2, 0.3


@dataclass(frozen=True)
class Owned:
    """Devices of a batch: whose, and when first seen (µs UTC)."""

    home: Longs
    device: Longs
    first_seen_at: Longs
    order: Longs  # of its record


def devices_of(settings: Settings, batch: Batch, start_us: int, end_us: int) -> Owned:
    """All devices that may be used before `end_us` (those of takeovers: that may be used in the window)."""
    homes, plan, traits = batch.homes, batch.misuse, batch.traits
    account, count, people = homes.account, len(homes), homes.exists.sum(axis=1)
    home: list[Longs] = []
    device: list[Longs] = []
    since: list[Longs] = []
    visit: list[Longs] = []

    def add(rows: Bools, slot: int, begins: Longs, pair: bool, again: int = 0) -> None:
        index = np.flatnonzero(rows)
        number = account[index] * DEVICES + slot
        begin = begins[index]
        if pair:
            changes = dev.replaced_at(settings, number)
            used = changes > begin
            home.extend((index[used], index))
            device.extend((number[used], number + 1))
            since.extend((begin[used], np.maximum(changes, begin)))
            visit.extend((np.full(used.sum(), again), np.full(len(index), again)))
        else:
            home.append(index)
            device.append(number)
            since.append(begin)
            visit.append(np.full(len(index), again))

    signed, bar = homes.signed_up_at, plan.screens
    for slot in (dev.MAIN_TV, dev.SECOND_TV, dev.THE_CONSOLE, dev.THE_TABLET):
        owned = dev.owns(settings, account, people, slot)
        add(owned | (bar & (slot == dev.MAIN_TV)), slot, signed, pair=True)
    add(traits.second_home | traits.apart, dev.SECOND_HOME_TV, signed, pair=False)
    add(plan.sharing == Offender.EX_PARTNER, dev.TV_ELSEWHERE, plan.sharing_from, pair=False)
    guests = np.isin(plan.sharing, [Offender.FRIEND, Offender.BUYER])

    def add_personal(rows: Bools, slot: int, begins: Longs, again: int = 0) -> None:
        first = dev.PERSONAL + 3 * slot
        add(rows, first, begins, True, again)
        add(rows, first + 2, begins, False, again)

    for slot in range(MEMBERS):
        add_personal(homes.exists[:, slot], slot, signed)
    for n in range(6):
        for rows, begins in (
            (guests & (n < plan.sharers), plan.sharing_from),
            (bar & (n < plan.screens_count) & ~(guests & (n < plan.sharers)), plan.screens_from),
        ):
            add_personal(rows, 6 + n, begins)
            # In a bar the first screen is the house's main television.
            if n > 0:
                add(rows & bar & ~guests, dev.TV_ELSEWHERE + n, begins, pair=False)
            add(rows & guests, dev.TV_ELSEWHERE + 1 + n, begins, pair=False)
    add_personal(plan.piracy, abuse.PIRATE, plan.piracy_from)
    for slow in (False, True):
        slot = abuse.SLOW_INTRUDER if slow else abuse.INTRUDER
        for stretch in abuse.stretches(start_us, end_us):
            taken = abuse.takeovers(settings, account, np.full(count, stretch), slow)
            # An intruder's devices are reported anew in every takeover, whatever came before.
            new = taken.happens & (taken.from_us > signed)
            add_personal(new, slot, taken.from_us, int(stretch) + 1)
    whose, number, at, nth = (np.concatenate(part) for part in (home, device, since, visit))
    # Of several reasons to have a device the earliest counts.
    order = np.lexsort((at, nth, number))
    whose, number, at, nth = whose[order], number[order], at[order], nth[order]
    fresh = np.ones(len(number), dtype=bool)
    fresh[1:] = (number[1:] != number[:-1]) | (nth[1:] != nth[:-1])
    keep = fresh & (at < end_us) & (at < batch.cancelled_at[whose])
    return Owned(whose[keep], number[keep], at[keep], (nth * DEVICES + number % DEVICES)[keep])


def device_records(settings: Settings, owned: Owned) -> Records:
    """One record a device, when it is first seen."""
    seed, at = settings.seed, owned.first_seen_at
    what = dev.describe(settings, owned.device, at)
    models = dev.MODELS
    kinds, place = np.unique(
        np.stack([what.kind.astype(np.int64), what.app_version]), axis=1, return_inverse=True
    )
    names = [dev.app_version_name(int(kind), int(version)) for kind, version in kinds.T]
    return Records(
        "devices",
        owned.device // DEVICES,
        at,
        owned.order,
        {
            "device_id": id_column(seed, "device", owned.device),
            "account_id": id_column(seed, "account", owned.device // DEVICES),
            "kind": words(what.kind, DEVICE_KINDS),
            "model": words(what.model, [model.name for model in models]),
            "os": words(what.model, [model.os for model in models]),
            "app_version": words(place.ravel(), names),
            "first_seen_at": times(at),
        },
    )


def profile_records(settings: Settings, batch: Batch, start_us: int, end_us: int) -> Records:
    """Every profile when it is made, edited and deleted: what happens before `end_us`."""
    homes, plan, seed = batch.homes, batch.misuse, settings.seed
    account, count = homes.account, len(homes)
    row: list[Longs] = []
    slot: list[Longs] = []
    at: list[Longs] = []
    change: list[Longs] = []

    def add(rows: Bools, slots: Longs | int, when: Longs, what: int = MADE) -> None:
        index = np.flatnonzero(rows)
        row.append(index)
        slot.append(np.broadcast_to(np.asarray(slots), (count,))[index])
        at.append(when[index])
        change.append(np.full(len(index), what))

    for member in range(MEMBERS):
        owns = homes.exists[:, member] & (homes.profile_slot[:, member] == member)
        wait = rnd.exponential(seed, "profile made", account, member) * 2 * MINUTE * (member > 0)
        add(owns, member, homes.signed_up_at + wait.astype(np.int64))
    for tidied in _tidied(settings, batch, end_us):
        add(*tidied)
    guests = np.isin(plan.sharing, [Offender.FRIEND, Offender.BUYER]) & (plan.sharers_profile != 0)
    each = guests & (plan.sharers_profile < 0)
    add(guests & (~each | (plan.sharers > 2)), 7, plan.sharing_from)
    add(each, 6, plan.sharing_from)
    add(each & (plan.sharers > 1) & (plan.sharers <= 2), 7, plan.sharing_from)
    add(plan.screens & ~guests, 7, plan.screens_from)
    add(plan.piracy & ~guests & ~plan.screens, 7, plan.piracy_from)
    for slow in (False, True):
        for stretch in abuse.stretches(start_us, end_us):
            taken = abuse.takeovers(settings, account, np.full(count, stretch), slow)
            comes = taken.happens & (taken.from_us > homes.signed_up_at)
            made = comes & taken.makes_profile
            add(made, 7, taken.from_us)
            add(made & ~guests & ~plan.screens & ~plan.piracy, 7, taken.undone_at, DELETED)
            # The owner's profile, which the owner sets back.
            add(comes & taken.edits_profile, 0, taken.meddles_at, EDITED)
            add(comes & taken.edits_profile, 0, taken.undone_at, EDITED)
    r, s, when, what = (np.concatenate(part) for part in (row, slot, at, change))
    keep = (when < end_us) & (when < batch.cancelled_at[r])
    r, s, when, what = r[keep], s[keep], when[keep], what[keep]
    order = np.lexsort((when, s, account[r]))
    r, s, when, what = r[order], s[order], when[order], what[order]
    return Records(
        "profiles",
        account[r],
        when,
        # Made again after a deletion it is another record: the minute tells them apart.
        (when // MINUTE) * 32 + s * 2 + (what == DELETED) + 16 * (what == EDITED),
        _profile_payload(settings, batch, r, s, when, what),
    )


def _tidied(
    settings: Settings, batch: Batch, end_us: int
) -> Iterator[tuple[Bools, Longs, Longs, int]]:
    """What households change of their profiles: which, the profile's slot, when, and what is done."""
    homes, seed, rate = batch.homes, settings.seed, settings.viewers.profile_changes_a_year
    account, signed, people = homes.account, homes.signed_up_at, homes.exists.sum(axis=1)
    own = np.arange(len(homes))
    begins = signed + DAY
    more = rnd.happens(min(rate * ONE_MORE * 2.5, 1.0), seed, "one more profile", account)
    waits = rnd.uniform(seed, "one more profile at", account) * 900 * DAY
    yield more & (people < MEMBERS), people, begins + waits.astype(np.int64), MADE
    odds = min(rate * (1 - ONE_MORE) / 4, 1.0)
    for season in range(int((end_us - begins.min(initial=end_us)) // SEASON) + 1):
        whose = rnd.integers(people, seed, "whose profile", account, season)
        waits = (season + rnd.uniform(seed, "profile edited at", account, season)) * SEASON
        edits = rnd.happens(odds, seed, "edits a profile", account, season)
        yield edits, homes.profile_slot[own, whose], begins + waits.astype(np.int64), EDITED
    odds = min(rate * WITH_NEW_PHONE, 1.0)
    for member in range(MEMBERS):
        phone = account * DEVICES + dev.PERSONAL + 3 * member
        comes = dev.replaced_at(settings, phone)
        sets_up = homes.exists[:, member] & (comes > begins)
        sets_up &= rnd.happens(odds, seed, "sets up", phone)
        waits = rnd.uniform(seed, "set up", phone) * DAY
        yield (
            sets_up,
            homes.profile_slot[:, member],
            comes + MINUTE + waits.astype(np.int64),
            EDITED,
        )


def _profile_payload(
    settings: Settings, batch: Batch, r: Longs, s: Longs, when: Longs, what: Longs
) -> dict[str, pa.Array]:
    homes, seed = batch.homes, settings.seed
    places = geography(settings.world.markets)
    account = homes.account[r]
    number = account * PROFILES + s
    limit = maturity_limits(homes)[r, s]
    # Rows are in order of profiles and time, and each profile's first makes it.
    made = np.flatnonzero(what == MADE)
    origin = np.cumsum(what == MADE) - 1
    edits = np.cumsum(what == EDITED)
    # Each edit is another language, and the next the old one again.
    languages = [*dict.fromkeys([*places.languages, "en", "es"])]
    tongue = np.array([languages.index(name) for name in places.languages])[homes.market[r]]
    foreign = np.where(
        tongue == languages.index("en"), languages.index("es"), languages.index("en")
    )
    language = np.where((edits - edits[made][origin]) % 2 == 1, foreign, tongue)
    names = wording.first_names(rnd.integers(10**6, seed, "first name", number))
    odd = rnd.integers(len(GUESTS), seed, "guest's name", number)
    plain = rnd.happens(0.55, seed, "guest has a name", number)
    names = [
        GUESTS[o] if slot >= MEMBERS and not p else name
        for name, slot, o, p in zip(names, s, odd, plain, strict=True)
    ]
    return {
        "profile_id": id_column(seed, "profile", number),
        "account_id": id_column(seed, "account", account),
        "name": pa.array(names, type=pa.string()),
        "kind": words((limit <= 7) * 1, ("adult", "kid")),
        "maturity_limit": whole(limit),
        "language": words(language, languages),
        "onboarding_picks": _picks(settings, batch, r[made], s[made], when[made]).take(
            pa.array(origin)
        ),
        "status": words((what == DELETED) * 1, ("active", "deleted")),
    }


def _picks(settings: Settings, batch: Batch, r: Longs, s: Longs, when: Longs) -> pa.Array:
    """Three to five titles that a new profile says it likes, of those that everybody knows; some skip that."""
    seed, homes = settings.seed, batch.homes
    titles = catalogue(settings)
    account, market = homes.account[r], homes.market[r]
    number = account * PROFILES + s
    member = s < MEMBERS
    age = np.where(member, homes.age[r, np.minimum(s, MEMBERS - 1)], ADULT)
    taste = taste_vectors(settings, account * VIEWERS + s, age, when)
    # What is offered is the service's choice, whenever the profile was made.
    opening = int(titles.release_day[: settings.world.titles].max())
    known = np.argsort(-titles.fame[: settings.world.titles], kind="stable")[:150]
    value = (
        liking(settings, taste, titles, known)
        + titles.fame[known]
        + rnd.gumbel(seed, "onboarding", number[:, None], known)
    )
    limit = maturity_limits(homes)[r, s]
    value = np.where(titles.maturity[known] <= limit[:, None], value, -99.0)
    offered, size = on_offer(settings, opening)
    here = np.zeros((len(size), len(titles)), dtype=bool)
    for place, count in enumerate(size):
        here[place, offered[place, :count]] = True
    value = np.where(here[market][:, known], value, -99.0)
    best = known[np.argsort(-value, axis=1, kind="stable")[:, :5]]
    count = np.where(
        rnd.happens(0.3, seed, "skips onboarding", number),
        0,
        3 + rnd.integers(3, seed, "picks", number),
    )
    flat = best[np.arange(5) < count[:, None]]
    offsets = np.append(0, np.cumsum(count)).astype(np.int32)
    return pa.ListArray.from_arrays(
        pa.array(offsets), ids(seed, "title", flat.astype(np.int64) * EPISODES)
    )
