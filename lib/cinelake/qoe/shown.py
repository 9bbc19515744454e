"""What is shown of incidents: which there are, and how the cells of one fared around it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from cinelake.behaviour.records import within
from cinelake.qoe.anomalies import allowed, dated
from cinelake.qoe.baseline import DEEPEST, PARENTS, with_baseline
from cinelake.qoe.rollups import ALL, parts_of
from cinelake.qoe.usual import Usual
from cinelake.tables.qoe import HOUR

# Around an incident.
_MARGIN = timedelta(hours=12)
_SIGMAS = 3


def latest(incidents: DataFrame) -> DataFrame:
    """The newest row of each incident."""
    newest = Window.partitionBy("incident_id").orderBy(F.desc("state_date"))
    return (
        incidents.select("*", F.row_number().over(newest).alias("_place"))
        .where(F.col("_place") == 1)
        .drop("_place")
    )


def newest(incidents: DataFrame, states: tuple[str, ...], n: int) -> DataFrame:
    """The n incidents, in one of these states, with the latest alarms; the widest first of those of one hour."""
    return (
        latest(incidents)
        .where(F.col("state").isin(*states))
        .orderBy(F.desc("last_alarm_at"), F.desc("affected_sessions"), "incident_id")
        .limit(n)
    )


def advised(mitigations: DataFrame) -> DataFrame:
    """The rows of each incident's newest day with advice."""
    whole = Window.partitionBy("incident_id")
    newest_day = F.max("state_date").over(whole)
    return (
        mitigations.select("*", newest_day.alias("_newest"))
        .where(F.col("state_date") == F.col("_newest"))
        .drop("_newest")
    )


def change(advice: Mapping[str, Any]) -> str:
    """What is advised, as a person says it."""
    value = advice["alternative"]
    return {
        "cdn": f"CDN {value}",
        "app_version": f"app {value}",
        "bitrate_cap": f"at most {value} kbit/s",
    }[advice["change"]]


def struck(anomalies: DataFrame, incident: Mapping[str, Any]) -> DataFrame:
    """`cell, affected double` of an incident's alarms by its metric: cells with most affected sessions first."""
    metric = incident["metric"]
    members = {m["cell"] for m in incident["members"] if m["metric"] == metric}
    opened, last = (_naive(incident[name]) for name in ("opened_at", "last_alarm_at"))
    return (
        within(anomalies, "anomaly_date", opened.date(), last.date() + timedelta(days=1))
        .where(
            F.col("is_alarm")
            & (F.col("metric") == metric)
            & F.col("cell").isin(*members)
            & F.col("bucket_at").between(F.lit(opened), F.lit(last))
        )
        .groupBy("cell")
        .agg(F.sum("affected_sessions").alias("affected"))
        .orderBy(F.desc("affected"), "cell")
    )


def around(
    rollups: DataFrame, incident: Mapping[str, Any], cells: Sequence[str], usual: Usual
) -> DataFrame:
    """How cells fared by the metric of an incident: `cell, bucket_at, bad, total, usual, low, high`, in their order.

    From twelve hours before its first alarm to twelve hours after its last. `usual` is the share by the baseline that
    alarms are judged by (qoe/baseline.py), `low` and `high` lie three standard deviations from it; null where nothing
    is known.
    """
    since, until = (
        _naive(at) for at in (incident["opened_at"] - _MARGIN, incident["last_alarm_at"] + _MARGIN)
    )
    # A cell is told by what is above it, too.
    above = {
        f"{name}={parts[name]}"
        for parts in map(parts_of, cells)
        for name in PARENTS
        if name in parts
    }
    hourly = within(
        rollups,
        "cell_date",
        since.date() - timedelta(days=DEEPEST * usual.days),
        until.date() + timedelta(days=1),
    ).where((F.col("width") == HOUR) & F.col("cell").isin(ALL, *above, *cells))
    told = dated(with_baseline(hourly, usual, since.date())).where(
        (F.col("metric") == incident["metric"])
        & F.col("cell").isin(*cells)
        & F.col("bucket_at").between(F.lit(since), F.lit(until))
    )
    place = F.array_position(F.array(*map(F.lit, cells)).cast("array<string>"), F.col("cell"))
    return told.select(
        "cell",
        "bucket_at",
        "bad",
        "total",
        F.col("rate").alias("usual"),
        allowed(-_SIGMAS).alias("low"),
        allowed(_SIGMAS).alias("high"),
    ).orderBy(place, "bucket_at")


def _naive(at: datetime) -> datetime:
    """UTC without saying so, as Spark takes times."""
    return at.astimezone(UTC).replace(tzinfo=None) if at.tzinfo else at
