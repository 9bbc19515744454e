"""Runs the graph: every job over its stale windows, in one Spark session, side by side where they can be.

A failing job stops only what builds on it. Which windows are stale is asked when a job's turn has come, for by
then its inputs may have turned out to be unchanged.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import partial
from threading import Lock
from typing import Any, Protocol

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException

from cinelake.runtime.intake.freshness import stopped_by_now
from cinelake.runtime.intake.inlets import Inlets
from cinelake.runtime.job import AnyJob, Ingest, Job, Maintenance
from cinelake.runtime.runs.conservation import Balance, summed
from cinelake.runtime.runs.context import Context, said
from cinelake.runtime.runs.graph import Graph, GraphError, is_on_demand
from cinelake.runtime.runs.ingestion import take_in
from cinelake.runtime.runs.maintenance import maintain
from cinelake.runtime.runs.runner import Outcome, compute
from cinelake.runtime.runs.side_by_side import run_side_by_side
from cinelake.runtime.runs.staleness import Verdict, data_through, due_days, judge
from cinelake.runtime.runs.upkeep import notice_others
from cinelake.runtime.tracking.store import TrackingError
from cinelake.runtime.windows import Window, complete_days, contiguous
from cinelake.sources.catalog import all_sources
from cinelake.tables.catalog import all_tables
from cinelake.tables.contract import Table

# A job that reads its own past may change days that make later days of itself stale; it settles in two.
PASSES = 5
GOOD = ("succeeded", "up to date", "nothing landed", "yielded")
# How a command ends; 2 is for wrong arguments.
DONE, FAILED, WARNED = 0, 1, 3


class WindowRefused(ValueError):
    """Windows asked for by dates that cannot be computed; the message says why."""


@dataclass(frozen=True)
class Request:
    """What a person or a scheduler asked for.

    Without `window` the stale windows are computed. With it, every window in it is computed, unless `resume`
    says to leave out what is done already. `mend` adds what was done before, on whatever day, and has become stale
    since, and the days between those done and the window that were left out, as where a run failed: for a scheduler
    that asks for one day at a time, in any order. `step` bounds how many days go into one call.
    A `trigger` other than `availableNow` takes in what arrives until the run is interrupted, and computes no windows.
    """

    window: Window | None = None
    only: tuple[str, ...] = ()
    until: str | None = None
    resume: bool = False
    mend: bool = False
    step: timedelta | None = None
    trigger: dict[str, Any] = field(default_factory=lambda: {"availableNow": True})

    @property
    def is_whole(self) -> bool:
        """Whether all that is stale was asked for."""
        return not (self.window or self.only or self.until or self.endless)

    @property
    def endless(self) -> bool:
        """Whether nothing but an interrupt ends the run."""
        return "availableNow" not in self.trigger


def chosen(graph: Graph, request: Request) -> list[AnyJob]:
    """The jobs that the request is for, in the graph's order; raises GraphError when it contradicts itself."""
    jobs = graph.select(request.only, request.until)
    if not request.endless:
        return jobs
    sources: list[AnyJob] = [job for job in jobs if isinstance(job, Ingest)]
    windowed = [job.name for job in jobs if job.name in request.only and job not in sources]
    if windowed:
        raise GraphError(
            f"a trigger drives ingest jobs alone, and {', '.join(windowed)} computes windows; "
            "run it without --trigger"
        )
    return sources


@dataclass
class JobReport:
    """What became of one job in a run of the pipeline."""

    job: str
    area: str
    status: str = "waiting"
    windows: int = 0
    rows_in: int = 0
    rows_out: int = 0
    quarantined: int = 0
    changed: bool = False
    seconds: float = 0.0
    error: str | None = None
    balances: list[Balance] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    # Jobs on demand that may help with what it warned of.
    called_for: list[str] = field(default_factory=list)

    def add(self, outcome: Outcome) -> None:
        self.status = outcome.status
        self.windows += outcome.window is not None
        self.rows_in += outcome.rows_in
        self.rows_out += outcome.rows_out
        self.quarantined += outcome.quarantined
        self.changed |= outcome.changed
        self.seconds += outcome.seconds
        self.balances = summed([*self.balances, *outcome.balances])
        self.warnings += outcome.warnings
        self.notes += outcome.notes
        self.called_for += outcome.called_for
        if outcome.error is not None:
            self.error = said(outcome.error)

    @property
    def state(self) -> str:
        """The status as people are told it."""
        return "warned" if self.status == "succeeded" and self.warnings else self.status

    @property
    def good(self) -> bool:
        return self.status in GOOD

    @property
    def files(self) -> dict[str, int]:
        """Landing files that were turned away whole, by reason."""
        found: Counter[str] = Counter()
        for balance in self.balances:
            found.update(balance.files)
        return dict(sorted(found.items()))


class Progress(Protocol):
    """Told what goes on; draws it or not."""

    def started(self, report: JobReport, doing: str) -> None: ...

    def stepped(self, report: JobReport, done: int, total: int, said: str) -> None: ...

    def ended(self, report: JobReport) -> None: ...


