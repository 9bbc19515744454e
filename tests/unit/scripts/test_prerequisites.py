from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A PATH with the shell's own tools, and neither Python nor Java."""
    for tool in ("sh", "sed", "head"):
        found = shutil.which(tool)
        assert found
        (tmp_path / tool).symlink_to(found)
    return tmp_path


def install(machine: Path, tool: str, script: str) -> None:
    path = machine / tool
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def java(version: str) -> str:
    return f"echo 'openjdk version \"{version}\" 2025-04-15' >&2"


PYTHON_311 = "exit 0"
PYTHON_312 = 'case "$*" in *version_info*) exit 1;; -V) echo Python 3.12.1;; esac'
NO_VENV = 'case "$*" in *ensurepip*) exit 1;; esac'


def check(machine: Path, **env: str) -> tuple[int, str]:
    run = subprocess.run(
        ["/bin/sh", ROOT / "scripts" / "prerequisites.sh", "python3.11"],
        env={"PATH": str(machine), **env},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.stdout == ""
    return run.returncode, run.stderr


def test_a_fit_machine_is_told_nothing(machine: Path) -> None:
    install(machine, "python3.11", PYTHON_311)
    install(machine, "java", java("17.0.15"))
    assert check(machine) == (0, "")


def test_all_that_is_missing_is_named_at_once(machine: Path) -> None:
    code, said = check(machine)
    assert code == 1
    assert "Python 3.11 is missing" in said
    assert "apt install python3.11 python3.11-venv" in said
    assert "Java 17 is missing: there is no java on the PATH" in said
    assert "apt install openjdk-17-jre-headless" in said


def test_a_wrong_python_is_named_with_its_version(machine: Path) -> None:
    install(machine, "python3.11", PYTHON_312)
    install(machine, "java", java("17"))
    code, said = check(machine)
    assert (code, said.splitlines()[0]) == (
        1,
        "Python 3.11 is needed, and python3.11 is Python 3.12.1.",
    )


def test_a_python_without_venv_is_named(machine: Path) -> None:
    install(machine, "python3.11", NO_VENV)
    install(machine, "java", java("17"))
    code, said = check(machine)
    assert code == 1
    assert "apt install python3.11-venv" in said


@pytest.mark.parametrize(("release", "named"), [("1.8.0_392", "Java 8"), ("11.0.2", "Java 11")])
def test_an_old_java_is_named_with_its_version(machine: Path, release: str, named: str) -> None:
    install(machine, "python3.11", PYTHON_311)
    install(machine, "java", java(release))
    code, said = check(machine)
    assert code == 1
    assert f"Java 17 is needed, and the java on the PATH is {named}." in said


def test_a_newer_java_is_noted_and_let_pass(machine: Path) -> None:
    install(machine, "python3.11", PYTHON_311)
    install(machine, "java", java("21.0.1"))
    code, said = check(machine)
    assert code == 0
    assert "tested with Java 17, and the java on the PATH is Java 21" in said


def test_java_home_comes_before_the_path(machine: Path, tmp_path: Path) -> None:
    install(machine, "python3.11", PYTHON_311)
    install(machine, "java", java("17"))
    code, said = check(machine, JAVA_HOME=str(tmp_path / "nowhere"))
    assert code == 1
    assert f"there is no java in JAVA_HOME ({tmp_path / 'nowhere'})" in said


def test_a_java_that_does_not_run_is_named(machine: Path) -> None:
    install(machine, "python3.11", PYTHON_311)
    install(machine, "java", "echo 'Unable to locate a Java Runtime.' >&2; exit 1")
    code, said = check(machine)
    assert code == 1
    assert "does not run: Unable to locate a Java Runtime." in said
