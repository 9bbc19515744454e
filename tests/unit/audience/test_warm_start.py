"""Clusters stay where they are while tastes do: a fit that knows which are in force finds them again.

Tastes here have no gaps between them: each profile mixes six genres in its own way, so that there are many ways to cut
them up that are about as good, and fits that begin anew end at one or another.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from pyspark.ml.functions import array_to_vector
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from sklearn.metrics import adjusted_rand_score

from cinelake.audience.choice import Candidate, Choice, ClusterRecipe, Measures
from cinelake.audience.clustering import Population
from cinelake.audience.features import FeatureRecipe
from cinelake.audience.mixture import Along, Kind, fitted
from cinelake.audience.training import Day, Kept, fit
from cinelake.audience.usefulness import Gain

FEATURES = FeatureRecipe(weights={"genre": 1.0})
CLUSTERS = ClusterRecipe()
PROFILES = {"adult": 120, "kid": 60}
GENRES = [f"Genre {n}" for n in range(6)]


def choice(kind: Kind, k: int) -> Choice:
    one = Measures(Candidate(kind, k), k, 0.3, (0.6, 0.6), (0.6,) * k, Gain(0.1, 0.01, 100), 0.4)
    return Choice((one,), one)


@dataclass(frozen=True)
class Told:
    """How much each profile watched of each genre; `order` says how profiles are called."""

    watched: np.ndarray
    order: np.ndarray

    @classmethod
    def first(cls) -> Told:
        random = np.random.default_rng(3)
        mixed = random.dirichlet(np.full(len(GENRES), 0.4), sum(PROFILES.values()))
        return cls(np.round(20 * mixed, 2), np.arange(len(mixed)))

    def of_another_day(self, seed: int) -> Told:
        """Nobody watched anything: all is a little faded, and profiles come in another order."""
        random = np.random.default_rng(seed)
        jitter = random.uniform(0.97, 1.0, self.watched.shape)
        return Told(self.watched * jitter, random.permutation(self.order))

    def day(self, spark: SparkSession) -> Day:
        names = [f"p{place:04}" for place in self.order]
        adults = PROFILES["adult"]
        cells = [
            (name, "genre", genre, float(weight))
            for name, row in zip(names, self.watched, strict=True)
            for genre, weight in zip(GENRES, row, strict=True)
            if round(weight, 6) > 0
        ]
        people = [
            (name, "adult" if n < adults else "kid", name, "DE") for n, name in enumerate(names)
        ]
        told = spark.createDataFrame(
            cells, "profile_id string, aspect string, term string, weight double"
        ).withColumn("weight", F.col("weight").cast("decimal(26,6)"))
        who = "profile_id string, population string, household string, market string"
        return Day(
            told.localCheckpoint(), spark.createDataFrame(people, who).localCheckpoint(), None
        )


def placed(populations: dict[str, Population], day: Day) -> DataFrame:
    return Kept(populations, FEATURES, None).placed(day).localCheckpoint()


def agreement(told: Told, one: DataFrame, other: DataFrame, population: str) -> float:
    """Adjusted Rand index of two clusterings of the same profiles, which have other names in the second."""
    clusters = [
        {row.profile_id: row.component for row in frame.collect() if row.population == population}
        for frame in (one, other)
    ]
    numbers = [n for n in range(len(told.order)) if f"p{n:04}" in clusters[0]]
    first = [clusters[0][f"p{n:04}"] for n in numbers]
    second = [clusters[1][f"p{told.order[n]:04}"] for n in numbers]
    return float(adjusted_rand_score(first, second))


CHOICES = {"adult": choice("k_means", 5), "kid": choice("k_means", 4)}


@pytest.fixture(scope="module")
def champion(spark: SparkSession) -> dict[str, Population]:
    return fit(Told.first().day(spark), CHOICES, FEATURES, CLUSTERS, 0)


@pytest.mark.thorough
@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_where_nothing_changed_but_order_seed_and_noise_profiles_stay_in_their_clusters(
    spark: SparkSession, champion: dict[str, Population], seed: int
) -> None:
    first = Told.first()
    told = first.of_another_day(seed)
    day = told.day(spark)
    recipe = CLUSTERS.model_copy(update={"seed": 100 * seed})
    again = fit(day, CHOICES, FEATURES, recipe, 0, placed(champion, day))
    before, after = placed(champion, first.day(spark)), placed(again, day)
    for population in PROFILES:
        assert agreement(told, before, after, population) >= 0.9


HEAPS = np.array([[0.0, 0.0], [0.1, 0.0], [5.0, 0.0], [5.1, 0.0], [0.0, 3.0], [0.1, 3.0]])


@pytest.fixture(scope="module")
def heaps(spark: SparkSession) -> DataFrame:
    frame = spark.createDataFrame([(p.tolist(),) for p in HEAPS], "reduced array<double>")
    return (
        frame.select(array_to_vector(F.col("reduced")).alias("features"))
        .coalesce(1)
        .localCheckpoint()
    )


@pytest.mark.thorough
def test_clusters_that_are_much_worse_than_those_of_another_start_are_let_go(
    heaps: DataFrame,
) -> None:
    # Halves of one heap, and two heaps in one, are where k-means stays if it begins there.
    means = np.array([[0.0, 0.0], [0.1, 0.0], [3.0, 1.5]])
    best = [[0.05, 0.0], [0.05, 3.0], [5.05, 0.0]]
    assert fitted(heaps, "k_means", 3, 1, Along(means, 0.02)).centres == pytest.approx(
        np.array(best)
    )


@pytest.mark.thorough
@pytest.mark.parametrize("kind", ["k_means", "bisecting"])
def test_clusters_that_are_as_good_as_those_of_another_start_are_kept(
    heaps: DataFrame, kind: Kind
) -> None:
    # Two clusters of three heaps: the heap at the side may go to either, at nearly the same cost.
    means = np.array([[3.4, 1.0], [0.05, 0.0]])
    anew = fitted(heaps, kind, 2, 1).centres
    kept = fitted(heaps, kind, 2, 1, Along(means, 1e9)).centres
    if kind == "bisecting":
        assert kept == pytest.approx(means[::-1])
    assert fitted(heaps, kind, 2, 1, Along(means, 0.02)).centres == pytest.approx(anew)
    # Of another number there is nothing to begin from.
    assert fitted(heaps, kind, 2, 1, Along(means[:1], 1e9)).centres == pytest.approx(anew)
