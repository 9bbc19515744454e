"""What is entered of a run: when it began, and of an error enough to act on and nothing that quotes a row."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from pyspark.errors import PySparkException

from cinelake.runtime.runs.context import new_entry, said


def test_what_the_machine_lacked_is_said_however_deep_it_stands() -> None:
    deep = PySparkException(
        "Task failed while writing rows to file:/lake/ratings.\n"
        "Caused by: java.lang.NumberFormatException: For input string: 'Maria'\n"
        "Caused by: java.io.IOException: No space left on device"
    )
    assert said(deep) == (
        "No space left on device: PySparkException: Task failed while writing rows to file:/lake/ratings."
    )


def test_what_stands_in_the_first_line_is_said_once() -> None:
    assert said(PySparkException("Permission denied: /lake\nand more")) == (
        "PySparkException: Permission denied: /lake"
    )
    assert said(ValueError("no such day")) == "ValueError: no such day"


def test_an_entry_that_is_made_at_the_end_says_when_the_run_began() -> None:
    before = datetime.now(UTC)
    entry = new_entry("build_titles", "job", seconds=60.0)
    after = datetime.now(UTC)
    assert entry.started_at is not None
    assert before <= entry.started_at + timedelta(seconds=60) <= after
