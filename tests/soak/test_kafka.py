"""What comes in through topics of a real broker becomes the tables that the same records make as files."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from soak.broker import broker, send
from soak.conftest import Service, rows

from cinelake.runtime.delta.lake import Lake
from cinelake.sources.catalog import all_sources
from cinelake.tables.catalog import all_tables
from cinelake.tables.system import QUARANTINE

WAIT_SECONDS = 240
SOURCES = sorted(all_sources())
INGEST_JOBS = [word for name in SOURCES for word in ("--only", f"ingest_{name}")]


def bronze(spark: SparkSession, service: Service) -> dict[str, list[str]]:
    """The rows of each bronze table, and what was turned away, wherever it stood."""
    lake = Lake(spark, str(service.root))
    tables = [all_tables()[f"bronze_{name}"] for name in SOURCES]
    found = {table.name: rows(lake, table) for table in tables if lake.exists(table)}
    rejected = lake.read(QUARANTINE).select("target", F.to_json("reasons"), "raw")
    return found | {"quarantine": sorted(map(str, rejected.collect()))}


def files_of(landing: Path, first_half: bool) -> dict[str, list[Path]]:
    """Every other landing file of each source, by the source's topic."""
    found = {name: sorted((landing / name).rglob("*.jsonl.gz")) for name in SOURCES}
    halves = {name: paths[0 if first_half else 1 :: 2] for name, paths in found.items()}
    return {topic(name): paths for name, paths in halves.items() if paths}


def topic(source: str) -> str:
    return f"events.{source}"


def sizes(spark: SparkSession, service: Service) -> dict[str, int]:
    """How many rows there are of what `bronze` compares."""
    lake = Lake(spark, str(service.root))
    tables = [*(all_tables()[f"bronze_{name}"] for name in SOURCES), QUARANTINE]
    return {table.name: lake.read(table).count() for table in tables if lake.exists(table)}


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The landing area of a small service, with all its faults."""
    out = tmp_path_factory.mktemp("service") / "out"
    words = ("--profile", "small", "--accounts", "20", "--days", "2")
    Service(out.parent / "lake").run("simulate", str(out), *words)
    return out / "landing"


@pytest.fixture(scope="module")
def from_files(
    simulated: Path, spark: SparkSession, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, list[str]]:
    service = Service(tmp_path_factory.mktemp("files") / "lake")
    summary = service.run("run", *INGEST_JOBS, **{"lake.landing": str(simulated)})
    assert summary["status"] == "succeeded"
    return bronze(spark, service)


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with broker(tmp_path_factory.mktemp("broker")) as address:
        yield address


def test_topics_read_in_steps_with_a_kill_between_give_the_tables_of_the_files(
    simulated: Path,
    from_files: dict[str, list[str]],
    servers: str,
    spark: SparkSession,
    tmp_path: Path,
) -> None:
    service = Service(tmp_path / "lake")
    settings = {"ingest.kafka.servers": servers, "ingest.kafka.max_records_per_batch": "3000"}
    settings |= {f"ingest.kafka.topics.{name}": topic(name) for name in SOURCES}
    none_yet = service.run("run", *INGEST_JOBS, **settings)
    assert {job["status"] for job in none_yet["jobs"].values()} == {"nothing landed"}
    send(servers, files_of(simulated, first_half=True))
    assert service.killed_after(14, "run", *INGEST_JOBS, **settings)
    assert service.run("run", *INGEST_JOBS, **settings)["status"] == "succeeded"
    send(servers, files_of(simulated, first_half=False))
    summary = service.run("run", *INGEST_JOBS, **settings)
    assert summary["status"] == "succeeded"
    again = service.run("run", *INGEST_JOBS, **settings)
    assert {job["status"] for job in again["jobs"].values()} <= {"up to date", "nothing landed"}

    found = bronze(spark, service)
    assert found == from_files
    # Whoever looks for a rejected record finds it by its offset.
    stood = Lake(spark, str(service.root)).read(QUARANTINE).where("raw IS NOT NULL")
    assert stood.where(r"file NOT RLIKE '^events[.][a-z_]+/[0-9]+$' OR line IS NULL").count() == 0


def test_a_trigger_takes_files_and_messages_as_they_come_until_it_is_interrupted(
    simulated: Path,
    from_files: dict[str, list[str]],
    spark: SparkSession,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    service = Service(tmp_path / "lake")
    with broker(tmp_path_factory.mktemp("broker")) as servers:
        # Half of the sources as files, half as messages, and nothing there when it starts.
        streamed = SOURCES[::2]
        settings = {"ingest.kafka.servers": servers}
        settings |= {f"ingest.kafka.topics.{name}": topic(name) for name in streamed}
        process = service.command("run", "--trigger", "2 seconds", **settings)
        try:
            _until(
                process,
                lambda: Lake(spark, str(service.root)).storage.exists(f"{service.root}/landing"),
            )
            for half in (True, False):
                files = files_of(simulated, half)
                send(
                    servers,
                    {topic(name): files[topic(name)] for name in streamed if topic(name) in files},
                )
                for name in SOURCES:
                    if name not in streamed:
                        _land(files.get(topic(name), []), simulated, service.root / "landing")
            wanted = {name: len(lines) for name, lines in from_files.items()}
            _until(process, lambda: sizes(spark, service) == wanted)
        finally:
            os.killpg(process.pid, signal.SIGINT)
        process.communicate(timeout=120)
        assert bronze(spark, service) == from_files


def _land(files: list[Path], landing: Path, target: Path) -> None:
    """Deliver files as a collector does: whole, under their final names."""
    for file in files:
        final = target / file.relative_to(landing)
        final.parent.mkdir(parents=True, exist_ok=True)
        partial = target / f".{file.name}.partial"
        partial.write_bytes(file.read_bytes())
        partial.rename(final)


def _until(process: subprocess.Popen[str], holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not holds():
        if process.poll() is not None:
            out, err = process.communicate()
            raise AssertionError(f"it ended by itself: {out[-1000:]}\n{err[-3000:]}")
        assert time.monotonic() < deadline, "it did not take in what came"
        time.sleep(1)
