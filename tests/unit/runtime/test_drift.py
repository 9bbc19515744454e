"""A stored table that differs from its contract is told of with what mends it; a new nullable column is no drift."""

from __future__ import annotations

import pytest
from pyspark.sql.types import DateType, LongType, StringType, StructField, StructType

from cinelake.runtime.delta.drift import Layout, drift
from cinelake.tables.contract import Column, Layer, Partition, Table, between
from cinelake.tables.ddl import properties

DAY = StructField("day", DateType(), nullable=False)
AMOUNT = StructField("amount", LongType())
SUMS = Table(
    "sums", "toy", Layer.SILVER, "A day.",
    (Column("day", DateType(), "day", required=True), Column("amount", LongType(), "how much")),
    ("day",), window="day", partition=Partition.DAY, checks=(between("amount", 0, 9),),
)  # fmt: skip
AS_DECLARED = Layout(["day"], [], properties(SUMS))


def test_a_table_as_declared_has_not_drifted_nor_one_that_lacks_a_nullable_column() -> None:
    assert drift(SUMS, StructType([DAY, AMOUNT]), AS_DECLARED, "sums") is None
    assert drift(SUMS, StructType([DAY]), AS_DECLARED, "sums") is None


@pytest.mark.parametrize(
    ("fields", "layout", "mend"),
    [
        ([AMOUNT], AS_DECLARED, "ADD COLUMN day date; fill it for the rows there are"),
        (
            [DAY, StructField("amount", StringType())],
            AS_DECLARED,
            "ALTER COLUMN amount TYPE bigint",
        ),
        (
            [DAY, StructField("amount", LongType(), nullable=False)],
            AS_DECLARED,
            "amount DROP NOT NULL",
        ),
        ([DAY, AMOUNT, StructField("odd", LongType())], AS_DECLARED, "DROP COLUMN odd"),
        ([DAY, AMOUNT], Layout(["day"], [], {}), "ADD CONSTRAINT amount_in_range CHECK"),
        ([DAY, AMOUNT], Layout([], [], properties(SUMS)), "`cinelake rebuild sums`"),
    ],
)
def test_what_differs_is_told_with_what_mends_it(
    fields: list[StructField], layout: Layout, mend: str
) -> None:
    told = drift(SUMS, StructType(fields), layout, "sums")
    assert told is not None
    assert told.startswith("table 'sums' does not match its contract.\nstored:\n  ")
    (statement,) = told.split("to migrate, run:\n  ")[1].splitlines()
    assert mend in statement
