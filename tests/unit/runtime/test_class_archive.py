from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from cinelake.runtime.spark import class_archive


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CINELAKE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def jars(tmp_path: Path) -> tuple[Path, ...]:
    path = tmp_path / "first-1.0.jar"
    path.write_text("test")
    return (path,)


def test_an_archive_that_cannot_be_made_only_costs_time(
    home: Path,
    jars: tuple[Path, ...],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    runs = []

    def failing(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        runs.append(command)
        return subprocess.CompletedProcess(command, 1, "", "the disk is full")

    monkeypatch.setattr(class_archive.subprocess, "run", failing)
    assert class_archive.class_archive(jars) is None
    assert "sessions start more slowly" in caplog.text
    # It is not tried again at each start; what went wrong is kept.
    assert class_archive.class_archive(jars) is None
    assert len(runs) == 1
    assert next((home / "classes").glob("*.failed")).read_text() == "the disk is full"


def test_an_archive_belongs_to_one_class_path(
    home: Path, jars: tuple[Path, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = class_archive.archive_path(jars)
    assert class_archive.archive_path(jars) == before
    jars[0].write_text("another jar of that name")
    assert class_archive.archive_path(jars) != before


def test_archives_that_nobody_uses_any_more_are_deleted(
    home: Path, jars: tuple[Path, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    old, used = (home / "classes" / name for name in ("old.jsa", "used.jsa"))
    old.parent.mkdir(parents=True)
    for path in (old, used):
        path.touch()
    os.utime(old, (0, 0))

    def making(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        # The class path that it is for comes after it.
        *_, archive, first = command
        assert first == str(jars[0])
        Path(archive).touch()
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(class_archive.subprocess, "run", making)
    made = class_archive.class_archive(jars)
    assert {path.name for path in old.parent.glob("*.jsa")} == {
        "used.jsa",
        made.name if made else "",
    }
