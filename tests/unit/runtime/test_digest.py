"""Content digests tell equal rows from unequal ones, whatever their order."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, DateType, DoubleType, LongType, StringType, VariantType

from cinelake.runtime.digest import Digest, aggregates, row_hash
from cinelake.tables.contract import Column, Kind, Layer, Table

TABLE = Table(
    name="mixed",
    area="toy",
    layer=Layer.SILVER,
    kind=Kind.SYSTEM,
    grain="One row per id.",
    key=("id",),
    columns=(
        Column("id", StringType(), "id", required=True),
        Column("day", DateType(), "day"),
        Column("whole", LongType(), "an integer"),
        Column("real", DoubleType(), "a number"),
        Column("reals", ArrayType(DoubleType()), "numbers"),
        Column("words", ArrayType(StringType()), "strings"),
    ),
)
ROW: tuple[Any, ...] = ("a", date(2026, 1, 1), 7, 0.1, [1.0, None], ["x", None])


def digest(spark: SparkSession, *rows: tuple[Any, ...]) -> Digest:
    return of(spark.createDataFrame(list(rows), TABLE.schema))


def of(frame: DataFrame) -> Digest:
    (row,) = frame.select(row_hash(TABLE).alias("h")).agg(*aggregates("h")).collect()
    return Digest(row["rows"], row["xor"], row["total"])


def test_order_and_partitions_do_not_count(spark: SparkSession) -> None:
    rows = [(f"{n}", date(2026, 1, 1), n, n / 7, [n / 3], [f"{n}"]) for n in range(300)]
    one = spark.createDataFrame(rows, TABLE.schema).coalesce(1)
    other = spark.createDataFrame(rows[::-1], TABLE.schema).repartition(7)
    assert of(one) == of(other)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("id", "b"),
        ("day", None),
        ("whole", 8),
        ("real", 0.1000001),
        ("reals", [None, 1.0]),
        ("reals", [1.0]),
        ("words", [None, "x"]),
        ("words", ["x"]),
        ("words", ["x", "", None]),
    ],
)
def test_any_change_of_a_value_counts(spark: SparkSession, column: str, value: Any) -> None:
    changed = dict(zip(TABLE.names, ROW, strict=True)) | {column: value}
    assert digest(spark, ROW) != digest(spark, tuple(changed[name] for name in TABLE.names))


def test_no_list_is_not_an_empty_list(spark: SparkSession) -> None:
    assert digest(spark, (*ROW[:4], None, None)) != digest(spark, (*ROW[:4], None, []))


def test_a_value_that_moves_to_a_null_neighbour_counts(spark: SparkSession) -> None:
    left = ("a", None, 1, None, None, None)
    right = ("a", None, None, 1.0, None, None)
    assert digest(spark, left) != digest(spark, right)


@pytest.mark.parametrize(
    ("one", "other"),
    [(0.3, 0.1 + 0.2), (0.0, -0.0), (1e300, 1e300 * (1 + 1e-14)), (1e-310, 1e-310 + 5e-324)],
)
def test_floating_point_that_differs_by_rounding_is_the_same(
    spark: SparkSession, one: float, other: float
) -> None:
    assert digest(spark, (*ROW[:3], one, [one], [])) == digest(
        spark, (*ROW[:3], other, [other], [])
    )


def test_what_is_no_ordinary_number_is_told_apart(spark: SparkSession) -> None:
    odd = [float("nan"), float("inf"), float("-inf"), 0.0, 5e-324, None]
    found = {digest(spark, (*ROW[:3], value, [], [])) for value in odd}
    assert len(found) == len(odd)


def test_the_same_row_twice_is_not_the_same_as_none(spark: SparkSession) -> None:
    assert digest(spark, ROW, ROW) != Digest()


def test_digests_of_parts_add_up(spark: SparkSession) -> None:
    other = ("b", *ROW[1:])
    assert digest(spark, ROW) + digest(spark, other) == digest(spark, ROW, other)


def test_a_digest_is_read_back_from_its_text() -> None:
    made = Digest(3, -5, 1 << 40)
    assert Digest.parse(str(made)) == made


def test_variants_are_hashed_by_their_json(spark: SparkSession) -> None:
    table = Table(
        name="records",
        area="toy",
        layer=Layer.BRONZE,
        kind=Kind.SYSTEM,
        grain="One record.",
        key=("id",),
        columns=(
            Column("id", StringType(), "id", required=True),
            Column("v", VariantType(), "record"),
        ),
    )
    texts = spark.createDataFrame(
        [("a", '{"x":1}'), ("a", '{"x": 1}'), ("a", '{"x":2}')], "id string, v string"
    )
    frame = texts.select("id", F.parse_json("v").alias("v")).select(row_hash(table).alias("h"))
    hashes = [row["h"] for row in frame.collect()]
    assert hashes[0] == hashes[1] != hashes[2]
