from __future__ import annotations

from pathlib import Path

import pytest

from cinelake.runtime.spark import machine
from cinelake.runtime.spark.machine import SessionError


def fake_java(directory: Path, version: str | None) -> Path:
    binary = directory / "bin" / "java"
    binary.parent.mkdir(parents=True)
    binary.write_text("#!/bin/sh\necho 'openjdk version \"11.0.2\"' >&2\n")
    binary.chmod(0o755)
    if version is not None:
        (directory / "release").write_text(f'IMPLEMENTOR="x"\nJAVA_VERSION="{version}"\n')
    return binary


def test_no_java_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SessionError, match="no Java on the PATH.*openjdk-17-jre-headless"):
        machine.require_java()
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(SessionError, match=r"JAVA_HOME=.* has no bin/java"):
        machine.require_java()


@pytest.mark.parametrize(("version", "found"), [("1.8.0_392", 8), ("17.0.15", 17), ("21", 21)])
def test_the_java_version_is_read_from_its_release_file(
    tmp_path: Path, version: str, found: int
) -> None:
    assert machine.java_version(fake_java(tmp_path / "java", version)) == found


def test_an_old_java_is_named_with_its_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Without a release file the binary itself is asked.
    fake_java(tmp_path / "java", None)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "java"))
    with pytest.raises(SessionError, match="is Java 11, and Spark needs Java 17; install it"):
        machine.require_java()
