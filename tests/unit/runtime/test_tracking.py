"""Runs are traceable, registration resumes where it broke off, and no window gets a model from its
future.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from uuid import uuid4

import mlflow
import pandas as pd
import pytest
from chispa import assert_df_equality
from matplotlib.figure import Figure
from mlflow.models import infer_signature
from pyspark.sql import SparkSession

from cinelake.runtime.tracking import (
    CHAMPION,
    ModelVersion,
    Tracker,
    Tracking,
    TrackingError,
    registered_name,
)
from cinelake.runtime.windows import Window
from cinelake.tables.contract import Model

MONDAY = Window.of_day(date(2026, 3, 2))
EXAMPLE = pd.DataFrame({"x": [1.0]})
DOUBLING = """
import mlflow
import pandas as pd

class Doubling(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input: pd.DataFrame, params=None) -> pd.DataFrame:
        return pd.DataFrame({"y": model_input["x"] * 2})

mlflow.models.set_model(Doubling())
"""


@pytest.fixture(scope="session")
def tracking(tmp_path_factory: pytest.TempPathFactory) -> Tracking:
    """One SQLite store for all tests; each test registers models under a name of its own."""
    return Tracking.beside_lake(str(tmp_path_factory.mktemp("tracking") / "lake"))


@pytest.fixture
def model() -> Model:
    return Model(f"m{uuid4().hex}", "recommend", "Doubles a number.")


@pytest.fixture
def tracker(tracking: Tracking) -> Iterator[Tracker]:
    tracker = tracking.start("recommend", "train_als", MONDAY, "run-1", {"code_version": "abc"})
    yield tracker
    tracker.finish()


@pytest.fixture(scope="session")
def doubling(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("code") / "doubling.py"
    path.write_text(DOUBLING)
    return path


def _register(
    tracker: Tracker,
    model: Model,
    doubling: Path,
    fingerprint: str = "f1",
    through: date = date(2026, 3, 2),
    **more: object,
) -> ModelVersion:
    return tracker.register(
        model,
        python_model=doubling,
        signature=infer_signature(EXAMPLE, pd.DataFrame({"y": [2.0]})),
        input_example=EXAMPLE,
        pip_requirements=["mlflow==3.17.2"],
        trained_through=through,
        fingerprint=fingerprint,
        **more,
    )


def test_a_run_carries_its_window_its_tables_and_what_was_logged(tracking: Tracking) -> None:
    tracker = tracking.start("recommend", "train_als", MONDAY, "run-7", {"code_version": "abc"})
    tracker.log_params({"rank": 64})
    tracker.log_metrics({"ndcg_at_10": 0.25})
    tracker.set_tags({"input.ratings": 4, "output.recommendations": 9})
    tracker.log_figure(Figure(), "quality.png")
    tracker.finish()

    run = tracking.client.get_run(tracker.mlflow_run_id)
    assert run.info.run_name == "train_als 2026-03-02..2026-03-03"
    assert run.info.status == "FINISHED"
    assert run.data.params == {"rank": "64"}
    assert run.data.metrics == {"ndcg_at_10": 0.25}
    expected = {
        "job": "train_als",
        "run_id": "run-7",
        "window.start": "2026-03-02",
        "window.end": "2026-03-03",
        "code_version": "abc",
        "input.ratings": "4",
        "output.recommendations": "9",
    }
    assert expected.items() <= run.data.tags.items()
    assert [a.path for a in tracking.client.list_artifacts(tracker.mlflow_run_id)] == [
        "quality.png"
    ]
    assert tracking.client.get_experiment(run.info.experiment_id).name == "recommend"


def test_a_part_of_a_run_has_a_run_below_it_that_is_found_by_its_tag_once_it_has_ended(
    tracking: Tracking, tracker: Tracker
) -> None:
    key = uuid4().hex
    done, open_, failed, other = (
        tracker.child(f"trial {n}", {"search": key if n < 3 else "another"}) for n in range(4)
    )
    done.log_metrics({"ndcg_at_10": 0.25}, step=1)
    done.set_tags({"trial": "first"})
    for child, status in ((done, "FINISHED"), (failed, "FAILED"), (other, "FINISHED")):
        child.finish(status)

    assert [tags["trial"] for tags in tracker.finished("search", key)] == ["first"]
    run = tracking.client.get_run(done.mlflow_run_id)
    assert run.info.run_name == "trial 0"
    assert run.data.tags["mlflow.parentRunId"] == tracker.mlflow_run_id
    assert run.data.metrics == {"ndcg_at_10": 0.25}
    open_.finish()


def test_a_run_that_logs_more_than_one_batch_holds_loses_nothing(tracking: Tracking) -> None:
    tracker = tracking.start("recommend", "train_als", MONDAY, "run-8")
    tracker.log_params({f"p{n}": n for n in range(250)})
    tracker.log_metrics({f"m{n}": n for n in range(1700)})
    tracker.set_tags({f"input.t{n}": n for n in range(250)} | {"long": "x" * 100_000})
    tracker.finish()

    data = tracking.client.get_run(tracker.mlflow_run_id).data
    assert len(data.params) == 250
    assert len(data.metrics) == 1700
    assert data.tags["input.t249"] == "249"
    assert len(data.tags["long"]) == 5000


def test_a_failed_run_says_why_and_no_global_run_is_left_behind(tracking: Tracking) -> None:
    tracker = tracking.start("recommend", "train_als", MONDAY, "run-9")
    tracker.finish("FAILED", "ratings: the audit failed")

    run = tracking.client.get_run(tracker.mlflow_run_id)
    assert (run.info.status, run.data.tags["error"]) == ("FAILED", "ratings: the audit failed")
    assert mlflow.active_run() is None


def test_a_killed_run_is_closed_by_the_next_holder_of_the_lake(tracking: Tracking) -> None:
    killed = tracking.start("qoe", "score_sessions", MONDAY, "run-1")

    assert tracking.close_abandoned("qoe") == 1
    assert tracking.client.get_run(killed.mlflow_run_id).info.status == "KILLED"


def test_who_is_alone_closes_what_was_killed_before_the_first_start_of_an_area(
    tracking: Tracking,
) -> None:
    killed = tracking.start("qoe", "score_sessions", MONDAY, "run-2")
    alone = Tracking(tracking.uri, tracking.artifact_root, sole=True)
    first, second = (alone.start("qoe", "score_sessions", MONDAY, f"run-{n}") for n in (3, 4))
    states = [
        tracking.client.get_run(each.mlflow_run_id).info.status for each in (killed, first, second)
    ]
    assert states == ["KILLED", "RUNNING", "RUNNING"]
    for each in (first, second):
        each.finish()


def test_a_registered_model_has_signature_example_requirements_and_origin(
    tracking: Tracking, tracker: Tracker, model: Model, doubling: Path
) -> None:
    version = _register(tracker, model, doubling, params={"rank": 64})

    assert (version.version, version.trained_through) == (1, date(2026, 3, 2))
    assert version.run_id == tracker.mlflow_run_id
    assert tracking.client.get_registered_model(version.name).description == model.description
    mlflow.set_tracking_uri(tracking.uri)
    info = mlflow.models.get_model_info(version.uri)
    assert info.signature.inputs.input_names() == ["x"]
    assert info.saved_input_example_info is not None
    home = Path(mlflow.artifacts.download_artifacts(version.uri))
    assert (home / "requirements.txt").read_text().splitlines() == ["mlflow==3.17.2"]
    predicted = mlflow.pyfunc.load_model(version.uri).predict(pd.DataFrame({"x": [21.0]}))
    assert predicted["y"].tolist() == [42.0]


def test_frames_of_a_model_are_read_again_as_they_were(
    spark: SparkSession, tracking: Tracking, tracker: Tracker, model: Model, doubling: Path
) -> None:
    factors = spark.createDataFrame(
        [(1, [0.5, -0.5]), (2, [1.5, 2.5])], "id int, factors array<float>"
    )

    version = _register(tracker, model, doubling, frames={"profiles": factors})

    found = tracking.find(model, "f1")
    assert found == version
    assert_df_equality(
        tracking.read_frame(found, "profiles"), factors, ignore_row_order=True, ignore_nullable=True
    )
    with pytest.raises(TrackingError, match="no frame 'titles'"):
        tracking.read_frame(found, "titles")


def test_training_on_the_same_inputs_again_finds_the_version(
    tracking: Tracking, tracker: Tracker, model: Model, doubling: Path
) -> None:
    first = _register(tracker, model, doubling)
    again = _register(tracker, model, doubling)
    other = _register(tracker, model, doubling, fingerprint="f2")

    assert again == first
    assert other.version == 2
    assert [version.version for version in tracking.versions(model)] == [2, 1]
    assert tracking.find(model, "f3") is None


@pytest.mark.parametrize(
    ("broken_step", "resumes"),
    [
        ("log_model_artifacts", False),
        ("finalize_logged_model", False),
        ("create_registered_model", True),
        ("create_model_version", True),
    ],
)
def test_a_registration_that_broke_off_resumes_at_the_missing_step(
    tracking: Tracking,
    tracker: Tracker,
    model: Model,
    doubling: Path,
    monkeypatch: pytest.MonkeyPatch,
    broken_step: str,
    resumes: bool,
) -> None:
    def killed(*_: object, **__: object) -> None:
        raise ConnectionAbortedError

    with monkeypatch.context() as patch:
        patch.setattr(tracking.client, broken_step, killed)
        with pytest.raises(ConnectionAbortedError):
            _register(tracker, model, doubling)
    assert tracking.find(model, "f1") is None

    resumed = tracker.resume(model, "f1")
    version = _register(tracker, model, doubling)

    assert (resumed is not None) == resumes
    assert [entry.version for entry in tracking.versions(model)] == [version.version] == [1]
    states = {
        str(entry.status)
        for entry in tracking.client.search_logged_models(
            [tracking.client.get_experiment_by_name("recommend").experiment_id],
            f"name = '{model.name}'",
        )
    }
    assert states == ({"READY"} if resumes else {"READY", "FAILED"})


@pytest.mark.parametrize("broken_step", ["update_model_version", "set_model_version_tag"])
def test_a_version_whose_judging_broke_off_is_not_approved_until_judged_again(
    tracking: Tracking,
    tracker: Tracker,
    model: Model,
    doubling: Path,
    monkeypatch: pytest.MonkeyPatch,
    broken_step: str,
) -> None:
    version = _register(tracker, model, doubling)

    def killed(*_: object, **__: object) -> None:
        raise ConnectionAbortedError

    with monkeypatch.context() as patch:
        patch.setattr(tracking.client, broken_step, killed)
        with pytest.raises(ConnectionAbortedError):
            tracking.judge(version, passed=True, reason="beats popularity")
    found = tracking.find(model, "f1")
    assert found is not None
    assert not found.judged
    assert tracking.newest_approved(model, date(2030, 1, 1)) is None

    tracking.judge(found, passed=True, reason="beats popularity")
    approved = tracking.newest_approved(model, date(2030, 1, 1))
    assert approved is not None
    assert (approved.version, approved.reason) == (1, "beats popularity")


def test_a_refused_version_keeps_its_reason_and_is_never_used(
    tracking: Tracking, tracker: Tracker, model: Model, doubling: Path
) -> None:
    version = _register(tracker, model, doubling)

    refused = tracking.judge(version, passed=False, reason="worse than popularity")

    assert tracking.newest_approved(model, date(2030, 1, 1)) is None
    assert tracking.find(model, "f1").reason == "worse than popularity"
    shown = tracking.client.get_model_version(version.name, "1").description
    assert shown == "Failed: worse than popularity"
    with pytest.raises(TrackingError, match="has not passed its gate"):
        tracking.promote(model, refused)


def test_a_version_leads_to_its_card(
    tracking: Tracking, tracker: Tracker, model: Model, doubling: Path
) -> None:
    tags = tracker.log_card("<p>Doubles.</p>")
    version = _register(tracker, model, doubling, tags=tags)

    tracking.judge(version, passed=True, reason="good")

    run = tracking.client.get_run(version.run_id).info
    shown = tracking.client.get_model_version(version.name, "1").description
    page = f"#/experiments/{run.experiment_id}/runs/{run.run_id}/artifacts/model_card.html"
    assert shown == f"Passed: good\n\n[Model card]({page})"
    assert version.tags["model_card"] == f"runs:/{run.run_id}/model_card.html"
    assert [file.path for file in tracking.client.list_artifacts(run.run_id)] == ["model_card.html"]


def test_a_window_gets_the_newest_approved_version_that_did_not_see_it(
    tracking: Tracking, tracker: Tracker, model: Model, doubling: Path
) -> None:
    for fingerprint, through in [
        ("old", date(2026, 3, 2)),
        ("newer, trained first", date(2026, 3, 9)),
        ("same day again", date(2026, 3, 9)),
        ("backfill", date(2026, 2, 2)),
    ]:
        version = _register(tracker, model, doubling, fingerprint, through)
        tracking.judge(version, passed=True, reason="good")
    refused = _register(tracker, model, doubling, "refused", date(2026, 3, 9))
    tracking.judge(refused, passed=False, reason="bad")

    chosen = {
        day: found.version if (found := tracking.newest_approved(model, day)) else None
        for day in [date(2026, 3, 9), date(2026, 3, 8), date(2026, 3, 1), date(2026, 2, 1)]
    }

    assert chosen == {
        date(2026, 3, 9): 3,
        date(2026, 3, 8): 1,
        date(2026, 3, 1): 4,
        date(2026, 2, 1): None,
    }


def test_champion_moves_forward_and_never_back_to_older_data(
    tracking: Tracking, tracker: Tracker, model: Model, doubling: Path
) -> None:
    assert tracking.at_alias(model, CHAMPION) is None
    newer, older = (
        tracking.judge(_register(tracker, model, doubling, f, day), passed=True, reason="good")
        for f, day in [("a", date(2026, 3, 9)), ("b", date(2026, 3, 2))]
    )

    moved = [tracking.promote(model, newer), tracking.promote(model, older)]

    assert moved == [True, False]
    assert tracking.at_alias(model, CHAMPION) == newer
    assert registered_name(model) == newer.name


@pytest.mark.thorough
def test_two_processes_may_create_the_store_at_once_and_neither_says_a_word(tmp_path: Path) -> None:
    program = (
        "from cinelake.runtime.tracking import Tracking\n"
        "from cinelake.runtime.windows import Window\n"
        "from datetime import date\n"
        f"tracking = Tracking.beside_lake({str(tmp_path)!r})\n"
        "tracking.start('recommend', 'j', Window.of_day(date(2026, 3, 2)), 'r').finish()\n"
    )
    both = [
        subprocess.Popen(
            [sys.executable, "-c", program],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for _ in range(2)
    ]

    said = [process.communicate(timeout=60)[0] for process in both]

    assert said == ["", ""]
    assert [process.returncode for process in both] == [0, 0]
    runs = Tracking.beside_lake(str(tmp_path))
    experiment = runs.client.get_experiment_by_name("recommend")
    assert len(runs.client.search_runs([experiment.experiment_id])) == 2


def test_a_store_whose_creation_was_killed_is_made_afresh(tmp_path: Path) -> None:
    (tmp_path / "mlflow").mkdir()
    (tmp_path / "mlflow" / ".mlflow.db.new").write_text("half a database")

    Tracking.beside_lake(str(tmp_path)).start("recommend", "j", MONDAY, "r").finish()

    assert (tmp_path / "mlflow" / "mlflow.db").exists()


def test_a_lake_in_the_cloud_without_a_server_is_told_which_setting_it_lacks() -> None:
    with pytest.raises(TrackingError, match="tracking_uri"):
        Tracking.beside_lake("s3a://bucket/lake")
