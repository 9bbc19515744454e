"""What a job is: a function of its window, declared with what it reads and writes.

`@job` makes a windowed job of a function, `@ingest` one that moves landed records into a bronze table, and
`@maintenance` one that looks after tables without changing what they say. The declared value runs alone (`main`, for
`spark-submit`), inside the pipeline, or, with a window or landed lines, without any lake (`rehearsal.py`).
"""

from __future__ import annotations

import hashlib
import inspect
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from cinelake.runtime.given import IngestRun, JobError, JobParams, MaintenanceRun, Run
from cinelake.runtime.shared import SECTION, MisplacedSetting, places, with_shared
from cinelake.runtime.windows import ALL, Cadence, Reach
from cinelake.spelling import hint
from cinelake.tables.contract import Kind, Model, Table

if TYPE_CHECKING:
    from cinelake.sources.source import Source

# All that a job file imports.
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

NOTHING_SHARED: Mapping[str, Mapping[str, Any]] = MappingProxyType({})


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
