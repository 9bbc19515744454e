"""What benchmarks share: a session with the whole machine, a lake, and honest timing.

Every figure is a ratio of medians of one run, both sides in turn, for machines and days differ.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest
from pyspark.sql import SparkSession

from cinelake.runtime.settings import Settings
from cinelake.runtime.spark.session import spark_session


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    """A session as people get it: full compilation, more memory than the tests take."""
    session = spark_session(
        Settings.model_validate(
            {
                "lake": {"root": str(tmp_path_factory.mktemp("lake"))},
                "spark": {
                    "app_name": "cinelake-bench",
                    "master": "local[2]",
                    "driver_memory": "6g",
                    "shuffle_partitions": 4,
                    "snapshot_partitions": 2,
                },
            }
        )
    )
    yield session
    session.stop()


@pytest.fixture
def duck(tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """DuckDB with Spark's share of the machine: two threads, 6 GB, and the disk for what is more."""
    folder = tmp_path / "duck"
    folder.mkdir()
    with duckdb.connect(
        str(folder / "found.db"),
        config={"threads": 2, "memory_limit": "6GB", "temp_directory": str(folder / "spilled")},
    ) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        yield connection


@dataclass(frozen=True)
class Timing:
    """Seconds of each repetition."""

    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    @property
    def least(self) -> float:
        """What it takes where nothing else runs: to tell growth by, for which there is no rival in turn."""
        return min(self.seconds)

    def __str__(self) -> str:
        return f"{self.median:.2f} s (from {min(self.seconds):.2f} to {max(self.seconds):.2f})"


def in_turn(*work: Callable[[], object], repetitions: int, warm_up: int = 1) -> list[Timing]:
    """Time each piece of work, taking turns so that a slow moment of the machine hits all."""
    seconds: list[list[float]] = [[] for _ in work]
    for repetition in range(warm_up + repetitions):
        for each, piece in enumerate(work):
            started = time.perf_counter()
            piece()
            if repetition >= warm_up:
                seconds[each].append(time.perf_counter() - started)
    return [Timing(tuple(times)) for times in seconds]


@pytest.fixture
def lake_root(tmp_path: Path) -> str:
    return str(tmp_path / "lake")
