"""Clusters of all populations, chosen on the days before a cut and then fitted to all days."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np
from pyspark.ml.functions import array_to_vector
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from cinelake.audience import cells as told_cells
from cinelake.audience import reduction
from cinelake.audience.cells import POPULATIONS, Told
from cinelake.audience.choice import Candidate, Choice, ClusterRecipe, alone, chosen
from cinelake.audience.clustering import (
    Population,
    Reduce,
    Vectors,
    axes_of,
    of_frames,
    scored,
)
from cinelake.audience.factors import Behind, brought_along
from cinelake.audience.features import (
    FeatureRecipe,
    Matrix,
    Vocabulary,
    mapped,
    of_rows,
    told_of,
    vocabulary,
)
from cinelake.audience.mixture import STARTS_OF_WHAT_STAYS, Along, Mixture, fitted, one
from cinelake.persisted import persisted

# Rows of one task while clusters are fitted; fixed by the data and not by the cluster, for sums of floats depend on it.
ROWS_A_TASK = 200_000


class NobodyWatched(ValueError):
    """There is no profile to put anywhere."""


@dataclass(frozen=True)
class Day:
    """What is known when the day before `until` ends: cells, who there is, and factors where a model tells them."""

    cells: DataFrame
    people: DataFrame
    factors: DataFrame | None

    @classmethod
    def at(cls, told: Told, until: date, recipe: FeatureRecipe, model: Behind | None) -> Day:
        """Of the days before `until`."""
        past = told.before(until)
        people = told_cells.people(past)
        factors = None
        if recipe.weights.get("factors") and model is not None:
            factors = model.of_profiles(past.title_signals, people, until)
        return cls(told_cells.cells(past, until, recipe.half_life_days), people, factors)


@dataclass(frozen=True)
class Kept:
    """A registered clustering, and all that it takes to put profiles into it: its recipe, and the model that it
    brought along.
    """

    populations: Mapping[str, Population]
    recipe: FeatureRecipe
    model: Behind | None

    @classmethod
    def of(cls, tags: Mapping[str, str], frame: Callable[[str], DataFrame]) -> Kept:
        """From the tags and frames of its version."""
        recipe = FeatureRecipe.model_validate_json(tags["features"])
        populations = of_frames(frame("terms"), frame("numbers"))
        return cls(populations, recipe, brought_along(tags, frame))

    def day(self, told: Told, until: date) -> Day:
        """What it takes of the days before `until`."""
        return Day.at(told, until, self.recipe, self.model)

    def placed(self, day: Day) -> DataFrame:
        """The profiles of the day as `scored` tells them."""
        return scored(told_of(day.cells, day.people, day.factors), self.populations)


def choose(
    before: Day, after: DataFrame, recipe: FeatureRecipe, clusters: ClusterRecipe,
    champions: Mapping[str, Candidate], rank: int, held: DataFrame | None = None,
) -> dict[str, Choice]:  # fmt: skip
    """By population, where anybody was there before the cut; `after` are cells of the days behind it.

    `held (profile_id, population, component)` is where the champion puts the profiles of `before`, if it has seen
    nothing of what came after.
    """
    found = {}
    for population in POPULATIONS:
        with persisted(_of(before, population)) as told:
            if told.isEmpty():
                continue
            own = before.cells.join(told.select("profile_id"), on="profile_id", how="left_semi")
            with persisted(own) as cells:
                known = _known(cells, recipe, rank)
                reduced = _reduction(told, known, recipe)
                theirs = None if held is None else held.where(f"population = '{population}'")
                if reduced.is_empty:
                    found[population] = alone(cells, after, theirs)
                    continue
                with persisted(_points(told, known, reduced, recipe)) as points:
                    champion = champions.get(population)
                    found[population] = chosen(points, cells, after, clusters, champion, theirs)
    return found


def fit(
    day: Day,
    choices: Mapping[str, Choice],
    recipe: FeatureRecipe,
    clusters: ClusterRecipe,
    rank: int,
    held: DataFrame | None = None,
) -> dict[str, Population]:
    """The clusters of all days. Raises NobodyWatched where there is nobody.

    A population that is there now and was not before the cut is one cluster. `held (profile_id, population, component)`
    is where the champion puts the profiles of the day: where it has as many clusters, the fit begins from them.
    """
    found = {}
    for population in POPULATIONS:
        with persisted(_of(day, population)) as told:
            if told.isEmpty():
                continue
            own = day.cells.join(told.select("profile_id"), on="profile_id", how="left_semi")
            known = _known(own, recipe, rank)
            reduced = _reduction(told, known, recipe)
            taken = choices[population].taken.candidate if population in choices else None
            theirs = None if held is None else held.where(f"population = '{population}'")
            mixture = _mixture(told, known, reduced, recipe, taken, clusters, theirs)
            found[population] = Population(known, reduced, mixture, axes_of(mixture), recipe.prior)
    if not found:
        raise NobodyWatched(
            "nobody has watched or rated anything yet, so there are no tastes to tell apart"
        )
    return found


def _mixture(
    told: DataFrame, known: Vocabulary, reduced: reduction.Reduction, recipe: FeatureRecipe,
    taken: Candidate | None, clusters: ClusterRecipe, held: DataFrame | None,
) -> Mixture:  # fmt: skip
    everybody: Matrix = np.zeros(len(reduced.explained))
    if taken is None or taken.k == 1 or reduced.is_empty:
        return one(everybody)
    with persisted(_points(told, known, reduced, recipe)) as points:
        rows = points.select(array_to_vector(F.col("reduced")).alias("features"))
        with persisted(rows) as kept:
            along = None
            if held is not None:
                along = Along(_means(points, held, len(everybody)), clusters.other_start)
            return fitted(kept, taken.kind, taken.k, clusters.seed, along, STARTS_OF_WHAT_STAYS)


def _means(points: DataFrame, held: DataFrame, size: int) -> Matrix:
    """`(k, size)`: the means of the points that the champion puts into each of its clusters, of those that have any."""
    own = points.join(held.select("profile_id", "component"), on="profile_id", how="inner")
    summed = own.groupBy("component").agg(
        F.count(F.lit(1)).alias("members"),
        # Decimals: the same sum in any order.
        *(F.sum(F.col("reduced")[n].cast("decimal(26,12)")).cast("double") for n in range(size)),
    )
    rows = summed.toArrow().sort_by("component")
    sums = [column.to_numpy() for column in rows.columns[2:]]
    found: Matrix = np.column_stack(sums) / rows.column("members").to_numpy()[:, None]
    return found


def _of(day: Day, population: str) -> DataFrame:
    """Rows of `told_of` in a fixed order and number of tasks."""
    people = day.people.where(F.col("population") == population)
    told = told_of(day.cells, people, day.factors).localCheckpoint()
    tasks = 1 + told.count() // ROWS_A_TASK
    return told.repartition(tasks, "profile_id").sortWithinPartitions("profile_id")


def _known(cells: DataFrame, recipe: FeatureRecipe, rank: int) -> Vocabulary:
    return of_rows(vocabulary(cells, recipe).toArrow().to_pylist(), rank)


def _reduction(told: DataFrame, known: Vocabulary, recipe: FeatureRecipe) -> reduction.Reduction:
    with persisted(mapped(told, "profile_id", Vectors(known, recipe.prior))) as vectors:
        return reduction.fit(vectors, known, recipe)


def _points(
    told: DataFrame, known: Vocabulary, reduced: reduction.Reduction, recipe: FeatureRecipe
) -> DataFrame:
    return mapped(told, "profile_id", Reduce(known, reduced, recipe.prior))
