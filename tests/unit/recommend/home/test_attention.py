"""How attention falls is told by slots that were filled at random, whatever stands in them."""

from __future__ import annotations

import numpy as np
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from cinelake.recommend.home.attention import LEAST, USUAL_FALL, Attention, estimated


def tiles(spark: SparkSession, count: int, phone: float) -> DataFrame:
    """Slots drawn at random that are chosen with a chance falling down and along, on telephones faster; others are
    chosen wherever they are.
    """
    dice = np.random.default_rng(5)
    rows = []
    for _ in range(count):
        device, row, rank = (
            ("tv", "phone")[dice.integers(2)],
            int(dice.integers(6)),
            int(dice.integers(6)),
        )
        drawn = bool(dice.random() < 0.8)
        down = phone if device == "phone" else 0.3
        chance = 0.3 * np.exp(-down * row - 0.2 * rank) if drawn else 0.3
        rows.append((device, row, rank, drawn, bool(dice.random() < chance)))
    return spark.createDataFrame(
        rows, "device_class string, row int, rank int, is_exploration boolean, is_chosen boolean"
    )


@pytest.mark.thorough
def test_falls_are_found_again_for_each_class_of_device(spark: SparkSession) -> None:
    found = estimated(tiles(spark, 7_200, phone=0.6))
    assert found.falls["tv"] == pytest.approx((0.3, 0.2), abs=0.12)
    assert found.falls["phone"] == pytest.approx((0.6, 0.2), abs=0.12)
    assert found.falls["tv"][0] < found.falls["phone"][0]
    assert "drawn at random that were chosen" in found.origin


def test_of_too_few_choices_nothing_is_learned(spark: SparkSession) -> None:
    found = estimated(tiles(spark, 100, phone=0.6))
    assert found.falls == {}
    assert "30 are needed" in found.origin
    down, along = found.of("tv", 2, 2)
    assert down[1] == pytest.approx(np.exp(-USUAL_FALL[0]))
    assert along[1] == pytest.approx(np.exp(-USUAL_FALL[1]))


def test_a_propensity_is_that_of_the_place_and_never_nothing(spark: SparkSession) -> None:
    attention = Attention.of_json(Attention({"tv": (1.0, 0.5)}, "a test").to_json())
    told = spark.createDataFrame(
        [("tv", 1, 2), ("tv", 99, 0), ("fridge", 1, 0)], "device_class string, row int, rank int"
    )
    found = [row.p for row in told.select(attention.propensity().alias("p"), F.lit(1)).collect()]
    assert found == pytest.approx([np.exp(-2.0), LEAST, np.exp(-USUAL_FALL[0])])
