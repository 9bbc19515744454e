"""A job that warns has done its work: it is published and entered, shown as warned, and told apart by the exit code."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from datetime import date

import pytest
from pyspark.sql import functions as F
from rich.console import Console

from cinelake.runtime.job import Cadence, JobParams, Run, job
from cinelake.runtime.runs.pipeline import Request
from cinelake.runtime.runs.progress import PlainProgress
from cinelake.runtime.windows import Window

from .conftest import AMOUNTS, NOTES, TOTALS, Service, total_days

DAY = date(2026, 1, 5)
ODD = "a note of [2026-01-05] is odd"


@job(reads=[NOTES], writes=[AMOUNTS])
def sum_odd_notes(run: Run[JobParams]) -> None:
    """Sum notes, and warn of them."""
    run.write(AMOUNTS, run.read(NOTES).groupBy("day", "note").agg(F.sum("amount").alias("amount")))
    run.warn(ODD)


@pytest.mark.thorough
def test_a_job_that_warns_succeeds_and_what_builds_on_it_goes_on(service: Service) -> None:
    service.jobs = (sum_odd_notes, total_days)
    service.note(("2026-01-05", "tea", 3))

    summary = service.run()

    assert summary.succeeded
    assert [report.state for report in summary.reports] == ["warned", "succeeded"]
    assert [row.total for row in service.rows(TOTALS)] == [3]
    told = json.loads(summary.to_json())
    assert (told["status"], told["warnings"]) == ("succeeded", 1)
    assert told["jobs"]["sum_odd_notes"]["warnings"] == [ODD]
    assert "warnings" not in told["jobs"]["total_days"]
    assert summary.exit_code == 3
    entries = {entry.job: entry for entry in service.context().ledger.entries()}
    assert entries["sum_odd_notes"].warnings == (ODD,)
    assert entries["sum_odd_notes"].status == "succeeded"
    assert entries["total_days"].warnings == ()


@pytest.mark.thorough
def test_what_is_up_to_date_does_not_warn_again_and_what_is_asked_for_does(
    service: Service,
) -> None:
    service.jobs = (sum_odd_notes, total_days)
    service.note(("2026-01-05", "tea", 3))
    service.run()

    again = service.run()
    forced = service.run(only=("sum_odd_notes",), window=Window.of_day(DAY))

    assert (again.warnings, again.exit_code) == (0, 0)
    assert [report.warnings for report in forced.reports] == [[ODD]]


@pytest.mark.thorough
def test_a_log_says_what_is_warned_of(service: Service) -> None:
    service.jobs = (sum_odd_notes, total_days)
    service.note(("2026-01-05", "tea", 3))
    page = io.StringIO()

    service.pipeline().run(Request(), PlainProgress(Console(file=page, width=40)))

    lines = page.getvalue().splitlines()
    assert lines[0].startswith("sum_odd_notes            warned")
    assert lines[1] == f"  {ODD}"
    assert lines[2].startswith("total_days               succeeded")


@pytest.mark.thorough
def test_a_failure_weighs_more_than_a_warning(service: Service) -> None:
    @job(reads=[AMOUNTS], writes=[TOTALS])
    def fail(run: Run[JobParams]) -> None:
        """Fail."""
        raise ValueError("no")

    service.jobs = (sum_odd_notes, fail)
    service.note(("2026-01-05", "tea", 3))

    summary = service.run()

    assert (summary.warnings, summary.exit_code) == (1, 1)


@pytest.mark.thorough
def test_what_a_warning_calls_for_is_done_once_all_else_is(service: Service) -> None:
    @job(reads=[NOTES], writes=[AMOUNTS], remedies=["total_days"])
    def warn(run: Run[JobParams]) -> None:
        """Sum notes, and call for help."""
        sum_odd_notes.function(run)
        run.warn("and another", "total_days")

    asked = replace(total_days, cadence=Cadence.ON_DEMAND, catchup=False)
    service.jobs = (warn, asked)
    service.note(("2026-01-05", "tea", 3))
    # One job is all that is asked for here.
    assert [report.job for report in service.run(only=("warn",)).reports] == ["warn"]
    service.note(("2026-01-05", "rum", 4))

    summary = service.run()

    assert [(r.job, r.state) for r in summary.reports] == [
        ("warn", "warned"),
        ("total_days", "succeeded"),
    ]
    assert [row.total for row in service.rows(TOTALS)] == [7]
    # Nobody warns of what is up to date.
    assert [report.job for report in service.run().reports] == ["warn"]
