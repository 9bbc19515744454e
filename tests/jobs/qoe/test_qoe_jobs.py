"""From records to incidents: each job makes the rows of its window, the same each time."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from unit.behaviour.bronze import bronze, judged_lines, landed_line
from unit.qoe.rollup_rows import FIRST, rolled
from unit.qoe.test_struck import DAY as STRUCK_ON
from unit.qoe.test_struck import incident, session
from unit.qoe.traces import WHO
from unit.tables.rows import rows, same

from cinelake.runtime.job import Job
from cinelake.runtime.runs.graph import discover
from cinelake.runtime.runs.rehearsal import RehearsalTracker, rehearse
from cinelake.runtime.tracking.runs import Tracking
from cinelake.runtime.windows import Window
from cinelake.sources.heartbeats import HEARTBEATS_SOURCE
from cinelake.sources.playback import PLAYBACK_SOURCE
from cinelake.tables.contract import Model
from cinelake.tables.ingest import BRONZE_HEARTBEATS, BRONZE_PLAYBACK
from cinelake.tables.maintenance import QOE_MAINTENANCE
from cinelake.tables.mitigation import QOE_MITIGATIONS
from cinelake.tables.qoe import (
    QOE_ANOMALIES,
    QOE_CELLS,
    QOE_INCIDENTS,
    QOE_ROLLUPS,
    QOE_SESSIONS,
)
from cinelake.tables.stalls import QOE_STALL_RISKS, STALLS

JOBS = {
    job.name: job for job in discover(Path(__file__).parents[3] / "jobs") if isinstance(job, Job)
}
DAY = date(2020, 5, 1)
MIDNIGHT = datetime(2020, 5, 1)


@pytest.mark.thorough
def test_records_become_sessions_cells_and_rollups(spark: SparkSession) -> None:
    told = [
        ("attempt", "1 10:58"),
        ("first_frame", "1 10:59"),
        ("rebuffer_start", "1 11:09"),
        ("rebuffer_end", "1 11:10"),
        ("stop", "1 11:20"),
    ]
    events = [
        landed_line(
            f"e{number}", at, **WHO, play_id="p", event=event, sequence=number, cause="network"
        )
        for number, (event, at) in enumerate(told)
    ]
    beats = [
        landed_line(
            "h0",
            "1 11:00",
            play_id="p",
            account_id="a",
            device_id="d",
            sequence=0,
            state="playing",
            position_s=1.0,
            played_s=30.0,
        )
    ]
    inputs = {
        BRONZE_PLAYBACK: bronze(spark, PLAYBACK_SOURCE, events),
        BRONZE_HEARTBEATS: bronze(spark, HEARTBEATS_SOURCE, beats),
    }
    sessions = rehearse(JOBS["build_qoe_sessions"], inputs, DAY)[QOE_SESSIONS].localCheckpoint()
    (row,) = sessions.collect()
    assert (row["play_ms"], row["stall_ms"], row["join_ms"], row["outcome"]) == (
        1_200_000,
        60_000,
        60_000,
        "played",
    )
    assert (row["region"], row["asn"]) == ("Bavaria", "64596")
    cells = rehearse(JOBS["sum_qoe_cells"], {QOE_SESSIONS: sessions}, DAY)[
        QOE_CELLS
    ].localCheckpoint()
    hours = {row["bucket_at"]: row for row in cells.where("width = 60").collect()}
    ten, eleven = hours[MIDNIGHT + timedelta(hours=10)], hours[MIDNIGHT + timedelta(hours=11)]
    assert (ten["attempts"], ten["slow_starts"], eleven["stalled_hours"], eleven["hours"]) == (
        1,
        1,
        1,
        1,
    )
    params = JOBS["roll_up_qoe_cells"].params.model_validate(
        {"subsets": ["all", "cdn"], "floor": 1}
    )
    rolled = rehearse(JOBS["roll_up_qoe_cells"], {QOE_CELLS: cells}, DAY, params=params)[
        QOE_ROLLUPS
    ]
    assert {(row["width"], row["cell"]) for row in rolled.collect()} == {
        (60, "all"), (60, "cdn=aurora"), (1440, "all"), (1440, "cdn=aurora"),
    }  # fmt: skip


@pytest.mark.thorough
def test_a_device_that_tells_other_units_is_no_play_that_was_left(spark: SparkSession) -> None:
    """From what landed: it is turned away by no source, and its bitrates and counts are not known."""
    told = [("attempt", None), ("first_frame", 3_000_000), ("quality_switch", -1), ("stop", None)]
    events = [
        landed_line(f"e{number}", f"1 11:0{number}", **WHO, play_id="p", event=event, sequence=number,
                    bitrate_kbps=rate)
        for number, (event, rate) in enumerate(told)
    ]  # fmt: skip
    wrong = {"bitrate_kbps": 3_000_000, "throughput_kbps": 900_000_000, "buffer_s": 30_000.0, "rebuffers": -1,
             "rebuffer_s": -2.0, "dropped_frames": -4}  # fmt: skip
    beats = [
        landed_line("h0", "1 11:02", play_id="p", account_id="a", device_id="d", sequence=0, state="playing",
                    position_s=1.0, played_s=30.0, **wrong)
    ]  # fmt: skip
    inputs = {
        table: judged_lines(spark, source, lines).where("size(_reasons) = 0").select(*table.names)
        for table, source, lines in (
            (BRONZE_PLAYBACK, PLAYBACK_SOURCE, events),
            (BRONZE_HEARTBEATS, HEARTBEATS_SOURCE, beats),
        )
    }
    (row,) = rehearse(JOBS["build_qoe_sessions"], inputs, DAY)[QOE_SESSIONS].collect()
    assert (row["outcome"], row["join_ms"], row["play_ms"], row["beats"]) == (
        "played",
        60_000,
        120_000,
        1,
    )
    assert row["oddities"] == ["bitrate_in_another_unit", "negative_count", "negative_time"]
    assert (row["bitrate_ms"], row["frames_ms"], row["throughput_beats"]) == (0, 0, 0)


def leaves(spark: SparkSession) -> DataFrame:
    """A week and a day of an hour in which a twentieth stalls; on the last day half of one CDN in one region does."""
    made: list[dict[str, Any]] = []
    for ago in range(8):
        for cdn in ("aurora", "drift"):
            for region in ("Bavaria", "Tokyo"):
                for model in ("Vistaron S", "Pomona Pad 9"):
                    bad = 20 if (ago, cdn, region) == (0, "drift", "Bavaria") else 2
                    made.append(
                        {"width": 60, "bucket_at": MIDNIGHT + timedelta(hours=20) - timedelta(days=ago),
                         "cell_date": DAY - timedelta(days=ago), "cdn": cdn, "region": region, "device_model": model,
                         "pop": "unknown", "hours": 40, "stalled_hours": bad}
                    )  # fmt: skip
    return rows(spark, QOE_CELLS, *made)


def test_alarms_become_an_incident_with_its_cause_which_goes_on(spark: SparkSession) -> None:
    at = MIDNIGHT + timedelta(hours=20)
    alarm = {
        "bucket_at": at,
        "anomaly_date": DAY,
        "metric": "stall",
        "is_alarm": True,
        "evidence": 20.0,
        "affected_sessions": 36.0,
    }
    anomalies = rows(
        spark,
        QOE_ANOMALIES,
        alarm | {"cell": "cdn=drift"},
        alarm | {"cell": "region=Bavaria", "evidence": 9.0},
    )
    job = JOBS["track_qoe_incidents"]
    inputs = {
        QOE_ANOMALIES: anomalies,
        QOE_CELLS: leaves(spark),
        QOE_INCIDENTS: rows(spark, QOE_INCIDENTS),
    }
    tracker = RehearsalTracker("qoe")
    first = rehearse(job, inputs, DAY, tracker=tracker)[QOE_INCIDENTS].localCheckpoint()
    assert tracker.metrics == {"opened": 1, "open": 0, "recovering": 0, "closed": 1, "localised": 1}
    (row,) = first.collect()
    assert (row["state"], row["cell"], row["alarms"], row["verdict"]) == (
        "closed",
        "cdn=drift",
        2,
        "localised",
    )
    (blamed,) = [cause for cause in row["causes"] if cause["is_blamed"]]
    assert (blamed["cause"], blamed["bad"], blamed["total"]) == ("cdn=drift|region=Bavaria", 40, 80)
    assert blamed["explained"] > 0.9
    same(rehearse(job, inputs, DAY)[QOE_INCIDENTS], first)


def test_without_alarms_nothing_is_opened(spark: SparkSession) -> None:
    inputs = {
        QOE_ANOMALIES: rows(spark, QOE_ANOMALIES),
        QOE_CELLS: rows(spark, QOE_CELLS),
        QOE_INCIDENTS: rows(spark, QOE_INCIDENTS),
    }
    assert rehearse(JOBS["track_qoe_incidents"], inputs, DAY)[QOE_INCIDENTS].isEmpty()


def test_what_came_of_the_search_for_anomalies_is_told(spark: SparkSession) -> None:
    """A day of one CDN bad in one region, work announced at another."""
    service = rolled(spark, 8, lambda day, hour, *_: 9.0 if (day, hour) == (7, 10) else 1.0)
    day = FIRST + timedelta(days=7)
    at = datetime.combine(day, datetime.min.time())
    work = {"maintenance_id": "w", "from_date": day, "number": 1, "starts_at": at, "ends_at": at + timedelta(days=1),
            "cdn": "aurora", "is_cancelled": False, "why": "new disks", "given_by": "them"}  # fmt: skip
    inputs = {QOE_ROLLUPS: service, QOE_MAINTENANCE: rows(spark, QOE_MAINTENANCE, work)}
    tracker = RehearsalTracker("qoe")
    job = JOBS["find_qoe_anomalies"]
    found = rehearse(job, inputs, day, tracker=tracker)[QOE_ANOMALIES].toArrow().to_pylist()
    assert tracker.metrics == {
        "threshold": max(row["threshold"] for row in found),
        "tries": pytest.approx(10 ** max(row["threshold"] for row in found)),
        "anomalies": len(found),
        "alarms": sum(row["is_alarm"] for row in found),
        "muted": sum(row["is_muted"] for row in found),
    }
    assert tracker.metrics["anomalies"] > tracker.metrics["alarms"] > 0 < tracker.metrics["muted"]


@pytest.mark.thorough
def test_an_empty_service_has_no_anomalies(spark: SparkSession) -> None:
    inputs = {table: rows(spark, table) for table in (QOE_ROLLUPS, QOE_MAINTENANCE)}
    found = rehearse(JOBS["find_qoe_anomalies"], inputs, DAY)
    assert found[QOE_ANOMALIES].isEmpty()


@pytest.mark.thorough
def test_advice_is_given_on_the_days_on_which_an_incident_gave_alarms(spark: SparkSession) -> None:
    told = rows(
        spark,
        QOE_INCIDENTS,
        incident(),
        # It recovers the day after, and nobody is struck any more.
        incident(state_date=STRUCK_ON + timedelta(days=1), state="recovering"),
    )
    sessions = rows(
        spark,
        QOE_SESSIONS,
        *(session(10) for _ in range(40)),
        *(session(1, cdn="aurora") for _ in range(40)),
    )
    inputs = {QOE_INCIDENTS: told, QOE_SESSIONS: sessions}
    job = JOBS["advise_on_qoe_incidents"]
    tracker = RehearsalTracker("qoe")
    until = STRUCK_ON + timedelta(days=2)
    found = rehearse(job, inputs, STRUCK_ON, until, tracker=tracker)[QOE_MITIGATIONS]
    assert tracker.metrics == {
        "would_have_helped": 1, "uncertain": 0, "no_gain": 0, "little_overlap": 0,
    }  # fmt: skip
    (row,) = found.toArrow().to_pylist()
    assert (row["state_date"], row["alternative"], row["verdict"], row["saved_minutes"]) == (
        STRUCK_ON,
        "aurora",
        "would_have_helped",
        360,
    )


def heard(days: int) -> tuple[list[str], list[str]]:
    """Plays of which every third runs low on buffer, and stalls half a minute later, most times."""
    events, beats = [], []
    for day in range(1, days + 1):
        for number in range(24):
            play, at = f"p{day}-{number}", f"{day} {number}:"
            about = WHO | {"play_id": play, "cause": "network"}
            told = [
                "attempt",
                "first_frame",
                *(["rebuffer_start"] if number % 3 == 0 and day % 4 else []),
            ]
            events += [
                landed_line(f"{play}-e{n}", f"{at}{n * 6:02}", **about, event=event, sequence=n)
                for n, event in enumerate(told)
            ]
            # The last before the stall, which comes in the twelfth minute, is of the eleventh.
            for n, minute in enumerate((9, 10, 11)):
                low = number % 3 == 0 and minute == 11
                beats.append(
                    landed_line(
                        f"{play}-h{n}", f"{at}{minute:02}", play_id=play, account_id="a", device_id="d", sequence=n,
                        state="playing", position_s=1.0, played_s=30.0, buffer_s=2.0 if low else 30.0 + number,
                        throughput_kbps=9000, bitrate_kbps=3000, cdn="aurora", pop="aurora-1",
                    )
                )  # fmt: skip
    return events, beats


@pytest.mark.thorough
@pytest.mark.timeout(600)
def test_stalls_are_learned_registered_and_told_of_by_cell(
    spark: SparkSession, tmp_path: Path
) -> None:
    events, beats = heard(22)
    inputs = {
        BRONZE_PLAYBACK: bronze(spark, PLAYBACK_SOURCE, events).localCheckpoint(),
        BRONZE_HEARTBEATS: bronze(spark, HEARTBEATS_SOURCE, beats).localCheckpoint(),
    }
    tracking = Tracking(f"sqlite:///{tmp_path}/mlflow.db", str(tmp_path / "artifacts"))
    learn, tell = JOBS["train_stalls"], JOBS["predict_stalls"]
    recipe = {"recipe": {"days": 20, "trees": 3, "depth": 2, "least_in_leaf": 5, "others": 4}}
    day = date(2020, 5, 22)

    def train() -> None:
        tracker = tracking.start("qoe", learn.name, Window.of_day(day), "run")
        rehearse(learn, inputs, day, params=learn.params.model_validate(recipe), tracker=tracker)
        tracker.finish()

    train()
    train()
    (version,) = tracking.versions(STALLS)
    assert version.approved
    assert "precision at recall 0.30" in version.reason
    files = {file.path for file in tracking.client.list_artifacts(version.run_id)}
    assert {"reliability.png", "learning_curve.png", "by_cell.csv", "model_card.html"} <= files
    metrics = tracking.report(version).metrics
    assert metrics["model.precision_at_recall_30"] > 0.5 > metrics["base_rate"] > 0

    tracker = tracking.start("qoe", tell.name, Window.of_day(day), "run")
    told = rehearse(tell, inputs, day, models={STALLS.name: version}, tracker=tracker)
    rows_ = told[QOE_STALL_RISKS].toArrow().to_pylist()
    assert {row["model_version"] for row in rows_} == {1}
    sums = {
        name: sum(row[name] for row in rows_)
        for name in ("moments", "stalled", "at_risk", "foreseen")
    }
    # At least the share is foreseen that the threshold is for, and nothing but these is at risk.
    assert (sums["moments"], sums["stalled"]) == (72, 8)
    assert 2 <= sums["foreseen"] == sums["at_risk"]
    # Without a model nothing is said.
    assert rehearse(tell, inputs, day)[QOE_STALL_RISKS].isEmpty()


@pytest.mark.thorough
def test_where_nothing_ever_stalls_nothing_is_learned(spark: SparkSession) -> None:
    events, beats = heard(6)
    calm = [event for event in events if "rebuffer" not in event]
    inputs = {
        BRONZE_PLAYBACK: bronze(spark, PLAYBACK_SOURCE, calm),
        BRONZE_HEARTBEATS: bronze(spark, HEARTBEATS_SOURCE, beats),
    }
    tracker = Unregistered("qoe")
    rehearse(JOBS["train_stalls"], inputs, date(2020, 5, 6), tracker=tracker)
    assert "0 were followed by a stall" in str(tracker.tags["skipped"])


class Unregistered(RehearsalTracker):
    """A tracker that knows no version."""

    def resume(self, model: Model, fingerprint: str) -> None:
        return None
