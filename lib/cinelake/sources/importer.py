"""What an importer is: it turns a folder of some published form into landing lines.

An importer is a module `sources/<name>.py` with a value `IMPORTER`. It sees the folder through `Folder` and
hands out `Lines`; `runtime/intake/landing.py` does the reading and writing, so that an importer stays a function of
bytes, and a test can give it a folder made of a dictionary.

Every line of the folder's data becomes one landing record, good or rejected: landed = good + rejected.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol


class ImportFailed(ValueError):
    """Nothing was landed; the message names the folder or file and what to do."""


class Folder(Protocol):
    """The folder to import, as an importer sees it."""

    @property
    def name(self) -> str:
        """How to call it in a message."""

    def files(self) -> Mapping[str, int]:
        """Name → size in bytes of the files directly in it."""

    def subfolders(self) -> Mapping[str, frozenset[str]]:
        """Name → names of the files in it, of each folder directly in it."""

    def blocks(self, file: str) -> Iterator[bytes]:
        """The file in blocks of whole lines; only the last block may lack its line end.

        Raises ImportFailed when it cannot be read, or is no text: a line without end.
        """


@dataclass(frozen=True)
class Recognised:
    """A folder found to be of a known form: in which layout, and what `files` it will be read from."""

    layout: str
    files: tuple[str, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Lines:
    """A piece of a source's landing file: whole lines of JSON, how many are good, how many rejected and why.

    A rejected line counts under each of its reasons, so `rejected` may sum to more than `rejections`.
    """

    source: str
    received_at: datetime
    data: bytes | memoryview
    good: int
    rejections: int = 0
    rejected: Counter[str] = field(default_factory=Counter)


class Importer(Protocol):
    """Reads one published form. Raises ImportFailed, before any line, for what cannot be imported."""

    @property
    def name(self) -> str:
        """The importer's name on the command line."""

    @property
    def version(self) -> int:
        """Raised when the same files yield other records, so that they land again."""

    def recognise(self, folder: Folder) -> Recognised:
        """What `folder` is, judged by its file names."""

    def lines(self, folder: Folder, recognised: Recognised) -> Iterator[Lines]:
        """All records, in pieces of bounded size."""
