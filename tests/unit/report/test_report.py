"""What the lake says of itself: the newest run of each job, what was turned away, and what an audit found."""

from __future__ import annotations

from datetime import date
from typing import Any

from cinelake.report.page import Cards, Cell, Grid, Section
from cinelake.report.report import Checked, Held, contents, pipeline, quality
from cinelake.runtime.runs.books import Entry
from cinelake.runtime.runs.conservation import Balance
from cinelake.tables.behaviour import RATINGS
from cinelake.tables.ingest import BRONZE_RATINGS


def entry(job: str, **more: Any) -> Entry:
    return Entry(**({"run_id": "r", "job": job, "kind": "job", "status": "succeeded"} | more))


def grid(section: Section, place: int = 0) -> list[list[Any]]:
    grids = [part for part in section.parts if isinstance(part, Grid)]
    return [
        [cell.text if isinstance(cell, Cell) else cell for cell in row] for row in grids[place].rows
    ]


def cards(section: Section) -> dict[str, str]:
    (found,) = [part for part in section.parts if isinstance(part, Cards)]
    return {what: number for number, what in found.numbers}


def test_a_job_is_shown_as_it_last_ran_and_an_ingest_job_with_all_that_it_took_in() -> None:
    ran = {"start": date(2026, 1, 1), "end": date(2026, 1, 3)}
    batch = Balance("landing/ratings", "bronze_ratings", 5, 4, {"not_utf8": 1})
    entries = [
        entry("ingest_ratings", kind="ingest", seconds=1.0, balances=(batch,), rows_out={"b": 4}),
        entry("ingest_ratings", kind="ingest", seconds=2.0, balances=(batch,), rows_out={"b": 4}),
        entry("ingest_ratings", kind="ingest", seconds=3.5, fingerprint="seen"),
        entry("build", **ran, status="failed", seconds=2.0),
        entry("build", **ran, seconds=1.0, rows_in={"b": 8}, rows_out={"s": 7}, quarantined={"s": 1}),
        entry("forget", kind="reset"),
        entry("watch", **ran, warnings=("recall fell",)),
    ]  # fmt: skip
    section = pipeline(entries)
    assert grid(section) == [
        ["ingest_ratings", "succeeded", "all that landed", 0, 8, "0", 3.0],
        ["build", "succeeded", "2026-01-01 to 2026-01-03", 8, 7, "1", 3.0],
        ["watch", "succeeded: recall fell", "2026-01-01 to 2026-01-03", 0, 0, "0", 0.0],
    ]
    assert cards(section)["failed when they last ran"] == "0"


def test_batches_add_up_and_a_window_that_is_computed_again_does_not() -> None:
    batch = Balance("landing/ratings", "bronze_ratings", 5, 4, {"not_utf8": 1})
    window = Balance("bronze_ratings", "ratings", 8, 6, {"duplicate": 1})
    entries = [
        entry("ingest_ratings", kind="ingest", balances=(batch,)),
        entry("ingest_ratings", kind="ingest", balances=(batch,)),
        entry("build", balances=(window,), status="failed"),
        entry("build", balances=(window,)),
        entry("build", balances=(window,)),
    ]
    checks = [Checked("ratings", False, 9, ["seconds"]), Checked("titles", True, 3, [])]
    section = quality(entries, checks)
    assert grid(section) == [
        ["landing/ratings", "bronze_ratings", 10, 8, "2", "not_utf8 2", "0"],
        ["bronze_ratings", "ratings", 8, 6, "1", "duplicate 1", "1"],
    ]
    assert grid(section, 1) == [["ratings", "seconds"]]
    assert cards(section) == {
        "expectations held against tables": "12",
        "tables whose newest validation failed": "1",
        "rows unaccounted for": "1",
    }


def test_tables_are_shown_with_what_they_hold() -> None:
    held = [Held(BRONZE_RATINGS, 1200, 3, 2_500_000), Held(RATINGS, 0, 0, 0)]
    section = contents(held)
    assert [row[:2] + row[3:] for row in grid(section)] == [
        ["bronze_ratings", "bronze", 1200, 3, 2.5],
        ["ratings", "silver", 0, 0, 0.0],
    ]
    assert cards(section)["rows in bronze"] == "1,200"
