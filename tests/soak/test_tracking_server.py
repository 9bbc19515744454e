"""The whole pipeline on an MLflow server: models go there and come back by HTTP, and a server that dies in the middle
of a run costs no row and no run.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import mlflow
import numpy as np
import pytest
from mlflow import MlflowClient
from pyspark.sql import SparkSession
from soak.conftest import AT_REST, Service, differing
from tracking_server import Server, tracking_server

from cinelake.runtime.delta.lake import Lake
from cinelake.runtime.tracking.runs import Tracking
from cinelake.runtime.tracking.versions import FRAMES
from cinelake.tables.recommend import RECOMMENDER
from cinelake.tables.system import JOB_RUNS

AREAS = ("audience", "behaviour", "ingest", "integrity", "operations", "qoe", "recommend")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    home = tmp_path / "server"
    home.mkdir()
    with tracking_server(home) as made:
        made.start()
        yield made


def tracked(root: Path, server: Server, frames: Path) -> Service:
    """A lake whose models and runs go to the server; Spark keeps its frames in a folder."""
    settings = {"mlflow.tracking_uri": server.uri, "mlflow.artifact_root": frames.as_uri()}
    return Service(root, settings)


def entered(spark: SparkSession, service: Service) -> list[str]:
    """The lake's own ids of the runs of jobs that succeeded."""
    ledger = Lake(spark, str(service.root)).read(JOB_RUNS)
    rows = ledger.where("status = 'succeeded' AND kind = 'job'").select("run_id").collect()
    assert rows
    return [row.run_id for row in rows]


def arrived(server: Server) -> dict[str, list[str]]:
    """The statuses of the runs that the server has, by the lake's own id."""
    client = Tracking(server.uri).client
    ids = [each.experiment_id for each in client.search_experiments()]
    found: dict[str, list[str]] = {}
    token = None
    while True:
        page = client.search_runs(ids, "tags.run_id LIKE '%'", page_token=token)
        for run in page:
            found.setdefault(run.data.tags["run_id"], []).append(run.info.status)
        token = page.token
        if not token:
            return found


def pictures_of(client: MlflowClient, job: str) -> set[str]:
    """The pictures that the server lists of a job's only run."""
    ids = [each.experiment_id for each in client.search_experiments()]
    (run,) = client.search_runs(ids, f"tags.job = '{job}'")
    return {
        item.path for item in client.list_artifacts(run.info.run_id) if item.path.endswith(".png")
    }


def test_models_and_pictures_go_to_a_server_and_come_back_and_tables_are_the_same(
    spark: SparkSession,
    undisturbed: tuple[Service, float],
    folder: Path,
    server: Server,
    tmp_path: Path,
) -> None:
    reference, _ = undisturbed
    expected = reference.content(spark)
    client = Tracking(server.uri).client
    # Made by who keeps the server: what is put there goes through its hands.
    for area in AREAS:
        client.create_experiment(area)
    frames = tmp_path / "frames"
    service = tracked(tmp_path / "lake", server, frames)
    done = service.run("ingest", "movielens", str(folder), "then", "run")
    assert done["status"] == "succeeded"
    assert done["warnings"] == 0
    assert not differing(expected, service.content(spark))
    assert not (service.root / "mlflow").exists()

    found = arrived(server)
    own = {run: found.get(run) for run in entered(spark, service)}
    assert own == {run: ["FINISHED"] for run in own}
    assert {each.name for each in client.search_experiments()} == {*AREAS, "Default"}

    champion = Tracking(server.uri).at_alias(RECOMMENDER, "champion")
    challenger = Tracking(server.uri).at_alias(RECOMMENDER, "challenger")
    assert champion is not None
    assert challenger is not None
    assert (champion.version, challenger.version) == (1, 1)
    assert pictures_of(client, "train_recommender") >= {"quality.png"}
    # Frames lie where Spark reaches them, and nothing else does.
    assert champion.tags[FRAMES].startswith((frames / "frames").as_uri())
    assert [path.name for path in frames.iterdir()] == ["frames"]

    mlflow.set_tracking_uri(server.uri)
    before = sum("GET /api/2.0/mlflow-artifacts" in line for line in log(server))
    loaded = mlflow.pyfunc.load_model(f"models:/{champion.name}@champion")
    assert sum("GET /api/2.0/mlflow-artifacts" in line for line in log(server)) > before
    signature = loaded.metadata.signature
    assert signature is not None
    assert "history" in signature.inputs.input_names()
    asked = loaded.input_example
    answered = loaded.predict(asked)
    assert len(answered) == len(asked)
    assert np.isfinite(answered.scores[0]).all()
    again = service.run("run")
    assert {job["status"] for job in again["jobs"].values()} <= AT_REST


def log(server: Server) -> list[str]:
    return (server.home / "server.log").read_text().splitlines()


def test_a_server_that_is_killed_in_a_run_costs_no_row_and_no_run(
    spark: SparkSession,
    undisturbed: tuple[Service, float],
    server: Server,
    tmp_path: Path,
) -> None:
    reference, _ = undisturbed
    expected = reference.content(spark)
    service = tracked(tmp_path / "lake", server, tmp_path / "artefacts")
    service.copy_landing(reference)
    process = service.command("run")
    until = time.monotonic() + 600
    while not list(service.root.glob("tables/*/*/_delta_log/*1.json")):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until
        time.sleep(0.1)
    server.stop()
    out, err = process.communicate(timeout=1800)
    # Models are kept nowhere else, so what trains one fails, and what needs one waits.
    assert process.returncode == 1, f"{out[-1500:]}\n{err[-3000:]}"
    assert "Traceback" not in err, err[-3000:]
    jobs = json.loads(out.strip().splitlines()[-1])["jobs"]
    failed = {name: job["error"] for name, job in jobs.items() if job["status"] == "failed"}
    print(f"failed: {sorted(failed)}", flush=True)
    assert "train_recommender" in failed
    assert all("that the server runs" in error or "is away" in error for error in failed.values())
    assert jobs["sum_title_signals"]["status"] == "succeeded"
    assert "`cinelake mlflow flush`" in " ".join(err.split())
    waiting = len(list((service.root / "tracking").iterdir()))
    assert waiting

    server.start()
    service.run("mlflow", "flush", "then", "run")
    assert list((service.root / "tracking").iterdir()) == []
    assert not differing(expected, service.content(spark))
    found = arrived(server)
    own = {run: found.get(run) for run in entered(spark, service)}
    assert own == {run: ["FINISHED"] for run in own}
    # None is left open, and none is there twice.
    assert {len(statuses) for statuses in found.values()} == {1}
    assert {status for statuses in found.values() for status in statuses} <= {"FINISHED", "FAILED"}
    again = service.run("run")
    assert {job["status"] for job in again["jobs"].values()} <= AT_REST
