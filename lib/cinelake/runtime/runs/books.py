"""What the ledger knows, held in memory: which content every table has per day, and what each job has done.

Pure: made from ledger entries, oldest first, and asked by the planner. Sizes are jobs × days, some tens of
thousands of small values for years of history.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime

from cinelake.runtime.runs.conservation import Balance
from cinelake.runtime.runs.digest import EMPTY, Digest
from cinelake.runtime.runs.usage import Usage
from cinelake.runtime.windows import Window

_MASK = (1 << 64) - 1


@dataclass(frozen=True)
class DayEntry:
    """One day of a run: digests of each input's rows in reach, and of the rows published, by table."""

    day: date
    read: str
    outputs: dict[str, Digest]


@dataclass(frozen=True)
class Entry:
    """One row of `job_runs`."""

    run_id: str
    job: str
    kind: str
    status: str
    sequence: int = 0
    start: date | None = None
    end: date | None = None
    fingerprint: str | None = None
    code_version: str | None = None
    input_versions: dict[str, int] = field(default_factory=dict)
    output_versions: dict[str, int] = field(default_factory=dict)
    rows_in: dict[str, int] = field(default_factory=dict)
    rows_out: dict[str, int] = field(default_factory=dict)
    quarantined: dict[str, int] = field(default_factory=dict)
    days: tuple[DayEntry, ...] = ()
    balances: tuple[Balance, ...] = ()
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    usage: Usage | None = None
    received_through: datetime | None = None
    started_at: datetime | None = None
    seconds: float = 0.0
    error: str | None = None


@dataclass(frozen=True)
class Done:
    """What a job last did for a day."""

    read: str
    fingerprint: str | None
    run_id: str


@dataclass
class _DayContent:
    digest: Digest = EMPTY
    # Versions of commits by others since we last published the day.
    disturbed_by: tuple[str, ...] = ()

    def value(self, day: date) -> int:
        if self.digest.rows == 0 and not self.disturbed_by:
            return 0
        text = "|".join((day.isoformat(), str(self.digest), *self.disturbed_by))
        return hash_of(text)


