"""`cinelake runs`: what ran, how it ended, and what it cost."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cinelake.runtime.run_history import Timed, chosen, size
from cinelake.runtime.workspace import Workspace
from cinelake.tables.system import JOB_RUNS

console = Console()
FIGURES = (
    "rows out",
    "seconds",
    "usually",
    "Spark at work",
    "read",
    "written",
    "spilled",
    "peak",
    "skew",
)
STATES = {"succeeded": "green", "failed": "bold red", "yielded": "cyan"}


def register(app: typer.Typer, context: Callable[[], Workspace]) -> None:
    """Add the command to `cinelake`."""

    @app.command()
    def runs(
        slow: Annotated[
            bool, typer.Option("--slow", help="Those that took twice as long as usual, or longer.")
        ] = False,
        failed: Annotated[bool, typer.Option("--failed", help="Those that failed.")] = False,
        job: Annotated[str | None, typer.Option(help="Those of one job.")] = None,
        last: Annotated[int, typer.Option(min=1, help="How many, the newest first.")] = 25,
    ) -> None:
        """List the newest runs of jobs: rows, seconds, and what Spark says that they cost."""
        workspace = context()
        if not workspace.lake.exists(JOB_RUNS):
            raise typer.BadParameter("nothing has run in this lake yet; run `cinelake run` first")
        entries = workspace.ledger.entries()
        known = {entry.job for entry in entries}
        if job is not None and job not in known:
            raise typer.BadParameter(f"--job {job}: no run of it is in the ledger")
        found = chosen(entries, slow=slow, failed=failed, job=job, last=last)
        if not found:
            typer.echo("no such run")
            return
        console.print(drawn(found))
        for run in found:
            if run.entry.error:
                where = f"{run.entry.job} {run.entry.run_id}"
                console.print(f"{where}: {run.entry.error}", markup=False, highlight=False)


def drawn(found: Sequence[Timed]) -> Table:
    """The runs as a table for the terminal."""
    table = Table(box=None, pad_edge=False)
    for name in ("started (UTC)", "job", "window", "status"):
        table.add_column(name, no_wrap=name == "started (UTC)")
    for name in FIGURES:
        table.add_column(name, justify="right", no_wrap=True)
    for run in found:
        entry, usage = run.entry, run.entry.usage
        seconds = f"{entry.seconds:,.1f}"
        table.add_row(
            f"{entry.started_at:%Y-%m-%d %H:%M:%S}" if entry.started_at else "",
            escape(entry.job),
            f"{entry.start} – {entry.end}" if entry.start else "",
            f"[{STATES.get(entry.status, 'white')}]{entry.status}[/]",
            f"{sum(entry.rows_out.values()):,}" if entry.rows_out else "",
            f"[yellow]{seconds}[/]" if run.is_slow else seconds,
            f"{run.usual * run.days:,.1f}" if run.usual is not None else "",
            f"{usage.busy_seconds / entry.seconds:.0%}" if usage and entry.seconds else "",
            size(usage.bytes_read) if usage else "",
            size(usage.bytes_written) if usage else "",
            f"[yellow]{size(usage.bytes_spilled)}[/]" if usage else "",
            size(usage.peak_task_bytes) if usage else "",
            f"{usage.skew:,.1f}" if usage and usage.skew is not None else "",
        )
    return table
