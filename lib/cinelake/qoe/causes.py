"""What the search for causes is given: the leaves of each incident, now and before.

Grain: one row an incident and combination of all dimensions, with what was bad of what there was. *Now* are the hours
in which the incident had alarms, those of the days before it goes on from too: what is weak on its second day does not
outweigh what was told on its first. *Before* are the same hours of the day, until the incident began, which say what is
usual at that time; those that were bad themselves are left out (qoe/localisation/history.py), each held against others
of its hour of the day, for evenings are not nights. All sessions of those hours count, in its cells or not: a cause
shows against what it did not strike. A dimension that nobody told is no attribute.

Two faults at once, as of a CDN that starts nothing and of an app that stalls, meet in the cells of regions and of the
whole service, and are one incident. So it is searched in every metric of which it has had an alarm: in its own first,
then in the others for what else is to blame.
"""

from __future__ import annotations

from datetime import date

from pydantic import Field
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from cinelake.behaviour.records import within
from cinelake.qoe.baseline import COUNTED, total_of
from cinelake.qoe.cells import UNKNOWN
from cinelake.qoe.localisation.history import is_calm
from cinelake.qoe.localisation.search import Verdict
from cinelake.qoe.localisation.settings import Scan
from cinelake.qoe.localisation.step import causes
from cinelake.tables.qoe import DIMENSIONS, HOUR, METRICS, QOE_INCIDENTS

# An autonomous system says what the provider says.
SEARCHED = tuple(name for name in DIMENSIONS if name != "asn")
MOST_HISTORY = 28
# Candidates that a row of an incident holds, and what of each besides what it is.
KEPT = 5
FOUND = ("score", "bad", "total", "expected", "lift", "contrast", "explained")


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
    days before and of the day. An incident that has gone on for as long has no history left among them, and keeps what
    it had, too.
    """
    leaves = leaves_of(incidents, cells, day)
    settings = Scan(**search.model_dump(exclude={"history_days"}))
    told = causes(leaves, SEARCHED, settings)
    of_rank = F.struct(
        "rank",
        "turn",
        _name(F.col("attributes")).alias("cause"),
        F.col("is_cause").alias("is_blamed"),
        *FOUND,
    )
    found = told.groupBy("incident_id").agg(
        F.min_by("verdict", "rank").alias("_verdict"),
        F.array_sort(F.collect_list(F.when(F.col("rank").between(1, KEPT), of_rank))).alias(
            "_found"
        ),
    )
    kept = before.select(
        "incident_id", F.col("verdict").alias("_old_verdict"), F.col("causes").alias("_old_causes")
    )
    joined = incidents.join(found, on="incident_id", how="left").join(
        kept, on="incident_id", how="left"
    )
    none = F.array().cast(QOE_INCIDENTS.schema["causes"].dataType)
    is_told = F.col("_verdict") != Verdict.NO_HISTORY
    keeps = F.col("_old_verdict").isNotNull() & ~F.coalesce(is_told, F.lit(False))
    return joined.select(
        *incidents.columns,
        F.when(keeps, F.col("_old_verdict")).otherwise(F.col("_verdict")).alias("verdict"),
        F.coalesce(F.when(keeps, F.col("_old_causes")), _with_metrics("_found"), none).alias("causes"),
    )  # fmt: skip


def leaves_of(incidents: DataFrame, cells: DataFrame, day: date) -> DataFrame:
    """`incident_id, turn`, the dimensions searched, and `bad, total, past_bad, past_total` of each leaf and hour.

    Of incidents with an alarm on `day`; a turn is that of a metric, 0 that of the incident's own.
    """
    hourly = cells.where(F.col("width") == HOUR)
    # Of some dozen incidents and days of hours.
    beside = hourly.join(F.broadcast(_hours(incidents, hourly, day)), on="bucket_at", how="inner")
    bad, total = _of_metric(0), _of_metric(1)
    is_now = F.col("_is_now")
    return beside.select(
        "incident_id",
        "turn",
        *(F.nullif(F.col(name), F.lit(UNKNOWN)).alias(name) for name in SEARCHED),
        F.when(is_now, bad).otherwise(0).alias("bad"),
        F.when(is_now, total).otherwise(0).alias("total"),
        F.when(~is_now, bad).otherwise(0).alias("past_bad"),
        F.when(~is_now, total).otherwise(0).alias("past_total"),
    )


def _hours(incidents: DataFrame, hourly: DataFrame, day: date) -> DataFrame:
    """`incident_id, turn, metric, bucket_at, _is_now`: hours of an incident's alarms, and calm ones before it."""
    alarmed = (
        incidents.where(F.to_date("last_alarm_at") == F.lit(day))
        .select(
            "incident_id",
            "opened_at",
            "timeline",
            F.posexplode(_searched_in()).alias("turn", "metric"),
        )
        .select("*", F.explode("timeline.bucket_at").alias("_alarmed_at"))
        .drop("timeline")
    )
    # What the whole service had in every hour that there is.
    told = F.array(
        *(
            F.struct(
                F.lit(metric).alias("metric"),
                F.sum(bad).alias("bad"),
                F.sum(total_of(metric)).alias("total"),
            )
            for metric, (bad, _) in COUNTED.items()
        )
    )
    service = (
        hourly.groupBy("bucket_at")
        .agg(told.alias("_told"))
        .select("bucket_at", F.hour("bucket_at").alias("_hour"), F.inline("_told"))
    )
    is_now = F.col("bucket_at") == F.col("_alarmed_at")
    beside = (
        service.join(
            F.broadcast(alarmed.withColumn("_hour", F.hour("_alarmed_at"))),
            on=["metric", "_hour"],
            how="inner",
        )
        .where(is_now | (F.col("bucket_at") < F.col("opened_at")))
        .groupBy("incident_id", "turn", "metric", "bucket_at", "_hour", "bad", "total")
        .agg(F.bool_or(is_now).alias("_is_now"))
    )
    alike = Window.partitionBy("incident_id", "turn", "_hour", "_is_now")
    return (
        beside.select("*", is_calm(F.col("bad"), F.col("total"), alike).alias("_is_calm"))
        .where(F.col("_is_now") | F.col("_is_calm"))
        .select("incident_id", "turn", "metric", "bucket_at", "_is_now")
    )


def _with_metrics(found: str) -> Column:
    """Candidates with the metric of their turn."""
    told = ("cause", "is_blamed", *FOUND)
    return F.transform(
        found,
        lambda one: F.struct(
            one["rank"].alias("rank"),
            F.get(_searched_in(), one["turn"]).alias("metric"),
            *(one[name].alias(name) for name in told),
        ),
    )


def _searched_in() -> Column:
    """An incident's own metric, and the others of its members."""
    others = F.filter(
        F.lit(list(METRICS)), lambda metric: F.array_contains("members.metric", metric)
    )
    return F.array_union(F.array("metric"), others)


def history(cells: DataFrame, day: date, days: int) -> DataFrame:
    """The cells of a day and of so many before."""
    return within(cells, "cell_date", F.date_sub(F.lit(day), days), F.date_add(F.lit(day), 1))


def _of_metric(side: int) -> Column:
    found = F.lit(0).cast("bigint")
    for metric, (bad, _) in COUNTED.items():
        count = total_of(metric) if side else F.col(bad)
        found = F.when(F.col("metric") == metric, count).otherwise(found)
    return found


def _name(attributes: Column) -> Column:
    """A combination as cells are named."""
    parts = [
        F.when(attributes[name].isNotNull(), F.concat(F.lit(f"{name}="), attributes[name]))
        for name in SEARCHED
    ]
    return F.concat_ws("|", *parts)
