"""Streams at once, by the sweep, against whoever counts by hand: people and a brute-force oracle."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyspark.sql import DataFrame, Row, SparkSession
from unit.tables.rows import rows

from cinelake.integrity.concurrency import by_day, excesses, peaks
from cinelake.integrity.streams import StreamRules, intervals, streams
from cinelake.tables.behaviour import ACCOUNTS
from cinelake.tables.viewing import VIEWING_SESSIONS

DAY = date(2026, 3, 28)
RULES = StreamRules(pause_limit_s=300, switch_grace_s=15)
STREAMS = (
    "account_id string, device_id string, play_id string, network string, country string, region string, "
    "started bigint, ended bigint"
)


def at(hour: float, day: date = DAY) -> datetime:
    return datetime(day.year, day.month, day.day) + timedelta(hours=hour)


def micros(moment: datetime) -> int:
    return int(moment.replace(tzinfo=UTC).timestamp() * 1_000_000)


def play(account: str, device: str, start: float, end: float, **more: Any) -> dict[str, Any]:
    told = {
        "play_id": f"{account}{device}{start}",
        "account_id": account,
        "device_id": device,
        "started_at": at(start),
        "first_frame_at": at(start),
        "last_seen_at": at(end),
        "ended_at": at(end),
        "session_date": at(start).date(),
        "ip": f"ip of {device}",
        "country": "DE",
        "region": "Berlin",
    }
    return told | more


def plan(account: str, screens: int, since: datetime = datetime(2026, 1, 1)) -> dict[str, Any]:
    return {
        "account_id": account,
        "screens_allowed": screens,
        "effective_from": since,
        "effective_date": since.date(),
    }


PHONE_NEXT = 21 + 10 / 3600
# Every scene is an account of its own, so that one sweep answers all tests: plays, and changes of plan.
SCENES: dict[str, tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]] = {
    "follows": ([("tv", 20, 21), ("phone", 21, 22)], [(1,)]),
    "gap of zero": ([("tv", 20, 21), ("phone", 20, 22)], [(1,)]),
    "inside": ([("tv", 19, 23), ("phone", 20, 21), ("tablet", 21, 22)], [(1,)]),
    "within": ([("tv", 20, 21), ("phone", 20, 21)], [(2,)]),
    "no plan": ([("tv", 20, 21), ("phone", 20, 21)], []),
    "upgrade": ([("tv", 19, 23), ("phone", 20, 23)], [(1,), (2, 21)]),
    "midnight": ([("tv", 23, 26), ("phone", 23.5, 27)], [(1,)]),
    # Ten seconds to the next title, and a stop that came late.
    "switch": ([("tv", 20, 21), ("tv", PHONE_NEXT, 22), ("tv", 21.99, 23)], [(1,)]),
    # Eight hours of pause, of which five minutes count: the first ends at 21:05.
    "paused": (
        [
            ("tv", 20, 29, {"seconds_paused": Decimal(28_800)}),
            ("phone", 20.5, 21),
            ("tablet", 22, 23),
        ],
        [(1,)],
    ),
    "no picture": ([("tv", 20, 21), ("phone", 20, 21, {"first_frame_at": None})], [(1,)]),
    "shop": ([("display", 10, 18)], [(1,)]),
    "shop's customer": ([("display", 10, 18)], [(1,)]),
    "evidence": (
        [("tv", 19, 23), ("phone", 20, 21, {"region": "Bavaria"}), ("late", 22.5, 23.5)],
        [(1,)],
    ),
    # A clock that ran backwards: the end is before the start.
    "backwards": ([("tv", 21, 20), ("phone", 20, 21)], [(1,)]),
}


def pieces_of(spark: SparkSession, start: date, end: date) -> DataFrame:
    plays = [
        play(who, device, begins, ends, **(more[0] if more else {}))
        for who, (made, _) in SCENES.items()
        for device, begins, ends, *more in made
    ]
    sessions = rows(spark, VIEWING_SESSIONS, *plays)
    return streams(by_day(intervals(sessions, RULES), start, end), RULES)


def plans_of(spark: SparkSession) -> DataFrame:
    told = [
        plan(who, screens, *(at(hour) for hour in since))
        for who, (_, plans) in SCENES.items()
        for screens, *since in plans
    ]
    return rows(spark, ACCOUNTS, *told)


@pytest.fixture(scope="module")
def found(spark: SparkSession) -> tuple[list[Row], list[Row]]:
    """Peaks and excesses of two days of all scenes."""
    pieces = pieces_of(spark, DAY, DAY + timedelta(days=2)).localCheckpoint()
    most = peaks(pieces).localCheckpoint()
    return most.collect(), excesses(pieces, most, plans_of(spark)).orderBy("from_at").collect()


Found = tuple[list[Row], list[Row]]
COUNTED = ("streams", "allowed", "plays", "devices", "networks", "comes_from_before", "goes_on")


def peak(found: Found, who: str) -> list[tuple[int, int]]:
    return [(row["streams"], row["peak"]) for row in found[0] if row["account_id"] == who]


def spans(found: Found, who: str) -> list[tuple[float, float, int]]:
    """Excesses as hours from the first midnight, with the most streams."""
    return [
        (
            (row["from_at"] - at(0)).total_seconds() / 3600,
            (row["until_at"] - at(0)).total_seconds() / 3600,
            row["streams"],
        )
        for row in found[1]
        if row["account_id"] == who
    ]


def test_a_play_that_ends_when_another_starts_does_not_overlap_it(found: Found) -> None:
    assert peak(found, "follows") == [(2, 1)]
    assert spans(found, "follows") == []


def test_a_gap_of_zero_between_starts_is_an_overlap(found: Found) -> None:
    assert spans(found, "gap of zero") == [(20, 21, 2)]


def test_one_end_and_one_start_at_the_same_moment_split_no_excess(found: Found) -> None:
    assert spans(found, "inside") == [(20, 22, 2)]
    (row,) = [row for row in found[1] if row["account_id"] == "inside"]
    assert [row[name] for name in COUNTED] == [2, 1, 3, 3, 3, False, False]
    assert row["excess_ms"] == 2 * 3_600_000


def test_an_account_within_its_plan_or_without_one_exceeds_nothing(found: Found) -> None:
    assert peak(found, "within") == peak(found, "no plan") == [(2, 2)]
    assert spans(found, "within") == spans(found, "no plan") == []


def test_a_plan_that_changes_in_the_middle_allows_more_from_then_on(found: Found) -> None:
    assert spans(found, "upgrade") == [(20, 21, 2)]


def test_an_overlap_over_midnight_and_a_change_of_clocks_counts_every_second(found: Found) -> None:
    # In Europe the clocks of 2026 go forward at 01:00 UTC on the 29th.
    assert spans(found, "midnight") == [(23.5, 24, 2), (24, 26, 2)]
    told = [
        (row["goes_on"], row["comes_from_before"])
        for row in found[1]
        if row["account_id"] == "midnight"
    ]
    assert told == [(True, False), (False, True)]


def test_a_title_switch_on_one_device_is_one_stream(found: Found) -> None:
    (row,) = [row for row in found[0] if row["account_id"] == "switch"]
    assert (row["streams"], row["peak"], row["peak_ms"]) == (1, 1, 3 * 3_600_000)
    assert spans(found, "switch") == []


def test_time_left_paused_does_not_hold_a_screen(found: Found) -> None:
    assert spans(found, "paused") == [(20.5, 21, 2)]


def test_a_play_without_a_picture_or_that_ends_before_it_starts_is_no_stream(found: Found) -> None:
    assert spans(found, "no picture") == spans(found, "backwards") == []
    assert peak(found, "backwards") == [(1, 1)]


def test_a_device_of_many_accounts_counts_in_each_alone(found: Found) -> None:
    assert peak(found, "shop") == peak(found, "shop's customer") == [(1, 1)]


def test_evidence_names_the_streams_in_order_of_time(found: Found) -> None:
    over = [row for row in found[1] if row["account_id"] == "evidence"]
    told = [[(each["device_id"], each["region"]) for each in row["evidence"]] for row in over]
    assert told == [
        [("tv", "Berlin"), ("phone", "Bavaria")],
        [("tv", "Berlin"), ("late", "Berlin")],
    ]
    assert [row["regions"] for row in over] == [2, 1]


@pytest.mark.thorough
def test_a_window_alone_finds_what_a_longer_one_does(spark: SparkSession, found: Found) -> None:
    apart = []
    for start in (DAY, DAY + timedelta(days=1)):
        pieces = pieces_of(spark, start, start + timedelta(days=1))
        apart += excesses(pieces, peaks(pieces), plans_of(spark)).collect()
    assert sorted(map(str, apart)) == sorted(map(str, found[1]))


# ---- against an oracle

HOURS = 30
SPANS = st.lists(
    st.tuples(
        st.sampled_from("ab"), st.integers(0, HOURS - 1), st.integers(1, 9), st.integers(1, 4)
    ),
    min_size=1,
    max_size=14,
)
PLANS = st.tuples(st.integers(1, 2), st.integers(0, HOURS), st.integers(1, 3))


def oracle(
    spans: Sequence[tuple[str, int, int, int]], plans: dict[str, tuple[int, int, int]]
) -> set[tuple[Any, ...]]:
    """Count every hour by itself, and put together hours in a row of which each is too many."""
    told = set()
    for who, (before, changes, later) in plans.items():
        for first in range(0, 48, 24):
            run: list[tuple[int, int]] = []
            for hour in range(first, first + 25):
                now = sum(
                    1
                    for a, start, length, _ in spans
                    if a == who and start <= hour < start + length
                )
                allowed = before if hour < changes else later
                if hour < first + 24 and now > allowed:
                    run.append((now, allowed))
                elif run:
                    peak, least = max(n for n, _ in run), min(a for _, a in run)
                    told.add((who, hour - len(run), hour, peak, least, sum(n - a for n, a in run)))
                    run = []
    return told


@pytest.mark.thorough
@settings(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.tuples(SPANS, PLANS, PLANS), min_size=25, max_size=25))
def test_the_sweep_finds_what_counting_every_hour_finds(
    spark: SparkSession, drawn: list[Any]
) -> None:
    made, wanted, plans = [], set(), []
    zero = micros(at(0))
    hour = 3_600_000_000
    for number, (spans, *both) in enumerate(drawn):
        own = dict(zip("ab", both, strict=True))
        for place, (who, start, length, _) in enumerate(spans):
            name = f"{who}{number}"
            made.append(
                (
                    name,
                    f"d{place}",
                    f"p{place:02}",
                    "n",
                    "DE",
                    "x",
                    zero + start * hour,
                    zero + (start + length) * hour,
                )
            )
        for who, (before, changes, later) in own.items():
            plans += [plan(f"{who}{number}", before), plan(f"{who}{number}", later, at(changes))]
        wanted |= {(f"{who}{number}", *rest) for who, *rest in oracle(spans, own)}
    pieces = by_day(spark.createDataFrame(made, STREAMS), DAY, DAY + timedelta(days=2))
    over = excesses(pieces, peaks(pieces), rows(spark, ACCOUNTS, *plans)).collect()
    told = {
        (
            row["account_id"],
            (micros(row["from_at"]) - zero) // hour,
            (micros(row["until_at"]) - zero) // hour,
            row["streams"],
            row["allowed"],
            row["excess_ms"] // 3_600_000,
        )
        for row in over
    }
    assert told == wanted
    for row in over:
        lives = [
            m
            for m in made
            if m[0] == row["account_id"]
            and m[6] < micros(row["until_at"])
            and m[7] > micros(row["from_at"])
        ]
        assert sorted(each["play_id"] for each in row["evidence"]) == sorted(m[2] for m in lives)
        assert row["plays"] == len(lives)