@dataclass(frozen=True)
class Summary:
    """The result of a run of the pipeline."""

    reports: list[JobReport]
    seconds: float
    data_through: str | None
    # Folders of the landing area that no job reads, with how many files lie there.
    unclaimed: dict[str, int] = field(default_factory=dict)
    # What is wrong with deliveries as a whole; each counts as a warning.
    alarms: list[str] = field(default_factory=list)

    @property
    def succeeded(self) -> bool:
        return all(report.good for report in self.reports)

    @property
    def warnings(self) -> int:
        return len(self.alarms) + sum(len(report.warnings) for report in self.reports)

    @property
    def exit_code(self) -> int:
        """What a scheduler is told."""
        if not self.succeeded:
            return FAILED
        return WARNED if self.warnings else DONE

    @property
    def balances(self) -> list[Balance]:
        return [balance for report in self.reports for balance in report.balances]

    def to_json(self) -> str:
        """One line for schedulers."""
        return json.dumps(
            {
                "status": "succeeded" if self.succeeded else "failed",
                "seconds": round(self.seconds, 1),
                "data_through": self.data_through,
                "rows_out": sum(r.rows_out for r in self.reports),
                "quarantined": sum(r.quarantined for r in self.reports),
                "quarantined_files": sum(sum(r.files.values()) for r in self.reports),
                "warnings": self.warnings,
                "missing": sum(abs(balance.missing) for balance in self.balances),
                "unclaimed": self.unclaimed,
                "alarms": self.alarms,
                "jobs": {
                    r.job: {
                        "status": r.status,
                        "windows": r.windows,
                        "rows_in": r.rows_in,
                        "rows_out": r.rows_out,
                        "quarantined": r.quarantined,
                        **({"quarantined_files": r.files} if r.files else {}),
                        **({"warnings": r.warnings} if r.warnings else {}),
                        **({"notes": r.notes} if r.notes else {}),
                        "changed": r.changed,
                        "seconds": round(r.seconds, 1),
                        **({"error": r.error.splitlines()[0][:300]} if r.error else {}),
                    }
                    for r in self.reports
                },
                "balances": [balance.to_dict() for balance in self.balances],
            }
        )


