"""Days computed one by one come to what a window of them all comes to: each reads as far back as it must."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from functools import reduce
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from unit.tables.rows import rows, same

from cinelake.integrity.concurrency import by_day, excesses, peaks
from cinelake.integrity.journeys import TravelRules, journeys, place_days
from cinelake.integrity.streams import StreamRules, intervals, streams
from cinelake.runtime.job import ALL, Job
from cinelake.runtime.runs.graph import discover
from cinelake.tables.behaviour import ACCOUNTS, LOG_INS
from cinelake.tables.contract import Table
from cinelake.tables.integrity import PLACE_DAYS
from cinelake.tables.viewing import VIEWING_SESSIONS

PROJECT = Path(__file__).parents[3]
DAY = date(2026, 3, 28)
CELLS = {"Berlin": "831f1dfffffffff", "Texas": "8326cbfffffffff"}
Frames = Mapping[Table, DataFrame]


def at(hour: float) -> datetime:
    return datetime(DAY.year, DAY.month, DAY.day) + timedelta(hours=hour)


def play(device: str, region: str, start: float, end: float, **more: Any) -> dict[str, Any]:
    return {
        "play_id": f"{device}{start}",
        "account_id": "a",
        "device_id": device,
        "started_at": at(start),
        "first_frame_at": at(start),
        "ended_at": at(end),
        "session_date": at(start).date(),
        "country": "DE",
        "region": region,
        "connection": "fibre",
    } | more


def log_in(device: str, region: str, hour: float) -> dict[str, Any]:
    return {
        "event_id": f"{device}{hour}",
        "account_id": "a",
        "device_id": device,
        "attempted_at": at(hour),
        "attempt_date": at(hour).date(),
        "event": "log_in",
        "outcome": "success",
        "connection": "fibre",
        "country": "DE",
        "region": region,
        "cell": CELLS[region],
    }


@pytest.fixture(scope="module")
def declared() -> dict[str, Job[Any]]:
    return {job.name: job for job in discover(PROJECT / "jobs") if isinstance(job, Job)}


def whole_and_daily(
    job: Job[Any],
    frames: Frames,
    made: Callable[[Frames, date, date], DataFrame],
    days: int,
) -> tuple[DataFrame, DataFrame]:
    """What a window of `days` comes to, and what its days do, each with what the job reads of a window."""

    def windowed(first: int, last: int) -> DataFrame:
        start, end = DAY + timedelta(days=first), DAY + timedelta(days=last)
        read = {}
        for reading in job.reads:
            if reading.source in frames:
                frame, day = frames[reading.source], F.col(reading.source.window)
                if reading.lookback != ALL:
                    frame = frame.where(day >= F.lit(start - timedelta(days=reading.lookback)))
                read[reading.source] = frame.where(day < F.lit(end))
        return made(read, start, end).localCheckpoint()

    daily = reduce(DataFrame.unionByName, (windowed(day, day + 1) for day in range(days)))
    return windowed(0, days), daily


def test_a_play_of_two_days_is_the_earlier_use_on_the_third(
    spark: SparkSession, declared: dict[str, Job[Any]]
) -> None:
    tries = rows(
        spark, LOG_INS, log_in("tv", "Berlin", 20.5), log_in("phone", "Texas", -600)
    ).localCheckpoint()
    frames = {
        # Paused overnight, it goes on and ends ten minutes before midnight.
        VIEWING_SESSIONS: rows(
            spark,
            VIEWING_SESSIONS,
            play("tv", "Berlin", 21, 47 + 5 / 6),
            play("phone", "Texas", 48.5, 49),
        ),
        LOG_INS: tries,
        PLACE_DAYS: place_days(tries),
    }

    def made(read: Frames, start: date, end: date) -> DataFrame:
        of = (read[VIEWING_SESSIONS], read[LOG_INS], read[PLACE_DAYS])
        return journeys(*of, start, end, TravelRules())

    whole, daily = whole_and_daily(declared["find_impossible_journeys"], frames, made, 3)
    same(daily, whole)
    expected = spark.createDataFrame(
        [("tv", "phone", at(20.5), at(48.5), 2400.0)],
        "earlier_device_id string, later_device_id string, earlier_at timestamp, later_at timestamp, gap_s double",
    )
    same(whole, expected)


@pytest.mark.thorough
def test_a_device_that_never_stops_has_a_stream_on_each_day(
    spark: SparkSession, declared: dict[str, Job[Any]]
) -> None:
    # An hour each, and ten seconds to the next title; from noon of the first day to the morning of the third.
    robot = [
        play("robot", "Berlin" if hour < 47 else "Texas", hour, hour + 1 - 10 / 3600)
        for hour in range(12, 54)
    ]
    since = {"effective_from": at(-100), "effective_date": at(-100).date()}
    frames = {
        VIEWING_SESSIONS: rows(
            spark,
            VIEWING_SESSIONS,
            *robot,
            play("tv", "Berlin", 0, 47.9),
            play("tv", "Berlin", 47.9, 50),
            # Last heard of ten seconds before the third day, of which its session holds nothing.
            play("lost", "Berlin", 23, 48 + 50 / 3600),
        ),
        ACCOUNTS: rows(spark, ACCOUNTS, {"account_id": "a", "screens_allowed": 1} | since),
    }

    def made(read: Frames, start: date, end: date) -> DataFrame:
        rules = StreamRules()
        pieces = streams(by_day(intervals(read[VIEWING_SESSIONS], rules), start, end), rules)
        return excesses(pieces, peaks(pieces), read[ACCOUNTS])

    whole, daily = whole_and_daily(declared["find_concurrent_streams"], frames, made, 3)
    same(daily, whole)
    first, second, third = (DAY + timedelta(days=day) for day in range(3))
    switch = timedelta(seconds=10)
    expected = spark.createDataFrame(
        [
            (first, "robot12", at(12), at(24) - switch, "Berlin"),
            (first, "tv0", at(0), at(47.9), "Berlin"),
            (first, "lost23", at(23), at(48), "Berlin"),
            (second, "robot24", at(24), at(48) - switch, "Berlin"),
            (second, "tv0", at(0), at(50), "Berlin"),
            (second, "lost23", at(23), at(48), "Berlin"),
            (third, "robot48", at(48), at(54) - switch, "Texas"),
            (third, "tv47.9", at(47.9), at(50), "Berlin"),
        ],
        "stream_date date, play_id string, from_at timestamp, until_at timestamp, region string",
    )
    told = whole.select("stream_date", F.inline("evidence"))
    same(told, expected)
