"""The hidden truth of accounts, people, titles, misuse and confounders, with ids as they land."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from cinelake.simulate.abuse import misuse as abuse
from cinelake.simulate.abuse.confounders import trips
from cinelake.simulate.calendar import midnight
from cinelake.simulate.randomness import Bools, Longs
from cinelake.simulate.settings import Settings
from cinelake.simulate.trace import CONNECTIONS, DAY, EPISODES, Offender, ids
from cinelake.simulate.viewers.billing import CAUSES, NEVER
from cinelake.simulate.viewers.encoding import words
from cinelake.simulate.viewers.people import Batch, People
from cinelake.simulate.viewers.tastes import mixtures, taste_vectors
from cinelake.simulate.world import networks as net
from cinelake.simulate.world.announcements import announced_at, last_days
from cinelake.simulate.world.catalogue import catalogue
from cinelake.simulate.world.wording import GENRES

MISUSE = (
    "",
    "sharing_ex_partner",
    "sharing_friends",
    "sharing_resale",
    "takeover_stuffing",
    "takeover_slow",
    "screens",
    "piracy",
)
TYPES = ("single", "couple", "family", "flat_share", "single_parent")
_STAMP = pa.timestamp("us", tz="UTC")


def _stamps(at_us: Longs) -> pa.Array:
    """Times; null for what never comes."""
    return pa.array(at_us, type=pa.int64(), mask=at_us >= NEVER // 2).cast(_STAMP)


def account_truth(settings: Settings, batch: Batch, end_us: int) -> pa.Table:
    """One row an account that signed up before the window's end."""
    homes = batch.homes
    rows = np.flatnonzero(homes.signed_up_at < end_us)
    cancelled = batch.cancelled_at[rows]
    leaves = cancelled < NEVER
    return pa.table(
        {
            "account_id": ids(settings.seed, "account", homes.account[rows]),
            "household": words(homes.type[rows], TYPES),
            "people": pa.array(homes.exists[rows].sum(axis=1)),
            "from_at": _stamps(homes.signed_up_at[rows]),
            "cancelled_at": _stamps(cancelled),
            "cancel_cause": words(batch.cancel_cause[rows], CAUSES, leaves),
        }
    )


def viewer_truth(settings: Settings, crowd: People) -> pa.Table:
    """One row a person who may watch in the window: whose profile, what taste at the reference day."""
    seed = settings.seed
    first = np.ones(len(crowd), dtype=np.bool_)
    first[1:] = crowd.viewer[1:] != crowd.viewer[:-1]
    part = crowd.take(np.flatnonzero(first))
    reference = np.full(len(part), midnight(settings.world.reference))
    taste = taste_vectors(settings, part.viewer, part.age, reference)
    mix = mixtures(settings, part.viewer, part.age)
    return pa.table(
        {
            "viewer_id": ids(seed, "viewer", part.viewer),
            "profile_id": ids(seed, "profile", part.profile),
            "account_id": ids(seed, "account", part.account),
            "age": words(part.age, ("adult", "teen", "child")),
            "taste": pa.array(list(taste), type=pa.list_(pa.float64())),
            "archetype": pa.array(mix.argmax(axis=1) if len(part) else np.zeros(0, dtype=np.int64)),
            "archetypes": pa.array(list(mix), type=pa.list_(pa.float64())),
            "sittings_a_day": pa.array(part.sittings),
            "from_at": _stamps(part.from_us),
            "until_at": _stamps(part.until_us),
        }
    )


def title_truth(settings: Settings, end_us: int) -> pa.Table:
    """One row a film or series announced before the window's end."""
    titles = catalogue(settings)
    rows = np.flatnonzero(announced_at(settings) < end_us)
    return pa.table(
        {
            "title_id": ids(settings.seed, "title", rows * EPISODES),
            "vector": pa.array(list(titles.vector[rows]), type=pa.list_(pa.float64())),
            "quality": pa.array(titles.quality[rows]),
            "fame": pa.array(titles.fame[rows]),
            "niche": pa.array(titles.niche[rows]),
            "genre": words(titles.genre[rows], GENRES),
            "from_at": _stamps(announced_at(settings)[rows]),
            "until_at": _stamps(last_days(settings)[rows] * DAY),
        }
    )


