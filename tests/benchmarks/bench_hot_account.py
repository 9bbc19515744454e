"""What an account costs that plays a million times on one day, through all that looks at plays of a day.

A shop's display, a shared login of thousands, or a fault of a client: nothing may fail by it, and nothing may take more
than three times as long as for as many plays of a thousand accounts. Two shapes: a *crowd*, whose plays overlap by
the hundred and are one excess as long as the day, and a *flicker* of plays so short that their excesses are a hundred
thousand. Everything runs on two cores with few partitions, so a task holds a whole account.

`CINELAKE_BENCH_HOT_PLAYS` makes it fewer or more.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from benchmarks.conftest import in_turn
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from unit.tables.rows import rows

from cinelake.integrity.changes import account_changes, sign_ups
from cinelake.integrity.concurrency import by_day, excesses, peaks
from cinelake.integrity.evidence import of_places, of_screens
from cinelake.integrity.journeys import TravelRules, journeys
from cinelake.integrity.parties import account_parties
from cinelake.integrity.streams import StreamRules, intervals, streams
from cinelake.integrity.usage import usage_days
from cinelake.tables.behaviour import ACCOUNTS, DEVICES, LOG_INS, PROFILES, TITLES
from cinelake.tables.integrity import LOG_IN_RISKS, PLACE_DAYS

PLAYS = int(os.environ.get("CINELAKE_BENCH_HOT_PLAYS", "1000000"))
START = date(2026, 3, 2)
END = START + timedelta(days=1)
SINCE = datetime(2026, 1, 1)
PLACES = (("DE", "Berlin", 52.932, 13.879), ("US", "Texas", 32.238, -96.951))
# How long a play lasts in the mean (ms): hundreds at once, or now and then two.
SHAPES = {"crowd": 60_000, "flicker": 40}


def sessions(spark: SparkSession, path: Path, accounts: int, lasts_ms: int) -> DataFrame:
    """Plays spread over the day, every twentieth of a device; of two regions, so that journeys find pairs."""
    day_ms = 86_400_000
    at = F.abs(F.xxhash64("id", F.lit(1))) % (day_ms - 4 * lasts_ms)
    lasts = F.lit(1) + F.abs(F.xxhash64("id", F.lit(2))) % (2 * lasts_ms)
    begins = F.unix_millis(F.lit(datetime.combine(START, datetime.min.time())))
    told = spark.range(PLAYS, numPartitions=4).select(
        (F.col("id") % accounts).cast("string").alias("account_id"),
        F.concat(F.lit("d"), F.col("id") % (PLAYS // 20)).alias("device_id"),
        F.concat(F.lit("f"), F.col("id") % 5).alias("profile_id"),
        F.concat(F.lit("p"), "id").alias("play_id"),
        F.concat(F.lit("i"), F.col("id") % (PLAYS // 50)).alias("ip"),
        *(
            F.when(F.col("id") % 7 == 0, PLACES[1][n]).otherwise(PLACES[0][n]).alias(name)
            for n, name in enumerate(("country", "region"))
        ),
        F.lit("fibre").alias("connection"),
        F.lit("tv").alias("device_kind"),
        F.lit(1).alias("asn"),
        (F.lit(1.0) * lasts / 1000).cast("decimal(12,3)").alias("seconds_watched"),
        F.lit(0).cast("decimal(12,3)").alias("seconds_paused"),
        F.lit(True).alias("is_finished"),
        F.lit("home").alias("entry"),
        F.lit(None).cast("string").alias("episode_id"),
        F.concat(F.lit("t"), F.col("id") % 500).alias("title_id"),
        F.lit(1).alias("local_weekday"),
        F.timestamp_millis(begins + at).alias("started_at"),
        F.timestamp_millis(begins + at).alias("first_frame_at"),
        F.timestamp_millis(begins + at + lasts).alias("ended_at"),
        F.lit(START).alias("session_date"),
    )
    told.write.parquet(str(path))
    return spark.read.parquet(str(path))


def stages(spark: SparkSession, plays: DataFrame) -> dict[str, Callable[[], int]]:
    """What each looks at, by name; each returns how many rows came of it."""
    who = [row["account_id"] for row in plays.select("account_id").distinct().collect()]
    since = {"effective_from": SINCE, "effective_date": SINCE.date(), "screens_allowed": 1}
    accounts = rows(spark, ACCOUNTS, *({"account_id": one} | since for one in who))
    places = rows(
        spark,
        PLACE_DAYS,
        *(
            {"country": c, "region": r, "cell": r, "latitude": lat, "longitude": lon}
            | {"log_in_date": START, "log_ins": 1}
            for c, r, lat, lon in PLACES
        ),
    )

    def screens() -> int:
        cut = streams(by_day(intervals(plays, StreamRules()), START, END), StreamRules())
        over = excesses(cut, peaks(cut), accounts)
        return of_screens(over, START, END).count()

    def travel() -> int:
        pairs = journeys(plays, rows(spark, LOG_INS), places, START, END, TravelRules())
        return of_places(pairs, START, END).count()

    def homes() -> int:
        usage = usage_days(plays, rows(spark, DEVICES), rows(spark, TITLES))
        accounts, risks = rows(spark, ACCOUNTS), rows(spark, LOG_IN_RISKS)
        changed = account_changes(accounts, rows(spark, PROFILES))
        return account_parties(usage, risks, changed, sign_ups(accounts), START, END).count()

    return {"screens": screens, "places": travel, "homes": homes}


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("shape", list(SHAPES))
def test_an_account_of_a_million_plays_costs_at_most_three_times_the_even_load(
    spark: SparkSession, tmp_path: Path, shape: str
) -> None:
    hot, even = (
        stages(spark, sessions(spark, tmp_path / str(n), n, SHAPES[shape])) for n in (1, 1000)
    )
    print()
    for name in hot:
        one, many = in_turn(hot[name], even[name], repetitions=1)
        print(
            f"{PLAYS:,} plays ({shape}), {name}: of one account {one}, of a thousand {many}, "
            f"ratio {one.median / many.median:.2f}"
        )
        # A suspect or party at least: an account that is not looked at costs nothing.
        assert hot[name]() >= 1
        assert one.median <= 3 * many.median
