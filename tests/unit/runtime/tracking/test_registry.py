"""Registration resumes where it broke off, and no window gets a model from its future."""

from __future__ import annotations

import re
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

from cinelake.runtime.tracking.runs import Tracking
from cinelake.runtime.tracking.store import TrackingError
from cinelake.runtime.tracking.tracker import Tracker
from cinelake.runtime.tracking.versions import CHAMPION, ModelVersion, proposed, registered_name
from cinelake.tables.contract import Model

EXAMPLE = pd.DataFrame({"x": [1.0]})
DOUBLING = """
import mlflow
import pandas as pd

class Doubling(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input: pd.DataFrame, params=None) -> pd.DataFrame:
        return pd.DataFrame({"y": model_input["x"] * 2})

mlflow.models.set_model(Doubling())
"""


@pytest.fixture
def model() -> Model:
    return Model(f"m{uuid4().hex}", "recommend", "Doubles a number.")


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
    assert shown.startswith("Failed: worse than popularity\n\n[Model card](#/experiments/")
    with pytest.raises(TrackingError, match="has not passed its gate"):
        tracking.promote(model, refused)


def test_a_version_leads_to_its_card(
    tracking: Tracking, tracker: Tracker, model: Model, doubling: Path
) -> None:
    tracker.log_card("<p>Doubles.</p>")
    version = _register(tracker, model, doubling)

    tracking.judge(version, passed=True, reason="good")

    run = tracking.client.get_run(version.run_id).info
    shown = tracking.client.get_model_version(version.name, "1").description
    page = f"#/experiments/{run.experiment_id}/runs/{run.run_id}/artifacts/model_card.html"
    assert shown == f"Passed: good\n\n[Model card]({page})"
    assert version.tags["model_card"] == f"runs:/{run.run_id}/model_card.html"
    assert [file.path for file in tracking.client.list_artifacts(run.run_id)] == ["model_card.html"]


def test_a_model_without_a_card_gets_one_of_what_its_training_logged(
    tracking: Tracking, doubling: Path
) -> None:
    model = Model(
        f"m{uuid4().hex}", "recommend", "Doubles a number.",
        not_for=("It is not for halving.",), weak=("Large numbers overflow.",),
    )  # fmt: skip
    tracker = tracking.start(
        "recommend", "train", None, "run-2", {"code_version": "1.0+abc", "input.numbers": "7"}
    )
    figure = Figure()
    figure.subplots().plot([1, 2], [2, 4])
    tracker.log_params({"factor": 2})
    tracker.log_metrics({"error": 0.5}, step=0)
    tracker.log_metrics({"error": 0.25}, step=1)
    tracker.log_figure(figure, "how_it_doubles.png")
    # What has been sent is told all the same.
    tracker.flush()
    gate = proposed(passed=False, reason="no better than adding; not enough numbers")

    version = _register(tracker, model, doubling, tags=gate)
    tracker.finish()

    mlflow.set_tracking_uri(tracking.uri)
    page = mlflow.artifacts.load_text(version.tags["model_card"])
    texts = re.sub(
        r"\s*\n\s*",
        "\n",
        re.sub(r"<svg.*?</svg>|<style>.*?</style>|<[^>]+>", "\n", page, flags=re.S),
    )
    assert texts.strip().split("\n") == [
        f"Model card: recommend / {model.name}", f"Model card: recommend / {model.name}", "Doubles a number.",
        "What it is", "The gate", "How good it is", "Limits",
        "What it is", "How it was made, so that it can be made again.",
        "2026-03-02", "is the newest day that it may have seen",
        "made of", "code", "1.0+abc", "table numbers", "version 7",
        "setting", "value", "factor", "2",
        "The gate", "Whether it may be used, and what was decided by.",
        "gate", "why", "not passed", "no better than adding", "not enough numbers",
        "How good it is", "What the training measured, on days or rows that what was measured had not seen.",
        "how it doubles", "metric", "value", "error", "0.25",
        "Limits", "What it is not for, and where it is weak.",
        "It is not for halving.", "Large numbers overflow.",
    ]  # fmt: skip
    assert page.count("<svg") == 1


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
