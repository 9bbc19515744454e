"""How a run of the pipeline looks while it goes on: a live table on a terminal, plain lines elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table as RichTable

from cinelake.runtime.given import Listener
from cinelake.runtime.runs.conservation import Balance
from cinelake.runtime.runs.pipeline import JobReport, Summary

COLOURS = {
    "succeeded": "green",
    "up to date": "dim",
    "nothing landed": "dim",
    "yielded": "cyan",
    "failed": "bold red",
    "refused": "bold red",
    "skipped": "yellow",
    "warned": "yellow",
}


# The rest of a bronze table's reasons is in the JSON summary and in the ledger.
SHOWN_REASONS = 3
# Names of jobs and files are no mark-up, and a line of a log stays one.
PLAIN: dict[str, Any] = {"highlight": False, "soft_wrap": True, "markup": False}


class PlainProgress:
    """One line when a job ends; for logs."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def started(self, report: JobReport, doing: str) -> None:
        """A log wants results only."""

    def stepped(self, report: JobReport, done: int, total: int, said: str) -> None:
        self._console.print(f"{report.job:<24} {done} of {total}: {said}", **PLAIN)

    def ended(self, report: JobReport) -> None:
        line = f"{report.job:<24} {report.state:<14} {_figures(report)}".rstrip()
        self._console.print(line, **PLAIN)
        if report.files:
            self._console.print(f"  {turned_away(report)}", style="yellow", **PLAIN)
        for note in report.notes:
            self._console.print(f"  {note}", **PLAIN)
        for warning in report.warnings:
            self._console.print(f"  {warning}", style="yellow", **PLAIN)
        if report.error:
            self._console.print(f"  {report.error}", style="red", **PLAIN)


class LiveProgress:
    """A table that fills while jobs run. Use as a context manager."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._rows: dict[str, tuple[JobReport, str]] = {}
        self._live = Live(self._table(), console=console, refresh_per_second=8)

    def __enter__(self) -> LiveProgress:
        self._live.__enter__()
        return self

    def __exit__(self, *details: object) -> None:
        self._live.__exit__(*details)  # type: ignore[arg-type]

    def started(self, report: JobReport, doing: str) -> None:
        self._rows[report.job] = (report, doing)
        self._live.update(self._table())

    def stepped(self, report: JobReport, done: int, total: int, said: str) -> None:
        self._rows[report.job] = (report, f"{bar(done, total)} {done} of {total}: {said}")
        self._live.update(self._table())

    def ended(self, report: JobReport) -> None:
        self._rows[report.job] = (report, "")
        self._live.update(self._table())
        if report.files:
            said = f"{report.job}: {turned_away(report)}"
            self._live.console.print(said, style="yellow", **PLAIN)
        for note in report.notes:
            self._live.console.print(f"{report.job}: {note}", **PLAIN)
        for warning in report.warnings:
            self._live.console.print(f"{report.job}: {warning}", style="yellow", **PLAIN)
        if report.error:
            self._live.console.print(
                f"{report.job}: {report.error}", style="red", markup=False, highlight=False
            )

    def _table(self) -> RichTable:
        table = RichTable(box=None, pad_edge=False)
        table.add_column("job")
        table.add_column("state")
        for name in ("rows in", "rows out", "quarantined", "seconds"):
            table.add_column(name, justify="right")
        for report, doing in self._rows.values():
            running = bool(doing)
            state = f"running {escape(doing)}" if running else report.state
            quarantined = f"{report.quarantined:,}" if report.quarantined else ""
            table.add_row(
                f"[dim]{report.area}/[/dim]{report.job}",
                f"[{'blue' if running else COLOURS.get(report.state, 'white')}]{state}[/]",
                _thousands(report.rows_in),
                _thousands(report.rows_out),
                f"[yellow]{quarantined}[/yellow]",
                f"{report.seconds:.1f}" if report.seconds else "",
            )
        return table


def bar(done: int, total: int, width: int = 12) -> str:
    """How much of something is done, drawn as characters."""
    full = width * done // max(total, 1)
    return "━" * full + "╌" * (width - full)


@contextmanager
def steps(console: Console, doing: str) -> Iterator[Listener]:
    """What to tell how far something is that is no job: a bar on a terminal while the block lasts, lines elsewhere."""
    if not console.is_terminal:
        yield lambda done, total, said: console.print(f"{doing} {done} of {total}: {said}", **PLAIN)
        return
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console) as drawn:
        task: list[TaskID] = []

        def tell(done: int, total: int, said: str) -> None:
            # Where nothing is told, nothing is drawn.
            task[:] = task or [drawn.add_task(doing)]
            drawn.update(task[0], completed=done, total=total, description=f"{doing}: {said}")

        yield tell


def turned_away(report: JobReport) -> str:
    """The files that a job turned away, in words."""
    count = sum(report.files.values())
    reasons = ", ".join(f"{number:,} {reason}" for reason, number in report.files.items())
    return f"{count:,} {'file' if count == 1 else 'files'} turned away whole: {reasons}"


def closing(console: Console, summary: Summary) -> None:
    """What is said when all jobs have ended: whether every row is accounted for, and what nobody read."""
    for alarm in summary.alarms:
        console.print(alarm, style="yellow", **PLAIN)
    for folder, files in summary.unclaimed.items():
        said = f"landing/{folder}: {files:,} files of no known source; nobody reads them"
        console.print(said, style="yellow", **PLAIN)
    drawn = [balance for balance in summary.balances if balance.given or balance.missing]
    if drawn:
        console.print(_balance_table(drawn))


def _balance_table(balances: list[Balance]) -> RichTable:
    """A row a table and source, in two columns: more do not fit a narrow terminal with names of this length."""
    table = RichTable(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for balance in balances:
        reasons = [f"{count:,} {reason}" for reason, count in balance.reasons]
        shown = ", ".join(reasons[:SHOWN_REASONS])
        more = f", {len(reasons) - SHOWN_REASONS} more reasons" * (len(reasons) > SHOWN_REASONS)
        kept = "all" if balance.kept == balance.given else f"{balance.kept:,}"
        said = f"{balance.given:,} from {escape(balance.source)}, {kept} kept"
        if reasons:
            said += f"; [yellow]{escape(shown + more)}[/yellow]"
        if balance.missing:
            said += f"; [bold red]{balance.missing:,} missing[/]"
        table.add_row(balance.table, said)
    return table


def _thousands(number: int) -> str:
    return f"{number:,}" if number else ""


def _figures(report: JobReport) -> str:
    if not report.windows and not report.rows_in:
        return f"{report.seconds:.1f} s" if report.seconds >= 0.05 else ""
    turned_away = f", {report.quarantined:,} quarantined" if report.quarantined else ""
    same = "" if report.changed else ", same as before"
    return f"{report.rows_in:,} rows in, {report.rows_out:,} out{turned_away}{same}, {report.seconds:.1f} s"
