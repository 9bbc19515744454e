"""A play attempt becomes one session, whatever its records went through on the way."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from chispa import assert_df_equality
from pyspark.sql import DataFrame, Row, SparkSession
from unit.behaviour.bronze import keys, pseudonym
from unit.behaviour.told import Told

from cinelake.behaviour.identity import IdKind
from cinelake.behaviour.sessions import BEAT_COLUMNS, sessions
from cinelake.behaviour.viewing import Rules, Surroundings, viewing_sessions
from cinelake.sources.heartbeats import HEARTBEATS_SOURCE
from cinelake.sources.playback import PLAYBACK_SOURCE
from cinelake.tables.viewing import VIEWING_SESSIONS

DAY = datetime(2026, 3, 28, tzinfo=UTC)
RULES = Rules(grace_s=60, sitting_gap_s=1800, film_finished=0.9, episode_finished=0.85)
ENVELOPE = "event_id string, event_time timestamp, event_date date, received_at timestamp, clock_ahead_ms bigint"
WHO = {"account_id": "a1", "profile_id": "p1", "device_id": "d1", "title_id": "t1"}


class Records:
    """Records of plays, from a few words each."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.beats: list[dict[str, Any]] = []

    def event(
        self, play: str, number: int, at: float, event: str, position: float = 0, **more: Any
    ) -> None:
        """`at` is seconds after midnight of 28 March."""
        common = WHO | {
            "play_id": play,
            "sequence": number,
            "event": event,
            "position_s": float(position),
        }
        self.events.append(self._landed(f"{play}-e{number}", at, common | more))

    def beat(
        self,
        play: str,
        number: int,
        at: float,
        position: float,
        state: str = "playing",
        played: float = 30.0,
        **more: Any,
    ) -> None:
        common = {
            "play_id": play,
            "sequence": number,
            "state": state,
            "position_s": float(position),
            "played_s": played,
        }
        self.beats.append(self._landed(f"{play}-h{number}", at, common | more))

    def _landed(self, event_id: str, at: float, payload: dict[str, Any]) -> dict[str, Any]:
        when = DAY + timedelta(seconds=at)
        received = when + timedelta(seconds=payload.pop("delay", 1))
        ahead = payload.pop("ahead", 0)
        happened = min(when + timedelta(seconds=ahead), received)
        return {
            "event_id": event_id, "event_time": happened, "event_date": happened.date(), "received_at": received,
            "clock_ahead_ms": 1 if when + timedelta(seconds=ahead) > received else None,
        } | payload  # fmt: skip

    def frames(self, spark: SparkSession) -> tuple[DataFrame, DataFrame]:
        def typed(source: Any, rows: list[dict[str, Any]], names: tuple[str, ...]) -> DataFrame:
            shape = ", ".join(
                f"{c.name} {c.type.simpleString()}" for c in source.columns if c.name in names
            )
            return spark.createDataFrame(rows, f"{ENVELOPE}, {shape}")

        return (
            typed(PLAYBACK_SOURCE, self.events, PLAYBACK_SOURCE.names),
            typed(HEARTBEATS_SOURCE, self.beats, BEAT_COLUMNS),
        )


