"""What write, audit, publish costs beside a bare Delta `replaceWhere` of the same rows.

Targets: two million rows with quarantine at most 2 times the bare write; a window of a table costs the same on
day 300 as on day 3; a job over one row, with gate, ledger and tracking, at most 1.5 times the bare write plus 1 s.
"""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest
from benchmarks.conftest import in_turn
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import DateType, DoubleType, LongType, StringType

from cinelake.runtime.delta.lake import Lake
from cinelake.runtime.job import JobParams, Run, job
from cinelake.runtime.runs.books import Books
from cinelake.runtime.runs.context import Context
from cinelake.runtime.runs.ledger import Ledger
from cinelake.runtime.runs.publish import Publisher
from cinelake.runtime.runs.runner import compute
from cinelake.runtime.runs.upkeep import append_external
from cinelake.runtime.tracking.runs import Tracking
from cinelake.runtime.windows import Window
from cinelake.tables.contract import Column, Kind, Layer, Partition, Table, between, one_of

DAY = date(2026, 1, 1)
ROWS = 2_000_000
COLUMNS = (
    Column("day", DateType(), "day of the play", required=True),
    Column("profile_id", StringType(), "who watched", required=True),
    Column("title_id", StringType(), "what", required=True),
    Column("device", StringType(), "on what"),
    Column("seconds", LongType(), "for how long"),
    Column("completion", DoubleType(), "share watched"),
)
PLAYS = Table(
    "plays", "bench", Layer.SILVER, "One row per play.", COLUMNS, ("profile_id", "title_id"),
    window="day", partition=Partition.DAY,
    checks=(between("seconds", 0, 86_400), between("completion", 0, 1), one_of("device", "tv", "phone", "tablet")),
)  # fmt: skip


