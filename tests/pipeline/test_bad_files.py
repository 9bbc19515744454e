"""A bad landing file is turned away whole, with the reason, and nothing else suffers from it."""

from __future__ import annotations

import gzip
import json
from datetime import date
from pathlib import Path
from unittest.mock import patch

import pytest
from rich.console import Console

from cinelake.runtime.delta.landed_files import LandedFiles
from cinelake.runtime.intake import bad_files
from cinelake.runtime.runs.graph import discover
from cinelake.runtime.runs.ledger import Ledger
from cinelake.runtime.runs.pipeline import Summary
from cinelake.runtime.runs.progress import LiveProgress, PlainProgress, closing
from cinelake.tables.system import QUARANTINE

from .conftest import Service
from .test_ingestion import INGEST, events, line

JOBS = {job.name: job for job in discover(Path(__file__).parents[2] / "jobs")}
HOUR = "ratings/date=2020-05-02/hour=21"


@pytest.fixture
def ratings(service: Service) -> Service:
    """The toy service, ingesting ratings instead."""
    service.jobs = (INGEST,)
    return service


def land(service: Service, name: str, content: bytes) -> None:
    file = service.root / "landing" / HOUR / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)


def packed(*names: str) -> bytes:
    return gzip.compress("".join(f"{line(name)}\n" for name in names).encode())


def tag(number: int) -> str:
    """A record of the source tags: a profile and a title like a rating, and a tag instead of the stars."""
    record = json.loads(line(f"tag {number}"))
    del record["rating"]
    return json.dumps(record | {"tag": "slow"})


def newer(number: int) -> str:
    return json.dumps(json.loads(line(f"new {number}")) | {"schema_version": 2})


def lines(*those: str) -> bytes:
    return "".join(f"{each}\n" for each in those).encode()


def turned_away(service: Service) -> dict[str, tuple[str, str]]:
    """By file, the reason and what stands in place of a record."""
    rows = service.lake.read(QUARANTINE).where("line IS NULL").collect()
    assert all(row["target"] == "bronze_ratings" for row in rows)
    found = {Path(row["file"]).name: (row["reasons"][0], row["raw"]) for row in rows}
    assert len(found) == len(rows)
    return found


