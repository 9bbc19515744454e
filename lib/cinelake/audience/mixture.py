"""Clusters as a mixture: where each lies in the space of tastes, and how much a profile belongs to each.

A profile is shared out among the clusters by Bayes' rule. For a Gaussian mixture that is what it was fitted for; the
centres of k-means and bisecting k-means are read as a mixture of equal round Gaussians, whose spread is the mean
squared distance from the nearest centre and number (k-means is the limit of that mixture: Bishop 2006, section 9.3.2).
Someone halfway between two centres belongs to both; the cluster with the greatest share is *the* cluster.

Fitted by Spark MLlib: k-means with the start of k-means|| (Bahmani et al. 2012), bisecting k-means (Steinbach,
Karypis and Kumar 2000), Gaussian mixtures by expectation maximisation.

Where clusters are in force already, the means of their members are one more start, and go before the others: of two
places to end at that are nearly as good, the one that everybody knows is to be had again (`Along`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from pyspark.ml.clustering import BisectingKMeans, GaussianMixture, KMeans
from pyspark.mllib.clustering import KMeans as KMeansFrom
from pyspark.mllib.clustering import KMeansModel
from pyspark.sql import DataFrame

from cinelake.audience.features import Matrix

Kind = Literal["k_means", "bisecting", "gaussian"]
KINDS: tuple[Kind, ...] = ("k_means", "bisecting", "gaussian")
# A direction in which a cluster has less variance is widened to this share of the mean: no cluster is a plane.
LEAST_VARIANCE = 1e-3
# MLlib starts from random points, and may end at a poor optimum, and another sample or day at another one: without the
# best of some starts, how stable clusters are tells of starts and not of clusters.
STARTS = 4
# What is to stay is the best of more: of eight clusters, the best of four starts costs up to .07 more than the best of
# fifty, and would be left for it some week.
STARTS_OF_WHAT_STAYS = 12


@dataclass(frozen=True)
class Mixture:
    """`weights (k)`, `centres (k, d)`, and `whitening (k, d, d)`, which makes a Gaussian round; for round ones
    `whitening` is `(k, 1, 1)`, one over the standard deviation.
    """

    weights: Matrix
    centres: Matrix
    whitening: Matrix

    def __len__(self) -> int:
        return len(self.centres)

    def memberships(self, points: Matrix) -> Matrix:
        """`(points, clusters)`, of which each row adds up to 1."""
        logs = self._logs(points)
        logs -= logs.max(axis=1, keepdims=True)
        found: Matrix = np.exp(logs)
        found /= found.sum(axis=1, keepdims=True)
        return found

    def _logs(self, points: Matrix) -> Matrix:
        size = points.shape[1]
        if self.whitening.shape[1:] == (1, 1):
            inverse = self.whitening[:, 0, 0]
            squares = (
                (points**2).sum(axis=1)[:, None]
                - 2 * points @ self.centres.T
                + (self.centres**2).sum(axis=1)
            )
            found: Matrix = np.log(self.weights) - 0.5 * np.maximum(squares, 0) * inverse**2
            found += size * np.log(inverse)
            return found
        found = np.empty((len(points), len(self)))
        for cluster, (centre, white) in enumerate(zip(self.centres, self.whitening, strict=True)):
            distance = ((points - centre) @ white) ** 2
            _, log_volume = np.linalg.slogdet(white)
            found[:, cluster] = (
                np.log(self.weights[cluster]) - 0.5 * distance.sum(axis=1) + log_volume
            )
        return found


def one(points_mean: Matrix) -> Mixture:
    """Everybody in one cluster."""
    return Mixture(np.ones(1), points_mean[None, :], np.ones((1, 1, 1)))


def round_ones(centres: Matrix, spread: float) -> Mixture:
    """Equal round Gaussians of this variance."""
    k = len(centres)
    whitening = np.full((k, 1, 1), 1 / np.sqrt(max(spread, 1e-12)))
    return _in_order(Mixture(np.full(k, 1 / k), centres, whitening))


@dataclass(frozen=True)
class Along:
    """The clusters in force among the points: `means (k, d)` of their members, kept unless the cost of another start
    is lower by the share `margin`.
    """

    means: Matrix
    margin: float


def fitted(
    points: DataFrame,
    kind: Kind,
    k: int,
    seed: int,
    along: Along | None = None,
    starts: int = STARTS,
) -> Mixture:
    """Fit to `features vector`, which the caller has materialised in a fixed order.

    Where there are fewer different points than clusters, MLlib finds fewer, and so does this. Gaussian mixtures begin
    anew whatever is in force.
    """
    if kind == "gaussian":
        return _gaussian(points, k, seed)
    made: Any
    if kind == "k_means":
        tried = [
            KMeans(k=k, seed=seed + n, maxIter=30, initMode="k-means||").fit(points)
            for n in range(starts)
        ]
        made = min(tried, key=lambda model: model.summary.trainingCost)
    else:
        made = BisectingKMeans(k=k, seed=seed, maxIter=20).fit(points)
    centres = np.unique(np.array(made.clusterCenters(), float), axis=0)
    cost = float(made.summary.trainingCost)
    rows = int(sum(made.summary.clusterSizes))
    if along is not None and len(along.means) == k:
        # What was cut in two again and again is not mended by k-means, which would make another kind of it.
        own, its_cost = _from(along.means, points, 30 if kind == "k_means" else 0)
        if its_cost <= cost * (1 + along.margin):
            centres, cost = own, its_cost
    return round_ones(centres, cost / max(rows * centres.shape[1], 1))


def _from(means: Matrix, points: DataFrame, iterations: int) -> tuple[Matrix, float]:
    """Centres and cost of k-means that begins there, which MLlib does on RDDs alone."""
    rows = points.rdd.map(lambda row: row["features"].toArray()).cache()
    try:
        start = KMeansModel(list(means))
        made = KMeansFrom.train(rows, len(means), iterations, initialModel=start)
        centres = np.unique(np.vstack([np.asarray(c, float) for c in made.clusterCenters]), axis=0)
        return centres, float(made.computeCost(rows))
    finally:
        rows.unpersist()


def _gaussian(points: DataFrame, k: int, seed: int) -> Mixture:
    starts = [GaussianMixture(k=k, seed=seed + n, maxIter=50).fit(points) for n in range(STARTS)]
    made = max(starts, key=lambda model: model.summary.logLikelihood)
    weights = np.array(made.weights, float)
    own = [(np.array(g.mean.toArray()), np.array(g.cov.toArray())) for g in made.gaussians]
    kept = [n for n, weight in enumerate(weights) if weight > 1e-6 and np.isfinite(own[n][1]).all()]
    centres = np.array([own[n][0] for n in kept])
    whitening = np.array([_whitening(own[n][1]) for n in kept])
    return _in_order(Mixture(weights[kept] / weights[kept].sum(), centres, whitening))


def _whitening(covariance: Matrix) -> Matrix:
    values, ways = np.linalg.eigh(covariance)
    least = max(LEAST_VARIANCE * float(values.mean()), 1e-12)
    found: Matrix = ways / np.sqrt(np.maximum(values, least))
    return found


def _in_order(mixture: Mixture) -> Mixture:
    """The same clusters in an order that does not depend on the fit's."""
    order = np.lexsort(np.round(mixture.centres.T[::-1], 9))
    return Mixture(mixture.weights[order], mixture.centres[order], mixture.whitening[order])
