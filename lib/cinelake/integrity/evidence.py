"""What speaks for misuse in the last week, as numbers and in words, by kind: one row a suspect and day.

Shape of all: `account_id, signal_date, kind, subject, stake_ms bigint, features array<struct<name, value>> (in order of
names), evidence array<string>, oddness double`. A suspect is whom the numbers are about: a party, a device, or the
account itself. Nothing here judges; `scorecard` does. A day has rows only where something of the kind happened on it.
"""

from __future__ import annotations

from datetime import date

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from cinelake.integrity.experience import shipped_experience, with_experience
from cinelake.integrity.outliers import Forest, with_oddness

# Days up to a day whose evidence counts together.
LATELY = 7
HOUR_MS = 3_600_000
LINES = 4


def numbers(**told: Column) -> Column:
    """`array<struct<name, value>>` in order of names."""
    return F.array(
        *(
            F.struct(F.lit(n).alias("name"), told[n].cast("double").alias("value"))
            for n in sorted(told)
        )
    ).alias("features")


def _so_many(count: Column, of: str) -> Column:
    return F.format_string(f"%d {of}%s", count, F.when(count == 1, "").otherwise("s"))


def of_parties(parties: DataFrame, forest: Forest | None) -> DataFrame:
    """Parties apart from a home on days on which they streamed, for sharing and takeover alike (`kind` is null)."""
    home = parties.where("is_home").select(
        "account_id",
        "as_of",
        F.col("country").alias("_country"),
        F.col("region").alias("_region"),
        F.size("devices").alias("_devices"),
        F.col("days").alias("_days"),
    )
    strays = with_oddness(parties.where(~F.col("is_home") & F.col("used_today")), forest)
    strays = with_experience(strays, shipped_experience("known"), shipped_experience("late"))
    beside = strays.join(home, on=["account_id", "as_of"], how="left")
    own = F.format_string(
        "%s of its own in %s, %s, on %s: %s since %s, %.1f hours",
        _so_many(F.size("devices"), "device"),
        "region",
        "country",
        _so_many(F.col("networks"), "network"),
        _so_many(F.col("days"), "day"),
        F.col("first_on").cast("string"),
        F.col("played_ms") / HOUR_MS,
    )
    others = F.format_string(
        "the home: %s in %s, %s, %s",
        _so_many(F.col("_devices"), "device"),
        "_region",
        "_country",
        _so_many(F.col("_days"), "day"),
    )
    who = F.concat(
        F.lit("profiles "),
        F.array_join(F.transform("profiles", lambda p: F.left(p, F.lit(8))), ", "),
    )
    return beside.select(
        "account_id",
        F.col("as_of").alias("signal_date"),
        F.lit(None).cast("string").alias("kind"),
        F.col("party").alias("subject"),
        F.col("played_ms").alias("stake_ms"),
        "features",
        F.array(own, others, who).alias("evidence"),
        "oddness",
    )


def of_screens(excess: DataFrame, start: date, end: date) -> DataFrame:
    """Accounts with more streams than allowed on the day; `excess` is read from `LATELY - 1` days before."""
    shown = _shown(excess, "stream_date", F.desc("excess_ms"), "from_at")
    near = lately(shown, "stream_date", start, end)
    line = F.format_string(
        "%s, %s to %s: %d streams of %d allowed, %d devices, %d networks, %d regions",
        F.col("stream_date").cast("string"),
        F.date_format("from_at", "HH:mm"),
        F.date_format("until_at", "HH:mm"),
        "streams",
        "allowed",
        "devices",
        "networks",
        "regions",
    )
    over = F.col("streams") - F.col("allowed")
    worst = F.struct(
        (-F.col("excess_ms")).alias("less"), "stream_date", "from_at", line.alias("line")
    )
    summed = near.groupBy("account_id", "signal_date").agg(
        F.sum("excess_ms").alias("excess"),
        F.count_distinct("stream_date").alias("days"),
        F.max(over).alias("over"),
        F.max("devices").alias("devices"),
        F.max("networks").alias("networks"),
        F.slice(F.array_sort(F.collect_list(F.when(F.col("_shown"), worst))), 1, LINES).alias(
            "worst"
        ),
        F.bool_or(F.col("stream_date") == F.col("signal_date")).alias("today"),
    )
    told = numbers(
        log_excess_hours=F.log1p(F.col("excess") / HOUR_MS),
        excess_days=F.col("days"),
        over_by=F.least("over", F.lit(8)),
        excess_devices=F.least("devices", F.lit(12)),
        excess_networks=F.least("networks", F.lit(8)),
    )
    evidence = F.transform("worst", lambda each: each["line"])
    return _suspect(
        summed.where("today"), "screens", F.col("account_id"), F.col("excess"), told, evidence
    )


