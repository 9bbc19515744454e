"""Jobs: what a declaration may say and how parameters are filled."""

from __future__ import annotations

from datetime import date

import pytest
from pyspark.sql import SparkSession
from pyspark.sql.types import DateType, LongType, StringType

from cinelake.runtime.job import Cadence, JobError, JobParams, Reading, Run, job, previous
from cinelake.runtime.runs.rehearsal import rehearse
from cinelake.tables.contract import Column, Kind, Layer, Table

DAY = Column("day", DateType(), "day", required=True)
NAME = Column("name", StringType(), "name", required=True)
AMOUNT = Column("amount", LongType(), "how much")
INPUT = Table(
    "input", "toy", Layer.SILVER, "A row.", (DAY, NAME, AMOUNT), ("name", "day"), window="day"
)
OUTPUT = Table(
    "output", "toy", Layer.SILVER, "A row.", (DAY, NAME, AMOUNT), ("name", "day"), window="day",
)  # fmt: skip
JAN_2 = date(2026, 1, 2)


class Params(JobParams):
    at_least: int = 0


@job(reads=[INPUT], writes=[OUTPUT], params=Params)
def copy_rows(run: Run[Params]) -> None:
    """Copy the window."""
    run.write(OUTPUT, run.read(INPUT))


def nothing(run: object) -> None:
    """Do nothing."""


@pytest.mark.parametrize(
    ("reads", "writes", "complaint"),
    [
        ([INPUT], [], "writes nothing"),
        ([INPUT, Reading(INPUT, lookback=3)], [OUTPUT], "declares 'input' twice"),
        ([OUTPUT], [OUTPUT], r"reads its own output 'output'; read previous\(OUTPUT\)"),
        (["input"], [OUTPUT], "take tables and models"),
    ],
)
def test_a_declaration_that_contradicts_itself_is_refused(
    reads: list[object], writes: list[Table], complaint: str
) -> None:
    with pytest.raises(JobError, match=complaint):
        job(reads=reads, writes=writes)(nothing)  # type: ignore[arg-type]


def test_a_job_on_demand_misses_no_days() -> None:
    with pytest.raises(JobError, match="'copy_rows' runs on demand.*declare catchup=False"):
        job(reads=[INPUT], writes=[OUTPUT], cadence=Cadence.ON_DEMAND)(copy_rows.function)


def test_a_job_calls_for_what_it_declares_and_nothing_else(spark: SparkSession) -> None:
    @job(reads=[INPUT], writes=[OUTPUT], remedies=["look"])
    def calls(run: Run[JobParams]) -> None:
        run.warn("odd", "look")
        run.warn("odder", "touch")

    with pytest.raises(JobError, match="'calls' calls for 'touch'; name it in remedies"):
        rehearse(calls, {INPUT: spark.createDataFrame([], INPUT.schema)}, JAN_2)


def test_a_table_of_the_system_is_not_for_jobs_to_write() -> None:
    books = Table("books", "toy", Layer.SYSTEM, "A row.", (NAME,), ("name",), kind=Kind.SYSTEM)
    with pytest.raises(JobError, match="only managed tables"):
        job(reads=[INPUT], writes=[books])(nothing)


def test_a_job_may_build_on_its_own_past() -> None:
    declared = job(reads=[INPUT, previous(OUTPUT)], writes=[OUTPUT])(nothing)
    assert declared.inputs == ("input",)


def test_parameters_come_from_the_configuration() -> None:
    assert copy_rows.configured({"copy_rows": {"at_least": 3}}) == Params(at_least=3)


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"at_lest": 3}, "has no setting 'at_lest'; did you mean 'at_least'"),
        ({"at_least": "many"}, r"\[jobs.copy_rows\] at_least = 'many'"),
    ],
)
def test_a_wrong_parameter_is_named(values: dict[str, object], complaint: str) -> None:
    with pytest.raises(JobError, match=complaint):
        copy_rows.configured({"copy_rows": values})


def test_the_fingerprint_follows_parameters_and_version() -> None:
    one = copy_rows.fingerprint(Params())
    assert copy_rows.fingerprint(Params()) == one
    assert copy_rows.fingerprint(Params(at_least=1)) != one
    newer = job(reads=[INPUT], writes=[OUTPUT], params=Params, version=2)(nothing)
    older = job(reads=[INPUT], writes=[OUTPUT], params=Params)(nothing)
    assert newer.fingerprint(Params()) != older.fingerprint(Params())
