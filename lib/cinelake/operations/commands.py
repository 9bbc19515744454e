"""`cinelake runs`: what ran, how it ended, and what it cost."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cinelake.runtime.runs.run_history import Timed, chosen, size
from cinelake.runtime.workspace import Workspace
from cinelake.spelling import hint
from cinelake.tables.system import JOB_RUNS

console = Console()
# What a narrow terminal has room for, and what a wide one shows besides.
NARROW = ("started (UTC)", "job", "days from", "status", "rows out", "seconds", "usually")
WIDE = ("Spark at work", "read", "written", "spilled", "largest task", "skew")
WIDE_ENOUGH = 130
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
            raise typer.BadParameter(
                f"--job {job}: no run of it is in the ledger; {hint(job, sorted(known))}"
            )
        found = chosen(entries, slow=slow, failed=failed, job=job, last=last)
        if not found:
            typer.echo("no such run")
            return
        console.print(drawn(found, is_wide=console.width >= WIDE_ENOUGH))
        for run in found:
            if run.entry.error:
                where = f"{run.entry.job} {run.entry.run_id}"
                console.print(f"{where}: {run.entry.error}", markup=False, highlight=False)


def drawn(found: Sequence[Timed], *, is_wide: bool = True) -> Table:
    """The runs as a table for the terminal; what they cost only where it is wide."""
    table = Table(box=None, pad_edge=False)
    for name in (*NARROW, *(WIDE if is_wide else ())):
        is_text = name in NARROW[:4]
        table.add_column(name, justify="left" if is_text else "right", no_wrap=name != "job")
    for run in found:
        row = (*_narrow(run), *(_wide(run) if is_wide else ()))
        table.add_row(*row)
    return table


def _narrow(run: Timed) -> tuple[str, ...]:
    entry, seconds = run.entry, f"{run.entry.seconds:,.1f}"
    return (
        f"{entry.started_at:%m-%d %H:%M:%S}" if entry.started_at else "",
        escape(entry.job),
        f"{run.days} {entry.start}" if entry.start else "",
        f"[{STATES.get(entry.status, 'white')}]{entry.status}[/]",
        f"{sum(entry.rows_out.values()):,}" if entry.rows_out else "",
        f"[yellow]{seconds}[/]" if run.is_slow else seconds,
        f"{run.usual * run.days:,.1f}" if run.usual is not None else "",
    )


def _wide(run: Timed) -> tuple[str, ...]:
    entry, usage = run.entry, run.entry.usage
    if usage is None:
        return ("",) * len(WIDE)
    return (
        f"{min(usage.busy_seconds / entry.seconds, 1.0):.0%}" if entry.seconds else "",
        size(usage.bytes_read),
        size(usage.bytes_written),
        f"[yellow]{size(usage.bytes_spilled)}[/]",
        size(usage.peak_task_bytes),
        f"{usage.skew:,.1f}" if usage.skew is not None else "",
    )
