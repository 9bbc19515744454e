"""A clustering as it is kept: for each population its terms, its reduction, its clusters and its map.

It is kept as two frames beside the registered model, `terms` and `numbers`, in which any array is one row.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession

from cinelake.audience.cells import POPULATIONS
from cinelake.audience.features import (
    Matrix,
    Vocabulary,
    mapped,
    of_rows,
    vectors,
)
from cinelake.audience.mixture import Mixture
from cinelake.audience.reduction import Reduction


@dataclass(frozen=True)
class Population:
    """What is known of adults, or of kids. `axes (d, 2)` lead from reduced vectors to the map."""

    known: Vocabulary
    reduction: Reduction
    mixture: Mixture
    axes: Matrix
    prior: float

    @property
    def numbers(self) -> dict[str, Matrix]:
        """The arrays, by name."""
        return {
            "mean": self.reduction.mean,
            "scale": self.reduction.scale,
            "ways": self.reduction.ways,
            "explained": self.reduction.explained,
            "weights": self.mixture.weights,
            "centres": self.mixture.centres,
            "whitening": self.mixture.whitening,
            "axes": self.axes,
            "prior": np.array([self.prior]),
        }

    def poles(self, n: int = 3) -> list[tuple[list[str], list[str]]]:
        """Of each axis of the map, the terms that lie furthest to either side."""
        if self.reduction.is_empty:
            return [([], []), ([], [])]
        loading = self.reduction.scale[:, None] * (self.reduction.ways @ self.axes)
        own = loading[self.known.rank :]
        found = []
        for axis in range(2):
            order = np.argsort(own[:, axis], kind="stable")
            names = [self.known.terms[place][1] for place in order if abs(own[place, axis]) > 0]
            found.append((names[:n], names[::-1][:n]))
        return found


def axes_of(mixture: Mixture) -> Matrix:
    """The two directions that tell the centres apart most: principal axes of the weighted centres, `(d, 2)`."""
    size = mixture.centres.shape[1]
    away = mixture.centres - mixture.weights @ mixture.centres
    _, _, ways = np.linalg.svd(np.sqrt(mixture.weights)[:, None] * away, full_matrices=False)
    found = np.zeros((size, 2))
    kept = ways[:2].T
    if kept.size:
        kept = kept * np.where(
            kept[np.abs(kept).argmax(axis=0), np.arange(kept.shape[1])] < 0, -1, 1
        )
    found[:, : kept.shape[1]] = kept
    return found


class Reduce:
    """Rows of `told_of` → their reduced vectors."""

    ddl = "reduced array<double>"

    def __init__(self, known: Vocabulary, reduction: Reduction, prior: float) -> None:
        self.known, self.reduction, self.prior = known, reduction, prior

    def __call__(self, batch: pa.RecordBatch) -> dict[str, pa.Array]:
        short = self.reduction.of(vectors(batch, self.known, self.prior))
        return {"reduced": as_lists(short)}


class Vectors:
    """Rows of `told_of` → their vectors."""

    ddl = "vector array<double>"

    def __init__(self, known: Vocabulary, prior: float) -> None:
        self.known, self.prior = known, prior

    def __call__(self, batch: pa.RecordBatch) -> dict[str, pa.Array]:
        return {"vector": as_lists(vectors(batch, self.known, self.prior))}


class Score:
    """Rows of `told_of` → their shares in the clusters, by number, the greatest of them, and places on the map."""

    ddl = "memberships array<double>, component int, x double, y double"

    def __init__(self, population: Population) -> None:
        self.population = population

    def __call__(self, batch: pa.RecordBatch) -> dict[str, pa.Array]:
        own = self.population
        short = own.reduction.of(vectors(batch, own.known, own.prior))
        shares = own.mixture.memberships(short)
        place = short @ own.axes
        return {
            "memberships": as_lists(shares),
            "component": pa.array(shares.argmax(axis=1).astype(np.int32)),
            "x": pa.array(place[:, 0]),
            "y": pa.array(place[:, 1]),
        }


def as_lists(rows: Matrix) -> pa.Array:
    """A matrix as a column of lists."""
    ends = np.arange(len(rows) + 1, dtype=np.int32) * rows.shape[1]
    return pa.ListArray.from_arrays(ends, pa.array(np.ascontiguousarray(rows).ravel()))


def scored(told: DataFrame, populations: Mapping[str, Population]) -> DataFrame:
    """`profile_id, population, household, market, memberships array<double>, component int, x, y` of rows of `told_of`;
    a profile whose population the clustering does not know has none.
    """
    found: DataFrame | None = None
    for name in sorted(populations):
        own = mapped(
            told.where(told["population"] == name),
            "profile_id, population, household, market",
            Score(populations[name]),
        )
        found = own if found is None else found.unionByName(own)
    if found is None:
        raise ValueError("the clustering knows no population; train it again")
    return found


def frames(populations: Mapping[str, Population], spark: SparkSession) -> dict[str, DataFrame]:
    """`terms (population, place, aspect, term, usual)` and `numbers (population, name, shape, values)`."""
    terms = [
        (name, place, *term, float(own.known.usual[place]))
        for name, own in populations.items()
        for place, term in enumerate(own.known.terms)
    ]
    numbers = [
        (name, what, [int(n) for n in array.shape], [float(x) for x in array.ravel()])
        for name, own in populations.items()
        for what, array in (own.numbers | {"rank": np.array([own.known.rank])}).items()
    ]
    return {
        "terms": spark.createDataFrame(
            terms, "population string, place int, aspect string, term string, usual double"
        ).coalesce(1),
        "numbers": spark.createDataFrame(
            numbers, "population string, name string, shape array<int>, values array<double>"
        ).coalesce(1),
    }


def of_frames(terms: DataFrame, numbers: DataFrame) -> dict[str, Population]:
    """The populations from what `frames` kept."""
    rows = terms.toArrow().to_pylist()
    arrays: dict[str, dict[str, Matrix]] = {}
    for row in numbers.toArrow().to_pylist():
        own = np.array(row["values"], float).reshape(row["shape"])
        arrays.setdefault(row["population"], {})[row["name"]] = own
    return {
        name: _population([row for row in rows if row["population"] == name], arrays[name])
        for name in POPULATIONS
        if name in arrays
    }


def _population(rows: list[Mapping[str, Any]], arrays: Mapping[str, Matrix]) -> Population:
    reduction = Reduction(arrays["mean"], arrays["scale"], arrays["ways"], arrays["explained"])
    mixture = Mixture(arrays["weights"], arrays["centres"], arrays["whitening"])
    known = of_rows(rows, int(arrays["rank"][0]))
    return Population(known, reduction, mixture, arrays["axes"], float(arrays["prior"][0]))
