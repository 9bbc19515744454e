"""Whom pages are for is taken in by the model as lists take it in."""

from __future__ import annotations

import numpy as np
import pytest
from pyspark.sql import SparkSession

from cinelake.recommend.home.planning import Audience, folded
from cinelake.recommend.lists import Known
from cinelake.recommend.taste_fold import TasteFold

# Two classes; in Japan the second had more to choose from, so a choice says less of it.
TASTES = TasteFold(
    classes=np.array([[-1.0], [1.0]]),
    prior=np.log([0.5, 0.5]),
    norms=np.array([[0.0, 2.0], [0.0, 0.0], [0.0, 1.0]]),
    markets=("JP", "US"),
)


def test_a_profile_is_taken_in_as_of_its_market(spark: SparkSession) -> None:
    titles = spark.createDataFrame(
        [("heat", [0.0, 0.0], False)], "title_id string, factors array<float>, is_cold boolean"
    )
    numbers = spark.createDataFrame([("heat", 7)], "title_id string, title_idx int")
    people = [("ann", [7], "JP"), ("bob", [7], "US"), ("eve", [7], None), ("new", [], "US")]
    profiles = spark.createDataFrame(people, "profile_id string, liked array<int>, market string")

    found, _ = folded(Audience(profiles, numbers), Known(titles, TASTES))

    rows = {row.profile_id: row.factors for row in found.collect()}
    assert rows["new"] is None
    for profile, market in (("ann", "JP"), ("bob", "US"), ("eve", None)):
        assert rows[profile] == pytest.approx(TASTES.factors(np.zeros((1, 2)), market))
    assert rows["ann"][0] < rows["eve"][0] < rows["bob"][0]
