"""`cinelake maintain` and `cinelake fsck`: looking after a lake, and looking whether it is whole."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import typer
from rich.console import Console

from cinelake.runtime.delta.lock import holder
from cinelake.runtime.runs.fsck import AtWork, findings
from cinelake.runtime.runs.pipeline import Request
from cinelake.runtime.runs.progress import PlainProgress
from cinelake.runtime.settings import local_path
from cinelake.runtime.workspace import Workspace
from cinelake.tables.catalog import all_tables

notices = Console(stderr=True)


def register(app: typer.Typer, context: Callable[[], Workspace]) -> None:
    """Add the commands to `cinelake`."""

    @app.command()
    def maintain() -> None:
        """Run the maintenance jobs, one after the other: retention, compaction, removal of files, inspection.

        Nothing that they do makes a window stale. Exit codes are those of `cinelake run`.
        """
        workspace = context()
        names = tuple(job.name for job in workspace.graph.maintenance)
        with workspace.writing():
            summary = workspace.pipeline().run(Request(only=names), PlainProgress(notices))
        typer.echo(summary.to_json())
        if summary.exit_code:
            raise typer.Exit(summary.exit_code)

    @app.command()
    def fsck(
        thorough: Annotated[
            bool, typer.Option("--thorough", help="Read every row, and hash it; takes its time.")
        ] = False,
    ) -> None:
        """Look whether the lake is whole: its logs, files, counts, streams and staging. Changes nothing.

        Exit code 0 when it is, 1 when something was found.
        """
        workspace = context()
        tables = sorted(all_tables().values(), key=lambda table: table.name)
        settings, lake = workspace.settings, workspace.lake
        root = local_path(settings.lake.root) if settings.lake_is_local else None
        at_work = AtWork(lake, (lambda: holder(root)) if root else None)
        found = list(findings(workspace.context(), tables, at_work, thorough=thorough))
        # Whole lines, for a remedy is a command to be copied.
        as_it_is: dict[str, Any] = {"markup": False, "highlight": False, "soft_wrap": True}
        if at_work():
            notices.print(f"a run is at work: {at_work.seen}", **as_it_is)
            notices.print("  what it has staged, or not entered yet, is not judged", **as_it_is)
        for finding in found:
            notices.print(f"{finding.where}: {finding.what}", style="red", **as_it_is)
            notices.print(f"  {finding.remedy}", **as_it_is)
        there = sum(workspace.lake.exists(table) for table in tables)
        typer.echo(
            f"{there} tables, {len(found)} findings" if found else f"{there} tables, all whole"
        )
        if found:
            raise typer.Exit(1)
