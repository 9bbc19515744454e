"""Money: sign-up, monthly payments, plan changes, cancellation and its hidden cause.

The hazard of cancelling is the sum of a constant (moving, money, nothing left to say), a part for content (a taste that
the catalogue serves badly) and a part for quality (a poor line, incidents). Which of them strikes is the truth's; what
people give as the reason is another matter. Antenna estimates 1.8 % a month for Netflix and 5.3 % for the average
service (September 2024). That 3.5 % of payments fail at first is this project's choice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TypeAlias

import numpy as np
import pyarrow as pa

from cinelake.simulate import randomness as rnd
from cinelake.simulate.abuse import misuse as abuse
from cinelake.simulate.calendar import midnight, month_and_day
from cinelake.simulate.randomness import Bools, Floats, Longs
from cinelake.simulate.settings import Settings
from cinelake.simulate.trace import CONNECTIONS, DAY, HOUR, MINUTE, Records
from cinelake.simulate.viewers.encoding import id_column, times, whole, words
from cinelake.simulate.viewers.people import Batch
from cinelake.simulate.viewers.tastes import exact, taste_vectors
from cinelake.simulate.world import networks as net
from cinelake.simulate.world import wording
from cinelake.simulate.world.catalogue import catalogue
from cinelake.simulate.world.households import ADULT, CHANNELS, PLANS, SCREENS, Households
from cinelake.simulate.world.markets import geography

CAUSES = ("chance", "content", "quality")
REASONS = (
    "I do not watch enough",
    "too expensive",
    "nothing that I want to see",
    "technical problems",
    "other",
)
# What is given as the reason, by hidden cause.
_SAID = np.array(
    [[0.35, 0.35, 0.10, 0.03, 0.17], [0.25, 0.20, 0.42, 0.03, 0.10], [0.15, 0.15, 0.08, 0.47, 0.15]]
)
MONTH = 30 * DAY
METHODS = ("card", "wallet", "partner_billing", "direct_debit")
_CHANGES = ("sign_up", "plan", "payment", "contact", "cancel")
_STATUS = ("active", "past_due", "cancelled")
_OUTCOMES = ("paid", "failed")
SIGN_UP, PLAN, PAYMENT, CONTACT, CANCEL = range(5)
PREMIUM = PLANS.index("premium")
NEVER = 1 << 60

# (networks, months since 1970) → share of the viewing there that incidents spoil, 0 … 1.
Burden: TypeAlias = Callable[[Longs, Longs], Floats]


def cancellations(
    settings: Settings, homes: Households, burden: Burden | None = None
) -> tuple[Longs, Longs]:
    """When accounts cancel (µs UTC; NEVER for those that do not) and the cause (index into CAUSES)."""
    seed, account = settings.seed, homes.account
    reference, ends = midnight(settings.world.reference), midnight(settings.world.ends)
    begin = np.maximum(homes.signed_up_at + 20 * DAY, reference)
    months = np.arange((ends - reference) // MONTH + 1)
    at = begin[:, None] + months * MONTH
    network = net.home_network(settings, account, begin)
    line = net.describe(settings, network, begin)
    slow = np.clip((8.0 - line.capacity_mbps) / 8.0, 0, 1) + 0.25 * (
        line.connection == CONNECTIONS.index("satellite")
    )
    quality = 1.2 * np.minimum(slow, 1.0)[:, None] + np.zeros(at.shape)
    if burden is not None:
        year = 1970 + at // int(365.25 * DAY)
        month, _ = month_and_day(at // DAY)
        numbers = (year - 1970) * 12 + month - 1
        spoilt = burden(np.broadcast_to(network[:, None], at.shape).ravel(), numbers.ravel())
        quality = quality + 5.0 * np.asarray(spoilt).reshape(at.shape)
    rate = settings.viewers.churn_a_month
    parts = np.stack(
        [
            np.full(at.shape, 0.6 * rate),
            np.broadcast_to((1.3 * rate * _mismatch(settings, homes))[:, None], at.shape),
            rate * quality,
        ],
        axis=-1,
    )
    total = np.minimum(parts.sum(axis=-1), 0.9)
    strikes = rnd.uniform(seed, "cancels", account[:, None], months) < total
    first = np.argmax(strikes, axis=1)
    row = np.arange(len(account))
    leaves = strikes.any(axis=1)
    cause = rnd.pick_by_row(parts[row, first], rnd.uniform(seed, "cancel cause", account))
    moment = at[row, first] + (rnd.uniform(seed, "cancel day", account) * MONTH).astype(np.int64)
    return np.where(leaves, moment, NEVER), np.where(leaves, cause, 0)


def _mismatch(settings: Settings, homes: Households) -> Floats:
    """How badly the catalogue of the reference day serves the first viewer's taste: 0 … 1, .5 in the middle."""
    titles = catalogue(settings)
    reference = midnight(settings.world.reference)
    viewer = homes.account * 16
    taste = taste_vectors(
        settings, viewer, np.full(len(viewer), ADULT), np.full(len(viewer), reference)
    )
    match = exact(taste) @ exact(titles.vector).T + 0.05 * titles.quality
    day = reference // DAY
    here = (titles.available_from <= day) & (titles.available_until > day)
    match = np.where(here.T[homes.market], match, -1.0)
    good = np.sort(np.partition(match, -20, axis=1)[:, -20:], axis=1).mean(axis=1)
    served: Floats = 1 / (1 + np.exp((good - 0.72) * 22.0))
    return served


