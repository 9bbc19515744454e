"""What is shown of incidents, in words and in a picture."""

from __future__ import annotations

import io
from datetime import date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import typer
from pyspark.sql import SparkSession
from rich.console import Console
from typer.testing import CliRunner
from unit.qoe.rollup_rows import rolled
from unit.tables.rows import rows

from cinelake.qoe.anomalies import Alarming, anomalies
from cinelake.qoe.commands import as_advice, as_list, as_text, course, register
from cinelake.qoe.pictures import METRIC_NAMES, picture
from cinelake.qoe.ratios import of_groups
from cinelake.qoe.report import by_day, incidents, quality
from cinelake.qoe.shown import advised, around, latest, newest, struck
from cinelake.qoe.usual import Usual
from cinelake.report.page import Grid
from cinelake.runtime.workspace import Workspace
from cinelake.tables.maintenance import QOE_MAINTENANCE
from cinelake.tables.mitigation import QOE_MITIGATIONS
from cinelake.tables.qoe import QOE_ANOMALIES, QOE_INCIDENTS, QOE_ROLLUPS, QOE_SESSIONS

AT = datetime(2026, 3, 11, 10)
BLAMED = {"rank": 1, "metric": "stall", "cause": "cdn=drift|region=Bavaria", "is_blamed": True, "score": 30.0,
          "bad": 60, "total": 80, "expected": 2.5, "lift": 20.2, "contrast": None, "explained": 0.97}  # fmt: skip


HELP = {"incident_id": "9259502988b4", "state_date": date(2026, 3, 11), "change": "cdn", "alternative": "aurora",
        "place": 1, "verdict": "would_have_helped", "alike_by": "isp+region", "struck": 50, "matched": 40,
        "overlap": 0.8, "compared": 90, "lost_minutes": 41.2, "saved_minutes": 30.0, "least_saved_minutes": 12.0,
        "load": 0.5}  # fmt: skip


def incident(**more: Any) -> dict[str, Any]:
    hour = {"cells": 2, "evidence": 9.0, "lost_minutes": 20.0}
    later = AT + timedelta(hours=1)
    cells = ("cdn=drift", "cdn=drift|region=Bavaria")
    return {
        "incident_id": "9259502988b4", "state_date": date(2026, 3, 11), "state": "closed", "opened_at": AT,
        "peak_at": AT, "last_alarm_at": later, "closed_at": AT + timedelta(hours=2), "metric": "stall",
        "cell": cells[1], "evidence": 9.0, "alarms": 3, "affected_sessions": 40.0, "lost_minutes": 27.0,
        "members": [{"cell": cell, "metric": "stall", "last_at": AT} for cell in cells],
        "timeline": [hour | {"bucket_at": AT, "affected_sessions": 30.0},
                     hour | {"bucket_at": later, "affected_sessions": 10.0}],
        "verdict": "localised", "causes": [BLAMED],
    } | more  # fmt: skip


def said(shown: Any, width: int = 180) -> str:
    console = Console(file=io.StringIO(), width=width)
    console.print(shown)
    text: str = console.file.getvalue()  # type: ignore[attr-defined]
    return text


def test_an_incident_is_told_in_words() -> None:
    listed = said(
        as_list([incident(), incident(causes=[], state="open", last_alarm_at=AT)]), width=80
    )
    assert listed.splitlines() == [
        "9259502988b4  closed, since 2026-03-11 10:00 UTC, 2 hours",
        "    sessions that stalled for long in an hour: cdn=drift|region=Bavaria         ",
        "    40 sessions affected, 27 viewer minutes lost                                ",
        "9259502988b4  open, since 2026-03-11 10:00 UTC, 1 hour",
        # Where no cause is told apart, the cell with most evidence is a guess.
        "    sessions that stalled for long in an hour: cdn=drift|region=Bavaria?        ",
        "    40 sessions affected, 27 viewer minutes lost                                ",
    ]
    text = said(as_text(incident()))
    for wanted in (
        "40 sessions affected",
        "27 viewer minutes lost",
        "verdict: localised",
        "20.2",
        "97%",
    ):
        assert wanted in text
    late = {"rank": 2, "metric": "slow_start", "cause": "app_version=9"}
    both = said(as_text(incident(causes=[BLAMED, BLAMED | late])))
    assert f"app_version=9, {METRIC_NAMES['slow_start']}" in both


