"""The people of a batch of accounts, honest or not, as one flat table.

A viewer watches at a profile, which others may use too; what it likes is its own. Who is active when follows from
sign-up and cancellation, and for offenders from `abuse.misuse`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cinelake.simulate import randomness as rnd
from cinelake.simulate.abuse import misuse as abuse
from cinelake.simulate.abuse.confounders import Confounders
from cinelake.simulate.abuse.misuse import Misuse
from cinelake.simulate.randomness import Bools, Floats, Longs
from cinelake.simulate.settings import Settings
from cinelake.simulate.trace import DAY, PROFILES, VIEWERS, Offender
from cinelake.simulate.world.households import (
    ADULT,
    CHILD,
    MEMBERS,
    TEEN,
    Households,
)


@dataclass(frozen=True)
class Batch:
    """Accounts of one call with all their traits."""

    homes: Households
    traits: Confounders
    misuse: Misuse
    cancelled_at: Longs  # µs UTC, far away for most
    cancel_cause: Longs  # index into billing.CAUSES


@dataclass(frozen=True)
class People:
    """One row per viewer; `home` indexes the batch's arrays."""

    home: Longs
    slot: Longs
    viewer: Longs  # global numbers
    account: Longs
    profile: Longs
    age: Longs  # ADULT, TEEN, CHILD
    offender: Longs  # Offender that this viewer is while `offends_from` ≤ t < `offends_until`
    from_us: Longs  # watches in [from_us, until_us)
    until_us: Longs
    offends_from: Longs
    offends_until: Longs
    sittings: Floats  # a mean day
    maturity: Longs  # limit of the profile (years)

    def __len__(self) -> int:
        return len(self.home)

    def take(self, index: Longs | Bools) -> People:
        return People(**{name: value[index] for name, value in vars(self).items()})


def maturity_limits(homes: Households) -> Longs:
    """Limits of profile slots 0–7, accounts × PROFILES (years)."""
    limits = np.full((len(homes), PROFILES), 18, dtype=np.int64)
    for slot in range(MEMBERS):
        owns = homes.exists[:, slot] & (homes.profile_slot[:, slot] == slot)
        limit = np.where(
            homes.age[:, slot] == CHILD, 7, np.where(homes.age[:, slot] == TEEN, 16, 18)
        )
        limits[:, slot] = np.where(owns, limit, limits[:, slot])
    return limits


def people(settings: Settings, batch: Batch, start_us: int, end_us: int) -> People:
    """Everybody who may watch in a window."""
    homes, plan = batch.homes, batch.misuse
    seed, count = settings.seed, len(homes)
    limits = maturity_limits(homes)
    parts: list[dict[str, Longs | Floats]] = []
    never = np.full(count, np.iinfo(np.int64).max // 4)

    def add(
        rows: Bools,
        slot: int,
        profile_slot: Longs,
        age: Longs,
        offender: Longs,
        spans: tuple[Longs, Longs, Longs, Longs],
        sittings: Floats,
    ) -> None:
        index = np.flatnonzero(rows)
        begins, ends, offends_from, offends_until = (span[index] for span in spans)
        ends = np.minimum(ends, batch.cancelled_at[index])
        keep = (begins < end_us) & (ends > start_us)
        index, begins, ends = index[keep], begins[keep], ends[keep]
        account = homes.account[index]
        parts.append(
            {
                "home": index,
                "slot": np.full(len(index), slot),
                "viewer": account * VIEWERS + slot,
                "account": account,
                "profile": account * PROFILES + profile_slot[index],
                "age": age[index],
                "offender": offender[index],
                "from_us": begins,
                "until_us": ends,
                "offends_from": offends_from[keep],
                "offends_until": offends_until[keep],
                "sittings": sittings[index],
                "maturity": limits[index, profile_slot[index]],
            }
        )

    base = settings.viewers.sittings_a_day
    nobody = np.zeros(count, dtype=np.int64)
    for slot in range(MEMBERS):
        keen = np.exp(0.45 * rnd.normal(seed, "keen", homes.account, slot) - 0.1)
        factor = np.array([1.0, 1.05, 0.9])[homes.age[:, slot]]
        leaves = (plan.sharing == Offender.EX_PARTNER) & (slot == 1)
        add(
            homes.exists[:, slot],
            slot,
            homes.profile_slot[:, slot],
            homes.age[:, slot],
            np.where(leaves, Offender.EX_PARTNER, Offender.HONEST),
            (
                homes.signed_up_at,
                np.where(leaves, plan.sharing_until, never),
                np.where(leaves, plan.sharing_from, never),
                np.where(leaves, plan.sharing_until, never),
            ),
            base * keen * factor,
        )
    adults = np.full(count, ADULT)
    for n in range(6):
        slot = abuse.FRIENDS + n
        keen = np.exp(0.5 * rnd.normal(seed, "keen", homes.account, slot))
        guest = np.isin(plan.sharing, [Offender.FRIEND, Offender.BUYER]) & (n < plan.sharers)
        own = np.where(n < 2, 6 + n, 7)
        profile = np.where(plan.sharers_profile < 0, own, plan.sharers_profile)
        # Not all begin on the first day, and some come and go.
        late = (rnd.uniform(seed, "joins late", homes.account, slot) * 40 * DAY).astype(np.int64)
        begins = plan.sharing_from + late
        span = (begins, plan.sharing_until, begins, plan.sharing_until)
        factor = np.where(plan.sharing == Offender.BUYER, 1.0, 0.75)
        add(guest, slot, profile, adults, plan.sharing, span, base * keen * factor)
        screen = plan.screens & (n < plan.screens_count) & ~guest
        span = (plan.screens_from, plan.screens_until, plan.screens_from, plan.screens_until)
        add(
            screen,
            slot,
            np.full(count, 0 if n % 2 == 0 else 7),
            adults,
            np.full(count, Offender.SCREENS),
            span,
            2.2 * keen,
        )
    for slow in (False, True):
        slot = abuse.SLOW_INTRUDER if slow else abuse.INTRUDER
        kind = Offender.SLOW_INTRUDER if slow else Offender.INTRUDER
        for stretch in abuse.stretches(start_us, end_us):
            taken = abuse.takeovers(settings, homes.account, np.full(count, stretch), slow)
            span = (taken.from_us, taken.until_us, taken.from_us, taken.until_us)
            rows = taken.happens & (taken.from_us > homes.signed_up_at)
            profile = np.where(taken.makes_profile, 7, nobody)
            keen = np.exp(0.6 * rnd.normal(seed, "keen", homes.account, slot, stretch))
            add(
                rows,
                slot,
                profile,
                adults,
                np.full(count, kind),
                span,
                (0.45 if slow else 1.5) * keen,
            )
    joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    order = np.lexsort((joined["from_us"], joined["viewer"]))
    return People(**{name: value[order] for name, value in joined.items()})
