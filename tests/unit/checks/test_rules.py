"""Which rules a row breaks."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from chispa import assert_df_equality
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import DateType, DoubleType, StringType

from cinelake.checks.rules import reasons
from cinelake.tables.contract import Column, Layer, Table, between, matches, one_of, satisfies

PLAYS = Table(
    name="plays",
    area="behaviour",
    layer=Layer.SILVER,
    grain="One row per play.",
    key=("play_id",),
    window="day",
    columns=(
        Column("play_id", StringType(), "identifies the play", required=True),
        Column("day", DateType(), "day of the play", required=True),
        Column("share", DoubleType(), "watched share of the title"),
        Column("device", StringType(), "kind of device"),
    ),
    checks=(
        between("share", 0, 1),
        one_of("device", "tv", "kid's tablet"),
        matches("play_id", "p[0-9]+"),
        satisfies("tv_is_watched", "device <> 'tv' OR share > 0.1", "device", "share"),
    ),
)
DAY = date(2026, 1, 1)


def judged(spark: SparkSession, *rows: tuple[Any, ...]) -> DataFrame:
    nullable = "play_id string, day date, share double, device string"
    return spark.createDataFrame(rows, nullable).select("play_id", reasons(PLAYS).alias("reasons"))


def expected(spark: SparkSession, *rows: tuple[Any, ...]) -> DataFrame:
    return spark.createDataFrame(rows, "play_id string, reasons array<string>")


def test_a_good_row_has_no_reasons(spark: SparkSession) -> None:
    assert_df_equality(
        judged(spark, ("p1", DAY, 0.0, "kid's tablet"), ("p2", DAY, 1.0, "tv")),
        expected(spark, ("p1", []), ("p2", [])),
        ignore_nullable=True,
    )


def test_every_broken_rule_is_named_in_contract_order(spark: SparkSession) -> None:
    assert_df_equality(
        judged(spark, ("x", None, 1.5, "radio"), ("p1", DAY, 0.05, "tv")),
        expected(
            spark,
            (
                "x",
                ["day_is_missing", "share_in_range", "device_is_known", "play_id_is_well_formed"],
            ),
            ("p1", ["tv_is_watched"]),
        ),
        ignore_nullable=True,
    )


def test_null_breaks_only_a_required_column(spark: SparkSession) -> None:
    assert_df_equality(
        judged(spark, ("p1", DAY, None, None), (None, DAY, 0.5, "tv")),
        expected(spark, ("p1", []), (None, ["play_id_is_missing"])),
        ignore_nullable=True,
    )


@pytest.mark.parametrize("name", ["p1\n", " p1", "p1 ", "P1", "p"])
def test_a_pattern_means_the_whole_value(spark: SparkSession, name: str) -> None:
    found = judged(spark, (name, DAY, None, None)).first()
    assert found is not None
    assert found["reasons"] == ["play_id_is_well_formed"]


def test_not_a_number_is_out_of_range(spark: SparkSession) -> None:
    found = judged(spark, ("p1", DAY, float("nan"), None)).first()
    assert found is not None
    assert found["reasons"] == ["share_in_range"]


def test_a_table_without_rules_has_no_reasons(spark: SparkSession) -> None:
    lax = Table(
        name="lax",
        area="system",
        layer=Layer.SYSTEM,
        kind=PLAYS.kind.SYSTEM,
        grain="One row per anything.",
        key=("id",),
        columns=(Column("id", StringType(), "anything", required=True),),
    )
    found = spark.createDataFrame([("a",)], "id string").select(reasons(lax).alias("reasons"))
    assert_df_equality(
        found, spark.createDataFrame([([],)], "reasons array<string>"), ignore_nullable=True
    )
