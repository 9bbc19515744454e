"""Landed files reach bronze exactly once, whatever happens on the way."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from unittest.mock import patch

import pytest
from conftest import Silent, make_settings
from pyspark.sql import Row
from pyspark.sql import functions as F
from typer.testing import CliRunner

from cinelake.runtime import cli
from cinelake.runtime.intake.inlets import Inlets
from cinelake.runtime.job import Ingest, IngestRun, Job
from cinelake.runtime.runs import publish
from cinelake.runtime.runs.fsck import AtWork, findings
from cinelake.runtime.runs.graph import Graph, discover
from cinelake.runtime.runs.ingestion import Awaited
from cinelake.runtime.runs.ledger import Ledger
from cinelake.runtime.runs.pipeline import Pipeline, Request, Summary
from cinelake.runtime.runs.publish import Publisher
from cinelake.runtime.runs.upkeep import reset
from cinelake.runtime.settings import ConfigError, IngestSettings
from cinelake.runtime.tracking.buffer import Buffer
from cinelake.runtime.tracking.runs import Tracking
from cinelake.runtime.tracking.store import now_ms
from cinelake.runtime.workspace import Workspace
from cinelake.tables.behaviour import RATINGS
from cinelake.tables.ingest import BRONZE_RATINGS
from cinelake.tables.system import JOB_RUNS, QUARANTINE

from .conftest import Service, sum_notes, total_days

JOBS = {job.name: job for job in discover(Path(__file__).parents[2] / "jobs")}
INGEST = JOBS["ingest_ratings"]
TITLE_JOBS = (JOBS["ingest_titles"], JOBS["build_titles"])
EVENING = datetime(2020, 5, 2, 20)


def line(event: str, rating: object = 4.0, at: datetime = EVENING) -> str:
    """One landed rating, received an hour after it was made."""
    return json.dumps(
        {
            "event_id": event,
            "schema_version": 1,
            "event_time": f"{at.isoformat()}Z",
            "received_at": f"{(at + timedelta(hours=1)).isoformat()}Z",
            "profile_id": "p1",
            "title_id": f"t-{event}",
            "rating": rating,
        }
    )


@pytest.fixture
def ratings(service: Service) -> Service:
    """The toy service, ingesting ratings instead."""
    service.jobs = (INGEST,)
    return service


def land(service: Service, name: str, *lines: str) -> Path:
    file = service.root / "landing" / "ratings" / "date=2020-05-02" / "hour=21" / f"{name}.jsonl"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(f"{each}\n" for each in lines), encoding="utf-8")
    return file


def events(service: Service) -> list[str]:
    return sorted(
        row["event_id"] for row in service.lake.read(BRONZE_RATINGS).select("event_id").collect()
    )


def test_what_landed_is_bronze_or_quarantine_with_reason_file_and_line(ratings: Service) -> None:
    land(ratings, "one", line("a"), "{ torn", line("b", "４.0"), line("c"))
    (report,) = ratings.run().reports
    assert (report.rows_in, report.rows_out, report.quarantined) == (4, 2, 2)
    assert events(ratings) == ["a", "c"]
    rejects = ratings.lake.read(QUARANTINE).select("target", "reasons", "file", "line").collect()
    assert sorted(rejects, key=lambda row: row["line"]) == [
        Row(
            target="bronze_ratings",
            reasons=["unreadable_json"],
            file="ratings/date=2020-05-02/hour=21/one.jsonl",
            line=2,
        ),
        Row(
            target="bronze_ratings",
            reasons=["rating_has_wrong_type"],
            file="ratings/date=2020-05-02/hour=21/one.jsonl",
            line=3,
        ),
    ]


@pytest.mark.thorough
def test_what_taking_in_cost_and_made_is_in_mlflow(ratings: Service) -> None:
    land(ratings, "one", line("a"))
    land(ratings, "two", line("b"))
    pipeline = Pipeline(
        Graph(ratings.jobs),
        ratings.context(),
        Inlets(ratings.lake, IngestSettings(max_files_per_batch=1)),
    )
    assert pipeline.run(Request(), Silent()).succeeded
    batches = [e for e in ratings.context().ledger.entries() if e.rows_out.get("bronze_ratings")]
    assert [entry.rows_out for entry in batches] == [{"bronze_ratings": 1}] * 2
    area = ratings.tracking.client.get_experiment_by_name(INGEST.area).experiment_id
    (tracked,) = ratings.tracking.client.search_runs(
        [area], f"tags.run_id = '{batches[-1].run_id}'"
    )
    assert tracked.data.tags["output.bronze_ratings"] == str(ratings.version(BRONZE_RATINGS))
    assert tracked.data.metrics["spark.tasks"] == sum(e.usage.tasks for e in batches if e.usage)
    assert tracked.data.metrics["rows_out"] == 2


@pytest.mark.thorough
def test_a_receipt_in_the_future_is_turned_away_and_completes_no_day(ratings: Service) -> None:
    wrong = datetime(2031, 1, 1)
    rejected = {"reasons": ["torn"], "file": "ratings.csv", "line": 1, "text": "1,"}
    envelope = {"event_id": "x", "schema_version": 1, "received_at": f"{wrong.isoformat()}Z"}
    land(
        ratings,
        "one",
        line("a"),
        line("b", at=wrong),
        json.dumps(envelope | {"rejected": rejected}),
    )
    summary = ratings.run()
    (report,) = summary.reports
    assert (report.rows_out, report.quarantined) == (1, 2)
    assert summary.data_through == "2020-05-02T21:00:00+00:00"
    rejects = ratings.lake.read(QUARANTINE).select("reasons").collect()
    assert sorted(row["reasons"] for row in rejects) == [["receipt_after_landing"], ["torn"]]


@pytest.mark.thorough
def test_deliveries_that_never_came_or_came_no_more_are_warned_of(ratings: Service) -> None:
    landing = ratings.root / "landing"

    def run(**only: tuple[str, ...]) -> Summary:
        pipeline = Pipeline(
            Graph((*ratings.jobs, total_days, sum_notes)),
            ratings.context(),
            Inlets(ratings.lake),
            freshness=timedelta(hours=36),
        )
        return pipeline.run(Request(**only), Silent())

    never = run()
    assert (never.exit_code, never.succeeded) == (3, True)
    assert [alarm.split(":")[0] for alarm in never.alarms] == [
        f"the landing area {landing} is not there",
        "no record was ever received",
    ]
    land(ratings, "one", line("a"))
    old = run()
    (alarm,) = old.alarms
    assert alarm.startswith("the newest record was received at 2020-05-02 21:00 UTC")
    told = json.loads(old.to_json())
    assert (told["status"], told["warnings"], told["alarms"]) == ("succeeded", 1, [alarm])
    # Jobs that take nothing in say nothing of it; nor does a lake that is not meant to grow.
    assert run(only=("sum_notes",)).exit_code == 0
    assert ratings.run().exit_code == 0


def test_without_a_secret_nothing_is_taken_in_for_jobs_that_need_one(
    ratings: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = make_settings(ratings.root)
    workspace = Workspace(settings, ratings.spark)
    workspace.graph = Graph((INGEST, JOBS["build_ratings"], *TITLE_JOBS))
    workspace.tracking = ratings.tracking
    monkeypatch.setattr(cli, "_workspaces", [workspace])
    land(ratings, "one", line("a"))
    ended = CliRunner().invoke(cli.app, ["run"])
    assert isinstance(ended.exception, ConfigError)
    assert "CINELAKE_SECRETS__PSEUDONYM_KEY" in str(ended.exception)
    assert not ratings.lake.exists(BRONZE_RATINGS)
    # To take in needs none.
    assert CliRunner().invoke(cli.app, ["run", "--only", "ingest_ratings"]).exit_code == 0
    assert events(ratings) == ["a"]


def test_who_awaits_a_day_takes_in_what_lands_until_it_is_complete(
    ratings: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = Workspace(make_settings(ratings.root), ratings.spark)
    workspace.graph = Graph(ratings.jobs)
    workspace.tracking = ratings.tracking
    monkeypatch.setattr(cli, "_workspaces", [workspace])

    def awaited() -> tuple[int, str | None]:
        ended = CliRunner().invoke(cli.app, ["await", "2020-05-03"])
        found = json.loads(ended.stdout.strip().splitlines()[-1])
        return ended.exit_code, found["complete_through"]

    assert awaited() == (1, None)
    land(ratings, "evening", line("a"))
    assert awaited() == (1, "2020-05-02")
    assert events(ratings) == ["a"]
    # The first record of the day after tells that no more of the day comes; it is taken in by who looks again.
    land(ratings, "midnight", line("b", at=EVENING + timedelta(hours=4)))
    assert awaited() == (0, "2020-05-03")
    assert events(ratings) == ["a", "b"]
    with patch.object(Pipeline, "run", side_effect=AssertionError("looked again")):
        assert awaited() == (0, "2020-05-03")


@pytest.mark.thorough
def test_a_source_that_fails_is_no_reason_to_wait_for_another(
    ratings: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    torn = JOBS["ingest_titles"]
    assert isinstance(torn, Ingest)

    def fail(run: IngestRun) -> None:
        raise OSError("no titles today")

    workspace = Workspace(make_settings(ratings.root), ratings.spark)
    workspace.graph = Graph((replace(torn, function=fail), *ratings.jobs))
    workspace.tracking = ratings.tracking
    monkeypatch.setattr(cli, "_workspaces", [workspace])
    land(ratings, "midnight", line("b", at=EVENING + timedelta(hours=4)))
    titles = ratings.root / "landing" / "titles" / "date=2020-05-02" / "hour=21" / "one.jsonl"
    titles.parent.mkdir(parents=True)
    titles.write_text(line("t"))
    ended = CliRunner().invoke(cli.app, ["await", "2020-05-03"])
    assert ended.exit_code == 0
    assert "no titles today" in ended.stderr


@pytest.mark.thorough
def test_a_file_is_taken_once_and_a_second_look_makes_no_commit(ratings: Service) -> None:
    land(ratings, "one", line("a"))
    ratings.run()
    before = ratings.version(BRONZE_RATINGS)
    assert [r.status for r in ratings.run().reports] == ["up to date"]
    land(ratings, "two", line("b"))
    ratings.run()
    assert events(ratings) == ["a", "b"]
    assert ratings.version(BRONZE_RATINGS) == (before or 0) + 1


@pytest.mark.thorough
@pytest.mark.parametrize("moment", ["before bronze", "after bronze"])
def test_a_batch_that_dies_half_way_is_taken_once_by_the_next_run(
    ratings: Service, moment: str
) -> None:
    land(ratings, "one", line("a"), "{ torn")
    place = (Publisher, "_audit") if moment == "before bronze" else (Ledger, "record")
    died = OSError("the machine is gone")
    with patch.object(*place, side_effect=died):
        # That it failed cannot always be entered, and is said all the same.
        (report,) = ratings.run().reports
    assert report.status == "failed"
    assert "the machine is gone" in (report.error or "")
    assert ratings.run().succeeded
    assert events(ratings) == ["a"]
    assert ratings.lake.read(QUARANTINE).count() == 1
    assert Ledger(ratings.lake).books().rows("bronze_ratings", date.min, date.max) == 1


@pytest.mark.thorough
def test_half_a_note_of_the_first_batch_is_no_reason_never_to_begin(ratings: Service) -> None:
    land(ratings, "one", line("a"))
    # What a full disk, or a kill at that moment, leaves of it.
    half = ratings.root / "checkpoints" / "ratings" / "offsets" / ".0.8d6f.tmp"
    half.parent.mkdir(parents=True)
    half.touch()
    (report,) = ratings.run().reports
    assert report.error is None
    assert events(ratings) == ["a"]
    assert not half.exists()


@pytest.mark.thorough
def test_a_lost_checkpoint_repeats_bronze_and_changes_nothing_after_it(ratings: Service) -> None:
    ratings.jobs = tuple(job for job in JOBS.values() if job.area in ("ingest", "behaviour"))
    land(ratings, "one", line("a"), line("b"))
    title = {
        "event_id": "t",
        "schema_version": 1,
        "event_time": "2020-05-01T00:00:00Z",
        "received_at": "2020-05-03T01:00:00Z",
    }
    titles = [
        json.dumps(title | {"event_id": f"t{n}", "title_id": f"t-{n}", "name": n}) for n in "ab"
    ]
    land_titles = ratings.root / "landing" / "titles" / "date=2020-05-03" / "hour=01" / "one.jsonl"
    land_titles.parent.mkdir(parents=True)
    land_titles.write_text("\n".join(titles), encoding="utf-8")
    assert ratings.run().succeeded
    before, version = ratings.rows(RATINGS), ratings.version(RATINGS)
    assert len(before) == 2
    shutil.rmtree(ratings.root / "checkpoints" / "ratings")
    land(ratings, "empty")
    assert ratings.run().succeeded
    assert events(ratings) == ["a", "a", "b", "b"]
    assert (ratings.rows(RATINGS), ratings.version(RATINGS)) == (before, version)


@pytest.mark.thorough
def test_a_reset_reads_the_landing_files_again_and_doubles_nothing(ratings: Service) -> None:
    land(ratings, "one", line("a"))
    ratings.run()
    assert isinstance(INGEST, Ingest)
    reset(ratings.context(), INGEST)
    assert not ratings.lake.exists(BRONZE_RATINGS)
    assert ratings.run().succeeded
    assert events(ratings) == ["a"]
    assert Ledger(ratings.lake).books().rows("bronze_ratings", date.min, date.max) == 1


@pytest.mark.thorough
def test_the_checkpoint_of_a_topic_is_known_for_its_source_s_and_goes_with_it(
    ratings: Service,
) -> None:
    land(ratings, "one", line("a"))
    ratings.run()
    assert isinstance(INGEST, Ingest)
    checkpoints = ratings.root / "checkpoints"
    (checkpoints / "ratings").rename(checkpoints / "ratings@events")
    (checkpoints / "ratings_of_others").mkdir()
    at_work = AtWork(ratings.lake)
    assert list(findings(ratings.context(), [BRONZE_RATINGS], at_work)) == []
    reset(ratings.context(), INGEST)
    assert [path.name for path in checkpoints.iterdir()] == ["ratings_of_others"]


@pytest.mark.thorough
def test_the_data_is_complete_through_the_last_whole_hour_received(ratings: Service) -> None:
    land(ratings, "one", line("a", at=datetime(2020, 5, 2, 20, 30)))
    assert ratings.run().data_through == "2020-05-02T21:00:00+00:00"


@pytest.mark.thorough
def test_each_micro_batch_is_an_entry_of_the_ledger(ratings: Service) -> None:
    land(ratings, "one", line("a"), "{ torn")
    ratings.run()
    (entry,) = ratings.lake.read(JOB_RUNS).where(F.size("days") > 0).collect()
    assert entry["rows_out"] == [Row(name="bronze_ratings", rows=1)]
    assert entry["quarantined"] == [Row(name="bronze_ratings", rows=1)]
    (reject,) = ratings.lake.read(QUARANTINE).collect()
    assert reject["publication"] == entry["run_id"]


@pytest.mark.thorough
def test_each_run_has_a_run_of_its_own_in_mlflow_that_began_with_it(
    ratings: Service, tmp_path: Path
) -> None:
    # Where MLflow's folder should be is a file, so what is logged waits in the lake.
    (tmp_path / "mlflow").touch()
    ratings.tracking = Tracking.beside_lake(str(tmp_path))
    buffer = ratings.tracking.buffer = Buffer(ratings.lake.storage, f"{ratings.root}/tracking")
    land(ratings, "one", line("a"))
    began = now_ms()
    ratings.run()
    taken = now_ms()
    land(ratings, "two", line("b"), line("c"))
    ratings.run()
    waiting = sorted(buffer.runs(), key=lambda kept: kept.started_ms)
    rows = [value for kept in waiting for name, value, *_ in kept.metrics if name == "rows_in"]
    assert rows == [1, 2]
    first = waiting[0]
    (seconds,) = (value for name, value, *_ in first.metrics if name == "seconds")
    assert began <= first.started_ms <= taken - 1000 * seconds + 1
    ids = {entry.run_id for entry in ratings.context().ledger.entries()}
    assert {kept.run_id for kept in waiting} <= ids


def test_windowed_jobs_stand_beside_the_ingest_jobs() -> None:
    assert {job.area for job in JOBS.values() if isinstance(job, Ingest)} == {"ingest"}
    assert all(isinstance(job, Job) for job in JOBS.values() if job.area == "behaviour")


@pytest.mark.thorough
def test_a_large_batch_is_staged(ratings: Service) -> None:
    land(ratings, "one", line("a"), "{ torn")
    with patch.object(publish, "SHARE_OF_MEMORY", -1):
        assert ratings.run().succeeded
    assert events(ratings) == ["a"]
    assert ratings.lake.storage.names(f"{ratings.lake.root}/staging") == []


def test_the_entry_of_the_last_batch_says_that_all_files_are_in() -> None:
    awaited = Awaited("5:900", 5)
    assert [awaited.less(2), awaited.less(2)] == [None, None]
    assert not awaited.all_in
    assert awaited.less(1) == "5:900"
    assert awaited.all_in
    # A killed run took one of them, which is not offered again.
    assert Awaited("5:900", 5).less(4) is None
