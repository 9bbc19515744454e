"""Put every profile into the day's clusters, recognise yesterday's among them, and say what marks each.

By the newest approved clustering; without one there are no rows. A cluster keeps its id and its name for as long as
it has enough members in common with the day before.
"""

from functools import partial
from typing import Any

from pydantic import Field
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from cinelake.audience import assigning, portraits
from cinelake.audience.asked import with_names
from cinelake.audience.assigning import Identity, Yesterday
from cinelake.audience.cells import TOLD, Told, watched
from cinelake.audience.export import Export
from cinelake.audience.training import Day, Kept
from cinelake.runtime.job import JobParams, Reading, Run, history, job, previous
from cinelake.runtime.tracking.versions import ModelVersion
from cinelake.tables.audience import (
    CLUSTER_MEMBERS,
    CLUSTER_PORTRAITS,
    CLUSTER_STATES,
    CLUSTER_TITLES,
    TASTE_CLUSTERS,
)
from cinelake.tables.contract import Table

KEPT_DAYS = 35


class AssignClustersParams(JobParams):
    identity: Identity = Identity()
    least_share: float = Field(
        0.1, gt=0, lt=1, description="share from which on a further cluster of a profile is told"
    )
    marks: int = Field(10, ge=1, le=100, description="terms of an aspect in a portrait")
    telling_titles: int = Field(20, ge=1, le=500, description="titles in a portrait")
    popular_titles: int = Field(200, ge=1, le=2000, description="popular titles of a cluster")
    # No row depends on it, so that another one makes no day stale.
    export: Export = Field(
        Export(), exclude=True, description="what `cinelake clusters export` may tell"
    )


@job(
    reads=[
        *map(history, TOLD),
        previous(CLUSTER_STATES),
        Reading(CLUSTER_MEMBERS, lookback=KEPT_DAYS, previous=True),
        TASTE_CLUSTERS,
    ],
    writes=[CLUSTER_MEMBERS, CLUSTER_STATES, CLUSTER_PORTRAITS, CLUSTER_TITLES],
    params=AssignClustersParams,
    # What becomes of a cluster is told from the day before.
    catchup=False,
    sequential=True,
    version=2,
)
def assign_clusters(run: Run[AssignClustersParams]) -> None:
    version = run.approved_or_none(TASTE_CLUSTERS)
    if version is None:
        run.tracker.set_tags({"skipped": "no clustering is approved yet"})
        states = run.read(CLUSTER_STATES)
        for table in (CLUSTER_MEMBERS, CLUSTER_STATES, CLUSTER_PORTRAITS, CLUSTER_TITLES):
            run.write(table, states.sparkSession.createDataFrame([], table.schema))
        return
    told = Told(*map(run.read, TOLD)).before(run.end)
    clustering = Kept.of(dict(version.tags), partial(run.tracker.tracking.read_frame, version))
    day = clustering.day(told, run.end)
    # Kept for as long as the plans of what is written: Spark lets go of them when these are gone.
    cells = day.cells.localCheckpoint()
    placed = clustering.placed(Day(cells, day.people, day.factors)).localCheckpoint()
    _write(run, version, told, clustering.populations, cells, placed)


def _write(
    run: Run[AssignClustersParams],
    version: ModelVersion,
    told: Told,
    populations: Any,
    cells: DataFrame,
    placed: DataFrame,
) -> None:
    params, spark = run.params, placed.sparkSession
    yesterday = Yesterday.of(run.read(CLUSTER_STATES), run.read(CLUSTER_MEMBERS))
    found = assigning.recognised(
        populations,
        yesterday,
        assigning.moved(placed, yesterday.members),
        params.identity,
        day=run.start,
        trained_through=version.trained_through,
        version=version.version,
    )
    members = assigning.members_of(placed, found, params.least_share).localCheckpoint()
    seen = watched(told.title_signals, run.end, None)
    counts = assigning.counted(members, portraits.genres(cells, members))
    marked = portraits.portraits(
        portraits.told(cells, seen, members), members, params.marks, params.telling_titles
    )
    marks = marked.localCheckpoint()
    called = with_names(marks, told.titles)
    names = assigning.new_names(found, called, yesterday)
    readings = assigning.names_now(found, called, yesterday)
    states = assigning.states(
        found, counts, names, readings, yesterday, params.identity, day=run.start, version=version.version
    )  # fmt: skip
    near = assigning.neighbours(found, populations, counts)
    schema = marks.select(*CLUSTER_PORTRAITS.names[1:]).schema
    told_near = spark.createDataFrame([tuple(n[f] for f in schema.names) for n in near], schema)
    _publish(run, CLUSTER_PORTRAITS, marks.unionByName(told_near))
    _publish(run, CLUSTER_STATES, spark.createDataFrame(states, CLUSTER_STATES.schema))
    _publish(run, CLUSTER_TITLES, portraits.popular(seen, members, params.popular_titles))
    number = F.lit(version.version).cast("int").alias("model_version")
    _publish(run, CLUSTER_MEMBERS, members.select("*", number))
    sizes = {row["cluster_id"]: row["members"] for row in yesterday.states}
    churned = assigning.churn(states, sizes)
    live = [row for row in states if row["component"] is not None]
    run.tracker.log_metrics(
        {"clusters": len(live), "profiles": sum(row["members"] for row in live)}
        | ({} if churned is None else {"churn": churned})
    )
    run.tracker.set_tags(
        {f"event.{row['cluster_id']}": row["event"] for row in states if row["event"] != "kept"}
    )


def _publish(run: Run[AssignClustersParams], table: Table, frame: DataFrame) -> None:
    if "as_of" not in frame.columns:
        frame = frame.select("*", F.lit(run.start).alias("as_of"))
    columns = (F.col(c.name).cast(c.type).alias(c.name) for c in table.columns)
    run.write(table, frame.select(*columns))


if __name__ == "__main__":
    assign_clusters.main()
