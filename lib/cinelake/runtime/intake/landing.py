"""Landing: what importers read is written as landing files, all of it or nothing, and once.

Importers are the modules of `cinelake.sources` that have an `IMPORTER`; none is known here by name.

A delivery is known by a digest of the files that it is read from, and of the importer's version. Its files
are first written under `<landing>/.imports/`, where ingestion does not look; when the last one is complete,
the report is written beside them, and from then on the delivery is landed: moving its files to where they
are read is then repeated until it is done, by the next call if this one is killed. A kill before that leaves
files that the next call deletes.

Files are gzip at its fastest level: it costs a tenth of a second more per million ratings than writing them
plainly, and they are a seventh of the size. They are split, for Spark reads each by one core.
"""

from __future__ import annotations

import hashlib
import json
import os
import pkgutil
import shutil
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import IO, Any

from cinelake import sources
from cinelake.runtime.delta.lock import locked
from cinelake.sources.importer import Importer, ImportFailed, Lines

# Large enough to keep Arrow busy, small enough that many lines that must be read singly do no harm.
BLOCK_BYTES = 4 * 2**20
# Of text, before compression; a good half of what Spark puts into one task by default once it is unpacked.
FILE_BYTES = 128 * 2**20
IMPORTS = ".imports"
# To finish a delivery is to move its files, which takes moments; to write one may take an hour.
FINISHED_WITHIN_SECONDS = 10
REPORT = "report.json"


@dataclass(frozen=True)
class SourceCounts:
    """Records landed for one source. A rejected one counts under each of its reasons."""

    good: int = 0
    rejections: int = 0
    rejected: Mapping[str, int] = field(default_factory=dict)

    @property
    def landed(self) -> int:
        return self.good + self.rejections


