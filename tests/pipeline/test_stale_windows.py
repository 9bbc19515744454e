"""`cinelake run` without dates computes exactly what is stale."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest
from conftest import Silent
from pyspark.sql import Row
from pyspark.sql import functions as F

import cinelake.runtime.code_version as code_version_of_process
from cinelake.runtime.code_version import code_version
from cinelake.runtime.job import Cadence, JobError, JobParams, Run, job, previous
from cinelake.runtime.runs.books import DayEntry
from cinelake.runtime.runs.context import new_entry
from cinelake.runtime.runs.digest import Digest
from cinelake.runtime.runs.pipeline import JobReport, Request
from cinelake.runtime.runs.upkeep import expire, rebuild
from cinelake.runtime.windows import Window
from cinelake.tables.system import JOB_RUNS

from .conftest import AMOUNTS, NOTES, RUNNING, TOTALS, Service, sum_notes, total_days


def test_a_first_run_computes_every_day_in_one_call_a_job(service: Service) -> None:
    service.note(("2026-01-01", "tea", 1), ("2026-01-03", "tea", 2), ("2026-01-03", "tea", 3))
    summary = service.run()
    assert summary.succeeded, summary
    assert [(r.job, r.windows) for r in summary.reports] == [("sum_notes", 1), ("total_days", 1)]
    assert service.rows(AMOUNTS) == [
        Row(day=date(2026, 1, 1), note="tea", amount=1),
        Row(day=date(2026, 1, 3), note="tea", amount=5),
    ]
    assert service.rows(TOTALS) == [
        Row(day=date(2026, 1, 1), total=1),
        Row(day=date(2026, 1, 2), total=1),
        Row(day=date(2026, 1, 3), total=5),
    ]


@pytest.mark.thorough
def test_other_code_is_told_and_makes_nothing_stale(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.jobs = (sum_notes,)
    service.note(("2026-01-01", "tea", 1))
    service.run()
    before = code_version()
    monkeypatch.setattr(code_version_of_process, "versioned", lambda _: "0.1.0+another")
    code_version.cache_clear()
    try:
        assert service.stale(sum_notes) == {}
        service.note(("2026-01-02", "tea", 2))
        service.run()
    finally:
        code_version.cache_clear()
    runs = service.lake.read(JOB_RUNS).where("job = 'sum_notes'").orderBy("started_at")
    assert [(row.code_version, row.window_start) for row in runs.collect()] == [
        (before, date(2026, 1, 1)),
        ("0.1.0+another", date(2026, 1, 2)),
    ]
    commits = service.lake.commits(AMOUNTS, 0)
    assert [c.note.code for c in commits if c.note] == [before, "0.1.0+another"]


def test_a_batch_that_was_entered_before_a_kill_counts_once(service: Service) -> None:
    day, batch = date(2026, 1, 1), ("a stream's ledger", 7)
    days = (DayEntry(day, "", {NOTES.name: Digest(3, 1, 1)}),)
    for _ in range(2):
        # Spark offers again what was not ended.
        context = service.context()
        context.enter(new_entry("ingest_notes", "ingest", days=days), batch)
        assert context.books.rows(NOTES.name, day, day + timedelta(days=1)) == 3
    assert service.context().books.rows(NOTES.name, day, day + timedelta(days=1)) == 3


@pytest.mark.thorough
def test_a_day_whose_run_was_refused_is_made_up_for_by_the_next_that_mends(
    service: Service,
) -> None:
    service.jobs = (sum_notes,)
    service.note(*((f"2026-01-0{day}", "tea", day) for day in (1, 2, 3)))
    first, second, third, fourth = (Window.of_day(date(2026, 1, day)) for day in (2, 3, 4, 5))
    assert service.run(window=first, mend=True, resume=True).succeeded
    # Nobody has asked for the first of January, before the first day that was done.
    assert [row.day.day for row in service.rows(AMOUNTS)] == [2]
    (refused,) = service.run(window=third, mend=True, resume=True).reports
    assert (refused.status, refused.windows) == ("refused", 0)
    service.note(("2026-01-04", "tea", 4), ("2026-01-05", "tea", 5))
    (healed,) = service.run(window=fourth, mend=True, resume=True).reports
    assert (healed.status, healed.windows) == ("succeeded", 2)
    assert [(row.day.day, row.amount) for row in service.rows(AMOUNTS)] == [
        (2, 2), (3, 3), (4, 4), (5, 5)
    ]  # fmt: skip
    assert second.start in service.context().books.done_days("sum_notes")


@pytest.mark.thorough
def test_a_second_run_does_nothing(service: Service) -> None:
    service.note(("2026-01-01", "tea", 1))
    service.run()
    before = service.version(AMOUNTS), service.version(TOTALS)
    summary = service.run()
    assert [r.status for r in summary.reports] == ["up to date", "up to date"]
    assert (service.version(AMOUNTS), service.version(TOTALS)) == before


@pytest.mark.thorough
def test_a_late_row_makes_its_day_stale_and_the_day_that_looks_back_on_it(service: Service) -> None:
    service.note(("2026-01-01", "tea", 1), ("2026-01-02", "tea", 1), ("2026-01-04", "tea", 1))
    service.run()
    service.note(("2026-01-02", "milk", 7))
    assert service.stale(sum_notes) == {date(2026, 1, 2): "changed input: notes"}
    service.run(only=("sum_notes",))
    assert list(service.stale(total_days)) == [date(2026, 1, 2), date(2026, 1, 3)]
    service.run()
    assert [row.total for row in service.rows(TOTALS)] == [1, 9, 8, 1]


@pytest.mark.thorough
def test_a_change_stops_where_it_stops_mattering(service: Service) -> None:
    service.note(("2026-01-01", "tea", 1))
    service.run()
    before = service.version(AMOUNTS)
    service.note(("2026-01-01", "tea", 0))
    summary = service.run()
    assert [(r.job, r.status, r.changed) for r in summary.reports] == [
        ("sum_notes", "succeeded", False),
        ("total_days", "up to date", False),
    ]
    assert service.version(AMOUNTS) == before


@pytest.mark.thorough
def test_a_changed_parameter_makes_every_day_stale(service: Service) -> None:
    service.note(("2026-01-01", "tea", 1), ("2026-01-02", "tea", 2))
    service.run()
    service.settings = {"sum_notes": {"factor": 10}}
    assert service.stale(sum_notes) == {
        date(2026, 1, 1): "parameters, version or contract changed",
        date(2026, 1, 2): "parameters, version or contract changed",
    }
    service.run()
    assert [row.amount for row in service.rows(AMOUNTS)] == [10, 20]


@pytest.mark.thorough
def test_a_new_version_of_the_code_makes_every_day_stale(service: Service) -> None:
    service.note(("2026-01-01", "tea", 1))
    service.run()
    service.jobs = (replace(sum_notes, version=2), total_days)
    assert service.stale(sum_notes) == {date(2026, 1, 1): "parameters, version or contract changed"}


@pytest.mark.thorough
def test_a_commit_by_somebody_else_makes_readers_of_its_days_stale(service: Service) -> None:
    service.note(("2026-01-01", "tea", 1), ("2026-01-05", "tea", 5))
    service.run()
    path = service.lake.location(AMOUNTS)
    service.spark.sql(f"UPDATE delta.`{path}` SET amount = 7 WHERE day = DATE'2026-01-05'")
    assert service.stale(sum_notes) == {}
    assert service.stale(total_days) == {date(2026, 1, 5): "changed input: amounts"}
    service.run()
    assert [row.total for row in service.rows(TOTALS)][-1] == 7
    assert service.stale(total_days) == {}


@pytest.mark.thorough
def test_compaction_makes_nothing_stale(service: Service) -> None:
    service.note(("2026-01-01", "tea", 1))
    service.note(("2026-01-01", "milk", 1))
    service.run()
    service.lake.compact(NOTES)
    assert service.stale(sum_notes) == {}


@pytest.mark.thorough
def test_retention_makes_nothing_stale_and_seals_what_reads_the_deleted_days(
    service: Service,
) -> None:
    service.note(("2026-01-01", "tea", 1), ("2026-01-02", "tea", 2), ("2026-01-03", "tea", 3))
    service.run()
    expire(service.context(), AMOUNTS, before=date(2026, 1, 2))
    assert [row.day.day for row in service.rows(AMOUNTS)] == [2, 3]
    assert service.stale(total_days) == {}
    summary = service.run(only=("total_days",), window=Window(date(2026, 1, 2), date(2026, 1, 3)))
    assert (summary.reports[0].status, summary.succeeded) == ("refused", False)
    assert "2026-01-02 is sealed: amounts holds rows from 2026-01-02 only" in str(
        summary.reports[0].error
    )
    assert [row.total for row in service.rows(TOTALS)] == [1, 3, 5]


@pytest.mark.thorough
def test_what_cannot_be_made_again_is_not_dropped_unless_it_may_be_lost(service: Service) -> None:
    service.note(("2026-01-01", "tea", 1), ("2026-01-02", "tea", 2))
    service.run()
    expire(service.context(), NOTES, before=date(2026, 1, 2))
    with pytest.raises(JobError, match="1 days up to 2026-01-01 could not be .* --even-sealed"):
        rebuild(service.context(), sum_notes)
    assert len(service.rows(AMOUNTS)) == 2
    rebuild(service.context(), sum_notes, even_sealed=True)
    service.run()
    assert [row.amount for row in service.rows(AMOUNTS)] == [2]


@pytest.mark.thorough
def test_a_sealed_day_stays_as_it_is_even_when_parameters_change(service: Service) -> None:
    service.note(("2026-01-01", "tea", 1), ("2026-01-02", "tea", 2))
    service.run()
    expire(service.context(), NOTES, before=date(2026, 1, 2))
    service.settings = {"sum_notes": {"factor": 10}}
    service.run()
    assert [row.amount for row in service.rows(AMOUNTS)] == [1, 20]


@pytest.mark.thorough
def test_dates_compute_their_windows_whether_stale_or_not_and_resume_only_the_stale(
    service: Service,
) -> None:
    service.note(("2026-01-01", "tea", 1), ("2026-01-02", "tea", 2))
    service.run()
    window = Window(date(2026, 1, 1), date(2026, 1, 3))
    forced = service.run(only=("sum_notes",), window=window)
    assert [(r.windows, r.changed) for r in forced.reports] == [(1, False)]
    assert [r.status for r in service.run(window=window, resume=True).reports] == ["up to date"] * 2


@pytest.mark.thorough
def test_a_window_beyond_the_data_is_refused(service: Service) -> None:
    service.note(("2026-01-01", "tea", 1))
    summary = service.run(window=Window(date(2026, 1, 1), date(2026, 2, 1)))
    assert summary.reports[0].status == "refused"
    assert "the data is complete through 2026-01-02" in str(summary.reports[0].error)


@pytest.mark.thorough
def test_steps_bound_the_days_of_a_call_and_give_the_same_rows(service: Service) -> None:
    service.note(*((f"2026-01-0{day}", "tea", day) for day in range(1, 6)))
    reports = service.run(step=timedelta(days=2)).reports
    assert [r.windows for r in reports] == [3, 3]
    assert [row.total for row in service.rows(TOTALS)] == [1, 3, 5, 7, 9]


@job(reads=[AMOUNTS, previous(RUNNING)], writes=[RUNNING], sequential=True)
def run_up(run: Run[JobParams]) -> None:
    """Add each day's amounts to the sum of the day before."""
    before = (
        run.read(RUNNING).where(F.col("day") == F.date_sub(F.lit(run.start), 1)).select("total")
    )
    today = run.read(AMOUNTS).select(F.col("amount").alias("total"))
    total = before.unionByName(today).agg(
        F.coalesce(F.sum("total"), F.lit(0)).cast("bigint").alias("total")
    )
    run.write(RUNNING, total.select(F.lit(run.start).alias("day"), "total"))


