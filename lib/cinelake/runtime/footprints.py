"""Texts that a lake leaves beside its tables: Delta's log, MLflow, log files.

Grain: one row a line or entry, as `place, text, whole, rows`; `whole` are its parts that are values by themselves,
such as a statistic's bounds. A place names no key and no value, for these may be what is sought.

Method: what Spark reaches is read by Spark. MLflow gives its entries page by page; no more than one page is held.

Caveats: of artefacts only text files are read, and only where Spark reaches the store; what is not read is said.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from cinelake.runtime.delta.lake import Lake
from cinelake.runtime.delta.storage import Storage
from cinelake.runtime.tracking.frames import reached_by_spark
from cinelake.runtime.tracking.registry import Registry
from cinelake.tables.contract import Table

# Delta keeps this much of a text's least and greatest value.
KEPT_OF_STATISTICS = 32
PAGE = 1000
TEXTS = (".txt", ".log", ".json", ".jsonl", ".csv", ".html", ".md", ".yaml", ".yml", ".py", ".svg")
QUOTED = r'"([^"\\]*)"'
NUMBER = r"\A[0-9.eE+-]*\z"


def delta_log(lake: Lake, table: Table) -> Iterator[DataFrame]:
    """The commits of a table, and what checkpoints hold of commits that are gone."""
    folder = f"{lake.location(table)}/_delta_log"
    names = lake.storage.names(folder)
    commits = [f"{folder}/{name}" for name in names if name.endswith(".json")]
    if commits:
        lines = lake.spark.read.text(commits)
        bounds = F.concat_ws(
            "\n",
            F.get_json_object("value", "$.add.stats"),
            F.get_json_object("value", "$.add.partitionValues"),
        )
        yield _texts(lines, f"{table.name}: Delta log", F.col("value"), _quoted(bounds))
    for checkpoint in (f"{folder}/{name}" for name in names if ".checkpoint" in name):
        if checkpoint.endswith(".parquet"):
            files = lake.spark.read.parquet(checkpoint).where("add IS NOT NULL")
            stats = F.to_json(F.struct("add.partitionValues", "add.stats"))
            yield _texts(
                files, f"{table.name}: Delta checkpoint", stats, _quoted(F.col("add.stats"))
            )


def files(
    spark: SparkSession, paths: Sequence[str], place: str | None = None
) -> Iterator[DataFrame]:
    """The lines of text files, and of those in folders; `place` stands for their paths."""
    storage = Storage(spark)
    for path in paths:
        inside = [f"{path}/{name}" for name in storage.files(path)]
        readable = [name for name in inside or [path] if name.endswith(TEXTS) or not inside]
        for start in range(0, len(readable), PAGE):
            lines = spark.read.text(readable[start : start + PAGE])
            yield _texts(lines, place or path, F.col("value"), F.array("value"))


def tracked(registry: Registry, spark: SparkSession) -> Iterator[DataFrame]:
    """What MLflow keeps: names, parameters, tags, descriptions, and the text files among the artefacts."""
    page: list[tuple[str, str]] = []
    for place, text in _entries(registry):
        page.append((place, text))
        if len(page) == PAGE:
            yield _page(spark, page)
            page = []
    if page:
        yield _page(spark, page)
    for experiment in registry.client.search_experiments():
        location = experiment.artifact_location
        if not unread_artefacts(location) and Storage(spark).exists(location):
            yield from files(spark, [location], f"MLflow {experiment.name}: artefacts")


def unread_artefacts(location: str) -> bool:
    """Whether Spark cannot reach artefacts, as where a server hands them out itself."""
    return not reached_by_spark(location)


def _entries(registry: Registry) -> Iterator[tuple[str, str]]:
    client = registry.client
    for experiment in client.search_experiments():
        here = f"MLflow {experiment.name}"
        yield from ((f"{here}: tags", text) for pair in experiment.tags.items() for text in pair)
        token: str | None = None
        while True:
            runs = client.search_runs(
                [experiment.experiment_id], max_results=PAGE, page_token=token
            )
            for run in runs:
                yield f"{here}: run names", run.info.run_name or ""
                yield from ((f"{here}: tags", t) for pair in run.data.tags.items() for t in pair)
                params = run.data.params.items()
                yield from ((f"{here}: parameters", t) for pair in params for t in pair)
                yield from ((f"{here}: names of metrics", name) for name in run.data.metrics)
            token = runs.token
            if not token:
                break
        for logged in client.search_logged_models([experiment.experiment_id]):
            pairs = [*logged.tags.items(), *logged.params.items()]
            yield from ((f"{here}: models", text) for pair in pairs for text in pair)
    for version in client.search_model_versions():
        here = f"MLflow model {version.name}"
        yield f"{here}: descriptions", version.description or ""
        yield from ((f"{here}: tags", text) for pair in version.tags.items() for text in pair)


def _page(spark: SparkSession, entries: Sequence[tuple[str, str]]) -> DataFrame:
    frame = spark.createDataFrame(list(entries), "place string, text string")
    # A bare number is a parameter or a version, whoever has it for an id.
    is_number = F.col("text").rlike(NUMBER)
    whole = F.when(is_number, F.array().cast("array<string>")).otherwise(F.array("text"))
    return frame.select(
        "place", "text", whole.alias("whole"), F.lit(1).cast("bigint").alias("rows")
    )


def _texts(frame: DataFrame, place: str, text: Column, whole: Column) -> DataFrame:
    return frame.select(
        F.lit(place).alias("place"),
        text.alias("text"),
        whole.alias("whole"),
        F.lit(1).cast("bigint").alias("rows"),
    )


def _quoted(json: Column) -> Column:
    return F.coalesce(
        F.regexp_extract_all(json, F.lit(QUOTED), F.lit(1)), F.array().cast("array<string>")
    )
