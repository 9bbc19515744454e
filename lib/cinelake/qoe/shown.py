"""What is shown of incidents: which there are, and how the cells of one fared around it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from cinelake.qoe.baseline import COUNTED
from cinelake.tables.qoe import HOUR

# Around an incident, and of the days before it to tell what is usual.
_MARGIN, USUAL_DAYS = timedelta(hours=12), 14
_CELLS = 12


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


def around(rollups: DataFrame, incident: Mapping[str, Any]) -> DataFrame:
    """How the cells of an incident fared by its metric: `cell, bucket_at, bad, total, usual double`, in order.

    The cell with the strongest evidence and up to eleven more that gave alarms, from twelve hours before to twelve
    hours after. `usual` is the share at the same hour of the fourteen days before; null where there was none.
    """
    metric = incident["metric"]
    bad, total = COUNTED[metric]
    others = sorted({m["cell"] for m in incident["members"] if m["metric"] == metric})
    cells = [incident["cell"], *[cell for cell in others if cell != incident["cell"]]][:_CELLS]
    opened, last = incident["opened_at"], incident["last_alarm_at"]
    since, until = opened - _MARGIN, last + _MARGIN
    own = rollups.where(
        (F.col("width") == HOUR)
        & F.col("cell").isin(*cells)
        & (F.col("bucket_at") >= F.lit(since - timedelta(days=USUAL_DAYS)))
        & (F.col("bucket_at") <= F.lit(until))
    ).select(
        "cell",
        "bucket_at",
        F.hour("bucket_at").alias("_hour"),
        F.col(bad).alias("bad"),
        F.col(total).alias("total"),
    )
    before = own.where(F.col("bucket_at") < F.lit(opened)).groupBy("cell", "_hour")
    usual = before.agg(F.try_divide(F.sum("bad"), F.sum("total")).alias("usual"))
    return (
        own.where(F.col("bucket_at") >= F.lit(since))
        .join(F.broadcast(usual), on=["cell", "_hour"], how="left")
        .select("cell", "bucket_at", "bad", "total", "usual")
        .orderBy("cell", "bucket_at")
    )