@pytest.mark.thorough
def test_a_sequential_job_goes_day_by_day_and_carries_a_late_change_forward(
    service: Service,
) -> None:
    service.jobs = (sum_notes, run_up)
    service.note(("2026-01-01", "tea", 1), ("2026-01-02", "tea", 2), ("2026-01-03", "tea", 3))
    assert [r.windows for r in service.run().reports] == [1, 3]
    assert [row.total for row in service.rows(RUNNING)] == [1, 3, 6]
    service.note(("2026-01-02", "tea", 10))
    service.run()
    assert [row.total for row in service.rows(RUNNING)] == [1, 13, 16]
    assert [r.status for r in service.run().reports] == ["up to date", "up to date"]


@pytest.mark.thorough
def test_days_asked_for_one_by_one_in_any_order_are_mended_to_what_one_run_makes(
    service: Service,
) -> None:
    service.jobs = (sum_notes, total_days, run_up)
    service.note(("2026-01-01", "tea", 1), ("2026-01-02", "tea", 2), ("2026-01-03", "tea", 4))
    windows = [Window.of_day(date(2026, 1, day)) for day in (3, 1, 2)]
    for window in windows:
        service.run(window=window, resume=True)
    # Without mending, what the third day was computed from came later.
    assert [row.total for row in service.rows(RUNNING)] == [1, 3, 4]
    for window in windows:
        assert service.run(window=window, resume=True, mend=True).succeeded
    assert [row.total for row in service.rows(RUNNING)] == [1, 3, 7]
    assert [row.total for row in service.rows(TOTALS)] == [1, 3, 6]
    # Nothing that was never computed is taken for stale.
    service.note(("2026-01-05", "tea", 8))
    service.run(window=windows[0], resume=True, mend=True)
    assert len(service.rows(RUNNING)) == 3