def of_places(pairs: DataFrame, start: date, end: date) -> DataFrame:
    """Accounts with an impossible journey on the day; `pairs` is read from `LATELY - 1` days before."""
    order = (
        F.desc("distance_km"),
        "later_at",
        "later_device_id",
        "earlier_device_id",
        "earlier_at",
    )
    near = lately(_shown(pairs, "later_date", *order), "later_date", start, end)
    line = F.format_string(
        "%s: %s in %s, and %s in %s: %.0f km at least, %.0f minutes apart",
        F.date_format("later_at", "yyyy-MM-dd HH:mm"),
        "earlier_kind",
        "earlier_place",
        "later_kind",
        "later_place",
        "distance_km",
        F.col("gap_s") / 60,
    )
    worst = F.struct(
        (-F.col("distance_km")).alias("less"),
        "later_at",
        "later_device_id",
        "earlier_device_id",
        line.alias("line"),
    )
    devices = F.array("earlier_device_id", "later_device_id")
    summed = near.groupBy("account_id", "signal_date").agg(
        F.count("*").alias("pairs"),
        F.count_distinct("later_date").alias("days"),
        F.count_if(F.col("gap_s") == 0).alias("at_once"),
        F.max("distance_km").alias("farthest"),
        F.size(F.array_distinct(F.flatten(F.collect_set(devices)))).alias("devices"),
        F.size(
            F.array_distinct(F.flatten(F.collect_set(F.array("earlier_place", "later_place"))))
        ).alias("places"),
        F.slice(F.array_sort(F.collect_list(F.when(F.col("_shown"), worst))), 1, LINES).alias(
            "worst"
        ),
        F.bool_or(F.col("later_date") == F.col("signal_date")).alias("today"),
    )
    told = numbers(
        log_pairs=F.log1p("pairs"),
        journey_days=F.col("days"),
        log_pairs_at_once=F.log1p("at_once"),
        log_farthest=F.log1p("farthest"),
        journey_devices=F.least("devices", F.lit(10)),
        journey_places=F.least("places", F.lit(10)),
    )
    evidence = F.transform("worst", lambda each: each["line"])
    return _suspect(summed.where("today"), "places", F.col("account_id"), F.lit(0), told, evidence)


def of_playback(usage: DataFrame, start: date, end: date) -> DataFrame:
    """Devices that played on the day; `usage` is read from `LATELY - 1` days before."""
    by_day = usage.groupBy("account_id", "device_id", "use_date").agg(
        F.sum("played_ms").alias("played"),
        F.sum("plays").alias("plays"),
        F.sum("finished").alias("finished"),
        F.sum("unasked").alias("unasked"),
        F.sum("titles").alias("titles"),
        F.bit_or("hours").alias("hours"),
    )
    near = lately(by_day, "use_date", start, end)
    summed = near.groupBy("account_id", "device_id", "signal_date").agg(
        F.sum("played").alias("played"),
        F.sum("plays").alias("plays"),
        F.sum("finished").alias("finished"),
        F.sum("unasked").alias("unasked"),
        F.sum("titles").alias("titles"),
        F.count("*").alias("days"),
        F.sum(F.bit_count("hours")).alias("hours"),
        F.bool_or(F.col("use_date") == F.col("signal_date")).alias("today"),
    )
    days = F.col("days")
    a_day = F.col("played") / HOUR_MS / days
    told = numbers(
        hours_a_day=a_day,
        titles_a_day=F.least(F.col("titles") / days, F.lit(40)),
        finished_share=F.col("finished") / F.col("plays"),
        unasked_share=F.col("unasked") / F.col("plays"),
        clock_hours_a_day=F.col("hours") / days,
        play_days=days,
    )
    line = F.format_string(
        "device %s: %.1f hours a day on %d of %d days, %.1f titles a day, "
        "%.0f %% of plays to the end, %.0f %% by direct links",
        F.left("device_id", F.lit(8)),
        a_day,
        days,
        F.lit(LATELY),
        F.col("titles") / days,
        100 * F.col("finished") / F.col("plays"),
        100 * F.col("unasked") / F.col("plays"),
    )
    # What nobody could take for a machine is no suspect: most devices play an hour or two a day.
    busy = summed.where(F.col("today") & (a_day >= SUSPICIOUS_HOURS))
    return _suspect(busy, "playback", F.col("device_id"), F.col("played"), told, F.array(line))


# Hours a day, in the mean of its days of use, from which a device's playback is looked at.
SUSPICIOUS_HOURS = 4


def lately(rows: DataFrame, day: str, start: date, end: date) -> DataFrame:
    """Each row beside every day of `[start, end)` that it counts for, as `signal_date`."""
    first = F.greatest(F.col(day), F.lit(start))
    last = F.least(F.date_add(day, LATELY - 1), F.date_sub(F.lit(end), 1))
    return rows.where(first <= last).select(
        "*", F.explode(F.sequence(first, last)).alias("signal_date")
    )


def _shown(rows: DataFrame, day: str, *order: str | Column) -> DataFrame:
    """Rows with `_shown boolean`: whether a row is among the first `LINES` of its account and day.

    The first of a week are among the first of its days. So an account with a million rows a day brings a few together
    to be sorted, and not all of them.
    """
    first = Window.partitionBy("account_id", day).orderBy(*order)
    return rows.select("*", (F.row_number().over(first) <= LINES).alias("_shown"))


def _suspect(
    rows: DataFrame, kind: str, subject: Column, stake: Column, told: Column, evidence: Column
) -> DataFrame:
    return rows.select(
        "account_id",
        "signal_date",
        F.lit(kind).alias("kind"),
        subject.alias("subject"),
        stake.cast("bigint").alias("stake_ms"),
        told,
        evidence.alias("evidence"),
        F.lit(None).cast("double").alias("oddness"),
    )
