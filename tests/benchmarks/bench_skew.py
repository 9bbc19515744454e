"""What an account costs that sends a million events in a day: at most 3 times what as many events of many cost.

Each job that makes behaviour of events is rehearsed on a million records of one account, profile and device, and on
as many of ten thousand accounts, and its rows are drained. A play attempt of a million heartbeats, the worst that an
account can do, is in `bench_sessions`.

`CINELAKE_BENCH_EVENTS` makes it fewer or more.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from benchmarks.conftest import in_turn
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from cinelake.runtime.job import Job
from cinelake.runtime.runs.graph import discover
from cinelake.runtime.runs.rehearsal import rehearse
from cinelake.sources.impressions import IMPRESSIONS_SOURCE
from cinelake.sources.interactions import INTERACTIONS_SOURCE
from cinelake.sources.playback import PLAYBACK_SOURCE
from cinelake.sources.searches import SEARCHES_SOURCE
from cinelake.sources.source import Source
from cinelake.tables.behaviour import ACCOUNTS, DEVICES, TITLES
from cinelake.tables.browsing import BROWSE_SESSIONS, INTERACTIONS, SEARCHES
from cinelake.tables.contract import Table
from cinelake.tables.ingest import (
    BRONZE_HEARTBEATS,
    BRONZE_IMPRESSIONS,
    BRONZE_INTERACTIONS,
    BRONZE_PLAYBACK,
    BRONZE_SEARCHES,
)
from cinelake.tables.viewing import VIEWING_SESSIONS

EVENTS = int(os.environ.get("CINELAKE_BENCH_EVENTS", "1000000"))
ACCOUNTS_EVEN = 10_000
DAY = date(2026, 1, 2)
JOBS = {
    job.name: job for job in discover(Path(__file__).parents[2] / "jobs") if isinstance(job, Job)
}


def numbered(prefix: str, number: Column) -> Column:
    return F.concat(F.lit(f"{prefix}-"), F.hex(F.xxhash64(number)))


def bronze(
    spark: SparkSession, source: Source, each: int, accounts: int, **payload: Column
) -> DataFrame:
    """`EVENTS` records spread over a day, `each` in a row of one `thing` (page, play, search) and second.

    `payload` may speak of `thing` and of `place`, the record's number in it.
    """
    thing, place = F.floor(F.col("id") / each), F.col("id") % each
    begun = datetime.combine(DAY, datetime.min.time(), UTC).timestamp()
    at = F.lit(int(begun)) + thing * 86_000 / (EVENTS / each) + place
    account = thing % accounts
    rows = spark.range(0, EVENTS, numPartitions=8).select(
        "id", thing.alias("thing"), place.cast("int").alias("place"), account.alias("account"),
        F.timestamp_seconds(at).alias("event_time"),
    )  # fmt: skip
    who = {
        f"{name}_id": numbered(name, F.col("account")) for name in ("account", "profile", "device")
    }
    known = {name: column for name, column in who.items() if name in source.names} | payload
    record = F.struct(*(column.alias(name) for name, column in known.items()))
    return rows.select(
        numbered("e", F.col("id")).alias("event_id"),
        F.lit(1).alias("schema_version"),
        "event_time",
        F.to_date("event_time").alias("event_date"),
        (F.col("event_time") + F.expr("INTERVAL 1 SECOND")).alias("received_at"),
        F.lit(None).cast("bigint").alias("clock_ahead_ms"),
        F.parse_json(F.to_json(record)).alias("record"),
    ).where(F.col("event_date") == F.lit(DAY))


def impressions(spark: SparkSession, accounts: int) -> DataFrame:
    tile = F.col("place")
    return bronze(
        spark, IMPRESSIONS_SOURCE, 50, accounts,
        page_id=numbered("g", F.col("thing")), title_id=numbered("t", (F.col("thing") * 7 + tile) % 5000),
        row=F.floor(tile / 10).cast("int"), rank=(tile % 10).cast("int"), seen=tile < 20,
    )  # fmt: skip


def acts(spark: SparkSession, accounts: int) -> DataFrame:
    """A click on every tenth tile."""
    return bronze(
        spark, INTERACTIONS_SOURCE, 50, accounts,
        page_id=numbered("g", F.col("thing")), title_id=numbered("t", (F.col("thing") * 7 + F.col("place")) % 5000),
        action=F.lit("click"),
    ).where(F.expr("xxhash64(event_id) % 10 = 0"))  # fmt: skip


def playback(spark: SparkSession, accounts: int) -> DataFrame:
    event = F.element_at(
        F.array(*map(F.lit, ("attempt", "first_frame", "pause", "resume", "stop"))),
        F.col("place") + 1,
    )
    return bronze(
        spark, PLAYBACK_SOURCE, 5, accounts,
        play_id=numbered("p", F.col("thing")), title_id=numbered("t", F.col("thing") % 5000),
        event=event, sequence=F.col("place"), position_s=F.col("place").cast("double"),
    )  # fmt: skip


def snapshots(spark: SparkSession, accounts: int) -> DataFrame:
    return bronze(
        spark, SEARCHES_SOURCE, 5, accounts,
        search_id=numbered("s", F.col("thing")), snapshot=F.col("place"), results=F.lit(3),
        query=F.left(F.lit("alien"), F.col("place") + 1),
    )  # fmt: skip


def nothing(spark: SparkSession, *tables: Table) -> dict[Table, DataFrame]:
    return {
        table: spark.createDataFrame([], StructType.fromJson(table.schema.jsonValue()))
        for table in tables
    }


def inputs_of(spark: SparkSession, job: str, accounts: int) -> dict[Table, DataFrame]:
    around = nothing(spark, ACCOUNTS, DEVICES)
    match job:
        case "build_interactions":
            return {
                BRONZE_IMPRESSIONS: impressions(spark, accounts),
                BRONZE_INTERACTIONS: acts(spark, accounts),
            }
        case "build_viewing_sessions":
            beside = nothing(spark, BRONZE_HEARTBEATS, TITLES)
            return around | beside | {BRONZE_PLAYBACK: playback(spark, accounts)}
        case "build_searches":
            beside = nothing(spark, VIEWING_SESSIONS)
            return around | beside | {BRONZE_SEARCHES: snapshots(spark, accounts)}
        case "build_browse_sessions":
            made = rehearsed("build_interactions", inputs_of(spark, "build_interactions", accounts))
            beside = nothing(spark, SEARCHES, VIEWING_SESSIONS)
            return around | beside | {INTERACTIONS: made[INTERACTIONS]}
    raise AssertionError(job)


TARGETS = {
    "build_interactions": INTERACTIONS,
    "build_viewing_sessions": VIEWING_SESSIONS,
    "build_searches": SEARCHES,
    "build_browse_sessions": BROWSE_SESSIONS,
}


def rehearsed(job: str, inputs: Mapping[Table, DataFrame]) -> Mapping[Table, DataFrame]:
    return rehearse(JOBS[job], inputs, DAY, DAY + timedelta(days=1))


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("job", TARGETS)
def test_an_account_of_a_million_events_costs_at_most_three_times_the_even_load(
    spark: SparkSession, tmp_path: Path, job: str
) -> None:
    sides = []
    for accounts in (ACCOUNTS_EVEN, 1):
        stored = {}
        for table, frame in inputs_of(spark, job, accounts).items():
            path = str(tmp_path / f"{table.name}-{accounts}")
            frame.write.parquet(path)
            stored[table] = spark.read.schema(table.schema).parquet(path)
        sides.append(stored)

    def drain(inputs: Mapping[Table, DataFrame]) -> None:
        rehearsed(job, inputs)[TARGETS[job]].write.format("noop").mode("overwrite").save()

    even, one = in_turn(lambda: drain(sides[0]), lambda: drain(sides[1]), repetitions=2)
    rows = [rehearsed(job, side)[TARGETS[job]].count() for side in sides]
    ratio = one.median / even.median
    print(
        f"\n{job}, {EVENTS:,} events: of {ACCOUNTS_EVEN:,} accounts {even} ({rows[0]:,} rows), "
        f"of one {one} ({rows[1]:,} rows), ratio {ratio:.2f}"
    )
    assert all(rows)
    assert ratio <= 3
