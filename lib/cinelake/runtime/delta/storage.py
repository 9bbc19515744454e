"""Files of the lake that are not tables: Delta's log, staging, checkpoints; on any Hadoop file system.

What is written is whole or not there. On a file system that is so because a file gets its name when it is complete;
on an object store because an object appears when its writer closes it, and to rename one there is to copy it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from py4j.protocol import Py4JJavaError
from pyspark.sql import SparkSession

from cinelake.runtime.settings import is_local, local_path

# Where an object appears when it is complete, and not before.
WHOLE_ON_CLOSE = {"s3", "s3a", "gs"}
# What Java raises where a file is not as its writer took it to be: it is there, or is not what it was.
MOVED_ON = (
    "org.apache.hadoop.fs.FileAlreadyExistsException",
    "org.apache.hadoop.fs.s3a.RemoteFileChangedException",
)
# Hadoop's names for what its writer takes a file to be: not there, or of this tag (`If-None-Match`, `If-Match`).
IF_NEW = "fs.option.create.conditional.overwrite"
IF_TAGGED = "fs.option.create.conditional.overwrite.etag"
# Whether one may say so at all; stores that do not keep to it need it switched off.
CONDITIONAL = "fs.s3a.create.conditional.enabled"


class Storage:
    """A thin face of Hadoop's FileSystem, so that a lake on a disk and one on an object store are one code."""

    def __init__(self, spark: SparkSession) -> None:
        jvm: Any = spark._jvm
        # Kept, for at every dot of such a name Java looks through all jars for a class that is called so far.
        self._path: Any = jvm.org.apache.hadoop.fs.Path
        self._io: Any = jvm.org.apache.commons.io.IOUtils
        self._conf = spark._jsparkSession.sessionState().newHadoopConf()

    def exists(self, path: str) -> bool:
        return bool(self._system(path).exists(self._path(path)))

    def make(self, folder: str) -> None:
        """Make the folder, unless it is there."""
        self._system(folder).mkdirs(self._path(folder))

    def names(self, folder: str) -> list[str]:
        """The names directly under `folder`, sorted; empty when there is no such folder."""
        if not self.exists(folder):
            return []
        return sorted(
            s.getPath().getName() for s in self._system(folder).listStatus(self._path(folder))
        )

    def text(self, path: str) -> str | None:
        """The whole file, or None when there is none."""
        if not self.exists(path):
            return None
        stream = self._system(path).open(self._path(path))
        try:
            return str(self._io.toString(stream, "UTF-8"))
        finally:
            stream.close()

    def extent(self, folder: str) -> str:
        """`files:bytes` under `folder`: landed files never change, so other files make another extent."""
        summary = self._system(folder).getContentSummary(self._path(folder))
        return f"{summary.getFileCount()}:{summary.getLength()}"

    def files(self, folder: str) -> list[str]:
        """The paths of all files under `folder`, relative to it, sorted; none when there is no such folder."""
        if not self.exists(folder):
            return []
        if is_local(folder):
            root = local_path(folder)
            return sorted(str(p.relative_to(root)) for p in root.rglob("*") if p.is_file())
        base = self._system(folder).makeQualified(self._path(folder)).toString() + "/"
        found = self._system(folder).listFiles(self._path(folder), True)
        paths = []
        while found.hasNext():
            paths.append(found.next().getPath().toString().removeprefix(base))
        return sorted(paths)

    def sizes(self, folder: str) -> dict[str, int]:
        """The bytes of each file under `folder`, by its path relative to it."""
        if is_local(folder):
            root = local_path(folder)
            return {
                str(p.relative_to(root)): p.stat().st_size for p in root.rglob("*") if p.is_file()
            }
        base = self._system(folder).makeQualified(self._path(folder)).toString() + "/"
        listed, sizes = self._system(folder).listFiles(self._path(folder), True), {}
        while listed.hasNext():
            status = listed.next()
            sizes[status.getPath().toString().removeprefix(base)] = int(status.getLen())
        return sizes

    def modified(self, folder: str) -> datetime:
        """When something under `folder` was last written; when it was made, where it holds no file."""
        system, path = self._system(folder), self._path(folder)
        newest = int(system.getFileStatus(path).getModificationTime())
        found = system.listFiles(path, True)
        # An object store knows no time of a folder, and says that it is now.
        times = []
        while found.hasNext():
            times.append(int(found.next().getModificationTime()))
        return datetime.fromtimestamp(max(times, default=newest) / 1000, UTC)

    def empty(self, paths: Sequence[str]) -> list[str]:
        """Which of these files hold not a byte."""
        if all(is_local(path) for path in paths):
            return [path for path in paths if local_path(path).stat().st_size == 0]
        # To list a folder costs what asking for one file does, and files of an hour lie together.
        lengths: dict[tuple[str, str], int] = {}
        for folder in {path.rpartition("/")[0] for path in paths}:
            for status in self._system(folder).listStatus(self._path(folder)):
                lengths[folder, status.getPath().getName()] = status.getLen()
        placed = ((path, path.rpartition("/")) for path in paths)
        return [path for path, (folder, _, name) in placed if lengths.get((folder, name)) == 0]

    def move(self, path: str, target: str) -> None:
        """Rename a file, over another one if need be; folders are made."""
        if is_local(path) and is_local(target):
            # A hundredth of the time that Hadoop takes, which also keeps a checksum file for each file.
            local_path(target).parent.mkdir(parents=True, exist_ok=True)
            local_path(path).replace(local_path(target))
            return
        system = self._system(target)
        system.mkdirs(self._path(target).getParent())
        system.delete(self._path(target), False)
        if not system.rename(self._path(path), self._path(target)):
            raise OSError(f"{path} could not be moved to {target}")

    def put(self, path: str, text: str) -> None:
        """Write a small file, whole or not at all."""
        unfinished = f"{path}.unfinished"
        if is_local(path):
            # Hadoop would leave the checksum of the unfinished file behind.
            local_path(path).parent.mkdir(parents=True, exist_ok=True)
            local_path(unfinished).write_text(text, encoding="utf-8")
            self.move(unfinished, path)
            return
        if urlsplit(path).scheme in WHOLE_ON_CLOSE:
            self._filled(self._system(path).create(self._path(path), True), text)
            return
        self._filled(self._system(path).create(self._path(unfinished), True), text)
        self.move(unfinished, path)

    def takes_conditions(self, path: str) -> bool:
        """Whether a file at `path` can be written on the condition that it is new, or unchanged: on S3, unless
        `fs.s3a.create.conditional.enabled` says otherwise.
        """
        return urlsplit(path).scheme == "s3a" and bool(self._conf.getBoolean(CONDITIONAL, True))

    def put_new(self, path: str, text: str) -> bool:
        """Write a small file where there is none; False where there is one. Of many at once, one succeeds."""
        builder = self._system(path).createFile(self._path(path)).recursive().overwrite(False)
        if self.takes_conditions(path):
            builder = builder.must(IF_NEW, "true")
        return self._written(builder, text)

    def put_over(self, path: str, text: str, tag: str) -> bool:
        """Write a small file over the one that has this tag; False where that is not there any more."""
        builder = self._system(path).createFile(self._path(path)).recursive().overwrite(True)
        return self._written(builder.must(IF_TAGGED, tag), text)

    def tag(self, path: str) -> str | None:
        """What the store calls this very content of the file; None where there is none."""
        try:
            return str(self._system(path).getFileStatus(self._path(path)).getETag())
        except Py4JJavaError as error:
            if str(error.java_exception.getClass().getName()) == "java.io.FileNotFoundException":
                return None
            raise

    def remove(self, path: str) -> None:
        """Delete a file or a folder with all in it; nothing happens when it is not there."""
        self._system(path).delete(self._path(path), True)

    def _written(self, builder: Any, text: str) -> bool:
        try:
            self._filled(builder.build(), text)
        except Py4JJavaError as error:
            if str(error.java_exception.getClass().getName()) in MOVED_ON:
                return False
            raise
        return True

    def _filled(self, stream: Any, text: str) -> None:
        try:
            stream.write(bytearray(text.encode()))
        finally:
            stream.close()

    def _system(self, path: str) -> Any:
        return self._path(path).getFileSystem(self._conf)
