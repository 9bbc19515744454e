"""From plays and log-ins to cases: for a family whose password a stranger has, and for families who only look so."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from unit.tables.rows import rows

from cinelake.integrity.scorecard import Scorecard, shipped
from cinelake.runtime.job import Job
from cinelake.runtime.runs.graph import discover
from cinelake.runtime.runs.rehearsal import RehearsalTracker, rehearse
from cinelake.runtime.tracking.runs import Tracking
from cinelake.runtime.windows import Window
from cinelake.tables.behaviour import ACCOUNTS, DEVICES, LOG_INS, PROFILES, TITLES
from cinelake.tables.contract import Table
from cinelake.tables.integrity import (
    ACCOUNT_PARTIES,
    ALLOW_LIST,
    CONCURRENT_STREAMS,
    IMPOSSIBLE_JOURNEYS,
    INTEGRITY_CASES,
    INTEGRITY_OUTLIERS,
    INTEGRITY_SIGNALS,
    INTEGRITY_WEIGHTS,
    LOG_IN_BURSTS,
    LOG_IN_RISKS,
    PLACE_DAYS,
    STREAM_PEAKS,
    USAGE_DAYS,
    VERDICTS,
)
from cinelake.tables.viewing import VIEWING_SESSIONS

# The whole chain, and models with a registry: minutes.
pytestmark = [pytest.mark.thorough, pytest.mark.timeout(1800)]

JOBS = {
    job.name: job for job in discover(Path(__file__).parents[3] / "jobs") if isinstance(job, Job)
}
START = date(2026, 3, 2)
DAYS = 28
LAST = START + timedelta(days=DAYS - 1)
CHAIN: tuple[tuple[str, tuple[Table, ...]], ...] = (
    ("sum_usage_days", (USAGE_DAYS,)),
    ("find_concurrent_streams", (STREAM_PEAKS, CONCURRENT_STREAMS)),
    ("sum_place_days", (PLACE_DAYS,)),
    ("find_impossible_journeys", (IMPOSSIBLE_JOURNEYS,)),
    ("find_log_in_bursts", (LOG_IN_BURSTS,)),
    ("judge_log_ins", (LOG_IN_RISKS,)),
    ("tell_parties", (ACCOUNT_PARTIES,)),
    ("raise_signals", (INTEGRITY_SIGNALS,)),
    ("open_cases", (INTEGRITY_CASES,)),
)
Plays = Iterator[dict[str, Any]]


def play(who: str, device: str, day: int, hour: float, **more: Any) -> dict[str, Any]:
    start = datetime(START.year, START.month, START.day) + timedelta(days=day, hours=hour)
    hours = more.pop("hours", 1.5)
    told = {
        "play_id": f"{who}{device}{day}-{hour}",
        "account_id": who,
        "profile_id": f"{who} owner",
        "device_id": f"{who} {device}",
        "title_id": f"t{day % 7}-{hour}",
        "started_at": start,
        "first_frame_at": start,
        "session_date": start.date(),
        "last_seen_at": start + timedelta(hours=hours),
        "ended_at": start + timedelta(hours=hours),
        "local_date": start.date(),
        "local_hour": int(hour) % 24,
        "local_weekday": start.isoweekday(),
        "seconds_watched": Decimal(int(hours * 3600)),
        "ip": f"{who} home",
        "asn": 1,
        "connection": "fibre",
        "country": "DE",
        "region": "Berlin",
        "device_kind": "tv",
        "is_finished": True,
        "kind": "film",
    }
    return told | more


def family(who: str) -> Plays:
    for day in range(DAYS):
        yield play(who, "tv", day, 19)
        if day % 2:
            yield play(who, "phone", day, 21, device_kind="phone", profile_id=f"{who} partner")


def shared() -> Plays:
    """A family, and a friend in another city with a television and a profile of his own."""
    yield from family("shared")
    there = {"ip": "friend's", "asn": 2, "region": "Bavaria", "profile_id": "shared guest"}
    for day in range(DAYS):
        yield play("shared", "friend's tv", day, 19.5, **there)


def taken() -> Plays:
    """A family, and in the last days a stranger with a new laptop, abroad."""
    yield from family("taken")
    there = {"ip": "abroad", "asn": 3, "country": "US", "region": "Texas", "device_kind": "laptop"}
    for day in (DAYS - 3, DAYS - 2, DAYS - 1):
        yield play("taken", "strange laptop", day, 8, **there)


def crowded() -> Plays:
    """A bar: five televisions at once on a plan of one."""
    for day in range(DAYS):
        for screen in range(5):
            yield play("crowded", f"tv{screen}", day, 18, hours=4)


def copied() -> Plays:
    """A machine that plays through the catalogue."""
    yield from family("copied")
    for day in range(DAYS - 7, DAYS):
        for nth in range(11):
            yield play(
                "copied",
                "box",
                day,
                nth * 2,
                hours=1.95,
                device_kind="laptop",
                entry="deep_link",
                title_id=f"t{day}-{nth}",
            )


def travelling() -> Plays:
    """A family whose phones and laptop go with it on a holiday."""
    yield from family("travelling")
    away = {
        "ip": "hotel",
        "asn": 4,
        "region": "Rhineland",
        "device_kind": "phone",
        "profile_id": "travelling partner",
    }
    for day in range(10, 17):
        yield play("travelling", "phone", day, 22.6, hours=0.5, **away)


def log_in(who: str, device: str, day: int, hour: float, **more: Any) -> dict[str, Any]:
    at = datetime(START.year, START.month, START.day) + timedelta(days=day, hours=hour)
    told = {
        "event_id": f"{who}{device}{day}-{hour}",
        "account_id": who,
        "device_id": f"{who} {device}",
        "attempted_at": at,
        "attempt_date": at.date(),
        "event": "log_in",
        "outcome": "success",
        "method": "password",
        "asn": 1,
        "connection": "fibre",
        "country": "DE",
        "region": "Berlin",
        "cell": "831f1dfffffffff",
        "is_new_device": False,
    }
    return told | more


def tries() -> Iterator[dict[str, Any]]:
    for who in ("shared", "taken", "crowded", "copied", "travelling"):
        yield log_in(who, "tv", 0, 18.5)
    strange = {
        "asn": 3,
        "country": "US",
        "region": "Texas",
        "cell": "8326cbfffffffff",
        "is_new_device": True,
    }
    yield log_in("shared", "friend's tv", 0, 18, region="Bavaria", cell="831f8dfffffffff", asn=2)
    yield log_in("taken", "strange laptop", DAYS - 3, 7.9, **strange)
    yield log_in("taken", "strange laptop", DAYS - 2, 7.9, **strange | {"is_new_device": False})
    # Stuffing: one network fails at many accounts, the one that is taken later among them.
    for number in range(12):
        who = "taken" if number == 0 else f"other{number}"
        robot = {
            "device_id": "robot",
            "outcome": "wrong_password",
            "asn": 9,
            "connection": "hosting",
            "cell": None,
        }
        yield log_in(who, "robot", DAYS - 4, 3 + number / 60, **robot)


def known() -> Iterator[dict[str, Any]]:
    later = {
        "shared friend's tv": datetime(2025, 6, 1),
        "taken strange laptop": datetime(2026, 3, 27),
    }
    for one in [*shared(), *crowded(), *copied(), *travelling(), *taken()]:
        first = later.get(one["device_id"], datetime(2024, 5, 1))
        yield {
            "device_id": one["device_id"],
            "account_id": one["account_id"],
            "kind": one["device_kind"],
            "effective_from": first,
            "effective_date": first.date(),
            "first_seen_at": first,
        }


def catalogue() -> Iterator[dict[str, Any]]:
    """What the family and the friend of the shared account watch; of other titles no genres are known."""
    for number in range(7):
        for hour, genre in (("19", "Drama"), ("19.5", "Horror")):
            yield {"title_id": f"t{number}-{hour}", "genres": [genre]}


@pytest.fixture(scope="module")
def made(spark: SparkSession) -> dict[Table, DataFrame]:
    plays = [*shared(), *taken(), *crowded(), *copied(), *travelling()]
    since = datetime(2024, 5, 1)
    plans = [
        {
            "account_id": who,
            "screens_allowed": 1 if who == "crowded" else 4,
            "effective_from": since,
            "effective_date": since.date(),
        }
        for who in ("shared", "taken", "crowded", "copied", "travelling")
    ]
    plans.append(
        {
            "account_id": "taken",
            "plan": "premium",
            "screens_allowed": 4,
            "effective_from": datetime(2026, 3, 28),
            "effective_date": date(2026, 3, 28),
        }
    )
    devices = {(one["device_id"], one["account_id"]): one for one in known()}
    tables = {
        VIEWING_SESSIONS: rows(spark, VIEWING_SESSIONS, *plays),
        LOG_INS: rows(spark, LOG_INS, *tries()),
        ACCOUNTS: rows(spark, ACCOUNTS, *plans),
        DEVICES: rows(spark, DEVICES, *devices.values()),
        PROFILES: rows(spark, PROFILES),
        TITLES: rows(spark, TITLES, *catalogue()),
        VERDICTS: rows(spark, VERDICTS),
        ALLOW_LIST: rows(spark, ALLOW_LIST),
    }
    tables = {table: frame.coalesce(1).localCheckpoint() for table, frame in tables.items()}
    for name, written in CHAIN:
        inputs = {r.source: tables[r.source] for r in JOBS[name].reads if r.source in tables}
        # Signals build on weeks: those of the last days are enough.
        start = (
            LAST - timedelta(days=2)
            if name in ("tell_parties", "raise_signals", "open_cases")
            else START
        )
        found = rehearse(JOBS[name], inputs, start, LAST + timedelta(days=1))
        for table in written:
            tables[table] = found[table].localCheckpoint()
    return tables


def test_each_account_has_the_case_of_what_is_done_to_it(made: dict[Table, DataFrame]) -> None:
    states = made[INTEGRITY_CASES].where(f"state_date = DATE'{LAST}'").collect()
    assert {(row["account_id"], row["kind"]) for row in states} >= {
        ("shared", "sharing"),
        ("taken", "takeover"),
        ("crowded", "screens"),
        ("copied", "playback"),
    }
    assert {row["status"] for row in states} == {"needs_review"}
    assert not [row for row in states if row["account_id"] == "travelling"]


def test_reasons_and_evidence_are_told_in_words(made: dict[Table, DataFrame]) -> None:
    (row,) = (
        made[INTEGRITY_SIGNALS].where(f"kind = 'takeover' AND signal_date = DATE'{LAST}'").collect()
    )
    assert row["account_id"] == "taken"
    assert all(each["text"] and each["weight"] > 0 for each in row["reasons"])
    assert "1 device of its own in Texas, US, on 1 network: " in row["evidence"][0]


def test_stuffing_is_a_burst_and_marks_the_accounts_that_it_tried(
    made: dict[Table, DataFrame],
) -> None:
    (burst,) = made[LOG_IN_BURSTS].collect()
    assert (burst["asn"], burst["accounts"], burst["shared_devices"]) == (9, 12, 1)
    # Accounts that were tried and never played have log-ins that are judged, and no parties.
    without_plays = made[LOG_IN_RISKS].where("account_id LIKE 'other%' AND in_burst AND risk = 0")
    assert without_plays.count() == 11
    assert made[ACCOUNT_PARTIES].where("account_id LIKE 'other%'").isEmpty()
    tried = made[LOG_IN_RISKS].where("was_tried").select("account_id").distinct().collect()
    assert [row["account_id"] for row in tried] == ["taken"]


def test_a_log_in_from_where_the_account_never_was_is_a_risk(made: dict[Table, DataFrame]) -> None:
    risk = {
        (row["account_id"], row["device_id"]): (row["risk"], row["unusual"])
        for row in made[LOG_IN_RISKS]
        .where("is_success AND attempt_date > DATE'2026-03-10'")
        .collect()
    }
    high, unusual = risk["taken", "taken strange laptop"]
    assert high > 2
    assert unusual == ["operator", "place"]
    assert made[LOG_IN_RISKS].where("attempt_date = DATE'2026-03-02' AND risk <> 0").isEmpty()


def test_what_is_in_two_cities_at_once_is_a_journey_and_a_holiday_is_none(
    made: dict[Table, DataFrame],
) -> None:
    who = made[IMPOSSIBLE_JOURNEYS].select("account_id", "speed_kmh").distinct().collect()
    assert ("shared", None) in {(row["account_id"], row["speed_kmh"]) for row in who}
    assert "travelling" not in {row["account_id"] for row in who}


def test_disjoint_tastes_and_a_plan_changed_by_a_stranger_are_told_of_parties(
    made: dict[Table, DataFrame],
) -> None:
    strays = made[ACCOUNT_PARTIES].where(f"NOT is_home AND as_of = DATE'{LAST}'").collect()
    told = {row["account_id"]: {e["name"]: e["value"] for e in row["features"]} for row in strays}
    assert told["shared"]["tastes_apart"] > 2
    assert told["shared"]["tastes_at_once"] > 2
    assert told["shared"]["plan_changed_after"] == 0
    assert told["taken"]["plan_changed_after"] == 1
    assert told["taken"]["risk_before_change"] > 0.5
    # At eight in the morning the family is not there, and of what is watched then no genres are known.
    assert told["taken"]["hours_apart"] > 0
    assert told["taken"]["tastes_apart"] == 0


def test_a_family_on_holiday_is_one_party(made: dict[Table, DataFrame]) -> None:
    parties = made[ACCOUNT_PARTIES].where(f"account_id = 'travelling' AND as_of = DATE'{LAST}'")
    (row,) = parties.collect()
    assert row["is_home"]
    assert row["devices"] == ["travelling phone", "travelling tv"]


# ---- models


def trained(tracking: Tracking, name: str, inputs: dict[Table, DataFrame], **params: Any) -> None:
    job = JOBS[name]
    tracker = tracking.start("integrity", name, Window.of_day(LAST), "run")
    rehearse(job, inputs, LAST, params=job.params(**params), tracker=tracker)
    tracker.finish()


def judged_cases() -> Iterator[dict[str, Any]]:
    """Verdicts of a service in which televisions elsewhere are what families have."""
    for number in range(40):
        is_family = number % 2 == 1
        yield {
            "case_id": f"c{number:02}",
            "given_on": START + timedelta(days=number % 20),
            "number": 1,
            "verdict": "reject" if is_family else "confirm",
            "kind": "sharing",
            "features": [
                {"name": "has_set", "value": float(is_family)},
                {"name": "weekends", "value": float(is_family)},
            ],
        }


def test_models_are_learned_kept_and_heeded(
    spark: SparkSession, made: dict[Table, DataFrame], tmp_path: Path
) -> None:
    tracking = Tracking.beside_lake(str(tmp_path))
    # Of five accounts alone nobody can tell what is usual; with a bound of two parties all goes its way.
    parties = made[ACCOUNT_PARTIES]
    trained(tracking, "train_integrity_outliers", {ACCOUNT_PARTIES: parties}, least_parties=2)
    trained(tracking, "train_integrity_weights", {VERDICTS: rows(spark, VERDICTS, *judged_cases())})
    (forest,) = tracking.versions(INTEGRITY_OUTLIERS)
    (weights,) = tracking.versions(INTEGRITY_WEIGHTS)
    assert forest.approved
    assert weights.approved
    moved = Scorecard.of_frame(tracking.read_frame(weights, "weights"))
    assert moved.weights["sharing"]["has_set"] < shipped("party").weights["sharing"]["has_set"]
    job = JOBS["raise_signals"]
    tracker = tracking.start("integrity", job.name, Window.of_day(LAST), "run")
    inputs = {r.source: made[r.source] for r in job.reads if r.source in made}
    found = rehearse(
        job, inputs, LAST, tracker=tracker, models={forest.name.rsplit(".", 1)[-1]: forest}
    )
    odd = {row["account_id"]: row["oddness"] for row in found[INTEGRITY_SIGNALS].collect()}
    assert 0 < odd["taken"] < 1
    assert odd["crowded"] is None


def test_few_verdicts_and_few_parties_teach_nothing_and_say_so(
    spark: SparkSession, made: dict[Table, DataFrame], tmp_path: Path
) -> None:
    for name, inputs in (
        ("train_integrity_outliers", {ACCOUNT_PARTIES: made[ACCOUNT_PARTIES]}),
        ("train_integrity_weights", {VERDICTS: rows(spark, VERDICTS)}),
    ):
        tracker = Untracked("integrity")
        rehearse(JOBS[name], inputs, LAST, tracker=tracker)
        assert "skipped" in tracker.tags
    assert not list(tmp_path.iterdir())


class Untracked(RehearsalTracker):
    """A tracker beside which nothing was ever trained."""

    def resume(self, model: Any, fingerprint: str) -> None:
        del model, fingerprint