def scenes() -> Records:
    r = Records()
    # Watched from the start, paused for a minute, gone back over half a minute, and stopped.
    for number, (at, event, position, more) in enumerate([
        (0, "attempt", 0, {"entry": "home", "row": 2, "rank": 3, "page_id": "g1"}),
        (2, "first_frame", 0, {}),
        (62, "pause", 60, {}),
        (122, "resume", 60, {}),
        (182, "seek", 120, {"to_position_s": 90.0}),
        (183, "seek_done", 90, {}),
        (243, "stop", 150, {}),
    ]):  # fmt: skip
        r.event("plain", number, at, event, position, **more)
    r.event("plain", 1, 2, "first_frame", 0, delay=9000)
    for number, (at, position, state, played) in enumerate(
        [
            (32, 30, "playing", 30),
            (62, 60, "playing", 30),
            (92, 60, "paused", 0),
            (152, 90, "playing", 30),
            (212, 120, "playing", 59),
        ]
    ):
        r.beat("plain", number, at, position, state, float(played))
    r.beat("plain", 4, 212, 120, "playing", 59.0, delay=7000)
    # Across midnight, its stop lost; an event lost too.
    r.event("night", 0, 86_300, "attempt")
    r.event("night", 2, 86_310, "first_frame")
    for number in range(4):
        r.beat("night", number, 86_340 + 30 * number, 30 + 30 * number)
    # Left paused: nobody came back.
    r.event("left", 0, 1000, "attempt")
    r.event("left", 1, 1001, "first_frame")
    r.event("left", 2, 1061, "pause", 60)
    r.beat("left", 0, 1031, 30)
    r.beat("left", 1, 1061, 60, played=30.0)
    r.beat("left", 2, 1091, 60, "paused", 0.0)
    # Three hours fast: dated by receipt; copies of one beat have two dates, and events came in disorder.
    r.event("fast", 0, 2000, "attempt", ahead=10_800)
    r.event("fast", 1, 2002, "first_frame", ahead=10_800, delay=40)
    r.event("fast", 2, 2032, "end", 30, ahead=10_800, delay=1)
    r.beat("fast", 0, 2031, 29, played=29.0, ahead=10_800)
    r.beat("fast", 0, 2031, 29, played=29.0, ahead=10_800, delay=90)
    # Never came to a first frame.
    r.event("fails", 0, 3000, "attempt")
    r.event("fails", 1, 3004, "error", error_code="ERROR_CODE_IO")
    # Only heartbeats of it are there.
    r.beat("headless", 0, 4000, 30)
    # Numbers that no client means.
    r.event("absurd", 0, 5000, "attempt")
    r.event("absurd", 2**31 - 1, 5030, "stop", 20)
    r.beat("absurd", 0, 5030, 20, played=1e300)
    r.beat("absurd", 1, 5031, 20, played=20.0)
    # Began the day before.
    r.event("earlier", 0, -100, "attempt")
    r.event("earlier", 1, 100, "stop")
    return r


@pytest.fixture(scope="module")
def found(spark: SparkSession) -> dict[str, Row]:
    day = DAY.date()
    rows = sessions(*scenes().frames(spark), day, day + timedelta(days=1), 60).collect()
    assert len({row.play_id for row in rows}) == len(rows)
    return {row.play_id: row for row in rows}


def seconds(row: Row, name: str) -> float | None:
    """A time of the row, as seconds after midnight."""
    return None if row[name] is None else row[name] / 1e6 - DAY.timestamp()


def test_a_window_holds_the_plays_that_start_in_it(found: dict[str, Row]) -> None:
    assert sorted(found) == ["absurd", "fails", "fast", "headless", "left", "night", "plain"]


def test_a_whole_play_is_told_by_its_events(found: dict[str, Row]) -> None:
    row = found["plain"]
    assert (
        row.close_reason,
        seconds(row, "started"),
        seconds(row, "first_frame"),
        seconds(row, "ended"),
    ) == ("stop", 0, 2, 243)
    assert (row.watched, row.stood_paused, row.pauses) == (180_000, 60_000, 1)
    assert (row.seeks_back, row.seeks_forward, row.went_back_to_s, row.seen_again) == (
        1,
        0,
        [90.0],
        30_000,
    )
    assert (row.furthest, row.end_position, row.is_by_events) == (150_000, 150_000, True)
    assert (row.events, row.beats) == (7, 5)
    assert (row.entered.entry, row.entered.row, row.entered.rank) == ("home", 2, 3)


def test_a_play_across_midnight_without_a_stop_is_lost_a_grace_after_its_last_heartbeat(
    found: dict[str, Row],
) -> None:
    row = found["night"]
    assert (row.session_date, row.close_reason, seconds(row, "ended")) == (
        date(2026, 3, 28),
        "lost",
        86_490,
    )
    assert (row.watched, row.is_by_events, row.beats) == (120_000, False, 4)


def test_a_play_left_paused_is_abandoned(found: dict[str, Row]) -> None:
    row = found["left"]
    assert (row.close_reason, seconds(row, "ended"), row.watched, row.stood_paused) == (
        "abandoned",
        1151,
        60_000,
        30_000,
    )


