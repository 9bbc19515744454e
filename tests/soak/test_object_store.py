"""A lake on S3: the tables of a lake in a folder, two drivers at once, a driver killed, and credentials nowhere."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from soak.conftest import AT_REST, SOME_JOBS, Service, differing
from soak.object_store import BUCKET, ObjectStore, object_store
from tracking_server import tracking_server

from cinelake.runtime.tracking.runs import Tracking
from cinelake.tables.recommend import RECOMMENDER


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    with object_store(tmp_path_factory.mktemp("s3")) as running:
        yield running


def test_a_lake_on_s3_has_the_tables_of_one_in_a_folder_and_tells_no_credentials(
    spark: SparkSession,
    store: ObjectStore,
    some: Service,
    expected: dict[str, list[str]],
    tmp_path: Path,
) -> None:
    service = store.service("alike", tmp_path)
    service.land(some)
    events = tmp_path / "events"
    events.mkdir()
    told = {
        "spark.conf.spark.eventLog.enabled": "true",
        "spark.conf.spark.eventLog.dir": str(events),
        "spark.conf.spark.eventLog.compress": "false",
        # All that Spark and Hadoop have to say.
        "spark.conf.spark.log.level": "INFO",
    }
    process = service.command("config", "then", *SOME_JOBS, "then", "fsck", **told)
    out, err = process.communicate(timeout=1800)
    assert process.returncode == 0, f"{out[-1500:]}\n{err[-3000:]}"
    service.fetch()
    assert not differing(expected, service.content(spark))
    assert service.paths("turns") == []
    assert service.paths("staging") == []

    assert service.at_rest()

    assert "s3a.endpoint" in out
    (tmp_path / "said.txt").write_text(out + err)
    looked_at = [p for p in tmp_path.rglob("*") if p.is_file()]
    assert any(p.is_relative_to(events) and p.stat().st_size > 10_000 for p in looked_at)
    assert any(p.name.endswith("0.json") and "_delta_log" in str(p) for p in looked_at)
    secrets = [text.encode() for text in (store.key, store.secret)]
    telling = [p for p in looked_at if any(text in p.read_bytes() for text in secrets)]
    assert telling == []


def test_all_jobs_and_upkeep_work_on_s3_with_models_tables_there(
    spark: SparkSession,
    store: ObjectStore,
    undisturbed: tuple[Service, float],
    tmp_path: Path,
) -> None:
    reference, _ = undisturbed
    (tmp_path / "server").mkdir()
    with tracking_server(tmp_path / "server") as server:
        server.start()
        service = store.service("whole", tmp_path)
        service.land(reference)
        mlflow = {
            "mlflow.tracking_uri": server.uri,
            "mlflow.artifact_root": f"s3a://{BUCKET}/mlflow",
        }
        words = ["run", "then", "maintain", "then", "fsck"]
        process = service.command(*words, **mlflow)
        out, err = process.communicate(timeout=1800)
        assert process.returncode == 0, f"{out[-1500:]}\n{err[-3000:]}"
        told = [json.loads(line) for line in out.splitlines() if line.startswith("{")]
        assert [summary["status"] for summary in told] == ["succeeded", "succeeded"]
        assert "all whole" in out
        service.fetch()
        assert not differing(reference.content(spark), service.content(spark))
        # What the server has no client for went there by Spark's hands, and the rest is with the server.
        frames = store.objects(f"{BUCKET}/mlflow")
        assert frames
        assert all(path.startswith("frames/m-") for path in frames), frames
        champion = Tracking(server.uri).at_alias(RECOMMENDER, "champion")
        assert champion is not None
        again = service.run("run", **mlflow)
        assert {job["status"] for job in again["jobs"].values()} <= AT_REST


def test_two_drivers_at_once_end_in_the_rows_of_one(
    spark: SparkSession,
    store: ObjectStore,
    some: Service,
    expected: dict[str, list[str]],
    tmp_path: Path,
) -> None:
    service = store.service("raced", tmp_path)
    service.land(some)
    patience = {"lake.lock_wait": "10m"}
    both = [service.command(*SOME_JOBS, **patience) for _ in range(2)]
    ended = [process.communicate(timeout=1800) for process in both]
    assert [process.returncode for process in both] == [0, 0], ended
    statuses = [json.loads(out.strip().splitlines()[-1])["jobs"] for out, _ in ended]
    print([sorted({job["status"] for job in jobs.values()}) for jobs in statuses], flush=True)
    # What one computed while the other was still taking in is stale now.
    service.run(*SOME_JOBS)
    service.fetch()
    assert not differing(expected, service.content(spark))
    assert service.paths("turns") == []
    assert service.at_rest()


def test_a_driver_that_was_killed_with_turns_in_its_hands_holds_up_the_next_for_a_minute(
    spark: SparkSession,
    store: ObjectStore,
    some: Service,
    expected: dict[str, list[str]],
    tmp_path: Path,
) -> None:
    service = store.service("killed", tmp_path)
    service.land(some)
    process = service.command(*SOME_JOBS)
    # Killed when a stream is at it and when tables are made.
    until = time.monotonic() + 300
    while not [name for name in service.paths("turns") if not name.startswith("source-")]:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    left = service.paths("turns")
    print(f"left: {left}", flush=True)
    assert left

    # The turn at a source is waited for, too, for longer than it takes to be thought gone.
    service.run(*SOME_JOBS, **{"lake.lock_wait": "5m"})
    service.fetch()
    assert not differing(expected, service.content(spark))
    assert service.paths("turns") == []
