"""What is kept of an error: enough to act on, and nothing that quotes a row."""

from __future__ import annotations

from pyspark.errors import PySparkException

from cinelake.runtime.context import said


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
