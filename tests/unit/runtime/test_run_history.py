"""Runs are slow beside those of their own job before them, a day of the window for a day."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from cinelake.runtime.runs.books import Entry
from cinelake.runtime.runs.run_history import chosen, newest_costs, size, timed
from cinelake.runtime.runs.usage import Usage

DAY = date(2026, 1, 1)


def ran(seconds: float, days: int = 1, **told: Any) -> Entry:
    own = {"job": "sum", "status": "succeeded", "end": DAY + timedelta(days=days)} | told
    at = datetime(2026, 1, 1, tzinfo=UTC)
    return Entry(run_id="r", kind="job", start=DAY, seconds=seconds, started_at=at, **own)


USUAL = [ran(20.0)] * 5


@pytest.mark.parametrize(
    ("before", "run", "is_slow"),
    [
        (USUAL, ran(41.0), True),
        (USUAL, ran(39.0), False),
        # Two days take twice as long.
        (USUAL, ran(60.0, days=2), False),
        # Nothing is known yet, and seconds are nobody's concern.
        (USUAL[:4], ran(99.0), False),
        ([ran(2.0)] * 5, ran(11.0), False),
        # Another job's runs say nothing, nor do failed ones.
        ([ran(20.0, job="other")] * 5, ran(99.0), False),
        ([ran(20.0, status="failed")] * 5, ran(99.0), False),
    ],
)
def test_a_slow_run_took_twice_as_long_as_is_usual(
    before: list[Entry], run: Entry, is_slow: bool
) -> None:
    assert [each.is_slow for each in timed([*before, run])][-1] is is_slow


def test_slow_and_failed_runs_are_listed_newest_first_and_no_resets() -> None:
    failed, slow = ran(1.0, status="failed"), ran(50.0)
    entries = [*USUAL, failed, slow, Entry("x", "sum", "reset", "succeeded")]

    def listed(**asked: bool) -> list[float]:
        how = {"slow": False, "failed": False} | asked
        return [each.entry.seconds for each in chosen(entries, job="sum", last=3, **how)]

    assert listed() == [50.0, 1.0, 20.0]
    assert listed(slow=True, failed=True) == [50.0, 1.0]
    assert listed(failed=True) == [1.0]
    assert chosen(entries, slow=False, failed=False, job="other", last=3) == []


def test_costs_are_those_of_the_newest_run_that_is_measured() -> None:
    entries = [ran(1.0, usage=Usage(tasks=1)), ran(2.0, usage=Usage(tasks=2)), ran(3.0)]
    # One that failed half-way costs less than the job does.
    entries.append(ran(0.5, usage=Usage(tasks=1), status="failed"))
    assert [(each.seconds, each.usage.tasks) for each in newest_costs(entries)] == [(2.0, 2)]


@pytest.mark.parametrize(
    ("count", "said"),
    [(None, ""), (0, ""), (999, "999 B"), (1500, "1.5 kB"), (12_345_678, "12 MB"), (10**16, "10,000 TB")],
)  # fmt: skip
def test_sizes_are_told_in_powers_of_ten(count: int | None, said: str) -> None:
    assert size(count) == said
