"""Files of the lake that are not tables: Delta's log, staging, checkpoints; on any Hadoop file system."""

from __future__ import annotations

from typing import Any

from pyspark.sql import SparkSession


class Storage:
    """A thin face of Hadoop's FileSystem, so that a lake on a disk and one on an object store are one code."""

    def __init__(self, spark: SparkSession) -> None:
        self._jvm: Any = spark._jvm
        self._conf = spark._jsparkSession.sessionState().newHadoopConf()

    def exists(self, path: str) -> bool:
        return bool(self._system(path).exists(self._path(path)))

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
            return str(self._jvm.org.apache.commons.io.IOUtils.toString(stream, "UTF-8"))
        finally:
            stream.close()

    def extent(self, folder: str) -> str:
        """`files:bytes` under `folder`: landed files never change, so other files make another extent."""
        summary = self._system(folder).getContentSummary(self._path(folder))
        return f"{summary.getFileCount()}:{summary.getLength()}"

    def remove(self, path: str) -> None:
        """Delete a file or a folder with all in it; nothing happens when it is not there."""
        self._system(path).delete(self._path(path), True)

    def _path(self, path: str) -> Any:
        return self._jvm.org.apache.hadoop.fs.Path(path)

    def _system(self, path: str) -> Any:
        return self._path(path).getFileSystem(self._conf)
