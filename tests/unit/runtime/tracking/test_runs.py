"""Runs are traceable: what they read, what was logged, and how they ended."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from uuid import uuid4

import mlflow
import pytest
from matplotlib.figure import Figure

from cinelake.runtime.tracking.buffer import Buffer, Kept
from cinelake.runtime.tracking.runs import Tracking
from cinelake.runtime.tracking.store import TrackingDown
from cinelake.runtime.tracking.tracker import Tracker
from cinelake.runtime.windows import Window

MONDAY = Window.of_day(date(2026, 3, 2))


def test_a_run_carries_its_window_its_tables_and_what_was_logged(tracking: Tracking) -> None:
    tracker = tracking.start(
        "recommend", "train_recommender", MONDAY, "run-7", {"code_version": "abc"}
    )
    tracker.log_params({"rank": 64})
    tracker.log_metrics({"ndcg_at_10": 0.25})
    tracker.set_tags({"input.ratings": 4, "output.recommendations": 9})
    tracker.log_figure(Figure(), "quality.png")
    tracker.finish()

    run = tracking.client.get_run(tracker.mlflow_run_id)
    assert run.info.run_name == "train_recommender 2026-03-02..2026-03-03"
    assert run.info.status == "FINISHED"
    assert run.data.params == {"rank": "64"}
    assert run.data.metrics == {"ndcg_at_10": 0.25}
    expected = {
        "job": "train_recommender",
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


def test_a_run_shows_where_it_comes_from_and_the_tables_it_read_as_data_sets(
    tracking: Tracking,
) -> None:
    tracker = tracking.start(
        "recommend", "train_recommender", MONDAY, "run-6", description="Train the recommender."
    )
    tracker.log_inputs({"ratings": ("/lake/ratings", 4), "titles": ("/lake/titles", 0)})
    tracker.finish()

    run = tracking.client.get_run(tracker.mlflow_run_id)
    assert run.data.tags["mlflow.note.content"] == "Train the recommender."
    assert run.data.tags["mlflow.source.name"] == "jobs/recommend/train_recommender.py"
    [ratings, titles] = sorted(run.inputs.dataset_inputs, key=lambda each: each.dataset.name)
    assert (ratings.dataset.name, ratings.dataset.digest) == ("ratings", "4")
    source = mlflow.data.get_source(titles.dataset)
    assert (source.path, source.delta_table_version) == ("/lake/titles", 0)
    # The page of runs opens on training, not on what MLflow has for agents.
    experiment = tracking.client.get_experiment(run.info.experiment_id)
    assert experiment.tags["mlflow.experimentKind"] == "custom_model_development"


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
    tracker = tracking.start("recommend", "train_recommender", MONDAY, "run-8")
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
    tracker = tracking.start("recommend", "train_recommender", MONDAY, "run-9")
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


def test_of_old_runs_those_of_jobs_are_put_into_the_bin_with_their_parts_and_nobody_else_s(
    tmp_path: Path,
) -> None:
    tracking = Tracking.beside_lake(str(tmp_path))
    client, day = tracking.client, 86_400_000
    theirs = client.create_experiment("theirs")
    ours = tracking.experiment("recommend")

    def begin(name: str, days: int, of: str | None = None, **tags: str) -> str:
        tags |= {"mlflow.parentRunId": of} if of else {}
        experiment = theirs if name.startswith("their") else ours
        run_id = client.create_run(experiment, days * day, tags, name).info.run_id
        client.set_terminated(run_id)
        return run_id

    def begin_job(name: str, days: int) -> str:
        source = {"mlflow.source.name": f"jobs/recommend/{name}.py"}
        return begin(name, days, job=name, run_id=name, **source)

    begin("a part", 12, of=begin_job("old", 11))
    begin("their part in ours", 12, of=begin("their run", 11))
    begin("their newest", 40)
    begin_job("new", 22)
    begin_job("of nine days", 13)

    assert tracking.prune(timedelta(days=10)) == 1
    assert tracking.prune(timedelta(days=9)) == 1
    assert tracking.prune(timedelta(days=9)) == 0
    left = {run.info.run_name for run in client.search_runs([theirs, ours])}
    assert left == {"their run", "their part in ours", "their newest", "new", "of nine days"}


class Files:
    """A folder in memory."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}

    def names(self, folder: str) -> list[str]:
        return sorted(path.removeprefix(f"{folder}/") for path in self.texts)

    def text(self, path: str) -> str | None:
        return self.texts.get(path)

    def put(self, path: str, text: str) -> None:
        self.texts[path] = text

    def remove(self, path: str) -> None:
        del self.texts[path]


def test_a_run_that_is_refused_is_told_and_keeps_none_behind_it(
    tracking: Tracking, monkeypatch: pytest.MonkeyPatch
) -> None:
    buffer, run_id = Buffer(Files(), "/waiting"), uuid4().hex
    # It had been opened before MLflow went away, and somebody has removed it since.
    buffer.keep(Kept("1", "recommend", "removed", 1_000, mlflow_run_id="0" * 32, ended_ms=2_000))
    buffer.keep(Kept(f"2-{run_id}", "recommend", "kept", 1_000, ended_ms=2_000, status="FINISHED"))

    delivered, refused = tracking.deliver_all(buffer)

    assert delivered == 1
    (told,) = refused
    assert told.startswith("removed (1): ")
    assert buffer.waiting() == ["1"]

    def away(_: Kept) -> None:
        raise TrackingDown("MLflow is away")

    monkeypatch.setattr(tracking, "deliver", away)
    with pytest.raises(TrackingDown):
        tracking.deliver_all(buffer)
    assert buffer.waiting() == ["1"]
