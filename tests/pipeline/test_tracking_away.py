"""MLflow as a server of its own: what it gets, and that nothing is lost while it is away."""

from __future__ import annotations

import errno
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from matplotlib.figure import Figure
from pyspark.sql import SparkSession
from tracking_server import Server, tracking_server

from cinelake.runtime.job import Cadence, JobParams, Run, job
from cinelake.runtime.tracking.buffer import Buffer, Kept
from cinelake.runtime.tracking.runs import Tracking
from cinelake.runtime.tracking.store import TrackingDown
from cinelake.tables.contract import Model

from .conftest import AMOUNTS, TOTALS, Service, sum_notes

MODEL = Model("toy_model", "toy", "Nothing anybody trains.")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with tracking_server(tmp_path_factory.mktemp("mlflow-server")) as made:
        yield made


def tracked(service: Service, server: Server) -> Tracking:
    """A new process's hold on the server; an old one does not knock again at once."""
    service.tracking = Tracking(server.uri)
    service.tracking.buffer = Buffer(service.lake.storage, f"{service.root}/tracking")
    return service.tracking


def flush(service: Service, server: Server) -> int:
    tracking = tracked(service, server)
    assert tracking.buffer is not None
    delivered, refused = tracking.deliver_all(tracking.buffer)
    assert refused == []
    return delivered


def runs_of(server: Server, job_name: str) -> list[tuple[str, str, float | None]]:
    """Name, status and rows out of the runs of a job, oldest first."""
    client = Tracking(server.uri).client
    ids = [each.experiment_id for each in client.search_experiments()]
    found = client.search_runs(ids, f"tags.job = '{job_name}'", order_by=["start_time ASC"])
    return [(r.info.run_name, r.info.status, r.data.metrics.get("rows_out")) for r in found]


def test_a_disk_too_full_for_what_waits_fails_the_job_that_says_so_and_ends_the_run_in_order(
    service: Service, tmp_path: Path
) -> None:
    class FullDisk(Buffer):
        def keep(self, run: Kept) -> None:
            raise OSError(errno.ENOSPC, "No space left on device", run.run_id)

    # Where MLflow's folder should be is a file.
    (tmp_path / "mlflow").write_text("")
    service.tracking = Tracking.beside_lake(str(tmp_path))
    service.tracking.buffer = FullDisk(service.lake.storage, f"{service.root}/tracking")
    service.note(("2026-01-01", "tea", 1))
    ended = service.run()
    assert ended.exit_code == 1
    assert [report.status for report in ended.reports] == ["failed", "skipped"]
    assert "No space left on device" in ended.reports[0].error


@job(reads=[AMOUNTS], writes=[MODEL], cadence=Cadence.ON_DEMAND, catchup=False)
def train_model(run: Run[JobParams]) -> None:
    """Train nothing."""


@job(reads=[AMOUNTS, MODEL], writes=[TOTALS])
def use_model(run: Run[JobParams]) -> None:
    """Do nothing without a model."""
    run.approved(MODEL)


@pytest.mark.thorough
def test_tables_do_not_wait_for_mlflow_and_what_was_logged_gets_there(
    service: Service, server: Server
) -> None:
    server.start()
    tracked(service, server)
    service.note(("2026-01-01", "tea", 1))
    assert service.run().exit_code == 0
    first = ("sum_notes 2026-01-01..2026-01-02", "FINISHED", 1.0)
    assert runs_of(server, "sum_notes") == [first]

    server.stop()
    tracked(service, server)
    service.note(("2026-01-02", "tea", 2))
    away = service.run()

    assert [report.state for report in away.reports] == ["warned", "succeeded"]
    assert away.exit_code == 3
    (warning,) = away.reports[0].warnings
    assert "is away" in warning
    assert "`cinelake mlflow flush`" in warning
    assert [row.total for row in service.rows(TOTALS)] == [1, 3]
    # It has waited for no more than two calls, and not for each.
    assert away.seconds < 120
    with pytest.raises(TrackingDown, match="is away|refused"):
        flush(service, server)

    server.start()
    tracking = tracked(service, server)
    assert tracking.buffer is not None
    twice = next(tracking.buffer.runs())
    tracking.deliver(twice)
    assert flush(service, server) == 2
    assert flush(service, server) == 0
    second = ("sum_notes 2026-01-02..2026-01-03", "FINISHED", 1.0)
    assert runs_of(server, "sum_notes") == [first, second]
    assert len(runs_of(server, "total_days")) == 2


