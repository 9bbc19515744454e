"""`cinelake simulate` refuses what it cannot do, with a clear message and before anything is written."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from pyspark.sql import SparkSession
from typer.testing import CliRunner, Result

from cinelake.runtime.settings import Settings
from cinelake.runtime.workspace import Workspace
from cinelake.simulate.commands import day as day_of
from cinelake.simulate.commands import new_service, register
from cinelake.simulate.settings import Settings as ServiceSettings
from cinelake.simulate.settings import WorldSettings
from cinelake.sources.catalog import all_sources

Command = Callable[..., Result]
PROFILES = {
    "typo.toml": "[delivery]\nlate_shares = 0.1\n",
    "nowhere.toml": '[[player.incidents]]\nkind = "congestion"\nstart = 2026-01-02T18:00:00Z\n'
    'hours = 3\nseverity = 0.8\ncdn = "akamei"\n',
    "negative.toml": "[world]\ntitles = -5\n",
    "broken.toml": "[world\n",
}


@pytest.fixture
def command(spark: SparkSession, settings: Settings, tmp_path: Path) -> Command:
    """`cinelake simulate`, run in a folder with some profiles."""
    for name, text in PROFILES.items():
        (tmp_path / name).write_text(text)
    app = typer.Typer()
    app.callback()(lambda: None)
    register(app, lambda: Workspace(settings, spark))
    return lambda *words: CliRunner().invoke(app, ["simulate", *words])


def complaint(ended: Result) -> str:
    assert ended.exit_code == 2, ended.output
    return " ".join(ended.output.replace("│", " ").split())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--accounts", "0"), "should be greater than or equal to 1"),
        (("--accounts", "-3"), "should be greater than or equal to 1"),
        (("--days", "-1"), "should be greater than or equal to 1"),
        (("--seed", "-7"), "should be greater than or equal to 0"),
        (("--start", "1.1.2026"), "write it as 2026-01-01"),
        (("--start", "2019-01-01"), "leave the simulated world, which lasts from 2025-01-06"),
        (("--days", "3000"), "leave the simulated world"),
        (("--profile", "no-such"), "there is no profile no-such"),
        (("--profile", "typo.toml"), "did you mean delivery.late_share?"),
        (("--profile", "nowhere.toml"), "cdn 'akamei', which does not exist; there are aurora"),
        (("--profile", "negative.toml"), "world.titles: Input should be greater than or equal to 60"),
        (("--profile", "broken.toml"), "is not valid TOML"),
        (("--append",), "holds no simulated service to continue"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_said_and_nothing_is_written(
    command: Command, tmp_path: Path, words: tuple[str, ...], message: str
) -> None:
    here = tuple(str(tmp_path / word) if word in PROFILES else word for word in words)
    assert message in complaint(command(str(tmp_path / "out"), *here))
    assert not (tmp_path / "out").exists()


def test_without_a_folder_it_says_so(command: Command) -> None:
    assert "say where to" in complaint(command("--days", "1"))


def test_a_folder_that_holds_something_else_is_left_alone(command: Command, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.doc").write_text("precious")
    ended = command(str(tmp_path / "out"), "--accounts", "5", "--days", "1")
    assert ended.exit_code != 0
    assert "not empty" in f"{ended.output}{ended.exception}"
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["thesis.doc"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "continue it with --append"),
        (("--append", "--seed", "8"), "other settings: seed: 7, 8"),
        (("--append", "--accounts", "6"), "it has 5 accounts, not 6"),
        (("--append", "--start", "2026-03-01"), "its next day is 2026-01-03, not 2026-03-01"),
        (("--append", "--profile", "quiet"), "other settings: player.incidents_a_day: 1.5, 0.0"),
    ],
)  # fmt: skip
def test_only_the_same_service_is_continued(
    command: Command, tmp_path: Path, words: tuple[str, ...], message: str
) -> None:
    known = ServiceSettings(world=WorldSettings(reference=day_of("2026-01-01")))
    manifest = json.dumps(new_service(known, 5, day_of("2026-01-01"), 2))
    out = tmp_path / "out"
    out.mkdir()
    (out / "delivery.json").write_text(manifest)
    (tmp_path / "quiet").write_text("[player]\nincidents_a_day = 0.0\n")
    here = tuple(str(tmp_path / word) if word == "quiet" else word for word in words)
    assert message in complaint(command(str(out), *here))
    assert [path.name for path in out.iterdir()] == ["delivery.json"]
    assert (out / "delivery.json").read_text() == manifest


def test_every_source_is_explained_with_a_record(command: Command) -> None:
    told = command("--explain").output
    for name, source in all_sources().items():
        assert f"{name}: {source.description} (schema version {source.schema_version})" in told
    examples = [line for line in told.splitlines() if line.startswith("  for example: ")]
    assert len(examples) == len(all_sources())
    for line in examples:
        record = json.loads(line.removeprefix("  for example: "))
        assert {"event_id", "event_time", "received_at", "schema_version"} <= record.keys()