@pytest.mark.thorough
def test_a_job_on_demand_is_never_stale_and_runs_for_the_newest_day_when_it_is_named(
    service: Service,
) -> None:
    service.jobs = (sum_notes, replace(total_days, cadence=Cadence.ON_DEMAND, catchup=False))
    service.note(("2026-01-01", "tea", 1), ("2026-01-03", "tea", 2))
    summary = service.run()
    assert [report.job for report in summary.reports] == ["sum_notes"]
    assert service.pipeline().stale().keys() == {"sum_notes"}
    # Nor is it part of a stretch of days that is computed again.
    days = Window(date(2026, 1, 1), date(2026, 1, 4))
    assert [report.job for report in service.run(window=days).reports] == ["sum_notes"]
    assert service.rows(TOTALS) == []

    assert service.run(only=("total_days",)).succeeded
    assert service.rows(TOTALS) == [Row(day=date(2026, 1, 3), total=2)]
    (again,) = service.run(only=("total_days",)).reports
    assert again.status == "up to date"
    assert service.run(only=("total_days",), window=Window.of_day(date(2026, 1, 2))).succeeded
    assert service.rows(TOTALS)[0] == Row(day=date(2026, 1, 2), total=1)


@pytest.mark.thorough
def test_what_a_long_run_says_of_how_far_it_is_reaches_who_watches(service: Service) -> None:
    def tells(run: Run[JobParams]) -> None:
        run.tell(1, 2, "half")
        sum_notes.function(run)

    heard: list[tuple[str, int, int, str]] = []

    class Watcher(Silent):
        def stepped(self, report: JobReport, done: int, total: int, said: str) -> None:
            heard.append((report.job, done, total, said))

    service.jobs = (replace(sum_notes, function=tells),)
    service.note(("2026-01-01", "tea", 1))
    assert service.pipeline().run(Request(), Watcher()).succeeded
    assert heard == [("sum_notes", 1, 2, "half")]
