"""What is worse than its own history is told within two hours, and what is not is left alone."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import pytest
import typer
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F
from unit.qoe.rollup_rows import FIRST, rolled
from unit.tables.rows import rows, same

from cinelake.qoe.anomalies import Alarming, anomalies, muted
from cinelake.qoe.incidents import Merging, of_day
from cinelake.qoe.maintenance.calendar import standing
from cinelake.qoe.maintenance.commands import anew, announced, called_off
from cinelake.qoe.rollups import parts_of
from cinelake.qoe.usual import Usual
from cinelake.runtime.runs.publish import judged
from cinelake.tables.maintenance import QOE_MAINTENANCE
from cinelake.tables.qoe import DIMENSIONS, QOE_ANOMALIES, QOE_ROLLUPS

USUAL, ALARMING = Usual(), Alarming()


def day(number: int) -> date:
    return FIRST + timedelta(days=number)


def struck(number: int, hour: int, cdn: str, region: str) -> float:
    """From ten to one on day 9, one CDN in one region; all the world on the evening of day 8 is nobody's fault."""
    if number == 9 and 10 <= hour < 13 and (cdn, region) == ("drift", "Bavaria"):
        return 12.0
    return 1.0


def found(rolled: DataFrame, first: int, last: int, *works: dict[str, Any]) -> list[Row]:
    calendar = rows(rolled.sparkSession, QOE_MAINTENANCE, *works)
    made = anomalies(rolled, day(first), day(last), USUAL, ALARMING, calendar)
    return made.orderBy("bucket_at", "cell").collect()


@pytest.fixture(scope="module")
def service(spark: SparkSession) -> DataFrame:
    return rolled(spark, 10, struck)


@pytest.mark.thorough
def test_a_fault_is_told_where_it_is_and_when(service: DataFrame) -> None:
    made = anomalies(
        service, day(9), day(10), USUAL, ALARMING, rows(service.sparkSession, QOE_MAINTENANCE)
    )
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
        alarms = [row for row in found(gone, 0, 12) if row["is_alarm"]]
        # What chance may do elsewhere is bounded by the budget; the new one, and its going, is no fault.
        assert [row for row in alarms if row["cdn"] == "drift"] == []
        assert len({row["bucket_at"] for row in alarms}) <= 12 * ALARMING.false_incidents_a_day

    def test_a_single_session_that_goes_bad_is_no_anomaly(self, service: DataFrame) -> None:
        # A session an hour in each cell but of the whole, all bad on the last day: too few to tell anything.
        is_whole, is_last = F.col("subset") == "all", F.col("cell_date") == F.lit(day(9))
        alone = service.where(~is_whole).withColumns(
            {
                "hours": F.lit(1).cast("bigint"),
                "stalled_hours": F.when(is_last, 1).otherwise(0).cast("bigint"),
            }
        )
        assert found(service.where(is_whole).unionByName(alone), 9, 10) != []
        assert [row for row in found(alone, 0, 10) if row["cell"] != "all"] == []

    def test_days_without_data_are_no_fault(self, service: DataFrame) -> None:
        holes = service.where(~F.col("cell_date").isin(day(4), day(5), day(8)))
        alarms = [row for row in found(holes, 3, 10) if row["is_alarm"]]
        # The first days after a gap raise none, though little is known of them.
        assert not {row["anomaly_date"] for row in alarms} & {day(6), day(7)}
        own = [row for row in alarms if row["cell"] == "cdn=drift|region=Bavaria"]
        assert {row["anomaly_date"] for row in own} == {day(9)}
        nothing = service.where("false")
        assert found(nothing, 0, 10) == []

    def test_announced_work_is_told_but_raises_no_alarm(self, service: DataFrame) -> None:
        work = announced(
            "cdn=drift|region=Bavaria", "2026-03-11T10:30", "2026-03-11T14:30", "new racks", "me"
        )
        own = "cdn=drift|region=Bavaria"
        muted = [row for row in found(service, 9, 10, work) if own in row["cell"]]
        assert muted
        assert all(row["is_muted"] and not row["is_alarm"] for row in muted)
        # Word that it was called off holds from then on.
        off = called_off([work], work["maintenance_id"][:4])
        loud = [row for row in found(service, 9, 10, work, off) if own in row["cell"]]
        assert [row["is_alarm"] for row in loud] == [
            row["evidence"] >= row["threshold"] for row in loud
        ]
        assert any(row["is_alarm"] for row in loud)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"until": "2026-03-11T10:00"}, "is not after --from"),
        ({"until": "2026-03-20T10:00"}, "7 days at most"),
        ({"until": "noon"}, "is no time"),
        ({"where": "city=Ulm"}, "name some of cdn"),
        ({"where": "all"}, "name some of cdn"),
        ({"why": " "}, "say what is done"),
    ],
)
def test_work_that_makes_no_sense_is_refused(wrong: dict[str, str], said: str) -> None:
    good = {
        "where": "cdn=drift",
        "start": "2026-03-11T10:30",
        "until": "2026-03-11T14:30",
        "why": "w",
    }
    with pytest.raises(typer.BadParameter, match=said):
        announced(**(good | wrong), by="me")


