"""`cinelake run` without dates computes exactly what is stale."""

from __future__ import annotations

from datetime import date

from pyspark.sql import Row

from .conftest import AMOUNTS, TOTALS, Service, sum_notes, total_days


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


def test_a_second_run_does_nothing(service: Service) -> None:
    service.note(("2026-01-01", "tea", 1))
    service.run()
    before = service.version(AMOUNTS), service.version(TOTALS)
    summary = service.run()
    assert [r.status for r in summary.reports] == ["up to date", "up to date"]
    assert (service.version(AMOUNTS), service.version(TOTALS)) == before


def test_a_late_row_makes_its_day_stale_and_the_day_that_looks_back_on_it(service: Service) -> None:
    service.note(("2026-01-01", "tea", 1), ("2026-01-02", "tea", 1), ("2026-01-04", "tea", 1))
    service.run()
    service.note(("2026-01-02", "milk", 7))
    assert service.stale(sum_notes) == {date(2026, 1, 2): "changed input: notes"}
    service.run(only=("sum_notes",))
    assert list(service.stale(total_days)) == [date(2026, 1, 2), date(2026, 1, 3)]
    service.run()
    assert [row.total for row in service.rows(TOTALS)] == [1, 9, 8, 1]


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
