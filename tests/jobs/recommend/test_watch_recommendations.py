"""A day's health is one row a measure, the same each time; what is an alarm is a warning of the run."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from chispa import assert_df_equality
from pyspark.sql import SparkSession
from unit.tables.rows import rows

from cinelake.runtime.job import Job
from cinelake.runtime.runs.graph import discover
from cinelake.runtime.runs.rehearsal import RehearsalTracker, Rehearsed, rehearse
from cinelake.tables.features import TITLE_SIGNALS
from cinelake.tables.recommend import RECOMMENDATIONS, RECOMMENDER_HEALTH

JOBS = {
    job.name: job for job in discover(Path(__file__).parents[3] / "jobs") if isinstance(job, Job)
}
DAY = date(2026, 3, 16)
SMALL: dict[str, Any] = {"watch": {"profiles": 2, "days": 2, "weeks": 1, "top": 2}}


def _watched(spark: SparkSession, tracker: RehearsalTracker) -> Rehearsed:
    """Two profiles who, on the day, liked nothing of what their lists held, unlike on the days before."""
    signals = rows(
        spark,
        TITLE_SIGNALS,
        *(
            {"profile_id": profile, "title_id": title, "signal_date": DAY - timedelta(days=ago),
             "plays": 1, "finished": 1, "completion": 1.0}
            for profile in ("ann", "bob")
            for title, ago in (("jaws", 0), ("heat", 8))
        ),
    )  # fmt: skip
    lists = rows(
        spark,
        RECOMMENDATIONS,
        *(
            {"as_of": day, "profile_id": profile, "rank": 1, "title_id": "up", "source": "popular", "score": 1.0}
            for profile in ("ann", "bob")
            for day in (DAY, DAY - timedelta(days=1))
        ),
    )  # fmt: skip
    before = rows(
        spark,
        RECOMMENDER_HEALTH,
        *(
            {"day": DAY - timedelta(days=ago), "measure": measure, "value": value, "counted": 2}
            for ago in (1, 2, 28)
            for measure, value in (("hit_rate", 0.5), ("overlap", 0.5))
        ),
        # Longer ago than what is usual goes back.
        {"day": DAY - timedelta(days=29), "measure": "recall", "value": 0.5, "counted": 2},
        {"day": DAY - timedelta(days=28), "measure": "recall", "value": 0.5, "counted": 2},
    )
    job = JOBS["watch_recommendations"]
    return rehearse(
        job,
        {TITLE_SIGNALS: signals, RECOMMENDATIONS: lists, RECOMMENDER_HEALTH: before},
        DAY,
        params=job.params.model_validate(SMALL),
        tracker=tracker,
    )


@pytest.mark.thorough
def test_an_alarm_is_a_row_and_a_warning(spark: SparkSession) -> None:
    tracker = RehearsalTracker("recommend")
    out = _watched(spark, tracker)

    found = {row.measure: row for row in out[RECOMMENDER_HEALTH].collect()}
    assert {row.day for row in found.values()} == {DAY}
    told = {name: (row.value, row.counted, row.is_alarm) for name, row in found.items()}
    assert told == {
        # One way of watching, before and after.
        "signal_strength_psi": (0.0, 2, False),
        "signal_kind_psi": (0.0, 2, False),
        # Nobody had watched it before.
        "new_title_share": (1.0, 2, True),
        "hit_rate": (0.0, 2, True),
        # Of one day only is it known how it was.
        "recall": (0.0, 2, False),
        "overlap": (1.0, 2, False),
    }
    assert out.warnings == [
        f"{DAY}: {found['new_title_share'].message}",
        f"{DAY}: {found['hit_rate'].message}",
    ]
    assert tracker.metrics == {name: row.value for name, row in found.items()}
    assert out.quarantined(RECOMMENDER_HEALTH).isEmpty()

    again = _watched(spark, RehearsalTracker("recommend"))
    assert_df_equality(again[RECOMMENDER_HEALTH], out[RECOMMENDER_HEALTH], ignore_row_order=True)
    assert again.warnings == out.warnings


@pytest.mark.thorough
def test_a_first_day_has_nothing_to_be_set_against_and_alarms_of_nothing(
    spark: SparkSession,
) -> None:
    nothing = {
        table: spark.createDataFrame([], table.schema)
        for table in (TITLE_SIGNALS, RECOMMENDATIONS, RECOMMENDER_HEALTH)
    }
    out = rehearse(JOBS["watch_recommendations"], nothing, DAY)
    found = out[RECOMMENDER_HEALTH].collect()
    assert len(found) == 6
    assert all(row.value is None and not row.is_alarm for row in found)
    assert out.warnings == []