def test_the_picture_has_the_metric_the_cells_and_the_course(spark: SparkSession) -> None:
    service = rolled(spark, 10, lambda day, hour, *_: 9.0 if day == 9 and hour in (10, 11) else 1.0)
    cells = ["cdn=drift|region=Bavaria", "cdn=drift", "cdn=drift|region=Tokyo"]
    beside = around(service, incident(), cells, Usual()).toArrow().to_pylist()
    assert list(dict.fromkeys(row["cell"] for row in beside)) == cells
    own = [row for row in beside if row["cell"] == "cdn=drift"]
    # From twelve hours before to twelve hours after, as far as there is data.
    first, last = (row["bucket_at"].replace(tzinfo=None) for row in (own[0], own[-1]))
    assert (first, last) == (AT - timedelta(hours=12), AT + timedelta(hours=13))
    # The band is that by which alarms are told.
    day = AT.date()
    found = anomalies(
        service, day, day + timedelta(days=1), Usual(), Alarming(), rows(spark, QOE_MAINTENANCE)
    )
    told = {
        (row["cell"], row["bucket_at"]): row
        for row in found.where("is_alarm").toArrow().to_pylist()
    }
    judged = [
        (row, told[key]) for row in beside if (key := (row["cell"], row["bucket_at"])) in told
    ]
    assert len(judged) == 6
    for row, alarm in judged:
        assert row["usual"] == pytest.approx(alarm["expected_rate"])
        assert row["high"] == pytest.approx(alarm["expected_high"])
        assert 0 <= row["low"] < row["usual"] < row["high"] < row["bad"] / row["total"]

    figure = picture(incident(), beside)
    series, heat, line, *_ = figure.axes
    assert "sessions that stalled" in figure.get_suptitle()
    assert [label.get_text() for label in heat.get_yticklabels()] == cells
    assert [bar.get_height() for bar in line.patches] == [30.0, 10.0]
    usual, rate = series.lines
    mine = beside[:26]
    assert usual.get_ydata() == pytest.approx([100 * row["usual"] for row in mine])
    assert rate.get_ydata() == pytest.approx([100 * row["bad"] / row["total"] for row in mine])
    (band,) = series.collections
    heights = band.get_paths()[0].vertices[:, 1]
    assert max(heights) == pytest.approx(100 * max(row["high"] for row in mine))
    # An incident of which no cell is left is drawn, too.
    picture(incident(), [])
    shown = incidents([incident()], [(incident(), beside)], {"9259502988b4": HELP})
    assert len(shown.parts) == 2
    assert isinstance(shown.parts[0], Grid)
    assert shown.parts[0].rows[0][-1] == "CDN aurora: 30 min of 41"
    assert incidents([], [], {}).parts == []


def test_the_heat_map_tells_how_many_times_the_usual_and_is_blank_where_nothing_is_known() -> None:
    at = {"bucket_at": AT}
    known = {"usual": 0.1, "low": 0.0, "high": 0.2}
    new = {"usual": None, "low": None, "high": None}
    beside = [
        at | {"cell": "cdn=drift|region=Bavaria", "bad": 30, "total": 100} | known,
        at | {"cell": "isp=new", "bad": 30, "total": 100} | new,
        at | {"cell": "isp=empty", "bad": 0, "total": 0} | known,
    ]
    mesh = picture(incident(), beside).axes[1].collections[0]
    lifts = mesh.get_array()
    assert lifts.mask.ravel().tolist() == [False, True, True]
    assert lifts[0, 0] == pytest.approx(30.5 / 10.5)


def test_the_cells_that_are_drawn_are_those_that_were_struck_most(spark: SparkSession) -> None:
    alarm = {"anomaly_date": AT.date(), "bucket_at": AT, "metric": "stall", "is_alarm": True,
             "evidence": 9.0, "affected_sessions": 1.0}  # fmt: skip
    later = alarm | {"bucket_at": AT + timedelta(hours=1)}
    found = rows(
        spark,
        QOE_ANOMALIES,
        alarm | {"cell": "cdn=drift", "affected_sessions": 20.0},
        later | {"cell": "cdn=drift", "affected_sessions": 15.0},
        alarm | {"cell": "cdn=drift|region=Bavaria", "affected_sessions": 30.0},
        # Not of it: another cell, metric or time, and no alarm.
        alarm | {"cell": "cdn=aurora", "affected_sessions": 90.0},
        alarm | {"cell": "cdn=drift", "metric": "slow_start", "affected_sessions": 90.0},
        alarm
        | {"cell": "cdn=drift", "bucket_at": AT + timedelta(hours=2), "affected_sessions": 90.0},
        later | {"cell": "cdn=drift|region=Bavaria", "is_alarm": False, "affected_sessions": 90.0},
    )
    told = [tuple(row) for row in struck(found, incident()).collect()]
    assert told == [("cdn=drift", 35.0), ("cdn=drift|region=Bavaria", 30.0)]


