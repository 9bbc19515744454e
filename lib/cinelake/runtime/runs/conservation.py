"""Conservation: what went into a table's job came out again, as rows or as rows turned away.

Grain: one `Balance` a run of a job and table; balances of several runs add up.

Of an ingest job, `given` are the lines that landed, counted as they are read and before anything looks at them, and
`kept` are the rows that Delta says its commit added. A file turned away whole counts as one on both sides.
Of a windowed job, `given` are the rows of an input in the window, as the ledger knows them. Where a row of the input
is a row of the output, as its reading says (`accounted`), `kept` are the rows published; of two such inputs of one
output there is one balance. Where a row stands for many, the job says what becomes of its input (`Run.account_for`).
`turned_away` counts rows by the first reason against each, so duplicates stand by themselves. All counts come
from passes that are made anyway, but for one aggregation of rejected rows where there are any.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pyspark.sql import Column, DataFrame, Observation
from pyspark.sql import functions as F

from cinelake.sources.bronze import holds_record

# What stands before a source's name where a table's name would stand.
LANDED = "landing/"
# The count comes with the end of the pass over the lines, through a queue of events.
WAIT_SECONDS = 10


@dataclass(frozen=True)
class Balance:
    """What became of what a table was made from."""

    source: str
    table: str
    given: int
    kept: int
    turned_away: Mapping[str, int] = field(default_factory=dict)
    # By reason; each file counts once.
    files: Mapping[str, int] = field(default_factory=dict)

    @property
    def reasons(self) -> list[tuple[str, int]]:
        """What was turned away, rows and whole files, by reason; most first."""
        files = {f"whole files: {reason}": count for reason, count in self.files.items()}
        counts = {**self.turned_away, **files}
        return sorted(counts.items(), key=lambda item: (-item[1], item[0]))

    @property
    def missing(self) -> int:
        """Rows that nobody can account for; below zero where there are more than were given."""
        return self.given - self.kept - sum(count for _, count in self.reasons)

    def __add__(self, other: Balance) -> Balance:
        return Balance(
            self.source,
            self.table,
            self.given + other.given,
            self.kept + other.kept,
            dict(Counter(self.turned_away) + Counter(other.turned_away)),
            dict(Counter(self.files) + Counter(other.files)),
        )

    def to_dict(self) -> dict[str, Any]:
        """For a JSON summary."""
        return {
            "from": self.source,
            "to": self.table,
            "given": self.given,
            "kept": self.kept,
            "turned_away": dict(self.turned_away),
            "files": dict(self.files),
            "missing": self.missing,
        }


def summed(balances: Iterable[Balance]) -> list[Balance]:
    """One balance a pair of source and table, in the order in which they first came."""
    totals: dict[tuple[str, str], Balance] = {}
    for balance in balances:
        pair = balance.source, balance.table
        totals[pair] = totals[pair] + balance if pair in totals else balance
    return list(totals.values())


class Observed:
    """A frame whose rows are added up while they pass for the first time: each of `figures` is an aggregate."""

    def __init__(self, frame: DataFrame, **figures: Column) -> None:
        self._names = tuple(figures)
        self._observation = Observation()
        named = (figure.alias(name) for name, figure in figures.items())
        self.frame = frame.observe(self._observation, *named)

    def figures(self) -> dict[str, Any]:
        """Each of them; none when no row passed, as where a batch holds no file."""
        java: Any = self._observation._jo
        # To ask for a figure that never comes would wait for ever.
        until = time.monotonic() + WAIT_SECONDS
        while not java.future().isCompleted() and time.monotonic() < until:
            time.sleep(0.01)
        if not java.future().isCompleted() or java.getRow().size() == 0:
            return {}
        found = self._observation.get
        return {name: found[name] for name in self._names}


class Counted(Observed):
    """A frame whose rows are counted while they pass for the first time: the sum of each of `numbers`."""

    def __init__(self, frame: DataFrame, **numbers: Column) -> None:
        sums = {name: F.sum(number.cast("bigint")) for name, number in numbers.items()}
        super().__init__(frame, **sums)

    def sums(self) -> dict[str, int]:
        """The sum of each; 0 when no row passed."""
        found = self.figures()
        return {name: int(found.get(name) or 0) for name in self._names}


def landed(lines: DataFrame) -> Counted:
    """Landed lines, counted as what they are: `lines` are those with text."""
    return Counted(lines, lines=holds_record())