class _Spans:
    """Rows (account, kind, from, until) that touch a window."""

    def __init__(self, batch: Batch, start_us: int, end_us: int) -> None:
        self.batch, self.start, self.end = batch, start_us, end_us
        self.account: list[Longs] = []
        self.kind: list[str] = []
        self.since: list[Longs] = []
        self.until: list[Longs] = []
        self.people: list[Longs] = []

    def add(self, rows: Bools, kind: str, since: Longs, until: Longs, people: Longs | int) -> None:
        homes = self.batch.homes
        begin = np.maximum(since, homes.signed_up_at)
        end = np.minimum(until, self.batch.cancelled_at)
        index = np.flatnonzero(rows & (begin < self.end) & (end > self.start) & (begin < end))
        self.account.append(homes.account[index])
        self.kind.extend([kind] * len(index))
        self.since.append(begin[index])
        self.until.append(end[index])
        self.people.append(np.broadcast_to(np.asarray(people), (len(homes),))[index])

    def table(self, seed: int) -> pa.Table:
        account, since, until, people = (
            np.concatenate(part) for part in (self.account, self.since, self.until, self.people)
        )
        return pa.table(
            {
                "account_id": ids(seed, "account", account),
                "kind": pa.array(self.kind, type=pa.string()),
                "from_at": _stamps(since),
                "until_at": _stamps(until),
                "people": pa.array(people.astype(np.int64)),
            }
        )


def misuse_truth(settings: Settings, batch: Batch, start_us: int, end_us: int) -> pa.Table:
    """Misuse that goes on in the window: account, kind, interval, how many people."""
    plan, account = batch.misuse, batch.homes.account
    spans = _Spans(batch, start_us, end_us)
    for kind in (Offender.EX_PARTNER, Offender.FRIEND, Offender.BUYER):
        rows = plan.sharing == kind
        spans.add(rows, MISUSE[kind], plan.sharing_from, plan.sharing_until, plan.sharers)
    spans.add(
        plan.screens,
        MISUSE[Offender.SCREENS],
        plan.screens_from,
        plan.screens_until,
        plan.screens_count,
    )
    spans.add(plan.piracy, MISUSE[Offender.PIRATE], plan.piracy_from, plan.piracy_until, 1)
    for slow in (False, True):
        kind = Offender.SLOW_INTRUDER if slow else Offender.INTRUDER
        for stretch in abuse.stretches(start_us, end_us):
            taken = abuse.takeovers(settings, account, np.full(len(account), stretch), slow)
            rows = taken.happens & (taken.from_us > batch.homes.signed_up_at)
            spans.add(rows, MISUSE[kind], taken.from_us, taken.until_us, 1)
    return spans.table(settings.seed)


def confounder_truth(settings: Settings, batch: Batch, start_us: int, end_us: int) -> pa.Table:
    """Honest traits that look like misuse: account, kind, interval. A trait without an end lasts with the account."""
    homes, traits = batch.homes, batch.traits
    account, count = homes.account, len(homes)
    spans = _Spans(batch, start_us, end_us)
    begin, never = homes.signed_up_at, np.full(count, NEVER)
    network = net.home_network(settings, account, np.full(count, start_us))
    what = net.describe(settings, network, np.full(count, start_us))
    nat = net.is_behind_carrier_nat(settings, network, what.connection.astype(np.int64))
    people = homes.exists.sum(axis=1)
    for kind, rows in (
        ("vpn", traits.vpn),
        ("private_relay", traits.relay),
        ("corporate_egress", traits.office),
        ("student_away", traits.student >= 0),
        ("two_homes", traits.second_home),
        ("lives_apart", traits.apart),
        ("visits_relatives", traits.relatives),
        ("night_television", traits.night_tv),
        ("one_home", people >= 3),
        ("carrier_nat", nat),
        ("geo_drift", net.drifts(settings, network)),
        ("satellite", what.connection == CONNECTIONS.index("satellite")),
    ):
        spans.add(rows, kind, begin, never, people)
    moves = net.moves_at(settings, account)
    spans.add(np.ones(count, dtype=bool), "new_line", moves, moves + 28 * DAY, people)
    for slot in range(start_us // DAY // net.TRIP_SLOT - 1, end_us // DAY // net.TRIP_SLOT + 1):
        for who, odds in (("household", traits.wanders), ("traveller", traits.business)):
            trip = trips(settings, account, np.full(count, slot), odds, who)
            spans.add(trip.happens, "travel", trip.first_day * DAY, trip.last_day * DAY, people)
    return spans.table(settings.seed)
