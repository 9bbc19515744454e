"""Defects seen in other detectors: each has a test here that says it is impossible."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyspark.sql import Row, SparkSession
from unit.tables.rows import rows

from cinelake.integrity.concurrency import by_day, excesses, peaks
from cinelake.integrity.experience import shipped_experience
from cinelake.integrity.household import log_ins, parties
from cinelake.integrity.journeys import TravelRules, journeys, place_days
from cinelake.integrity.scorecard import shipped
from cinelake.integrity.streams import StreamRules, intervals, streams
from cinelake.runtime.job import Job
from cinelake.runtime.runs.graph import discover
from cinelake.tables.behaviour import ACCOUNTS, LOG_INS
from cinelake.tables.contract import Kind
from cinelake.tables.integrity import INTEGRITY_WEIGHTS, VERDICTS
from cinelake.tables.viewing import VIEWING_SESSIONS

PROJECT = Path(__file__).parents[3]
DAY = date(2026, 3, 28)
CELLS = {"Berlin": "831f1dfffffffff", "Bavaria": "831f8dfffffffff", "Texas": "8326cbfffffffff"}
RULES = TravelRules()


def at(hour: float) -> datetime:
    return datetime(DAY.year, DAY.month, DAY.day) + timedelta(hours=hour)


def play(
    who: str, device: str, region: str | None, start: float, end: float, **more: Any
) -> dict[str, Any]:
    told = {
        "play_id": f"{who}{device}{start}",
        "account_id": who,
        "device_id": device,
        "started_at": at(start),
        "first_frame_at": at(start),
        "last_seen_at": at(end),
        "ended_at": at(end),
        "session_date": at(start).date(),
        "country": "US" if region == "Texas" else "DE",
        "region": region,
        "connection": "fibre",
    }
    return told | more


def log_in(who: str, device: str, region: str, hour: float, **more: Any) -> dict[str, Any]:
    told = {
        "event_id": f"{who}{device}{hour}",
        "account_id": who,
        "device_id": device,
        "attempted_at": at(hour),
        "attempt_date": at(hour).date(),
        "event": "log_in",
        "outcome": "success",
        "connection": "fibre",
        "country": "US" if region == "Texas" else "DE",
        "region": region,
        "cell": CELLS[region],
    }
    return told | more


# Every account is a scene of its own: plays, then log-ins.
PLAYS = [
    play("gap zero", "a", "Berlin", 20, 21),
    play("gap zero", "b", "Texas", 20, 21),
    play("not the last", "a", "Berlin", 10, 11),
    play("not the last", "b", "Berlin", 11, 11.5),
    play("not the last", "c", "Texas", 12, 13),
    play("vpn", "a", "Berlin", 20, 21),
    play("vpn", "b", "Texas", 20, 21, connection="vpn"),
    play("relay", "a", "Berlin", 20, 21),
    play("relay", "b", "Texas", 20, 21, connection="relay"),
    play("flight", "a", "Berlin", 1, 2),
    play("flight", "b", "Texas", 13, 14),
    play("near", "a", "Berlin", 20, 21, connection="mobile"),
    play("near", "b", "Bavaria", 20, 21, connection="mobile"),
    play("one device", "a", "Berlin", 20, 21),
    play("one device", "a", "Texas", 21, 22),
    play("no place", "a", "Berlin", 20, 21),
    play("no place", "b", None, 20, 21),
    play("unknown asn", "a", "Berlin", 20, 21),
    play("unknown asn", "b", "Texas", 20, 21, connection=None),
]
TRIES = [
    log_in("at once", "a", "Berlin", 20),
    log_in("at once", "b", "Texas", 20),
    # The one from Berlin happened first and arrived last: it stands at the end here.
    log_in("late", "b", "Texas", 20.5),
    log_in("late", "a", "Berlin", 20),
    log_in("guessed", "a", "Berlin", 20),
    log_in("guessed", "b", "Texas", 20, outcome="wrong_password"),
    log_in("nobody", "a", "Bavaria", 1),
]


@pytest.fixture(scope="module")
def found(spark: SparkSession) -> list[Row]:
    tries = rows(spark, LOG_INS, *TRIES)
    sessions = rows(spark, VIEWING_SESSIONS, *PLAYS)
    end = DAY + timedelta(days=2)
    return (
        journeys(sessions, tries, place_days(tries), DAY, end, RULES).orderBy("later_at").collect()
    )


def of(found: list[Row], who: str) -> list[tuple[float, bool]]:
    """Gap in seconds, and whether a speed is told."""
    return [
        (row["gap_s"], row["speed_kmh"] is not None) for row in found if row["account_id"] == who
    ]


def test_log_ins_at_the_same_moment_fire(found: list[Row]) -> None:
    """Elsewhere a gap of whole minutes of zero gives a null speed, which no threshold exceeds."""
    assert of(found, "at once") == [(0.0, False)]
    assert of(found, "gap zero") == [(0.0, False)]


def test_a_use_is_compared_with_more_than_the_one_before(found: list[Row]) -> None:
    """Elsewhere only the last log-in counts, so that one from home in between hides another."""
    pairs = {
        (row["earlier_device_id"], row["later_device_id"])
        for row in found
        if row["account_id"] == "not the last"
    }
    assert pairs == {("a", "c"), ("b", "c")}


def test_a_late_record_has_no_negative_speed(found: list[Row]) -> None:
    """Elsewhere records are compared in the order in which they arrive."""
    (row,) = [row for row in found if row["account_id"] == "late"]
    assert (row["earlier_place"], row["later_place"]) == ("DE, Berlin", "US, Texas")
    assert row["gap_s"] == pytest.approx(1800)
    assert row["speed_kmh"] > 10_000


def test_exits_and_unknown_places_prove_nothing(found: list[Row]) -> None:
    """VPN, private relay, an address without a place, an operator that nobody knows."""
    for who in ("vpn", "relay", "no place", "unknown asn"):
        assert of(found, who) == []


def test_travel_by_air_a_failed_guess_and_what_look_ups_may_be_wrong_by_are_possible(
    found: list[Row],
) -> None:
    for who in ("flight", "guessed", "near"):
        assert of(found, who) == []


def test_a_device_that_seems_to_jump_is_a_look_up_that_changed_its_mind(found: list[Row]) -> None:
    assert of(found, "one device") == []


def test_overlap_is_of_intervals_and_not_of_bins_or_starts(spark: SparkSession) -> None:
    """Elsewhere streams are counted in bins of minutes, from start to start, with those that stand paused, and a
    switch of title counts twice.
    """
    scene = [
        # One minute on both sides of an edge of five minutes; starts are an hour apart.
        play("edge", "a", "Berlin", 20, 21 + 1 / 60),
        play("edge", "b", "Berlin", 21, 22),
        # Started within a minute of each other, and never at once.
        play("starts", "a", "Berlin", 20, 20 + 0.5 / 60),
        play("starts", "b", "Berlin", 20 + 0.5 / 60, 21),
        play("switch", "a", "Berlin", 20, 21),
        play("switch", "a", "Berlin", 20.999, 22),
        # Left paused at half past eight; the second began at a quarter to ten.
        play("paused", "a", "Berlin", 20, 22, seconds_paused=Decimal(5400)),
        play("paused", "b", "Berlin", 21.75, 23),
    ]
    rules = StreamRules()
    plays = intervals(rows(spark, VIEWING_SESSIONS, *scene), rules)
    pieces = streams(by_day(plays, DAY, DAY + timedelta(days=1)), rules)
    since = datetime(2026, 1, 1)
    plans = [
        {
            "account_id": who,
            "screens_allowed": 1,
            "effective_from": since,
            "effective_date": since.date(),
        }
        for who in ("edge", "starts", "switch", "paused")
    ]
    over = excesses(pieces, peaks(pieces), rows(spark, ACCOUNTS, *plans)).collect()
    assert [(row["account_id"], row["excess_ms"]) for row in over] == [("edge", 60_000)]


def test_a_family_in_one_home_is_no_noise() -> None:
    """Elsewhere many devices of one home at once are alarms; here who meets on one line is one party."""
    devices = ("tv", "console", "tablet", "phone", "laptop")
    evening = [
        {
            "use_date": DAY,
            "device_id": device,
            "profile_id": f"profile {n}",
            "network": "home",
            "connection": "fibre",
            "country": "DE",
            "region": "Berlin",
            "device_kind": device,
            "device_since": DAY - timedelta(days=n),
            "asn": 1,
            "plays": 2,
            "played_ms": 7_200_000,
            "weekend_plays": 0,
            "hours": 1 << 20,
            "genres": [],
        }
        for n, device in enumerate(devices)
    ]
    (family,) = parties(evening, [])
    assert family.devices == sorted(devices)


def test_labels_are_the_verdicts_of_people_and_no_rule_writes_them() -> None:
    """Elsewhere labels come from heuristics, and what is measured is how well a rule is learned by heart."""
    jobs = [job for job in discover(PROJECT / "jobs") if isinstance(job, Job)]
    assert VERDICTS.kind is Kind.EXTERNAL
    assert not [job.name for job in jobs if VERDICTS in job.writes]
    (learner,) = (job for job in jobs if INTEGRITY_WEIGHTS in job.writes)
    assert [reading.source for reading in learner.reads] == [VERDICTS]


def test_a_stranger_is_told_without_any_log_in() -> None:
    """Elsewhere log-ins alone are judged; who stole a session, or was given a set that was logged in, has none."""
    trees, honest = shipped_experience("known"), dict(shipped("party").typical)
    stranger = honest | log_ins([], 1) | {
        "has_set": 1, "set_share": 1, "own_profile": 1, "own_profile_and_set": 1, "on_fixed_lines": 1, "only_mobile": 0,
        "log_days": 3, "log_hours": 3.5, "days_of_span": 0.7, "log_span": 3.5, "phones": 0, "log_since_last": 0,
        "tastes_apart": 1.5, "taste_shift": 0, "came_with_home": 0, "log_later_than_home": 4.5,
        "log_set_later_than_home": 4.5, "log_known_before": 3, "ages_known": 1,
    }  # fmt: skip
    both = honest | {"ages_known": 1}, stranger
    odds = trees.odds(np.array([[each[name] for name in trees.names] for each in both]))
    usual, found = odds[:, list(trees.kinds).index("sharing")]
    assert usual < -1
    assert found > 1
