"""From what was watched to named clusters that keep their identity, with and without a recommender behind them."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
from chispa import assert_df_equality
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from unit.audience.world import MONDAY, Inputs, service
from unit.tables.rows import rows

from cinelake.audience.clustering import Population, axes_of, frames
from cinelake.audience.features import FeatureRecipe, Vocabulary
from cinelake.audience.mixture import round_ones
from cinelake.audience.reduction import Reduction
from cinelake.runtime.job import Job
from cinelake.runtime.runs.graph import discover
from cinelake.runtime.runs.rehearsal import RehearsalTracker, Rehearsed, rehearse
from cinelake.runtime.tracking.runs import Tracking
from cinelake.runtime.tracking.versions import ModelVersion
from cinelake.runtime.windows import Window
from cinelake.tables.audience import (
    CLUSTER_MEMBERS,
    CLUSTER_PORTRAITS,
    CLUSTER_STATES,
    CLUSTER_TITLES,
    TASTE_CLUSTERS,
)
from cinelake.tables.features import TITLE_SIGNALS
from cinelake.tables.recommend import PROFILE_INDEX, TITLE_INDEX

JOBS = {
    job.name: job for job in discover(Path(__file__).parents[3] / "jobs") if isinstance(job, Job)
}
WRITTEN = (CLUSTER_MEMBERS, CLUSTER_STATES, CLUSTER_PORTRAITS, CLUSTER_TITLES)
GENRES = (("genre", "Comedy"), ("genre", "Crime"), ("genre", "Family"))


@pytest.fixture(scope="module")
def inputs(spark: SparkSession) -> Inputs:
    return service(spark)


class Kept(Tracking):
    """Reads the frames of made-up versions."""

    def __init__(self, held: dict[str, DataFrame]) -> None:
        super().__init__("rehearsal")
        self.held = held

    def read_frame(self, version: ModelVersion, name: str) -> DataFrame:
        return self.held[name]


def by_genre(centres: Any) -> Population:
    """A population that is told apart by crime against comedy alone."""
    known = Vocabulary(GENRES, np.array([0.5, 0.5, 0.0]), 0)
    reduced = Reduction(np.zeros(3), np.ones(3), np.eye(3)[:, :2], np.array([0.5, 0.5]))
    mixture = round_ones(np.array(centres, float), 0.1)
    return Population(known, reduced, mixture, axes_of(mixture), 2.0)


TWO = by_genre([[0.7, -0.7], [-0.7, 0.7]])
KIDS = by_genre([[0.0, 0.0]])


def version(number: int = 1, trained_through: date = MONDAY) -> ModelVersion:
    tags = {"features": FeatureRecipe().model_dump_json()}
    return ModelVersion("taste_clusters", number, "nowhere", trained_through, "run", tags)


def assigned(
    spark: SparkSession, inputs: Inputs, day: date, before: Rehearsed | None = None,
    populations: dict[str, Population] | None = None, number: int = 1,
) -> Rehearsed:  # fmt: skip
    tracker = RehearsalTracker("audience")
    tracker.tracking = Kept(frames(populations or {"adult": TWO, "kid": KIDS}, spark))
    past = {
        table: before[table] if before else spark.createDataFrame([], table.schema)
        for table in (CLUSTER_STATES, CLUSTER_MEMBERS)
    }
    models = {TASTE_CLUSTERS.name: version(number)}
    return rehearse(JOBS["assign_clusters"], inputs | past, day, models=models, tracker=tracker)


@pytest.fixture(scope="module")
def first_day(spark: SparkSession, inputs: Inputs) -> Rehearsed:
    return assigned(spark, inputs, MONDAY)


def named(found: Rehearsed) -> dict[str, dict[str, Any]]:
    return {row.name: row.asDict(recursive=True) for row in found[CLUSTER_STATES].collect()}


def test_everybody_is_in_a_cluster_that_is_named_by_what_marks_it(first_day: Rehearsed) -> None:
    states = named(first_day)
    assert set(states) == {
        "Late-night tense crime, on phones",
        "Afternoon light comedy, on televisions",
        "Kids: Everyone",
    }
    assert {row["event"] for row in states.values()} == {"born"}
    assert {row["members"] for row in states.values()} == {8}
    ids = {row["cluster_id"]: name for name, row in states.items()}
    for member in first_day[CLUSTER_MEMBERS].collect():
        number = int(member.profile_id[1:])
        wanted = "Kids" if number % 3 == 2 else ("crime", "comedy")[number % 2]
        assert wanted in ids[member.cluster_id]
        assert member.shares[0].share == pytest.approx(member.share)
    top = first_day[CLUSTER_PORTRAITS].where("aspect = 'title' AND rank = 1").collect()
    assert {int(row.term[1:]) % 3 for row in top if "Kids" not in ids[row.cluster_id]} == {0, 1}


@pytest.mark.thorough
def test_the_second_day_keeps_ids_names_and_members(
    spark: SparkSession, inputs: Inputs, first_day: Rehearsed
) -> None:
    # The same model, found in another order by a new version: nothing happened, and nothing changes.
    turned = by_genre(TWO.mixture.centres[::-1] * 1.01)
    next_day = MONDAY + timedelta(days=1)
    found = assigned(spark, inputs, next_day, first_day, {"adult": turned, "kid": KIDS}, number=2)
    before, after = named(first_day), named(found)
    assert set(after) == set(before)
    for name, row in after.items():
        assert row["cluster_id"] == before[name]["cluster_id"]
        assert (row["event"], row["churn"], row["overlap"]) == ("kept", 0.0, 1.0)
        assert row["born_on"] == MONDAY
    columns = ("profile_id", "cluster_id")
    assert_df_equality(
        found[CLUSTER_MEMBERS].select(*columns), first_day[CLUSTER_MEMBERS].select(*columns), ignore_row_order=True
    )  # fmt: skip


@pytest.mark.thorough
def test_a_day_that_is_computed_again_has_the_same_rows(
    spark: SparkSession, inputs: Inputs, first_day: Rehearsed
) -> None:
    again = assigned(spark, inputs, MONDAY)
    for table in WRITTEN:
        assert_df_equality(
            again[table], first_day[table], ignore_row_order=True, ignore_nullable=True, ignore_metadata=True,
        )  # fmt: skip


@pytest.mark.thorough
def test_clusters_that_are_put_together_are_told_of(
    spark: SparkSession, inputs: Inputs, first_day: Rehearsed
) -> None:
    both = by_genre([[0.0, 0.0]])
    found = assigned(
        spark, inputs, MONDAY + timedelta(days=1), first_day, {"adult": both, "kid": KIDS}, number=2
    )
    events = {row["event"]: row for row in named(found).values() if row["population"] == "adult"}
    assert set(events) == {"drifted", "merged"}
    assert events["merged"]["related"] == [events["drifted"]["cluster_id"]]
    assert (events["merged"]["members"], events["drifted"]["members"]) == (0, 16)
    # It keeps its name, and it is told that it would get another one now.
    assert (events["merged"]["reads_as"], events["drifted"]["reads_as"]) == (None, "Everyone")


def test_without_an_approved_clustering_there_are_no_rows(
    spark: SparkSession, inputs: Inputs
) -> None:
    tracker = RehearsalTracker("audience")
    past = {t: spark.createDataFrame([], t.schema) for t in (CLUSTER_STATES, CLUSTER_MEMBERS)}
    found = rehearse(JOBS["assign_clusters"], inputs | past, MONDAY, tracker=tracker)
    assert all(found[table].isEmpty() for table in WRITTEN)
    assert tracker.tags["skipped"] == "no clustering is approved yet"
    assert found.warnings == []


SMALL: dict[str, Any] = {
    "features": {"profiles_at_least": 2},
    "clusters": {"numbers": [2, 3], "profiles_per_cluster": 3, "bootstraps": 2},
}


def index(spark: SparkSession, inputs: Inputs) -> Inputs:
    signals = inputs[TITLE_SIGNALS]
    found = {}
    for table, name in ((PROFILE_INDEX, "profile_id"), (TITLE_INDEX, "title_id")):
        ids = sorted(row[0] for row in signals.select(name).distinct().collect())
        own = [{name: one, "idx": n, "first_seen": date(2026, 1, 1)} for n, one in enumerate(ids)]
        found[table] = rows(spark, table, *own)
    return found


@pytest.mark.thorough
@pytest.mark.timeout(600)
def test_clusters_are_trained_registered_judged_and_used(
    spark: SparkSession, inputs: Inputs, tmp_path: Path
) -> None:
    tracking = Tracking.beside_lake(str(tmp_path))
    job = JOBS["train_clusters"]
    params = job.params.model_validate(SMALL)
    given = inputs | index(spark, inputs)
    for _ in range(2):
        tracker = tracking.start("audience", job.name, Window.of_day(MONDAY), "run")
        rehearse(job, given, MONDAY, params=params, tracker=tracker)
        tracker.finish()
    (trained,) = tracking.versions(TASTE_CLUSTERS)
    assert trained.approved, trained.reason
    assert trained.tags["candidate.adult"] == "k_means 2"
    report = tracking.report(trained)
    assert report.metrics["adult.stability"] > 0.9
    assert report.metrics["adult.gain"] > 0.3
    pictures = {file.path for file in tracking.client.list_artifacts(trained.run_id)}
    assert {"adult.png", "explained.png"} <= pictures

    mlflow.set_tracking_uri(tracking.uri)
    loaded = mlflow.pyfunc.load_model(trained.uri)
    held = tracking.read_frame(trained, "terms").where("population = 'adult'").orderBy("place")
    terms = [(row.aspect, row.term) for row in held.collect()]
    crime = [1.0 if term == ("genre", "Crime") else 0.0 for term in terms]
    comedy = [1.0 if term == ("genre", "Comedy") else 0.0 for term in terms]
    told = loaded.predict(pd.DataFrame({"population": ["adult"] * 2, "vector": [crime, comedy]}))
    assert len(set(told["cluster"])) == 2
    with pytest.raises(ValueError, match="finite numbers"):
        loaded.predict(
            pd.DataFrame({"population": ["adult"], "vector": [[float("nan")] * len(terms)]})
        )

    past = {t: spark.createDataFrame([], t.schema) for t in (CLUSTER_STATES, CLUSTER_MEMBERS)}
    tracker = tracking.start("audience", "assign_clusters", Window.of_day(MONDAY), "run")
    found = rehearse(
        JOBS["assign_clusters"], inputs | past, MONDAY, models={TASTE_CLUSTERS.name: trained}, tracker=tracker
    )  # fmt: skip
    groups = found[CLUSTER_MEMBERS].where("population = 'adult'").groupBy("cluster_id").agg(
        F.collect_set(F.substring("profile_id", 2, 2).cast("int") % 2).alias("groups")
    )  # fmt: skip
    assert sorted(row.groups for row in groups.collect()) == [[0], [1]]


@pytest.mark.thorough
@pytest.mark.timeout(600)
def test_a_clustering_that_foretells_worse_than_the_champion_itself_does_not_replace_it(
    spark: SparkSession, inputs: Inputs, tmp_path: Path
) -> None:
    tracking = Tracking.beside_lake(str(tmp_path))
    job, given = JOBS["train_clusters"], inputs | index(spark, inputs)
    # Nobody ever watched episode after episode, so that by this nobody differs from anybody.
    blind = {"features": {"weights": {"binging": 1.0}, "profiles_at_least": 2}}
    for day, more in ((MONDAY - timedelta(days=7), {}), (MONDAY, {}), (MONDAY, blind)):
        tracker = tracking.start("audience", job.name, Window.of_day(day), "run")
        params = job.params.model_validate(SMALL | more)
        rehearse(job, given, day, params=params, tracker=tracker)
        tracker.finish()
    newest_last = sorted(tracking.versions(TASTE_CLUSTERS), key=lambda version: version.version)
    assert [version.approved for version in newest_last] == [True, True, False]
    assert newest_last[1].reason.startswith("no worse than the champion and stable: adult: 2 by")
    assert newest_last[2].reason.startswith(
        "adult: 1 by k_means foretells genres worse than the champion does, by -0."
    )


@pytest.mark.thorough
def test_nobody_who_watched_is_no_error(
    spark: SparkSession, inputs: Inputs, tmp_path: Path
) -> None:
    tracking = Tracking.beside_lake(str(tmp_path))
    nobody = {table: spark.createDataFrame([], table.schema) for table in inputs}
    nobody |= {
        table: spark.createDataFrame([], table.schema) for table in (PROFILE_INDEX, TITLE_INDEX)
    }
    job = JOBS["train_clusters"]
    tracker = tracking.start("audience", job.name, Window.of_day(MONDAY), "run")
    rehearse(job, nobody, MONDAY, tracker=tracker)
    tracker.finish()
    assert tracking.versions(TASTE_CLUSTERS) == []
    assert (
        "nobody has watched" in tracking.client.get_run(tracker.mlflow_run_id).data.tags["skipped"]
    )
