"""The bundle on a real standalone cluster, by somebody who has nothing else: the tables of a local run, and clear words
where something is missing.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession
from soak.cluster import Cluster, standalone
from soak.conftest import AT_REST, FIRST, MORE, OF_ALL_AREAS, SOME_JOBS, Service, differing, of_days

import bundle as bundling
from cinelake.runtime.spark.jars import DELTA

KILLS = 3
# Says where the package comes from, on the driver and in the Python workers of all executors.
WHENCE = """
import json, os, time
import cinelake
import cinelake.behaviour
from pyspark.sql import SparkSession

def look(rows):
    import cinelake
    time.sleep(1)
    return [(os.getppid(), cinelake.__file__)]

context = SparkSession.builder.getOrCreate().sparkContext
# The second executor may come late.
found, late = [], time.monotonic() + 120
while len({daemon for daemon, _ in found}) < 2 and time.monotonic() < late:
    found = context.parallelize(range(8), 8).mapPartitions(look).collect()
print(json.dumps({"driver": cinelake.__file__, "executors": found}))
"""


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle, made by its command and moved to where no checkout is near."""
    made = tmp_path_factory.mktemp("made")
    script = Path(bundling.__file__)
    subprocess.run([sys.executable, str(script), "--out", str(made)], check=True)
    (unpacked,) = made.iterdir()
    return Path(shutil.copytree(unpacked, tmp_path_factory.mktemp("elsewhere") / unpacked.name))


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with standalone(tmp_path_factory.mktemp("cluster")) as running:
        yield running


def settings(root: Path) -> list[str]:
    """For --env cluster, with a lake of the test's own and a small driver's patience."""
    chosen = {"lake.root": root, "spark.shuffle_partitions": 2, "spark.snapshot_partitions": 2}
    # What the data set tells of is years old.
    chosen |= {"pipeline.freshness": "0s"}
    chosen |= {"lake.lock_wait": "1s", "spark.executor_wait": "10m", "spark.few_rows": "true"}
    return ["--env", "cluster", *(w for k, v in chosen.items() for w in ("--set", f"{k}={v}"))]


