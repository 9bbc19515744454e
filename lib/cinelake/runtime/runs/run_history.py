"""The ledger's runs as people ask for them: which were slow, which failed, and what each cost.

A run is slow when a day of its window took more than twice what a day of the job's runs before took (the median of
five or more), and ten seconds longer: a run of two seconds that takes five is nobody's concern.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from statistics import median

from cinelake.runtime.runs.books import Entry
from cinelake.runtime.runs.usage import Usage

SLOW_FACTOR, SLOW_SECONDS, FEWEST_RUNS = 2.0, 10.0, 5
KINDS = ("job", "ingest")


@dataclass(frozen=True)
class Timed:
    """A run beside how many seconds a day of its window usually takes; None where that is not known."""

    entry: Entry
    usual: float | None

    @property
    def days(self) -> int:
        start, end = self.entry.start, self.entry.end
        return max(1, (end - start).days) if start and end else 1

    @property
    def is_slow(self) -> bool:
        if self.usual is None:
            return False
        usual = self.usual * self.days
        return self.entry.seconds > max(SLOW_FACTOR * usual, usual + SLOW_SECONDS)


def timed(entries: Sequence[Entry]) -> Iterator[Timed]:
    """The runs of jobs, oldest first, each beside those of its job before it."""
    before: defaultdict[str, list[float]] = defaultdict(list)
    for entry in entries:
        if entry.kind not in KINDS:
            continue
        past = before[entry.job]
        run = Timed(entry, median(past) if len(past) >= FEWEST_RUNS else None)
        yield run
        if entry.status == "succeeded":
            past.append(entry.seconds / run.days)


def chosen(
    entries: Sequence[Entry], *, slow: bool, failed: bool, job: str | None, last: int
) -> list[Timed]:
    """The newest `last` runs that are asked for, newest first; slow and failed ones add up."""
    found = [
        run
        for run in timed(entries)
        if (job is None or run.entry.job == job)
        and (
            not (slow or failed)
            or (slow and run.is_slow)
            or (failed and run.entry.status == "failed")
        )
    ]
    return found[::-1][:last]


@dataclass(frozen=True)
class Failure:
    """A run that failed, and whether its job has succeeded since."""

    entry: Entry
    is_over: bool


def failures(entries: Sequence[Entry], days: int) -> list[Failure]:
    """What failed in the last `days` days before the newest run, newest first."""
    newest = max((e.started_at for e in entries if e.started_at), default=None)
    if newest is None:
        return []
    since = newest - timedelta(days=days)
    succeeded: set[str] = set()
    found = []
    for entry in reversed(entries):
        if entry.status == "succeeded":
            succeeded.add(entry.job)
        elif entry.status == "failed" and entry.started_at and entry.started_at > since:
            found.append(Failure(entry, entry.job in succeeded))
    return found


def size(count: int | None) -> str:
    """Bytes for people, in powers of ten; nothing for none."""
    if not count:
        return ""
    amount, unit = float(count), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if amount < 1000:
            break
        amount, unit = amount / 1000, larger
    return f"{amount:,.0f} {unit}" if amount >= 10 or unit == "B" else f"{amount:,.1f} {unit}"


@dataclass(frozen=True)
class Cost:
    """What the newest run of a job cost that did something."""

    job: str
    seconds: float
    usage: Usage


def newest_costs(entries: Sequence[Entry]) -> list[Cost]:
    """Of each job, the newest run that succeeded and of which Spark's measures are known."""
    done = (e for e in entries if e.kind in KINDS and e.status == "succeeded")
    found = {e.job: Cost(e.job, e.seconds, e.usage) for e in done if e.usage}
    return list(found.values())
