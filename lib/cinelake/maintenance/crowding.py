"""Which partitions of a table are worth compacting.

Every run that changes a day, and every micro-batch, leaves files behind; a reader opens each of them, and of small
ones the opening is most of what it costs. A partition is crowded when enough of its files are small to save some.
Files that have their size are left alone: to write them again would cost what it saves.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence


def crowded(
    partitions: Iterable[tuple[str | None, Sequence[int]]], small: int, at_least: int
) -> list[str | None]:
    """The partitions with `at_least` files of less than `small` bytes, in order; None is a table without any."""
    return [
        day for day, sizes in partitions if sum(size < small for size in sizes) >= max(at_least, 2)
    ]


def saved(before: Mapping[str, int], after: Mapping[str, int]) -> str:
    """How many files there were and are, in words; `before` and `after` are numbers of files by table."""
    fewer = sum(before.values()) - sum(after.get(name, 0) for name in before)
    tables = sum(before[name] > after.get(name, 0) for name in before)
    return f"{fewer:,} files less, in {tables:,} {'table' if tables == 1 else 'tables'}"
