"""The live watch comes to the cells of the batch, however records come in, and tells of alarms as they do."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from unit.behaviour.bronze import bronze, keys, landed_line, moment
from unit.qoe.traces import WHO
from unit.tables.rows import rows, same

from cinelake.qoe.cells import cells
from cinelake.qoe.heard import BEAT_COLUMNS
from cinelake.qoe.live.commands import CHECKPOINT, Watch
from cinelake.qoe.live.foreseen import Foresight
from cinelake.qoe.live.settings import Watching, configured
from cinelake.qoe.live.step import ahead
from cinelake.qoe.rollups import UnknownDimension
from cinelake.qoe.sessions import qoe_sessions
from cinelake.qoe.stalls.moments import FEATURES, NEEDED, moments
from cinelake.qoe.stalls.risks import risks
from cinelake.qoe.stalls.trees import LEAF, Boosted
from cinelake.runtime.delta.commits import Note
from cinelake.runtime.delta.lake import Lake
from cinelake.sources.bronze import payload
from cinelake.sources.heartbeats import HEARTBEATS_SOURCE
from cinelake.sources.playback import PLAYBACK_SOURCE
from cinelake.tables.contract import Table
from cinelake.tables.ingest import BRONZE_HEARTBEATS, BRONZE_PLAYBACK
from cinelake.tables.qoe import QOE_CELLS, QOE_ROLLUPS, QOE_SESSIONS
from cinelake.tables.quality_live import (
    QOE_ANOMALIES_LIVE,
    QOE_CELLS_LIVE,
    QOE_MOMENTS_LIVE,
    QOE_SESSIONS_LIVE,
    QOE_STALL_RISKS_LIVE,
)
from cinelake.tables.stalls import QOE_STALL_RISKS

pytestmark = [pytest.mark.thorough, pytest.mark.timeout(600)]
START, END = date(2020, 5, 1), date(2020, 5, 4)
NOTE = Note(run="test", job="test", code="0", action="append")
AT_ONCE: dict[str, Any] = {"availableNow": True}


def play(name: str, told: str, received: str | None = None, /, **more: Any) -> list[str]:
    """Events as `1 10:58 attempt, 1 10:59 first_frame`: day, time and what."""
    lines = []
    for number, each in enumerate(told.split(", ")):
        day, clock, event = each.split()
        at = f"{day} {clock}"
        about = (
            WHO | {"play_id": name, "event": event, "sequence": number, "cause": "network"} | more
        )
        lines.append(landed_line(f"{name}-e{number}", at, received, **about))
    return lines


def beat(name: str, number: int, at: str, received: str | None = None, /, **more: Any) -> str:
    about = {"play_id": name, "account_id": "a", "device_id": "d", "sequence": number, "state": "playing",
             "position_s": 1.0, "played_s": 30.0}  # fmt: skip
    return landed_line(f"{name}-h{number}", at, received, **(about | more))


STALLED = "1 10:58 attempt, 1 10:59 first_frame, 1 11:09 rebuffer_start, 1 11:10 rebuffer_end, 1 11:20 stop"
# What comes in first, then, and at last: its events, and its heartbeats.
PARTS: list[tuple[list[str], list[str]]] = [
    (
        # One is cut by the end of the part, and one has only been pressed.
        [*play("cut", STALLED)[:3], *play("pressed", "1 11:30 attempt")],
        # Of one that plays over midnight a heartbeat of the second day comes before all else.
        [beat("cut", 0, "1 11:00"), beat("night", 3, "2 00:01")],
    ),
    (
        [
            *play("cut", STALLED)[3:],
            # Its clock is hours ahead: it is dated by its receipt, and makes nothing late.
            *play("ahead", "2 09:00 attempt, 2 09:01 first_frame, 2 09:30 stop", "1 12:00"),
            *play("night", "1 23:50 attempt, 1 23:51 first_frame, 2 00:20 error"),
        ],
        [beat("cut", 0, "1 11:00"), beat("night", 1, "1 23:52")],
    ),
    (
        # Late by half a day, and in good time for the watermark; a copy of what is known; and one of the third day.
        [
            *play("late", "1 13:00 attempt, 1 13:01 error", "2 10:00"),
            *play("cut", STALLED)[:1],
            *play("next", "3 08:00 attempt, 3 08:01 first_frame, 3 08:30 stop"),
        ],
        [beat("next", 0, "3 08:10", stalled=None)],
    ),
]


def take_in(lake: Lake, events: Sequence[str], beats: Sequence[str]) -> None:
    spark = lake.spark
    lake.append(BRONZE_PLAYBACK, bronze(spark, PLAYBACK_SOURCE, events), NOTE)
    lake.append(BRONZE_HEARTBEATS, bronze(spark, HEARTBEATS_SOURCE, beats), NOTE)


def watched(
    lake: Lake, settings: Watching | None = None, foresight: Foresight | None = None
) -> list[str]:
    told: list[str] = []
    watch = Watch(lake, keys(lake.spark), settings or Watching(), told.append, lambda _: foresight)
    watch.run(AT_ONCE)
    return told


def of_batch(lake: Lake) -> tuple[DataFrame, DataFrame]:
    settings = Watching()
    sessions = qoe_sessions(
        payload(lake.read(BRONZE_PLAYBACK), PLAYBACK_SOURCE),
        payload(lake.read(BRONZE_HEARTBEATS), HEARTBEATS_SOURCE, *BEAT_COLUMNS),
        keys(lake.spark),
        START,
        END,
        settings.grace_s,
    ).select(*QOE_SESSIONS.names)
    found = cells(sessions, START, END, settings.bearable, (5, 60)).select(*QOE_CELLS.names)
    return sessions.localCheckpoint(), found.localCheckpoint()


@pytest.fixture
def lake(spark: SparkSession, tmp_path: Path) -> Lake:
    return Lake(spark, str(tmp_path / "lake"))


def test_live_sessions_and_cells_are_those_of_the_batch(lake: Lake) -> None:
    for events, beats in PARTS:
        take_in(lake, events, beats)
        watched(lake)
    sessions, found = of_batch(lake)
    assert sessions.count() == 6
    same(lake.read(QOE_SESSIONS_LIVE), sessions)
    same(lake.read(QOE_CELLS_LIVE), found)
    # A step that was killed after it had written is done again, from the checkpoint before it.
    state = lake.root + "/" + CHECKPOINT
    for file in sorted(Path(state, "commits").glob("*2")):
        file.unlink()
    watched(lake)
    same(lake.read(QOE_CELLS_LIVE), found)


def test_all_at_once_comes_to_the_same(lake: Lake) -> None:
    for events, beats in PARTS:
        take_in(lake, events, beats)
    watched(lake)
    _, found = of_batch(lake)
    same(lake.read(QOE_CELLS_LIVE), found)


def exits(lake: Lake) -> dict[int, tuple[int, int]]:
    """Attempts and exits before the start by the hour of the press, as the watch counts them."""
    hours = lake.read(QOE_CELLS_LIVE).where("width = 60").groupBy("bucket_at")
    counted = hours.agg(
        F.sum("attempts").alias("attempts"), F.sum("exits_before_start").alias("exits")
    )
    return {row["bucket_at"].hour: (row["attempts"], row["exits"]) for row in counted.collect()}


def test_a_play_that_joins_still_was_not_left(lake: Lake) -> None:
    take_in(
        lake,
        [
            *play("slow", "1 10:59 attempt"),
            *play("left", "1 10:58 attempt, 1 10:59 stop"),
            *play("other", "1 10:50 attempt, 1 10:51 first_frame"),
        ],
        [beat("other", 0, "1 10:59")],
    )
    watched(lake)
    # Who says that he leaves has left.
    assert exits(lake) == {10: (2, 1)}
    take_in(lake, [*play("slow", "1 10:59 attempt, 1 11:00 first_frame")[1:],
                   *play("mute", "1 11:00 attempt")], [])  # fmt: skip
    watched(lake)
    assert exits(lake) == {10: (3, 1)}
    # Nothing more of the play, nor of its hour, and it was left after all: the batch will say the same.
    take_in(lake, play("next", "1 13:30 attempt, 1 13:31 error"), [beat("next", 0, "1 13:30")])
    watched(lake)
    assert exits(lake)[11] == (1, 1)
    _, found = of_batch(lake)
    same(lake.read(QOE_CELLS_LIVE), found)


def test_a_watch_that_is_begun_late_leaves_what_the_batch_has_said_to_it(lake: Lake) -> None:
    at = datetime(2020, 5, 3)
    said = {
        "session_date": at.date(),
        "started_at": at,
        "ended_at": at,
        "outcome": "played",
        "is_sound": True,
    }
    known = rows(lake.spark, QOE_SESSIONS, said)
    lake.append(QOE_SESSIONS, known, NOTE)
    for events, beats in PARTS:
        take_in(lake, events, beats)
    watched(lake)
    told = lake.read(QOE_SESSIONS_LIVE).select("session_date").distinct().collect()
    # Of the play over the night only what was after midnight is heard of.
    assert sorted(row["session_date"] for row in told) == [date(2020, 5, 2), date(2020, 5, 3)]


def test_days_that_the_batch_has_said_are_taken_out(lake: Lake) -> None:
    for events, beats in PARTS:
        take_in(lake, events, beats)
    take_in(lake, play("over", "2 23:50 attempt, 2 23:51 first_frame, 3 00:20 stop"), [])
    watched(lake)

    def days(table: Table, day: str) -> list[int]:
        return sorted(row[0].day for row in lake.read(table).select(day).distinct().collect())

    assert days(QOE_SESSIONS_LIVE, "session_date") == [1, 2, 3]
    assert days(QOE_CELLS_LIVE, "cell_date") == [1, 2, 3]
    # The batch has come to the third day, and knows of the first two otherwise.
    at = datetime(2020, 5, 3)
    told = {"width": 60, "bucket_at": at, "cell_date": at.date(), "cell": "all", "subset": "all"}
    lake.append(QOE_ROLLUPS, rows(lake.spark, QOE_ROLLUPS, told), NOTE)
    said = {
        "session_date": at.date(),
        "started_at": at,
        "ended_at": at,
        "outcome": "played",
        "is_sound": True,
    }
    lake.append(QOE_SESSIONS, rows(lake.spark, QOE_SESSIONS, said), NOTE)
    take_in(
        lake, play("more", "3 10:00 attempt, 3 10:01 first_frame"), [beat("more", 0, "3 10:02")]
    )
    watched(lake)
    assert days(QOE_CELLS_LIVE, "cell_date") == [3]
    # Plays of the day before may have gone on in it.
    assert days(QOE_SESSIONS_LIVE, "session_date") == [2, 3]


def usually(spark: SparkSession, day: int) -> DataFrame:
    """What the batch says of ten o'clock on a day: of forty presses one failed."""
    at = datetime(2020, 5, day, 10)
    return rows(
        spark, QOE_ROLLUPS,
        {"width": 60, "bucket_at": at, "cell_date": at.date(), "cell": "all", "subset": "all", "attempts": 40,
         "start_failures": 1, "starts": 39},
    )  # fmt: skip


