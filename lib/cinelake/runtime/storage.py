"""Files of the lake that are not tables: Delta's log, staging, checkpoints; on any Hadoop file system."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pyspark.sql import SparkSession

from cinelake.runtime.settings import is_local, local_path


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
        stream = self._system(path).create(self._path(unfinished), True)
        try:
            stream.write(bytearray(text.encode()))
        finally:
            stream.close()
        self.move(unfinished, path)

    def remove(self, path: str) -> None:
        """Delete a file or a folder with all in it; nothing happens when it is not there."""
        self._system(path).delete(self._path(path), True)

    def _system(self, path: str) -> Any:
        return self._path(path).getFileSystem(self._conf)
