"""Rehearsal of a job: what it reads is cut, what it writes is judged, and both are held against its declaration."""

from __future__ import annotations

from datetime import date

import pytest
from chispa import assert_df_equality
from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import DateType, LongType, StringType

from cinelake.runtime.job import JobError, JobParams, Reading, Run, job
from cinelake.runtime.runs.publish import PublishError
from cinelake.runtime.runs.rehearsal import rehearse
from cinelake.tables.contract import Column, Layer, Model, Table, between

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


@pytest.mark.parametrize("on", [None, date(2026, 1, 1), date(2026, 1, 3)])
def test_a_model_is_asked_for_as_it_was_when_the_window_began_or_before(on: date | None) -> None:
    forest = Model("forest", "toy", "Trees.")

    @job(reads=[forest], writes=[OUTPUT])
    def ask(run: Run[JobParams]) -> None:
        """Ask for a model."""
        assert run.approved_or_none(forest, on) is None

    if on is None or on < JAN_2:
        rehearse(ask, {}, JAN_2)
    else:
        with pytest.raises(
            JobError, match="model 'forest' as of 2026-01-03, and its window begins on 2026-01-02"
        ):
            rehearse(ask, {}, JAN_2)
