"""Whom an incident struck, what each lost in its hours, and what would have helped."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import pytest
from pyspark.sql import SparkSession
from unit.tables.rows import rows

from cinelake.qoe.struck import Advising, compared, mitigations
from cinelake.tables.qoe import QOE_INCIDENTS, QOE_SESSIONS, SLICE

DAY = date(2026, 3, 11)
AT = datetime(2026, 3, 11, 20)
MINUTE = 60_000
FEW = Advising(least_in_stratum=2, least_sessions=2)
BLAMED = {"rank": 1, "metric": "stall", "cause": "cdn=drift|region=Bavaria", "is_blamed": True, "score": 30.0,
          "bad": 60, "total": 80, "expected": 2.5, "lift": 20.2, "contrast": None, "explained": 0.97}  # fmt: skip


def incident(**more: Any) -> dict[str, Any]:
    hour = {"cells": 2, "evidence": 9.0, "affected_sessions": 9.0, "lost_minutes": 20.0}
    # What was before the day is another day's row.
    line = [hour | {"bucket_at": AT - timedelta(days=1)}, hour | {"bucket_at": AT}]
    return {
        "incident_id": "i", "state_date": DAY, "state": "open", "metric": "stall", "cell": "cdn=drift",
        "opened_at": AT - timedelta(days=1), "last_alarm_at": AT, "timeline": line, "causes": [BLAMED],
    } | more  # fmt: skip


def session(stalled: float, hours_later: float = 0, **more: Any) -> dict[str, Any]:
    at = AT + timedelta(hours=hours_later)
    piece = dict.fromkeys(SLICE.names, 0) | {"slice_at": at, "stall_ms": round(stalled * MINUTE)}
    return {
        "session_date": at.date(), "started_at": at, "ended_at": at, "outcome": "played", "is_sound": True,
        "cdn": "drift", "isp": "Lindenglas", "region": "Bavaria", "connection": "fibre", "device_model": "Vistaron S",
        "app_version": "tv-8.5", "join_ms": 1000, "slices": [piece], "bits": 4_000_000, "bitrate_ms": 1000,
        "throughput_kbps": 9000, "throughput_beats": 1,
    } | more  # fmt: skip


def lost(spark: SparkSession, *sessions: dict[str, Any], **more: Any) -> list[tuple[bool, int]]:
    told = compared(
        rows(spark, QOE_INCIDENTS, incident(**more)), rows(spark, QOE_SESSIONS, *sessions), FEW
    )
    own = told.where("incident_id LIKE '%|cdn|%|0|0'").toArrow().to_pylist()
    return sorted((row["is_struck"], row["lost_ms"]) for row in own)


def test_what_a_session_lost_in_the_hours_of_an_incident(spark: SparkSession) -> None:
    told = lost(
        spark,
        session(2),
        # A start that failed was to be watched, a playback that failed half as long.
        session(0, cdn="aurora", outcome="start_failure", join_ms=None, wait_ms=5000, slices=[]),
        session(0, cdn="aurora", outcome="playback_failure"),
        # It began an hour before, and stalled in both hours; of the press nothing counts.
        session(3, -1, slices=session(3, -1)["slices"] + session(4)["slices"]),
        # Neither is of the hour, though one is of an hour of the day before; and times that cannot be tell nothing.
        session(9, 1),
        session(9, -24),
        session(9, is_sound=False),
    )
    assert told == [
        (False, 901_000),
        (False, 1_805_000),
        (True, 2 * MINUTE + 1000),
        (True, 4 * MINUTE),
    ]


def test_against_what_loses_nobody_any_time_nothing_is_advised(spark: SparkSession) -> None:
    sessions = [*(session(10) for _ in range(3)), *(session(1, cdn="aurora") for _ in range(3))]
    lived = rows(spark, QOE_SESSIONS, *sessions)
    metrics = ("stall", "dropped_frames", "low_bitrate")
    told = rows(spark, QOE_INCIDENTS, *(incident(incident_id=m, metric=m) for m in metrics))
    advised = mitigations(told, lived, FEW).select("incident_id").toArrow().to_pylist()
    assert {row["incident_id"] for row in advised} == {"stall"}


@pytest.mark.thorough
def test_where_nothing_is_blamed_the_strongest_cell_is(spark: SparkSession) -> None:
    elsewhere = session(1, region="Tokyo")
    assert [is_struck for is_struck, _ in lost(spark, elsewhere)] == [False]
    assert [is_struck for is_struck, _ in lost(spark, elsewhere, causes=[])] == [True]
    assert [is_struck for is_struck, _ in lost(spark, elsewhere, causes=[], cell="all")] == [True]
    unknown = session(1, isp=None)
    assert [s for s, _ in lost(spark, unknown, causes=[], cell="isp=unknown")] == [True]


def test_the_finest_likeness_that_tells_anything_is_taken(spark: SparkSession) -> None:
    """On another network Bavarians fared well; of the same network and device there is one only."""
    told = mitigations(
        rows(spark, QOE_INCIDENTS, incident()),
        rows(
            spark,
            QOE_SESSIONS,
            *(session(10) for _ in range(3)),
            *(session(1, cdn="aurora", device_model="Pomona Pad 9") for _ in range(3)),
            # Elsewhere all is well, and that tells nothing of Bavaria.
            *(session(0, cdn="crest", region="Tokyo") for _ in range(3)),
            # A lower bitrate on the same CDN, of players that could have had the same.
            *(session(4, bits=1_000_000) for _ in range(2)),
        ),
        FEW,
    )
    best = {
        (row["change"], row["alternative"]): row
        for row in told.orderBy("place").toArrow().to_pylist()
    }
    akin = best["cdn", "aurora"]
    assert (akin["verdict"], akin["alike_by"], akin["place"]) == (
        "would_have_helped",
        "isp+region",
        1,
    )
    assert (akin["struck"], akin["matched"], akin["compared"]) == (5, 5, 3)
    assert akin["saved_minutes"] == pytest.approx(3 * 9 + 2 * 3)
    assert best["cdn", "crest"]["verdict"] == "little_overlap"
    cap = best["bitrate_cap", "1500"]
    assert (cap["alike_by"], cap["struck"], cap["saved_minutes"]) == (
        "throughput+cdn+isp+region",
        3,
        pytest.approx(3 * 6),
    )
    # All were under the highest cap, and on one version of the app: there is nothing to hold them against.
    assert set(best) == {
        ("cdn", "aurora"),
        ("cdn", "crest"),
        ("bitrate_cap", "1500"),
        ("bitrate_cap", "3000"),
    }


@pytest.mark.thorough
def test_without_incidents_there_is_no_advice(spark: SparkSession) -> None:
    sessions = rows(spark, QOE_SESSIONS, session(1))
    assert mitigations(rows(spark, QOE_INCIDENTS), sessions, FEW).isEmpty()
