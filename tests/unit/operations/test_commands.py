"""Runs as a terminal shows them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner

from cinelake.operations.commands import drawn, register
from cinelake.runtime.runs.books import Entry
from cinelake.runtime.runs.run_history import Timed
from cinelake.runtime.runs.usage import Usage

DAY = date(2026, 1, 1)
RUNS = [
    Timed(
        Entry("r", "sum_days", "job", "succeeded", start=DAY, end=DAY + timedelta(days=3), rows_out={"a": 1200},
              seconds=60.0, started_at=datetime(2026, 1, 5, 8, tzinfo=UTC),
              usage=Usage(busy_seconds=15.0, bytes_read=2_500_000, bytes_spilled=10**9, skew=3.25)),
        5.0,
    ),
    Timed(Entry("s", "take_in", "ingest", "failed", seconds=1.0, error="no"), None),
]  # fmt: skip


def test_a_job_that_was_mistyped_is_told_with_the_one_that_is_meant() -> None:
    app = typer.Typer()
    lake = SimpleNamespace(exists=lambda _: True)
    ledger = SimpleNamespace(entries=lambda: [run.entry for run in RUNS])
    workspace: Any = SimpleNamespace(lake=lake, ledger=ledger)
    register(app, lambda: workspace)
    ended = CliRunner().invoke(app, ["--job", "sum_dys"])
    assert ended.exit_code == 2
    said = " ".join(ended.output.replace("│", " ").split())
    assert "--job sum_dys: no run of it is in the ledger; did you mean 'sum_days'?" in said


@pytest.mark.parametrize(
    ("width", "lines"),
    [
        (80, ["01-05 08:00:00 sum_days 3 2026-01-01 succeeded 1,200 60.0 15.0", "take_in failed 1.0"]),
        (
            140,
            [
                "01-05 08:00:00 sum_days 3 2026-01-01 succeeded 1,200 60.0 15.0 25% 2.5 MB 1.0 GB 3.2",
                "take_in failed 1.0",
            ],
        ),
    ],
)  # fmt: skip
def test_a_run_is_a_line_on_any_terminal(width: int, lines: list[str]) -> None:
    console = Console(width=width)
    with console.capture() as page:
        console.print(drawn(RUNS, is_wide=width >= 130))
    assert [" ".join(line.split()) for line in page.get().splitlines()[1:]] == lines
