"""Log-ins: most devices stay logged in for months, so that a log-in says something; failures are mostly honest.

Honest log-ins come with a new device, when a token has run out, and after a log-out. Before a success people mistype:
almost one log-in attempt in ten at Dropbox failed by a simple typing error (Chatterjee et al., "pASSWORD tYPOS and How
to Correct Them Securely", IEEE S&P 2016). In a credential-stuffing campaign a large share of accounts sees one or
two failures from networks that thousands share; success is as quiet as an honest log-in.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from cinelake.simulate import randomness as rnd
from cinelake.simulate.abuse import misuse as abuse
from cinelake.simulate.randomness import Bools, Floats, Longs
from cinelake.simulate.settings import Settings
from cinelake.simulate.trace import (
    COMMON,
    CONNECTIONS,
    DEVICES,
    HOUR,
    NETWORKS,
    SECOND,
    Columns,
    Offender,
    Records,
)
from cinelake.simulate.viewers.belongings import Owned
from cinelake.simulate.viewers.encoding import flags, id_column, real, whole, words
from cinelake.simulate.viewers.people import Batch
from cinelake.simulate.world import devices as dev
from cinelake.simulate.world import networks as net
from cinelake.simulate.world.markets import geography

METHODS = ("password", "token", "code", "link")
OUTCOMES = ("success", "wrong_password", "unknown_device", "locked", "expired")
SUCCESS, WRONG, UNKNOWN, LOCKED, EXPIRED = range(5)
EVENTS = ("log_in", "log_out")
# How often a sitting needs a log-in, by kind of device: browsers forget, televisions do not.
_AGAIN = np.array([0.008, 0.015, 0.018, 0.02, 0.11])


@dataclass(frozen=True)
class Attempts(Columns):
    """Attempts to log in, and log-outs."""

    account: Longs
    profile: Longs  # −1: not known
    device: Longs
    network: Longs
    at: Longs
    order: Longs
    event: Longs
    outcome: Longs
    method: Longs
    is_new: Bools


@dataclass(frozen=True)
class Arrivals(Columns):
    """Sittings as they begin: one row a sitting."""

    account: Longs
    profile: Longs
    viewer: Longs
    device: Longs
    network: Longs
    sitting: Longs
    at: Longs
    offender: Longs


def attempts(
    settings: Settings,
    batch: Batch,
    owned: Owned,
    arrivals: Arrivals,
    start_us: int,
    end_us: int,
) -> Attempts:
    """All attempts of a window."""
    parts = [
        _at_sittings(settings, arrivals),
        _first_uses(settings, batch, owned, start_us, end_us),
        _stuffing(settings, batch, start_us, end_us),
    ]
    found = Attempts.joined(parts)
    away = found.at < batch.cancelled_at[np.searchsorted(batch.homes.account, found.account)]
    return found.take((found.at >= start_us) & (found.at < end_us) & away)


def _with_slips(settings: Settings, good: Attempts, slips: Floats) -> Attempts:
    """Wrong passwords before successes, as many as come about with these odds each."""
    seed = settings.seed
    password = good.method == 0
    parts = [good]
    failed = password
    for nth in (1, 2, 3):
        failed = failed & rnd.happens(slips, seed, "slip", good.account, good.order, nth)
        before = good.take(failed)
        parts.append(
            Attempts(
                **vars(before)
                | {
                    "at": before.at - (nth * 11 + before.at // SECOND % 7) * SECOND,
                    "order": before.order + nth,
                    "outcome": np.full(len(before), WRONG),
                }
            )
        )
    return Attempts.joined(parts)


def _at_sittings(settings: Settings, a: Arrivals) -> Attempts:
    seed = settings.seed
    kind = dev.kinds(settings, a.device)
    thief = np.isin(a.offender, [Offender.INTRUDER, Offender.SLOW_INTRUDER])
    # Intruders and buyers keep no tokens for long.
    odds = np.where(thief, 0.35, np.where(a.offender == Offender.BUYER, 0.06, _AGAIN[kind]))
    now = np.flatnonzero(rnd.happens(odds, seed, "logs in again", a.sitting))
    part = a.take(now)
    television = np.isin(kind[now], [dev.TV, dev.CONSOLE])
    method = np.where(television, 2, rnd.pick((0.72, 0.0, 0.1, 0.18), seed, "method", part.sitting))
    good = Attempts(
        account=part.account,
        profile=part.profile,
        device=part.device,
        network=part.network,
        at=part.at
        - (25 + 40 * rnd.uniform(seed, "log-in at", part.sitting)).astype(np.int64) * SECOND,
        order=part.sitting * 8,
        event=np.zeros(len(now), dtype=np.int64),
        outcome=np.zeros(len(now), dtype=np.int64),
        method=method,
        is_new=np.zeros(len(now), dtype=bool),
    )
    forgetful = 0.17 * np.exp(0.7 * rnd.normal(seed, "forgetful", part.viewer))
    tried = _with_slips(settings, good, np.clip(forgetful, 0, 0.7))
    # A token that has run out is reported before the password is asked for.
    expired = good.take(rnd.happens(0.35, seed, "expired", part.sitting))
    gone = Attempts(
        **vars(expired)
        | {
            "at": expired.at - 50 * SECOND,
            "order": expired.order + 4,
            "outcome": np.full(len(expired), EXPIRED),
            "method": np.ones(len(expired), dtype=np.int64),
        }
    )
    leaves = np.flatnonzero(rnd.happens(np.where(thief, 0.1, 0.006), seed, "logs out", a.sitting))
    out = a.take(leaves)
    log_out = Attempts(
        account=out.account,
        profile=out.profile,
        device=out.device,
        network=out.network,
        at=out.at + (2 * HOUR * rnd.uniform(seed, "log-out at", out.sitting)).astype(np.int64),
        order=out.sitting * 8 + 5,
        event=np.ones(len(leaves), dtype=np.int64),
        outcome=np.zeros(len(leaves), dtype=np.int64),
        method=np.ones(len(leaves), dtype=np.int64),
        is_new=np.zeros(len(leaves), dtype=bool),
    )
    return Attempts.joined([tried, gone, log_out])


def _first_uses(
    settings: Settings, batch: Batch, owned: Owned, start_us: int, end_us: int
) -> Attempts:
    """Every device logs in when it is first seen."""
    seed = settings.seed
    inside = np.flatnonzero(
        (owned.first_seen_at >= start_us - HOUR) & (owned.first_seen_at < end_us + HOUR)
    )
    device, at, home = owned.device[inside], owned.first_seen_at[inside], owned.home[inside]
    account, slot = device // DEVICES, device % DEVICES
    sharing, own = batch.misuse.sharing[home], account * NETWORKS
    person = np.where(slot >= dev.PERSONAL, (slot - dev.PERSONAL) // 3, slot - dev.TV_ELSEWHERE + 5)
    base = net.home_network(settings, account, at)
    elsewhere = (slot >= dev.TV_ELSEWHERE) & (person >= 6) | (slot == dev.TV_ELSEWHERE)
    guest = np.clip(person - 6, 0, 5)
    network = np.select(
        [
            person == abuse.INTRUDER,
            person == abuse.SLOW_INTRUDER,
            slot == dev.TV_ELSEWHERE,
            elsewhere & (sharing == Offender.FRIEND),
            elsewhere & (sharing == Offender.BUYER),
            slot == dev.SECOND_HOME_TV,
        ],
        [
            own + net.PROXY + at // (24 * HOUR) % 3,
            own + net.BUYER_HOME + 5,
            own + net.EX_HOME,
            own + net.FRIEND_HOME + np.minimum(guest, 3),
            own + net.BUYER_HOME + guest,
            own + net.SECOND_HOME,
        ],
        base,
    )
    television = np.isin(dev.kinds(settings, device), [dev.TV, dev.CONSOLE])
    good = Attempts(
        account=account,
        profile=np.full(len(inside), -1),
        device=device,
        network=network,
        at=at + 20 * SECOND,
        order=-(owned.order[inside] + 1) * 8,
        event=np.zeros(len(inside), dtype=np.int64),
        outcome=np.zeros(len(inside), dtype=np.int64),
        method=np.where(television, 2, 0),
        is_new=np.ones(len(inside), dtype=bool),
    )
    tried = _with_slips(settings, good, np.full(len(inside), 0.20))
    # New devices are asked to prove themselves now and then.
    asked = good.take(rnd.happens(0.12, seed, "asked to prove", good.device))
    proof = Attempts(
        **vars(asked)
        | {
            "at": asked.at - 8 * SECOND,
            "order": asked.order + 6,
            "outcome": np.full(len(asked), UNKNOWN),
        }
    )
    return Attempts.joined([tried, proof])


def _stuffing(settings: Settings, batch: Batch, start_us: int, end_us: int) -> Attempts:
    """What campaigns leave at the accounts they try: failures mostly, a lock now and then."""
    seed, account = settings.seed, batch.homes.account
    parts = []
    signed = batch.homes.signed_up_at
    for stretch in abuse.stretches(start_us, end_us):
        plan = abuse.campaigns(settings, np.array([stretch]))
        for campaign in range(abuse.CAMPAIGNS):
            if not plan.exists[0, campaign]:
                continue
            tries = np.flatnonzero(
                rnd.happens(plan.reach[0, campaign], seed, "tried", account, stretch, campaign)
            )
            who = account[tries]
            for nth in (0, 1):
                key = (who, stretch, campaign, nth)
                drawn = rnd.uniform(seed, "tried at", *key)
                again = rnd.happens(1.0 if nth == 0 else 0.3, seed, "tried again", *key)
                at = plan.begins_at[0, campaign] + (drawn * plan.lasts[0, campaign]).astype(
                    np.int64
                )
                exit_ = rnd.integers(40, seed, "tried from", *key)
                system = int(plan.system[0, campaign])
                keep = again & (at > signed[tries])
                locked = rnd.happens(0.03, seed, "locked", *key)
                parts.append(
                    _robot(
                        who[keep],
                        at[keep],
                        exit_[keep],
                        system,
                        int(stretch),
                        campaign,
                        nth,
                        locked[keep],
                    )
                )
    nobody = np.zeros(0, dtype=np.int64)
    parts.append(_robot(nobody, nobody, nobody, 0, 0, 0, 0, nobody > 0))
    return Attempts.joined(parts)


def _robot(
    who: Longs,
    at: Longs,
    exit_: Longs,
    system: int,
    stretch: int,
    campaign: int,
    nth: int,
    locked: Bools,
) -> Attempts:
    count = len(who)
    network = net.common_network(system, exit_)
    return Attempts(
        account=who,
        profile=np.full(count, -1),
        # Robots call themselves one of few devices, which many accounts see: no account owns them.
        device=network,
        network=network,
        at=at // SECOND * SECOND,
        order=np.full(count, -(1 << 40) - (stretch * 64 + campaign * 8 + nth)),
        event=np.zeros(count, dtype=np.int64),
        outcome=np.where(locked, LOCKED, WRONG),
        method=np.zeros(count, dtype=np.int64),
        is_new=np.ones(count, dtype=bool),
    )


def log_in_records(settings: Settings, found: Attempts) -> Records:
    """The records of attempts, with what the edge knows of their networks."""
    seed = settings.seed
    places = geography(settings.world.markets)
    where = net.describe(settings, found.network, found.at)
    # Robots' devices are not described: they lie.
    own = np.where(found.device < COMMON, found.device, 0)
    what = dev.describe(settings, own, found.at)
    pairs, place = np.unique(np.stack([what.model, what.app_version]), axis=1, return_inverse=True)
    agents = [
        f"Cinelake/{dev.app_version_name(dev.MODELS[m].kind, int(v)).split('-')[1]} "
        f"({dev.MODELS[m].name}; {dev.MODELS[m].os})"
        for m, v in pairs.T
    ]
    return Records(
        "log_ins",
        found.account,
        found.at,
        found.order,
        {
            "account_id": id_column(seed, "account", found.account),
            "profile_id": id_column(
                seed, "profile", np.maximum(found.profile, 0), found.profile >= 0
            ),
            "device_id": id_column(seed, "device", found.device),
            "event": words(found.event, EVENTS),
            "outcome": words(found.outcome, OUTCOMES),
            "method": words(found.method, METHODS),
            "ip": pa.array(where.ip, type=pa.string()),
            "asn": whole(where.asn),
            "isp": words(where.isp, places.isps),
            "connection": words(where.connection, CONNECTIONS),
            "user_agent": words(place.ravel(), agents),
            "country": words(where.country, places.countries),
            "region": words(where.region, places.regions),
            "latitude": real(where.latitude),
            "longitude": real(where.longitude),
            "accuracy_km": real(where.accuracy_km),
            "is_new_device": flags(found.is_new),
        },
    )