@pytest.fixture(scope="module")
def plays(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> DataFrame:
    """Two million plays in Parquet files, one in a thousand of them longer than a day."""
    path = str(tmp_path_factory.mktemp("source"))
    n = F.col("id")
    spark.range(0, ROWS, numPartitions=8).select(
        F.lit(DAY).alias("day"),
        F.concat(F.lit("profile-"), (n % 50_000).cast("string")).alias("profile_id"),
        F.concat(F.lit("title-"), F.floor(n / 50_000).cast("string")).alias("title_id"),
        F.element_at(
            F.array(F.lit("tv"), F.lit("phone"), F.lit("tablet")),
            (F.xxhash64("id") % 3 + 3).cast("int") % 3 + 1,
        ).alias("device"),
        F.when(n % 1000 == 0, 100_000)
        .otherwise(F.abs(F.xxhash64("id")) % 7200)
        .cast("bigint")
        .alias("seconds"),
        ((F.abs(F.xxhash64("id", F.lit(1))) % 1000) / 1000).alias("completion"),
    ).write.mode("overwrite").parquet(path)
    return spark.read.schema(PLAYS.schema).parquet(path)


def bare(frame: DataFrame, path: str, day: date = DAY) -> None:
    """What anybody would write: replace the day, nothing checked."""
    writer = (
        frame.write.format("delta").mode("overwrite").option("replaceWhere", f"day = DATE'{day}'")
    )
    writer.partitionBy("day").save(path)


def test_two_million_rows_with_quarantine(
    spark: SparkSession, plays: DataFrame, tmp_path: Path
) -> None:
    lake = Lake(spark, str(tmp_path / "lake"))
    path = str(tmp_path / "bare")
    run = 0

    def ours() -> None:
        nonlocal run
        run += 1
        # Empty books: the content counts as unknown, so that every repetition really publishes.
        publisher = Publisher(lake, Books(), run_id=f"run-{run}", job="bench", code="0", inputs={})
        published = publisher.replace(PLAYS, plays, Window.of_day(DAY), lambda _: None)
        assert (published.rows, published.quarantined) == (ROWS - ROWS // 1000, ROWS // 1000)

    rival, mine = in_turn(lambda: bare(plays, path), ours, repetitions=5)
    ratio = mine.median / rival.median
    print(f"\n2 M rows: bare replaceWhere {rival}, write-audit-publish {mine}, ratio {ratio:.2f}")
    assert ratio <= 2.0


def test_day_300_costs_what_day_3_costs(spark: SparkSession, tmp_path: Path) -> None:
    lake = Lake(spark, str(tmp_path / "lake"))
    made = spark.range(0, 20_000, numPartitions=2)

    def of_day(day: date) -> DataFrame:
        return made.select(
            F.lit(day).alias("day"),
            F.col("id").cast("string").alias("profile_id"),
            F.lit("t").alias("title_id"),
            F.lit("tv").alias("device"),
            (F.col("id") % 100).alias("seconds"),
            F.lit(0.5).alias("completion"),
        )

    def publish(day: date) -> None:
        publisher = Publisher(lake, Books(), run_id=f"run-{day}", job="bench", code="0", inputs={})
        publisher.replace(PLAYS, of_day(day), Window.of_day(day), lambda _: None)

    third, three_hundredth = DAY + timedelta(days=2), DAY + timedelta(days=299)
    for day in (DAY, DAY + timedelta(days=1), third):
        publish(day)
    (early,) = in_turn(lambda: publish(third), repetitions=7, warm_up=2)
    # The days between come as the history of a real table would: a file each.
    middle = spark.range(3, 299, numPartitions=8).select(
        F.date_add(F.lit(DAY), F.col("id").cast("int")).alias("d")
    )
    filler = made.limit(200).crossJoin(middle)
    filler.select(
        F.col("d").alias("day"), F.col("id").cast("string").alias("profile_id"), F.lit("t").alias("title_id"),
        F.lit("tv").alias("device"), F.col("id").alias("seconds"), F.lit(0.5).alias("completion"),
    ).repartition(8, "day").write.format("delta").mode("append").save(lake.location(PLAYS))  # fmt: skip
    publish(three_hundredth)
    (late,) = in_turn(lambda: publish(three_hundredth), repetitions=7)
    ratio = late.median / early.median
    print(f"\none day of 20,000 rows: with 3 days {early}, with 300 days {late}, ratio {ratio:.2f}")
    assert ratio <= 1.25


ONE = Table(
    "one",
    "bench",
    Layer.SILVER,
    "One row per day.",
    COLUMNS[:3],
    ("profile_id",),
    window="day",
    partition=Partition.DAY,
)
GIVEN = Table(
    "given", "bench", Layer.SILVER, "One row per day.", COLUMNS[:3], ("profile_id",),
    window="day", partition=Partition.DAY, kind=Kind.EXTERNAL,
)  # fmt: skip


class OneRowParams(JobParams):
    title: str = "t"


@job(reads=[GIVEN], writes=[ONE], params=OneRowParams)
def copy_one(run: Run[OneRowParams]) -> None:
    """Copy the one row there is."""
    run.write(ONE, run.read(GIVEN).withColumn("title_id", F.lit(run.params.title)))


def test_a_job_over_one_row(spark: SparkSession, tmp_path: Path) -> None:
    lake = Lake(spark, str(tmp_path / "lake"))
    ledger = Ledger(lake)
    turn = 0

    def params(_: object) -> JobParams:
        return OneRowParams(title=f"turn {turn}")

    context = Context(
        lake, ledger, ledger.books(), Tracking.beside_lake(str(tmp_path / "lake")), params
    )
    row = spark.createDataFrame([(DAY, "p", "t")], GIVEN.schema)
    append_external(context, GIVEN, row, by="bench")
    path = str(tmp_path / "bare")

    def ours() -> None:
        nonlocal turn
        turn += 1
        outcome = compute(context, copy_one, Window.of_day(DAY))
        assert outcome.status == "succeeded", outcome.error
        assert outcome.changed

    rival, mine = in_turn(lambda: bare(row, path), ours, repetitions=9, warm_up=4)
    allowed = 1.5 * rival.median + 1
    print(
        f"\none row: bare replaceWhere {rival}, a job with all its books {mine}; allowed {allowed:.2f} s"
    )
    assert mine.median <= allowed
