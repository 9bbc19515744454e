"""What a job's function is given: its window, its parameters, what it reads, and where its rows go.

A pipeline, a job alone and a rehearsal each give their own kind of these; a job sees no difference (`job.py` declares).
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Generic, TypeVar

from pydantic import BaseModel, ConfigDict
from pyspark.sql import Column, DataFrame

from cinelake.runtime.tracking.tracker import Tracker
from cinelake.runtime.tracking.versions import ModelVersion
from cinelake.runtime.windows import Window
from cinelake.tables.contract import Model, Table

if TYPE_CHECKING:
    from cinelake.runtime.job import Job, Reading
    from cinelake.sources.source import Source


class JobError(ValueError):
    """A job is declared or used wrongly; the message names it and the mend."""


class NoApprovedModel(RuntimeError):
    """No version of a model has passed its gate for the window."""


class JobParams(BaseModel):
    """Base of a job's typed parameters, filled from `[jobs.<name>]` of the configuration."""

    model_config = ConfigDict(extra="forbid", frozen=True)


P = TypeVar("P", bound=JobParams)
# Told how many of how many steps a run has done, and what is to be said of the last.
Listener = Callable[[int, int, str], None]


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