@pytest.mark.thorough
def test_each_bad_file_is_one_row_and_the_rest_goes_on(ratings: Service) -> None:
    whole = packed(*(f"{number:03}" for number in range(200)))
    land(ratings, "cut short.jsonl.gz", whole[: len(whole) // 2])
    land(ratings, "no gzip [1].jsonl.gz", b"<html>502 Bad Gateway</html>")
    land(ratings, "empty.jsonl.gz", b"")
    land(ratings, "tags.jsonl", lines(*map(tag, range(3)), "{ torn"))
    land(ratings, "newer.jsonl", lines(*map(newer, range(3))))
    land(ratings, "good.jsonl.gz", packed("a", "b"))
    land(ratings, "mixed.jsonl", lines(line("c"), newer(1), newer(2), tag(1), ""))
    (report,) = ratings.run().reports
    assert events(ratings) == ["a", "b", "c"]
    assert turned_away(ratings) == {
        "cut%20short.jsonl.gz": ("unreadable_file", "Unexpected end of input stream"),
        "no%20gzip%20%5B1%5D.jsonl.gz": ("unreadable_file", "not a gzip file"),
        "empty.jsonl.gz": ("unreadable_file", "the file is empty"),
        "tags.jsonl": ("file_of_another_source", "3 of 4 lines are of the source tags"),
        "newer.jsonl": (
            "unknown_schema_version",
            "3 of 3 lines are of a schema version above 1",
        ),
    }
    # Two good lines, four of the mixed file, and five files.
    assert (report.rows_in, report.rows_out, report.quarantined) == (11, 3, 8)
    assert report.files == {
        "file_of_another_source": 1,
        "unknown_schema_version": 1,
        "unreadable_file": 3,
    }
    (balance,) = report.balances
    assert balance.missing == 0
    assert balance.turned_away == {"rating_is_missing": 1, "unknown_schema_version": 2}


@pytest.mark.thorough
def test_a_file_delivered_again_whole_gives_its_rows_once(ratings: Service) -> None:
    whole = packed("a", "b")
    land(ratings, "one.jsonl.gz", whole[:-9])
    ratings.run()
    assert events(ratings) == []
    land(ratings, "one-again.jsonl.gz", whole)
    ratings.run()
    assert events(ratings) == ["a", "b"]


@pytest.mark.thorough
@pytest.mark.parametrize("moment", ["before bronze", "after bronze"])
def test_a_batch_with_bad_files_that_dies_half_way_comes_out_the_same(
    ratings: Service, moment: str
) -> None:
    from cinelake.runtime.runs.publish import Publisher

    land(ratings, "bad.jsonl.gz", b"no gzip")
    land(ratings, "tags.jsonl", lines(*map(tag, range(3))))
    land(ratings, "good.jsonl", lines(line("a"), "{ torn"))
    place = (Publisher, "_audit") if moment == "before bronze" else (Ledger, "record")
    with patch.object(*place, side_effect=MemoryError):
        try:
            assert not ratings.run().succeeded
        except MemoryError:
            assert moment == "after bronze"
    (report,) = ratings.run().reports
    assert (report.rows_in, report.rows_out, report.quarantined) == (4, 1, 3)
    assert events(ratings) == ["a"]
    assert set(turned_away(ratings)) == {"bad.jsonl.gz", "tags.jsonl"}
    assert ratings.lake.read(QUARANTINE).count() == 3
    assert Ledger(ratings.lake).books().rows("bronze_ratings", date.min, date.max) == 1


@pytest.mark.thorough
def test_what_is_no_damage_of_a_file_fails_the_run_and_turns_nothing_away(
    ratings: Service,
) -> None:
    land(ratings, "one.jsonl.gz", b"no gzip")
    with patch.object(bad_files, "DECOMPRESSORS", ("somewhere.else.",)):
        summary = ratings.run()
    assert not summary.succeeded
    assert ratings.lake.read(QUARANTINE).count() == 0
    assert ratings.run().succeeded
    assert set(turned_away(ratings)) == {"one.jsonl.gz"}


@pytest.mark.thorough
def test_good_files_are_read_once(ratings: Service) -> None:
    land(ratings, "one.jsonl.gz", packed("a", "b"))
    with patch.object(LandedFiles, "lines", side_effect=AssertionError("read again")):
        assert ratings.run().succeeded


@pytest.mark.thorough
def test_the_run_says_so_in_yellow_in_json_and_in_mlflow(ratings: Service) -> None:
    land(ratings, "bad.jsonl.gz", b"no gzip")
    land(ratings, "one.jsonl", lines(line("a"), "{ torn"))
    nobodys = ratings.root / "landing" / "rating" / "one.jsonl"
    nobodys.parent.mkdir(parents=True)
    nobodys.write_text("{}\n")
    summary = ratings.run()
    told = json.loads(summary.to_json())
    assert told["quarantined_files"] == 1
    assert told["jobs"]["ingest_ratings"]["quarantined_files"] == {"unreadable_file": 1}
    assert told["unclaimed"] == {"rating": 1}
    assert told["missing"] == 0
    for live in (False, True):
        text = spoken(summary, live)
        assert "1 file turned away whole: 1 unreadable_file" in text
        assert "\x1b[33m" in text
        assert "landing/rating: 1 files of no known source" in text
        assert "landing/ratings" in text
    tracking = ratings.tracking
    (run, *_) = tracking.client.search_runs([tracking.experiment("ingest")])
    assert run.data.metrics["quarantined_files"] == 1
    assert run.data.metrics["quarantined_rows"] == 2


def spoken(summary: Summary, live: bool) -> str:
    console = Console(force_terminal=True, width=120, record=True, color_system="standard")
    (report,) = summary.reports
    with console.capture() as captured:
        if live:
            with LiveProgress(console) as progress:
                progress.ended(report)
        else:
            PlainProgress(console).ended(report)
        closing(console, summary)
    return captured.get()
