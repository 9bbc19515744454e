"""Incidents go on by what the watch tells, from where the batch has left them."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import typer
from pyspark.sql import SparkSession
from typer.testing import CliRunner
from unit.tables.rows import rows

from cinelake.qoe.commands import register
from cinelake.qoe.incidents import Merging
from cinelake.qoe.live.going_on import going_on, later
from cinelake.runtime.workspace import Workspace
from cinelake.tables.contract import Table
from cinelake.tables.qoe import QOE_INCIDENTS, QOE_ROLLUPS
from cinelake.tables.quality_live import QOE_ANOMALIES_LIVE, QOE_CELLS_LIVE

BATCH = date(2026, 3, 11)
MIDNIGHT = datetime(2026, 3, 12)


def alarm(at: datetime, cell: str = "cdn=drift", **more: Any) -> dict[str, Any]:
    return {"anomaly_date": at.date(), "bucket_at": at, "cell": cell, "metric": "stall", "is_alarm": True,
            "evidence": 9.0, "affected_sessions": 30.0, "lost_minutes": 20.0} | more  # fmt: skip


def known(**more: Any) -> dict[str, Any]:
    """An incident that had its last alarm in the last hour of the batch's newest day."""
    at = MIDNIGHT - timedelta(hours=1)
    hour = {"cells": 1, "evidence": 9.0, "affected_sessions": 10.0, "lost_minutes": 5.0}
    blamed = {"rank": 1, "cause": "cdn=drift|region=Bavaria", "is_blamed": True, "score": 30.0, "bad": 60,
              "total": 80, "expected": 2.5, "lift": 20.2, "contrast": None, "explained": 0.97}  # fmt: skip
    return {
        "incident_id": "9259502988b4", "state_date": BATCH, "state": "open", "opened_at": at,
        "peak_at": at, "last_alarm_at": at, "closed_at": None, "metric": "stall", "cell": "cdn=drift",
        "evidence": 9.0, "alarms": 1, "affected_sessions": 10.0, "lost_minutes": 5.0,
        "members": [{"cell": "cdn=drift", "metric": "stall", "last_at": at}],
        "timeline": [hour | {"bucket_at": at}], "verdict": "localised", "causes": [blamed],
    } | more  # fmt: skip


def test_alarms_of_days_that_the_batch_has_judged_are_its_own(spark: SparkSession) -> None:
    live = rows(
        spark, QOE_ANOMALIES_LIVE, alarm(MIDNIGHT - timedelta(hours=5)), alarm(MIDNIGHT),
        alarm(MIDNIGHT + timedelta(hours=1), is_alarm=False),
    )  # fmt: skip
    at = {
        "width": 60,
        "bucket_at": MIDNIGHT - timedelta(hours=2),
        "cell_date": BATCH,
        "cell": "all",
        "subset": "all",
    }
    batch = rows(spark, QOE_ROLLUPS, at)
    assert [row["bucket_at"] for row in later(live, batch).collect()] == [MIDNIGHT]
    assert later(live, batch.limit(0)).count() == 2


def test_an_alarm_goes_on_with_an_incident_or_opens_one() -> None:
    now = MIDNIGHT + timedelta(hours=1)
    other = alarm(MIDNIGHT, "app_version=7.1", metric="start_failure", affected_sessions=90.0)
    opened, went_on = going_on([known()], [alarm(MIDNIGHT), other], now, Merging())
    assert (went_on["incident_id"], went_on["state"], went_on["is_live"]) == (
        "9259502988b4",
        "open",
        True,
    )
    assert (went_on["affected_sessions"], went_on["causes"]) == (40.0, known()["causes"])
    assert (opened["cell"], opened["state"], opened["causes"]) == ("app_version=7.1", "open", [])
    assert opened["opened_at"] == MIDNIGHT
    # What has no alarm since is the batch's to tell.
    (only,) = going_on([known()], [other], now, Merging())
    assert only["cell"] == "app_version=7.1"
    assert going_on([known()], [], now, Merging()) == []


def test_state_is_as_of_the_newest_hour() -> None:
    def state(hours: int) -> tuple[str, datetime | None]:
        (row,) = going_on([], [alarm(MIDNIGHT)], MIDNIGHT + timedelta(hours=hours), Merging())
        return row["state"], row["closed_at"]

    assert state(0) == state(1) == ("open", None)
    assert state(2) == state(3) == ("recovering", None)
    assert state(4) == ("closed", MIDNIGHT + timedelta(hours=1))


def test_the_list_of_incidents_marks_what_is_live(spark: SparkSession) -> None:
    hour = {"width": 60, "bucket_at": MIDNIGHT, "cell_date": MIDNIGHT.date()}
    past = hour | {
        "bucket_at": MIDNIGHT - timedelta(hours=2),
        "cell_date": BATCH,
        "cell": "all",
        "subset": "all",
    }
    frames = {
        QOE_INCIDENTS: [known(), known(incident_id="other", cell="isp=x", members=[], causes=[])],
        QOE_ROLLUPS: [past],
        QOE_CELLS_LIVE: [hour],
        QOE_ANOMALIES_LIVE: [alarm(MIDNIGHT)],
    }

    def read(table: Table) -> Any:
        return rows(spark, table, *frames[table])

    lake = SimpleNamespace(exists=lambda table: table in frames, read=read)
    workspace = SimpleNamespace(lake=lake, settings=SimpleNamespace(jobs={}))
    app = typer.Typer()
    register(app, lambda: cast(Workspace, workspace))
    said = CliRunner().invoke(app, ["incidents"]).output
    assert "9259502988b4  live, open, since 2026-03-11 23:00 UTC, 2 hours" in said
    assert "other  open, since 2026-03-11 23:00 UTC, 1 hour" in said
    assert "cdn=drift|region=Bavaria" in said
    assert said.count("9259502988b4") == 1
