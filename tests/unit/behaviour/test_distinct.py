"""Sketches count distinct values nearly, add up exactly, and do not mind the order of rows."""

from __future__ import annotations

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from cinelake.behaviour.distinct import estimate, merged, sketched


def test_few_values_are_counted_exactly_and_nulls_are_none(spark: SparkSession) -> None:
    told = spark.createDataFrame(
        [("a", "x"), ("a", "x"), ("a", "y"), ("a", None), ("b", None)], "k string, v string"
    )
    found = sketched(told, ["k"], "v", "s").select(
        "k", F.size("s").alias("n"), estimate("s").alias("e")
    )
    assert {tuple(row) for row in found.collect()} == {("a", 2, 2), ("b", 0, 0)}


# Three standard errors of 3.3 %, beside a rounding.
@pytest.mark.parametrize("values", [100, 2000, 30_000])
def test_many_values_are_counted_within_a_tenth(spark: SparkSession, values: int) -> None:
    told = spark.range(0, values).select(F.lit(1).alias("k"), F.col("id").cast("string").alias("v"))
    (found,) = sketched(told, ["k"], "v", "s").select(estimate("s").alias("e")).collect()
    assert found.e == pytest.approx(values, rel=0.1)


def test_sketches_of_parts_add_up_to_that_of_the_whole(spark: SparkSession) -> None:
    numbers = spark.range(0, 3000).withColumn("v", F.col("id").cast("string"))
    # Parts that overlap, in another order.
    both = F.array(F.lit(0), F.lit(1))
    one = F.array((F.col("id") % 2).cast("int"))
    part = F.explode(F.when(F.col("id") % 3 == 0, both).otherwise(one))
    parts = numbers.orderBy(F.col("id").desc()).select(part.alias("part"), "v")
    by_part = sketched(parts, ["part"], "v", "s").withColumn("k", F.lit(1))
    (added,) = merged(by_part, ["k"], "s").collect()
    (whole,) = sketched(numbers.withColumn("k", F.lit(1)), ["k"], "v", "s").collect()
    assert added.s == whole.s
    nothing = by_part.select("k", F.array().cast("array<int>").alias("s"))
    (empty,) = merged(nothing, ["k"], "s").collect()
    assert empty.s == []
