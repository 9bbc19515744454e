"""What it costs to sweep 20 million streams, beside a bare window sum, a self-join and DuckDB.

- window: Spark's running sum over the same starts and ends, by account and day, and its greatest: the least that any
sweep must do. The sweep takes at most 1.3 times as long.
- hot: a million streams of one account in a month against as many of a thousand accounts: at most twice as long.
- self-join: streams of an account joined to those that they overlap, on a fiftieth of the rows, printed for comparison.
- DuckDB: the same window sum on the same Parquet file, printed beside it.

`CINELAKE_BENCH_STREAMS` makes it fewer or more.
"""

from __future__ import annotations

import os
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pytest
from benchmarks.conftest import in_turn
from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from cinelake.integrity.concurrency import ACCOUNT_DAY, DAY, by_day, peaks

STREAMS = int(os.environ.get("CINELAKE_BENCH_STREAMS", "20000000"))
HOT = STREAMS // 20
DAYS = 28
START = date(2026, 3, 2)
ZERO = 20_514 * DAY
HOUR = 3_600_000_000


def made(spark: SparkSession, path: Path, streams: int, accounts: int) -> DataFrame:
    """Streams of ten minutes to two hours, spread over the month, as they lie in a file."""
    spread = F.abs(F.xxhash64("id", F.lit(1))) % (DAYS * DAY)
    lasts = F.lit(HOUR // 6) + F.abs(F.xxhash64("id", F.lit(2))) % (2 * HOUR - HOUR // 6)
    rows = spark.range(streams, numPartitions=4).select(
        F.concat(F.lit("a"), F.col("id") % accounts).alias("account_id"),
        F.concat(F.lit("d"), F.col("id") % (accounts * 5)).alias("device_id"),
        F.concat(F.lit("p"), "id").alias("play_id"),
        (F.lit(ZERO) + spread).alias("started"),
        (F.lit(ZERO) + spread + lasts).alias("ended"),
    )
    rows.write.parquet(str(path))
    return spark.read.parquet(str(path))


def pieces(streams: DataFrame) -> DataFrame:
    return by_day(streams, START, START + timedelta(days=DAYS))


def drained(frame: DataFrame) -> None:
    frame.write.format("noop").mode("overwrite").save()


def window_sum(streams: DataFrame) -> DataFrame:
    """The bare running sum over the same rows, and its greatest by account and day."""
    cut = pieces(streams)
    events = cut.select(
        *ACCOUNT_DAY, F.col("started").alias("at"), F.lit(1).alias("step")
    ).unionByName(cut.select(*ACCOUNT_DAY, F.col("ended").alias("at"), F.lit(-1).alias("step")))
    so_far = (
        Window.partitionBy(*ACCOUNT_DAY)
        .orderBy("at", "step")
        .rowsBetween(Window.unboundedPreceding, 0)
    )
    now = events.select(*ACCOUNT_DAY, F.sum("step").over(so_far).alias("now"))
    return now.groupBy(*ACCOUNT_DAY).agg(F.max("now").alias("peak"))


def self_join(streams: DataFrame) -> DataFrame:
    """At each start, how many streams of the account are on: what a sweep spares."""
    one, other = streams.alias("one"), streams.alias("other")
    on = (
        (F.col("one.account_id") == F.col("other.account_id"))
        & (F.col("other.started") <= F.col("one.started"))
        & (F.col("other.ended") > F.col("one.started"))
    )
    counted = one.join(other, on, how="inner").groupBy("one.account_id", "one.play_id").count()
    return counted.groupBy("account_id").agg(F.max("count").alias("peak"))


@pytest.mark.timeout(3600)
def test_the_sweep_takes_at_most_1_3_times_a_bare_window_sum(
    spark: SparkSession, tmp_path: Path, duck: duckdb.DuckDBPyConnection
) -> None:
    streams = made(spark, tmp_path / "even", STREAMS, STREAMS // 100)
    sweep, bare = in_turn(
        lambda: drained(peaks(pieces(streams))), lambda: drained(window_sum(streams)), repetitions=2
    )
    few = streams.limit(STREAMS // 50)
    [joined] = in_turn(lambda: drained(self_join(few)), repetitions=1, warm_up=0)
    query = f"CREATE OR REPLACE TABLE peaks AS {by_duck(tmp_path / 'even')}"
    [duckling] = in_turn(lambda: duck.execute(query), repetitions=1, warm_up=0)
    ratio = sweep.median / bare.median
    print(
        f"\n{STREAMS:,} streams: sweep {sweep}, bare window sum {bare}, ratio {ratio:.2f}"
        f"\n  self-join of {STREAMS // 50:,}: {joined}"
        f"\n  DuckDB, window sum: {duckling}"
    )
    found = peaks(pieces(streams)).agg(F.sum("peak")).first()
    expected = window_sum(streams).agg(F.sum("peak")).first()
    assert found is not None
    assert expected is not None
    assert found[0] == expected[0]
    assert ratio <= 1.3


@pytest.mark.timeout(3600)
def test_a_hot_account_costs_at_most_twice_the_even_load(
    spark: SparkSession, tmp_path: Path
) -> None:
    hot, even = (made(spark, tmp_path / str(n), HOT, n) for n in (1, 1000))
    one, many = in_turn(
        lambda: drained(peaks(pieces(hot))), lambda: drained(peaks(pieces(even))), repetitions=3
    )
    ratio = one.median / many.median
    print(f"\n{HOT:,} streams: of one account {one}, of a thousand {many}, ratio {ratio:.2f}")
    assert ratio <= 2


def by_duck(folder: Path) -> str:
    """`window_sum` in DuckDB's SQL."""
    return f"""
        WITH cut AS (
            SELECT account_id, day, greatest(started, day * {DAY}) AS started, least(ended, (day + 1) * {DAY}) AS ended
            FROM (SELECT *, unnest(range(started // {DAY}, (ended - 1) // {DAY} + 1)) AS day FROM '{folder}/*.parquet')
        ), events AS (
            SELECT account_id, day, started AS moment, 1 AS step FROM cut
            UNION ALL SELECT account_id, day, ended, -1 FROM cut
        )
        SELECT account_id, day, max(now) FROM (
            SELECT account_id, day, sum(step) OVER (PARTITION BY account_id, day ORDER BY moment, step
                ROWS UNBOUNDED PRECEDING) AS now FROM events
        ) GROUP BY ALL
    """