def test_an_alarm_is_told_once_and_in_the_hour_of_it(lake: Lake) -> None:
    for day in range(1, 9):
        lake.append(QOE_ROLLUPS, usually(lake.spark, day), NOTE)
    events = []
    for number in range(40):
        at, ends = f"9 10:{number:02}", "error" if number < 30 else "first_frame"
        events += play(f"p{number}", f"{at} attempt, {at} {ends}")
    take_in(lake, events, [beat("p39", 0, "9 10:40")])
    told = watched(lake)
    assert any(
        "2020-05-09 10h all: attempts that failed to start, 30 of 40" in line for line in told
    )
    alarms = lake.read(QOE_ANOMALIES_LIVE).where("is_alarm").toArrow().to_pylist()
    assert {row["metric"] for row in alarms} == {"start_failure"}
    assert {row["bucket_at"].hour for row in alarms} == {10}
    # The hour goes on, and is looked at again: it takes more than the threshold of one look, which is 1 here.
    assert {row["threshold"] for row in alarms} == {1 + math.log10(Watching().looks)}
    # More of the same hour is no news; and once it is over, though nobody spoke of it again, one look counts.
    take_in(lake, play("more", "9 10:50 attempt, 9 10:51 error"), [])
    assert watched(lake) == []
    take_in(lake, play("later", "9 12:00 attempt, 9 12:01 first_frame"), [])
    assert watched(lake) == []
    over = lake.read(QOE_ANOMALIES_LIVE).where("is_alarm").toArrow().to_pylist()
    assert {(row["bucket_at"].hour, row["threshold"]) for row in over} == {(10, 1.0)}


