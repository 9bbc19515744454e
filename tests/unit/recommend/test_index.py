"""Integers for ids: given once, in an order that does not depend on how rows arrive."""

from __future__ import annotations

from datetime import date

from chispa import assert_df_equality
from pyspark.sql import SparkSession

from cinelake.recommend.index import grown

INDEX = "title_id string, idx int, first_seen date"
EVENTS = "title_id string, signal_date date"
MONDAY, TUESDAY = date(2026, 3, 2), date(2026, 3, 3)


def test_new_ids_get_the_next_integers_by_day_and_id_and_old_ones_nothing(
    spark: SparkSession,
) -> None:
    index = spark.createDataFrame([("heat", 0, MONDAY), ("up", 1, MONDAY)], INDEX)
    events = spark.createDataFrame(
        [
            ("zodiac", MONDAY),
            ("zodiac", TUESDAY),
            ("alien", TUESDAY),
            ("brazil", TUESDAY),
            ("up", TUESDAY),
        ],
        EVENTS,
    )
    expected = spark.createDataFrame(
        [("zodiac", 2, MONDAY), ("alien", 3, TUESDAY), ("brazil", 4, TUESDAY)], INDEX
    )

    assert_df_equality(
        grown(index, events, "title_id", "signal_date"),
        expected,
        ignore_row_order=True,
        ignore_nullable=True,
    )


def test_the_first_integer_is_zero(spark: SparkSession) -> None:
    empty = spark.createDataFrame([], INDEX)
    events = spark.createDataFrame([("up", MONDAY)], EVENTS)

    assert_df_equality(
        grown(empty, events, "title_id", "signal_date"),
        spark.createDataFrame([("up", 0, MONDAY)], INDEX),
        ignore_nullable=True,
    )
