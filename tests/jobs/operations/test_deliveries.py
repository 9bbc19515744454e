"""Deliveries are counted and judged; an alarm is a row, and a warning."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from cinelake.runtime.runs.graph import discover
from cinelake.runtime.runs.rehearsal import rehearse
from cinelake.tables.operations import DELIVERY_HEALTH, DELIVERY_HOURS

JOBS = {job.name: job for job in discover(Path(__file__).parents[3] / "jobs")}
LAST = date(2026, 3, 29)


@pytest.mark.thorough
def test_an_alarm_is_a_row_and_a_warning_the_same_for_all_days_at_once_and_day_by_day(
    spark: SparkSession,
) -> None:
    first = LAST - timedelta(days=40)
    rows = [
        (first + timedelta(days=n), hour, "playback", 100 + n % 5, 100)
        for n in range(41)
        for hour in (18, 19)
        if (n, hour) != (40, 19)
    ]
    hours = {DELIVERY_HOURS: spark.createDataFrame(rows, DELIVERY_HOURS.schema)}
    job, end = JOBS["watch_deliveries"], LAST + timedelta(days=1)
    yesterday = LAST - timedelta(days=1)

    at_once = rehearse(job, hours, yesterday, end)
    days = [rehearse(job, hours, yesterday, LAST), rehearse(job, hours, LAST, end)]

    assert at_once.warnings == days[1].warnings
    assert days[0].warnings == []
    assert [warning.partition(": ")[2] for warning in at_once.warnings] == [
        "playback: no record of the hours (UTC) 19, which are hardly ever empty",
        "playback: 100 records; usually 204, an alarm below 128 and above 326",
    ]
    apart = days[0][DELIVERY_HEALTH].union(days[1][DELIVERY_HEALTH])
    assert sorted(at_once[DELIVERY_HEALTH].collect()) == sorted(apart.collect())
