"""Every notebook runs from its first cell to its last, on less data, and builds on Cinelake alone."""

from __future__ import annotations

import ast
import importlib
import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import matplotlib as mpl
import pytest
from matplotlib.figure import Figure
from pyspark.sql import SparkSession

from cinelake.notebook import NoLake, open_lake
from cinelake.report.page import Picture, Shown

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.py"))
# What the cell tagged `parameters` is followed by, as papermill would do it.
SMALL = {"simulated_service": "ACCOUNTS, DAYS = 50, 7"}
OF_A_LAKE = [path for path in NOTEBOOKS if path.stem not in SMALL]
# A service so bad that each notebook has something to tell of: who shares, who is shut out, what broke down.
TROUBLED = Path(__file__).parent / "troubled.toml"
ACCOUNTS, DAYS = 40, 15


def cells(path: Path) -> list[tuple[str, str]]:
    """(heading, source) of the code cells of a notebook in jupytext's percent format."""
    parts = re.split(r"^# %%(.*)$", path.read_text("utf-8"), flags=re.MULTILINE)[1:]
    found = list(zip(parts[::2], parts[1::2], strict=True))
    return [(heading, source) for heading, source in found if "[markdown]" not in heading]


def run(path: Path, parameters: str) -> list[Any]:
    """What the cells of a notebook show, in order."""
    mpl.use("Agg")
    names: dict[str, Any] = {"__name__": "__main__"}
    shown = []
    for heading, source in cells(path):
        tree = ast.parse(source)
        last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, str(path), "exec"), names)
        if "parameters" in heading:
            exec(parameters, names)
        if isinstance(last, ast.Expr):
            # What a cell ends with is what a notebook shows.
            shown.append(eval(compile(ast.Expression(last.value), str(path), "eval"), names))
    return shown


def drawn(shown: list[Any], folder: Path) -> int:
    """Save the pictures among what was shown, and look at them; returns how many there are."""
    figures = [each.figure if isinstance(each, Picture) else each for each in shown]
    figures = [each for each in figures if isinstance(each, Figure)]
    for number, figure in enumerate(figures):
        figure.savefig(folder / f"{number}.png")
        assert all(axes.has_data() or axes.get_title(loc="left") for axes in figure.axes)
    sizes = [picture.stat().st_size for picture in folder.glob("*.png")]
    assert min(sizes, default=9_999) > 5_000, "no picture is empty"
    return len(figures)


@pytest.fixture(scope="session")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The lake of a small, troubled service, all jobs run on it, as `make run` would."""
    home = tmp_path_factory.mktemp("troubled")
    root, service = home / "lake", home / "service"
    command = [
        str(Path(sys.executable).with_name("cinelake")),
        "--env",
        "trial",
    ]
    command += ["--set", f"lake.root={root}", "--set", f"lake.landing={service}/landing"]
    command += ["simulate", str(service), "--profile", str(TROUBLED)]
    command += ["--accounts", str(ACCOUNTS), "--days", str(DAYS), "then", "run"]
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ, capture_output=True, text=True, check=False
    )
    # Some job may well warn of such a service.
    assert done.returncode in (0, 3), done.stderr[-3000:]
    return root


@pytest.mark.parametrize("path", [p for p in NOTEBOOKS if p.stem in SMALL], ids=lambda p: p.stem)
def test_a_notebook_runs_and_draws(path: Path, tmp_path: Path) -> None:
    assert drawn(run(path, SMALL[path.stem]), tmp_path) > 0


@pytest.mark.thorough
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("path", OF_A_LAKE, ids=lambda path: path.stem)
def test_a_notebook_of_a_lake_runs_and_draws(
    path: Path, lake: Path, spark: SparkSession, tmp_path: Path
) -> None:
    shown = run(path, f"LAKE = {str(lake)!r}")
    assert drawn(shown, tmp_path) > 0
    for each in shown:
        if isinstance(each, Shown):
            assert len(each._repr_html_()) > 1000


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_imports_cinelake_only(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        assert all(name.split(".")[0] == "cinelake" for name in names), names


def missing(tree: ast.Module) -> list[str]:
    """What a notebook takes from Cinelake, and from its modules, that is not there."""
    taken: dict[str, ModuleType] = {}
    lacking = []
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    for module, alias in ((node.module or "", alias) for node in imports for alias in node.names):
        found = getattr(importlib.import_module(module), alias.name, None)
        if found is None:
            try:
                found = importlib.import_module(f"{module}.{alias.name}")
            except ModuleNotFoundError:
                lacking.append(f"{module}.{alias.name}")
        if isinstance(found, ModuleType):
            taken[alias.asname or alias.name] = found
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            of = taken.get(node.value.id)
            if of is not None and not hasattr(of, node.attr):
                lacking.append(f"{of.__name__}.{node.attr}")
    return lacking


# Most notebooks run in the thorough tests only; that a name is gone shows at once.
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_what_a_notebook_imports_is_there(path: Path) -> None:
    assert missing(ast.parse(path.read_text("utf-8"))) == []


def test_a_name_that_is_gone_is_found() -> None:
    code = "from cinelake.qoe import report\nfrom cinelake.qoe.commands import as_list, gone\nreport.old()"
    assert missing(ast.parse(code)) == ["cinelake.qoe.commands.gone", "cinelake.qoe.report.old"]


def test_where_no_lake_is_a_notebook_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(NoLake, match="there is no lake in .*; `make run` makes one"):
        open_lake(str(tmp_path))


def test_notebooks_and_readme_name_the_lake_of_make_run() -> None:
    told = dict(re.findall(r"^(ACCOUNTS|DAYS) \?= (\d+)$", (ROOT / "Makefile").read_text(), re.M))
    lake = f".cinelake/simulated-{told['ACCOUNTS']}x{told['DAYS']}"
    for path in OF_A_LAKE:
        assert f'LAKE = "{lake}"' in path.read_text("utf-8")
    assert f"{lake}.service/landing" in (ROOT / "README.md").read_text("utf-8")


def test_there_are_notebooks() -> None:
    assert NOTEBOOKS
    assert OF_A_LAKE
