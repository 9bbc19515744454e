"""A missing hour and a doubled day are alarms; growth, weekends, few records and broken days before are none."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from chispa import assert_df_equality
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from cinelake.operations.deliveries import Expectations, delivery_health, delivery_hours
from cinelake.tables.operations import DELIVERY_HEALTH, DELIVERY_HOURS, EMPTY_HOURS, RECORDS

LAST = date(2026, 3, 29)  # a Sunday
FIRST = LAST - timedelta(days=83)
# Records of an hour by source, day and hour; None is an hour without any.
Shape = Callable[[date, int], int | None]


def usual(day: date, hour: int) -> int:
    """Twice as much on weekends, nothing from three to five, and a day's noise."""
    return 0 if hour in (3, 4) else (200 if day.weekday() >= 5 else 100) + (day.toordinal() * 7) % 9


def without(when: date, *hours: int) -> Shape:
    return lambda day, hour: 0 if day == when and hour in hours else usual(day, hour)


def times(when: date, factor: float) -> Shape:
    return lambda day, hour: round(usual(day, hour) * (factor if day == when else 1))


BEFORE = LAST - timedelta(days=7)
SHAPES: dict[str, Shape] = {
    "as_usual": usual,
    "an_hour_missing": without(LAST, 20),
    "nothing_at_night": without(LAST, 3, 4),
    "doubled": times(LAST, 2.0),
    "half": times(LAST, 0.5),
    "grown_by_a_third": times(LAST, 1.33),
    # A broken day before hides nothing of today, and is no alarm of today.
    "doubled_after_a_doubled_week": lambda day, hour: round(
        usual(day, hour) * (2.0 if day in (LAST, BEFORE) else 1.0)
    ),
    "doubled_a_week_ago": times(BEFORE, 2.0),
    "silent": lambda day, hour: 0 if day == LAST else usual(day, hour),
    "few": lambda day, hour: (hour == 12) * (30 if day == LAST else day.toordinal() % 3),
    # Many at a time, on two days of three; and on the newest, nobody.
    "in_bursts": lambda day, hour: (hour == 12 and day < LAST) * (1 + (day.toordinal() % 3) * 200),
    "new": lambda day, hour: usual(day, hour) * 9 if day > LAST - timedelta(days=5) else 0,
    "ten_days_old": lambda day, hour: usual(day, hour) if day > LAST - timedelta(days=10) else 0,
}


@pytest.fixture(scope="module")
def judged(spark: SparkSession) -> dict[tuple[str, str], dict[str, Any]]:
    """The newest day's rows by source and measure."""
    rows = [
        (FIRST + timedelta(days=n), hour, source, count, count)
        for source, shape in SHAPES.items()
        for n in range(84)
        for hour in range(24)
        if (count := shape(FIRST + timedelta(days=n), hour))
    ]
    hours = spark.createDataFrame(rows, DELIVERY_HOURS.schema)
    found = delivery_health(hours, LAST, LAST + timedelta(days=1), Expectations())
    assert found.schema.simpleString() == DELIVERY_HEALTH.schema.simpleString()
    return {(row["source"], row["measure"]): row for row in found.toArrow().to_pylist()}


@pytest.mark.thorough
def test_every_source_is_judged_by_both_measures(
    judged: dict[tuple[str, str], dict[str, Any]],
) -> None:
    assert judged.keys() == {(s, measure) for s in SHAPES for measure in (RECORDS, EMPTY_HOURS)}


@pytest.mark.thorough
def test_only_what_is_out_of_the_usual_is_an_alarm(
    judged: dict[tuple[str, str], dict[str, Any]],
) -> None:
    assert {at for at, row in judged.items() if row["is_alarm"]} == {
        ("an_hour_missing", EMPTY_HOURS),
        ("doubled", RECORDS),
        ("half", RECORDS),
        ("doubled_after_a_doubled_week", RECORDS),
        ("silent", RECORDS),
        ("silent", EMPTY_HOURS),
        ("in_bursts", RECORDS),
    }


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("source", "measure", "said"),
    [
        ("an_hour_missing", EMPTY_HOURS,
         "an_hour_missing: no record of the hours (UTC) 20, which are hardly ever empty"),
        ("as_usual", EMPTY_HOURS, "as_usual: none of the 22 hours is empty that hardly ever are"),
        ("few", EMPTY_HOURS, "few: no hour is full enough to be missed"),
        ("few", RECORDS, "few: 30 records; too few for an alarm"),
        ("new", RECORDS, "new: 40,194 records; what is usual is not known yet"),
        ("ten_days_old", RECORDS,
         "ten_days_old: 4,466 records; usually 2,332, and how far days stray from it is not known yet"),
        ("silent", RECORDS, "silent: 0 records; usually 4,499, an alarm below 2,812 and above 7,198"),
    ],
)  # fmt: skip
def test_an_alarm_says_what_is_missing_and_what_is_usual(
    judged: dict[tuple[str, str], dict[str, Any]], source: str, measure: str, said: str
) -> None:
    assert judged[source, measure]["message"] == said


def bronze(spark: SparkSession, *events: tuple[str, datetime]) -> DataFrame:
    frame = spark.createDataFrame(list(events), "event_id string, event_time timestamp")
    return frame.withColumn("event_date", F.to_date("event_time"))


def test_deliveries_are_counted_by_source_and_hour_with_repetitions(spark: SparkSession) -> None:
    at = datetime(2026, 1, 1, 23, 59, 59)
    plays = bronze(spark, ("a", at), ("a", at), ("b", at), ("c", at + timedelta(seconds=1)))
    found = delivery_hours({"playback": plays, "searches": bronze(spark, ("a", at))})
    expected = spark.createDataFrame(
        [
            (date(2026, 1, 1), 23, "playback", 3, 2),
            (date(2026, 1, 2), 0, "playback", 1, 1),
            (date(2026, 1, 1), 23, "searches", 1, 1),
        ],
        DELIVERY_HOURS.schema,
    )
    assert_df_equality(
        found, expected, ignore_row_order=True, ignore_nullable=True, ignore_metadata=True
    )
