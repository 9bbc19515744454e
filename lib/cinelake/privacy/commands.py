"""`cinelake leaks`: seeks what bronze holds of people in everything that is made of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import reduce
from pathlib import Path
from typing import Annotated

import typer
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import DataType
from rich.console import Console
from rich.table import Table as RichTable

from cinelake.privacy.leaks import anchored, counted, found, table_texts, without_public
from cinelake.privacy.values import personal_values, told
from cinelake.runtime import footprints
from cinelake.runtime.job import Ingest
from cinelake.runtime.workspace import Workspace
from cinelake.tables.catalog import all_tables
from cinelake.tables.contract import Layer, Table

# The table that keeps what was turned away, as it was; it is as personal as bronze.
PERSONAL_BY_NATURE = ("quarantine",)
FREE_TEXT = "free text"
notices = Console(stderr=True)


def register(app: typer.Typer, context: Callable[[], Workspace]) -> None:
    """Add the command to `cinelake`."""

    @app.command()
    def leaks(
        logs: Annotated[
            list[Path] | None,
            typer.Option(help="Log file, or folder of such; may be repeated.", exists=True),
        ] = None,
    ) -> None:
        """Seek personal values, as bronze holds them, in later tables, in Delta's and MLflow's records and in logs.

        Exit code 1 when one is found. The values are never shown. The last line is a JSON summary.
        """
        finds = scan(context(), [str(path.resolve()) for path in logs or ()])
        if finds:
            notices.print(_drawn(finds))
        else:
            notices.print("no personal value is where it should not be", style="green")
        typer.echo(json.dumps({"leaks": finds}))
        if finds:
            raise typer.Exit(1)


def scan(workspace: Workspace, logs: list[str]) -> list[dict[str, object]]:
    """The finds: `place, kind, rows`."""
    values = _values(workspace)
    if values is None:
        return []
    kept = values.persist()
    finds: list[dict[str, object]] = []
    try:
        for texts, sought in _texts(workspace, logs, kept):
            # A row a place and kind: few.
            finds += counted(found(texts, sought)).orderBy("place", "kind").toArrow().to_pylist()
    finally:
        kept.unpersist()
    return finds


def _values(workspace: Workspace) -> DataFrame | None:
    lake = workspace.lake
    jobs = [
        job for job in workspace.graph.jobs if isinstance(job, Ingest) and lake.exists(job.target)
    ]
    if not any(job.source.personal for job in jobs):
        return None
    texts = {job.source: told(lake.read(job.target), job.source) for job in jobs}
    values = anchored(personal_values(reduce(DataFrame.unionByName, texts.values())))
    public = [texts[source] for source in texts if not source.personal]
    if not public:
        return values
    known = reduce(DataFrame.unionByName, public).select(
        F.lit("").alias("place"),
        F.col("value").alias("text"),
        F.array("value").alias("whole"),
        F.lit(1).cast("bigint").alias("rows"),
    )
    return without_public(values, known)


def _texts(
    workspace: Workspace, logs: list[str], values: DataFrame
) -> Iterator[tuple[DataFrame, DataFrame]]:
    """Each frame of texts, with the values as they would look there."""
    short = F.left("value", F.lit(footprints.KEPT_OF_STATISTICS)).alias("value")
    cut = anchored(values.select(short, "kind", "is_distinctive").distinct())
    # Together, for what costs is less the texts than a query each.
    tables = [
        table_texts(workspace.lake.read(table), _columns(table), table.name)
        for table in _tables(workspace)
    ]
    commits = [
        texts
        for table in _tables(workspace)
        for texts in footprints.delta_log(workspace.lake, table)
    ]
    if tables:
        yield reduce(DataFrame.unionByName, tables), values
    if commits:
        yield reduce(DataFrame.unionByName, commits), cut
    for texts in footprints.tracked(workspace.tracking, workspace.spark):
        yield texts, values
    for texts in footprints.files(workspace.spark, logs):
        yield texts, values
    for experiment in workspace.tracking.client.search_experiments():
        if footprints.unread_artefacts(experiment.artifact_location):
            notices.print(
                f"MLflow {experiment.name}: artefacts stand where Spark cannot read them; they were not looked at",
                style="yellow",
                highlight=False,
            )


def _tables(workspace: Workspace) -> list[Table]:
    return [
        table
        for table in all_tables().values()
        if table.layer is not Layer.BRONZE
        and table.name not in PERSONAL_BY_NATURE
        and workspace.lake.exists(table)
    ]


def _columns(table: Table) -> dict[str, DataType]:
    """The columns in which no personal text is to be found: what people typed may name anybody."""
    return {column.name: column.type for column in table.columns if column.personal != FREE_TEXT}


def _drawn(finds: list[dict[str, object]]) -> RichTable:
    table = RichTable(box=None, pad_edge=False)
    table.add_column("where")
    table.add_column("kind")
    table.add_column("rows", justify="right")
    for find in finds:
        table.add_row(str(find["place"]), str(find["kind"]), f"[bold red]{find['rows']:,}[/]")
    return table
