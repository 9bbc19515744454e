"""What it costs to make sessions of heartbeats.

- Twenty million heartbeats, one in a hundred of them twice: at most 1.3 times the fastest query that we could write
  by hand in Spark SQL for the same rows. DuckDB's time for that query, on the same files, is printed beside it: it is
  what one process that moves no rows between machines needs.
- Twice the heartbeats take at most 2.2 times as long.
- An account that sends a million of them in a day takes at most 3 times as long as when they come from many.

`CINELAKE_BENCH_BEATS` makes it fewer or more.
"""

from __future__ import annotations

import os
from datetime import date, datetime, timedelta
from pathlib import Path

import duckdb
import pytest
from benchmarks.conftest import in_turn
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from cinelake.behaviour.sessions import BEAT_COLUMNS, sessions
from cinelake.sources.playback import PLAYBACK_SOURCE

BEATS = int(os.environ.get("CINELAKE_BENCH_BEATS", "20000000"))
DAY = date(2026, 1, 2)
PER_PLAY, EVERY_S, GRACE_S = 100, 30, 60
ENVELOPE = "event_id string, event_time timestamp, event_date date, received_at timestamp, clock_ahead_ms bigint"

# One statement for both engines: what a careful person writes who knows that heartbeats come twice.
BY_HAND = """
SELECT play_id, min(moment) AS started, max(moment) AS last_beat, sum(played) AS watched, max(position) AS furthest,
       count(*) AS beats, max_by(state, moment) AS last_state
FROM (
  SELECT play_id, event_id, min(event_time) AS moment, min_by(played_s, received_at) AS played,
         min_by(position_s, received_at) AS position, min_by(state, received_at) AS state
  FROM {beats} GROUP BY play_id, event_id
) GROUP BY play_id
"""


def write_beats(spark: SparkSession, path: Path, beats: int, plays: int | None = None) -> None:
    """Heartbeats of plays that begin all over a day and send one each half minute; one in a hundred comes twice."""
    plays = plays or beats // PER_PLAY
    n = F.col("id")
    play, number = n % plays, F.floor(n / plays)
    began = F.lit(datetime.combine(DAY, datetime.min.time())).cast("timestamp")
    second = (F.abs(F.xxhash64(play)) % 80_000 + number * EVERY_S) % 86_400
    at = F.timestamp_seconds(F.unix_timestamp(began) + second)
    once = spark.range(0, beats, numPartitions=8).select(
        F.concat(F.lit("p-"), F.hex(F.xxhash64(play))).alias("play_id"),
        F.concat(F.lit("e-"), F.hex(F.xxhash64(n))).alias("event_id"),
        number.cast("int").alias("sequence"),
        F.when(n % 40 == 0, "paused").otherwise("playing").alias("state"),
        (number * EVERY_S).cast("double").alias("position_s"),
        F.when(n % 40 == 0, 0.0).otherwise(float(EVERY_S)).alias("played_s"),
        at.alias("event_time"),
        F.lit(DAY).alias("event_date"),
        F.lit(None).cast("bigint").alias("clock_ahead_ms"),
        F.explode(F.when(n % 100 == 0, F.array(F.lit(1), F.lit(90))).otherwise(F.array(F.lit(1)))).alias("_delay"),
    )  # fmt: skip
    received = F.timestamp_seconds(F.unix_timestamp("event_time") + F.col("_delay"))
    once.select("*", received.alias("received_at")).drop("_delay").write.parquet(str(path))


def ours(spark: SparkSession, path: Path) -> DataFrame:
    heartbeats = spark.read.parquet(str(path))
    assert set(BEAT_COLUMNS) <= set(heartbeats.columns)
    columns = ",".join(f"{c.name} {c.type.simpleString()}" for c in PLAYBACK_SOURCE.columns)
    playback = spark.createDataFrame([], f"{ENVELOPE}, {columns}")
    return sessions(playback, heartbeats, DAY, DAY + timedelta(days=1), GRACE_S)


def by_hand(spark: SparkSession, path: Path) -> DataFrame:
    return spark.sql(BY_HAND.format(beats=f"parquet.`{path}`"))


def drain(frame: DataFrame) -> None:
    frame.write.format("noop").mode("overwrite").save()


@pytest.mark.timeout(3600)
def test_sessions_cost_little_more_than_a_query_by_hand(
    spark: SparkSession, tmp_path: Path, duck: duckdb.DuckDBPyConnection
) -> None:
    path = tmp_path / "beats"
    write_beats(spark, path, BEATS)
    numbers = ["started", "last_beat", "watched", "furthest", "beats"]
    found = ours(spark, path).select(
        "play_id",
        F.timestamp_micros("started").alias("started"),
        F.timestamp_micros("last_beat").alias("last_beat"),
        (F.col("watched") / 1000).alias("watched"),
        (F.col("furthest") / 1000).alias("furthest"),
        F.col("beats").cast("bigint").alias("beats"),
    )
    expected = by_hand(spark, path).select("play_id", *numbers)
    assert found.exceptAll(expected).isEmpty()
    assert expected.exceptAll(found).isEmpty()

    query = BY_HAND.format(beats=f"read_parquet('{path}/*.parquet')")

    def in_duckdb() -> None:
        duck.execute(f"CREATE OR REPLACE TABLE found AS {query}")

    mine, rival, duckling = in_turn(
        lambda: drain(ours(spark, path)),
        lambda: drain(by_hand(spark, path)),
        in_duckdb,
        repetitions=3,
    )
    ratio = mine.median / rival.median
    print(f"\n{BEATS:,} heartbeats: ours {mine}, Spark SQL by hand {rival}, ratio {ratio:.2f}")
    print(f"  DuckDB {duckling}: {mine.median / duckling.median:.2f} times that")
    assert ratio <= 1.3


@pytest.mark.timeout(3600)
def test_twice_the_heartbeats_take_twice_the_time(spark: SparkSession, tmp_path: Path) -> None:
    half, whole = tmp_path / "half", tmp_path / "whole"
    write_beats(spark, half, BEATS // 4)
    write_beats(spark, whole, BEATS // 2)
    less, more = in_turn(
        lambda: drain(ours(spark, half)), lambda: drain(ours(spark, whole)), repetitions=3
    )
    ratio = more.least / less.least
    print(f"\n{BEATS // 4:,} heartbeats {less}, {BEATS // 2:,} {more}: {ratio:.2f} times")
    assert ratio <= 2.2


@pytest.mark.timeout(3600)
def test_a_million_of_one_play_cost_no_more_than_three_times_the_even_load(
    spark: SparkSession, tmp_path: Path
) -> None:
    even, skewed = tmp_path / "even", tmp_path / "skewed"
    write_beats(spark, even, 1_000_000)
    # The worst an account can do: a million records under one play id.
    write_beats(spark, skewed, 1_000_000, plays=1)
    spread, one = in_turn(
        lambda: drain(ours(spark, even)), lambda: drain(ours(spark, skewed)), repetitions=3
    )
    ratio = one.median / spread.median
    print(f"\na million heartbeats: of 10,000 plays {spread}, of one {one}, ratio {ratio:.2f}")
    assert ratio <= 3
