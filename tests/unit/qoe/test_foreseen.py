"""How many sessions are about to stall is told by their last heartbeats, and of days that the batch has not said."""

from __future__ import annotations

import io
from datetime import date, datetime, timedelta
from types import SimpleNamespace
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from rich.console import Console
from unit.qoe.test_stalls import TREES
from unit.tables.rows import rows

from cinelake.qoe.commands import as_warning
from cinelake.qoe.live.commands import approved
from cinelake.qoe.live.foreseen import Foresight, at_risk_now
from cinelake.qoe.stalls.registration import NODES, THRESHOLD
from cinelake.runtime.tracking.store import TrackingDown
from cinelake.tables.contract import Model
from cinelake.tables.quality_live import QOE_MOMENTS_LIVE
from cinelake.tables.stalls import QOE_STALL_RISKS

NOON = datetime(2026, 3, 28, 12)


class Away:
    """A registry that is there, with or without an approved model, or away."""

    def __init__(self, spark: SparkSession) -> None:
        self.spark, self.version, self.is_away, self.read = spark, 0, False, 0

    def newest_approved(self, model: Model, day: date) -> SimpleNamespace | None:
        del model, day
        if self.is_away:
            raise TrackingDown("the server is away")
        return self.version and SimpleNamespace(version=self.version, tags={THRESHOLD: "0.25"})

    def read_frame(self, version: SimpleNamespace, name: str) -> DataFrame:
        del version
        assert name == NODES
        self.read += 1
        return TREES.frame(self.spark)


def test_a_model_is_read_once_and_stays_while_the_registry_is_away(spark: SparkSession) -> None:
    registry, told = Away(spark), list[str]()
    on = approved(registry, told.append)  # type: ignore[arg-type]
    registry.version, registry.is_away = None, True  # type: ignore[assignment]
    assert on(NOON.date()) is None
    registry.is_away = False
    assert on(NOON.date()) is None
    registry.version = 4
    assert on(NOON.date()) == on(NOON.date()) == Foresight(TREES, 0.25, 4)
    assert registry.read == 1
    registry.is_away = True
    assert on(NOON.date()) == on(NOON.date()) == Foresight(TREES, 0.25, 4)
    assert told == [
        "stalls are foreseen by no model 'stalls' meanwhile: the server is away",
        "stalls are foreseen by version 4 of model 'stalls' meanwhile: the server is away",
    ]


def moment(play: str, seconds: int, at_risk: bool | None, **more: Any) -> dict[str, Any]:
    at = NOON + timedelta(seconds=seconds)
    where = {"cdn": "aurora", "pop": "aurora-1", "isp": "Lindenglas", "region": "Bavaria"}
    return {
        "play_id": play, "beat": seconds, "told_at": at, "bucket_at": NOON + timedelta(seconds=seconds // 300 * 300),
        "moment_date": at.date(), "at_risk": at_risk, "chance": None if at_risk is None else 0.5, **where, **more,
    }  # fmt: skip


def test_a_session_counts_by_its_last_heartbeat_in_the_newest_five_minutes(
    spark: SparkSession,
) -> None:
    moments = rows(
        spark,
        QOE_MOMENTS_LIVE,
        moment("over", -10, True),
        moment("a", 10, False),
        moment("a", 40, True),
        moment("b", 20, True),
        moment("b", 50, False),
        moment("c", 30, True, cdn="drift", pop="drift-1"),
        moment("d", 30, True, cdn="drift", pop="drift-1"),
        moment("paused", 30, None),
    )
    said = rows(spark, QOE_STALL_RISKS, {"risk_date": date(2026, 3, 27)})

    found = at_risk_now(said, moments).toArrow().to_pylist()

    assert [(row["cdn"], row["at_risk"], row["sessions"]) for row in found] == [
        ("drift", 2, 2),
        ("aurora", 1, 2),
    ]
    page = io.StringIO()
    Console(width=120, file=page).print(as_warning(found))
    assert page.getvalue().splitlines() == [
        "about to stall, 2026-03-28 12:00 UTC: 3 of 4 sessions that play, by their last heartbeats",
        "  2 of 2: drift, drift-1, Lindenglas, Bavaria",
        "  1 of 2: aurora, aurora-1, Lindenglas, Bavaria",
    ]
    # What the batch has said is not told as live.
    today = rows(spark, QOE_STALL_RISKS, {"risk_date": date(2026, 3, 28)})
    assert at_risk_now(today, moments).isEmpty()
