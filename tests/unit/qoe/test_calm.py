"""A rise is measured against calm times."""

from __future__ import annotations

import numpy as np
from pyspark.sql import SparkSession, Window
from pyspark.sql import functions as F

from cinelake.qoe.localisation.history import calm, is_calm


def test_times_that_were_bad_already_are_no_history() -> None:
    bad = np.array([2000.0, 2000.0, 1000.0, 2600.0, 2700.0, 9000.0])
    total = np.full(6, 100_000.0)
    # The median is 2.3 %, and 1.3 times that 2.99 %.
    assert calm(bad, total).tolist() == [True, True, True, True, True, False]


def test_times_without_viewers_are_left_out() -> None:
    assert calm(np.array([0.0, 3.0]), np.array([0.0, 100.0])).tolist() == [False, True]
    assert calm(np.zeros(2), np.zeros(2)).tolist() == [False, False]
    assert calm(np.zeros(2), np.full(2, 5.0)).tolist() == [True, True]
    assert calm(np.zeros(0), np.zeros(0)).tolist() == []


def test_chance_makes_no_time_bad() -> None:
    # Where nobody is bad as a rule, two are by chance, and three are not; of seven as a rule up to fifteen are.
    assert calm(np.array([0.0, 0.0, 0.0, 2.0, 3.0]), np.full(5, 50.0)).tolist() == [True] * 4 + [
        False
    ]
    assert calm(np.array([7.0, 7.0, 7.0, 15.0, 16.0]), np.full(5, 80.0)).tolist() == [True] * 4 + [
        False
    ]


def test_spark_tells_the_same_of_rows(spark: SparkSession) -> None:
    dice = np.random.default_rng(7)
    rows = []
    for group in range(20):
        total = dice.poisson(30, 15) * (dice.random(15) > 0.1)
        bad = dice.binomial(total, dice.choice([0.05, 0.5], 15, p=[0.9, 0.1]))
        told = calm(bad.astype(float), total.astype(float)).tolist()
        rows += [(group, *each) for each in zip(bad.tolist(), total.tolist(), told, strict=True)]
    frame = spark.createDataFrame(rows, "group int, bad bigint, total bigint, told boolean")
    found = frame.select(
        "told", is_calm(F.col("bad"), F.col("total"), Window.partitionBy("group")).alias("found")
    )
    assert found.where("told != found").isEmpty()
    assert {row["found"] for row in found.distinct().collect()} == {True, False}
