"""The household model: which devices of an account belong together, and what tells each party from the home.

Grain: one account and day. Plain Python and integers, for one account's weeks are a few hundred rows.

Method. Devices and networks form a graph: a device is tied to a network where it played on a line that ends in a
building (a mobile network counts for televisions alone, which do not travel; exits of VPNs, relays, hosts and offices
count for none). Connected parts are *parties*: people whose devices meet on one line, at home, in a second home, at
relatives'. Whoever travels carries a device that plays at both ends, so students who come home, second homes,
commuters, holidays and a change of provider stay with the home; what never met the home in weeks is a party of its own.
Accounts begin at home, so the home is the party with the device that came first; of several, and of those of which
nobody knows when they came, one that has a line in a building, then the one whose television came first (who moves out
takes telephones and tablets along, and buys a television), then the one used on most days (as the base location of US
patent 10,992,972 is the place of most accesses by devices). By days alone a guest who watches more than the family
would be the home, and the family the guests. A party that is hardly used beside the others is no home, however old its
device.

A registry of devices may be younger than the accounts in it: devices that were there all along came lately then, by
what it says, each when it next played. Of an account that was registered so late, what came within a week came
together, and its features are judged by what such accounts turned out to be (see `experience`).

Features describe a party against the home; none is a threshold. They are about who (profiles, devices and their age),
where (distance is left to journeys), what it likes and when it watches (see `habits`), how it came in (log-ins), and
what changed then (see `changes`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from math import log1p
from typing import Any

from cinelake.integrity.changes import changes
from cinelake.integrity.habits import hours_by_day, tastes, times_of_day
from cinelake.integrity.networks import EXITS, FIXED, MOBILE, UNKNOWN

SET_AT_HOME = ("tv", "console")
# Age from which a device is one of old, as is one of which nobody knows the age (days): how long accounts last differs
# from service to service, and says nothing of who uses them.
LONG_KNOWN = 120
MONTH = 36
LATE = "registered_late"
MS_PER_HOUR = 3_600_000
# Days within which devices came together, in accounts that were registered late.
TOGETHER = 7
# What a home has at least of the days of the party with most.
HOME_DAYS = 1 / 6


@dataclass
class Party:
    """Devices that belong together, with their rows of usage and of log-ins."""

    devices: list[str]
    usage: list[Mapping[str, Any]] = field(default_factory=list)
    log_ins: list[Mapping[str, Any]] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.devices[0]

    def total(self, name: str) -> int:
        return sum(row[name] for row in self.usage)

    def distinct(self, name: str) -> set[Any]:
        return {row[name] for row in self.usage} - {None, UNKNOWN}

    @property
    def days(self) -> set[date]:
        return {row["use_date"] for row in self.usage}

    @property
    def since(self) -> date | None:
        """The day on which the first of its devices came to the account, where any is known."""
        return _earliest(self.usage)

    @property
    def set_since(self) -> date | None:
        """The same of its televisions and consoles."""
        return _earliest(row for row in self.usage if row["device_kind"] in SET_AT_HOME)

    @property
    def has_set(self) -> bool:
        return any(row["device_kind"] in SET_AT_HOME for row in self.usage)

    def weighed(self, name: str) -> Mapping[Any, int]:
        """Plays by value."""
        told: dict[Any, int] = {}
        for row in self.usage:
            told[row[name]] = told.get(row[name], 0) + row["plays"]
        return told

    def share(self, holds: Callable[[Mapping[str, Any]], bool]) -> float:
        """Of its plays, those in rows of which this holds."""
        told: int = sum(row["plays"] for row in self.usage if holds(row))
        return told / self.total("plays")

    def share_by(self, name: str, *values: str) -> float:
        return self.share(lambda row: row[name] in values)

    def mostly(self, name: str) -> Any:
        """The value of most plays; of equals the first in order, an unknown one last."""
        told = self.weighed(name)
        return min(told, key=lambda value: (value == UNKNOWN, -told[value], value))


def registered_late(
    usage: Iterable[Mapping[str, Any]], signed_up: date | None, as_of: date
) -> bool:
    """Whether nobody knew an account's devices until lately, though it was there before.

    One of which nobody knows when it began was.
    """
    oldest = _earliest(usage)
    if oldest is None or (as_of - oldest).days >= LONG_KNOWN:
        return False
    return signed_up is None or (oldest - signed_up).days > TOGETHER


def parties(
    usage: Sequence[Mapping[str, Any]],
    log_ins: Sequence[Mapping[str, Any]],
    is_late: bool = False,
) -> list[Party]:
    """The parties of an account by its rows of `usage_days` and successful log-ins; the home comes first.

    `is_late` says that it was registered late.
    """
    parent: dict[tuple[str, str], tuple[str, str]] = {}

    def root(node: tuple[str, str]) -> tuple[str, str]:
        while parent.setdefault(node, node) != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    for row in usage:
        device = root(("device", row["device_id"]))
        if _ties(row):
            parent[device] = root(("network", row["network"]))
    by_root: dict[tuple[str, str], set[str]] = {}
    for device_id in {row["device_id"] for row in usage}:
        by_root.setdefault(root(("device", device_id)), set()).add(device_id)
    found = {}
    for devices in by_root.values():
        party = Party(sorted(devices))
        found.update(dict.fromkeys(devices, party))
    for row in usage:
        found[row["device_id"]].usage.append(row)
    for row in log_ins:
        if row["device_id"] in found:
            found[row["device_id"]].log_ins.append(row)
    own = {id(party): party for party in found.values()}
    by_use = sorted(own.values(), key=lambda p: (-len(p.days), -p.total("played_ms"), p.name))
    home = _home(by_use, timedelta(TOGETHER * is_late)) if by_use else None
    return sorted(by_use, key=lambda party: party is not home)


def _home(by_use: Sequence[Party], together: timedelta) -> Party:
    """Of parties in order of use; what came so long after the first came with it."""
    lived_in = [p for p in by_use if len(p.days) >= HOME_DAYS * len(by_use[0].days)]
    oldest = min((p.since for p in lived_in if p.since), default=None)
    first = [
        p for p in lived_in if p.since is None or oldest is None or p.since <= oldest + together
    ]
    tied = [p for p in first if any(map(_ties, p.usage))] or first
    if oldest is None:
        return tied[0]
    # A television of unknown age is as old as any.
    sets = [(p.set_since or date.min) if p.has_set else date.max for p in tied]
    last = min(sets) if min(sets) == date.max else min(sets) + together
    return next(p for p, since in zip(tied, sets, strict=True) if since <= last)


def _earliest(usage: Iterable[Mapping[str, Any]]) -> date | None:
    return min((row["device_since"] for row in usage if row["device_since"]), default=None)


def _ties(row: Mapping[str, Any]) -> bool:
    """Whether a row ties its device to its network."""
    if row["network"] == UNKNOWN:
        return False
    stays = row["connection"] == MOBILE and row["device_kind"] in SET_AT_HOME
    return row["connection"] in FIXED or stays


def features(
    party: Party,
    home: Party,
    all_parties: int,
    as_of: date,
    changed: Sequence[Mapping[str, Any]] = (),
    is_late: bool = False,
) -> dict[str, float]:
    """What is told of a party as numbers; see `scorecard.FEATURES` for what each says.

    `changed` are the account's rows of `account_changes`; `is_late` says that it was registered late.
    """
    plays, days = party.total("plays"), len(party.days)
    hours = party.total("played_ms") / MS_PER_HOUR
    home_profiles = home.distinct("profile_id")
    first, last = min(party.days), max(party.days)
    span = (last - first).days
    own_profile = party.share(lambda row: row["profile_id"] not in home_profiles)
    home_place = (home.mostly("country"), home.mostly("region"))
    at_once, at_once_days = _at_once(party, home)
    return {
        "log_hours": log1p(hours),
        "log_days": log1p(days),
        "few_plays": float(plays <= 2),
        "set_share": party.share_by("device_kind", *SET_AT_HOME),
        "has_set": float(party.has_set),
        "on_fixed_lines": party.share_by("connection", *FIXED),
        "only_mobile": float(party.share_by("connection", MOBILE) > 0.95),
        "behind_exits": party.share_by("connection", *EXITS),
        "at_work": party.share_by("connection", "corporate"),
        "own_profile": own_profile,
        "own_profile_and_set": own_profile * float(party.has_set),
        LATE: float(is_late),
        **ages(party.since, party.set_since, home.since, first, as_of),
        **log_ins(party.log_ins, plays),
        **changes(party.log_ins, changed),
        **tastes(party.usage, home.usage),
        **times_of_day(party.usage, home.usage),
        "hours_in_common": at_once,
        "was_at_once": float(at_once > 0),
        "log_common_days": log1p(at_once_days),
        "elsewhere": party.share(lambda row: (row["country"], row["region"]) != home_place),
        "abroad": party.share(lambda row: row["country"] != home_place[0]),
        "weekends": party.total("weekend_plays") / plays,
        "devices": float(min(len(party.devices), 5)),
        "phones": party.share_by("device_kind", "phone"),
        "regions": float(min(len(party.distinct("region")), 5)),
        "operators": float(min(len(party.distinct("asn")), 5)),
        "networks_a_day": min(len(party.distinct("network")) / days, 3.0),
        "log_since_first": log1p((as_of - first).days),
        "log_since_last": log1p((as_of - last).days),
        "log_span": log1p(span),
        "days_of_span": days / (span + 1),
        "share_of_hours": hours / max(hours + home.total("played_ms") / MS_PER_HOUR, 1e-9),
        "parties": float(min(all_parties, 8)),
        "home_has_set": float(home.has_set),
        "home_on_fixed_lines": home.share_by("connection", *FIXED),
        "log_home_hours": log1p(home.total("played_ms") / MS_PER_HOUR),
    }


def ages(
    since: date | None, set_since: date | None, home_since: date | None, first: date, as_of: date
) -> dict[str, float]:
    """What is told of the age of a party's devices, and of its televisions; `first` is the first day of their use.

    Of unknown age are as old as any, and as old as the home, which speaks for nobody's guest; `ages_known` tells them
    from those that are.
    """

    def days(later: date, earlier: date | None) -> int:
        return min(max((later - earlier).days, 0), LONG_KNOWN) if earlier else LONG_KNOWN

    age = days(as_of, since)
    after_home = days(since, home_since) if since and home_since else 0
    set_after_home = days(set_since, home_since) if set_since and home_since else 0
    return {
        "ages_known": float(bool(since and home_since)),
        "log_device_age": log1p(age),
        "device_of_month": float(age < MONTH),
        "log_known_before": log1p(days(first, since)),
        "came_with_home": float(after_home == 0),
        "log_later_than_home": log1p(after_home),
        "log_set_later_than_home": log1p(set_after_home),
    }


# Where a service does not know when devices came.
AGELESS = ages(None, None, None, date.max, date.max)


def log_ins(rows: Sequence[Mapping[str, Any]], plays: int) -> dict[str, float]:
    """What is told of how a party came in, by its successful log-ins; where none is known it speaks for nothing."""
    new = sum(row["is_new_device"] for row in rows)
    return {
        "logged_in_new": float(new > 0),
        "logs_in_often": min((len(rows) - new) / plays, 1.0),
        "log_log_ins": log1p(len(rows) - new),
        "log_in_operators": float(min(len({row["asn"] for row in rows}), 4)),
        "log_in_regions": float(min(len({row["region"] for row in rows}), 4)),
        "log_in_risk": min(max((row["risk"] for row in rows), default=0.0), 12.0) / 4,
        "was_tried": float(any(row["was_tried"] for row in rows)),
    }


def _at_once(party: Party, home: Party) -> tuple[float, int]:
    """Of the hours in which a party played, the share in which the home did; and days on which both did."""
    own, others = hours_by_day(party.usage), hours_by_day(home.usage)
    played = sum(mask.bit_count() for mask in own.values())
    common = sum((mask & others.get(day, 0)).bit_count() for day, mask in own.items())
    return (common / played if played else 0.0), len(own.keys() & others.keys())
