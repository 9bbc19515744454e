"""Who stands behind an account: where they live, who they are, how they pay and with whom they share profiles.

A household has up to six viewers (slots 0–5); slots 6–15 of an account are kept for people who should not be there.
Household types and sizes are roughly those of rich countries, by this project's judgement.
All is a function of seed and account number.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cinelake.simulate import randomness as rnd
from cinelake.simulate.calendar import midnight
from cinelake.simulate.randomness import Bools, Floats, Longs
from cinelake.simulate.settings import Settings
from cinelake.simulate.trace import DAY, VIEWERS
from cinelake.simulate.world.markets import geography

SINGLE, COUPLE, FAMILY, FLAT_SHARE, SINGLE_PARENT = range(5)
ADULT, TEEN, CHILD = range(3)
PLANS = ("basic", "standard", "premium")
SCREENS = (1, 2, 4)
PRICES = (7.99, 13.99, 19.99)  # US dollars a month, before the market's price level
CHANNELS = ("web", "tv_store", "phone_store", "partner", "gift")
MEMBERS = 6


@dataclass(frozen=True)
class Households:
    """Arrays over a batch of accounts; matrices are accounts × MEMBERS."""

    account: Longs
    market: Longs
    region: Longs
    zone: Longs
    type: Longs
    exists: Bools  # members
    age: Longs  # ADULT, TEEN or CHILD
    profile_slot: Longs  # the profile that each member uses
    plan: Longs  # at sign-up
    new_plan: Longs  # after `plan_changes_at`
    plan_changes_at: Longs  # µs UTC; far away for most
    channel: Longs
    signed_up_at: Longs  # µs UTC

    def __len__(self) -> int:
        return len(self.account)

    def plan_at(self, at_us: Longs, home: Longs) -> Longs:
        """The plans of these homes (rows of the batch) at these moments, if nobody meddles."""
        changed = at_us >= self.plan_changes_at[home]
        return np.where(changed, self.new_plan[home], self.plan[home])


def home_regions(settings: Settings, account: Longs) -> Longs:
    """The region that an account's home is in."""
    places = geography(settings.world.markets)
    weight = places.weights[places.region_market] * places.region_weight
    return rnd.pick(weight, settings.seed, "home region", account)


def households(settings: Settings, account: Longs) -> Households:
    """The households of these accounts."""
    seed = settings.seed
    places = geography(settings.world.markets)
    region = home_regions(settings, account)
    market = places.region_market[region]
    type_ = rnd.pick((0.30, 0.28, 0.30, 0.06, 0.06), seed, "household type", account)
    adults = np.array([1, 2, 2, 2, 1])[type_]
    adults = adults + (type_ == FLAT_SHARE) * rnd.integers(2, seed, "flat mates", account)
    offspring = np.where(
        np.isin(type_, [FAMILY, SINGLE_PARENT]),
        1 + rnd.pick((0.45, 0.38, 0.17), seed, "children", account),
        0,
    )
    slot = np.arange(MEMBERS)
    exists = slot < (adults + offspring)[:, None]
    grown = slot < adults[:, None]
    teen = rnd.happens(0.42, seed, "teen", account[:, None], slot)
    age = np.where(grown, ADULT, np.where(teen, TEEN, CHILD))
    plan = _plans(seed, account, adults + offspring)
    switches = rnd.happens(0.22, seed, "plan changes", account)
    signed_up = _sign_ups(settings, account)
    ends = midnight(settings.world.ends)
    changes_at = signed_up + 30 * DAY + (rnd.uniform(seed, "plan change", account) * 900 * DAY)
    return Households(
        account=account,
        market=market,
        region=region,
        zone=places.region_zone[region],
        type=type_,
        exists=exists,
        age=age,
        profile_slot=_profiles(seed, account, type_, exists, age),
        plan=plan,
        new_plan=np.where(
            switches, (plan + 1 + rnd.integers(2, seed, "new plan", account)) % 3, plan
        ),
        plan_changes_at=np.where(switches, changes_at, ends + 400 * DAY).astype(np.int64),
        channel=rnd.pick((0.46, 0.22, 0.16, 0.12, 0.04), seed, "channel", account),
        signed_up_at=signed_up,
    )


def viewer_numbers(account: Longs, slot: Longs | int) -> Longs:
    return account * VIEWERS + slot


def _plans(seed: int, account: Longs, people: Longs) -> Longs:
    weights: Floats = np.array(
        [[0.55, 0.35, 0.10], [0.30, 0.48, 0.22], [0.12, 0.43, 0.45], [0.06, 0.32, 0.62]]
    )
    return rnd.pick_by_row(weights[np.minimum(people, 4) - 1], rnd.uniform(seed, "plan", account))


def _sign_ups(settings: Settings, account: Longs) -> Longs:
    """Mostly long ago: tenure is exponential with mean 20 months, as of the reference day."""
    seed = settings.seed
    reference = midnight(settings.world.reference)
    late = rnd.happens(settings.viewers.sign_ups_a_year, seed, "signs up later", account)
    years = (midnight(settings.world.ends) - reference) / (365 * DAY)
    ahead = rnd.uniform(seed, "sign-up ahead", account)
    before = np.minimum(rnd.exponential(seed, "tenure", account) * 600 * DAY, 2500 * DAY)
    at = np.where(late, reference + ahead * min(1.0, years) * 365 * DAY, reference - before)
    return at.astype(np.int64)


def _profiles(seed: int, account: Longs, type_: Longs, exists: Bools, age: Longs) -> Longs:
    """Most people have a profile of their own; some couples and most small children share one."""
    slot = np.tile(np.arange(MEMBERS), (len(account), 1))
    couple = np.isin(type_, [COUPLE, FAMILY]) & rnd.happens(0.28, seed, "one profile", account)
    profile = np.where(couple[:, None] & (slot == 1), 0, slot)
    child = exists & (age == CHILD)
    first_child = np.argmax(child, axis=1)
    together = rnd.happens(0.7, seed, "children share", account)
    shared = child & together[:, None]
    profile = np.where(shared, first_child[:, None], profile)
    # Some children have no profile of their own at all: they watch with their parent's.
    alone = child & rnd.happens(0.12, seed, "no child profile", account)[:, None]
    return np.where(alone, 0, profile)
