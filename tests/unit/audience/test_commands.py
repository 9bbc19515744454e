"""What a terminal and the report show of clusters."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
import typer
from rich.console import Console

from cinelake.audience.asked import found
from cinelake.audience.commands import asked_households, listed, shown
from cinelake.audience.report import taste_clusters
from cinelake.report.page import Cell, Grid, Picture
from cinelake.runtime.settings import ConfigError

DAY = date(2026, 3, 16)


def state(cluster: str, name: str, **more: Any) -> dict[str, Any]:
    return {
        "as_of": DAY, "cluster_id": cluster, "name": name, "population": "adult", "members": 10, "households": 8,
        "member_share": 0.5, "born_on": DAY, "event": "kept", "related": [], "churn": 0.1, "drift": 0.05,
        "x": 0.1, "y": 0.2, "component": 0, "model_version": 1,
    } | more  # fmt: skip


def mark(cluster: str, aspect: str, term: str, **more: Any) -> dict[str, Any]:
    return {
        "cluster_id": cluster, "aspect": aspect, "rank": 1, "term": term, "share": 0.6, "lift": 2.0, "z": 4.0,
        "name": None,
    } | more  # fmt: skip


ROWS = [
    state("aaa1", "Crime, on phones"),
    state("aab2", "Comedy", event="split", related=["aaa1"], churn=None),
    state("bbb3", "Drama", event="merged", related=["aab2"], component=None, members=0),
]
MARKS = [
    mark("aaa1", "genre", "Crime"), mark("aaa1", "title", "t1", name="Heat"), mark("aaa1", "device", "phone"),
    mark("aaa1", "neighbour", "aab2", lift=None, z=None), mark("aaa1", "theme", "Courts", z=0.2),
    mark("aaa1", "market", "DE"), mark("aaa1", "market", "FR", rank=2, z=0.4),
]  # fmt: skip


def text(told: Any) -> str:
    console = Console(width=160, record=True, file=open("/dev/null", "w"))  # noqa: PTH123, SIM115
    console.print(told)
    return console.export_text()


def test_the_list_tells_what_became_of_each() -> None:
    told = text(listed(ROWS))
    assert "split from Crime, on phones" in told
    assert "merged into Comedy" in told
    assert "10%" in told


def test_a_cluster_is_shown_with_titles_by_name_and_neighbours_by_theirs() -> None:
    told = text(shown(ROWS[0], MARKS, ROWS))
    assert "10 members in 8 households (50%)" in told
    assert "Heat (60%, ×2.0)" in told
    assert "Comedy (0.60)" in told


def test_a_cluster_is_found_by_id_by_name_and_by_a_part_that_fits_one() -> None:
    assert [row["cluster_id"] for row in found(ROWS, "aaa1")] == ["aaa1"]
    assert [row["cluster_id"] for row in found(ROWS, " comedy ")] == ["aab2"]
    assert [row["cluster_id"] for row in found(ROWS, "phones")] == ["aaa1"]
    assert [row["cluster_id"] for row in found(ROWS, "aa")] == ["aaa1", "aab2"]
    assert found(ROWS, "western") == []


def test_the_report_draws_a_map_and_says_what_marks_clusters() -> None:
    section = taste_clusters(ROWS[:2], MARKS, {"adult": [(["Comedy"], ["Crime"]), ([], [])]})
    picture, grid = section.parts
    assert isinstance(picture, Picture)
    assert "Crime" in picture.figure.axes[0].get_xlabel()
    assert isinstance(grid, Grid)
    # What may be chance is not said.
    assert grid.rows[0] == (
        "Crime, on phones",
        10,
        "50%",
        "2026-03-16",
        "Crime",
        "",
        "phone",
        "DE",
        "Heat",
        "Comedy",
    )
    assert grid.rows[1][0] == Cell("Comedy (split)", "warn")


def test_what_drifted_is_told_with_what_it_would_be_called_now() -> None:
    row = state("aaa1", "Crime", event="drifted", reads_as="Mystery")
    assert "drifted, now Mystery" in text(listed([row]))
    (grid,) = taste_clusters([row], MARKS, {}).parts
    assert isinstance(grid, Grid)
    assert grid.rows[0][0] == Cell("Crime (drifted, now Mystery)", "warn")


def test_an_export_tells_of_as_many_households_as_is_set_or_more() -> None:
    jobs = {"assign_clusters": {"export": {"least_households": 80}}}
    assert [asked_households(asked, jobs) for asked in (None, 80, 200)] == [80, 80, 200]
    assert asked_households(None, {}) == 50
    with pytest.raises(typer.BadParameter, match="--least 79 is below the 80 households"):
        asked_households(79, jobs)
    with pytest.raises(
        ConfigError, match=r"\[jobs.assign_clusters\] export.least_households = 1: "
    ):
        asked_households(None, {"assign_clusters": {"export": {"least_households": 1}}})


def test_one_cluster_needs_no_map() -> None:
    assert not any(isinstance(p, Picture) for p in taste_clusters(ROWS[:1], MARKS, {}).parts)
