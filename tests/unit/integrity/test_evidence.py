"""What a person would look at first of a week: few lines, the worst first, however many there are."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import pytest
from pyspark.sql import SparkSession
from unit.tables.rows import rows

from cinelake.integrity.evidence import LINES, of_places, of_screens
from cinelake.tables.integrity import CONCURRENT_STREAMS, IMPOSSIBLE_JOURNEYS

DAY = date(2026, 3, 28)


def at(ago: int, hour: int) -> datetime:
    return datetime(DAY.year, DAY.month, DAY.day, hour) - timedelta(days=ago)


def excess(ago: int, hour: int, hours: int) -> dict[str, Any]:
    return {
        "stream_date": DAY - timedelta(days=ago),
        "from_at": at(ago, hour),
        "until_at": at(ago, hour + 1),
        "excess_ms": hours * 3_600_000,
        "streams": 2,
        "allowed": 1,
    }


def test_the_worst_excesses_of_the_week_stand_in_order_whichever_day_they_are_of(
    spark: SparkSession,
) -> None:
    # Five of one day are more than are shown of it; of the day before one is worse than most; the last is too old.
    given = [excess(0, hour, hour) for hour in range(1, 6)]
    given += [excess(1, 9, 4), excess(1, 8, 1), excess(7, 9, 99)]
    (row,) = of_screens(
        rows(spark, CONCURRENT_STREAMS, *given), DAY, DAY + timedelta(days=1)
    ).collect()
    assert [line[:17] for line in row["evidence"]] == [
        "2026-03-28, 05:00",
        "2026-03-27, 09:00",
        "2026-03-28, 04:00",
        "2026-03-28, 03:00",
    ]
    assert len(row["evidence"]) == LINES
    # All count, shown or not.
    assert row["stake_ms"] == (15 + 5) * 3_600_000


@pytest.mark.thorough
def test_the_farthest_journeys_stand_first_and_all_count(spark: SparkSession) -> None:
    given = [
        {
            "later_date": DAY,
            "later_at": at(0, hour),
            "earlier_device_id": "a",
            "later_device_id": f"b{hour}",
            "distance_km": 100.0 * hour,
        }
        for hour in range(1, 7)
    ]
    (row,) = of_places(
        rows(spark, IMPOSSIBLE_JOURNEYS, *given), DAY, DAY + timedelta(days=1)
    ).collect()
    assert [line[11:16] for line in row["evidence"]] == ["06:00", "05:00", "04:00", "03:00"]
    told = {each["name"]: each["value"] for each in row["features"]}
    assert (told["journey_devices"], round(told["log_pairs"], 2)) == (7, 1.95)
