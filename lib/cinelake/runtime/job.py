"""What a job is: a function of its window, declared with what it reads and writes.

`@job` makes a windowed job of a function, `@ingest` one that moves landed records into a bronze table, and
`@maintenance` one that looks after tables without changing what they say. The declared value runs alone (`main`, for
`spark-submit`), inside the pipeline, or, with a window or landed lines, without any lake (`rehearsal.py`).
"""

from __future__ import annotations

import hashlib
import inspect
import json
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pyspark.sql import Column, DataFrame

from cinelake.runtime.shared import SECTION, MisplacedSetting, places, with_shared
from cinelake.runtime.tracking.tracker import Tracker
from cinelake.runtime.tracking.versions import ModelVersion
from cinelake.runtime.windows import ALL, Cadence, Reach, Window
from cinelake.spelling import hint
from cinelake.tables.contract import Kind, Model, Table

if TYPE_CHECKING:
    from cinelake.sources.source import Source

__all__ = [
    "ALL",
    "Cadence",
    "IngestRun",
    "JobError",
    "JobParams",
    "MaintenanceRun",
    "Reading",
    "Run",
    "history",
    "ingest",
    "job",
    "maintenance",
    "previous",
]


class JobError(ValueError):
    """A job is declared or used wrongly; the message names it and the mend."""


class NoApprovedModel(RuntimeError):
    """No version of a model has passed its gate for the window."""


class JobParams(BaseModel):
    """Base of a job's typed parameters, filled from `[jobs.<name>]` of the configuration."""

    model_config = ConfigDict(extra="forbid", frozen=True)


P = TypeVar("P", bound=JobParams)
NOTHING_SHARED: Mapping[str, Mapping[str, Any]] = MappingProxyType({})

# Told how many of how many steps a run has done, and what is to be said of the last.
Listener = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Reading:
    """An input and how far around the window it is read, in days.

    With `previous`, only what lies before the window is read; that is how a job reads its own past.
    `accounted` says that every row of the window becomes one row of each output, is turned away, or is accounted for
    by the job (`Run.account_for`); each run then draws the balance.
    """

    source: Table | Model
    lookback: int = 0
    lookahead: int = 0
    previous: bool = False
    accounted: bool = False

    @property
    def name(self) -> str:
        return self.source.name

    @property
    def reach(self) -> Reach:
        return Reach(self.lookback, self.lookahead, self.previous)


def history(table: Table) -> Reading:
    """Everything up to the end of the window."""
    return Reading(table, lookback=ALL)


def previous(table: Table) -> Reading:
    """Everything before the window: for a job that builds on its own earlier rows."""
    return Reading(table, lookback=ALL, previous=True)