class _Told:
    """Progress that many tell of and that hears one at a time."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._lock = Lock()

    def started(self, report: JobReport, doing: str) -> None:
        with self._lock:
            self._progress.started(report, doing)

    def stepped(self, report: JobReport, done: int, total: int, said: str) -> None:
        with self._lock:
            self._progress.stepped(report, done, total, said)

    def ended(self, report: JobReport) -> None:
        with self._lock:
            self._progress.ended(report)


class Pipeline:
    """A graph, and the lake on which it runs, `at_once` jobs at a time.

    It warns where the newest record is older than `freshness`, if that is not zero.
    """

    def __init__(
        self,
        graph: Graph,
        context: Context,
        inlets: Inlets,
        at_once: int = 1,
        freshness: timedelta = timedelta(0),
    ) -> None:
        self.graph = graph
        self.context = context
        self._inlets = inlets
        self._at_once = at_once
        self._freshness = freshness

    @property
    def complete_through(self) -> date | None:
        """The day up to which all data have come in, by the newest receipt; None for an empty lake."""
        return self._through()

    def has_data_before(self, day: date) -> bool:
        """Whether the data of all days before `day` are complete."""
        through = self._through()
        return through is not None and day <= through

    def stale(self) -> dict[str, Verdict]:
        """The verdict on every windowed job that is due by itself, as the lake stands now; reads only."""
        notice_others(self.context, self.graph.tables, remember=False)
        return {
            job.name: self._judge(job, self._due(job))
            for job in self.graph.order
            if isinstance(job, Job) and not is_on_demand(job)
        }

    def run(self, request: Request, progress: Progress) -> Summary:
        """Do what is asked; failures are in the summary."""
        started = time.monotonic()
        notice_others(self.context, self.graph.tables)
        jobs = chosen(self.graph, request)
        # Streams that wait for one another would wait for ever.
        at_once = max(1, len(jobs)) if request.endless else self._at_once
        reports = {job.name: JobReport(job.name, job.area) for job in jobs}
        broken: dict[str, str] = {}
        told = _Told(progress)

        def work(job: AnyJob) -> None:
            report = reports[job.name]
            culprit = next(
                (broken[up] for up in sorted(self.graph.upstream[job.name]) if up in broken), None
            )
            if culprit is not None:
                report.status, report.error = "skipped", f"{culprit} failed"
                broken[job.name] = culprit
            else:
                self._run_job(job, request, report, told)
                if not report.good:
                    broken[job.name] = job.name
            told.ended(report)

        run_side_by_side(jobs, at_once, work, self.context.lake.cancel)
        if request.is_whole:
            called_for = (name for report in reports.values() for name in report.called_for)
            for job in self.graph.on_demand(called_for):
                reports[job.name] = JobReport(job.name, job.area)
                work(job)
        self.context.ledger.tidy()
        through = data_through(self.context.books, [table.name for table in self.graph.tables])
        return Summary(
            list(reports.values()),
            time.monotonic() - started,
            through.isoformat() if through else None,
            self._unclaimed(),
            self._alarms([job for job in jobs if isinstance(job, Ingest)]),
        )

    def _alarms(self, sources: list[Ingest]) -> list[str]:
        """What is wrong with deliveries as a whole, where any were looked for."""
        missing = {self._inlets.of(job.source.name).missing() for job in sources}
        found = sorted(told for told in missing if told is not None)
        received, landing = self.context.books.received_through, self.context.lake.landing
        old = stopped_by_now(received, self._freshness, landing) if sources else None
        return [*found, *([old] if old else [])]

    def _unclaimed(self) -> dict[str, int]:
        """What landed where nobody looks for it, such as under a source's name misspelt."""
        lake, known = self.context.lake, all_sources()
        folders = [name for name in lake.storage.names(lake.landing) if name[0] not in "._"]
        counts = {
            name: len(lake.storage.files(f"{lake.landing}/{name}"))
            for name in folders
            if name not in known
        }
        return {name: count for name, count in counts.items() if count}

    def _run_job(
        self, job: AnyJob, request: Request, report: JobReport, progress: Progress
    ) -> None:
        try:
            if isinstance(job, Ingest):
                progress.started(report, "what is new")
                inlet = self._inlets.of(job.source.name)
                report.add(take_in(self.context, job, inlet, request.trigger))
                return
            if isinstance(job, Maintenance):
                progress.started(report, "all tables")
                report.add(maintain(self.context, job, self._everything()))
                return
            for window in self._windows(job, request):
                progress.started(report, str(window))
                report.add(compute(self.context, job, window, partial(progress.stepped, report)))
                if not report.good:
                    return
        except WindowRefused as refusal:
            report.status, report.error = "refused", str(refusal)
            return
        # Which version of a model a window would use decides whether it is stale; and a disk may be full when a
        # run is entered that is away from MLflow.
        except (TrackingError, OSError, Py4JError, PySparkException) as error:
            report.status, report.error = "failed", said(error)
            return
        if report.windows == 0:
            report.status = "up to date"

    def _windows(self, job: Job, request: Request) -> Iterator[Window]:
        if request.window is not None:
            yield from self._asked(job, request, request.window)
            if request.mend:
                yield from self._mended(job, request, request.window.end)
            return
        for _ in range(PASSES):
            verdict = self._judge(job, self._due(job))
            if not verdict.stale:
                return
            yield from _calls(job, list(verdict.stale), request.step)

    def _asked(self, job: Job, request: Request, window: Window) -> Iterator[Window]:
        through = self._through()
        if through is None:
            raise WindowRefused("the lake holds no data; ingest something first")
        if window.end > through:
            raise WindowRefused(
                f"the data is complete through {through}, and {window} reaches beyond; ingest first, or end earlier"
            )
        days = [day for day in window.days if job.cadence.is_due(day)]
        verdict = self._judge(job, days, force=not request.resume)
        if verdict.sealed:
            day, why = next(iter(verdict.sealed.items()))
            raise WindowRefused(f"{day} is sealed: {why}; recomputing it would lose rows")
        yield from _calls(job, list(verdict.stale), request.step)

    def _everything(self) -> list[Table]:
        """Every table that the lake may hold: those of the graph, and those of people and of the lake's own books."""
        return list((all_tables() | {table.name: table for table in self.graph.tables}).values())

    def _mended(self, job: Job, request: Request, end: date) -> Iterator[Window]:
        # Of a job that does not catch up only the newest day counts, or the one that was asked for.
        for _ in range(PASSES if job.catchup else 0):
            done = self.context.books.done_days(job.name)
            # Nobody will ask for a day again whose run was refused. What lies before the first was never asked for.
            missed = [d for d in due_days(job, self.context.books, end) if done and d > done[0]]
            verdict = self._judge(job, sorted({*done, *missed}))
            if not verdict.stale:
                return
            yield from _calls(job, list(verdict.stale), request.step)

    def _judge(self, job: Job, days: list[date], *, force: bool = False) -> Verdict:
        context = self.context
        return judge(
            job, context.params(job), context.books, context.model_version, days, force=force
        )

    def _due(self, job: Job) -> list[date]:
        through = self._through()
        return [] if through is None else due_days(job, self.context.books, through)

    def _through(self) -> date | None:
        through = data_through(self.context.books, [table.name for table in self.graph.tables])
        return None if through is None else complete_days(through)


def _calls(job: Job, days: list[date], step: timedelta | None) -> Iterator[Window]:
    """The calls that compute `days`: as few as possible, for a call's fixed cost is that of many days."""
    one_by_one = job.sequential or not job.catchup
    longest = 1 if one_by_one else step.days if step else None
    for window in contiguous(days):
        if longest is None:
            yield window
            continue
        start = window.start
        while start < window.end:
            end = min(start + timedelta(days=longest), window.end)
            yield Window(start, end)
            start = end