def summary(ended: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert ended.returncode == 0, f"{ended.stdout[-1500:]}\n{ended.stderr[-5000:]}"
    return json.loads(ended.stdout.strip().splitlines()[-1])  # type: ignore[no-any-return]


def test_the_package_is_the_zip_on_the_driver_and_on_every_executor(
    cluster: Cluster, bundle: Path, tmp_path: Path
) -> None:
    program = tmp_path / "whence.py"
    program.write_text(WHENCE)
    found = summary(cluster.submit(bundle, [str(program)], at=tmp_path))
    assert found["driver"] == f"{bundle}/cinelake.zip/cinelake/__init__.py"
    places = {place for _, place in found["executors"]}
    assert all(place.endswith("/cinelake.zip/cinelake/__init__.py") for place in places), places
    assert not any(str(bundle) in place for place in places), places
    # Two executors, of a daemon of Python each, or of another after it.
    assert len({daemon for daemon, _ in found["executors"]}) >= 2


def test_days_of_all_areas_make_the_tables_of_local_runs(
    spark: SparkSession,
    simulated_days: tuple[Service, float],
    cluster: Cluster,
    bundle: Path,
    tmp_path: Path,
) -> None:
    first, _ = simulated_days
    reference = Service(tmp_path / "local" / "lake", first.settings)
    shutil.copytree(first.root, reference.root)
    assert reference.run(*of_days(MORE))["status"] == "succeeded"
    service = Service(tmp_path / "lake")
    own = [word for key, value in first.settings.items() for word in ("--set", f"{key}={value}")]
    words = ["run_cinelake.py", *settings(service.root), *own]
    # The models of the first days are those of the day after.
    for days in (FIRST, MORE):
        done = summary(cluster.submit(bundle, [*words, *of_days(days)], at=tmp_path))
        print(f"{days[0]} to {days[1]}: {done['seconds']:.0f} s on the cluster", flush=True)
        assert done["status"] == "succeeded"
    expected = reference.content(spark)
    assert {name for name, rows in expected.items() if rows} >= OF_ALL_AREAS, sorted(expected)
    assert not differing(expected, service.content(spark))
    # Days that are asked for are computed, and found to be as they were.
    again = summary(cluster.submit(bundle, [*words, *of_days(MORE)], at=tmp_path))
    assert not [name for name, job in again["jobs"].items() if job["changed"]]


def test_jobs_one_by_one_make_the_tables_of_a_local_run(
    spark: SparkSession,
    undisturbed: tuple[Service, float],
    cluster: Cluster,
    bundle: Path,
    tmp_path: Path,
) -> None:
    reference, _ = undisturbed
    service = Service(tmp_path / "lake")
    service.copy_landing(reference)
    # Titles are those of the data set's first day, and all landed on its last.
    days = ["--start", "2017-07-14", "--end", "2019-07-14", "--resume", "--mend", "--lenient"]
    planned = json.loads((bundle / "plan.json").read_text())["jobs"]
    wanted = {"ingest_titles", "build_titles", "build_title_genres"}
    for job in (job for job in planned if job["name"] in wanted):
        words = [f"jobs/{job['area']}/{job['name']}.py", *settings(service.root)]
        ended = cluster.submit(
            bundle, words + ([] if job["kind"] == "ingest" else days), at=tmp_path
        )
        assert summary(ended)["jobs"][job["name"]]["status"] in ("succeeded", "up to date")
    expected, found = reference.content(spark), service.content(spark)
    for name in ("titles", "title_genres"):
        assert found[name] == expected[name]


def test_executors_that_are_killed_in_mid_stage_cost_time_and_no_row(
    spark: SparkSession,
    some: Service,
    expected: dict[str, list[str]],
    cluster: Cluster,
    bundle: Path,
    tmp_path: Path,
) -> None:
    service = Service(tmp_path / "lake")
    service.copy_landing(some)
    words = ["run_cinelake.py", *settings(service.root), *SOME_JOBS]
    with ThreadPoolExecutor(1) as pool:
        submitted = pool.submit(cluster.submit, bundle, words, at=tmp_path)
        killed = kill_executors(cluster.log.parent, service.root, submitted)
        done = summary(submitted.result())
    print(f"{killed} executors killed", flush=True)
    assert killed == KILLS
    assert done["status"] == "succeeded"
    assert not differing(expected, service.content(spark))
    again = summary(cluster.submit(bundle, words, at=tmp_path))
    assert {job["status"] for job in again["jobs"].values()} <= AT_REST


def kill_executors(home: Path, root: Path, submitted: Future[Any]) -> int:
    """Kill an executor of the cluster whose files are in `home` each time that more tables have come into being."""
    killed, seen = 0, 0
    while killed < KILLS and not submitted.done():
        tables = len(list(root.glob("tables/*/*")))
        running = executors(home)
        # Some while after a table was begun, a stage is at work.
        if tables > seen and running:
            time.sleep(1)
            with suppress(ProcessLookupError):
                os.kill(running[killed % len(running)], signal.SIGKILL)
                killed, seen = killed + 1, tables + 1
        time.sleep(0.2)
    return killed


def executors(home: Path) -> list[int]:
    """The processes of executors, which work in folders of their workers."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            words = (process / "cmdline").read_bytes()
            if (
                b"CoarseGrainedExecutorBackend" in words
                and home in (process / "cwd").resolve().parents
            ):
                found.append(int(process.name))
    return sorted(found)


def test_what_is_wrong_is_said_before_any_table_is_touched(
    cluster: Cluster, bundle: Path, tmp_path: Path
) -> None:
    job = "jobs/behaviour/build_ratings.py"
    day = ["--start", "2019-01-01", "--end", "2019-01-02"]

    def said(
        *, lake: Path = tmp_path / "lake", spark: tuple[str, ...] = (), more: tuple[str, ...] = ()
    ) -> str:
        words = [job, *settings(lake), *more, *day]
        ended = cluster.submit(bundle, words, at=tmp_path, spark=spark)
        assert ended.returncode == 1, f"{ended.stdout[-2000:]}\n{ended.stderr[-2000:]}"
        assert not (tmp_path / "lake" / "tables").exists()
        # spark-submit sends what Python says, errors too, to the standard output.
        return ended.stdout

    assert "no Spark master answers at spark://127.0.0.1:1 " in said(
        spark=("--master", "spark://127.0.0.1:1")
    )
    assert "there is no environment 'prod'" in said(more=("--env", "prod"))
    assert "no executor came within 20s" in said(
        spark=("--conf", "spark.executor.memory=64g"), more=("--set", "spark.executor_wait=20s")
    )
    (tmp_path / "file").touch()
    assert "cannot be written to" in said(lake=tmp_path / "file" / "lake")
    assert "runs with Delta 4.4.0, and" in said(spark=("--jars", str(other_delta(tmp_path))))


def other_delta(folder: Path) -> Path:
    """Delta's jar, which says that it is of another version."""
    ours = DELTA.resolve()[0]
    target = folder / "delta-spark_4.2_2.13-4.0.0.jar"
    with zipfile.ZipFile(ours) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "META-INF/MANIFEST.MF":
                content = content.replace(b"4.4.0", b"4.0.0")
            new.writestr(name, content)
    return target
