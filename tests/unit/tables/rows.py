"""Rows of a table of which a test says only what matters."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from chispa import assert_df_equality
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import (
    ArrayType,
    BooleanType,
    DataType,
    DateType,
    DecimalType,
    DoubleType,
    IntegerType,
    LongType,
    StringType,
    TimestampType,
)

from cinelake.tables.contract import Table

DAY = date(2020, 5, 1)
NOON = datetime(2020, 5, 1, 12)
FILLERS: dict[type[DataType], Any] = {
    StringType: "x",
    DateType: DAY,
    TimestampType: NOON,
    IntegerType: 0,
    LongType: 0,
    BooleanType: False,
    DecimalType: Decimal(0),
    DoubleType: 0.0,
    ArrayType: [],
}


def rows(spark: SparkSession, table: Table, *given: dict[str, Any]) -> DataFrame:
    """Rows of a table; what nobody gives is null, or a filler where something must stand."""
    fill = {c.name: FILLERS.get(type(c.type)) if c.required else None for c in table.columns}
    whole = [tuple((fill | each)[name] for name in table.names) for each in given]
    return spark.createDataFrame(whole, table.schema)


def together(frame: DataFrame) -> DataFrame:
    """The frame in one partition: to sort several, Spark computes them twice."""
    return frame.coalesce(1)


def same(found: DataFrame, expected: DataFrame) -> None:
    """Assert that the columns of `expected` hold the same rows, in any order."""
    assert_df_equality(
        found.select(*expected.columns),
        expected,
        ignore_row_order=True,
        ignore_nullable=True,
        ignore_metadata=True,
        transforms=[together],
    )
