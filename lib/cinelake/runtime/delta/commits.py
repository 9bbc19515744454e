"""The Delta log, read as what it is: numbered JSON files.

Asking Delta for the history of a table costs a Spark job; a commit's own file takes milliseconds. Only three
things are asked here: how new a table is, which commit was ours, and what other people's commits touched.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import date
from typing import Any

from py4j.protocol import Py4JJavaError

from cinelake.runtime.delta.storage import Storage
from cinelake.tables.contract import Partition, Table
from cinelake.tables.ddl import partition_column

EXPIRED = "expired from the log"


class LogDamaged(RuntimeError):
    """A commit of a table cannot be read to its end; the message names its file, and `what` says no more than that."""

    def __init__(self, file: str) -> None:
        self.what = f"{file} cannot be read to its end: it was cut off, as by a full disk or a machine that stopped"
        super().__init__(
            f"{self.what}; `cinelake fsck` says what else is not whole, and what to do"
        )


@dataclass(frozen=True)
class Note:
    """What a commit of ours says of itself, in Delta's `userMetadata`.

    `inputs` are the pinned versions it was computed from, `digest` identifies the rows of `[start, end)`.
    """

    run: str
    job: str
    code: str
    action: str
    start: str | None = None
    end: str | None = None
    inputs: dict[str, int] = field(default_factory=dict)
    digest: str | None = None

    def to_json(self) -> str:
        return json.dumps({"cinelake": asdict(self)}, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str | None) -> Note | None:
        """The note, or None where somebody else wrote the commit."""
        if not text:
            return None
        try:
            content = json.loads(text)
        except json.JSONDecodeError:
            return None
        if not isinstance(content, dict) or not isinstance(content.get("cinelake"), dict):
            return None
        return cls(**content["cinelake"])


@dataclass(frozen=True)
class Commit:
    """One version of a table: who made it, its metrics, and the raw actions on files."""

    version: int
    operation: str
    note: Note | None
    metrics: dict[str, str]
    files: tuple[dict[str, Any], ...]

    @property
    def changes_data(self) -> bool:
        return any(action.get("dataChange", True) for action in self.files)

    @property
    def rows_written(self) -> int:
        """Rows that are new in this version: what Delta copied along does not count."""
        written = int(self.metrics.get("numOutputRows", 0))
        copied = int(self.metrics.get("numCopiedRows", 0)) + int(
            self.metrics.get("numTargetRowsCopied", 0)
        )
        return written - copied

    @property
    def rows_deleted(self) -> int:
        """Rows that a DELETE or a MERGE took away."""
        return int(self.metrics.get("numDeletedRows", 0)) + int(
            self.metrics.get("numTargetRowsDeleted", 0)
        )

    def days_touched(self, table: Table) -> tuple[date, date] | None:
        """The inclusive range of days whose files it changed; None when that could be any day."""
        column = partition_column(table)
        if column is None:
            return None
        values = [
            action.get("partitionValues", {}).get(column)
            for action in self.files
            if action.get("dataChange", True)
        ]
        if not values or None in values:
            return None
        days = sorted(date.fromisoformat(value) for value in values)
        last = days[-1]
        if table.partition is Partition.MONTH:
            last = date(last.year + last.month // 12, last.month % 12 + 1, 1) - date.resolution
        return days[0], last


class CommitLog:
    """The commits of one table, by location."""

    def __init__(self, storage: Storage, location: str) -> None:
        self._storage = storage
        self._folder = f"{location}/_delta_log"

    def has_commits(self) -> bool:
        """Whether there is a table here: its log holds at least one commit."""
        return bool(self._numbers())

    def newest_version(self, at_least: int | None = None) -> int:
        """The newest version; from a version known to exist it is found by probing for the next file.

        Raises FileNotFoundError when there is no table here.
        """
        version = at_least
        if version is None or not self._storage.exists(self._file(version)):
            numbers = self._numbers()
            if not numbers:
                raise FileNotFoundError(f"{self._folder} holds no commit: it is not a Delta table")
            return max(numbers)
        while self._storage.exists(self._file(version + 1)):
            version += 1
        return version

    def between(self, after: int, through: int) -> Iterator[Commit]:
        """The commits `after < version <= through`, oldest first.

        One whose file has expired from the log is given as `EXPIRED`: it may have changed anything. Raises
        LogDamaged at one that was cut off.
        """
        for version in range(after + 1, through + 1):
            try:
                text = self._storage.text(self._file(version))
                yield (
                    _commit(version, text)
                    if text is not None
                    else Commit(version, EXPIRED, None, {}, ({},))
                )
            # Hadoop may keep a checksum beside a file on a local disk.
            except (ValueError, Py4JJavaError) as error:
                if isinstance(error, Py4JJavaError) and "ChecksumException" not in str(error):
                    raise
                raise LogDamaged(self._file(version)) from error

    def require_whole(self, version: int) -> None:
        """Raises LogDamaged where a commit was cut off.

        Delta fails at one that ends in the middle, and takes one that is empty for a commit of nothing: what it held
        is then missing without a word.
        """
        for _ in self.between(version - 1, version):
            pass

    def _numbers(self) -> list[int]:
        names = [name for name in self._storage.names(self._folder) if name.endswith(".json")]
        return [int(name[:-5]) for name in names if name[:-5].isdigit()]

    def _file(self, version: int) -> str:
        return f"{self._folder}/{version:020d}.json"


def _commit(version: int, text: str) -> Commit:
    actions = [json.loads(line) for line in text.splitlines() if line.strip()]
    if not actions:
        raise ValueError("a commit says something, at least of itself")
    info: dict[str, Any] = next((a["commitInfo"] for a in actions if "commitInfo" in a), {})
    files = tuple(a.get("add") or a["remove"] for a in actions if "add" in a or "remove" in a)
    return Commit(
        version=version,
        operation=str(info.get("operation", "unknown")),
        note=Note.from_json(info.get("userMetadata")),
        metrics=info.get("operationMetrics") or {},
        files=files,
    )
