"""Partitions are compacted where enough small files lie together; large ones are left alone."""

from __future__ import annotations

import pytest

from cinelake.maintenance.crowding import crowded, saved

SMALL, LARGE = 10, 1000


@pytest.mark.parametrize(
    ("sizes", "at_least", "is_crowded"),
    [
        ([SMALL] * 4, 4, True),
        ([SMALL] * 3, 4, False),
        # The large one would only be written once more.
        ([SMALL] * 3 + [LARGE], 4, False),
        ([99] * 4, 4, True),
        ([100] * 4, 4, False),
        # One file cannot become fewer.
        ([SMALL], 1, False),
        ([], 2, False),
    ],
)
def test_a_partition_is_crowded_with_small_files(
    sizes: list[int], at_least: int, is_crowded: bool
) -> None:
    assert crowded([("2026-01-01", sizes)], 100, at_least) == ["2026-01-01"] * is_crowded


def test_a_table_without_partitions_is_one() -> None:
    assert crowded([(None, [SMALL, SMALL]), ("d", [SMALL])], 100, 2) == [None]


def test_what_was_saved_is_told_of_all_tables() -> None:
    assert saved({"a": 9, "b": 4}, {"a": 3, "b": 4}) == "6 files less, in 1 table"
    assert saved({"a": 9, "b": 4}, {"a": 3, "b": 1}) == "9 files less, in 2 tables"
