"""Whether a source told as much as it usually does: by the hour, and by the day.

Grain of the result: one row per day, source and measure, of `DELIVERY_HEALTH`.

*Records of a day.* What is usual is the median of the same weekday in the weeks before, or of all days before while
there are few. How far days stray from it is told by the median absolute deviation of the logarithm of their ratio to
what was usual for them (times 1.4826 it is the standard deviation of normal numbers; Hampel 1974, "The Influence Curve
and its Role in Robust Estimation"), joined with the noise of a count of that size. Neither moves when a few days
before were broken, so the alarm of today does not hide that of tomorrow. Bounds lie `spreads` of it away, and at least
a factor of `factor`: a service may grow by a third overnight and nothing is wrong.

*Empty hours.* An hour of the day that was hardly ever empty before, and of which usually many records come, is missed
when there are none; but only where they come so evenly that none at all would lie as many spreads below the median,
by the tenth of days with fewest: what a few viewers tell comes in bursts. Days and hours are those of events, so what
comes late fills them again, and the alarm is gone with the next run.

A source that tells little, or at its whim, has no alarm; nor has one that is new.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from math import log

from pydantic import BaseModel, ConfigDict, Field
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from cinelake.tables.operations import DELIVERY_HEALTH, EMPTY_HOURS, RECORDS

# Eight of each weekday, and for the deviations of the last four weeks eight before each.
USUAL_DAYS, JUDGED_DAYS = 56, 28
REACH = USUAL_DAYS + JUDGED_DAYS
# From a median absolute deviation to a standard deviation.
NORMAL = 1.4826
# How many standard deviations the lowest tenth of normal numbers lies below their median.
TENTH = 1.2816


class Expectations(BaseModel):
    """What is an alarm."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    spreads: float = Field(4.0, gt=0, description="how many spreads from what is usual")
    factor: float = Field(1.6, gt=1, description="the least factor from what is usual")
    days: int = Field(7, ge=3, description="days it takes to know what is usual")
    # Of what did not happen in n days, no more can be said than that it does in fewer than 3 of n (rule of three).
    hour_days: int = Field(
        14, ge=3, description="days it takes to know which hours are never empty"
    )
    records: int = Field(100, ge=1, description="usual records a day it takes for an alarm")
    hourly: int = Field(20, ge=1, description="usual records an hour it takes to miss one")
    empty: float = Field(0.04, ge=0, lt=1, description="share of days on which it may be empty")


def delivery_hours(bronze: Mapping[str, DataFrame]) -> DataFrame:
    """Bronze rows by source → `event_date, hour, source, records, events`."""
    told = [
        frame.select(
            F.lit(source).alias("source"),
            "event_date",
            F.hour("event_time").alias("hour"),
            "event_id",
        )
        for source, frame in bronze.items()
    ]
    everything = told[0]
    for frame in told[1:]:
        everything = everything.unionAll(frame)
    return (
        everything.groupBy("event_date", "hour", "source")
        .agg(
            F.count("*").alias("records"),
            F.greatest(F.approx_count_distinct("event_id", 0.02), F.lit(1)).alias("events"),
        )
        .select("event_date", "hour", "source", "records", "events")
    )


def delivery_health(hours: DataFrame, start: date, end: date, expected: Expectations) -> DataFrame:
    """`DELIVERY_HOURS` of `[start − REACH, end)` → the rows of `[start, end)`."""
    grid = _days(hours, end)
    judged = _records(grid, start, expected).unionByName(_empty_hours(grid, start, expected))
    return judged.where(F.col("day") >= F.lit(start)).select(*DELIVERY_HEALTH.names)


