"""Airflow for real: its DAG has the plan's edges, a day runs by real submits, and its scheduler fills in days in any
order, trying again a task that was killed, which ends with the same tables.

Airflow stands in an environment of its own, which `make airflow` makes too: .airflow/venv.
"""

from __future__ import annotations

import json
import os
import stat
import subprocess
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession
from soak.airflow_standalone import standing
from soak.cluster import SPARK_HOME, bare_python
from soak.conftest import ONE_SECRET, PROJECT, Service

import airflow_day
import bundle as bundling
from airflow_day import Airflow
from cinelake.runtime.job import Ingest, Job
from cinelake.runtime.runs.graph import Graph, discover

# A Tuesday: weekly jobs are not due, and the day after has landed, too, so that `all_landed` waits for nothing.
DAY, DAYS = date(2026, 1, 6), 4
# Of each kind one: change rows that build on yesterday's, and what needs the next day.
FEW = (
    "ingest_accounts", "ingest_playback", "ingest_heartbeats", "build_accounts", "build_viewing_sessions"
)  # fmt: skip
SUBMIT = SPARK_HOME / "bin" / "spark-submit"
# Tells of the DAGs as Airflow has loaded them.
TELL = """
import json, runpy, sys
found = runpy.run_path(sys.argv[1])
dag = found["cinelake"]
interval = dag.timetable
print(json.dumps({
    "edges": sorted([t.task_id, d] for t in dag.tasks for d in t.downstream_task_ids),
    "pools": {t.task_id: t.pool for t in dag.tasks},
    "assets": {t.task_id: sorted(a.uri for a in t.outlets) for t in dag.tasks},
    "rules": {t.task_id: t.trigger_rule.value for t in dag.tasks},
    "arguments": {t.task_id: list(t.application_args) for t in dag.tasks},
    "retries": sorted({t.retries for t in dag.tasks}),
    "catchup": dag.catchup,
    "cinelake": "cinelake" in sys.modules,
}))
"""
# Kills a job's driver in the middle of its work when it is submitted for the first time, as a lost machine would.
KILLED_ONCE = """#!/bin/bash
case "$*" in
  *jobs/behaviour/build_accounts.py*)
    if [ ! -e {mark} ]; then
      touch {mark}
      setsid {submit} "$@" & pid=$!
      sleep {seconds}
      kill -9 -- -$pid
      exit 137
    fi;;
esac
exec {submit} "$@"
"""


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bundling.build(tmp_path_factory.mktemp("bundle"), bundling.plan())


@pytest.fixture(scope="module", autouse=True)
def environment() -> None:
    """Airflow's environment, made if need be: the rule of the Makefile."""
    subprocess.run(["make", ".airflow/venv/.ready"], cwd=PROJECT, check=True)