def test_what_the_batch_says_of_a_day_goes_before_what_the_watch_said(spark: SparkSession) -> None:
    def cell(day: int, attempts: int) -> dict[str, Any]:
        at = datetime(2020, 5, day, 10)
        return {"width": 60, "bucket_at": at, "cell_date": at.date(), "attempts": attempts}

    batch = rows(spark, QOE_CELLS, cell(1, 5), cell(2, 6))
    live = rows(spark, QOE_CELLS, cell(2, 7), cell(3, 8))
    same(
        ahead(batch, live, "cell_date"), rows(spark, QOE_CELLS, cell(1, 5), cell(2, 6), cell(3, 8))
    )
    same(ahead(batch.limit(0), live, "cell_date"), live)


def test_the_watch_is_set_as_the_jobs_are(lake: Lake) -> None:
    told = configured(
        {"build_qoe_sessions": {"grace_s": 90}, "roll_up_qoe_cells": {"subsets": ["city"]}}
    )
    assert (told.grace_s, told.subsets, told.late) == (90, ("city",), timedelta(hours=2))
    # What goes wrong in a step is said as it is.
    take_in(lake, play("p", "1 10:00 attempt"), [])
    with pytest.raises(UnknownDimension, match="city"):
        watched(lake, told)
    assert moment("1").date() == START