@dataclass(frozen=True)
class ImportReport:
    """What an import landed, or had landed before (`already_landed`)."""

    importer: str
    layout: str
    digest: str
    received_at: datetime
    sources: Mapping[str, SourceCounts]
    notes: tuple[str, ...] = ()
    already_landed: bool = False

    @property
    def landed(self) -> int:
        return sum(counts.landed for counts in self.sources.values())

    @property
    def rejections(self) -> int:
        return sum(counts.rejections for counts in self.sources.values())

    def to_dict(self) -> dict[str, Any]:
        """For a JSON summary."""
        return {
            "importer": self.importer,
            "layout": self.layout,
            "digest": self.digest,
            "received_at": self.received_at.isoformat(),
            "already_landed": self.already_landed,
            "notes": list(self.notes),
            "sources": {
                name: {
                    "landed": counts.landed,
                    "good": counts.good,
                    "rejections": counts.rejections,
                    "rejected": dict(counts.rejected),
                }
                for name, counts in self.sources.items()
            },
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> ImportReport:
        """What `to_dict` gave."""
        return cls(
            importer=stored["importer"],
            layout=stored["layout"],
            digest=stored["digest"],
            received_at=datetime.fromisoformat(stored["received_at"]),
            sources={
                name: SourceCounts(counts["good"], counts["rejections"], counts["rejected"])
                for name, counts in stored["sources"].items()
            },
            notes=tuple(stored["notes"]),
            already_landed=stored["already_landed"],
        )


def importers() -> dict[str, Importer]:
    """All importers by name."""
    modules = [
        import_module(f"{sources.__name__}.{found.name}")
        for found in pkgutil.iter_modules(sources.__path__)
    ]
    found = [module.IMPORTER for module in modules if hasattr(module, "IMPORTER")]
    return {importer.name: importer for importer in found}


def import_folder(importer: Importer, path: Path, landing: Path) -> ImportReport:
    """Land what `importer` reads from the folder at `path`, unless that was landed before.

    Raises ImportFailed when the folder is none, or the importer cannot read it; nothing is landed then.
    """
    folder = LocalFolder.at(path)
    recognised = importer.recognise(folder)
    before = folder.stamp(recognised.files)
    digest = _digest(importer, folder, recognised.files)
    with _alone(landing) as imports:
        _finish(imports, landing)
        done = imports / f"{digest}.json"
        if done.exists():
            report = ImportReport.from_dict(json.loads(done.read_text("utf-8")))
            return replace(report, already_landed=True)
        staging = imports / f"{digest}.staging"
        with _Writer(staging, f"{importer.name}-{digest}") as writer:
            for lines in importer.lines(folder, recognised):
                writer.write(lines)
        if folder.stamp(recognised.files) != before:
            raise ImportFailed(
                f"{path} changed while it was read; import it again when it is complete"
            )
        report = ImportReport(
            importer=importer.name,
            layout=recognised.layout,
            digest=digest,
            received_at=writer.received_at,
            sources=writer.counts,
            notes=recognised.notes,
        )
        # From here on the delivery counts as landed, whatever happens.
        complete = imports / f"{digest}.complete"
        (staging / REPORT).write_text(json.dumps(report.to_dict()), "utf-8")
        staging.rename(complete)
        _finish(imports, landing)
        return report


def finish_interrupted(landing: Path) -> None:
    """Complete what a killed import had ready, and delete what it had not.

    To be called before landed files are read, so that a delivery is seen whole. Jobs that do so side by side wait for
    each other. Raises ImportFailed when an import is at work for longer than `FINISHED_WITHIN_SECONDS`.
    """
    imports = landing / IMPORTS
    if any(imports.glob("*.staging")) or any(imports.glob("*.complete")):
        with _alone(landing, FINISHED_WITHIN_SECONDS):
            _finish(imports, landing)


# ---- the folder


@dataclass(frozen=True)
class LocalFolder:
    """A folder on a local disk, as importers see it."""

    path: Path

    @classmethod
    def at(cls, path: Path) -> LocalFolder:
        """The folder at `path`; raises ImportFailed when there is none that can be read."""
        try:
            if path.is_dir():
                folder = cls(path)
                # A folder may be listed by those who may not look at its files, and the reverse.
                folder.files()
                return folder
            if not path.exists():
                raise ImportFailed(f"there is no folder {path}")
        except PermissionError:
            raise ImportFailed(_no_access(path)) from None
        if zipfile.is_zipfile(path):
            raise ImportFailed(
                f"{path} is an archive; unpack it (unzip {path}) and give the folder"
            )
        raise ImportFailed(f"{path} is a file; give the folder that holds it")

    @property
    def name(self) -> str:
        return str(self.path)

    def files(self) -> dict[str, int]:
        """Name → size of the files in it."""
        return {p.name: p.stat().st_size for p in sorted(self.path.iterdir()) if p.is_file()}

    def subfolders(self) -> dict[str, frozenset[str]]:
        """Name → names of files, of the folders in it that can be listed."""
        found = {}
        for inner in sorted(self.path.iterdir()):
            if inner.is_dir() and os.access(inner, os.R_OK | os.X_OK):
                found[inner.name] = frozenset(p.name for p in inner.iterdir() if p.is_file())
        return found

    def blocks(self, file: str) -> Iterator[bytes]:
        """The file in blocks of whole lines."""
        with self._open(file) as stream:
            rest = b""
            while data := stream.read(BLOCK_BYTES):
                lines, end, tail = data.rpartition(b"\n")
                if end:
                    yield rest + lines + end
                    rest = tail
                else:
                    rest += tail
                if len(rest) > BLOCK_BYTES:
                    raise ImportFailed(
                        f"{self.path / file} holds a line of more than {BLOCK_BYTES} bytes, so it is no text file; "
                        f"unpack the archive again"
                    )
            if rest:
                yield rest

    def raw(self, file: str) -> Iterator[bytes]:
        """The file's bytes, for a digest."""
        with self._open(file) as stream:
            while data := stream.read(BLOCK_BYTES):
                yield data

    def stamp(self, files: tuple[str, ...]) -> list[tuple[str, int, int]]:
        """Changes when one of the files is written to."""
        stats = [(file, (self.path / file).stat()) for file in files]
        return [(file, stat.st_size, stat.st_mtime_ns) for file, stat in stats]

    def _open(self, file: str) -> IO[bytes]:
        try:
            return (self.path / file).open("rb")
        except PermissionError:
            raise ImportFailed(_no_access(self.path / file)) from None


def _no_access(path: Path) -> str:
    return (
        f"{path} may not be read by this user; grant it (chmod -R u+rX {path}) or run as its owner"
    )


def _digest(importer: Importer, folder: LocalFolder, files: tuple[str, ...]) -> str:
    total = hashlib.sha256(f"{importer.name}:{importer.version}".encode())
    for file in sorted(files):
        content = hashlib.sha256()
        for data in folder.raw(file):
            content.update(data)
        total.update(f"\n{file}:{content.hexdigest()}".encode())
    return total.hexdigest()[:16]


# ---- the landing files


@contextmanager
def _alone(landing: Path, wait_seconds: float = 0) -> Iterator[Path]:
    """The folder of imports, with no other import at work; the kernel frees the lock of a killed one."""
    imports = landing / IMPORTS
    imports.mkdir(parents=True, exist_ok=True)
    with (imports / "lock").open("w") as lock:
        try:
            locked(lock, wait_seconds)
        except BlockingIOError:
            raise ImportFailed(
                f"another import into {landing} is at work; wait for it to end, then start again"
            ) from None
        yield imports


def _finish(imports: Path, landing: Path) -> None:
    for staging in sorted(imports.glob("*.staging")):
        shutil.rmtree(staging)
    for complete in sorted(imports.glob("*.complete")):
        for file in sorted(complete.rglob("*.jsonl.gz")):
            target = landing / file.relative_to(complete)
            target.parent.mkdir(parents=True, exist_ok=True)
            file.replace(target)
        report = complete / REPORT
        # A kill may have come between the next two lines, too.
        if report.exists():
            report.replace(imports / f"{complete.stem}.json")
        shutil.rmtree(complete)


class _Writer:
    """Writes pieces of landing files under `root`; compression runs beside the caller, in one thread."""

    def __init__(self, root: Path, stem: str) -> None:
        self._root = root
        self._stem = stem
        self._files: dict[str, _File] = {}
        self._counts: dict[str, SourceCounts] = {}
        self._numbers: Counter[str] = Counter()
        self._thread = ThreadPoolExecutor(max_workers=1)
        self._pending: Future[None] | None = None
        self._received_at: datetime | None = None

    def __enter__(self) -> _Writer:
        self._root.mkdir()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self._await_thread()
        finally:
            self._thread.shutdown()
            for file in self._files.values():
                file.close()

    @property
    def counts(self) -> dict[str, SourceCounts]:
        return self._counts

    @property
    def received_at(self) -> datetime:
        assert self._received_at is not None, "nothing was written"
        return self._received_at

    def write(self, lines: Lines) -> None:
        """Add a piece to its source's current file."""
        before = self._counts.get(lines.source, SourceCounts())
        self._counts[lines.source] = SourceCounts(
            before.good + lines.good,
            before.rejections + lines.rejections,
            dict(sorted((Counter(before.rejected) + lines.rejected).items())),
        )
        self._received_at = max(self._received_at or lines.received_at, lines.received_at)
        # One piece is compressed while the next is made; more would only fill the memory.
        self._await_thread()
        self._pending = self._thread.submit(self._append, lines)

    def _await_thread(self) -> None:
        if self._pending is not None:
            self._pending.result()

    def _append(self, lines: Lines) -> None:
        file = self._files.get(lines.source)
        if file is not None and file.size + len(lines.data) > FILE_BYTES:
            file.close()
            file = None
        if file is None:
            number = self._numbers[lines.source]
            self._numbers[lines.source] += 1
            received = lines.received_at.astimezone(UTC)
            folder = self._root / lines.source / f"date={received:%Y-%m-%d}" / f"hour={received:%H}"
            folder.mkdir(parents=True, exist_ok=True)
            file = _File(folder / f"{self._stem}-{number:05}.jsonl.gz")
            self._files[lines.source] = file
        file.write(lines.data)


class _File:
    """One gzip file; the same text gives the same bytes, for no time is written into it."""

    def __init__(self, path: Path) -> None:
        self._stream = path.open("wb")
        self._gzip = zlib.compressobj(level=1, wbits=31)
        self.size = 0

    def write(self, data: bytes | memoryview) -> None:
        self._stream.write(self._gzip.compress(data))
        self.size += len(data)

    def close(self) -> None:
        if not self._stream.closed:
            self._stream.write(self._gzip.flush())
            self._stream.close()
