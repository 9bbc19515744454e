"""Jobs: what a declaration may say, how parameters are filled, and rehearsal without a lake."""

from __future__ import annotations

from datetime import date

import pytest
from chispa import assert_df_equality
from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import DateType, LongType, StringType

from cinelake.runtime.job import (
    Cadence,
    JobError,
    JobParams,
    Reading,
    Run,
    job,
    previous,
    rehearse,
)
from cinelake.runtime.publish import PublishError
from cinelake.tables.contract import Column, Kind, Layer, Model, Table, between

DAY = Column("day", DateType(), "day", required=True)
NAME = Column("name", StringType(), "name", required=True)
AMOUNT = Column("amount", LongType(), "how much")
INPUT = Table(
    "input", "toy", Layer.SILVER, "A row.", (DAY, NAME, AMOUNT), ("name", "day"), window="day"
)
OUTPUT = Table(
    "output", "toy", Layer.SILVER, "A row.", (DAY, NAME, AMOUNT), ("name", "day"), window="day",
    checks=(between("amount", 0, 10),),
)  # fmt: skip
MODEL = Model("taste", "toy", "A model.")
JAN_2 = date(2026, 1, 2)


class Params(JobParams):
    at_least: int = 0


@job(reads=[Reading(INPUT, lookback=1)], writes=[OUTPUT], params=Params)
def copy_rows(run: Run[Params]) -> None:
    """Copy the window."""
    rows = run.read(INPUT).where(F.col("day") >= F.lit(run.start))
    small = F.col("amount") < run.params.at_least
    run.write(OUTPUT, rows.withColumn("_reasons", F.when(small, F.array(F.lit("too_small")))))


def test_rehearsal_cuts_reads_judges_writes_and_stores_nothing(spark: SparkSession) -> None:
    rows = spark.createDataFrame(
        [
            (date(2025, 12, 31), "unread", 5),
            (date(2026, 1, 1), "before", 5),
            (JAN_2, "good", 5),
            (JAN_2, "small", 1),
            (JAN_2, "wrong", 99),
            (date(2026, 1, 3), "after", 5),
        ],
        INPUT.schema,
    )
    out = rehearse(copy_rows, {INPUT: rows}, JAN_2, params=Params(at_least=2))
    expected = spark.createDataFrame([(JAN_2, "good", 5)], OUTPUT.schema)
    assert_df_equality(out[OUTPUT], expected, ignore_nullable=True, ignore_metadata=True)
    turned_away = {row["raw"]: row["reasons"] for row in out.quarantined(OUTPUT).collect()}
    assert turned_away == {
        '{"day":"2026-01-02","name":"small","amount":1}': ["too_small"],
        '{"day":"2026-01-02","name":"wrong","amount":99}': ["amount_in_range"],
    }


def test_rows_outside_the_window_are_refused(spark: SparkSession) -> None:
    @job(reads=[Reading(INPUT, lookback=1)], writes=[OUTPUT])
    def leak(run: Run[JobParams]) -> None:
        """Write too much."""
        run.write(OUTPUT, run.read(INPUT))

    rows = spark.createDataFrame([(date(2026, 1, 1), "before", 5)], INPUT.schema)
    with pytest.raises(PublishError, match="outside its window"):
        rehearse(leak, {INPUT: rows}, JAN_2)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"drop": "amount"}, "column 'amount' is missing"),
        ({"add": ("extra", "1")}, "column 'extra' is not in the contract"),
        ({"add": ("amount", "'x'")}, "column 'amount' is string, the contract says bigint"),
    ],
)
def test_a_frame_that_does_not_fit_the_contract_is_refused(
    spark: SparkSession, change: dict[str, object], complaint: str
) -> None:
    @job(reads=[INPUT], writes=[OUTPUT])
    def misfit(run: Run[JobParams]) -> None:
        """Write something else."""
        frame = run.read(INPUT)
        if "drop" in change:
            frame = frame.drop(str(change["drop"]))
        else:
            name, value = change["add"]  # type: ignore[misc]
            frame = frame.withColumn(name, F.expr(value))
        run.write(OUTPUT, frame)

    with pytest.raises(PublishError, match=complaint):
        rehearse(misfit, {INPUT: spark.createDataFrame([], INPUT.schema)}, JAN_2)


def test_reading_what_is_not_declared_is_refused(spark: SparkSession) -> None:
    @job(reads=[], writes=[OUTPUT])
    def peek(run: Run[JobParams]) -> None:
        """Read in secret."""
        run.write(OUTPUT, run.read(INPUT))

    with pytest.raises(JobError, match=r"reads 'input' without declaring it; add it to reads"):
        rehearse(peek, {INPUT: spark.createDataFrame([], INPUT.schema)}, JAN_2)


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