class Run(ABC, Generic[P]):
    """What a job's function is given: its window, its parameters, its inputs and outputs."""

    def __init__(self, declared: Job, window: Window, params: P, code_version: str) -> None:
        self.job = declared
        self.window = window
        self.params = params
        self.code_version = code_version
        self.warnings: list[str] = []
        # Jobs on demand that are to run once all others are done.
        self.called_for: list[str] = []
        self.listener: Listener | None = None
        self._began = time.monotonic()

    @property
    def seconds(self) -> float:
        """How long the run has gone on; for budgets that somebody set, and for nothing else that decides a row."""
        return time.monotonic() - self._began

    def tell(self, done: int, total: int, said: str) -> None:
        """Say how far a long run is; who watches sees a bar on a terminal, or a line in a log."""
        if self.listener is not None:
            self.listener(done, total, said)

    def warn(self, message: str, remedy: str | None = None) -> None:
        """Say that somebody should look at something, though the work is done.

        The job succeeds; the message is shown and kept in the ledger, and the command ends with a code of its own.
        `remedy` is a job on demand that may help: a run of the whole pipeline runs it once all others are done.
        Raises JobError where the declaration does not name it.
        """
        if remedy is not None and remedy not in self.job.remedies:
            raise JobError(f"job {self.job.name!r} calls for {remedy!r}; name it in remedies=[…]")
        self.warnings.append(message)
        self.called_for += [remedy] if remedy is not None else []

    @property
    def start(self) -> date:
        return self.window.start

    @property
    def end(self) -> date:
        return self.window.end

    @property
    @abstractmethod
    def tracker(self) -> Tracker:
        """Where parameters, metrics, pictures and models of this run go."""

    @property
    @abstractmethod
    def inputs_fingerprint(self) -> str:
        """Identifies parameters, code version and content of all inputs: the same for the same training."""

    @property
    @abstractmethod
    def input_versions(self) -> Mapping[str, int]:
        """The versions at which tables are read, by name; none of tables that do not exist."""

    @property
    @abstractmethod
    def inputs_digest(self) -> str:
        """Identifies the content of all inputs, whatever the parameters."""

    @abstractmethod
    def keys(self, kinds: Iterable[str]) -> DataFrame:
        """The padded keys of these kinds of id, one row: for the functions that make pseudonyms."""

    @abstractmethod
    def read(self, table: Table) -> DataFrame:
        """The rows of `table` within the declared reach, at the version pinned when the run started."""

    @abstractmethod
    def write(self, table: Table, frame: DataFrame) -> None:
        """Publish `frame` as the rows of the window.

        Besides the contract's columns it may hold `_reasons array<string>` (why a row is to be turned
        away), `_raw string` and `_origin struct<file, line>`. Raises PublishError when the frame does not
        fit the contract or the window, AuditFailed when Great Expectations finds it wanting.
        """

    @abstractmethod
    def account_for(self, source: Source, frame: DataFrame, /, **fates: Column) -> DataFrame:
        """Say what becomes of the window's records of `source`, which its bronze table holds.

        Each fate is a number a row of `frame`, null for none, and is summed as the rows pass; sums of several calls
        add up. `kept` are the records that went into what is written; without it, the rows written are those kept.
        Returns the frame to go on with.
        """

    @abstractmethod
    def log_shares(self, frame: DataFrame, conditions: Mapping[str, Column]) -> DataFrame:
        """Log of how large a share of the rows of `frame` each condition holds, as a metric of that name.

        They are counted as the rows pass on their way into what is written. Returns the frame to go on with.
        """

    @abstractmethod
    def log_figures(self, frame: DataFrame, figures: Mapping[str, Column]) -> DataFrame:
        """Log each of these aggregates of the rows of `frame` as a metric of that name; of no rows there may be none.

        They are told as the rows pass on their way into what is written. Returns the frame to go on with.
        """

    def approved_or_none(self, model: Model, on: date | None = None) -> ModelVersion | None:
        """The newest approved version trained on nothing later than the window's start.

        With `on`, that of an earlier day: for a job that looks back at what was made then. Raises JobError where it is
        a later one.
        """
        if on is not None and on > self.start:
            raise JobError(
                f"job {self.job.name!r} asks for model {model.name!r} as of {on}, and its window begins on "
                f"{self.start}: what is learned later it must not know"
            )
        return self._approved_on(model, on or self.start)

    @abstractmethod
    def _approved_on(self, model: Model, day: date) -> ModelVersion | None:
        """The newest approved version trained on nothing later than a day."""

    def approved(self, model: Model) -> ModelVersion:
        """Like `approved_or_none`; raises NoApprovedModel."""
        version = self.approved_or_none(model)
        if version is None:
            raise NoApprovedModel(
                f"no approved version of model {model.name!r} was trained through {self.start} or earlier; "
                f"run the job that trains it for a window before this one"
            )
        return version

    def _reading(self, table: Table) -> Reading:
        for reading in self.job.reads:
            if reading.source == table:
                return reading
        raise JobError(
            f"job {self.job.name!r} reads {table.name!r} without declaring it; add it to reads=[…]"
        )

    def _check_output(self, table: Table) -> None:
        if table not in self.job.writes:
            raise JobError(
                f"job {self.job.name!r} writes {table.name!r} without declaring it; add it to writes=[…]"
            )


class IngestRun(ABC):
    """What an ingest job is given: one micro-batch of landed lines."""

    def __init__(self, landed: DataFrame) -> None:
        self.landed = landed

    @abstractmethod
    def append(self, frame: DataFrame) -> None:
        """Add the records to the bronze table; rows with `_reasons` go to quarantine."""


class MaintenanceRun(ABC, Generic[P]):
    """What a maintenance job is given: the tables there are, and what may be done to them.

    Nothing that it can do changes what a row says or makes a window stale.
    """

    def __init__(self, params: P, tables: Sequence[Table]) -> None:
        self.params = params
        # Those that exist, by name; whoever writes them.
        self.tables = tuple(tables)
        self.notes: list[str] = []
        self.warnings: list[str] = []

    def note(self, message: str) -> None:
        """Say what was done; it is kept in the ledger."""
        self.notes.append(message)

    def warn(self, message: str) -> None:
        """Say that somebody should look at something; the job succeeds, and the command ends with a code of its own."""
        self.warnings.append(message)

    @property
    @abstractmethod
    def through(self) -> date | None:
        """The end of the last whole day of data; None for an empty lake."""

    @abstractmethod
    def partitions(self, table: Table) -> list[Partitioned]:
        """The files of the newest version, by partition."""

    @abstractmethod
    def compact(self, table: Table, partitions: Sequence[str | None]) -> None:
        """Rewrite the small files of these partitions as few; the rows stay as they are."""

    @abstractmethod
    def vacuum(self, table: Table, days: int) -> tuple[int, int]:
        """Remove the files that no version of the last `days` days has; returns how many, and their bytes."""

    @abstractmethod
    def expire(self, table: Table, before: date) -> int:
        """Delete the rows of days before `before` and seal the windows that read them; returns how many."""

    @abstractmethod
    def expire_quarantine(self, days: int) -> int:
        """Delete what was turned away more than `days` days before the newest run; returns how many rows."""

    @abstractmethod
    def expire_checks(self, days: int) -> int:
        """Delete validations of more than `days` days before the newest one; returns how many rows."""

    @abstractmethod
    def remove_leavings(self) -> list[str]:
        """Remove what killed runs left in the staging area; returns the names of the folders."""

    @abstractmethod
    def prune_tracking(self, days: int) -> int:
        """Remove runs of MLflow that began more than `days` days before the newest, but none a model came from."""

    @abstractmethod
    def inspect(self) -> list[str]:
        """What is wrong with the lake's files, books and counts, in words; see `fsck`."""


