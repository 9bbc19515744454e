"""`cinelake leaks` and `reidentify`: what must be told of people to nobody, and to one person for a reason.

The first seeks what bronze holds of people in everything that is made of it. The second tells whose pseudonym it is,
and writes down first who asked and why.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator
from functools import reduce
from pathlib import Path
from typing import Annotated, Any

import typer
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import DataType
from rich.console import Console
from rich.table import Table as RichTable

from cinelake.behaviour.identity import LENGTH, IdKind
from cinelake.integrity.commands import whole_id
from cinelake.privacy.leaks import anchored, counted, found, table_texts, without_public
from cinelake.privacy.reidentification import KINDS, fields, ids_called
from cinelake.privacy.values import personal_values, told
from cinelake.runtime import footprints
from cinelake.runtime.job import Ingest
from cinelake.runtime.reidentification import (
    Request,
    count_of_rows,
    faults,
    record,
    reidentification_key,
)
from cinelake.runtime.workspace import Workspace
from cinelake.tables.catalog import all_tables
from cinelake.tables.contract import Layer, Table
from cinelake.tables.ingest import PERSONAL_DAYS
from cinelake.tables.integrity import INTEGRITY_CASES
from cinelake.tables.system import REIDENTIFICATIONS

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

    _add_reidentifying(app, context)


def _add_reidentifying(app: typer.Typer, context: Callable[[], Workspace]) -> None:
    @app.command()
    def reidentify(
        what: Annotated[
            str,
            typer.Argument(
                metavar="CASE-OR-PSEUDONYM", help="A case, or how its id begins; or a pseudonym."
            ),
        ],
        why: Annotated[str, typer.Option(help="The reason, in words; it is kept.")],
        kind: Annotated[
            IdKind, typer.Option(help=f"What a pseudonym stands for: {', '.join(KINDS)}.")
        ] = IdKind.ACCOUNT,
    ) -> None:
        """Tell whose account, or other id, stands behind a case or a pseudonym, on this terminal alone.

        Needs CINELAKE_SECRETS__REIDENTIFICATION_KEY. That you asked is written down before anything is told.
        """
        if not why.strip():
            raise typer.BadParameter("--why is empty; say what it is needed for")
        if kind not in KINDS:
            raise typer.BadParameter(f"--kind {kind}: nobody is asked for but {', '.join(KINDS)}")
        if not is_terminal():
            raise typer.BadParameter(
                "the answer is for a terminal, and here it would go into a file or another program; "
                "nothing was asked, and nothing is written down"
            )
        workspace = context()
        ring = reidentification_key(workspace.settings, workspace.lake.storage)
        request = _requested(workspace, what, kind, why)
        with workspace.writing():
            number = record(workspace.lake, ring, request)
        notices.print(f"request {number} is written into {REIDENTIFICATIONS.name}", highlight=False)
        found = _id_called(workspace, request.pseudonym, IdKind(request.kind))
        if found is None:
            notices.print(
                f"no record that bronze still holds is of {request.kind} {request.pseudonym}; "
                f"records of people are kept for {PERSONAL_DAYS} days",
                style="yellow",
                highlight=False,
            )
            raise typer.Exit(1)
        typer.echo(found)

    @app.command()
    def reidentifications() -> None:
        """List who asked whose pseudonym it is, and why; exit code 1 when the list was tampered with."""
        workspace = context()
        ring = reidentification_key(workspace.settings, workspace.lake.storage)
        rows: list[dict[str, Any]] = []
        if workspace.lake.exists(REIDENTIFICATIONS):
            log = workspace.lake.read(REIDENTIFICATIONS).orderBy("number")
            # People's questions: few.
            rows = log.toArrow().to_pylist()
        for row in rows:
            case = f", case {row['case_id']}" if row["case_id"] else ""
            typer.echo(
                f"{row['number']}\t{row['asked_at']:%Y-%m-%d %H:%M} UTC\t{row['asked_by']}\t"
                f"{row['kind']} {row['pseudonym']}{case}\t{row['why']}"
            )
        wrong = faults(rows, ring, count_of_rows(workspace.lake))
        for fault in wrong:
            notices.print(fault, style="red", highlight=False)
        if wrong:
            raise typer.Exit(1)


def is_terminal() -> bool:
    """Whether what is printed is seen by a person, and kept by nothing."""
    return sys.stdout.isatty()


def _requested(workspace: Workspace, what: str, kind: IdKind, why: str) -> Request:
    """What is asked for; raises BadParameter where it is neither a pseudonym nor the beginning of one case's id."""
    if re.fullmatch(f"[0-9a-f]{{{LENGTH}}}", what):
        return Request(kind, what, None, why)
    if not workspace.lake.exists(INTEGRITY_CASES):
        raise typer.BadParameter(
            f"{what!r} is no pseudonym (those have {LENGTH} hexadecimal digits), and there are no cases"
        )
    states = workspace.lake.read(INTEGRITY_CASES)
    case_id = whole_id(states, what)
    account = states.where(F.col("case_id") == case_id).select("account_id").limit(1)
    return Request(IdKind.ACCOUNT, account.toArrow().to_pylist()[0]["account_id"], case_id, why)


def _id_called(workspace: Workspace, pseudonym: str, kind: IdKind) -> str | None:
    jobs = {job.source: job for job in workspace.graph.jobs if isinstance(job, Ingest)}
    keys = workspace.keyring.frame(workspace.spark, IdKind)
    for source, field in fields(jobs, kind):
        target = jobs[source].target
        if workspace.lake.exists(target):
            bronze = workspace.lake.read(target)
            found = ids_called(pseudonym, kind, bronze, source, field, keys).toArrow().to_pylist()
            if found:
                return str(found[0]["id"])
    return None


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
