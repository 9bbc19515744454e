"""A toy service for tests of the machinery: people's notes come in, two jobs build on one another."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
from conftest import Silent
from pyspark.sql import Row, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import DateType, LongType, StringType

from cinelake.runtime.delta.lake import Lake
from cinelake.runtime.intake.inlets import Inlets
from cinelake.runtime.job import AnyJob, Job, JobParams, Reading, Run, job
from cinelake.runtime.runs.context import Context
from cinelake.runtime.runs.graph import Graph
from cinelake.runtime.runs.ledger import Ledger
from cinelake.runtime.runs.pipeline import Pipeline, Request, Summary
from cinelake.runtime.runs.rehearsal import REHEARSAL_KEYS
from cinelake.runtime.runs.upkeep import append_external
from cinelake.runtime.tracking.runs import Tracking
from cinelake.tables.contract import Column, Kind, Layer, Partition, Table, between
from cinelake.tables.system import CHECK_RESULTS, JOB_RUNS, QUARANTINE

NOTES = Table(
    name="notes",
    area="toy",
    layer=Layer.SILVER,
    kind=Kind.EXTERNAL,
    grain="One row per note that somebody took.",
    key=("note", "day"),
    unique_key=False,
    window="day",
    partition=Partition.DAY,
    columns=(
        Column("day", DateType(), "day of the note", required=True),
        Column("note", StringType(), "what it is about", required=True),
        Column("amount", LongType(), "how much"),
    ),
)
AMOUNTS = Table(
    name="amounts",
    area="toy",
    layer=Layer.SILVER,
    grain="One row per note and day, repetitions summed.",
    key=("day", "note"),
    window="day",
    partition=Partition.DAY,
    columns=(
        Column("day", DateType(), "day of the note", required=True),
        Column("note", StringType(), "what it is about", required=True),
        Column("amount", LongType(), "sum of the amounts", required=True),
    ),
    checks=(between("amount", 0, 1000),),
)
TOTALS = Table(
    name="totals",
    area="toy",
    layer=Layer.GOLD,
    grain="One row per day: the sum of that day and the day before.",
    key=("day",),
    window="day",
    partition=Partition.DAY,
    columns=(
        Column("day", DateType(), "day", required=True),
        Column("total", LongType(), "sum of the amounts of two days", required=True),
    ),
)


RUNNING = Table(
    name="running",
    area="toy",
    layer=Layer.GOLD,
    grain="One row per day: the sum of all days up to it.",
    key=("day",),
    window="day",
    partition=Partition.DAY,
    columns=TOTALS.columns,
)


class AmountsParams(JobParams):
    factor: int = 1


@job(reads=[NOTES], writes=[AMOUNTS], params=AmountsParams)
def sum_notes(run: Run[AmountsParams]) -> None:
    """Sum the notes of each day."""
    notes = run.read(NOTES)
    amount = (F.sum("amount") * run.params.factor).alias("amount")
    run.write(AMOUNTS, notes.groupBy("day", "note").agg(amount))


@job(reads=[Reading(AMOUNTS, lookback=1)], writes=[TOTALS])
def total_days(run: Run[JobParams]) -> None:
    """Add up each day and the one before."""
    amounts = run.read(AMOUNTS)
    both = amounts.unionByName(amounts.withColumn("day", F.date_add("day", 1)))
    inside = (F.col("day") >= F.lit(run.start)) & (F.col("day") < F.lit(run.end))
    run.write(TOTALS, both.where(inside).groupBy("day").agg(F.sum("amount").alias("total")))


@dataclass
class Service:
    """A lake of its own with the toy jobs, and words for what tests do to it."""

    spark: SparkSession
    root: Path
    tracking: Tracking
    jobs: tuple[AnyJob, ...] = (sum_notes, total_days)
    settings: dict[str, dict[str, Any]] = field(default_factory=dict)

    @cached_property
    def lake(self) -> Lake:
        return Lake(self.spark, str(self.root))

    def context(self) -> Context:
        lake = self.lake
        ledger = Ledger(lake)
        return Context(
            lake,
            ledger,
            ledger.books(),
            self.tracking,
            lambda job: job.configured(self.settings),
            lambda: REHEARSAL_KEYS,
        )

    def pipeline(self) -> Pipeline:
        return Pipeline(Graph(self.jobs), self.context(), Inlets(self.lake))

    def note(self, *rows: tuple[str, str, int | None]) -> None:
        """Take notes: (day, note, amount)."""
        typed = [(date.fromisoformat(day), note, amount) for day, note, amount in rows]
        append_external(
            self.context(), NOTES, self.spark.createDataFrame(typed, NOTES.schema), by="note"
        )

    def run(self, **request: Any) -> Summary:
        return self.pipeline().run(Request(**request), Silent())

    def rows(self, table: Table) -> list[Row]:
        return sorted(self.lake.read(table).collect())

    def version(self, table: Table) -> int | None:
        return self.lake.version(table)

    def stale(self, job: Job) -> dict[date, str]:
        return self.pipeline().stale()[job.name].stale


@pytest.fixture(scope="session")
def tracking(tmp_path_factory: pytest.TempPathFactory) -> Tracking:
    """One MLflow store for all pipeline tests: making one takes seconds."""
    return Tracking.beside_lake(str(tmp_path_factory.mktemp("mlflow")))


@pytest.fixture(scope="session")
def blank_lake(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake whose tables exist and hold nothing: making them takes seconds, copying them none."""
    root = tmp_path_factory.mktemp("blank") / "lake"
    lake = Lake(spark, str(root))
    for table in (JOB_RUNS, CHECK_RESULTS, QUARANTINE, NOTES, AMOUNTS, TOTALS):
        lake.create(table)
    return root


@pytest.fixture
def service(spark: SparkSession, tmp_path: Path, tracking: Tracking, blank_lake: Path) -> Service:
    """A toy service with an empty lake."""
    shutil.copytree(blank_lake, tmp_path / "lake")
    return Service(spark, tmp_path / "lake", tracking)