class Books:
    """The state that the ledger's entries add up to."""

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        self._content: dict[str, dict[date, _DayContent]] = defaultdict(dict)
        self._sums: dict[str, tuple[list[date], list[int], list[int]]] = {}
        self._done: dict[str, dict[date, Done]] = defaultdict(dict)
        self._quarantined_days: dict[tuple[str, str], set[date]] = defaultdict(set)
        self._whole: dict[str, int] = defaultdict(int)
        self.retained_from: dict[str, date] = {}
        self.versions: dict[str, int] = {}
        self._received_through: dict[str, datetime] = {}
        self.landing_seen: dict[str, str] = {}
        for entry in entries:
            self.apply(entry)

    def apply(self, entry: Entry) -> None:
        """Take one more entry into account; failed and yielded runs published nothing."""
        if entry.status != "succeeded":
            return
        for table, version in entry.output_versions.items():
            self.versions[table] = max(version, self.versions.get(table, version))
        match entry.kind:
            case "job":
                self._apply_job(entry)
            case "ingest":
                self._apply_append(entry)
            case "external":
                self._apply_append(entry)
            case "foreign":
                self._apply_foreign(entry)
            case "retention":
                self._apply_retention(entry)
            case "reset":
                self._apply_reset(entry)
            case unknown:
                raise ValueError(
                    f"job_runs holds an entry of unknown kind {unknown!r} (run {entry.run_id})"
                )

    # ---- questions

    @property
    def received_through(self) -> datetime | None:
        """When the newest record of any source was received."""
        return max(self._received_through.values(), default=None)

    def digest(self, table: str, day: date) -> Digest | None:
        """The digest last published for the day; None when unknown or disturbed by somebody's commit."""
        content = self._content[table].get(day)
        return None if content is None or content.disturbed_by else content.digest

    def days(self, table: str) -> dict[date, Digest | None]:
        """The digest last published for each day; None for one that somebody's commit disturbed."""
        return {
            day: None if content.disturbed_by else content.digest
            for day, content in self._content[table].items()
        }

    def first_day(self, table: str) -> date | None:
        """The earliest day that holds rows."""
        days = self._summed(table)[0]
        return days[0] if days else None

    def last_day(self, table: str) -> date | None:
        """The latest day that holds rows."""
        days = self._summed(table)[0]
        return days[-1] if days else None

    def value(self, table: str, start: date, end: date) -> int:
        """A number that changes when the content of `[start, end)` does; 0 for no rows."""
        days, sums, _ = self._summed(table)
        low, high = bisect_left(days, start), bisect_left(days, end)
        return (sums[high] - sums[low] + self._whole[table]) & _MASK

    def rows(self, table: str, start: date, end: date) -> int:
        """How many rows the ledger knows in `[start, end)`."""
        days, _, rows = self._summed(table)
        return rows[bisect_left(days, end)] - rows[bisect_left(days, start)]

    def knows(self, table: str, start: date, end: date) -> bool:
        """Whether all rows of `[start, end)` were put there by us, and none has been removed."""
        whole = self.retained_from.get(table, date.min) <= start and not self._whole[table]
        return whole and not any(
            content.disturbed_by
            for day, content in self._content[table].items()
            if start <= day < end
        )

    def done(self, job: str, day: date) -> Done | None:
        return self._done[job].get(day)

    def done_days(self, job: str) -> list[date]:
        """The days that the job has done, in order."""
        return sorted(self._done[job])

    def has_quarantined(self, job: str, table: str, days: Iterable[date]) -> bool:
        """Whether earlier published runs turned rows away in these days."""
        known = self._quarantined_days[job, table]
        return bool(known) and any(day in known for day in days)

    # ---- entries

    def _apply_job(self, entry: Entry) -> None:
        for day in entry.days:
            self._done[entry.job][day.day] = Done(day.read, entry.fingerprint, entry.run_id)
            for table, digest in day.outputs.items():
                self._content[table][day.day] = _DayContent(digest)
                self._sums.pop(table, None)
            for table in day.outputs:
                marked = self._quarantined_days[entry.job, table]
                (marked.add if entry.quarantined.get(table) else marked.discard)(day.day)

    def _apply_append(self, entry: Entry) -> None:
        for day in entry.days:
            for table, digest in day.outputs.items():
                content = self._content[table].setdefault(day.day, _DayContent())
                content.digest += digest
                self._sums.pop(table, None)
        if entry.received_through is not None:
            known = self._received_through.get(entry.job, entry.received_through)
            self._received_through[entry.job] = max(known, entry.received_through)
        if entry.kind == "ingest" and entry.fingerprint:
            self.landing_seen[entry.job] = entry.fingerprint

    def _apply_foreign(self, entry: Entry) -> None:
        for table, version in entry.output_versions.items():
            mark = f"{table}@{version}"
            for day in self._touched(table, entry.start, entry.end):
                content = self._content[table].setdefault(day, _DayContent())
                content.disturbed_by = (*content.disturbed_by, mark)
            if not self._content[table]:
                self._whole[table] = (self._whole[table] + hash_of(mark)) & _MASK
            self._sums.pop(table, None)

    def _touched(self, table: str, start: date | None, end: date | None) -> list[date]:
        if start is not None and end is not None:
            return Window(start, end).days
        return list(self._content[table])

    def _apply_retention(self, entry: Entry) -> None:
        assert entry.end is not None, (
            "a retention entry says in window_end before which day rows went"
        )
        for table in entry.output_versions:
            self.retained_from[table] = max(entry.end, self.retained_from.get(table, entry.end))

    def _apply_reset(self, entry: Entry) -> None:
        for table in entry.output_versions:
            self._content.pop(table, None)
            self._sums.pop(table, None)
            self._whole.pop(table, None)
            self.retained_from.pop(table, None)
            self.versions.pop(table, None)
        self._done.pop(entry.job, None)
        self.landing_seen.pop(entry.job, None)
        self._received_through.pop(entry.job, None)

    def _summed(self, table: str) -> tuple[list[date], list[int], list[int]]:
        if table not in self._sums:
            values = [(day, content) for day, content in sorted(self._content[table].items())]
            held = [(day, c.value(day), c.digest.rows) for day, c in values if c.value(day)]
            sums, rows = [0], [0]
            for _, value, count in held:
                sums.append((sums[-1] + value) & _MASK)
                rows.append(rows[-1] + count)
            self._sums[table] = ([day for day, _, _ in held], sums, rows)
        return self._sums[table]


def hash_of(text: str) -> int:
    """64 bits of `text`."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest())


def differing_inputs(before: str, now: str) -> Iterator[str]:
    """The names of inputs whose part of a `read` digest changed."""
    old, new = _parts(before), _parts(now)
    for name in sorted(old.keys() | new.keys()):
        if old.get(name) != new.get(name):
            yield name


def read_digest(values: dict[str, int | str]) -> str:
    """One text for what a day read: `name=value` pairs, sorted by name."""
    return " ".join(
        f"{name}={value:x}" if isinstance(value, int) else f"{name}={value}"
        for name, value in sorted(values.items())
    )


def _parts(read: str) -> dict[str, str]:
    return dict(part.split("=", 1) for part in read.split())