# Small buffers stall, the more so where others of the same point of presence did in the five minutes before.
FORESIGHT = Foresight(
    Boosted(
        [0, 3],
        [FEATURES.index("buffer_s"), LEAF, LEAF, FEATURES.index("pop_stalled"), LEAF, LEAF],
        [5.0, 0.0, 0.0, 0.012, 0.0, 0.0],
        [1, 1, 2, 4, 4, 5],
        [2, 1, 2, 5, 4, 5],
        [0.0, 1.0, -1.0, 0.0, -0.25, 0.5],
        0.0,
        1.0,
    ),
    0.6,
    3,
)


def test_what_is_about_to_stall_is_told_as_records_come_and_is_what_the_batch_will_say(
    lake: Lake,
) -> None:
    where = {"cdn": "aurora", "pop": "aurora-1", "bitrate_kbps": 3000, "throughput_kbps": 9000}

    def low(name: str, number: int, at: str, buffer: float, **more: Any) -> str:
        return beat(name, number, at, buffer_s=buffer, **(where | more))

    take_in(
        lake,
        [*play("cut", STALLED)[:3], *play("calm", "1 10:50 attempt, 1 10:51 first_frame")],
        [
            low("cut", 0, "1 11:00", 30.0), low("cut", 1, "1 11:08", 2.0),
            low("calm", 0, "1 11:01", 40.0), low("calm", 1, "1 11:11", 40.0),
        ],
    )  # fmt: skip
    watched(lake, foresight=FORESIGHT)
    told = {row["told_at"]: row for row in lake.read(QOE_MOMENTS_LIVE).toArrow().to_pylist()}
    assert len(told) == 4
    last = [row for row in told.values() if row["buffer_s"] == 2.0]
    assert [(row["at_risk"], row["stalls"], row["model_version"]) for row in last] == [
        (True, True, 3)
    ]
    # Of the play that is known another heartbeat told of the stall, which changes what is around the calm one; and the
    # plays of the day after know how their device fared.
    take_in(
        lake,
        [*play("cut", STALLED)[3:], *play("next", "2 08:00 attempt, 2 08:01 first_frame")],
        [
            low("cut", 2, "1 11:09", 0.5, rebuffers=1, rebuffer_s=9.0, state="rebuffering"),
            low("next", 0, "2 08:02", 4.0), beat("next", 1, "2 08:03"),
        ],
    )  # fmt: skip
    watched(lake, foresight=FORESIGHT)
    heard = payload(lake.read(BRONZE_HEARTBEATS), HEARTBEATS_SOURCE, *NEEDED)
    events = payload(lake.read(BRONZE_PLAYBACK), PLAYBACK_SOURCE)
    batch = risks(
        moments(heard, events, START, END), FORESIGHT.trees, FORESIGHT.threshold, FORESIGHT.version
    )
    assert batch.count() == 5
    # Two with little in the buffer, and one that does not tell of it.
    assert batch.where("at_risk > 0").count() == 3
    same(lake.read(QOE_STALL_RISKS_LIVE), batch)
    # Without an approved model what was heard is kept, and of the hours that are told anew no chance is.
    take_in(lake, [], [low("next", 2, "2 09:00", 4.0)])
    watched(lake)
    untold = lake.read(QOE_MOMENTS_LIVE).where("chance IS NULL AND is_playing")
    assert {row["moment_date"] for row in untold.collect()} == {date(2020, 5, 2)}
    assert untold.count() == 3
    # The batch says the first day, and it is taken out.
    said = {"bucket_at": datetime(2020, 5, 2), "risk_date": date(2020, 5, 2), "moments": 1}
    lake.append(QOE_STALL_RISKS, rows(lake.spark, QOE_STALL_RISKS, said), NOTE)
    take_in(lake, [], [low("next", 3, "2 09:10", 4.0)])
    watched(lake, foresight=FORESIGHT)
    left = lake.read(QOE_STALL_RISKS_LIVE).select("risk_date").distinct().collect()
    assert [row["risk_date"] for row in left] == [date(2020, 5, 2)]
