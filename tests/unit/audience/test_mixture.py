"""Profiles are shared out among clusters by Bayes' rule; what MLlib fits is read as a mixture."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pyspark.ml.functions import array_to_vector
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from scipy.stats import multivariate_normal

from cinelake.audience.clustering import axes_of
from cinelake.audience.mixture import KINDS, Kind, Mixture, fitted, one, round_ones

CENTRES = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 2.0]])


def test_who_is_halfway_belongs_to_both_and_who_is_near_to_one() -> None:
    mixture = round_ones(CENTRES[:2], 0.1)
    halfway, near = mixture.memberships(np.array([[0.0, 0.3], [0.95, 0.0]]))
    assert halfway == pytest.approx([0.5, 0.5])
    assert near.max() > 0.999
    # Clusters stand in the order of their centres, whatever order they were found in.
    assert near.argmax() == 1


def test_shares_are_those_of_a_mixture_of_gaussians() -> None:
    covariances = [np.array([[1.0, 0.4], [0.4, 0.5]]), np.eye(2) * 2.0]
    whitening = []
    for covariance in covariances:
        values, ways = np.linalg.eigh(covariance)
        whitening.append(ways / np.sqrt(values))
    weights = np.array([0.3, 0.7])
    points = np.array([[0.5, 0.5], [-2.0, 1.0], [3.0, 3.0]])
    own = [
        weight * multivariate_normal(centre, covariance).pdf(points)
        for weight, centre, covariance in zip(weights, CENTRES[:2], covariances, strict=True)
    ]
    expected = np.array(own).T / np.sum(own, axis=0)[:, None]
    found = Mixture(weights, CENTRES[:2], np.array(whitening)).memberships(points)
    np.testing.assert_allclose(found, expected, rtol=1e-9)


@given(arrays(float, (5, 2), elements=st.floats(-1e3, 1e3)), st.floats(1e-9, 10))
def test_shares_add_up_to_one_wherever_a_profile_is(points: np.ndarray, spread: float) -> None:
    found = round_ones(CENTRES, spread).memberships(points)
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found.sum(axis=1), 1)


def test_everybody_in_one_cluster_belongs_to_it_wholly() -> None:
    assert one(np.zeros(2)).memberships(np.array([[0.3, 9.0], [0.0, 0.0]])).tolist() == [
        [1.0],
        [1.0],
    ]
    assert one(np.zeros(0)).memberships(np.zeros((2, 0))).tolist() == [[1.0], [1.0]]
    assert axes_of(one(np.zeros(0))).shape == (0, 2)


@pytest.fixture(scope="module")
def three_heaps(spark: SparkSession) -> DataFrame:
    random = np.random.default_rng(1)
    points = np.concatenate([centre + 0.1 * random.normal(size=(20, 2)) for centre in CENTRES])
    frame = spark.createDataFrame([(p.tolist(),) for p in points], "reduced array<double>")
    return (
        frame.select(array_to_vector(F.col("reduced")).alias("features"))
        .coalesce(1)
        .localCheckpoint()
    )


@pytest.mark.thorough
@pytest.mark.parametrize("kind", KINDS)
def test_what_mllib_fits_finds_the_heaps(three_heaps: DataFrame, kind: Kind) -> None:
    mixture = fitted(three_heaps, kind, 3, seed=1)
    assert len(mixture) == 3
    shares = mixture.memberships(CENTRES)
    assert sorted(shares.argmax(axis=1)) == [0, 1, 2]
    assert shares.max(axis=1).min() > 0.99


@pytest.mark.thorough
@pytest.mark.parametrize("kind", ["k_means", "bisecting"])
def test_identical_profiles_make_one_cluster_however_many_are_asked_for(
    spark: SparkSession, kind: Kind
) -> None:
    same = spark.createDataFrame([([1.0, 0.0],)] * 10, "reduced array<double>")
    points = same.select(array_to_vector(F.col("reduced")).alias("features")).localCheckpoint()
    mixture = fitted(points, kind, 3, seed=1)
    assert len(mixture) == 1
    assert mixture.memberships(np.array([[1.0, 0.0]])).tolist() == [[1.0]]
