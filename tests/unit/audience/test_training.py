"""Odd services have clusters, too: of few, of equals, of one giant taste, of profiles of whom little is known."""

from __future__ import annotations

import numpy as np
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from unit.audience.world import MONDAY, service, told_of

from cinelake.audience.cells import Told
from cinelake.audience.choice import ClusterRecipe
from cinelake.audience.clustering import Population, frames, of_frames, scored
from cinelake.audience.features import FeatureRecipe
from cinelake.audience.features import told_of as rows_of
from cinelake.audience.training import Day, NobodyWatched, choose, fit

FEATURES = FeatureRecipe(profiles_at_least=2)
FEW = ClusterRecipe(numbers=(2,), profiles_per_cluster=3, bootstraps=2)

pytestmark = [pytest.mark.thorough, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def told(spark: SparkSession) -> Told:
    return told_of(service(spark, 12))


def clustered(
    told: Told, clusters: ClusterRecipe = FEW, features: FeatureRecipe = FEATURES
) -> tuple[Day, dict[str, Population]]:
    day = Day.at(told, MONDAY, features, None)
    return day, fit(day, choose(day, day.cells, features, clusters, {}, 0), features, clusters, 0)


def placed(
    day: Day, populations: dict[str, Population], cells: DataFrame | None = None
) -> DataFrame:
    return scored(rows_of(day.cells if cells is None else cells, day.people, None), populations)


def test_fewer_profiles_than_clusters_are_one_cluster(told: Told) -> None:
    day, found = clustered(told, FEW.model_copy(update={"profiles_per_cluster": 20}))
    assert {name: len(own.mixture) for name, own in found.items()} == {"adult": 1, "kid": 1}
    assert [row.memberships for row in placed(day, found).collect()] == [[1.0]] * 12


def test_identical_profiles_are_one_cluster(told: Told) -> None:
    first = told.title_signals.where("profile_id = 'p00'").drop("profile_id")
    same = told.profiles.where("kind = 'adult'").select("profile_id").crossJoin(first)
    alike = Told(
        same.select(*told.title_signals.columns), told.watch_hours.where("false"), told.profile_days.where("false"),
        told.titles, told.profiles, told.accounts,
    )  # fmt: skip
    day, found = clustered(alike)
    assert set(found) == {"adult"}
    assert len(found["adult"].mixture) == 1
    assert found["adult"].reduction.is_empty
    assert {tuple(row.memberships) for row in placed(day, found).collect()} == {(1.0,)}


def test_where_no_term_is_shared_by_enough_all_are_one_cluster(told: Told) -> None:
    day, found = clustered(told, features=FeatureRecipe(profiles_at_least=100))
    assert {len(own.mixture) for own in found.values()} == {1}
    assert {tuple(row.memberships) for row in placed(day, found).collect()} == {(1.0,)}


def test_of_whom_no_title_is_described_belongs_a_little_everywhere(told: Told) -> None:
    day, found = clustered(told)
    nothing = placed(day, found, day.cells.where(F.col("profile_id") != "p00"))
    (row,) = nothing.where("profile_id = 'p00'").collect()
    assert sum(row.memberships) == pytest.approx(1)
    assert max(row.memberships) < 1
    assert np.isfinite(row.memberships).all()


def test_what_is_kept_of_a_clustering_is_all_of_it(spark: SparkSession, told: Told) -> None:
    day, found = clustered(told)
    kept = frames(found, spark)
    again = of_frames(kept["terms"], kept["numbers"])
    one, other = placed(day, found), placed(day, again)
    assert sorted(one.collect()) == sorted(other.collect())


def test_where_nobody_watched_there_is_nothing_to_find(told: Told) -> None:
    nobody = Told(
        told.title_signals.where("false"), told.watch_hours, told.profile_days, told.titles, told.profiles,
        told.accounts,
    )  # fmt: skip
    with pytest.raises(NobodyWatched, match="no tastes to tell apart"):
        clustered(nobody)