def _days(hours: DataFrame, end: date) -> DataFrame:
    """One row a source and day, from its first on, those without a record among them: `by_hour` has 24 counts."""
    found = hours.groupBy("source", F.col("event_date").alias("day")).agg(
        F.sum("records").alias("records"),
        F.sum("events").alias("events"),
        F.map_from_entries(F.collect_list(F.struct("hour", "records"))).alias("told"),
    )
    whole = hours.groupBy("source").agg(F.min("event_date").alias("first"))
    last = F.date_sub(F.lit(end), 1)
    calendar = whole.where(F.col("first") <= last).select(
        "source", F.explode(F.sequence("first", last)).alias("day")
    )
    each_hour = F.transform(
        F.sequence(F.lit(0), F.lit(23)),
        lambda hour: F.coalesce(F.try_element_at("told", hour), F.lit(0)).cast("bigint"),
    )
    return calendar.join(found, on=["source", "day"], how="left").select(
        "source",
        "day",
        F.coalesce("records", F.lit(0)).cast("bigint").alias("records"),
        F.coalesce("events", F.lit(0)).cast("bigint").alias("events"),
        each_hour.alias("by_hour"),
    )


def _before(days: DataFrame, reach: int) -> DataFrame:
    """Each day beside each of the `reach` days before it, whose columns begin with `past_`."""
    past = days.select("source", *(F.col(n).alias(f"past_{n}") for n in days.columns if n != "source"))  # fmt: skip
    is_before = (F.col("past_day") < F.col("day")) & (
        F.col("past_day") >= F.date_sub(F.col("day"), reach)
    )
    # A day is met by its past through the weeks in which that may lie, so that it is a join by equality.
    return days.join(past, on="source", how="inner").where(is_before)


def _records(grid: DataFrame, start: date, expected: Expectations) -> DataFrame:
    days = grid.drop("by_hour")
    same = F.dayofweek("past_day") == F.dayofweek("day")
    usual = (
        _before(days.select("source", "day", "records"), USUAL_DAYS)
        .groupBy("source", "day")
        .agg(
            F.count_if(same).alias("weeks"),
            F.count("*").alias("before"),
            F.percentile(F.when(same, F.col("past_records")), 0.5).alias("of_the_weekday"),
            F.percentile("past_records", 0.5).alias("of_all"),
        )
        .select(
            "source",
            "day",
            F.when(F.col("weeks") >= 4, F.col("of_the_weekday"))
            .when(F.col("before") >= expected.days, F.col("of_all"))
            .alias("baseline"),
        )
    )
    known = days.join(usual, on=["source", "day"], how="left")
    # A half, so that a day without records has a logarithm.
    strayed = F.abs(F.ln((F.col("records") + 0.5) / (F.col("baseline") + 0.5)))
    straying = known.where(F.col("baseline").isNotNull()).select(
        "source", "day", strayed.alias("strayed")
    )
    deviation = (
        _before(straying, JUDGED_DAYS)
        .groupBy("source", "day")
        .agg(F.percentile("past_strayed", 0.5).alias("deviation"), F.count("*").alias("told"))
        .where(F.col("told") >= expected.days)
    )
    noise = F.lit(1.0) / F.greatest(F.col("baseline"), F.lit(1.0))
    spread = F.sqrt(F.pow(NORMAL * F.coalesce("deviation", F.lit(0.0)), F.lit(2.0)) + noise)
    factor = F.exp(F.greatest(expected.spreads * spread, F.lit(log(expected.factor))))
    can_tell = (F.col("baseline") >= expected.records) & F.col("deviation").isNotNull()
    bounded = known.where(F.col("day") >= F.lit(start)).join(
        deviation, on=["source", "day"], how="left"
    )
    return bounded.select(
        "day",
        "source",
        F.lit(RECORDS).alias("measure"),
        F.col("records").cast("double").alias("value"),
        "baseline",
        F.when(can_tell, F.col("baseline") / factor).alias("low"),
        F.when(can_tell, F.col("baseline") * factor).alias("high"),
        "records",
        "events",
    ).select(
        "day", "source", "measure", "value", "baseline", "low", "high",
        _is_out_of_bounds().alias("is_alarm"),
        _told_of_records(expected).alias("message"),
    )  # fmt: skip