def account_changes(
    settings: Settings, batch: Batch, start_us: int, end_us: int, standing: bool = False
) -> Records:
    """The records of source `accounts` of a window; or, `standing`, each account's newest before its start."""
    seed, homes = settings.seed, batch.homes
    count = len(homes)
    rows: list[Longs] = []
    at: list[Longs] = []
    change: list[Longs] = []
    key: list[Longs] = []

    def add(who: Longs, when: Longs, what: int, number: Longs) -> None:
        rows.append(who)
        at.append(when)
        change.append(np.full(len(who), what))
        key.append(number)

    everybody = np.arange(count)
    zero = np.zeros(count, dtype=np.int64)
    add(everybody, homes.signed_up_at, SIGN_UP, zero)
    add(everybody, homes.plan_changes_at, PLAN, zero + 1)
    add(everybody, batch.cancelled_at, CANCEL, zero + 2)
    floor = start_us - 40 * DAY if standing else start_us
    until = start_us if standing else end_us
    first = np.maximum((floor - homes.signed_up_at) // MONTH, 1)
    for step in range(int((until - floor) // MONTH) + 2):
        month = first + step
        due = homes.signed_up_at + month * MONTH + 3 * HOUR
        failed = payment_fails(settings, homes.account, month)
        add(everybody, due, PAYMENT, 1000 + month * 2)
        again = np.flatnonzero(failed)
        add(again, due[again] + 3 * DAY, PAYMENT, 1001 + month[again] * 2)
        if step == 0:
            # A failure just before the window is made good in it.
            before = first - 1
            late = np.flatnonzero(payment_fails(settings, homes.account, before) & (before >= 1))
            due = homes.signed_up_at + before * MONTH + 3 * HOUR + 3 * DAY
            add(late, due[late], PAYMENT, 1001 + before[late] * 2)
    takeovers = [*_takeovers(settings, homes, floor, until)]
    for taken, first_number in takeovers:
        for does, begun, over, sort, place in (
            (taken.changes_contact, taken.from_us + 9 * MINUTE, taken.until_us, CONTACT, 0),
            (taken.raises_plan, taken.meddles_at, taken.undone_at, PLAN, 2),
        ):
            index = np.flatnonzero(taken.happens & does)
            add(index, begun[index], sort, np.full(len(index), first_number + place))
            # The owner takes it back.
            add(index, over[index], sort, np.full(len(index), first_number + place + 1))
    who, when, what, number = (np.concatenate(part) for part in (rows, at, change, key))
    keep = (when < batch.cancelled_at[who]) | (what == CANCEL)
    keep &= (when >= homes.signed_up_at[who]) & (when < until)
    if not standing:
        keep &= when >= start_us
    who, when, what, number = who[keep], when[keep], what[keep], number[keep]
    order = np.lexsort((number, when, homes.account[who]))
    if standing and len(order):
        sorted_ = who[order]
        order = order[np.append(sorted_[1:] != sorted_[:-1], True)]
    who, when = who[order], when[order]
    plan = _plans(homes, takeovers, who, when)
    return _states(settings, batch, who, when, what[order], number[order], plan, seed)


def _takeovers(
    settings: Settings, homes: Households, start_us: int, end_us: int
) -> Iterator[tuple[abuse.Takeovers, int]]:
    """Takeovers that may go on in a window, and the first of the numbers of what each changes."""
    for stretch in abuse.stretches(start_us, end_us):
        for slow in (False, True):
            taken = abuse.takeovers(settings, homes.account, np.full(len(homes), stretch), slow)
            happens = taken.happens & (taken.from_us > homes.signed_up_at)
            yield replace(taken, happens=happens), 10_000_000 + int(stretch) * 10 + 4 * slow


def _plans(
    homes: Households,
    takeovers: Sequence[tuple[abuse.Takeovers, int]],
    who: Longs,
    at: Longs,
) -> Longs:
    """The plans of accounts at moments, as owners and intruders chose them."""
    plan = homes.plan_at(at, who)
    for taken, _ in takeovers:
        is_raised = (taken.happens & taken.raises_plan)[who]
        is_raised &= (at >= taken.meddles_at[who]) & (at < taken.undone_at[who])
        plan = np.where(is_raised, PREMIUM, plan)
    return plan


def payment_fails(settings: Settings, account: Longs, month: Longs) -> Bools:
    """Whether the payment of a month of an account fails at first; made good three days later."""
    return rnd.happens(0.035, settings.seed, "payment fails", account, month)


def _states(
    settings: Settings,
    batch: Batch,
    who: Longs,
    at: Longs,
    change: Longs,
    key: Longs,
    plan: Longs,
    seed: int,
) -> Records:
    homes = batch.homes
    places = geography(settings.world.markets)
    account = homes.account[who]
    failed = (change == PAYMENT) & (key % 2 == 0)
    failed &= payment_fails(settings, account, (key - 1000) // 2)
    month = np.maximum((at - homes.signed_up_at[who]) // MONTH, 0)
    # Between a failed payment and its repetition an account is past due whatever else changes.
    lately = payment_fails(settings, account, month) & (month >= 1)
    lately &= at < homes.signed_up_at[who] + month * MONTH + 3 * HOUR + 3 * DAY
    lately &= at >= homes.signed_up_at[who] + month * MONTH + 3 * HOUR
    owing = failed | lately
    cancelled = change == CANCEL
    status = np.where(cancelled, 2, np.where(owing, 1, 0))
    said = rnd.pick_by_row(_SAID[batch.cancel_cause[who]], rnd.uniform(seed, "says", account))
    silent = rnd.happens(0.2, seed, "says nothing", account)
    # After an intruder changed the contact, the mail address is the intruder's until the owner returns.
    stolen = (change == CONTACT) & (key % 10 % 4 == 0)
    name_number = rnd.integers(80_000, seed, "holder", account)
    names = [wording.person_name(int(n)) for n in name_number]
    mail_number = rnd.integers(10**6, seed, "mail", account, np.where(stolen, key, 0))
    mails = [
        wording.mail_address(wording.person_name(int(number)) if theirs else name, int(number))
        for name, number, theirs in zip(names, mail_number, stolen, strict=True)
    ]
    after = at >= net.moves_at(settings, account)
    street = rnd.integers(10**6, seed, "street", account, after * 1)
    region = homes.region[who]
    phone = rnd.integers(70_000, seed, "telephone", account)
    method = rnd.pick((0.62, 0.18, 0.10, 0.10), seed, "payment method", account)
    payload = {
        "account_id": id_column(seed, "account", account),
        "change": words(change, _CHANGES),
        "market": words(homes.market[who], places.countries),
        "time_zone": words(homes.zone[who], places.zones),
        "plan": words(plan, PLANS),
        "screens_allowed": whole(np.array(SCREENS)[plan]),
        "channel": words(homes.channel[who], CHANNELS),
        "status": words(status, _STATUS),
        "cancel_reason": words(said, REASONS, cancelled & ~silent),
        "signed_up_at": times(homes.signed_up_at[who]),
        "payment_method": words(method, METHODS),
        "payment_outcome": words(np.where(owing, 1, 0), _OUTCOMES),
        "name": pa.array(names, type=pa.string()),
        "mail": pa.array(mails, type=pa.string()),
        "address": pa.array(
            [
                wording.postal_address(int(n), places.regions[r])
                for n, r in zip(street, region, strict=True)
            ],
            type=pa.string(),
        ),
        "phone": pa.array([wording.phone_number(int(n)) for n in phone], type=pa.string()),
    }
    return Records("accounts", account, at, key, payload)