def test_a_fast_clock_leaves_the_heartbeats_count(found: dict[str, Row]) -> None:
    row = found["fast"]
    # The end is dated by its receipt, a second after the last heartbeat; the picture had moved on by one.
    assert (row.close_reason, row.watched, row.is_by_events, row.beats) == ("end", 30_000, False, 1)


def test_an_attempt_that_fails_and_one_of_heartbeats_alone(found: dict[str, Row]) -> None:
    fails, headless = found["fails"], found["headless"]
    assert (fails.close_reason, fails.error_code, fails.first_frame, fails.watched) == (
        "error",
        "ERROR_CODE_IO",
        None,
        0,
    )
    assert (headless.who, headless.close_reason, headless.watched) == (None, "lost", 30_000)


def test_absurd_numbers_break_nothing(found: dict[str, Row]) -> None:
    row = found["absurd"]
    assert (row.close_reason, row.is_by_events, row.events, row.watched) == (
        "stop",
        False,
        2,
        20_000,
    )


def test_a_pause_holds_until_it_is_resumed_and_nothing_plays_without_a_picture(
    spark: SparkSession,
) -> None:
    told = {
        # Gone along the title while paused, and left so: the jump is none of the pause.
        "jumps": "0 attempt,1 first_frame,11 pause,20 seek,22 seek_done,3622 stop",
        "jump goes on": "0 attempt,1 first_frame,11 seek,12 pause,13 seek_done,20 resume,30 stop",
        "dry": "0 attempt,1 first_frame,11 pause,20 rebuffer_start,22 rebuffer_end,3622 stop",
        "dry and resumed": "0 attempt,1 first_frame,11 pause,20 rebuffer_start,22 resume,25 rebuffer_end,35 stop",
        "before its picture": "0 attempt,5 pause,6 first_frame,16 resume,26 stop",
        "no picture": "0 attempt,5 pause,6 resume,3606 stop",
        "left": "0 attempt,1 first_frame,11 pause,20 seek,22 seek_done",
        "over": "0 attempt,1 first_frame,11 stop,20 pause,30 resume",
        # Its first records are lost, and those that a day of silence parts from it are another session's.
        "again": "0 pause,86400 resume,259200 quality_switch,259210 first_frame,259220 stop",
    }
    records = Records()
    for play, events in told.items():
        for number, each in enumerate(events.split(",")):
            at, event = each.split()
            records.event(play, number, float(at), event)
    found = sessions(*records.frames(spark), DAY.date(), DAY.date() + timedelta(days=4), 60)
    columns = ("play_id", "session_date", "played_by_events", "stood_paused", "close_reason")
    first, last = DAY.date(), DAY.date() + timedelta(days=3)
    expected = spark.createDataFrame(
        [
            ("jumps", first, 10_000, 3_609_000, "stop"),
            ("jump goes on", first, 20_000, 7000, "stop"),
            ("dry", first, 10_000, 3_611_000, "stop"),
            ("dry and resumed", first, 20_000, 11_000, "stop"),
            ("before its picture", first, 10_000, 10_000, "stop"),
            ("no picture", first, None, 0, "stop"),
            ("left", first, 10_000, 9000, "abandoned"),
            ("over", first, 10_000, 0, "stop"),
            ("again", first, None, 0, "lost"),
            ("again", last, 10_000, 0, "stop"),
        ],
        "play_id string, session_date date, played_by_events bigint, stood_paused bigint, close_reason string",
    )
    assert_df_equality(
        found.select(*columns), expected, ignore_nullable=True, ignore_row_order=True
    )


def around(spark: SparkSession) -> Surroundings:
    """What the catalogue and the service know."""
    return Surroundings(
        spark.createDataFrame(
            [(pseudonym(IdKind.ACCOUNT, "a1"), DAY, "Europe/Berlin")],
            "account_id string, effective_from timestamp, time_zone string",
        ),
        spark.createDataFrame(
            [(pseudonym(IdKind.DEVICE, "d1"), pseudonym(IdKind.ACCOUNT, "a1"), DAY, "tv")],
            "device_id string, account_id string, effective_from timestamp, kind string",
        ),
        spark.createDataFrame(
            [(f"s{n}", DAY, 2400.0, 2290.0) for n in range(6)] + [("t1", DAY, 200.0, None)],
            "title_id string, effective_from timestamp, runtime_s double, credits_start_s double",
        ),
    )


