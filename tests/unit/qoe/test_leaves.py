"""What the search for the cause of an incident is given: its hours so far, and calm ones before it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from unit.tables.rows import rows

from cinelake.qoe.causes import Search, history, leaves_of, with_causes
from cinelake.tables.qoe import QOE_CELLS, QOE_INCIDENTS

FIRST = date(2026, 3, 11)
SECOND = FIRST + timedelta(days=1)
AT = datetime(2026, 3, 11, 22)
MIDNIGHT = AT + timedelta(hours=2)
WEEK = [datetime(2026, 3, day, hour) for day in range(4, 13) for hour in (0, 22)]
STRUCK = ("drift", "Bavaria")


def cells(
    spark: SparkSession,
    bad: dict[tuple[datetime, str, str], int],
    failed: dict[tuple[datetime, str], int] | None = None,
) -> DataFrame:
    """40 sessions in every hour and place, of which two stall but for those that are told of; so do starts fail, by
    device.
    """
    made = [
        {"width": 60, "bucket_at": at, "cell_date": at.date(), "cdn": cdn, "region": region,
         "device_model": model, "pop": "unknown", "hours": 40,
         "stalled_hours": bad.get((at, cdn, region), 2),
         "attempts": 40, "start_failures": (failed or {}).get((at, model), 2)}
        for at in WEEK
        for cdn in ("aurora", "drift")
        for region in ("Bavaria", "Tokyo")
        for model in ("Vistaron S", "Pomona Pad 9")
    ]  # fmt: skip
    return rows(spark, QOE_CELLS, *made)


def incident(day: date, *alarms: datetime, **more: Any) -> dict[str, Any]:
    hour = {"cells": 1, "evidence": 9.0, "affected_sessions": 30.0, "lost_minutes": 20.0}
    return {
        "incident_id": "9259502988b4", "state_date": day, "state": "open", "opened_at": alarms[0],
        "peak_at": alarms[0], "last_alarm_at": alarms[-1], "closed_at": None, "metric": "stall",
        "cell": "cdn=drift", "evidence": 9.0, "alarms": len(alarms), "affected_sessions": 30.0,
        "lost_minutes": 20.0, "timeline": [hour | {"bucket_at": at} for at in alarms],
        "members": [{"cell": "cdn=drift", "metric": "stall", "last_at": alarms[-1]}],
    } | more  # fmt: skip


def told(
    leaves: DataFrame, today: Mapping[str, dict[str, Any]], before: Mapping[str, dict[str, Any]]
) -> dict[str, dict[str, Any]]:
    """What is told of incidents of one day, by their ids."""
    spark, search = leaves.sparkSession, Search()
    (day,) = {each["state_date"] for each in today.values()}
    names = [name for name in QOE_INCIDENTS.names if name not in ("verdict", "causes")]
    of_today, of_before = (
        [each | {"incident_id": name} for name, each in told_of.items()]
        for told_of in (today, before)
    )
    found = with_causes(
        rows(spark, QOE_INCIDENTS, *of_today).select(*names),
        rows(spark, QOE_INCIDENTS, *of_before),
        history(leaves, day, search.history_days),
        day,
        search,
    )
    return {row["incident_id"]: row for row in found.toArrow().to_pylist()}


@pytest.fixture(scope="module")
def leaves(spark: SparkSession) -> DataFrame:
    """Half of one CDN in one region stalls in an hour, and two more elsewhere in the night after it."""
    return cells(spark, {(AT, *STRUCK): 20, (MIDNIGHT, "drift", "Tokyo"): 4}).localCheckpoint()


@pytest.fixture(scope="module")
def first(leaves: DataFrame) -> dict[str, Any]:
    """The incident on its first day."""
    return told(leaves, {"i": incident(FIRST, AT)}, {})["i"]


@pytest.fixture(scope="module")
def later(leaves: DataFrame, first: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The day after: it goes on, or has no alarm any more, or what is weak in the night is one by itself."""
    today = {
        "goes on": incident(SECOND, AT, MIDNIGHT),
        "quiet": incident(SECOND, AT, state="recovering"),
        "alone": incident(SECOND, MIDNIGHT),
    }
    return told(leaves, today, {"goes on": first, "quiet": first})


def blamed(row: dict[str, Any]) -> list[str]:
    return [cause["cause"] for cause in row["causes"] if cause["is_blamed"]]


def test_a_weak_hour_of_the_second_day_does_not_replace_the_cause_of_the_first(
    first: dict[str, Any], later: dict[str, dict[str, Any]]
) -> None:
    assert (first["verdict"], blamed(first)) == ("localised", ["cdn=drift|region=Bavaria"])
    alone, second = later["alone"], later["goes on"]
    assert (alone["verdict"], blamed(alone)) == ("no_rise", [])
    assert (second["verdict"], blamed(second)) == ("localised", ["cdn=drift|region=Bavaria"])
    # Both hours are searched.
    assert second["causes"][0]["total"] == 160


def test_without_an_alarm_or_any_history_an_incident_keeps_its_cause(
    leaves: DataFrame, first: dict[str, Any], later: dict[str, dict[str, Any]]
) -> None:
    quiet = later["quiet"]
    assert (quiet["verdict"], quiet["causes"]) == (first["verdict"], first["causes"])
    # It has gone on for longer than is looked back.
    since = leaves.where("bucket_at >= '2026-03-11 22:00:00'")
    today = {"old": incident(SECOND, AT, MIDNIGHT), "new": incident(SECOND, MIDNIGHT)}
    found = told(since, today, {"old": first})
    old, new = found["old"], found["new"]
    assert (old["verdict"], old["causes"]) == (first["verdict"], first["causes"])
    assert (new["verdict"], new["causes"]) == ("no_history", [])


def test_what_an_earlier_incident_did_is_no_history(spark: SparkSession) -> None:
    earlier = AT - timedelta(days=3)
    leaves = cells(spark, {(AT, *STRUCK): 8, (earlier, *STRUCK): 36}).localCheckpoint()
    found = leaves_of(rows(spark, QOE_INCIDENTS, incident(FIRST, AT)), leaves, FIRST)
    (row,) = (
        found.where("cdn = 'drift' AND region = 'Bavaria'")
        .groupBy()
        .sum("bad", "total", "past_bad", "past_total")
        .collect()
    )
    # Seven days before, and of each device, without the day on which it was as bad.
    assert tuple(row) == (16, 80, 24, 480)
    found_of = told(leaves, {"i": incident(FIRST, AT)}, {})["i"]
    assert blamed(found_of) == ["cdn=drift|region=Bavaria"]


def test_another_fault_at_the_same_time_is_found_in_its_own_metric(spark: SparkSession) -> None:
    """A CDN in one region stalls while a device fails to start, and both show in the whole service."""
    told_of = cells(spark, {(AT, *STRUCK): 30}, {(AT, "Vistaron S"): 15}).localCheckpoint()
    members = [
        {"cell": cell, "metric": metric, "last_at": AT}
        for metric in ("start_failure", "stall")
        for cell in ("all", "region=Bavaria")
    ]
    row = told(told_of, {"i": incident(FIRST, AT, members=members)}, {})["i"]
    causes = [(each["metric"], each["cause"]) for each in row["causes"] if each["is_blamed"]]
    assert causes == [
        ("stall", "cdn=drift|region=Bavaria"),
        ("start_failure", "device_model=Vistaron S"),
    ]
