"""Which windows are stale, and why: "make" for tables.

A day of a job is stale when it was never computed, when its fingerprint changed (parameters, `version=`,
contracts), or when the content of anything it reads changed. It is sealed, and never stale, when its reading
reaches into days of an input that retention has deleted: recomputing it would hollow the result out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from cinelake.runtime.given import JobParams
from cinelake.runtime.job import Job, Reading
from cinelake.runtime.runs.books import Books, differing_inputs, read_digest
from cinelake.runtime.windows import Window, contiguous
from cinelake.tables.contract import Model, Table

ModelLookup = Callable[[Model, date], str]
"""The version of a model that a window starting on a day would use, as text."""


@dataclass(frozen=True)
class Verdict:
    """The stale days of a job with the reason for each, and the days that are sealed."""

    stale: dict[date, str]
    sealed: dict[date, str]

    @property
    def windows(self) -> list[Window]:
        return list(contiguous(self.stale))

    def reasons(self) -> dict[str, list[Window]]:
        """The windows by reason, for people."""
        by_reason: dict[str, list[date]] = {}
        for day, reason in self.stale.items():
            by_reason.setdefault(reason, []).append(day)
        return {reason: list(contiguous(days)) for reason, days in by_reason.items()}


def data_through(books: Books, tables: list[str]) -> datetime | None:
    """Up to when the data is complete: the last whole hour received.

    Without ingest the newest day of content stands in for it. None when the lake is empty.
    """
    if books.received_through is not None:
        return books.received_through.replace(minute=0, second=0, microsecond=0)
    newest = [day for day in (books.last_day(table) for table in tables) if day is not None]
    if not newest:
        return None
    return datetime.combine(max(newest) + timedelta(days=1), datetime.min.time())


def read_of(job: Job, day: date, books: Books, models: ModelLookup) -> str:
    """What the one-day window reads, as a text that changes when any of it does."""
    values: dict[str, int | str] = {}
    for reading in _counted(job):
        if isinstance(reading.source, Model):
            values[reading.name] = models(reading.source, day)
        else:
            start, end = reading.reach.of(Window.of_day(day))
            values[reading.name] = books.value(reading.name, start, end)
    return read_digest(values)


def due_days(job: Job, books: Books, through: date) -> list[date]:
    """The days the job is due for, given data complete up to `through`."""
    first = _first_day(job, books)
    if first is None or first >= through:
        return []
    if not job.catchup:
        newest = job.cadence.newest_due(through)
        return [newest] if newest >= first else []
    return [day for day in Window(first, through).days if job.cadence.is_due(day)]


def judge(
    job: Job,
    params: JobParams,
    books: Books,
    models: ModelLookup,
    days: list[date],
    *,
    force: bool = False,
) -> Verdict:
    """The verdict on `days`; with `force` every day that is not sealed counts as stale."""
    fingerprint = job.fingerprint(params)
    stale: dict[date, str] = {}
    sealed: dict[date, str] = {}
    for day in days:
        reason = _stale_reason(job, fingerprint, day, books, models)
        if reason is None and not force:
            continue
        hollow = sealed_by(job, day, books)
        if hollow is not None:
            sealed[day] = hollow
        else:
            stale[day] = reason or "asked for by dates"
    return Verdict(stale, sealed)


def sealed_by(job: Job, day: date, books: Books) -> str | None:
    """Which input's retention seals the day, in words; None when none does."""
    for reading in job.reads:
        kept_from = books.retained_from.get(reading.name)
        if kept_from is None:
            continue
        start, end = reading.reach.of(Window.of_day(day))
        if start < kept_from and books.value(reading.name, start, min(end, kept_from)):
            return f"{reading.name} holds rows from {kept_from} only, and this window reads from before"
    return None


def _stale_reason(
    job: Job, fingerprint: str, day: date, books: Books, models: ModelLookup
) -> str | None:
    done = books.done(job.name, day)
    if done is None:
        return "never computed"
    if done.fingerprint != fingerprint:
        return "parameters, version or contract changed"
    now = read_of(job, day, books, models)
    if done.read != now:
        return "changed input: " + ", ".join(differing_inputs(done.read, now))
    return None


def _first_day(job: Job, books: Books) -> date | None:
    days = []
    for reading in _counted(job):
        if isinstance(reading.source, Table) and not reading.previous:
            first = books.first_day(reading.name)
            if first is not None:
                days.append(reading.reach.first_affected(first))
    return min(days, default=None)


def _counted(job: Job) -> list[Reading]:
    """The readings whose content decides staleness: a growing table that the job itself writes does not."""
    own = {written.name for written in job.writes}
    return [
        reading
        for reading in job.reads
        if not (
            reading.name in own and isinstance(reading.source, Table) and reading.source.growing
        )
    ]
