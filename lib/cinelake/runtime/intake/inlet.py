"""An inlet: where the records of a source come in. Here, as files in a folder of the landing area.

An inlet gives landed lines, `value string, file string, line bigint, landed_by timestamp`: a record's text, where it
stood, and when it was there at the latest. What has
arrived so far is one text, its extent, which starts with a count that only grows: of files, or of what else comes in.
So one look tells whether there is anything new, and how much of it a run has still to take.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from pyspark.sql import DataFrame

from cinelake.runtime.delta.lake import Lake, LakeError
from cinelake.runtime.intake.bad_files import batch_files
from cinelake.runtime.intake.landing import finish_interrupted
from cinelake.runtime.settings import is_local, local_path


@dataclass(frozen=True)
class Batch:
    """What one micro-batch takes: so much of the extent's count, and files, each of which may be turned away whole."""

    count: int
    files: list[str]


class Inlet(ABC):
    """Where the records of one source come in."""

    @property
    @abstractmethod
    def checkpoint(self) -> str:
        """Where the stream keeps what it has taken."""

    @abstractmethod
    def extent(self) -> str | None:
        """What has arrived so far, `count:details`; None where nothing can have."""

    def refuse_absence(self, known: str | None) -> None:
        """Raises LakeError where it is no wonder that nothing has arrived: what held the `known` extent is gone."""
        del known

    def missing(self) -> str | None:
        """What is not there and should be, whatever has come in so far, in words."""
        return None

    @abstractmethod
    def count_since(self, extent: str, known: str | None) -> int:
        """How far `extent` is ahead of `known`, which another inlet of the source may have given."""

    @abstractmethod
    def lines(self) -> DataFrame:
        """The stream of landed lines; where nothing has landed so far, it waits for the first."""

    @abstractmethod
    def batch(self, number: int) -> Batch:
        """What a micro-batch takes; to be asked for once, for it reads the checkpoint."""


@dataclass(frozen=True)
class Folder(Inlet):
    """A folder of the landing area."""

    lake: Lake
    source: str
    # The most files of a micro-batch.
    at_most: int

    @property
    def checkpoint(self) -> str:
        return f"{self.lake.root}/checkpoints/{self.source}"

    @property
    def path(self) -> str:
        return f"{self.lake.landing}/{self.source}"

    def extent(self) -> str | None:
        if is_local(self.lake.landing):
            finish_interrupted(local_path(self.lake.landing))
        storage = self.lake.storage
        return storage.extent(self.path) if storage.exists(self.path) else None

    def refuse_absence(self, known: str | None) -> None:
        landing = self.lake.landing
        if known is not None and not self.lake.storage.exists(landing):
            raise LakeError(
                f"the landing area {landing} is not there, and {self.source} came in from it before; mount it "
                "again, or correct lake.landing"
            )

    def missing(self) -> str | None:
        landing = self.lake.landing
        if self.lake.storage.exists(landing):
            return None
        return f"the landing area {landing} is not there: let records land in it, or correct lake.landing"

    def count_since(self, extent: str, known: str | None) -> int:
        # What another kind of inlet has given counts something else.
        before = known if known and known.partition(":")[2].isdigit() else "0:0"
        return count_of(extent) - count_of(before)

    def lines(self) -> DataFrame:
        self.lake.storage.make(self.path)
        return self.lake.landed.stream(self.path, {"maxFilesPerTrigger": self.at_most})

    def batch(self, number: int) -> Batch:
        files = batch_files(self.lake, self.checkpoint, number)
        return Batch(len(files), files)


def source_of(checkpoint: str) -> str:
    """Whose stream keeps a checkpoint of this name: a folder's is called by its source, a topic's `source@topic`."""
    return checkpoint.partition("@")[0]


def count_of(extent: str) -> int:
    """The count that an extent starts with."""
    return int(extent.partition(":")[0])
