"""What is worse than its own history is told within two hours, and what is not is left alone."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F
from unit.qoe.rollup_rows import FIRST, rolled

from cinelake.qoe.anomalies import Alarming, Maintenance, anomalies
from cinelake.qoe.baseline import Usual
from cinelake.qoe.incidents import Merging, of_day
from cinelake.runtime.publish import judged
from cinelake.tables.qoe import QOE_ANOMALIES

USUAL, ALARMING = Usual(), Alarming()


def day(number: int) -> date:
    return FIRST + timedelta(days=number)


def struck(number: int, hour: int, cdn: str, region: str) -> float:
    """From ten to one on day 9, one CDN in one region; all the world on the evening of day 8 is nobody's fault."""
    if number == 9 and 10 <= hour < 13 and (cdn, region) == ("drift", "Bavaria"):
        return 12.0
    return 1.0


def found(rows: DataFrame, first: int, last: int, **more: Maintenance) -> list[Row]:
    calm = tuple(more.values())
    made = anomalies(rows, day(first), day(last), USUAL, ALARMING, calm)
    return made.orderBy("bucket_at", "cell").collect()


@pytest.fixture(scope="module")
def service(spark: SparkSession) -> DataFrame:
    return rolled(spark, 10, struck).localCheckpoint()


def test_a_fault_is_told_where_it_is_and_when(service: DataFrame) -> None:
    made = anomalies(service, day(9), day(10), USUAL, ALARMING)
    assert judged(QOE_ANOMALIES, made).where("size(_reasons) > 0").isEmpty()
    alarms = [row for row in made.collect() if row["is_alarm"]]
    assert {row["metric"] for row in alarms} == {"stall"}
    own = [row for row in alarms if row["cell"] == "cdn=drift|region=Bavaria"]
    assert [row["bucket_at"].hour for row in sorted(own, key=lambda row: row["bucket_at"])] == [
        10,
        11,
        12,
    ]
    # The cells that it is part of may show it, too; those that it is not part of do not.
    assert {row["cell"] for row in alarms} <= {
        "cdn=drift|region=Bavaria",
        "cdn=drift",
        "region=Bavaria",
        "all",
    }
    first = min(own, key=lambda row: row["bucket_at"])
    assert first["expected_rate"] == pytest.approx(0.03, abs=0.015)
    assert first["affected_sessions"] == pytest.approx(
        first["bad"] - first["expected_rate"] * first["total"]
    )
    # Forty seconds each.
    assert first["lost_minutes"] == pytest.approx(first["affected_sessions"] * 40 / 60)


@pytest.mark.thorough
@pytest.mark.timeout(900)
class TestAtLength:
    """What takes several of the plans of a baseline."""

    def test_only_history_counts(self, spark: SparkSession, service: DataFrame) -> None:
        # A service that goes on differently has the same anomalies until then, in any window.
        other = rolled(spark, 10, lambda number, *_: 9.0 if number == 9 else 1.0)
        assert found(service, 2, 9) == found(other, 2, 9)
        assert found(service, 2, 5) + found(service, 5, 10) == found(service, 2, 10)

    def test_a_service_is_watched_from_its_first_day(self, spark: SparkSession) -> None:
        def fate(number: int, hour: int, cdn: str, region: str) -> float:
            return 12.0 if (number, cdn, region) == (0, "drift", "Bavaria") and hour >= 10 else 1.0

        alarms = [row for row in found(rolled(spark, 1, fate), 0, 1) if row["is_alarm"]]
        first = min(row["bucket_at"] for row in alarms if row["cell"] == "cdn=drift|region=Bavaria")
        assert first.hour in (10, 11)
        assert not [row for row in alarms if row["bucket_at"].hour < 10]

    def test_quiet_days_open_no_more_incidents_than_are_allowed(self, spark: SparkSession) -> None:
        alarms = [
            row.asDict() for row in found(rolled(spark, 24, seed=11), 0, 24) if row["is_alarm"]
        ]
        opened: set[str] = set()
        before: list[dict[str, Any]] = []
        for number in range(24):
            own = [row for row in alarms if row["anomaly_date"] == day(number)]
            goes_on = [row for row in before if row["state"] != "closed"]
            before = of_day(own, goes_on, day(number), Merging())
            opened |= {row["incident_id"] for row in before}
        assert len(opened) <= 24 * ALARMING.false_incidents_a_day

    def test_a_cdn_that_appears_or_vanishes_raises_no_alarm(self, spark: SparkSession) -> None:
        rows = rolled(spark, 12, born=6)
        gone = rows.where(
            (F.col("cdn") == "drift").isNull()
            | (F.col("cdn") != "drift")
            | (F.col("cell_date") < F.lit(day(9)))
        )
        assert [row for row in found(gone, 0, 12) if row["is_alarm"]] == []

    def test_days_without_data_are_no_fault(self, service: DataFrame) -> None:
        holes = service.where(~F.col("cell_date").isin(day(4), day(5), day(8)))
        alarms = [row for row in found(holes, 3, 10) if row["is_alarm"]]
        assert {row["anomaly_date"] for row in alarms} == {day(9)}
        nothing = service.where("false")
        assert found(nothing, 0, 10) == []

    def test_announced_work_is_told_but_raises_no_alarm(self, service: DataFrame) -> None:
        begins = datetime(2026, 3, 11, 10, 30, tzinfo=UTC)
        work = Maintenance(
            start=begins, end=begins + timedelta(hours=4), cdn="drift", region="Bavaria"
        )
        rows = [
            row for row in found(service, 9, 10, work=work) if "drift|region=Bavaria" in row["cell"]
        ]
        assert rows
        assert all(row["is_muted"] and not row["is_alarm"] for row in rows)


def test_work_that_ends_before_it_begins_or_is_nowhere_is_refused() -> None:
    begins = datetime(2026, 3, 11, tzinfo=UTC)
    with pytest.raises(ValueError, match="before it starts"):
        Maintenance(start=begins, end=begins, cdn="drift")
    with pytest.raises(ValueError, match="say where it is"):
        Maintenance(start=begins, end=begins + timedelta(hours=1))