def test_only_work_that_is_announced_is_called_off() -> None:
    work = announced("cdn=drift", "2026-03-11T10:30", "2026-03-11T14:30+02:00", "new racks", "me")
    assert (work["ends_at"] - work["starts_at"]).total_seconds() == 2 * 3600
    off = called_off([work], work["maintenance_id"])
    assert (off["number"], off["is_cancelled"]) == (2, True)
    for rows_, id_, said in (([], "9", "no work"), ([work, off], work["maintenance_id"], "before")):
        with pytest.raises(typer.BadParameter, match=said):
            called_off(rows_, id_)


def test_work_that_was_called_off_can_be_announced_again(spark: SparkSession) -> None:
    work = announced("cdn=drift", "2026-03-11T10:30", "2026-03-11T14:30", "new racks", "me")
    assert anew(work, []) == work
    off = called_off([work], work["maintenance_id"])
    for stands in ([work], [work, off, off | {"number": 3, "is_cancelled": False}]):
        with pytest.raises(typer.BadParameter, match=f"already, as {work['maintenance_id']}"):
            anew(work, stands)
    later = work | {"why": "new racks after all"}
    again = anew(later, [off, work])
    assert again == later | {"number": 3}
    calendar = rows(spark, QOE_MAINTENANCE, work, off, again)
    assert [(row["number"], row["why"]) for row in standing(calendar).collect()] == [
        (3, "new racks after all")
    ]


def test_work_mutes_a_wider_cell_of_which_it_explains_most(spark: SparkSession) -> None:
    work = announced("isp=Lindenglas", "2026-03-11T10:00", "2026-03-11T12:00", "new routers", "me")
    affected = {
        "isp=Lindenglas": 60.0, "region=Bavaria|isp=Lindenglas": 30.0, "cdn=drift|isp=Lindenglas": 10.0,
        "all": 70.0, "region=Bavaria": 40.0, "cdn=drift": 50.0, "isp=Other": 9.0, "device_model=Pad": 5.0,
    }  # fmt: skip
    here, later = datetime(2026, 3, 11, 10), datetime(2026, 3, 11, 13)
    cases = [
        *(("stall", here, cell, sessions) for cell, sessions in affected.items()),
        # Another metric, and another hour, have nothing of it.
        ("slow_start", here, "all", 9.0),
        ("stall", later, "all", 9.0),
    ]
    told = rows(
        spark,
        QOE_ANOMALIES,
        *(
            {"metric": metric, "bucket_at": at, "cell": cell, "affected_sessions": sessions}
            for metric, at, cell, sessions in cases
        ),
    ).drop("subset", *DIMENSIONS, "lost_minutes", "is_muted", "is_alarm")
    hourly = rows(
        spark,
        QOE_ROLLUPS,
        *(
            {"bucket_at": at, "cell": cell, **parts_of(cell)}
            for at in (here, later)
            for cell in affected
        ),
    )
    found = muted(told, hourly, rows(spark, QOE_MAINTENANCE, work)).where("is_muted")
    assert {(row["metric"], row["bucket_at"], row["cell"]) for row in found.collect()} == {
        ("stall", here, cell)
        for cell in affected
        # The CDN has something of its own, and of other devices and providers nobody knows.
        if cell not in ("cdn=drift", "isp=Other", "device_model=Pad")
    }


def test_minutes_lost_are_affected_sessions_times_what_a_bad_one_loses(
    spark: SparkSession,
) -> None:
    # Ninety starts of a second and ten of twenty; two who stalled for a minute each, and others for less.
    hour = {"timed_starts": 100, "join_ms": 290_000, "slow_starts": 10, "slow_join_ms": 200_000,
            "stalled_hours": 2, "stall_ms": 240_000, "stalled_ms": 120_000,
            "play_ms": 1_200_000, "starts": 10}  # fmt: skip
    affected = {
        "slow_start": 8.0,
        "stall": 1.0,
        "start_failure": 3.0,
        "playback_failure": 3.0,
        "low_bitrate": 3.0,
    }
    judged_rows = rows(
        spark,
        QOE_ANOMALIES,
        *(
            {"cell": cell, "metric": metric, "affected_sessions": sessions}
            for cell in ("all", "old")
            for metric, sessions in affected.items()
        ),
    ).drop("subset", *DIMENSIONS, "lost_minutes", "is_muted", "is_alarm")
    # An old cell does not tell of the bad ones alone.
    old = hour | {"cell": "old", "slow_join_ms": None, "stalled_ms": None}
    hourly = rows(spark, QOE_ROLLUPS, hour | {"cell": "all"}, old)
    expected = spark.createDataFrame(
        [
            ("all", "slow_start", 8 * 20 / 60),
            ("all", "stall", 1.0),
            ("old", "slow_start", 8 * 2.9 / 60),
            ("old", "stall", 2.0),
            *((cell, "start_failure", 6.0) for cell in ("all", "old")),
            *((cell, "playback_failure", 3.0) for cell in ("all", "old")),
            *((cell, "low_bitrate", 0.0) for cell in ("all", "old")),
        ],
        "cell string, metric string, lost_minutes double",
    )
    found = muted(judged_rows, hourly, rows(spark, QOE_MAINTENANCE))
    rounded = F.round("lost_minutes", 9).alias("lost_minutes")
    same(found.select("cell", "metric", rounded), expected.select("cell", "metric", rounded))