@pytest.mark.thorough
def test_nothing_is_said_of_runs_where_commands_print_their_json(
    server: Server, capfd: pytest.CaptureFixture[str]
) -> None:
    server.stop()
    server.start()
    Tracking(server.uri).start("toy", "quiet", None, "run-2").finish()
    assert capfd.readouterr().out == ""


@pytest.mark.thorough
def test_a_run_that_had_begun_goes_on_where_it_was(service: Service, server: Server) -> None:
    server.stop()
    server.start()
    tracker = tracked(service, server).start("toy", "half_way", None, "run-1")
    tracker.log_metrics({"before": 1.0})
    tracker.flush()
    server.stop()
    figure = Figure()
    figure.subplots().plot([1, 2])

    tracker.log_metrics({"after": 2.0}, step=3)
    tracker.log_inputs({"plays": ("/lake/plays", 3)})
    tracker.log_text("a page", "pages/page.html")
    tracker.log_figure(figure, "pictures/line.png")
    tracker.finish()
    with pytest.raises(TrackingDown, match="models and trials are kept nowhere else"):
        tracker.resume(MODEL, "fingerprint")

    server.start()
    assert flush(service, server) == 1
    client = Tracking(server.uri).client
    run = client.get_run(tracker.mlflow_run_id)
    assert run.info.status == "FINISHED"
    assert run.data.metrics == {"before": 1.0, "after": 2.0}
    assert [(d.dataset.name, d.dataset.digest) for d in run.inputs.dataset_inputs] == [
        ("plays", "3")
    ]
    assert [m.step for m in client.get_metric_history(run.info.run_id, "after")] == [3]
    listed = [client.list_artifacts(run.info.run_id, name) for name in ("pages", "pictures")]
    there = [item.path for found in listed for item in found]
    assert there == ["pages/page.html", "pictures/line.png"]


@pytest.mark.thorough
def test_a_job_that_needs_a_model_fails_and_says_why(service: Service, server: Server) -> None:
    server.stop()
    tracked(service, server)
    service.jobs = (sum_notes, train_model, use_model)
    service.note(("2026-01-01", "tea", 1))
    summary = service.run()
    assert [report.status for report in summary.reports] == ["succeeded", "failed"]
    assert "check [mlflow] tracking_uri and that the server runs" in str(summary.reports[1].error)
    assert summary.exit_code == 1


@pytest.mark.thorough
def test_old_runs_go_to_the_bin_but_none_that_a_model_came_from(
    service: Service, spark: SparkSession, server: Server
) -> None:
    server.stop()
    server.start()
    tracking = tracked(service, server)
    now = int(time.time() * 1000)
    aged = {"new": 0, "old": 11, "of a model": 12}
    for name, days in aged.items():
        tags = {"run_id": name, "job": name, "mlflow.source.name": f"jobs/pruned/{name}.py"}
        tracking.deliver(
            Kept(name, "pruned", name, now - days * 86_400_000, status="FINISHED", ended_ms=now, tags=tags)
        )  # fmt: skip
    client = tracking.client
    (experiment,) = client.search_experiments(filter_string="name = 'pruned'")
    ids = {r.info.run_name: r.info.run_id for r in client.search_runs([experiment.experiment_id])}
    client.create_registered_model("m")
    client.create_model_version(
        "m", source=f"runs:/{ids['of a model']}/model", run_id=ids["of a model"]
    )

    assert tracking.prune(timedelta(days=10)) == 1
    assert tracking.prune(timedelta(days=10)) == 0
    left = {r.info.run_name for r in client.search_runs([experiment.experiment_id])}
    assert left == {"new", "of a model"}


def test_what_is_kept_comes_back_as_it_was() -> None:
    run = Kept(
        "r:1", "toy", "sum", 5, metrics=[("a", 1.0, 5, 0)], inputs={"plays": ("/lake/plays", 3)},
        texts={"t": "é"}, tags={"x": "y"},
    )  # fmt: skip
    run.add_picture("p.png", b"\x89PNG")
    again = Kept.from_json(run.to_json())
    assert again == run
    assert again.picture("p.png") == b"\x89PNG"
