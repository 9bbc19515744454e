"""`cinelake detect` tells which readings of a file are odd."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import typer
from click.testing import Result
from typer.testing import CliRunner

from cinelake.qoe.detect import detect
from cinelake.qoe.detect_command import register


def told(*arguments: str) -> Result:
    app = typer.Typer()
    register(app)
    return CliRunner().invoke(app, list(arguments))


@pytest.fixture
def series(tmp_path: Path) -> Path:
    values = np.random.default_rng(3).normal(size=3000)
    values[2000] += 12
    values[100] = np.nan
    times = pd.date_range("2026-03-02", periods=3000, freq="5min")
    path = tmp_path / "series.csv"
    pd.DataFrame({"timestamp": times, "value": values, "note": "x"}).to_csv(path, index=False)
    return path


def test_the_odd_reading_is_shown(series: Path) -> None:
    result = told(str(series), "--above", "0.65")
    assert result.exit_code == 0
    first, last = result.output.strip().splitlines()
    assert first.startswith("2026-03-08 22:40:00")
    assert last == "1 of 3000 readings score above 0.65"


def test_each_row_has_its_score_as_json(series: Path) -> None:
    result = told(str(series), "--json")
    rows = [json.loads(line) for line in result.output.splitlines()]
    scores = detect(pd.read_csv(series)).tolist()
    assert [row["score"] for row in rows] == pytest.approx(scores, abs=1e-14)
    assert rows[0].keys() == {"timestamp", "value", "score"}
    assert rows[100] == {"timestamp": "2026-03-02 08:20:00", "value": None, "score": 0.0}
    least = told(str(series), "--json", "--above", "0.65")
    assert [json.loads(line)["timestamp"] for line in least.output.splitlines()] == [
        "2026-03-08 22:40:00"
    ]


def test_what_cannot_be_read_is_told(series: Path, tmp_path: Path) -> None:
    (tmp_path / "other.csv").write_text("time,value\n1,2\n")
    (tmp_path / "empty.csv").write_text("")
    for arguments, said in (
        ([str(tmp_path / "none.csv")], "No such file"),
        ([str(tmp_path / "empty.csv")], "No columns"),
        ([str(tmp_path / "other.csv")], "no column timestamp"),
        ([str(series), "--season", "year"], "it is day or week"),
    ):
        result = told(*arguments)
        assert result.exit_code == 2
        assert said in " ".join(result.output.replace("│", " ").split())