@pytest.fixture(scope="module")
def delivered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The landing area of a small simulated service."""
    service = tmp_path_factory.mktemp("simulated") / "service"
    words = ["simulate", str(service), "--profile", "small", "--accounts", "6"]
    process = Service(tmp_path_factory.mktemp("none") / "lake").command(
        *words, "--start", DAY.isoformat(), "--days", str(DAYS)
    )
    out, err = process.communicate(timeout=900)
    assert process.returncode == 0, f"{out[-1000:]}\n{err[-3000:]}"
    return service / "landing"


class Scheduled:
    """A lake that Airflow fills, from a bundle and a Python that has nothing else of ours."""

    def __init__(self, folder: Path, bundle: Path, landing: Path, name: str) -> None:
        self.service = Service(folder / name / "lake")
        self.airflow = Airflow(folder / name / "home", bundle, DAY)
        self.airflow.jobs_bin = bare_python(folder / name / "venv").parent
        self.submit_by(f'#!/bin/bash\nexec {SUBMIT} "$@"\n')
        self.airflow.make([f"lake.root={self.service.root}", f"lake.landing={landing}"])
        os.environ.update(ONE_SECRET)

    def submit_by(self, script: str) -> None:
        """Make `script` the spark-submit that Airflow finds."""
        submit = self.airflow.jobs_bin / "spark-submit"
        submit.write_text(script)
        submit.chmod(submit.stat().st_mode | stat.S_IXUSR)

    def run(self, day: date) -> int:
        return self.airflow.run_day(day)


def reference(root: Path, landing: Path, *windows: str, jobs: tuple[str, ...] = ()) -> Service:
    """A lake that `cinelake run` fills with the same windows."""
    service = Service(root)
    only = [word for job in jobs for word in ("--only", job)]
    done = service.run("run", *windows, *only, **{"lake.landing": str(landing)})
    assert done["status"] == "succeeded"
    return service


def few(bundle: Path, folder: Path) -> Path:
    """The bundle with a plan of few jobs, each building on those of the few that it did."""
    target = folder / "few"
    subprocess.run(["cp", "-a", str(bundle), str(target)], check=True)
    jobs = [
        job for job in json.loads((bundle / "plan.json").read_text())["jobs"] if job["name"] in FEW
    ]
    for job in jobs:
        job["upstream"] = [name for name in job["upstream"] if name in FEW]
    (target / "plan.json").write_text(json.dumps({"jobs": jobs}))
    return target


def told(airflow: Airflow) -> dict[str, Any]:
    dag = airflow.home / "dags" / "cinelake_dag.py"
    ended = subprocess.run(
        [str(airflow_day.AIRFLOW.with_name("python")), "-c", TELL, str(dag)],
        env=airflow.env, cwd=airflow.home, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr[-3000:]
    return json.loads(ended.stdout.strip().splitlines()[-1])  # type: ignore[no-any-return]


def test_the_dag_has_the_edges_of_the_plan_and_an_asset_a_table(
    bundle: Path, tmp_path: Path
) -> None:
    airflow = Airflow(tmp_path / "home", bundle, DAY)
    airflow.make([])
    graph = Graph(tuple(discover(PROJECT / "jobs")))
    found = told(airflow)
    windowed = {job.name for job in graph.jobs if isinstance(job, Job)}
    taking_in = {job.name for job in graph.jobs if isinstance(job, Ingest)}
    assert set(found["rules"]) == windowed | taking_in | {"all_landed"}
    # Sources come before the data are awaited, and after that whatever builds on sources alone.
    first = {name for name in windowed if not graph.upstream[name] & windowed}
    expected = {(before, after) for after in windowed for before in graph.upstream[after]}
    expected |= {(name, "all_landed") for name in taking_in}
    expected |= {("all_landed", name) for name in first}
    assert {tuple(edge) for edge in found["edges"]} == expected
    assert found["arguments"]["all_landed"][-2:] == ["await", "{{ data_interval_end | ds }}"]
    assert found["assets"]["build_titles"] == ["cinelake://lake/titles"]
    assert found["pools"]["train_recommender"] == "cinelake_training"
    assert found["pools"]["build_titles"] == "cinelake"
    assert found["rules"].pop("all_landed") == "all_done"
    assert set(found["rules"].values()) == {"none_failed"}
    assert (found["retries"], found["catchup"], found["cinelake"]) == ([4], False, False)


def test_a_backfill_by_the_scheduler_newest_day_first_with_a_killed_task_makes_the_same_tables(
    spark: SparkSession, bundle: Path, delivered: Path, tmp_path: Path
) -> None:
    scheduled = Scheduled(tmp_path, few(bundle, tmp_path), delivered, "scheduled")
    mark = tmp_path / "killed"
    scheduled.submit_by(KILLED_ONCE.format(mark=mark, submit=SUBMIT, seconds=12))
    last = DAY + timedelta(days=2)
    # Dates without an hour are midnights, and a day's run is of some hours later.
    days = ("--from-date", DAY.isoformat(), "--to-date", (last + timedelta(days=1)).isoformat())
    with standing(scheduled.airflow) as airflow:
        airflow.ask("dags", "reserialize")
        airflow.ask("backfill", "create", "--dag-id", "cinelake", *days, "--run-backwards")
        airflow.ask("dags", "unpause", "cinelake", "--yes")
        states = airflow.await_runs("backfill__", seconds=3600)
    assert list(states.values()) == ["success"] * 3
    assert mark.exists()
    window = ("--start", DAY.isoformat(), "--end", (last + timedelta(days=1)).isoformat())
    expected = reference(tmp_path / "expected" / "lake", delivered, *window, jobs=FEW).content(
        spark
    )
    found = scheduled.service.content(spark)
    assert {"accounts", "viewing_sessions"} <= set(expected)
    assert len(expected["viewing_sessions"]) > 10
    assert found == expected


def test_a_day_of_all_jobs_makes_the_tables_of_a_run_of_that_day(
    spark: SparkSession, bundle: Path, delivered: Path, tmp_path: Path
) -> None:
    scheduled = Scheduled(tmp_path, bundle, delivered, "scheduled")
    assert scheduled.run(DAY) == 0
    window = ("--start", DAY.isoformat(), "--end", (DAY + timedelta(days=1)).isoformat())
    expected = reference(tmp_path / "expected" / "lake", delivered, *window).content(spark)
    found = scheduled.service.content(spark)
    assert len([name for name, rows in expected.items() if rows]) > 20
    differing = [name for name in expected if found.get(name) != expected[name]]
    assert not differing, {n: (expected[n][:2], found.get(n, [])[:2]) for n in differing}
