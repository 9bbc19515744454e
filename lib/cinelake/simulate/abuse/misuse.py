"""Which accounts are misused, how, by whom and when: the truth, not a rule.

Sharing (an ex-partner who keeps the password, friends in other homes, strangers who bought it), more screens than
paid for, and scraping begin and end at keyed times and go on for months. Takeovers are drawn per account and stretch
of four weeks: by credential stuffing inside one of that stretch's campaigns, short and busy; or slow, long and quiet.
An account may suffer several at once. Nobody here knows which signals give it away: offenders are viewers like
others, with homes, tastes and habits, and some hardly use what they took. A few meddle: they take a larger plan, or
set a profile to their language, until the owner puts it right.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from cinelake.simulate import randomness as rnd
from cinelake.simulate.calendar import midnight
from cinelake.simulate.randomness import Bools, Floats, Longs
from cinelake.simulate.settings import Settings
from cinelake.simulate.trace import DAY, HOUR, Offender
from cinelake.simulate.world.households import COUPLE, FAMILY, Households
from cinelake.simulate.world.markets import geography

# Slots of viewers who should not be there.
FRIENDS, BUYERS, SCREENS = 6, 6, 6  # the first of up to 4, 6, 6
INTRUDER, SLOW_INTRUDER, PIRATE = 12, 13, 14
STRETCH = 28  # days
CAMPAIGNS = 3  # most in a stretch
_Kind = TypeVar("_Kind", np.bool_, np.int64)


@dataclass(frozen=True)
class Misuse:
    """Arrays over a batch of accounts; times in µs UTC."""

    sharing: Longs  # Offender; HONEST for none
    sharing_from: Longs
    sharing_until: Longs
    sharers: Longs  # how many
    sharers_profile: Longs  # slot of the profile they use; −1: each its own
    screens: Bools
    screens_from: Longs
    screens_until: Longs
    screens_count: Longs
    piracy: Bools
    piracy_from: Longs
    piracy_until: Longs


def misuse(settings: Settings, homes: Households) -> Misuse:
    """The lasting misuse of these accounts."""
    seed, shares = settings.seed, settings.abuse
    account = homes.account
    reference = midnight(settings.world.reference)
    drawn = rnd.uniform(seed, "sharing kind", account)
    coupled = np.isin(homes.type, [COUPLE, FAMILY])
    # Only couples part; the share of all accounts is as set.
    ex_odds = np.where(coupled, shares.ex_partner / 0.58, 0.0)
    sharing = np.select(
        [
            drawn < ex_odds,
            (drawn >= 1 - shares.friends),
            (drawn >= 1 - shares.friends - shares.resale),
        ],
        [Offender.EX_PARTNER, Offender.FRIEND, Offender.BUYER],
        Offender.HONEST,
    )
    begin = reference + (rnd.uniform(seed, "sharing from", account) * 420 - 330) * DAY
    months = np.select(
        [sharing == Offender.EX_PARTNER, sharing == Offender.FRIEND], [9.0, 14.0], 4.0
    )
    lasts = (20 + months * 30 * (0.4 + rnd.exponential(seed, "sharing lasts", account))) * DAY
    sharers = np.select(
        [sharing == Offender.EX_PARTNER, sharing == Offender.FRIEND, sharing == Offender.BUYER],
        [
            np.ones(len(account)),
            1 + rnd.pick((0.5, 0.3, 0.15, 0.05), seed, "friends", account),
            2 + rnd.pick((0.2, 0.3, 0.25, 0.15, 0.1), seed, "buyers", account),
        ],
        0,
    ).astype(np.int64)
    style = rnd.pick((0.45, 0.35, 0.20), seed, "sharers' profiles", account)
    return Misuse(
        sharing=sharing,
        sharing_from=np.maximum(begin, homes.signed_up_at + 5 * DAY).astype(np.int64),
        sharing_until=(np.maximum(begin, homes.signed_up_at) + lasts).astype(np.int64),
        sharers=sharers,
        # The owner's profile, one guest profile for all, or (friends only) one each.
        sharers_profile=np.where(style == 0, 7, np.where(style == 1, 0, -1)),
        **_screens_and_piracy(settings, homes),
    )


def _screens_and_piracy(settings: Settings, homes: Households) -> dict[str, Any]:
    seed, shares, account = settings.seed, settings.abuse, homes.account
    reference = midnight(settings.world.reference)
    found: dict[str, Any] = {}
    for name, share, days in (("screens", shares.screens, 160), ("piracy", shares.piracy, 45)):
        begin = reference + (rnd.uniform(seed, f"{name} from", account) * 130 - 100) * DAY
        begin = np.maximum(begin, homes.signed_up_at + DAY)
        lasts = (10 + days * rnd.exponential(seed, f"{name} lasts", account)) * DAY
        found[name] = rnd.happens(share, seed, name, account)
        found[f"{name}_from"] = begin.astype(np.int64)
        found[f"{name}_until"] = (begin + lasts).astype(np.int64)
    found["screens_count"] = 3 + rnd.integers(4, seed, "screens count", account)
    return found


@dataclass(frozen=True)
class Campaigns:
    """Credential-stuffing campaigns of stretches; matrices are stretches × CAMPAIGNS."""

    exists: Bools
    begins_at: Longs
    lasts: Longs  # µs
    system: Longs  # index into COMMON_SYSTEMS of the network it comes from, of hosting or VPN kind
    reach: Floats  # share of accounts that it tries


def campaigns(settings: Settings, stretch: Longs) -> Campaigns:
    """The campaigns of these stretches of four weeks (number: day // STRETCH)."""
    seed, c = settings.seed, np.arange(CAMPAIGNS)
    keys = (stretch[..., None], c)
    begins = stretch[..., None] * STRETCH * DAY + rnd.uniform(seed, "campaign at", *keys) * 27 * DAY
    return Campaigns(
        exists=rnd.happens(np.array([1.0, 0.6, 0.3]), seed, "campaign", *keys),
        begins_at=begins.astype(np.int64),
        lasts=((1.5 + 20 * rnd.exponential(seed, "campaign lasts", *keys)) * HOUR).astype(np.int64),
        system=rnd.pick((0.4, 0.3, 0.1, 0.1, 0.1), seed, "campaign system", *keys),
        reach=0.05 + 0.25 * rnd.uniform(seed, "campaign reach", *keys),
    )


@dataclass(frozen=True)
class Takeovers:
    """Takeovers that begin in given stretches of given accounts; same shape as the keys."""

    happens: Bools
    campaign: Longs  # −1 for slow ones
    from_us: Longs
    until_us: Longs
    makes_profile: Bools
    changes_contact: Bools
    raises_plan: Bools
    edits_profile: Bools
    meddles_at: Longs  # when plan or profile are changed

    @property
    def undone_at(self) -> Longs:
        """When the owner, who is rid of the intruder, puts plan and profiles right."""
        return self.until_us + DAY // 3


def takeovers(settings: Settings, account: Longs, stretch: Longs, slow: bool) -> Takeovers:
    """Whether a takeover of a kind begins in these (account, stretch) pairs, and its course.

    The next of the kind ends it if it has not ended before.
    """
    this = _takeovers(settings, account, stretch, slow)
    following = _takeovers(settings, account, stretch + 1, slow)
    until = np.where(following.happens, following.from_us, this.until_us)
    until = np.minimum(this.until_us, until)
    in_time = this.meddles_at < until
    return replace(
        this,
        until_us=until,
        raises_plan=this.raises_plan & in_time,
        edits_profile=this.edits_profile & in_time,
    )


def _takeovers(settings: Settings, account: Longs, stretch: Longs, slow: bool) -> Takeovers:
    seed, shares = settings.seed, settings.abuse
    name = "slow takeover" if slow else "stuffing"
    odds = shares.slow_takeover if slow else shares.stuffing
    keys = (account, stretch)
    happens = rnd.happens(odds, seed, name, *keys)
    drawn = rnd.uniform(seed, f"{name} at", *keys)
    lasts = rnd.exponential(seed, f"{name} lasts", *keys)
    if slow:
        campaign = np.full(happens.shape, -1, dtype=np.int64)
        begins = stretch * STRETCH * DAY + drawn * STRETCH * DAY
        length = (6 + 24 * lasts) * DAY
    else:
        campaign = rnd.integers(CAMPAIGNS, seed, "by campaign", *keys)
        plan = campaigns(settings, stretch)
        campaign = np.where(_of(plan.exists, campaign), campaign, 0)
        begins = _of(plan.begins_at, campaign) + drawn * _of(plan.lasts, campaign)
        # The loot is used hours to days later, until the owner notices.
        begins = begins + rnd.exponential(seed, "loot waits", *keys) * 20 * HOUR
        length = (0.4 + 5 * lasts) * DAY
    until = begins + np.minimum(length, STRETCH * DAY)
    makes_profile = rnd.happens(0.1 if slow else 0.4, seed, f"{name} profile", *keys)
    meddles = rnd.happens(shares.meddling, seed, f"{name} meddles", *keys)
    wants_screens = rnd.happens(0.5, seed, f"{name} wants screens", *keys)
    hesitates = HOUR + rnd.exponential(seed, f"{name} hesitates", *keys) * 36 * HOUR
    return Takeovers(
        happens=happens,
        campaign=campaign,
        from_us=begins.astype(np.int64),
        until_us=until.astype(np.int64),
        makes_profile=makes_profile,
        changes_contact=rnd.happens(0.03 if slow else 0.3, seed, f"{name} contact", *keys),
        raises_plan=meddles & wants_screens,
        # Who has a profile of his own leaves the others alone.
        edits_profile=meddles & ~wants_screens & ~makes_profile,
        meddles_at=(begins + hesitates).astype(np.int64),
    )


def _of(matrix: NDArray[_Kind], campaign: Longs) -> NDArray[_Kind]:
    chosen: NDArray[_Kind] = np.take_along_axis(matrix, campaign[..., None], axis=-1)[..., 0]
    return chosen


def clocks(settings: Settings, viewer: Longs, offender: Longs, zone: Longs) -> Longs:
    """The time zone that each viewer lives by, given the account's: intruders may be anywhere."""
    seed, zones = settings.seed, len(geography(settings.world.markets).zones)
    elsewhere = np.isin(offender, [Offender.INTRUDER, Offender.SLOW_INTRUDER])
    elsewhere &= rnd.happens(settings.abuse.other_clock, seed, "lives elsewhere", viewer)
    return np.where(elsewhere, rnd.integers(zones, seed, "lives in", viewer), zone)


def stretches(start_us: int, end_us: int) -> Longs:
    """The stretches whose takeovers may be going on in a window."""
    first = start_us // (STRETCH * DAY) - 2
    return np.arange(first, (end_us - 1) // (STRETCH * DAY) + 1, dtype=np.int64)
