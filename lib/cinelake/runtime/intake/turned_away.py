"""Rows for the table `quarantine`: of rejected records, and of files that are turned away whole."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import LongType, StringType, StructField, StructType

from cinelake.runtime.delta.lake import Lake
from cinelake.runtime.intake.bad_files import BadFile
from cinelake.tables.contract import Table
from cinelake.tables.system import QUARANTINE

REASONS, RAW, ORIGIN = "_reasons", "_raw", "_origin"
ORIGIN_TYPE = StructType([StructField("file", StringType()), StructField("line", LongType())])


def particulars(rows: DataFrame, table: Table) -> dict[str, Column]:
    """`reasons, file, line, raw` of the rejected rows of a judged frame; a raw text nobody gave is the row as JSON.

    Made of rejected rows only, and not beside the good ones, which would keep more columns of nulls in memory.
    """
    as_json = F.to_json(F.struct(*table.names))
    origin = F.col(ORIGIN) if ORIGIN in rows.columns else F.lit(None).cast(ORIGIN_TYPE)
    return {
        "reasons": F.col(REASONS),
        "file": origin["file"],
        "line": origin["line"],
        "raw": F.coalesce(F.col(RAW), as_json) if RAW in rows.columns else as_json,
    }


def rejected_rows(rows: DataFrame, table: Table, job: str, run_id: str, day: Column) -> DataFrame:
    """One row a rejected row of a judged frame."""
    columns = particulars(rows, table)
    return rows.select(
        F.lit(table.name).alias("target"),
        F.lit(job).alias("job"),
        F.lit(run_id).alias("publication"),
        day.alias("window_day"),
        *(column.alias(name) for name, column in columns.items()),
        F.xxhash64(columns["raw"], F.lit(0)).alias("row_hash"),
    )


def rejected_files(
    lake: Lake, files: Sequence[BadFile], table: Table, job: str, run_id: str, day: Column
) -> DataFrame:
    """One row a file that is turned away whole; in place of a record stands what is wrong with it."""
    told = [(bad.file, bad.reason, bad.hint) for bad in files]
    frame = lake.spark.createDataFrame(told, "file string, reason string, hint string")
    return frame.select(
        F.lit(table.name).alias("target"),
        F.lit(job).alias("job"),
        F.lit(run_id).alias("publication"),
        day.alias("window_day"),
        F.array("reason").alias("reasons"),
        "file",
        F.lit(None).cast("bigint").alias("line"),
        F.col("hint").alias("raw"),
        F.xxhash64("hint", F.lit(0)).alias("row_hash"),
    )


def with_line_numbers(lake: Lake, rows: DataFrame) -> DataFrame:
    """Text files carry no row index, so lines are counted only when something was rejected."""
    unnumbered = F.col("file").isNotNull() & F.col("line").isNull()
    files = [
        row["file"]
        for row in rows.where(unnumbered).select("file").distinct().toArrow().to_pylist()
    ]
    if not files:
        return rows
    lines = lake.landed.numbered(files).select(
        F.col("file").alias("_file"),
        F.col("value").alias("_value"),
        F.col("line").alias("_line"),
    )
    first = lines.groupBy("_file", "_value").agg(F.min("_line").alias("_line"))
    joined = rows.join(
        first, (F.col("file") == F.col("_file")) & (F.col("raw") == F.col("_value")), how="left"
    )
    return joined.select(
        *(
            F.coalesce("line", "_line").alias("line") if name == "line" else F.col(name)
            for name in QUARANTINE.names
        )
    )
