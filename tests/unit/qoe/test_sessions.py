"""A play becomes one row of quality: every transition of the state machine, and what cannot be."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import DataFrame, Row, SparkSession
from unit.behaviour.bronze import keys, pseudonym
from unit.qoe.traces import DAY, Traces, oracle

from cinelake.behaviour.identity import IdKind
from cinelake.qoe.sessions import qoe_sessions
from cinelake.runtime.runs.publish import judged
from cinelake.sources.playback import EVENTS
from cinelake.tables.qoe import QOE_SESSIONS

GRACE_S = 60
CHECKED = (
    "outcome", "is_by_events", "join_ms", "play_ms", "pause_ms", "seek_ms", "stall_ms", "stalls", "seeks", "pauses",
    "switches_up", "switches_down", "bits", "bitrate_ms", "dropped_frames", "frames_ms", "throughput_kbps",
    "throughput_beats", "beats", "stalled_beats", "wait_ms", "error_code",
)  # fmt: skip


def scenes() -> Traces:
    t = Traces()
    # Joining, playing, a stall of two seconds, paused for a minute, a jump of a second and a half, the end.
    t.play("plain", "0 attempt,2 first_frame 3000,62 rebuffer_start network,64 rebuffer_end,70 quality_switch 5800,"
           "80 pause,140 resume,200 seek,200.5 rebuffer_start seek,201 rebuffer_end,201.5 seek_done,"
           "230 quality_switch 3000,260 end")  # fmt: skip
    # A jump while paused is a jump; after it the player stands paused still.
    t.play(
        "jumps paused", "0 attempt,1 first_frame,11 pause,20 seek,22 seek_done,30 resume,40 stop"
    )
    # The buffer runs dry while nobody watches: paused, and no stall; but one when the viewer comes back too early.
    t.play(
        "dry while paused",
        "0 attempt,1 first_frame,10 pause,12 rebuffer_start network,20 resume,23 rebuffer_end,33 stop",
    )
    # Who jumps before the first frame joins still; but how long it took to start is not known then.
    t.play("jumps joining", "0 attempt,3 seek,4 first_frame,5 seek_done,15 stop")
    # A skipped intro is a jump; a rebuffer that the player blames on a jump, but after it was done, belongs to it.
    t.play(
        "late buffering",
        "0 attempt,1 first_frame,5 skip_intro,6 seek_done,7 rebuffer_start seek,9 rebuffer_end,19 stop",
    )
    # Twice told to have run dry, it stalled once.
    t.play(
        "dry twice",
        "0 attempt,1 first_frame,5 rebuffer_start network,6 rebuffer_start network,8 rebuffer_end,10 stop",
    )
    t.play("fails to start", "0 attempt,4 error", error_code="ERROR_CODE_IO")
    t.play("left before start", "0 attempt,7.25 stop")
    t.play(
        "fails playing", "0 attempt,1 first_frame,31 error", error_code="ERROR_CODE_DECODING_FAILED"
    )
    # What comes after the end counts for nothing, and times are not to be trusted to events then.
    t.play("after its end", "0 attempt,1 first_frame,11 stop,20 pause,30 resume,40 seek")
    t.beat("after its end", 0, 11, played=10.0)
    t.beat("after its end", 1, 200, played=0.0)
    # Its stop is lost: what heartbeats counted, with what of them a copy told a second time left out.
    t.play("lost", "0 attempt,1 first_frame")
    for number in range(2):
        t.beat("lost", number, 31 + 30 * number, bitrate_kbps=3000, rebuffers=1, rebuffer_s=1.5, dropped_frames=2,
               throughput_kbps=9000)  # fmt: skip
    t.beat(
        "lost", 1, 61, bitrate_kbps=3000, rebuffers=1, rebuffer_s=1.5, dropped_frames=2, delay=3600
    )
    # A device that tells neither bitrate nor frames; its clock is ahead, so events were dated by receipt.
    t.play("tells little", "0 attempt,1 first_frame,31 stop", ahead_ms=4000)
    t.beat("tells little", 0, 31)
    # Nobody told how the jump ended, and the pause; heartbeats know that it played on for nine minutes.
    t.play("open pause", "0 attempt,1 first_frame,31 seek,33 seek_done,41 pause")
    for number in range(18):
        t.beat("open pause", number, 71 + 30 * number)
    t.event("open pause", 9, 601, "stop")
    t.play("open seek", "0 attempt,1 first_frame,31 seek")
    t.beat("open seek", 0, 31, rebuffer_s=-4.0)
    t.event("open seek", 9, 601, "stop")
    # A number that none has: an event may well be missing.
    t.event("odd number", -1, 0, "attempt")
    t.event("odd number", 1, 1, "first_frame")
    t.event("odd number", 2, 11, "stop")
    # Bits a second, megabits a second, and one that can be.
    t.play(
        "odd units",
        "0 attempt,1 first_frame 800000,11 quality_switch 4,21 quality_switch 5800,31 stop",
    )
    # A counter that was never set to zero, of a player that lived for a minute.
    t.play("never reset", "0 attempt,1 first_frame")
    for number in range(3):
        t.beat("never reset", number, 20 + 20 * number, played=400.0, dropped_frames=10_000_000)
    # Counters that were reset below nothing, and one heartbeat that tells what can be.
    t.play("below nothing", "0 attempt,1 first_frame")
    t.beat("below nothing", 0, 31, rebuffers=-2, dropped_frames=-500, throughput_kbps=-1)
    t.beat("below nothing", 1, 61, rebuffers=1, dropped_frames=3, throughput_kbps=9000)
    # The first frame before its attempt; and its clock goes back.
    t.event("confused", 0, 5, "attempt")
    t.event("confused", 1, 3, "first_frame")
    t.event("confused", 2, 20, "stop")
    # The press of play is missing.
    t.event("no press", 1, 2, "first_frame")
    t.event("no press", 2, 12, "stop")
    # Only heartbeats: nobody knows where.
    t.beat("headless", 0, 30)
    # Over midnight it stalls; a play id that comes back after a day of silence is another attempt.
    t.play(
        "night",
        "86390 attempt,86391 first_frame,86398 rebuffer_start network,86403 rebuffer_end,86413 stop",
    )
    t.play("again", "100 attempt,101 first_frame,111 stop")
    for number, (at, event) in enumerate([(3 * 86_400, "attempt"), (3 * 86_400 + 9, "stop")]):
        t.event("again", 100 + number, at, event)
    t.event("yesterday", 0, -600, "attempt")
    return t  # fmt: skip


def found(spark: SparkSession, traces: Traces) -> DataFrame:
    playback, heartbeats = traces.frames(spark)
    day = DAY.date()
    made = qoe_sessions(playback, heartbeats, keys(spark), day, day + timedelta(days=1), GRACE_S)
    return made.select(*QOE_SESSIONS.names)


@pytest.fixture(scope="module")
def wild() -> Traces:
    return made_up(7, 150)


@pytest.fixture(scope="module")
def made(spark: SparkSession, wild: Traces) -> DataFrame:
    """Sessions of the scenes and of wild plays: one frame, for making it costs more than what is in it."""
    both = scenes()
    both.events += wild.events
    both.beats += wild.beats
    return found(spark, both).localCheckpoint()


@pytest.fixture(scope="module")
def rows(made: DataFrame) -> dict[str, Row]:
    assert judged(QOE_SESSIONS, made).where("size(_reasons) > 0").isEmpty()
    names = {event["play_id"] for event in scenes().events}
    by_id = {row["play_id"]: row for row in made.collect()}
    return {name: by_id[p] for name in names if (p := pseudonym(IdKind.PLAY, name)) in by_id}


def told(row: Row, *names: str) -> dict[str, Any]:
    return {name: row[name] for name in names}


def test_each_state_has_its_time(rows: dict[str, Row]) -> None:
    plain = rows["plain"]
    times = ("join_ms", "play_ms", "stall_ms", "pause_ms", "seek_ms")
    assert told(plain, *times) == {
        "join_ms": 2000, "play_ms": 194_500, "stall_ms": 2000, "pause_ms": 60_000, "seek_ms": 1500,
    }  # fmt: skip
    assert told(plain, "stalls", "seeks", "pauses", "switches_up", "switches_down") == {
        "stalls": 1, "seeks": 1, "pauses": 1, "switches_up": 1, "switches_down": 1,
    }  # fmt: skip
    assert (plain["outcome"], plain["is_by_events"], plain["oddities"]) == ("played", True, [])
    # 66 s at 3,000 kbit/s, then 98.5 s at 5,800, then 30 s at 3,000.
    assert plain["bits"] == 66_000 * 3000 + 98_500 * 5800 + 30_000 * 3000
    assert told(rows["jumps paused"], *times[1:]) == {
        "play_ms": 20_000, "stall_ms": 0, "pause_ms": 17_000, "seek_ms": 2000,
    }  # fmt: skip
    assert told(rows["dry while paused"], *times[1:], "stalls") == {
        "play_ms": 19_000, "stall_ms": 3000, "pause_ms": 10_000, "seek_ms": 0, "stalls": 1,
    }  # fmt: skip
    assert told(rows["late buffering"], *times[1:], "stalls") == {
        "play_ms": 15_000, "stall_ms": 0, "pause_ms": 0, "seek_ms": 3000, "stalls": 0,
    }  # fmt: skip
    assert told(rows["jumps joining"], *times, "outcome") == {
        "join_ms": None, "play_ms": 10_000, "stall_ms": 0, "pause_ms": 0, "seek_ms": 1000, "outcome": "played",
    }  # fmt: skip
    assert told(rows["dry twice"], "stall_ms", "stalls") == {"stall_ms": 3000, "stalls": 1}


def test_ends_are_told_apart(rows: dict[str, Row]) -> None:
    named = {
        "fails to start": ("start_failure", "ERROR_CODE_IO", 4000, 0.0),
        "left before start": ("exit_before_start", None, 7250, 50 * 8 / 15.25),
    }
    for name, (outcome, code, wait, score) in named.items():
        row = rows[name]
        assert (row["outcome"], row["error_code"], row["wait_ms"]) == (outcome, code, wait)
        assert row["score"] == pytest.approx(score)
    failed = rows["fails playing"]
    assert (failed["outcome"], failed["play_ms"], failed["wait_ms"]) == (
        "playback_failure",
        30_000,
        None,
    )
    # Half of what startup (1 s: 800/9) and smoothness (100) come to without a known bitrate.
    assert failed["score"] == pytest.approx((0.3 * 800 / 9 + 0.5 * 100) / 0.8 / 2)


def test_without_all_events_heartbeats_count(rows: dict[str, Row]) -> None:
    lost = rows["lost"]
    assert told(lost, "is_by_events", "play_ms", "stall_ms", "stalls", "beats", "stalled_beats", "dropped_frames") == {
        "is_by_events": False, "play_ms": 60_000, "stall_ms": 3000, "stalls": 2, "beats": 2, "stalled_beats": 2,
        "dropped_frames": 4,
    }  # fmt: skip
    assert told(lost, "bits", "bitrate_ms", "throughput_kbps", "throughput_beats") == {
        "bits": 60_000 * 3000, "bitrate_ms": 60_000, "throughput_kbps": 18_000, "throughput_beats": 2,
    }  # fmt: skip
    assert told(rows["odd number"], "is_by_events", "play_ms") == {
        "is_by_events": False,
        "play_ms": 0,
    }
    assert lost["ended_at"] == datetime(2026, 3, 28, 0, 2, 1)
    over = rows["after its end"]
    assert over["oddities"] == ["events_after_end", "heartbeats_after_end"]
    assert told(over, "play_ms", "seeks", "pauses") == {"play_ms": 10_000, "seeks": 0, "pauses": 0}
    assert over["ended_at"] == datetime(2026, 3, 28, 0, 0, 11)


def test_what_a_device_does_not_tell_counts_in_no_denominator(rows: dict[str, Row]) -> None:
    little = rows["tells little"]
    assert told(little, "play_ms", "bitrate_ms", "frames_ms", "throughput_beats", "join_ms") == {
        "play_ms": 30_000, "bitrate_ms": 0, "frames_ms": 0, "throughput_beats": 0, "join_ms": None,
    }  # fmt: skip
    assert little["oddities"] == ["clock_corrected"]
    # No part of the score but smoothness is known.
    assert little["score"] == pytest.approx(100.0)


def test_what_cannot_be_is_told_and_does_no_harm(rows: dict[str, Row]) -> None:
    odd = rows["odd units"]
    assert (odd["oddities"], odd["odd_bitrates"]) == (["bitrate_in_another_unit"], 2)
    assert (odd["bits"], odd["bitrate_ms"], odd["play_ms"]) == (58_000_000, 10_000, 30_000)
    never = rows["never reset"]
    assert never["oddities"] == ["more_time_than_passed"]
    assert (never["is_sound"], never["score"], never["dropped_frames"]) == (False, None, 0)
    below = rows["below nothing"]
    assert (below["oddities"], below["is_sound"]) == (["negative_count"], True)
    assert told(below, "stalls", "dropped_frames", "frames_ms", "throughput_kbps", "throughput_beats") == {
        "stalls": 1, "dropped_frames": 3, "frames_ms": 30_000, "throughput_kbps": 9000, "throughput_beats": 1,
    }  # fmt: skip
    confused = rows["confused"]
    assert confused["oddities"] == ["clock_went_back"]
    assert (confused["join_ms"], confused["outcome"]) == (None, "played")
    paused, seeking = rows["open pause"], rows["open seek"]
    assert (paused["oddities"], paused["play_ms"]) == (["pause_without_end"], 540_000)
    assert (paused["seek_ms"], paused["pause_ms"]) == (2000, 59_000)
    # Of what was not heard of it may well have been a jump.
    assert (seeking["oddities"], seeking["stall_ms"]) == (["negative_time"], 0)
    assert (seeking["seek_ms"], seeking["pause_ms"]) == (570_000, 0)
    press = rows["no press"]
    assert (press["oddities"], press["join_ms"], press["outcome"]) == (
        ["no_attempt"],
        None,
        "played",
    )


def test_an_attempt_belongs_to_its_first_day_and_is_cut_into_slices(rows: dict[str, Row]) -> None:
    assert "headless" not in rows
    assert "yesterday" not in rows
    assert rows["again"]["play_ms"] == 10_000
    night = rows["night"]
    assert (night["session_date"], night["play_ms"], night["stall_ms"]) == (
        date(2026, 3, 28),
        17_000,
        5000,
    )
    late, early = night["slices"]
    assert (late["slice_at"], late["play_ms"], late["stall_ms"], late["stalls"]) == (
        datetime(2026, 3, 28, 23, 55), 7000, 2000, 1,
    )  # fmt: skip
    assert (early["slice_at"], early["play_ms"], early["stall_ms"], early["stalls"]) == (
        datetime(2026, 3, 29), 10_000, 3000, 0,
    )  # fmt: skip
    # Two hours, and so it counts in both.
    assert [(s["hour_ms"], s["hour_stall_ms"]) for s in night["slices"]] == [
        (9000, 2000),
        (13_000, 3000),
    ]


def made_up(seed: int, plays: int) -> Traces:
    """Plays whose events come in any order that a mad player can think of."""
    dice = np.random.default_rng(seed)
    t = Traces()
    for play in range(plays):
        at, number = float(dice.integers(0, 80_000)), 0
        chain = [
            "attempt",
            *dice.choice(EVENTS[1:11], size=dice.integers(0, 14)),
            *dice.choice(EVENTS[11:], size=dice.integers(0, 2)),
        ]
        for event in chain:
            more: dict[str, Any] = {}
            if event in {"first_frame", "quality_switch"}:
                more["bitrate_kbps"] = int(dice.choice([235, 3000, 5800, 2, 900_000]))
            if event == "rebuffer_start":
                more["cause"] = str(dice.choice(["network", "seek"]))
            if event == "error":
                more["error_code"] = str(dice.choice(["ERROR_CODE_IO", "ERROR_CODE_DRM"]))
            t.event(f"p{play}", number, at, str(event), **more)
            # Some numbers are lost, some clocks go back.
            number += 1 + int(dice.random() < 0.02)
            at += float(np.round(dice.exponential(60) - 5 * (dice.random() < 0.05), 3))
        for beat in range(int(dice.integers(0, 4))):
            t.beat(
                f"p{play}",
                beat,
                at - 30 * beat,
                played=float(np.round(dice.random() * 10, 1)),
                dropped_frames=[None, 0, 3][int(dice.integers(3))],
                rebuffers=int(dice.integers(2)),
                rebuffer_s=float(np.round(dice.random(), 1)),
                bitrate_kbps=[None, 3000][int(dice.integers(2))],
                throughput_kbps=[None, 9000][int(dice.integers(2))],
            )
    return t  # fmt: skip


def agreed(made: DataFrame, events: pd.DataFrame, beats: pd.DataFrame) -> int:
    """Compare sessions, one by one, with the oracle; returns how many."""
    own = {row["play_id"]: row for row in made.select("play_id", *CHECKED, "slices").collect()}
    beats_of = dict(list(beats.groupby("play_id")))
    nothing = beats.iloc[:0]
    for play, told_of in events.groupby("play_id"):
        row = own.pop(pseudonym(IdKind.PLAY, play))
        expected = oracle(told_of, beats_of.get(play, nothing))
        assert {name: row[name] for name in CHECKED} == {
            name: expected[name] for name in CHECKED
        }, play
        for name in ("play_ms", "stall_ms", "stalls", "bits", "bitrate_ms"):
            assert sum(piece[name] for piece in row["slices"]) <= row[name]
        assert (
            sum(piece["play_ms"] + piece["stall_ms"] for piece in row["slices"])
            == row["play_ms"] + row["stall_ms"]
        )
    assert not own
    return events["play_id"].nunique()


def test_made_up_plays_fare_as_the_oracle_says(made: DataFrame, wild: Traces) -> None:
    ids = [pseudonym(IdKind.PLAY, f"p{play}") for play in range(150)]
    own = made.where(made["play_id"].isin(ids))
    assert agreed(own, pd.DataFrame(wild.events), pd.DataFrame(wild.beats)) == 150
