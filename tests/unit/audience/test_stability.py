"""How far two clusterings agree is counted in Spark and told by standard indexes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql import SparkSession
from sklearn.metrics import adjusted_rand_score

from cinelake.audience.mixture import round_ones
from cinelake.audience.stability import adjusted_rand, contingencies, jaccard, labelled

LABELS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=2, max_size=40)


@given(LABELS)
def test_the_adjusted_rand_index_is_that_of_scikit_learn(pairs: list[tuple[int, int]]) -> None:
    one, other = zip(*pairs, strict=True)
    table = np.zeros((4, 4), int)
    for a, b in pairs:
        table[a, b] += 1
    assert adjusted_rand(table) == pytest.approx(adjusted_rand_score(one, other))


def test_a_cluster_is_as_stable_as_the_most_similar_one_of_the_other() -> None:
    # The first stays whole, the second falls in two halves, nobody is left of the third.
    table = np.array([[10, 0, 0], [0, 4, 4], [0, 0, 0]])
    assert jaccard(table).tolist() == [1.0, 0.5, 0.0]


@pytest.mark.thorough
def test_profiles_are_counted_by_their_clusters_in_both(spark: SparkSession) -> None:
    points = spark.createDataFrame(
        [("a", [1.0]), ("b", [0.9]), ("c", [-1.0])], "profile_id string, reduced array<double>"
    )
    ends, thirds = np.array([[-1.0], [1.0]]), np.array([[-1.0], [0.9], [1.0]])
    mixtures = [round_ones(ends, 0.001), round_ones(thirds, 0.0001)]
    (table,) = contingencies(labelled(points, mixtures), [(0, 1)])
    assert table.tolist() == [[1, 0, 0], [0, 1, 1]]
