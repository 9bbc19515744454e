"""The store is made whole or not at all, and where it cannot be, it is said which setting is missing."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from cinelake.runtime.tracking.runs import Tracking
from cinelake.runtime.tracking.store import TrackingDown, TrackingError
from cinelake.runtime.windows import Window

MONDAY = Window.of_day(date(2026, 3, 2))


@pytest.mark.thorough
def test_two_processes_may_create_the_store_at_once_and_neither_says_a_word(tmp_path: Path) -> None:
    program = (
        "from cinelake.runtime.tracking.runs import Tracking\n"
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


class Recorded:
    """A client of a server that has no experiment yet, and what it is asked to make."""

    def __init__(self) -> None:
        self.made: dict[str, str | None] = {}

    def get_experiment_by_name(self, name: str) -> None:
        return None

    def create_experiment(
        self, name: str, artifact_location: str | None, tags: dict[str, str]
    ) -> str:
        self.made[name] = artifact_location
        return str(len(self.made))


@pytest.mark.parametrize(
    ("root", "location"),
    [
        (None, None),
        ("s3://bucket/mlflow", "s3://bucket/mlflow/recommend"),
        ("file:///shared/mlflow", "file:///shared/mlflow/recommend"),
        # MLflow knows no such place, so nothing could ever be put there.
        ("s3a://bucket/mlflow", None),
        ("abfs://container@account.dfs.core.windows.net/mlflow", None),
    ],
)
def test_what_only_spark_can_write_to_is_left_to_its_frames(
    root: str | None, location: str | None
) -> None:
    tracking, client = Tracking("https://mlflow.example.org", root), Recorded()
    tracking.client = client  # type: ignore[assignment]

    tracking.experiment("recommend")

    assert client.made == {"recommend": location}


def test_without_a_server_what_only_spark_can_write_to_is_refused(tmp_path: Path) -> None:
    tracking = Tracking(f"sqlite:///{tmp_path}/mlflow.db", "s3a://bucket/mlflow")
    with pytest.raises(TrackingError, match="MLflow itself puts nothing at s3a: .*artifact_root"):
        tracking.start("recommend", "j", MONDAY, "r")


def test_a_store_that_cannot_be_made_is_away_and_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mlflow").write_text("no folder")
    with pytest.raises(TrackingDown, match=r"cannot be made: .*make room in .*mlflow, or let it"):
        Tracking.beside_lake(str(tmp_path)).start("recommend", "j", MONDAY, "r")
    (tmp_path / "mlflow").unlink()

    def refuse(*_: str) -> None:
        raise OperationalError("CREATE TABLE", None, sqlite3.OperationalError("disk is full"))

    monkeypatch.setattr("mlflow.store.tracking.sqlalchemy_store.SqlAlchemyStore", refuse)
    with pytest.raises(TrackingDown, match=r"cannot be made: disk is full; make room"):
        Tracking.beside_lake(str(tmp_path)).start("recommend", "j", MONDAY, "r")
