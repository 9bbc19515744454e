"""What it costs to watch over streaming quality.

- Hourly cells from twenty million session rows: at most 1.3 times the fastest query that we could write by hand in
  Spark SQL for the same rows. DuckDB's time for that query, on the same files, is printed beside it.
- Twice the sessions take at most 2.2 times as long, and so does detection over twice the cells.
- Detection over 50,000 cells and four weeks of hours: under 3 times one scan of the same rows by a plain window
  function, which sums each cell's past. Rows lie as in the lake: a folder a day, and in it as a shuffle left them;
  where those of a cell stand together already, the scan's sort has little to do, and the ratio is higher.

`CINELAKE_BENCH_SESSIONS` and `CINELAKE_BENCH_CELLS` make it fewer or more.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import date, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import duckdb
import pytest
from benchmarks.conftest import in_turn
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from cinelake.qoe.anomalies import Alarming, anomalies
from cinelake.qoe.baseline import COUNTED
from cinelake.qoe.cells import Bearable, cells
from cinelake.qoe.rollups import ALL
from cinelake.qoe.usual import Usual
from cinelake.tables.maintenance import QOE_MAINTENANCE
from cinelake.tables.qoe import (
    BITRATE_EDGES_KBPS,
    COUNTS,
    DIMENSIONS,
    HOUR,
    JOIN_EDGES_MS,
    QOE_ROLLUPS,
    SLICE,
)

SESSIONS = int(os.environ.get("CINELAKE_BENCH_SESSIONS", "20000000"))
CELLS = int(os.environ.get("CINELAKE_BENCH_CELLS", "50000"))
DAY = date(2026, 1, 5)
WEEKS = 4
# What stands above cells, and what they are judged by before they have a history of their own.
REGIONS, ISPS = 20, 200
BEARABLE = Bearable()

# What a careful person writes: presses and errors need no slices, and join times no life; so three plain scans, of
# which the sums are summed. `{part}` is how an engine unfolds an array of structs.
BY_HAND = """
WITH pressed AS (
  SELECT {dims}, date_trunc('hour', started_at) AS bucket_at, count(*) AS attempts,
    sum(CASE WHEN outcome = 'start_failure' THEN 1 ELSE 0 END) AS start_failures,
    sum(CASE WHEN outcome = 'exit_before_start' THEN 1 ELSE 0 END) AS exits_before_start,
    sum(CASE WHEN outcome IN ('played', 'playback_failure') THEN 1 ELSE 0 END) AS starts,
    sum(CASE WHEN {timed} THEN 1 ELSE 0 END) AS timed_starts,
    sum(CASE WHEN {timed} AND join_ms > {slow} THEN 1 ELSE 0 END) AS slow_starts,
    sum(CASE WHEN {timed} THEN join_ms ELSE 0 END) AS join_ms,
    sum(CASE WHEN {timed} AND join_ms > {slow} THEN join_ms ELSE 0 END) AS slow_join_ms,
    sum(CASE WHEN is_sound THEN 0 ELSE 1 END) AS unsound, {joins}
  FROM {sessions} WHERE CAST(started_at AS DATE) = DATE '{day}' GROUP BY ALL
), failed AS (
  SELECT {dims}, date_trunc('hour', ended_at) AS bucket_at, count(*) AS playback_failures
  FROM {sessions} WHERE outcome = 'playback_failure' AND CAST(ended_at AS DATE) = DATE '{day}' GROUP BY ALL
), lived AS (
  SELECT {names}, date_trunc('hour', p.slice_at) AS bucket_at, count(*) AS slices,
    sum(CASE WHEN p.stall_ms > 0 THEN 1 ELSE 0 END) AS stalled_slices,
    sum(CASE WHEN p.hour_ms > 0 THEN 1 ELSE 0 END) AS hours,
    sum(CASE WHEN p.hour_ms > 0 AND p.hour_stall_ms >= {stall_ms} AND p.hour_stall_ms > {share} * p.hour_ms
        THEN 1 ELSE 0 END) AS stalled_hours,
    sum(CASE WHEN p.hour_ms > 0 AND p.hour_stall_ms >= {stall_ms} AND p.hour_stall_ms > {share} * p.hour_ms
        THEN p.hour_stall_ms ELSE 0 END) AS stalled_ms,
    sum(CASE WHEN p.hour_ms > 0 AND p.hour_frames_ms > 0 THEN 1 ELSE 0 END) AS frame_hours,
    sum(CASE WHEN p.hour_ms > 0 AND p.hour_bitrate_ms > 0 THEN 1 ELSE 0 END) AS rated_hours,
    sum(CASE WHEN p.hour_ms > 0 AND p.hour_bitrate_ms > 0 AND p.hour_bits < {poor} * p.hour_bitrate_ms
        THEN 1 ELSE 0 END) AS poor_hours,
    sum(CASE WHEN p.hour_ms > 0 AND p.hour_frames_ms > 0
        AND p.hour_dropped_frames * 60000 > {drops} * p.hour_frames_ms THEN 1 ELSE 0 END) AS choppy_hours,
    {plain}, {rates}
  FROM (SELECT {dims}, {part} AS p FROM {sessions} WHERE is_sound)
  WHERE CAST(p.slice_at AS DATE) = DATE '{day}' GROUP BY ALL
)
SELECT bucket_at, {names}, {sums} FROM ({rows}) GROUP BY ALL
"""
PRESSED = (
    "attempts",
    "start_failures",
    "exits_before_start",
    "starts",
    "timed_starts",
    "slow_starts",
    "join_ms",
    "slow_join_ms",
    "unsound",
)
PLAIN = ("play_ms", "stall_ms", "stalls", "bits", "bitrate_ms", "dropped_frames", "frames_ms")
LIVED = (
    "slices",
    "stalled_slices",
    "hours",
    "stalled_hours",
    "stalled_ms",
    "frame_hours",
    "choppy_hours",
    "rated_hours",
    "poor_hours",
    *PLAIN,
)


def slots(value: str, edges: tuple[int, ...], name: str, holds: str) -> dict[str, str]:
    bounds = [None, *edges, None]
    found = {}
    for place, (low, high) in enumerate(pairwise(bounds)):
        inside = (
            [holds]
            + [f"{value} > {low}"] * (low is not None)
            + [f"{value} <= {high}"] * (high is not None)
        )
        found[f"{name}_{place}"] = f"sum(CASE WHEN {' AND '.join(inside)} THEN 1 ELSE 0 END)"
    return found


def by_hand(sessions: str, part: str) -> str:
    timed = "outcome IN ('played', 'playback_failure') AND join_ms IS NOT NULL AND is_sound"
    joins = slots("join_ms", JOIN_EDGES_MS, "join", timed)
    rates = slots("p.bits", BITRATE_EDGES_KBPS, "rate", "p.bitrate_ms > 0")
    rates = {
        name: sql.replace("p.bits >", "p.bits > p.bitrate_ms *").replace(
            "p.bits <=", "p.bits <= p.bitrate_ms *"
        )
        for name, sql in rates.items()
    }
    columns = {
        "pressed": [*PRESSED, *joins],
        "failed": ["playback_failures"],
        "lived": [*LIVED, *rates],
    }
    every = [name for names in columns.values() for name in names]
    rows = " UNION ALL ".join(
        f"SELECT bucket_at, {', '.join(DIMENSIONS)}, "
        + ", ".join(name if name in own else f"CAST(0 AS BIGINT) AS {name}" for name in every)
        + f" FROM {table}"
        for table, own in columns.items()
    )
    return BY_HAND.format(
        dims=", ".join(f"coalesce({name}, 'unknown') AS {name}" for name in DIMENSIONS), names=", ".join(DIMENSIONS),
        timed=timed, slow=BEARABLE.join_ms, stall_ms=BEARABLE.stall_ms, share=BEARABLE.stall_share,
        drops=BEARABLE.dropped_frames_a_minute, poor=BEARABLE.bitrate_kbps, day=DAY, sessions=sessions, part=part,
        joins=", ".join(f"{sql} AS {name}" for name, sql in joins.items()),
        rates=", ".join(f"{sql} AS {name}" for name, sql in rates.items()),
        plain=", ".join(f"sum(p.{name}) AS {name}" for name in PLAIN), rows=rows,
        sums=", ".join(f"sum({name}) AS {name}" for name in every),
    )  # fmt: skip


def write_sessions(spark: SparkSession, path: Path, count: int) -> None:
    """Sessions of one day with three slices each, in 24,000 cells an hour.

    Where a viewer is and which CDN serves him tell the point of presence, and the provider tells the network, as in
    life; all else is independent.
    """
    n = F.col("id")
    sizes = {
        "cdn": 4,
        "isp": 20,
        "region": 10,
        "device_model": 5,
        "app_version": 3,
        "connection": 2,
    }
    drawn = {
        name: F.abs(F.xxhash64(n, F.lit(salt))) % size
        for salt, (name, size) in enumerate(sizes.items(), start=2)
    }
    follow = {"pop": (drawn["region"] * 4 + drawn["cdn"]) % 8, "asn": drawn["isp"]}

    begins = F.lit(datetime.combine(DAY, datetime.min.time())).cast("timestamp")
    second = F.abs(F.xxhash64(n)) % 85_000
    started = F.timestamp_seconds(F.unix_seconds(begins) + second)
    chance = F.abs(F.xxhash64(n, F.lit(99))) % 1000

    def piece(number: int) -> F.Column:
        at = F.floor(F.unix_seconds(started) / 300) * 300 + 300 * number
        first = F.lit(number == 0) | (at % 3600 == 0)
        play, stall = F.lit(200_000), F.when(chance < 30, 12_000).otherwise(0)
        dropped = chance
        told = {
            "slice_at": F.timestamp_seconds(at), "play_ms": play, "stall_ms": stall,
            "stalls": F.when(chance < 30, 1).otherwise(0), "dropped_frames": dropped, "frames_ms": play,
            "bits": play * (chance + 300) * 7, "bitrate_ms": play,
            "hour_ms": F.when(first, play + stall).otherwise(0),
            "hour_stall_ms": F.when(first, stall).otherwise(0),
            "hour_dropped_frames": F.when(first, dropped).otherwise(0),
            "hour_frames_ms": F.when(first, play).otherwise(0),
            "hour_bits": F.when(first, (400 + chance * 10) * play).otherwise(0),
            "hour_bitrate_ms": F.when(first, play).otherwise(0),
        }  # fmt: skip
        return F.struct(*(column.alias(name) for name, column in told.items())).cast(SLICE)

    outcome = (
        F.when(chance < 10, "start_failure")
        .when(chance < 30, "exit_before_start")
        .when(chance < 35, "playback_failure")
        .otherwise("played")
    )
    none = F.array().cast(f"array<{SLICE.simpleString()}>")
    spark.range(0, count, numPartitions=8).select(
        *(F.concat(F.lit(f"{name}-"), (drawn | follow)[name]).alias(name) for name in DIMENSIONS),
        started.alias("started_at"), F.timestamp_seconds(F.unix_seconds(started) + 900).alias("ended_at"),
        outcome.alias("outcome"), F.when(chance >= 30, 500 + chance * 10).alias("join_ms"),
        (chance != 500).alias("is_sound"),
        F.when(chance < 30, none).otherwise(F.array(*map(piece, range(3)))).alias("slices"),
    ).write.parquet(str(path))  # fmt: skip


def ours(spark: SparkSession, path: Path) -> DataFrame:
    return cells(spark.read.parquet(str(path)), DAY, DAY + timedelta(days=1), BEARABLE, [HOUR])


def theirs(spark: SparkSession, path: Path) -> DataFrame:
    return spark.sql(by_hand(f"parquet.`{path}`", "explode(slices)"))


def drain(frame: DataFrame) -> None:
    frame.write.format("noop").mode("overwrite").save()


def growth(
    spark: SparkSession,
    folder: Path,
    write: Callable[[SparkSession, Path, int], None],
    made: Callable[[SparkSession, Path], DataFrame],
    count: int,
    of: str,
) -> float:
    """How many times as long twice `count` takes."""
    half, whole = folder / "half", folder / "whole"
    write(spark, half, count)
    write(spark, whole, 2 * count)
    less, more = in_turn(
        lambda: drain(made(spark, half)), lambda: drain(made(spark, whole)), repetitions=3
    )
    ratio = more.median / less.median
    print(f"\n{count:,} {of} {less}, {2 * count:,} {more}: {ratio:.2f} times")
    return ratio


@pytest.mark.timeout(3600)
def test_cells_cost_little_more_than_a_query_by_hand(
    spark: SparkSession, tmp_path: Path, duck: duckdb.DuckDBPyConnection
) -> None:
    path, some = tmp_path / "sessions", tmp_path / "some"
    write_sessions(spark, path, SESSIONS)
    write_sessions(spark, some, SESSIONS // 40)
    found = ours(spark, some)
    flat = found.select(
        "bucket_at", *DIMENSIONS, *COUNTS,
        *(F.get("join_buckets", F.lit(n)).alias(f"join_{n}") for n in range(len(JOIN_EDGES_MS) + 1)),
        *(F.get("bitrate_buckets", F.lit(n)).alias(f"rate_{n}") for n in range(len(BITRATE_EDGES_KBPS) + 1)),
    )  # fmt: skip
    expected = theirs(spark, some).select(*flat.columns)
    assert flat.exceptAll(expected).isEmpty()
    assert expected.exceptAll(flat).isEmpty()

    query = by_hand(f"read_parquet('{path}/*.parquet')", "unnest(slices)")
    mine, rival, duckling = in_turn(
        lambda: drain(ours(spark, path)),
        lambda: drain(theirs(spark, path)),
        lambda: duck.execute(f"CREATE OR REPLACE TABLE found AS {query}"),
        # Minutes each, beside which what is warmed up does not count.
        repetitions=2,
        warm_up=0,
    )
    ratio = mine.median / rival.median
    print(f"\n{SESSIONS:,} sessions: ours {mine}, Spark SQL by hand {rival}, ratio {ratio:.2f}")
    print(f"  DuckDB {duckling}: {mine.median / duckling.median:.2f} times that")
    assert ratio <= 1.3


@pytest.mark.timeout(3600)
def test_twice_the_sessions_take_twice_the_time(spark: SparkSession, tmp_path: Path) -> None:
    ratio = growth(spark, tmp_path, write_sessions, ours, SESSIONS // 4, "sessions")
    assert ratio <= 2.2


def write_hours(spark: SparkSession, path: Path, count: int) -> None:
    """Hours of four weeks and a day: of the whole service, of regions and providers, and of `count` cells below."""
    hours, above = (WEEKS * 7 + 1) * 24, 1 + REGIONS + ISPS
    n = F.col("id")
    cell, hour = F.floor(n / hours), n % hours
    begins = F.unix_seconds(F.lit(datetime.combine(DAY, datetime.min.time())).cast("timestamp"))
    at = F.timestamp_seconds(begins + hour * 3600)
    is_region, is_isp = cell.between(1, REGIONS), cell.between(1 + REGIONS, REGIONS + ISPS)
    children = F.when(cell == 0, 1000).when(is_region, 50).when(is_isp, 10).otherwise(1)
    seen = (F.abs(F.xxhash64(n)) % 60 + 20) * children
    counted = {}
    for place, (bad, total) in enumerate(COUNTED.values()):
        counted[bad] = F.floor(seen * 0.02) + F.abs(F.xxhash64(n, F.lit(place))) % 3
        counted[total] = seen
    # Every other cell below is of a region, and so leans on it; the others lean on their provider.
    of_region = F.when(
        is_region | ((cell >= above) & (cell % 2 == 0)), F.concat(F.lit("r"), cell % REGIONS)
    )
    of_isp = F.when(is_isp | (cell >= above), F.concat(F.lit("i"), cell % ISPS))
    placed = {
        "region": of_region, "isp": of_isp, "pop": F.when(cell >= above, F.concat(F.lit("p"), cell)),
    }  # fmt: skip
    named = (F.concat(F.lit(f"{name}="), value) for name, value in placed.items())
    subset = (F.when(value.isNotNull(), name) for name, value in placed.items())
    rows = spark.range(0, (count + above) * hours, numPartitions=8).select(
        F.lit(HOUR).alias("width"), at.alias("bucket_at"), F.to_date(at).alias("cell_date"),
        F.when(cell == 0, ALL).otherwise(F.concat_ws(",", *named)).alias("cell"),
        F.when(cell == 0, ALL).otherwise(F.concat_ws("+", *subset)).alias("subset"),
        *(placed.get(name, F.lit(None).cast("string")).alias(name) for name in DIMENSIONS),
        *(counted.get(name, F.lit(0)).cast("bigint").alias(name) for name in COUNTS),
        *(F.array().cast("array<bigint>").alias(name) for name in ("join_buckets", "bitrate_buckets")),
    ).select(*QOE_ROLLUPS.names)  # fmt: skip
    shuffled = rows.repartition(8, "bucket_at", "cell")
    shuffled.write.partitionBy("cell_date").parquet(str(path))


def detected(spark: SparkSession, path: Path) -> DataFrame:
    last = DAY + timedelta(days=WEEKS * 7)
    calendar = spark.createDataFrame([], QOE_MAINTENANCE.schema)
    rows = spark.read.parquet(str(path))
    return anomalies(rows, last, last + timedelta(days=1), Usual(), Alarming(), calendar)


def plain(spark: SparkSession, path: Path) -> DataFrame:
    return spark.sql(f"""
        SELECT cell, bucket_at, stalled_hours, hours,
          sum(stalled_hours) OVER past AS bad, sum(hours) OVER past AS total
        FROM parquet.`{path}`
        WINDOW past AS (PARTITION BY cell ORDER BY bucket_at ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
    """)


@pytest.mark.timeout(3600)
def test_detection_costs_less_than_three_scans_by_a_window(
    spark: SparkSession, tmp_path: Path
) -> None:
    path = tmp_path / "hours"
    write_hours(spark, path, CELLS)
    mine, scan = in_turn(
        lambda: drain(detected(spark, path)), lambda: drain(plain(spark, path)), repetitions=3
    )
    ratio = mine.median / scan.median
    print(
        f"\n{CELLS:,} cells x {WEEKS * 7 + 1} days of hours: {mine}, one window {scan}, ratio {ratio:.2f}"
    )
    assert ratio < 3


@pytest.mark.timeout(3600)
def test_twice_the_cells_take_twice_the_time(spark: SparkSession, tmp_path: Path) -> None:
    ratio = growth(spark, tmp_path, write_hours, detected, CELLS // 10, "cells")
    assert ratio <= 2.2
