"""Cells count what sessions did when they did it, and add up to any roll-up exactly."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from unit.tables.rows import rows, same

from cinelake.qoe.cells import BUCKETS, Bearable, added_up, cells, quantile
from cinelake.qoe.live.step import live_cells
from cinelake.qoe.ratios import ratios
from cinelake.qoe.rollups import (
    SUBSETS,
    UnknownDimension,
    cell_of,
    dimensions_of,
    parts_of,
    rollups,
)
from cinelake.runtime.runs.publish import judged
from cinelake.tables.qoe import (
    COUNTS,
    DIMENSIONS,
    JOIN_EDGES_MS,
    QOE_CELLS,
    QOE_ROLLUPS,
    QOE_SESSIONS,
    SLICE,
)

DAY = date(2026, 3, 28)
TOMORROW = DAY + timedelta(days=1)
BEARABLE = Bearable()
TIMES = (
    "join_ms",
    "play_ms",
    "seek_ms",
    "stall_ms",
    "bits",
    "bitrate_ms",
    "dropped_frames",
    "frames_ms",
)


def at(hour: int, minute: int = 0, day: date = DAY) -> datetime:
    return datetime(day.year, day.month, day.day, hour, minute)


def piece(when: datetime, play: int, stall: int = 0, **more: int) -> dict[str, Any]:
    """A slice that is the first of its hour unless it says otherwise."""
    told = dict.fromkeys(SLICE.names[1:], 0) | {
        "slice_at": when,
        "play_ms": play,
        "stall_ms": stall,
    }
    return (
        told
        | {"hour_ms": play + stall, "hour_stall_ms": stall, "bitrate_ms": play, "bits": 3000 * play}
        | more
    )


def session(name: str, started: datetime, *slices: dict[str, Any], **more: Any) -> dict[str, Any]:
    where = {"cdn": "aurora", "region": "Bavaria", "isp": "Lindenglas", "app_version": "tv-8.5"}
    told = {
        "play_id": name,
        "session_date": started.date(),
        "started_at": started,
        "ended_at": started,
        "outcome": "played",
        "join_ms": 2000,
        "is_sound": True,
        "slices": list(slices),
    }
    return where | told | more  # fmt: skip


@pytest.fixture(scope="module")
def sessions(spark: SparkSession) -> DataFrame:
    return rows(
        spark, QOE_SESSIONS,
        # Watched from ten to eleven to two: three slices in two hours, a bad stall in the first.
        session("a", at(10, 58), piece(at(10, 55), 60_000, 30_000, stalls=2), piece(at(11), 300_000,
                hour_bits=300_000 * 1100, hour_bitrate_ms=300_000),
                piece(at(11, 5), 60_000, hour_ms=0, hour_stall_ms=0), join_ms=9000),
        # Nobody knows on which CDN; its frames jerk, and are blurred. It fails at midnight past.
        session("b", at(23, 57), piece(at(23, 55), 60_000, 1000, dropped_frames=500, frames_ms=60_000,
                hour_dropped_frames=500, hour_frames_ms=60_000, hour_bits=59_000 * 1100, hour_bitrate_ms=60_000),
                cdn=None, outcome="playback_failure",
                ended_at=at(0, 2, TOMORROW)),
        session("c", at(10), outcome="start_failure", join_ms=None),
        session("d", at(10, 1), outcome="exit_before_start", join_ms=None, cdn="drift"),
        # Its times cannot be.
        session("e", at(10, 2), piece(at(10), 10**9), is_sound=False),
        # From the day before into this one, and without any known start time.
        session("f", at(23, 50, DAY - timedelta(days=1)), piece(at(23, 50, DAY - timedelta(days=1)), 300_000),
                piece(at(0), 300_000), join_ms=None),
    ).localCheckpoint()  # fmt: skip


@pytest.fixture(scope="module")
def made(sessions: DataFrame) -> DataFrame:
    return cells(sessions, DAY, TOMORROW, BEARABLE).select(*QOE_CELLS.names).localCheckpoint()


def test_of_an_hour_that_goes_on_only_what_stays_bad_is(spark: SparkSession) -> None:
    odd = {"dropped_frames": 2000, "hour_dropped_frames": 2000, "frames_ms": 700_000, "hour_frames_ms": 700_000,
           "hour_bits": 700 * 700_000, "hour_bitrate_ms": 700_000}  # fmt: skip

    def one(name: str, ended: datetime, stall: int, **more: int) -> dict[str, Any]:
        sign = piece(at(10), 700_000, stall, **more)
        return session(name, at(10), sign, ended_at=ended, device_model=name)

    sessions = rows(
        spark, QOE_SESSIONS,
        # Two hiccups of twelve seconds; the same, and that was all; and too much for any hour.
        one("goes on", at(10, 16), 24_000, **odd), one("is over", at(10, 14), 24_000, **odd),
        one("stalls", at(10, 16), 120_000),
    ).localCheckpoint()  # fmt: skip

    def bad(until: datetime) -> dict[str, tuple[int, ...]]:
        names = ("hours", "stalled_hours", "choppy_hours", "poor_hours")
        told = live_cells(sessions, [at(10)], BEARABLE, until, 60).where("width = 60").collect()
        return {row["device_model"]: tuple(row[name] for name in names) for row in told}

    assert bad(at(10, 15)) == {
        "goes on": (1, 0, 0, 0), "is over": (1, 1, 1, 1), "stalls": (1, 1, 0, 0),
    }  # fmt: skip
    # Then it is as the batch has it: three in a hundred of the time that each played.
    assert bad(at(11)) == {
        "goes on": (1, 1, 1, 1), "is over": (1, 1, 1, 1), "stalls": (1, 1, 0, 0),
    }  # fmt: skip


def counted(frame: DataFrame, *names: str) -> dict[str, int]:
    return frame.agg(*(F.sum(name).alias(name) for name in names)).collect()[0].asDict()


def test_sessions_count_when_and_where_they_did_something(made: DataFrame) -> None:
    assert judged(QOE_CELLS, made).where("size(_reasons) > 0").isEmpty()
    day = made.where("width = 1440")
    names = ("attempts", "start_failures", "exits_before_start", "starts", "timed_starts", "slow_starts", "join_ms",
             "slow_join_ms", "stalled_ms",
             "playback_failures", "unsound", "slices", "stalled_slices", "hours", "stalled_hours", "frame_hours",
             "choppy_hours", "rated_hours", "poor_hours", "play_ms", "stall_ms", "stalls")  # fmt: skip
    assert counted(day, *names) == {
        "attempts": 5, "start_failures": 1, "exits_before_start": 1, "starts": 3, "timed_starts": 2, "slow_starts": 1,
        # The failure came on the next day, and the play of yesterday goes on into this one.
        "join_ms": 11_000, "slow_join_ms": 9000, "stalled_ms": 30_000,
        "playback_failures": 0, "unsound": 1, "slices": 5, "stalled_slices": 2, "hours": 4,
        "stalled_hours": 1, "frame_hours": 1, "choppy_hours": 1, "rated_hours": 2, "poor_hours": 1,
        "play_ms": 780_000, "stall_ms": 31_000, "stalls": 2,
    }  # fmt: skip
    ten = made.where((F.col("width") == 60) & (F.col("bucket_at") == at(10)))
    assert counted(ten, "attempts", "slices", "hours", "stalled_hours") == {
        "attempts": 4, "slices": 1, "hours": 1, "stalled_hours": 1,
    }  # fmt: skip
    assert {row["cdn"] for row in day.collect()} == {"aurora", "drift", "unknown"}


def test_the_failure_counts_on_its_own_day(sessions: DataFrame) -> None:
    next_day = cells(sessions, TOMORROW, TOMORROW + timedelta(days=1), BEARABLE, [60])
    told = next_day.select("cdn", "bucket_at", "attempts", "playback_failures").collect()
    assert [tuple(row) for row in told] == [("unknown", at(0, 0, TOMORROW), 0, 1)]


def test_five_minutes_add_up_to_hours_and_hours_to_days(made: DataFrame) -> None:
    for narrow, wide in ((5, 60), (60, 1440)):
        by = (
            F.lit(wide).alias("width"),
            F.window("bucket_at", f"{wide} minutes").start.alias("bucket_at"),
            "cell_date",
        )
        summed = added_up(made.where(F.col("width") == narrow), (*by, *DIMENSIONS))
        expected = made.where(F.col("width") == wide).select(*summed.columns)
        same(summed, expected)


def test_two_days_at_once_are_what_each_is_alone(sessions: DataFrame, made: DataFrame) -> None:
    both = cells(sessions, DAY, TOMORROW + timedelta(days=1), BEARABLE).where(
        F.col("cell_date") == F.lit(DAY)
    )
    same(both, made)


def test_any_roll_up_is_the_sum_of_its_cells(made: DataFrame) -> None:
    hourly = made.where("width = 60")
    rolled = rollups(hourly, SUBSETS, 1).select(*QOE_ROLLUPS.names)
    assert judged(QOE_ROLLUPS, rolled).where("size(_reasons) > 0").isEmpty()
    totals = rolled.groupBy("subset").agg(*(F.sum(name).alias(name) for name in COUNTS)).collect()
    found = {row["subset"]: row.asDict() for row in totals}
    expected = counted(hourly, *COUNTS)
    assert found == {subset: {"subset": subset} | expected for subset in SUBSETS}
    for row in rolled.select("subset", *DIMENSIONS).distinct().collect():
        own = dimensions_of(row["subset"])
        assert {name for name in DIMENSIONS if row[name] is not None} == set(own)
    named = {row["cell"] for row in rolled.where("subset = 'cdn+region'").collect()}
    assert named == {f"cdn={cdn}|region=Bavaria" for cdn in ("aurora", "drift", "unknown")}
    assert parts_of("cdn=aurora|region=Bavaria") == {"cdn": "aurora", "region": "Bavaria"}
    # Nothing of a single session is kept where two are asked for.
    assert {row["cell"] for row in rollups(hourly, ["cdn"], 2).collect()} == {"cdn=aurora"}


def test_a_subset_of_what_is_no_dimension_is_refused() -> None:
    for wrong in ("cdn+weather", "cdn+cdn", ""):
        with pytest.raises(UnknownDimension, match="is no dimension, or stands there twice"):
            dimensions_of(wrong)


def test_quantiles_of_buckets_are_at_most_half_too_much(spark: SparkSession) -> None:
    def of(*counts: int) -> list[int | None]:
        slots = [*counts, *[0] * (BUCKETS["join_buckets"] - len(counts))]
        frame = spark.createDataFrame([(slots,)], "join_buckets array<bigint>")
        shares = (
            quantile("join_buckets", JOIN_EDGES_MS, share).alias(str(share))
            for share in (0.5, 0.95)
        )
        return list(frame.select(*shares).collect()[0])

    assert of(90, 10) == [250, 375]
    assert of() == [None, None]
    # Of the last bucket nobody knows the end.
    assert of(*[0] * 15, 1) == [JOIN_EDGES_MS[-1]] * 2


def test_who_waits_in_vain_waits(spark: SparkSession) -> None:
    frame = rows(
        spark,
        QOE_SESSIONS,
        {"play_ms": 80_000, "stall_ms": 10_000, "outcome": "played", "is_sound": True},
        {"wait_ms": 30_000, "outcome": "exit_before_start", "is_sound": True},
    )
    names = ("media3_rebuffer_ratio", "mux_rebuffer_share", "conviva_vst_s", "conviva_cirr")
    expected = spark.createDataFrame(
        [(10 / 120, 10 / 120, None, 10 / 90)], ", ".join(f"{name} double" for name in names)
    )
    same(frame.agg(*(ratios()[name].column() for name in names)), expected)


def test_ratios_differ_by_what_they_are_of(spark: SparkSession) -> None:
    played = {
        "play_ms": 80_000,
        "stall_ms": 10_000,
        "seek_ms": 5000,
        "join_ms": 5000,
        "beats": 10,
        "stalled_beats": 3,
        "bits": 240_000_000,
        "bitrate_ms": 80_000,
        "outcome": "played",
        "is_sound": True,
    }
    # Ten minutes a heartbeat: of its times nothing counts, only that it began, and failed then.
    unsound = dict.fromkeys(TIMES, 10**9) | {"outcome": "playback_failure"}
    frame = rows(
        spark, QOE_SESSIONS, played, unsound, {"outcome": "start_failure", "is_sound": True},
        {"outcome": "exit_before_start", "is_sound": True},
    )  # fmt: skip
    told = frame.agg(*(ratio.column() for ratio in ratios().values())).collect()[0].asDict()
    assert {name: value for name, value in told.items() if value is not None} == pytest.approx({
        "media3_rebuffer_ratio": 0.1, "ivs_buffering_ratio": 15 / 95, "cmcd_buffer_starvation_ratio": 0.3,
        "mux_rebuffer_share": 0.1, "brightcove_stall_s_per_hour": 450, "conviva_cirr": 10 / 90, "conviva_vsf": 1 / 4,
        "conviva_ebvs": 1 / 4, "conviva_vpf": 1 / 2, "conviva_vst_s": 5.0, "media3_fatal_error_ratio": 1 / 2,
        "mux_playback_failure_share": 1 / 2, "mean_bitrate_kbps": 3000,
    })  # fmt: skip
    # Nobody measured throughput or frames: that is no rate at all.
    assert {name for name, value in told.items() if value is None} == {
        "mean_throughput_kbps",
        "dropped_frames_a_minute",
    }
    assert cell_of() is not None
