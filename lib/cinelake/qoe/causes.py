"""What the search for causes is given: the leaves of each incident, now and before.

Grain: one row an incident and combination of all dimensions, with what was bad of what there was. *Now* are the hours
of the day in which the incident had alarms; *before* are the same clock hours of the days before it, which say what is
usual at that time, with those left out in which the incident was already there. All sessions of those hours count, in
its cells or not: a cause shows against what it did not strike. A dimension that nobody told is no attribute.
"""

from __future__ import annotations

from datetime import date

from pydantic import Field
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from cinelake.behaviour.records import within
from cinelake.qoe.baseline import COUNTED
from cinelake.qoe.cells import UNKNOWN
from cinelake.qoe.localisation.settings import Scan
from cinelake.qoe.localisation.step import causes
from cinelake.tables.qoe import DIMENSIONS, HOUR, QOE_INCIDENTS

# An autonomous system says what the provider says.
SEARCHED = tuple(name for name in DIMENSIONS if name != "asn")
MOST_HISTORY = 28
# Candidates that a row of an incident holds.
KEPT = 5


class Search(Scan):
    """The scan, and how far back it looks for what is usual."""

    history_days: int = Field(
        14, ge=1, le=MOST_HISTORY, description="days of the same hours before"
    )


def with_causes(
    incidents: DataFrame, before: DataFrame, cells: DataFrame, day: date, search: Search
) -> DataFrame:
    """Incidents of `day` with `verdict` and `causes`; those without an alarm that day keep what they had.

    `before` are rows of `qoe_incidents` of the day before, `cells` those of all dimensions, of `search.history_days`
    days before and of the day.
    """
    leaves = leaves_of(incidents, cells, day)
    settings = Scan(**search.model_dump(exclude={"history_days"}))
    told = causes(leaves, SEARCHED, settings)
    of_rank = F.struct(
        "rank",
        _name(F.col("attributes")).alias("cause"),
        F.col("is_cause").alias("is_blamed"),
        *("score", "bad", "total", "expected", "lift", "contrast", "explained"),
    )
    found = told.groupBy("incident_id").agg(
        F.min_by("verdict", "rank").alias("_verdict"),
        F.array_sort(F.collect_list(F.when(F.col("rank").between(1, KEPT), of_rank))).alias(
            "_causes"
        ),
    )
    kept = before.select(
        "incident_id", F.col("verdict").alias("_old_verdict"), F.col("causes").alias("_old_causes")
    )
    joined = incidents.join(found, on="incident_id", how="left").join(
        kept, on="incident_id", how="left"
    )
    none = F.array().cast(QOE_INCIDENTS.schema["causes"].dataType)
    return joined.select(
        *incidents.columns,
        F.coalesce("_verdict", "_old_verdict").alias("verdict"),
        F.coalesce("_causes", "_old_causes", none).alias("causes"),
    )  # fmt: skip


def leaves_of(incidents: DataFrame, cells: DataFrame, day: date) -> DataFrame:
    """`incident_id`, the dimensions searched, and `bad, total, past_bad, past_total` of each leaf and hour."""
    hours = incidents.select(
        "incident_id", "metric", "opened_at", F.explode("timeline.bucket_at").alias("_alarmed_at")
    ).where(F.to_date("_alarmed_at") == F.lit(day))
    clock = hours.select(
        "incident_id", "metric", "opened_at", F.hour("_alarmed_at").alias("_hour")
    ).distinct()
    hourly = cells.where(F.col("width") == HOUR).select("*", F.hour("bucket_at").alias("_hour"))
    is_today = F.col("cell_date") == F.lit(day)
    # What comes after the incident's first hour, on days before this, is no history of it.
    is_past = (F.col("cell_date") < F.lit(day)) & (F.col("bucket_at") < F.col("opened_at"))
    beside = hourly.join(F.broadcast(clock), on="_hour", how="inner").where(is_today | is_past)
    bad, total = _of_metric(0), _of_metric(1)
    return beside.select(
        "incident_id",
        *(F.nullif(F.col(name), F.lit(UNKNOWN)).alias(name) for name in SEARCHED),
        F.when(is_today, bad).otherwise(0).alias("bad"),
        F.when(is_today, total).otherwise(0).alias("total"),
        F.when(~is_today, bad).otherwise(0).alias("past_bad"),
        F.when(~is_today, total).otherwise(0).alias("past_total"),
    )


def history(cells: DataFrame, day: date, days: int) -> DataFrame:
    """The cells of a day and of so many before."""
    return within(cells, "cell_date", F.date_sub(F.lit(day), days), F.date_add(F.lit(day), 1))


def _of_metric(side: int) -> Column:
    found = F.lit(0).cast("bigint")
    for metric, (bad, total) in COUNTED.items():
        # A session that failed in an hour may have no slice in it.
        count = F.greatest(bad, total) if side else F.col(bad)
        found = F.when(F.col("metric") == metric, count).otherwise(found)
    return found


def _name(attributes: Column) -> Column:
    """A combination as cells are named."""
    parts = [
        F.when(attributes[name].isNotNull(), F.concat(F.lit(f"{name}="), attributes[name]))
        for name in SEARCHED
    ]
    return F.concat_ws("|", *parts)
