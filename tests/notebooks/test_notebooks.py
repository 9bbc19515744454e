"""Every notebook runs from its first cell to its last, on less data, and builds on Cinelake alone."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pytest
from matplotlib.figure import Figure

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.py"))
# What the cell tagged `parameters` is followed by, as papermill would do it.
SMALL = {"simulated_service": "ACCOUNTS, DAYS = 50, 7"}


def cells(path: Path) -> list[tuple[str, str]]:
    """(heading, source) of the code cells of a notebook in jupytext's percent format."""
    parts = re.split(r"^# %%(.*)$", path.read_text("utf-8"), flags=re.MULTILINE)[1:]
    found = list(zip(parts[::2], parts[1::2], strict=True))
    return [(heading, source) for heading, source in found if "[markdown]" not in heading]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_and_draws(path: Path, tmp_path: Path) -> None:
    mpl.use("Agg")
    names: dict[str, Any] = {"__name__": "__main__"}
    figures = 0
    for heading, source in cells(path):
        tree = ast.parse(source)
        last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, str(path), "exec"), names)
        if "parameters" in heading:
            exec(SMALL[path.stem], names)
        if isinstance(last, ast.Expr):
            # What a cell ends with is what a notebook shows.
            shown = eval(compile(ast.Expression(last.value), str(path), "eval"), names)
            if isinstance(shown, Figure):
                figures += 1
                shown.savefig(tmp_path / f"{figures}.png")
                assert all(axes.has_data() or axes.get_title(loc="left") for axes in shown.axes)
    assert figures > 0
    sizes = [picture.stat().st_size for picture in tmp_path.iterdir()]
    assert min(sizes) > 5_000, "no picture is empty"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_imports_cinelake_only(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        assert all(name.split(".")[0] == "cinelake" for name in names), names


def test_there_are_notebooks() -> None:
    assert NOTEBOOKS
