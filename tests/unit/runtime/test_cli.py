"""The command line: what it prints, what it refuses, and with which exit code."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cinelake.runtime import cli
from cinelake.runtime.code_version import code_version
from cinelake.runtime.config import load_settings
from cinelake.runtime.delta.lock import lake_lock
from cinelake.runtime.job import JobError
from cinelake.runtime.model_commands import model_app
from cinelake.runtime.settings import ConfigError
from cinelake.runtime.tracking.runs import Tracking
from cinelake.runtime.tracking.versions import CHAMPION, registered_name
from cinelake.runtime.workspace import Workspace
from cinelake.tables.recommend import RECOMMENDER

ROOT = Path(__file__).parents[3]
Command = Callable[..., Result]


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """`cinelake` on an empty lake; commands of areas and importers are registered once a process."""
    monkeypatch.setattr(cli, "_workspaces", [])
    if "movielens" not in {info.name for info in cli.ingest_app.registered_commands}:
        cli._discover_importers()
    if "model" not in {group.name for group in cli.app.registered_groups}:
        cli.app.add_typer(model_app(cli.workspace), name="model")
    root = f"lake.root={tmp_path / 'lake'}"
    return lambda *words: CliRunner().invoke(cli.app, ["--set", root, *words])


def test_help_names_the_commands(command: Command) -> None:
    shown = command("--help").output
    for name in (
        "plan",
        "run",
        "tables",
        "config",
        "doctor",
        "mlflow",
        "reset",
        "rebuild",
        "checks",
        "ingest",
    ):
        assert f" {name} " in shown


def test_the_version_is_the_one_that_runs_are_entered_with(command: Command) -> None:
    assert command("--version").output == f"{code_version()}\n"


def test_the_plan_is_printed_in_each_format(command: Command) -> None:
    assert "behaviour/build_ratings" in command("plan").output
    assert command("plan", "--format", "mermaid").output.startswith("flowchart LR")
    jobs = {
        job["name"]: job for job in json.loads(command("plan", "--format", "json").output)["jobs"]
    }
    assert set(jobs["build_ratings"]["upstream"]) == {"build_titles", "ingest_ratings"}


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("plan", "--format", "svg"), "choose one of text, mermaid, json"),
        (("run", "--start", "2026-01-01"), "give both --start and --end"),
        (("run", "--start", "2026-01-02", "--end", "2026-01-01"), "holds no day"),
        (("run", "--start", "1.1.2026", "--end", "2026-01-02"), "write it as 2026-01-31"),
        (("run", "--step", "5h"), "windows are whole days"),
        (
            ("run", "--only", "build_rating"),
            "there is no job 'build_rating'; did you mean 'build_ratings'?",
        ),
    ],
)
def test_wrong_arguments_end_with_code_2_and_say_what_is_wrong(
    command: Command, words: tuple[str, ...], complaint: str
) -> None:
    ended = command(*words)
    assert ended.exit_code == 2
    assert complaint in " ".join(ended.output.replace("│", " ").split())


def test_a_table_is_documented_from_its_contract(command: Command) -> None:
    page = command("tables", "ratings").output
    for words in ("rating_date", "build_ratings", "CREATE TABLE"):
        assert words in page


def test_an_unknown_table_is_answered_with_the_nearest(command: Command) -> None:
    ended = command("tables", "rating")
    assert ended.exit_code == 1
    assert "did you mean 'ratings'?" in ended.output


def test_the_configuration_shows_where_each_value_comes_from(command: Command) -> None:
    line = next(
        line for line in command("config").output.splitlines() if line.startswith("lake.root")
    )
    assert "--set" in line


def test_a_section_of_the_configuration_shows_what_it_means(command: Command) -> None:
    told = [line.split("\t") for line in command("config", "lake").output.splitlines()]
    assert all(key.startswith("lake.") for key, *_ in told)
    meanings = {key: meaning for key, _, _, meaning in told}
    assert meanings["lake.root"] == "Directory or object-store prefix that holds the whole lake."


@pytest.mark.parametrize(
    ("setting", "mend"),
    [
        ("jobs.recomend_titles.top=5", "did you mean 'recommend_titles'?"),
        ("jobs.recommend_titles.tops=5", "has no setting 'tops'"),
    ],
)
def test_settings_of_jobs_that_nobody_reads_are_refused(setting: str, mend: str) -> None:
    with pytest.raises(JobError, match=re.escape(mend)):
        Workspace(load_settings(overrides=[setting], env={})).parameters()


def test_a_section_that_is_mistyped_is_corrected(command: Command) -> None:
    ended = command("config", "jobs.train_cluster")
    assert ended.exit_code == 1
    assert "did you mean 'jobs.train_clusters'?" in ended.output


def test_a_folder_that_is_no_movielens_is_refused_by_name(command: Command, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    ended = command("ingest", "movielens", str(empty))
    assert ended.exit_code == 1
    assert "empty" in str(ended.exception)


def test_importers_write_into_folders_and_say_how_a_store_is_filled(
    command: Command, tmp_path: Path
) -> None:
    store = "lake.landing=s3a://films/landing"
    ended = command("--set", store, "ingest", "movielens", str(tmp_path))
    assert ended.exit_code == 1
    assert isinstance(ended.exception, ConfigError)
    for words in ("s3a://films/landing is in a store", "--set lake.landing=/A/FOLDER", "s3 sync"):
        assert words in str(ended.exception)


def test_commands_joined_by_then_run_in_one_workspace_until_one_fails(
    command: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = f"lake.root={tmp_path / 'lake'}"
    cli._run_each(["--set", root, "plan", "then", "plan", "--format", "mermaid"])
    shown = capsys.readouterr().out
    assert shown.index("behaviour/build_ratings") < shown.index("flowchart LR")
    # What stood before the first command holds for the others.
    (workspace,) = cli._workspaces
    assert workspace.settings.lake.root == str(tmp_path / "lake")
    with pytest.raises(SystemExit) as end:
        cli._run_each(["tables", "rating", "then", "plan"])
    assert end.value.code == 1
    assert "build_ratings" not in capsys.readouterr().out
    with pytest.raises(SystemExit) as end:
        cli._run_each(["config", "then", "--set", root, "config"])
    assert end.value.code == 2


def test_a_lake_in_use_is_told_from_a_failure_by_its_code(tmp_path: Path) -> None:
    lake = ["--set", f"lake.root={tmp_path}"]
    day = ["--start", "2026-01-01", "--end", "2026-01-02"]
    job = ROOT / "jobs" / "behaviour" / "build_ratings.py"
    with lake_lock(tmp_path):
        for words in ([ROOT / "scripts/bundled/run_cinelake.py", *lake, "run"], [job, *lake, *day]):
            ended = subprocess.run(
                [sys.executable, *words], stderr=subprocess.PIPE, text=True, check=False
            )
            assert ended.returncode == 75, ended.stderr
            assert "is in use: process" in ended.stderr


def test_commands_joined_by_then_go_on_after_a_warning_and_end_with_its_code(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said: list[str] = []

    def ends(command: list[str]) -> None:
        said.append(command[0])
        raise SystemExit({"run": 3, "report": 0, "reset": 1}[command[0]])

    monkeypatch.setattr(cli, "app", ends)

    with pytest.raises(SystemExit) as end:
        cli._run_each(["run", "then", "report"])
    assert (end.value.code, said) == (3, ["run", "report"])
    # A failure weighs more, and ends it.
    with pytest.raises(SystemExit) as end:
        cli._run_each(["run", "then", "reset", "then", "report"])
    assert (end.value.code, said[2:]) == (1, ["run", "reset"])


def test_what_people_do_with_models_is_done_in_mlflow(command: Command, tmp_path: Path) -> None:
    tracking = Tracking.beside_lake(str(tmp_path / "lake"))
    name = registered_name(RECOMMENDER)
    tracking.client.create_registered_model(name)
    for week, ndcg in enumerate((0.125, 0.25)):
        run = tracking.client.create_run(tracking.experiment("recommend")).info.run_id
        tracking.client.log_metric(run, "challenger.ndcg_at_10", ndcg)
        tags = {"trained_through": f"{date(2026, 3, 2) + timedelta(weeks=week)}"}
        tracking.client.create_model_version(name, f"runs:/{run}/model", run, tags)

    def said(*words: str) -> str:
        ended = command("model", *words)
        # `main` tells of an error what its message says.
        return " ".join(f"{ended.exit_code} {ended.output} {ended.exception or ''}".split())

    def champion() -> int | None:
        version = tracking.at_alias(RECOMMENDER, CHAMPION)
        return version and version.version

    assert said("promote", "recommender", "1", "--why", "first").startswith(
        "0 recommender version 1 is"
    )
    assert said("promote", "recommender", "2", "--why", "better").startswith(
        "0 recommender version 2"
    )
    assert said("promote", "recommender", "1", "--why", "again").startswith(
        "1 version 2 of model 'recommender', trained through 2026-03-09, is approved and newer"
    )
    assert champion() == 2
    assert "challenger.ndcg_at_10 │ 0.125 │ 0.25 │ +0.125" in said(
        "compare", "recommender", "1", "2"
    )
    assert "recommender version 2 is taken back; version 1 is champion" in said(
        "rollback", "recommender", "--why", "lists of one genre"
    )
    assert champion() == 1
    assert "1 (champion)" in said("list", "recommender")
    assert "no version is approved" in said("rollback", "recommender", "--why", "this, too")
    assert champion() is None
    assert "nothing to take back" in said("rollback", "recommender", "--why", "once more")
    assert "did you mean 'recommender'?" in said("list", "recomender")