def _empty_hours(grid: DataFrame, start: date, expected: Expectations) -> DataFrame:
    usual = (
        _before(grid.select("source", "day", "by_hour"), JUDGED_DAYS)
        .where(F.col("day") >= F.lit(start))
        .select("source", "day", F.posexplode("past_by_hour").alias("hour", "records"))
        .groupBy("source", "day", "hour")
        .agg(
            F.count("*").alias("days"),
            F.percentile("records", 0.5).alias("median"),
            F.avg((F.col("records") == 0).cast("double")).alias("empty"),
            F.percentile("records", 0.1).alias("few"),
        )
        .where(
            (F.col("days") >= expected.hour_days)
            & (F.col("median") >= expected.hourly)
            & (F.col("empty") <= expected.empty)
            & (F.log1p("median") >= expected.spreads * _spread_below())
        )
        .groupBy("source", "day")
        .agg(F.array_sort(F.collect_list("hour")).alias("expected"))
    )
    today = grid.where(F.col("day") >= F.lit(start)).join(usual, on=["source", "day"], how="left")
    missed = F.filter("expected", lambda hour: F.element_at("by_hour", hour + 1) == 0)
    found = today.select("day", "source", "expected", missed.alias("missed"))
    number = F.coalesce(F.size("missed"), F.lit(0))
    can_tell = F.col("expected").isNotNull()
    return found.select(
        "day",
        "source",
        F.lit(EMPTY_HOURS).alias("measure"),
        F.when(can_tell, number).otherwise(0).cast("double").alias("value"),
        F.when(can_tell, F.lit(0.0)).alias("baseline"),
        F.lit(None).cast("double").alias("low"),
        F.when(can_tell, F.lit(0.0)).alias("high"),
        (can_tell & (number > 0)).alias("is_alarm"),
        _told_of_hours().alias("message"),
    )


def _spread_below() -> Column:
    """Of the logarithm of an hour's records, below the median; at least the noise of a count as large as that."""
    return F.greatest((F.log1p("median") - F.log1p("few")) / TENTH, F.lit(1.0) / F.sqrt("median"))


def _is_out_of_bounds() -> Column:
    value = F.col("value")
    return F.coalesce((value < F.col("low")) | (value > F.col("high")), F.lit(False))


def _number(value: Column) -> Column:
    return F.format_number(value, 0)


def _told_of_records(expected: Expectations) -> Column:
    repeated = F.col("records") - F.col("events")
    # What is told of events is within two per cent.
    many = (F.col("records") > 0) & (repeated / F.col("records") > 0.1)
    return F.concat(
        F.col("source"),
        F.lit(": "),
        _number(F.col("records")),
        F.lit(" records"),
        F.when(many, F.concat(F.lit(", some "), _number(repeated), F.lit(" of them repetitions"))).otherwise(F.lit("")),
        F.when(
            F.col("low").isNotNull(),
            F.concat(
                F.lit("; usually "), _number(F.col("baseline")),
                F.lit(", an alarm below "), _number(F.col("low")),
                F.lit(" and above "), _number(F.col("high")),
            ),
        ).when(F.col("baseline") < expected.records, F.lit("; too few for an alarm"))
        .when(
            F.col("baseline").isNotNull(),
            F.concat(
                F.lit("; usually "), _number(F.col("baseline")),
                F.lit(", and how far days stray from it is not known yet"),
            ),
        ).otherwise(F.lit("; what is usual is not known yet")),
    )  # fmt: skip


def _told_of_hours() -> Column:
    hours = F.array_join(F.transform("missed", lambda h: F.format_string("%02d", h)), ", ")
    missed = F.concat(
        F.lit(": no record of the hours (UTC) "), hours, F.lit(", which are hardly ever empty")
    )
    full = F.concat(
        F.lit(": none of the "),
        F.size("expected").cast("string"),
        F.lit(" hours is empty that hardly ever are"),
    )
    return F.concat(
        F.col("source"),
        F.when(F.col("expected").isNull(), F.lit(": no hour is full enough to be missed"))
        .when(F.size("missed") > 0, missed)
        .otherwise(full),
    )