@dataclass(frozen=True)
class Partitioned:
    """The files of one partition: `day` as the log writes it, None in a table without partitions."""

    day: str | None
    sizes: tuple[int, ...]


@dataclass(frozen=True)
class Job:
    """A windowed job, as declared."""

    name: str
    area: str
    function: Callable[[Run[Any]], None]
    reads: tuple[Reading, ...]
    writes: tuple[Table | Model, ...]
    params: type[JobParams] = JobParams
    version: int = 1
    cadence: Cadence = Cadence.DAILY
    catchup: bool = True
    sequential: bool = False
    remedies: tuple[str, ...] = ()

    @property
    def description(self) -> str:
        return _first_line(self.function)

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of what other jobs must have written before."""
        own = {written.name for written in self.writes}
        return tuple(reading.name for reading in self.reads if reading.name not in own)

    def fingerprint(self, params: JobParams) -> str:
        """Changes when parameters, `version=` or the contract of an output changes."""
        contracts = {w.name: w.contract_hash for w in self.writes if isinstance(w, Table)}
        return hash_of_content([params.model_dump(mode="json"), self.version, contracts])

    def configured(
        self,
        settings: Mapping[str, Mapping[str, Any]],
        shared: Mapping[str, Mapping[str, Any]] = NOTHING_SHARED,
    ) -> JobParams:
        """The parameters from the `jobs` section of the configuration, and from the `shared` one (shared.py).

        Raises JobError naming the setting when one is unknown or of the wrong type.
        """
        return _params(self, settings.get(self.name, {}), shared)

    def main(self, arguments: Sequence[str] | None = None) -> None:
        """Run alone, from the command line: `--start … --end …`."""
        from cinelake.runtime.alone import run_alone

        run_alone(self, arguments)


@dataclass(frozen=True)
class Ingest:
    """A job that moves what landed for a source into its bronze table; its offsets are its window."""

    name: str
    area: str
    function: Callable[[IngestRun], None]
    source: Source
    target: Table
    version: int = 1

    @property
    def description(self) -> str:
        return _first_line(self.function)

    @property
    def reads(self) -> tuple[Reading, ...]:
        return ()

    @property
    def writes(self) -> tuple[Table | Model, ...]:
        return (self.target,)

    @property
    def inputs(self) -> tuple[str, ...]:
        return ()

    def main(self, arguments: Sequence[str] | None = None) -> None:
        """Run alone, from the command line: `--trigger …`."""
        from cinelake.runtime.alone import run_alone

        run_alone(self, arguments)


@dataclass(frozen=True)
class Maintenance:
    """A job that looks after the tables of everybody. It runs where it is named, and alone."""

    name: str
    area: str
    function: Callable[[MaintenanceRun[Any]], None]
    params: type[JobParams] = JobParams
    after: tuple[str, ...] = ()
    cadence: Cadence = Cadence.ON_DEMAND

    @property
    def description(self) -> str:
        return _first_line(self.function)

    @property
    def reads(self) -> tuple[Reading, ...]:
        return ()

    @property
    def writes(self) -> tuple[Table | Model, ...]:
        return ()

    @property
    def inputs(self) -> tuple[str, ...]:
        return ()

    def configured(
        self,
        settings: Mapping[str, Mapping[str, Any]],
        shared: Mapping[str, Mapping[str, Any]] = NOTHING_SHARED,
    ) -> JobParams:
        """As `Job.configured`."""
        return _params(self, settings.get(self.name, {}), shared)

    def main(self, arguments: Sequence[str] | None = None) -> None:
        """Run alone, from the command line."""
        from cinelake.runtime.alone import run_alone

        run_alone(self, arguments)


AnyJob = Job | Ingest | Maintenance


def job(
    *,
    reads: Sequence[Table | Model | Reading],
    writes: Sequence[Table | Model],
    params: type[JobParams] = JobParams,
    version: int = 1,
    cadence: Cadence = Cadence.DAILY,
    catchup: bool = True,
    sequential: bool = False,
    remedies: Sequence[str] = (),
) -> Callable[[Callable[[Run[Any]], None]], Job]:
    """Declare a windowed job.

    `version` is raised when the code changes what it computes: all its windows become stale. `cadence` says
    on which days it is due; with `catchup=False` only the newest due day is computed unless dates are given.
    A job on demand runs only where it is named, and without `catchup`.
    `sequential` jobs are run day by day, for they read their own yesterday.
    `remedies` names the jobs on demand that a warning of this one may call for.

    Raises JobError when the declaration contradicts itself.
    """

    def declare(function: Callable[[Run[Any]], None]) -> Job:
        readings = tuple(item if isinstance(item, Reading) else Reading(item) for item in reads)
        declared = Job(
            name=function.__name__,
            area=_area(function),
            function=function,
            reads=readings,
            writes=tuple(writes),
            params=params,
            version=version,
            cadence=cadence,
            catchup=catchup,
            sequential=sequential,
            remedies=tuple(remedies),
        )
        _refuse_nonsense(declared)
        return declared

    return declare


def ingest(
    *, source: Source, writes: Table, version: int = 1
) -> Callable[[Callable[[IngestRun], None]], Ingest]:
    """Declare a job that moves the landed records of `source` into the bronze table `writes`."""

    def declare(function: Callable[[IngestRun], None]) -> Ingest:
        return Ingest(function.__name__, _area(function), function, source, writes, version)

    return declare


def maintenance(
    *, params: type[JobParams] = JobParams, after: Sequence[str] = ()
) -> Callable[[Callable[[MaintenanceRun[Any]], None]], Maintenance]:
    """Declare a job that looks after tables: the one exception to a table having one writer.

    `after` names the maintenance jobs that go first, where they run together.
    """

    def declare(function: Callable[[MaintenanceRun[Any]], None]) -> Maintenance:
        return Maintenance(function.__name__, _area(function), function, params, tuple(after))

    return declare


# ---- checks of declarations


def _area(function: Callable[..., None]) -> str:
    path = inspect.getsourcefile(function)
    return Path(path).resolve().parent.name if path else "jobs"


def _first_line(function: Callable[..., None]) -> str:
    text = function.__doc__ or inspect.getmodule(function).__doc__ or ""
    return text.strip().splitlines()[0] if text.strip() else ""


def _refuse_nonsense(declared: Job) -> None:
    who = f"job {declared.name!r}"
    if not declared.writes:
        raise JobError(f"{who} writes nothing; name its tables in writes=[…]")
    for item in (*(reading.source for reading in declared.reads), *declared.writes):
        if not isinstance(item, (Table, Model)):
            raise JobError(f"{who}: reads and writes take tables and models, not {item!r}")
    names = [reading.name for reading in declared.reads]
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise JobError(
            f"{who} declares {doubled[0]!r} twice in reads; give one Reading that covers both"
        )
    for table in declared.writes:
        if isinstance(table, Table) and table.kind is not Kind.MANAGED:
            raise JobError(
                f"{who} writes {table.name!r}, which is {table.kind}; only managed tables are written by jobs"
            )
    if declared.cadence is Cadence.ON_DEMAND and declared.catchup:
        raise JobError(
            f"{who} runs on demand, so no day of it can be missing; declare catchup=False"
        )
    own = {written.name: written for written in declared.writes}
    for reading in declared.reads:
        written = own.get(reading.name)
        if isinstance(written, Table) and not (reading.previous or written.growing):
            raise JobError(
                f"{who} reads its own output {reading.name!r}; read previous({reading.name.upper()})"
            )


def _params(
    declared: Job | Maintenance,
    values: Mapping[str, Any],
    shared: Mapping[str, Mapping[str, Any]],
) -> JobParams:
    known = declared.params.model_fields
    for name in values:
        if name not in known:
            there = hint(name, known, "it has") if known else "it has no settings"
            raise JobError(f"[jobs.{declared.name}] has no setting {name!r}; {there}")
    try:
        told = with_shared(declared.params, values, shared)
    except MisplacedSetting as misplaced:
        raise JobError(f"[jobs.{declared.name}] {misplaced}") from None
    try:
        return declared.params.model_validate(told)
    except ValidationError as error:
        first = error.errors()[0]
        section, place = f"jobs.{declared.name}", first["loc"]
        for path, name in places(declared.params):
            if place[: len(path)] == path and name in shared:
                section, place = f"{SECTION}.{name}", place[len(path) :]
        setting = ".".join(str(part) for part in place)
        raise JobError(f"[{section}] {setting} = {first.get('input')!r}: {first['msg']}") from error


def hash_of_content(content: Any) -> str:
    """A short hash of anything that JSON can say."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]
