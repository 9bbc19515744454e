"""How the time of taste clusters grows with profiles: training and the day's assignment as whole jobs.

Both jobs are rehearsed on made-up services of three sizes, each three times the one before, with classes of taste
behind them as an approved recommender brings them. A profile has some twenty titles of three thousand, on six weeks of
days; what it watches follows one of eight tastes, half of the time. Tables are read from Parquet, and what is written
goes into Spark's `noop` sink.

A job has costs of its own, whatever the service. Of `t(n) = a + b n^p` at sizes n, 3n and 9n, `p` is one more than the
logarithm, to base 3, of how much more a profile costs in the second step than in the first. Target: at most 1.15, the
growth from which on docs/scale.md calls a job too steep.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path

import pytest
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, BooleanType, DateType, StringType, TimestampType

from cinelake.audience import cells
from cinelake.audience.cells import TOLD, Told
from cinelake.audience.factors import RECIPE, fitted
from cinelake.persisted import persisted
from cinelake.recommend.models.hybrid import HybridRecipe
from cinelake.recommend.search import Setting
from cinelake.recommend.strengths import LEARNED
from cinelake.recommend.training import indexed, interactions
from cinelake.runtime.job import Job
from cinelake.runtime.runs.graph import discover
from cinelake.runtime.runs.rehearsal import rehearse
from cinelake.runtime.tracking.runs import Tracking
from cinelake.runtime.tracking.versions import ModelVersion
from cinelake.runtime.windows import Window
from cinelake.tables.audience import CLUSTER_MEMBERS, CLUSTER_STATES, TASTE_CLUSTERS
from cinelake.tables.behaviour import ACCOUNTS, PROFILES, TITLES
from cinelake.tables.contract import Table
from cinelake.tables.features import PROFILE_DAYS, TITLE_SIGNALS, WATCH_HOURS
from cinelake.tables.recommend import PROFILE_INDEX, RECOMMENDER, TITLE_INDEX

LARGEST = int(os.environ.get("CINELAKE_BENCH_PROFILES", "90000"))
SIZES = (LARGEST // 9, LARGEST // 3, LARGEST)
CATALOGUE, TASTES, DAYS, TITLES_OF_A_PROFILE, MARKETS = 3_000, 8, 42, 20, 3
FIRST = date(2026, 1, 5)
END = FIRST + timedelta(days=DAYS)
STEEP = 1.15
JOBS = {
    job.name: job for job in discover(Path(__file__).parents[2] / "jobs") if isinstance(job, Job)
}
Tables = dict[Table, DataFrame]


class Behind(Tracking):
    """Models in a store of their own, and a recommender whose frames are at hand."""

    frames: Mapping[str, DataFrame]

    def read_frame(self, version: ModelVersion, name: str) -> DataFrame:
        if version.name == RECOMMENDER.name:
            return self.frames[name]
        return super().read_frame(version, name)


def drawn(below: int, *seeds: Column | str | int) -> Column:
    """An integer from 0 on, the same in every run."""
    told = (F.lit(seed) if isinstance(seed, int) else seed for seed in seeds)
    return F.pmod(F.xxhash64(*told), F.lit(below)).cast("int")


def named(prefix: str, number: Column | str) -> Column:
    return F.concat(
        F.lit(prefix), F.lpad(F.col(number) if isinstance(number, str) else number, 9, "0")
    )


def of(table: Table, frame: DataFrame) -> DataFrame:
    """The columns of a table; those that `frame` does not have hold nothing, in the sense of their types."""

    def column(name: str) -> Column:
        kind = table.schema[name].dataType
        if name in frame.columns:
            return F.col(name).cast(kind).alias(name)
        if isinstance(kind, DateType | TimestampType):
            nothing: Column = F.lit(FIRST - timedelta(days=1))
        else:
            empty = {ArrayType: F.array(), StringType: F.lit(""), BooleanType: F.lit(False)}
            nothing = empty.get(type(kind), F.lit(0))
        return nothing.cast(kind).alias(name)

    return frame.select(*map(column, table.names))


def service(spark: SparkSession, profiles: int, folder: Path) -> Tables:
    people = spark.range(profiles, numPartitions=8).withColumnRenamed("id", "profile")
    titles = spark.range(CATALOGUE).withColumnRenamed("id", "title")
    profile_id, day = named("p", "profile"), F.date_add(F.lit(FIRST), drawn(DAYS, "profile", "n"))
    seen = people.select(
        "profile", F.explode(F.sequence(F.lit(1), F.lit(TITLES_OF_A_PROFILE))).alias("n")
    )
    # Titles of one taste stand beside each other, as many of each; the first of them are watched most.
    within = CATALOGUE // TASTES
    place = F.floor(F.pow(drawn(1000, "profile", "n", 2) / 1000, F.lit(2.0)) * within)
    own, any_ = drawn(TASTES, "profile"), drawn(TASTES, "profile", "n", 4)
    taste = F.when(drawn(2, "profile", "n", 3) == 0, own).otherwise(any_)
    title = (taste * within + place).cast("int")
    devices = F.array(*map(F.lit, ("tv", "phone", "tablet")))
    watched = seen.select(
        "profile", "n", profile_id.alias("profile_id"), named("t", title).alias("title_id"),
        day.alias("signal_date"),
    )  # fmt: skip
    once = watched.dropDuplicates(["profile_id", "title_id"])
    at_day = once.withColumnsRenamed({"signal_date": "play_date"})
    word = (F.col("title") / within).cast("int")
    told = {
        TITLE_SIGNALS: once.withColumns(
            {
                "plays": F.lit(1), "finished": drawn(2, "profile", "n", 5), "completion": F.lit(0.9),
                "seconds_watched": F.lit(3000),
            }
        ),
        WATCH_HOURS: at_day.withColumns(
            {
                "device_kind": F.element_at(devices, 1 + drawn(3, "profile", "n", 6)),
                "local_weekday": F.weekday("play_date") + 1, "local_hour": drawn(24, "profile", "n", 7),
                "starts": F.lit(1),
            }
        ),
        PROFILE_DAYS: once.groupBy("profile_id", F.col("signal_date").alias("profile_date")).agg(
            F.count(F.lit(1)).alias("starts"), F.sum(drawn(2, "profile", "n", 5)).alias("finished")
        ),
        TITLES: titles.select(
            named("t", "title").alias("title_id"), named("Title ", "title").alias("name"), F.lit("film").alias("kind"),
            F.array(named("genre ", word), named("genre ", drawn(TASTES, "title"))).alias("genres"),
            F.array(named("mood ", drawn(20, "title", 1))).alias("moods"),
            F.array(named("theme ", drawn(60, "title", 2))).alias("themes"), F.lit("en").alias("language"),
        ),
        PROFILES: people.select(
            profile_id.alias("profile_id"), named("a", "profile").alias("account_id"), F.lit("active").alias("status"),
            F.when(drawn(5, "profile", 8) == 0, "kid").otherwise("adult").alias("kind"),
        ),
        ACCOUNTS: people.select(
            named("a", "profile").alias("account_id"), named("M", drawn(MARKETS, "profile", 9)).alias("market"),
        ),
        PROFILE_INDEX: people.select(profile_id.alias("profile_id"), F.col("profile").alias("idx")),
        TITLE_INDEX: titles.select(named("t", "title").alias("title_id"), F.col("title").alias("idx")),
    }  # fmt: skip
    kept = {}
    for table, frame in told.items():
        path = str(folder / str(profiles) / table.name)
        of(table, frame).write.parquet(path)
        kept[table] = spark.read.schema(table.schema).parquet(path)
    return kept


def recommender(known: Tables) -> tuple[ModelVersion, Mapping[str, DataFrame]]:
    """A version as an approved training leaves it, of classes of taste; of which clusters take the recipe alone."""
    people = cells.people(Told(*(known[table] for table in TOLD)))
    told = indexed(known[TITLE_SIGNALS], known[PROFILE_INDEX], known[TITLE_INDEX], people)
    recipe = HybridRecipe(mixture=RECIPE)
    with persisted(interactions(told, LEARNED, END)) as strengths:
        model = fitted(recipe, LEARNED, strengths)
    tags = Setting(recipe, LEARNED).tags
    return ModelVersion(RECOMMENDER.name, 1, "nowhere", FIRST, "run", tags), model.frames


def taken(
    spark: SparkSession, tracking: Behind, known: Tables, behind: ModelVersion
) -> tuple[float, float, str]:
    """Seconds of training and of the day's assignment, and what was chosen."""
    tracker = tracking.start("audience", "train_clusters", Window.of_day(END), "run")
    began = time.perf_counter()
    rehearse(JOBS["train_clusters"], known, END, models={RECOMMENDER.name: behind}, tracker=tracker)
    trained = time.perf_counter() - began
    tracker.finish()
    # A later training takes the one before for the champion, and so tries more: each has a store of its own.
    (version,) = tracking.versions(TASTE_CLUSTERS)
    past = {t: spark.createDataFrame([], t.schema) for t in (CLUSTER_STATES, CLUSTER_MEMBERS)}
    tracker = tracking.start("audience", "assign_clusters", Window.of_day(END), "run")
    began = time.perf_counter()
    job = JOBS["assign_clusters"]
    models = {TASTE_CLUSTERS.name: version}
    found = rehearse(job, known | past, END, models=models, tracker=tracker)
    for table in job.writes:
        if isinstance(table, Table):
            found[table].write.format("noop").mode("overwrite").save()
    assigned = time.perf_counter() - began
    tracker.finish()
    return trained, assigned, version.tags["candidate.adult"]