@pytest.mark.thorough
def test_one_incident_is_told_and_drawn_from_the_lake(spark: SparkSession, tmp_path: Path) -> None:
    service = rolled(spark, 10, lambda day, hour, *_: 9.0 if day == 9 and hour in (10, 11) else 1.0)
    alarm = {"anomaly_date": AT.date(), "bucket_at": AT, "metric": "stall", "is_alarm": True,
             "evidence": 9.0, "affected_sessions": 30.0, "cell": "cdn=drift"}  # fmt: skip
    frames = {
        QOE_ROLLUPS: service,
        QOE_ANOMALIES: rows(spark, QOE_ANOMALIES, alarm),
        QOE_INCIDENTS: rows(spark, QOE_INCIDENTS, incident()),
        QOE_MITIGATIONS: rows(spark, QOE_MITIGATIONS, HELP),
    }
    lake = SimpleNamespace(exists=lambda table: table in frames, read=lambda table: frames[table])
    workspace = cast(Workspace, SimpleNamespace(lake=lake, settings=SimpleNamespace(jobs={})))
    # The cell with the strongest evidence is drawn though an alarm of it is no longer known.
    drawn = course(workspace, incident())
    assert list(dict.fromkeys(row["cell"] for row in drawn)) == [
        "cdn=drift|region=Bavaria",
        "cdn=drift",
    ]
    app = typer.Typer()
    register(app, lambda: workspace)
    out = tmp_path / "one.png"
    told = CliRunner().invoke(app, ["incident", "9259", "--out", str(out)])
    assert told.exit_code == 0, told.output
    assert "verdict: localised" in told.output
    assert "CDN aurora" in told.output
    assert out.stat().st_size > 20_000


def test_what_would_have_helped_is_told_of_the_newest_day(spark: SparkSession) -> None:
    older = HELP | {"state_date": date(2026, 3, 10), "alternative": "crest"}
    cap = HELP | {"change": "bitrate_cap", "alternative": "1500", "place": 2, "verdict": "uncertain",
                  "least_saved_minutes": None, "load": None}  # fmt: skip
    told = advised(rows(spark, QOE_MITIGATIONS, HELP, cap, older)).orderBy("place")
    text = said(as_advice(told.toArrow().to_pylist(), "stall"))
    for wanted in ("CDN aurora", "would have helped", "80%", "at most 1500 kbit/s", "isp+region"):
        assert wanted in text
    assert "crest" not in text
    assert "no advice: the struck had no alternative" in said(as_advice([], "stall"))
    # Older rows tell of what was no loss by this metric.
    blurred = said(as_advice(told.toArrow().to_pylist(), "low_bitrate"))
    assert "no advice: it is told of minutes lost" in blurred
    assert "CDN" not in blurred


def test_the_newest_row_of_an_incident_counts(spark: SparkSession) -> None:
    told = [
        incident(state="recovering", closed_at=None),
        incident(state_date=date(2026, 3, 12)),
        incident(
            incident_id="other", state="open", closed_at=None, last_alarm_at=AT + timedelta(hours=9)
        ),
    ]
    frame = rows(spark, QOE_INCIDENTS, *told)
    states = {row["incident_id"]: row["state"] for row in latest(frame).collect()}
    assert states == {"9259502988b4": "closed", "other": "open"}
    assert [row["incident_id"] for row in newest(frame, ("open", "recovering"), 5).collect()] == [
        "other"
    ]
    assert [row["incident_id"] for row in newest(frame, ("open", "closed"), 5).collect()] == [
        "other",
        "9259502988b4",
    ]


@pytest.mark.thorough
def test_the_report_tells_of_each_day_and_divides_by_nothing(spark: SparkSession) -> None:
    slots = {"join_buckets": [0, 1, *[0] * 14], "bitrate_buckets": [0] * 12}
    whole = {"width": 1440, "cell": "all", "subset": "all", **slots}
    told = {"attempts": 4, "start_failures": 1, "starts": 3, "play_ms": 90_000, "stall_ms": 10_000}
    frame = rows(
        spark,
        QOE_ROLLUPS,
        whole | told | {"cell_date": date(2026, 3, 10), "bits": 300_000, "bitrate_ms": 100},
        whole | {"cell_date": date(2026, 3, 11)},
        whole | {"cell": "cdn=drift", "cell_date": date(2026, 3, 11)},
    )
    first, last = by_day(frame).toArrow().to_pylist()
    assert (first["vsf"], first["cirr"], first["mbps"], first["join_s"]) == (0.25, 0.1, 3.0, 0.375)
    assert (last["vsf"], last["cirr"], last["mbps"]) == (None, None, None)
    played = {"play_ms": 9000, "stall_ms": 1000, "outcome": "played", "is_sound": True}
    sessions = rows(spark, QOE_SESSIONS, played)
    (named,) = of_groups(sessions, []).toArrow().to_pylist()
    *_, grid = quality([first, last], named).parts
    assert isinstance(grid, Grid)
    assert ("conviva_cirr", "10.00%") in grid.rows
    assert ("mean_bitrate_kbps", "–") in grid.rows
