"""Columns become JSON text that reads back as what they hold."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from cinelake.simulate.delivery import text

TIMES = [1_767_225_600_123_000, 1_767_312_000_000_000, -62_135_596_800_000_000]


@pytest.mark.parametrize(
    ("column", "read"),
    [
        (pa.array([1, -2, None]), [1, -2, None]),
        (pa.array([1.5, 0.1234567, 30.0]), [1.5, 0.123, 30]),
        (pa.array([True, None, False]), [True, None, False]),
        (pa.array(['say "hé"', "back\\slash\n", None]), ['say "hé"', "back\\slash\n", None]),
        (pa.array(["a", "b", "a"]).dictionary_encode(), ["a", "b", "a"]),
        (pa.array([7, None, 7]).dictionary_encode(), [7, None, 7]),
        (pa.array([["x", '"'], None, []]), [["x", '"'], None, []]),
        (pa.array([[1, 2], [], [3]]), [[1, 2], [], [3]]),
        (
            text.moments(np.array(TIMES)),
            ["2026-01-01T00:00:00.123Z", "2026-01-02T00:00:00.000Z", "0001-01-01T00:00:00.000Z"],
        ),
        (pa.array([20454, None, 0], pa.date32()), ["2026-01-01", None, "1970-01-01"]),
    ],
    ids=lambda value: str(value.type) if isinstance(value, pa.Array) else "",
)
def test_a_column_reads_back(column: pa.Array, read: list[Any]) -> None:
    lines = text.objects({"n": pa.array([0, 1, 2]), "value": column}).to_pylist()
    assert [json.loads(line) for line in lines] == [
        {"n": n, "value": value} for n, value in enumerate(read)
    ]


def test_lines_are_joined_in_blocks() -> None:
    lines = pa.array([b"a", b"b", b"c"], pa.binary())
    assert text.lines_by(lines, np.array([0, 2, 3])).to_pylist() == [b"a\nb", b"c"]