@pytest.mark.timeout(7200)
def test_the_jobs_grow_no_faster_than_profiles(spark: SparkSession, tmp_path: Path) -> None:
    print()
    times = []
    for size in SIZES:
        known = service(spark, size, tmp_path)
        if not times:
            behind, frames = recommender(known)
        tracking = Behind.beside_lake(str(tmp_path / f"models-{size}"))
        tracking.frames = frames
        if not times:
            # The first of all is of a session that has compiled nothing yet.
            taken(spark, tracking, known, behind)
            tracking = Behind.beside_lake(str(tmp_path / "models"))
            tracking.frames = frames
        *both, chosen = taken(spark, tracking, known, behind)
        times.append(both)
        print(
            f"  {size:9,} profiles: training {both[0]:.1f} s ({chosen}), assignment {both[1]:.1f} s"
        )
    for name, (small, middle, large) in zip(
        ("training", "assignment"), zip(*times, strict=True), strict=True
    ):
        first, second = (
            (middle - small) / (SIZES[1] - SIZES[0]),
            (large - middle) / (SIZES[2] - SIZES[1]),
        )
        exponent = 1 + math.log(second / first, 3)
        print(
            f"  {name}: {1e3 * first:.2f} ms a profile, then {1e3 * second:.2f}: n^{exponent:.2f} (target {STEEP})"
        )
        assert exponent <= STEEP
