"""Settings of the session, which jobs that run side by side share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import RLock

from pyspark.sql import SparkSession


class SharedConf:
    """Another value of a setting for as long as something takes, one at a time."""

    def __init__(self, spark: SparkSession) -> None:
        self.spark = spark
        self._turn = RLock()

    @contextmanager
    def untouched(self) -> Iterator[None]:
        """While it lasts nobody else has another value, such as a note for a commit that is not theirs."""
        with self._turn:
            yield

    @contextmanager
    def with_(self, key: str, value: str) -> Iterator[None]:
        """While it lasts the setting has this value, and after that what it had before, if anything."""
        with self._turn:
            before = self.spark.conf.get(key, None)
            self.spark.conf.set(key, value)
            try:
                yield
            finally:
                if before is None:
                    self.spark.conf.unset(key)
                else:
                    self.spark.conf.set(key, before)
