"""What it costs to find out that nothing is stale, and that many stale days cost few calls.

Targets: `cinelake run` with nothing stale, 30 jobs and 300 days of history, under 3 s once the session stands;
forty jobs over 28 stale days cost about forty fixed costs.
"""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

from benchmarks.conftest import in_turn
from conftest import Silent
from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import DateType, LongType

from cinelake.runtime.delta.lake import Lake
from cinelake.runtime.intake.inlets import Inlets
from cinelake.runtime.job import Job, JobParams, Run, job
from cinelake.runtime.runs.context import Context
from cinelake.runtime.runs.graph import Graph
from cinelake.runtime.runs.ledger import Ledger
from cinelake.runtime.runs.pipeline import JobReport, Pipeline, Request
from cinelake.runtime.runs.upkeep import append_external
from cinelake.runtime.tracking.runs import Tracking
from cinelake.tables.contract import Column, Kind, Layer, Partition, Table

FIRST = date(2026, 1, 1)


def table(name: str, kind: Kind = Kind.MANAGED) -> Table:
    columns = (
        Column("day", DateType(), "day", required=True),
        Column("n", LongType(), "a number", required=True),
    )
    return Table(
        name,
        "bench",
        Layer.SILVER,
        "One row a day.",
        columns,
        ("day",),
        window="day",
        partition=Partition.DAY,
        kind=kind,
    )


GIVEN = table("given", Kind.EXTERNAL)


def copier(number: int) -> Job:
    target = table(f"copy_{number}")

    def function(run: Run[Any]) -> None:
        """Copy the window."""
        run.write(target, run.read(GIVEN).withColumn("n", F.col("n") + run.params.plus))

    function.__name__ = f"copy_{number}"
    return job(reads=[GIVEN], writes=[target], params=PlusParams)(function)


class PlusParams(JobParams):
    plus: int = 0


class Service:
    def __init__(self, spark: SparkSession, root: str, jobs: int) -> None:
        self.lake = Lake(spark, root)
        self.ledger = Ledger(self.lake)
        self.tracking = Tracking.beside_lake(root)
        self.graph = Graph(tuple(copier(number) for number in range(jobs)))
        self.plus = 0

    def context(self) -> Context:
        return Context(
            self.lake,
            self.ledger,
            self.ledger.books(),
            self.tracking,
            lambda _: PlusParams(plus=self.plus),
        )

    def give(self, days: int) -> None:
        rows = [(FIRST + timedelta(days=n), n) for n in range(days)]
        append_external(
            self.context(), GIVEN, self.lake.spark.createDataFrame(rows, GIVEN.schema), by="bench"
        )

    def run(self, **request: Any) -> list[JobReport]:
        summary = Pipeline(self.graph, self.context(), Inlets(self.lake)).run(
            Request(**request), Silent()
        )
        assert summary.succeeded, summary.to_json()
        return summary.reports


def test_nothing_stale_among_thirty_jobs_and_three_hundred_days(
    spark: SparkSession, tmp_path: Path
) -> None:
    service = Service(spark, str(tmp_path / "lake"), jobs=30)
    service.give(300)
    # Ten calls a job, so that the ledger holds three hundred entries besides its nine thousand days.
    service.run(step=timedelta(days=30))
    assert {report.status for report in service.run()} == {"up to date"}

    def fresh() -> None:
        again = Service(spark, str(tmp_path / "lake"), jobs=30)
        assert {report.status for report in again.run()} == {"up to date"}

    (timing,) = in_turn(fresh, repetitions=3)
    print(f"\nnothing stale, 30 jobs, 300 days: {timing}")
    assert timing.median < 3


def test_many_stale_days_cost_one_call_a_job(spark: SparkSession, tmp_path: Path) -> None:
    jobs = 40
    one_day = Service(spark, str(tmp_path / "one"), jobs)
    one_day.give(1)
    many_days = Service(spark, str(tmp_path / "many"), jobs)
    many_days.give(28)

    def run(service: Service) -> None:
        service.plus += 1
        reports = service.run()
        assert [report.windows for report in reports] == [1] * jobs

    single, many = in_turn(lambda: run(one_day), lambda: run(many_days), repetitions=2)
    ratio = many.median / single.median
    print(f"\n40 jobs: 1 stale day {single}, 28 stale days {many}, ratio {ratio:.2f}")
    assert ratio <= 2
