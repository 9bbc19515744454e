"""Content digests tell equal rows from unequal ones, whatever their order."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import (
    ArrayType,
    DateType,
    DoubleType,
    LongType,
    StringType,
    StructField,
    StructType,
    VariantType,
)

from cinelake.runtime.runs.digest import Digest, aggregates, row_hash
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


def of(frame: DataFrame) -> Digest:
    (row,) = frame.select(row_hash(TABLE).alias("h")).agg(*aggregates("h")).collect()
    return Digest(row["rows"], row["xor"], row["total"])


def test_order_and_partitions_do_not_count(spark: SparkSession) -> None:
    rows = [(f"{n}", date(2026, 1, 1), n, n / 7, [n / 3], [f"{n}"]) for n in range(300)]
    one = spark.createDataFrame(rows, TABLE.schema).coalesce(1)
    other = spark.createDataFrame(rows[::-1], TABLE.schema).repartition(7)
    assert of(one) == of(other)


# Columns of `ROW` that are changed, one at a time.
CHANGES: list[tuple[str, Any]] = [
    ("id", "b"),
    ("day", None),
    ("whole", 8),
    ("real", 0.1000001),
    ("reals", [None, 1.0]),
    ("reals", [1.0]),
    ("words", [None, "x"]),
    ("words", ["x"]),
    ("words", ["x", "", None]),
]
# Numbers that differ by rounding, and what is no ordinary number.
ROUNDED = [(0.3, 0.1 + 0.2), (0.0, -0.0), (1e300, 1e300 * (1 + 1e-14)), (1e-310, 1e-310 + 5e-324)]
ODD = [float("nan"), float("inf"), float("-inf"), 0.0, 5e-324, None]


def changed(column: str, value: Any) -> tuple[Any, ...]:
    row = dict(zip(TABLE.names, ROW, strict=True)) | {column: value}
    return tuple(row[name] for name in TABLE.names)


def holding(number: float | None, *numbers: float) -> tuple[Any, ...]:
    return (*ROW[:3], number, list(numbers), [])


SETS: dict[str, list[tuple[Any, ...]]] = {
    "row": [ROW],
    "row twice": [ROW, ROW],
    "other": [("b", *ROW[1:])],
    "row and other": [ROW, ("b", *ROW[1:])],
    "no list": [(*ROW[:4], None, None)],
    "empty list": [(*ROW[:4], None, [])],
    "left of a null": [("a", None, 1, None, None, None)],
    "right of a null": [("a", None, None, 1.0, None, None)],
    **{f"change {n}": [changed(*change)] for n, change in enumerate(CHANGES)},
    **{
        f"rounded {n} {i}": [holding(x, x)]
        for n, pair in enumerate(ROUNDED)
        for i, x in enumerate(pair)
    },
    **{f"odd {n}": [holding(number)] for n, number in enumerate(ODD)},
}


@pytest.fixture(scope="module")
def digests(spark: SparkSession) -> dict[str, Digest]:
    """The digests of all `SETS`, by one query."""
    rows = [(name, *row) for name, held in SETS.items() for row in held]
    schema = StructType([StructField("set", StringType()), *TABLE.schema])
    hashed = spark.createDataFrame(rows, schema).select("set", row_hash(TABLE).alias("h"))
    found = hashed.groupBy("set").agg(*aggregates("h")).collect()
    return {row["set"]: Digest(row["rows"], row["xor"], row["total"]) for row in found}


@pytest.mark.parametrize("n", range(len(CHANGES)))
def test_any_change_of_a_value_counts(digests: dict[str, Digest], n: int) -> None:
    assert digests[f"change {n}"] != digests["row"], CHANGES[n]


def test_no_list_is_not_an_empty_list(digests: dict[str, Digest]) -> None:
    assert digests["no list"] != digests["empty list"]


def test_a_value_that_moves_to_a_null_neighbour_counts(digests: dict[str, Digest]) -> None:
    assert digests["left of a null"] != digests["right of a null"]


@pytest.mark.parametrize("n", range(len(ROUNDED)))
def test_floating_point_that_differs_by_rounding_is_the_same(
    digests: dict[str, Digest], n: int
) -> None:
    assert digests[f"rounded {n} 0"] == digests[f"rounded {n} 1"], ROUNDED[n]


def test_what_is_no_ordinary_number_is_told_apart(digests: dict[str, Digest]) -> None:
    assert len({digests[f"odd {n}"] for n in range(len(ODD))}) == len(ODD)


def test_the_same_row_twice_is_not_the_same_as_none(digests: dict[str, Digest]) -> None:
    assert digests["row twice"] != Digest()


def test_digests_of_parts_add_up(digests: dict[str, Digest]) -> None:
    assert digests["row"] + digests["other"] == digests["row and other"]


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
