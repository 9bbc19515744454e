"""Runs one job over one window in the lake: pin the inputs, compute, publish, enter it into the ledger.

Whoever publishes a window from older inputs than somebody else already did withdraws; whoever finds that the
inputs have moved on in between starts again from the new ones.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from cinelake.runtime.code_version import code_version
from cinelake.runtime.delta.commits import Commit, Note
from cinelake.runtime.given import JobError, JobParams, Listener, Run
from cinelake.runtime.job import Job, hash_of_content
from cinelake.runtime.runs.books import Books, DayEntry, Entry
from cinelake.runtime.runs.conservation import Balance, Counted, Observed
from cinelake.runtime.runs.context import Context, new_entry, new_run_id, said
from cinelake.runtime.runs.publish import Published, Publisher
from cinelake.runtime.runs.staleness import read_of
from cinelake.runtime.runs.upkeep import notice_others
from cinelake.runtime.runs.usage import Usage, tagged, usage_of
from cinelake.runtime.tracking.tracker import Tracker
from cinelake.runtime.tracking.versions import INPUT, ModelVersion
from cinelake.runtime.windows import Window
from cinelake.sources.source import Source
from cinelake.tables.contract import Model, Table

ATTEMPTS = 3


class Yielded(RuntimeError):
    """Another run has published the window from inputs as new as ours or newer; its result stands."""


class InputsMoved(RuntimeError):
    """Another run has published the window from inputs that are partly newer than ours."""


@dataclass(frozen=True)
class Outcome:
    """How a run of a job over a window ended; `error` is set for a failed one."""

    job: str
    status: str
    window: Window | None
    rows_in: int = 0
    rows_out: int = 0
    quarantined: int = 0
    changed: bool = False
    seconds: float = 0.0
    error: BaseException | None = None
    balances: tuple[Balance, ...] = ()
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    called_for: tuple[str, ...] = ()

    @property
    def metrics(self) -> dict[str, float]:
        """For MLflow."""
        return {
            "rows_in": float(self.rows_in),
            "rows_out": float(self.rows_out),
            "quarantined_rows": float(self.quarantined),
            "quarantined_files": float(sum(sum(b.files.values()) for b in self.balances)),
            "missing_rows": float(sum(b.missing for b in self.balances)),
            "warnings": float(len(self.warnings)),
            "seconds": self.seconds,
        }


@dataclass
class _Attempt:
    """One attempt at a window, and what is known of it however it ends."""

    run_id: str = field(default_factory=new_run_id)
    started: float = field(default_factory=time.monotonic)
    inputs: dict[str, int] = field(default_factory=dict)
    usage: Usage | None = None


def compute(
    context: Context, job: Job, window: Window, listener: Listener | None = None
) -> Outcome:
    """Run a windowed job. An ordinary failure is entered into the ledger and returned, not raised.

    `listener` hears how far a long run is, where its job says so.
    """
    for attempt in range(1, ATTEMPTS + 1):
        this = _Attempt()
        try:
            return _compute(context, job, window, this, listener)
        except InputsMoved as moved:
            context.reread()
            # What we published over the rival's rows is in no entry: its days count as unknown now.
            notice_others(context, [w for w in job.writes if isinstance(w, Table)])
            if attempt == ATTEMPTS:
                return _ended(context, job, window, this, "failed", moved)
        except Yielded:
            context.reread()
            return _ended(context, job, window, this, "yielded")
        # The one place where any failure of a job is caught: it stops what depends on it and nothing else.
        except Exception as error:  # noqa: BLE001
            return _ended(context, job, window, this, "failed", error)
    raise AssertionError("unreachable: the last attempt returns")


def _compute(
    context: Context,
    job: Job,
    window: Window,
    this: _Attempt,
    listener: Listener | None,
) -> Outcome:
    params = context.params(job)
    tables = [reading.source for reading in job.reads if isinstance(reading.source, Table)]
    versions = {t.name: context.lake.version(t, context.books.versions.get(t.name)) for t in tables}
    pinned = {name: version for name, version in versions.items() if version is not None}
    this.inputs = dict(pinned)
    run_id = this.run_id
    tracker = context.tracking.start(
        job.area,
        job.name,
        window,
        run_id,
        # From the start, for a run that fails is the one to look into.
        {"code_version": code_version()} | {INPUT + name: str(v) for name, v in pinned.items()},
        description=job.description,
    )
    spark = context.lake.spark
    try:
        run: LakeRun = LakeRun(context, job, window, params, run_id, pinned, tracker)
        run.listener = listener
        with tagged(spark, run_id):
            job.function(run)
        run.refuse_missing_outputs()
    except BaseException as error:
        # On a full disk nothing can be kept for MLflow, either, and a JVM that is gone tells no costs; what counts is
        # why the job failed.
        with suppress(OSError):
            if isinstance(error, Exception):
                this.usage = usage_of(spark, run_id)
                tracker.log_metrics(this.usage.metrics if this.usage else {})
            # A run that withdraws in favour of another has not failed.
            tracker.finish("KILLED" if isinstance(error, Yielded) else "FAILED", said(error))
        raise
    run.warnings += away(tracker)
    usage = this.usage = usage_of(spark, run_id)
    # What is published and not entered yet is in the books for as long as nobody rereads them.
    with context.lock:
        entry = _entry(context, run, usage, round(time.monotonic() - this.started, 3))
        context.enter(entry)
    tracker.set_tags(
        {INPUT + name: str(v) for name, v in entry.input_versions.items()}
        | {f"output.{name}": str(v) for name, v in entry.output_versions.items()}
        | ({"warnings": "\n".join(entry.warnings)} if entry.warnings else {})
    )
    tracker.log_inputs(
        {
            table.name: (context.lake.location(table), entry.input_versions[table.name])
            for table in tables
            if table.name in entry.input_versions
        }
    )
    outcome = Outcome(
        job.name,
        "succeeded",
        window,
        rows_in=sum(entry.rows_in.values()),
        rows_out=sum(entry.rows_out.values()),
        quarantined=sum(entry.quarantined.values()),
        changed=bool(entry.output_versions),
        seconds=time.monotonic() - this.started,
        balances=entry.balances,
        warnings=entry.warnings,
        called_for=tuple(run.called_for),
    )
    tracker.log_metrics(outcome.metrics | run.figures() | (usage.metrics if usage else {}))
    tracker.finish("FINISHED")
    return replace(outcome, warnings=(*outcome.warnings, *away(tracker)))


def away(tracker: Tracker) -> list[str]:
    """What to warn of where MLflow is away: nothing, if that was said before."""
    said_now = tracker.tracking.warning() if tracker.is_away else None
    return [said_now] if said_now else []


def _entry(context: Context, run: LakeRun, usage: Usage | None, seconds: float) -> Entry:
    job, window, books = run.job, run.window, context.books
    outputs = {p.table.name: p for p in run.published}
    rows_in = {
        r.name: books.rows(r.name, *r.reach.of(window))
        for r in job.reads
        if isinstance(r.source, Table)
    }
    # A job that reads its own past reads what it has just written, too: outputs first, then the reads.
    written = tuple(
        DayEntry(day, "", {name: p.days[day] for name, p in outputs.items()}) for day in window.days
    )
    books.apply(new_entry(job.name, "job", days=written))
    return new_entry(
        job.name,
        "job",
        run_id=run.run_id,
        start=window.start,
        end=window.end,
        fingerprint=job.fingerprint(run.params),
        input_versions=run.pinned | run.models_used,
        output_versions={n: p.version for n, p in outputs.items() if p.version is not None}
        | run.models_made,
        rows_in=rows_in,
        rows_out={name: p.rows for name, p in outputs.items()},
        quarantined={name: p.quarantined for name, p in outputs.items() if p.quarantined},
        balances=tuple(_balances(run, books)),
        warnings=tuple(run.warnings),
        days=tuple(
            DayEntry(
                entry.day, read_of(job, entry.day, books, context.model_version), entry.outputs
            )
            for entry in written
        ),
        usage=usage,
        seconds=seconds,
    )


def _balances(run: LakeRun, books: Books) -> Iterator[Balance]:
    """What became of the inputs whose rows in the window are to be accounted for, where the ledger knows them."""
    start, end = run.window.start, run.window.end
    given = {
        reading.name: books.rows(reading.name, start, end)
        for reading in run.job.reads
        if reading.accounted and books.knows(reading.name, start, end)
    }
    fates = run.fates()
    by_the_job = [name for name in given if "kept" in fates[name]]
    row_by_row = [name for name in given if "kept" not in fates[name]]
    for made in run.published:
        for name in by_the_job:
            turned_away = {fate: count for fate, count in fates[name].items() if fate != "kept"}
            yield _balance([name], made.table, given, fates[name]["kept"], turned_away)
        if row_by_row:
            turned_away = Counter(made.reasons)
            for name in row_by_row:
                turned_away.update(fates[name])
            yield _balance(row_by_row, made.table, given, made.rows, turned_away)


def _balance(
    sources: list[str],
    target: Table,
    given: Mapping[str, int],
    kept: int,
    turned_away: Mapping[str, int],
) -> Balance:
    counts = {reason: count for reason, count in turned_away.items() if count}
    total = sum(given[name] for name in sources)
    return Balance(" + ".join(sources), target.name, total, kept, counts)


def _ended(
    context: Context,
    job: Job,
    window: Window,
    this: _Attempt,
    status: str,
    error: BaseException | None = None,
) -> Outcome:
    seconds = round(time.monotonic() - this.started, 3)
    text = said(error) if error else None
    entry = new_entry(
        job.name,
        "job",
        status,
        run_id=this.run_id,
        start=window.start,
        end=window.end,
        input_versions=this.inputs,
        usage=this.usage,
        seconds=seconds,
        error=text,
    )
    if status == "failed":
        context.enter_if_possible(entry)
    else:
        context.enter(entry)
    return Outcome(job.name, status, window, seconds=seconds, error=error)


class LakeRun(Run[Any]):
    """A run whose reads are pinned and whose writes are published."""

    def __init__(
        self,
        context: Context,
        job: Job,
        window: Window,
        params: JobParams,
        run_id: str,
        pinned: dict[str, int],
        tracker: Tracker,
    ) -> None:
        super().__init__(job, window, params, code_version())
        self.run_id = run_id
        self.pinned = pinned
        self.published: list[Published] = []
        self.models_used: dict[str, int] = {}
        self._counted: list[tuple[str, Counted]] = []
        # Frames of which shares are asked, with their rows counted as `rows`.
        self._shared: list[Counted] = []
        self._told: list[Observed] = []
        self._tracker = tracker
        self._context = context
        self._base = {
            w.name: context.lake.version(w, context.books.versions.get(w.name))
            for w in job.writes
            if isinstance(w, Table)
        }
        self._publisher = Publisher(
            context.lake,
            context.books,
            run_id=run_id,
            job=job.name,
            code=code_version(),
            inputs=pinned,
        )

    @property
    def tracker(self) -> Tracker:
        return self._tracker

    @property
    def models_made(self) -> dict[str, int]:
        return {version.name: version.version for version in self._tracker.registered}

    @property
    def inputs_fingerprint(self) -> str:
        return hash_of_content([self.job.fingerprint(self.params), self._reads])

    @property
    def inputs_digest(self) -> str:
        return hash_of_content(self._reads)

    @property
    def _reads(self) -> list[str]:
        return [
            read_of(self.job, day, self._context.books, self._context.model_version)
            for day in self.window.days
        ]

    @property
    def input_versions(self) -> Mapping[str, int]:
        return self.pinned

    def keys(self, kinds: Iterable[str]) -> DataFrame:
        if self._context.keyring is None:
            raise JobError(
                f"job {self.job.name!r} needs keys for pseudonyms, and this context has none"
            )
        with self._context.lock:
            keyring = self._context.keyring()
        return keyring.frame(self._context.lake.spark, kinds)

    def read(self, table: Table) -> DataFrame:
        reading = self._reading(table)
        start, end = reading.reach.of(self.window)
        if start >= end:
            return self._context.lake.read(table).limit(0)
        if table.name not in self.pinned:
            return self._context.lake.read(table).limit(0)
        return self._context.lake.read(table, self.pinned[table.name], start, end)

    def write(self, table: Table, frame: DataFrame) -> None:
        self._check_output(table)
        if any(p.table == table for p in self.published):
            raise JobError(
                f"job {self.job.name!r} writes {table.name!r} twice; union the frames and write once"
            )
        if table.growing:
            published = self._publisher.grow(table, frame, self.window)
        else:
            published = self._publisher.replace(table, frame, self.window, self._settle)
            self._refuse_overwriting_newer(published)
        self.published.append(published)

    def account_for(self, source: Source, frame: DataFrame, /, **fates: Column) -> DataFrame:
        counted = Counted(frame, **fates)
        self._counted.append((source.bronze, counted))
        return counted.frame

    def fates(self) -> defaultdict[str, Counter[str]]:
        """What the job has said of its inputs, by table; complete once all is written."""
        found: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for table, counted in self._counted:
            found[table].update(counted.sums())
        return found

    def log_shares(self, frame: DataFrame, conditions: Mapping[str, Column]) -> DataFrame:
        counted = Counted(frame, rows=F.lit(1), **conditions)
        self._shared.append(counted)
        return counted.frame

    def log_figures(self, frame: DataFrame, figures: Mapping[str, Column]) -> DataFrame:
        observed = Observed(frame, **figures)
        self._told.append(observed)
        return observed.frame

    def figures(self) -> dict[str, float]:
        """What the job has asked shares and figures of, for MLflow; complete once all is written."""
        found: dict[str, float] = {}
        for counted in self._shared:
            sums = counted.sums()
            rows = sums.pop("rows")
            found |= {name: held / rows for name, held in sums.items() if rows}
        for observed in self._told:
            told = observed.figures().items()
            found |= {name: float(value) for name, value in told if value is not None}
        return found

    def _approved_on(self, model: Model, day: date) -> ModelVersion | None:
        if not any(reading.source == model for reading in self.job.reads):
            raise JobError(
                f"job {self.job.name!r} uses model {model.name!r} without declaring it in reads=[…]"
            )
        version = self._context.tracking.newest_approved(model, day)
        if version is not None:
            self.models_used[model.name] = version.version
        return version

    def refuse_missing_outputs(self) -> None:
        written = {p.table.name for p in self.published}
        missing = [
            w.name for w in self.job.writes if isinstance(w, Table) and w.name not in written
        ]
        if missing:
            raise JobError(
                f"job {self.job.name!r} declares {missing[0]!r} in writes but did not write it; "
                "write an empty frame where there is nothing to say"
            )

    def _settle(self, table: Table) -> None:
        """Withdraw where another run has published this window since we pinned our inputs."""
        for commit in self._rivals(table, self._base[table.name], None):
            assert commit.note is not None
            _compare(table, self.window, commit.note, self.pinned)

    def _refuse_overwriting_newer(self, published: Published) -> None:
        """A rival that committed between our last look and our commit is found now, and settled by a rerun."""
        if published.version is None:
            return
        for commit in self._rivals(
            published.table, self._base[published.table.name], published.version - 1
        ):
            assert commit.note is not None
            if any(v > self.pinned.get(name, -1) for name, v in commit.note.inputs.items()):
                raise InputsMoved(
                    f"{published.table.name} {self.window}: run {commit.note.run} had newer inputs"
                )

    def _rivals(self, table: Table, after: int | None, through: int | None) -> list[Commit]:
        commits = self._context.lake.commits(table, -1 if after is None else after, through)
        return [
            c
            for c in commits
            if c.note and c.note.run != self.run_id and _overlaps(c.note, self.window)
        ]


def _compare(table: Table, window: Window, theirs: Note, ours: dict[str, int]) -> None:
    newer = [name for name, version in theirs.inputs.items() if version > ours.get(name, -1)]
    older = [name for name, version in ours.items() if version > theirs.inputs.get(name, -1)]
    if newer and older:
        raise InputsMoved(f"{table.name} {window}: run {theirs.run} read newer {', '.join(newer)}")
    if not older:
        raise Yielded(f"{table.name} {window}: the result of run {theirs.run} stands")


def _overlaps(note: Note, window: Window) -> bool:
    if note.action != "replace" or note.start is None or note.end is None:
        return False
    return (
        date.fromisoformat(note.start) < window.end and date.fromisoformat(note.end) > window.start
    )