@pytest.mark.thorough
def test_each_record_of_the_window_is_accounted_for(spark: SparkSession) -> None:
    records = scenes()
    for day in range(3):
        records.event("long", day, 86_400 * day + 100, "resume" if day else "first_frame")
        records.beat("long", day, 86_400 * day + 130, 30)
    told, start, end = Told(), DAY.date() + timedelta(days=1), DAY.date() + timedelta(days=3)
    frames = records.frames(spark)
    viewing_sessions(*frames, around(spark), keys(spark), start, end, RULES, told).collect()
    # Of the 29th and 30th: two heartbeats of the night, and what goes on for three days.
    assert told.fates() == {
        ("playback", "kept"): 1,
        ("playback", "third_day"): 1,
        ("heartbeats", "kept"): 2 + 1,
        ("heartbeats", "third_day"): 1,
    }
    told, start = Told(), DAY.date()
    end = start + timedelta(days=1)
    viewing_sessions(*frames, around(spark), keys(spark), start, end, RULES, told).collect()
    own = [sum(r["event_date"] == start for r in rows) for rows in (records.events, records.beats)]
    assert told.fates() == {
        ("playback", "kept"): own[0] - 1,
        ("playback", "duplicate"): 1,
        ("heartbeats", "kept"): own[1] - 3,
        ("heartbeats", "duplicate"): 2,
        ("heartbeats", "no_playback"): 1,
    }


@pytest.mark.thorough
def test_days_alone_give_what_all_days_give(spark: SparkSession) -> None:
    records = scenes()
    for day in range(3):
        # A play for three days, one that comes back after a day of silence, and a binge through the night.
        records.event("long", day, 86_400 * day + 100, "resume" if day else "first_frame")
        if day < 2:
            records.event("again", day, 86_400 * 2 * day + 200, "attempt")
    for episode in range(6):
        at = 86_400 * 2 - 6000 + 2400 * episode
        more = {"episode_id": f"s{episode}"}
        records.event(f"binge{episode}", 0, at, "attempt", **more)
        records.event(f"binge{episode}", 1, at + 2, "first_frame", **more)
        records.event(f"binge{episode}", 2, at + 2300, "end", 2298, **more)
    frames = records.frames(spark)
    begin = DAY.date() - timedelta(days=1)

    def made(first: int, last: int, told: Told) -> list[Row]:
        start, end = begin + timedelta(days=first), begin + timedelta(days=last)

        def reach(frame: DataFrame) -> DataFrame:
            return frame.where(
                f"event_date >= DATE'{start - timedelta(days=2)}' AND event_date < DATE'{end + timedelta(days=1)}'"
            )

        near = reach(frames[0]), reach(frames[1])
        out = viewing_sessions(*near, around(spark), keys(spark), start, end, RULES, told)
        return sorted(
            out.select(*VIEWING_SESSIONS.names, "_reasons").collect(),
            key=lambda row: (row.play_id, row.session_date),
        )

    of_all, of_days = Told(), Told()
    whole = made(1, 4, of_all)
    daily = sorted(
        (row for day in range(1, 4) for row in made(day, day + 1, of_days)),
        key=lambda row: (row.play_id, row.session_date),
    )
    assert daily == whole
    assert of_days.fates() == of_all.fates()
    names = {
        pseudonym(IdKind.PLAY, row["play_id"]): row["play_id"]
        for row in records.events + records.beats
    }
    by_play = {(names[row.play_id], row.session_date.day): row for row in whole}
    assert [by_play[f"binge{n}", 29 if n < 3 else 30].binge_position for n in range(6)] == list(
        range(6)
    )
    assert sorted(key for key in by_play if key[0] in ("again", "long")) == [
        ("again", 28),
        ("again", 30),
        ("long", 28),
    ]
    # Clocks went forward in Berlin at 01:00 UTC on 29 March.
    assert (by_play["plain", 28].local_hour, by_play["again", 30].local_hour) == (1, 2)
    assert (by_play["binge0", 29].is_finished, by_play["plain", 28].is_finished) == (True, False)
    assert by_play["plain", 28].completion == 0.75
    assert by_play["headless", 28]._reasons == ["no_playback"]
