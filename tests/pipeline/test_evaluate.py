"""The command that sets models against published tables, on a small folder of MovieLens."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import typer
from conftest import make_settings
from pyspark.sql import SparkSession
from typer.testing import CliRunner

from cinelake.recommend.commands import register
from cinelake.runtime.workspace import Workspace

JOBS_FOLDER = Path(__file__).parents[2] / "jobs"
FIRST, DAY = 1_500_000_000, 86_400
KINDS = {"als", "blend", "ease", "hybrid", "item_item", "mixture", "popular"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Sixteen people of two tastes rate six films each on one day, and six on the next."""
    path = tmp_path / "ml-latest-small"
    path.mkdir()
    films = [f"{n},Film {n} (1990),{'Drama' if n % 2 else 'Comedy'}" for n in range(1, 25)]
    ratings = [
        f"{user},{film},{5.0 if place % 3 else 4.0},{FIRST + place % 2 * DAY + place}"
        for user in range(1, 17)
        for place, film in enumerate(
            sorted(range(1 + user % 2, 25, 2), key=lambda film: film * 7 * user % 25)
        )
    ]
    for name, heading, lines in (
        ("movies", "movieId,title,genres", films),
        ("ratings", "userId,movieId,rating,timestamp", ratings),
        ("tags", "userId,movieId,tag,timestamp", []),
        ("links", "movieId,imdbId,tmdbId", []),
    ):
        (path / f"{name}.csv").write_text("\n".join([heading, *lines]) + "\n", encoding="utf-8")
    return path


@pytest.mark.thorough
@pytest.mark.timeout(600)
def test_a_folder_is_evaluated_and_what_was_tuned_is_told(
    spark: SparkSession, folder: Path, tmp_path: Path
) -> None:
    app = typer.Typer()
    workspace = Workspace(make_settings(tmp_path / "lake"), spark, JOBS_FOLDER)
    register(app, lambda: workspace)

    def told(*how: str) -> tuple[dict[str, Any], str]:
        asked = CliRunner().invoke(app, ["evaluate", "movielens", str(folder), *how, "--json"])
        assert asked.exit_code == 0, asked.output
        return json.loads(asked.stdout), asked.stderr

    # No time at all: one setting is tried to its end, all the same.
    how = ("--protocol", "random", "--test", "0.25", "--seed", "42", "--k", "4", "--k", "2")
    found, notices = told(*how, "--minutes", "0")
    assert found["protocol"] == {
        "name": "random", "share": 0.25, "seed": 42, "k": 4, "ks": [2], "like_from": 0.5,
        "tune": 10, "minutes": 0.0,
    }  # fmt: skip
    models, tuning, segments = found["models"], found["tuning"], found["segments"]
    assert models.keys() == KINDS
    assert {"ndcg_at_4", "ndcg_at_2", "gini_at_4"} < models["als"].keys()
    assert models["als"]["ndcg_at_4"]["profiles"] == 16
    of_groups = [of["als"]["recall_at_4"]["profiles"] for of in segments["history"].values()]
    assert sum(of_groups) == 16
    assert (tuning["trials"], tuning["mean"]) == (1, tuning["mean_as_it_comes"])
    assert tuning["left_out"] == ["hybrid", "ease", "item_item", "blend"]
    assert "tuning 1 of 14: als, ndcg_at_4" in notices

    # A cut in time leaves one day to train on, which cannot be cut again: by default that is no failure.
    found, notices = told("--test", "0.4", "--k", "4")
    assert found["models"].keys() == KINDS
    why = "what the protocol trains on cannot be split again so that settings could be told apart"
    assert found["tuning"] == {"trials": 0, "not_tuned": why}
    assert f"Not tuned: {why}." in notices
