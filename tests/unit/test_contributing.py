"""CONTRIBUTING.md is true: its steps, followed to the letter in a copy of the project, add a job.

The commands and targets that it, what it refers to, and the README name exist.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

import cinelake
import cinelake.tables

ROOT = Path(__file__).parents[2]
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
DOCS = [page.read_text(encoding="utf-8") for page in sorted((ROOT / "docs").glob("*.md"))]
README = (ROOT / "README.md").read_text(encoding="utf-8")
# A path alone on its line, and the code below it.
BLOCK = re.compile(r"^`([\w/]+\.py)`\n\n```python\n(.*?)^```$", re.M | re.S)
PLAN = re.compile(r"^\$ cinelake plan\n(.*?)^```$", re.M | re.S)


def files_of(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }


def run(project: Path, *command: str) -> str:
    """What a command says when Python finds the package in `project`."""
    lib = str(project / "lib")
    done = subprocess.run(
        [sys.executable, *command],
        cwd=project,
        env={name: value for name, value in os.environ.items() if not name.startswith("CINELAKE_")}
        | {"PYTHONPATH": lib, "PYTHONDONTWRITEBYTECODE": "1", "COLUMNS": "120"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


# Several commands in one process, for its start is most of what they cost.
CINELAKE = """
import sys
from cinelake.runtime.cli import main
for words in sys.argv[1:]:
    sys.argv[1:] = words.split()
    try:
        main()
    except SystemExit as ended:
        assert not ended.code, ended.code
    print("\f", end="", flush=True)
"""


def lines_of(text: str) -> list[str]:
    """Lines with the padding between their columns taken out."""
    return [" ".join(line.split()) for line in text.splitlines()]


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project."""
    project = tmp_path_factory.mktemp("contributed")
    skipped = shutil.ignore_patterns("__pycache__")
    for folder in ("lib/cinelake", "jobs", "conf", "tests"):
        shutil.copytree(ROOT / folder, project / folder, ignore=skipped)
    shutil.copy(ROOT / "pyproject.toml", project)
    return project


@pytest.fixture(scope="module")
def before(clone: Path) -> dict[str, bytes]:
    """The files of the project, as in a fresh clone."""
    return files_of(clone)


@pytest.fixture(scope="module")
def project(before: dict[str, bytes], clone: Path) -> Path:
    """The copy, in which the steps have been followed."""
    for name, code in BLOCK.findall(CONTRIBUTING):
        path = clone / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(code, encoding="utf-8")
    return clone


@pytest.fixture(scope="module")
def said(project: Path) -> dict[str, str]:
    """What commands say, in the copy."""
    commands = ("plan", "tables rating_days", "--help")
    texts = run(project, "-c", CINELAKE, *commands).split("\f")
    return dict(zip(commands, texts[:-1], strict=True))


@pytest.fixture
def extended(project: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """In this process, too, the package has the files that were added to the copy; afterwards no longer."""
    for package, place in ((cinelake, "cinelake"), (cinelake.tables, "cinelake/tables")):
        monkeypatch.setattr(package, "__path__", [*package.__path__, str(project / "lib" / place)])
    loaded, attributes = dict(sys.modules), {m: dict(vars(m)) for m in (cinelake, cinelake.tables)}
    yield
    for name in sys.modules.keys() - loaded.keys():
        if name.startswith("cinelake"):
            del sys.modules[name]
    sys.modules.update({name: loaded[name] for name in loaded if name.startswith("cinelake_jobs")})
    for module, present in attributes.items():
        for name in vars(module).keys() - present.keys():
            delattr(module, name)


def test_the_steps_only_add_files(before: dict[str, bytes], project: Path) -> None:
    added = [name for name, _ in BLOCK.findall(CONTRIBUTING)]
    assert {name.split("/")[0] for name in added} == {"lib", "jobs", "tests"}
    assert CONTRIBUTING.count("```python\n") == len(added)
    after = files_of(project)
    assert {name: after[name] for name in before} == before
    assert sorted(after.keys() - before.keys()) == sorted(added)


def test_the_plan_shows_the_new_job_in_its_place(said: dict[str, str]) -> None:
    planned = lines_of(said["plan"])
    for document in (README, CONTRIBUTING):
        [shown] = PLAN.findall(document)
        promised = lines_of(shown)
        assert [line for line in planned if line in promised] == promised
    assert any(line.startswith("engagement/count_ratings ") for line in promised)


def test_the_new_table_is_documented(said: dict[str, str]) -> None:
    page = lines_of(said["tables rating_days"])
    assert "written by count_ratings" in page
    assert "one row per title and day on which it was rated" in page


def test_the_test_of_the_new_job_passes(project: Path, extended: None, spark: SparkSession) -> None:
    [path] = [project / name for name, _ in BLOCK.findall(CONTRIBUTING) if "/test_" in name]
    spec = spec_from_file_location("contributed_test", path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    tests = [test for name, test in vars(module).items() if name.startswith("test_")]
    assert tests
    for test in tests:
        test(spark)


@pytest.mark.thorough
def test_the_new_files_keep_the_rules_of_the_house(project: Path) -> None:
    added = [name for name, _ in BLOCK.findall(CONTRIBUTING)]
    run(project, "-m", "ruff", "check", "--no-cache", *added)
    run(project, "-m", "ruff", "format", "--check", "--no-cache", *added)
    architecture = "tests/unit/test_architecture.py"
    run(project, "-m", "pytest", "-q", "-p", "no:cacheprovider", architecture, "-k", "keeps")


def test_the_commands_and_targets_in_the_documents_exist(said: dict[str, str]) -> None:
    text = "\n".join([README, CONTRIBUTING, *DOCS])
    code = "\n".join(
        [*re.findall(r"`([^`\n]+)`", text), *re.findall(r"^```\w*\n(.*?)^```$", text, re.M | re.S)]
    )
    commands = re.findall(r"^ {2}(\w+) {2,}\S", said["--help"], re.M)
    named = re.findall(r"\bcinelake(?: --\w+ \S+)* ([a-z]+)\b", code)
    assert {"plan", "run", "config"} <= set(named) <= set(commands)
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = re.findall(r"^([a-z]+):", makefile, re.M)
    wanted = {
        word for line in re.findall(r"\bmake((?: [a-z]+\b(?!=))+)", code) for word in line.split()
    }
    assert {"run", "test"} <= wanted <= set(targets)
