"""Maintenance changes no row and makes no window stale, whatever it does to files; and a broken lake is found out."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from cinelake.runtime.delta.commits import Note
from cinelake.runtime.runs.conservation import Balance
from cinelake.runtime.runs.context import Context, new_entry
from cinelake.runtime.runs.fsck import AtWork, findings, gaps
from cinelake.runtime.runs.graph import discover
from cinelake.runtime.runs.pipeline import Summary
from cinelake.runtime.tracking.runs import Tracking
from cinelake.tables.system import CHECK_RESULTS, JOB_RUNS, QUARANTINE

from .conftest import AMOUNTS, NOTES, TOTALS, Service, sum_notes, total_days

JOBS = tuple(discover(Path(__file__).parents[2] / "jobs"))
MAINTENANCE = tuple(job for job in JOBS if job.area == "maintenance")
TABLES = (NOTES, AMOUNTS, TOTALS, QUARANTINE, JOB_RUNS)


@pytest.fixture(scope="module")
def written(
    spark: SparkSession,
    tmp_path_factory: pytest.TempPathFactory,
    tracking: Tracking,
    blank_lake: Path,
) -> Path:
    """Notes of three days, computed: four files of each of the first two days, one of the third."""
    root = tmp_path_factory.mktemp("kept") / "lake"
    shutil.copytree(blank_lake, root)
    service = Service(spark, root, tracking)
    for count in range(4):
        more = [("2026-01-03", "tea", 5)] if count == 0 else []
        service.note(*((f"2026-01-0{day}", f"note {count}", 1) for day in (1, 2)), *more)
    service.run()
    return root


@pytest.fixture
def kept(spark: SparkSession, tmp_path: Path, tracking: Tracking, written: Path) -> Service:
    """A copy of that lake, and the maintenance jobs."""
    shutil.copytree(written, tmp_path / "lake")
    return Service(spark, tmp_path / "lake", tracking, (sum_notes, total_days, *MAINTENANCE))


def maintain(service: Service, *only: str, **settings: int) -> Summary:
    service.settings = dict.fromkeys(only, settings)
    names = only or tuple(job.name for job in MAINTENANCE)
    summary = service.run(only=names)
    assert summary.succeeded, [report.error for report in summary.reports]
    return summary


def files(service: Service) -> int:
    return len(service.lake.files(NOTES))


def parquet(service: Service) -> list[Path]:
    return sorted(Path(service.lake.location(NOTES)).rglob("*.parquet"))


def found(
    service: Service, *, thorough: bool = False, look: Callable[[], str | None] = lambda: None
) -> list[str]:
    at_work = AtWork(service.lake, look)
    return [str(f) for f in findings(service.context(), TABLES, at_work, thorough=thorough)]


@pytest.mark.thorough
def test_maintenance_is_no_part_of_a_run_and_makes_nothing_stale(kept: Service) -> None:
    assert {report.job for report in kept.run().reports} == {"sum_notes", "total_days"}
    before = [kept.rows(table) for table in (NOTES, AMOUNTS, TOTALS)]
    assert files(kept) == 9

    compacted = maintain(kept, "compact_tables")
    # What was compacted now is old at once.
    kept.settings = {}
    kept.spark.conf.set("spark.databricks.delta.retentionDurationCheck.enabled", "false")
    kept.spark.sql(f"VACUUM delta.`{kept.lake.location(NOTES)}` RETAIN 0 HOURS")
    kept.spark.conf.unset("spark.databricks.delta.retentionDurationCheck.enabled")

    # The ledger and the results of checks are tables, too.
    (note,) = compacted.reports[0].notes
    assert note.endswith(" files less, in 3 tables")
    assert files(kept) == len(parquet(kept)) == 3
    assert kept.stale(sum_notes) == kept.stale(total_days) == {}
    assert [report.status for report in kept.run().reports] == ["up to date"] * 2
    assert [kept.rows(table) for table in (NOTES, AMOUNTS, TOTALS)] == before
    assert maintain(kept).warnings == 0


@pytest.mark.thorough
def test_a_log_that_has_forgotten_commits_of_maintenance_makes_nothing_stale(kept: Service) -> None:
    maintain(kept, "compact_tables")
    newest = kept.version(NOTES)
    assert newest is not None
    assert kept.context().books.versions["notes"] == newest
    for version in range(newest):
        (Path(kept.lake.location(NOTES)) / f"_delta_log/{version:020d}.json").unlink()
    assert kept.stale(sum_notes) == {}


@pytest.mark.thorough
def test_vacuum_removes_what_no_version_within_reach_has(kept: Service) -> None:
    maintain(kept, "compact_tables")
    assert len(parquet(kept)) == 11
    assert maintain(kept, "vacuum_files").reports[0].notes == []
    old = (datetime.now(UTC) - timedelta(days=40)).timestamp()
    for path in parquet(kept):
        os.utime(path, (old, old))
    for log in (Path(kept.lake.location(NOTES)) / "_delta_log").glob("*.json"):
        entry = [json.loads(line) for line in log.read_text().splitlines()]
        for action in entry:
            if "remove" in action:
                action["remove"]["deletionTimestamp"] = int(old * 1000)
        log.write_text("\n".join(json.dumps(action) for action in entry))
        (log.parent / f".{log.name}.crc").unlink(missing_ok=True)
    kept.spark.sql("CLEAR CACHE")
    kept.__dict__.pop("lake")
    _forget_snapshots(kept)
    leavings = kept.root / "staging" / "20260101T000000-aaaaaaaaaa"
    leavings.mkdir(parents=True)
    of_spark = kept.root / "staging" / "checkpoints"
    for name, at in (("killed", old), ("at work", datetime.now(UTC).timestamp())):
        (of_spark / name).mkdir(parents=True)
        (of_spark / name / "part-00000").touch()
        for path in (of_spark / name / "part-00000", of_spark / name):
            os.utime(path, (at, at))

    notes = maintain(kept, "vacuum_files").reports[0].notes

    assert [note.partition(" of ")[0] for note in notes] == ["8 files", "2 folders"]
    assert len(parquet(kept)) == 3
    assert not leavings.exists()
    assert [path.name for path in of_spark.iterdir()] == ["at work"]
    assert kept.stale(sum_notes) == {}
    assert kept.rows(TOTALS)[-1].total == 9


def _forget_snapshots(service: Service) -> None:
    service.spark._jvm.org.apache.spark.sql.delta.DeltaLog.clearCache()


@pytest.mark.thorough
def test_what_was_turned_away_goes_by_when_that_was_and_not_by_its_day(kept: Service) -> None:
    context = kept.context()
    newest = max(e.started_at for e in context.ledger.entries() if e.started_at)
    for run, age in (("old", 31), ("young", 29)):
        context.enter(new_entry("j", "job", run_id=run, started_at=newest - timedelta(days=age)))
    killed = f"{newest - timedelta(days=31):%Y%m%dT%H%M%S}-0123456789"
    rows = [
        (publication, date(1998, 1, 1))
        for publication in ("old", "young", killed, "a killed batch", "q:1")
    ]
    rows[-1] = ("q:1", newest.date())
    frame = kept.spark.createDataFrame(rows, "publication string, window_day date").select(
        F.lit("amounts").alias("target"),
        F.lit("j").alias("job"),
        "publication",
        "window_day",
        F.array(F.lit("odd")).alias("reasons"),
        F.lit(None).cast("string").alias("file"),
        F.lit(None).cast("bigint").alias("line"),
        F.lit("raw").alias("raw"),
        F.lit(1).cast("bigint").alias("row_hash"),
    )
    kept.lake.append(QUARANTINE, frame, Note("r", "j", "0", "quarantine"))

    notes = maintain(kept, "expire_rows").reports[0].notes

    assert notes == ["quarantine: 3 rows are gone"]
    assert {row.publication for row in kept.rows(QUARANTINE)} == {"young", "q:1"}


@pytest.mark.thorough
def test_validations_of_long_ago_go_and_so_do_the_keys_that_they_hold(kept: Service) -> None:
    own = kept.rows(CHECK_RESULTS)
    newest = max(row.checked_at for row in own)
    rows = [
        (f"{age} days ago", "amounts", False, 1, ["odd"], newest - timedelta(days=age), "{}")
        for age in (31, 29)
    ]
    frame = kept.spark.createDataFrame(rows, CHECK_RESULTS.schema)
    kept.lake.append(CHECK_RESULTS, frame, Note("r", "j", "0", "record"))

    notes = maintain(kept, "expire_rows").reports[0].notes

    assert notes == ["check_results: 1 rows are gone"]
    left = {row.run_id for row in kept.rows(CHECK_RESULTS)}
    assert left == {row.run_id for row in own} | {"29 days ago"}
    assert maintain(kept, "expire_rows").reports[0].notes == []


@pytest.mark.thorough
def test_a_whole_lake_has_no_findings(kept: Service) -> None:
    assert found(kept) == found(kept, thorough=True) == []
    assert gaps([3, 1, 6]) == [2, 4, 5]


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("harm", "said"),
    [
        ("a lost file", "notes: 1 of its 9 files are not there, such as day=2026-01-01/"),
        ("a cut file", "notes: 1 of its 9 files are not as long as its log says, such as day="),
        ("a cut log", "notes: commit 3 of its log cannot be read to its end"),
        ("a gap", "notes: its log lacks 1 of its commits, the first is version 3"),
        ("staging", "staging: 1 runs that were killed left files (20260101T000000-a)"),
        ("no checkpoint", "amounts: of 5 rows of notes, 1 are neither kept nor turned away (r)"),
    ],
)
def test_what_is_broken_is_told_with_what_to_do(kept: Service, harm: str, said: str) -> None:
    log = Path(kept.lake.location(NOTES)) / "_delta_log" / f"{3:020d}.json"
    match harm:
        case "a lost file":
            parquet(kept)[0].unlink()
        case "a cut file":
            parquet(kept)[0].write_bytes(parquet(kept)[0].read_bytes()[:100])
        case "a cut log":
            log.write_text(log.read_text()[:-20])
        case "a gap":
            log.unlink()
        case "staging":
            (kept.root / "staging" / "20260101T000000-a").mkdir(parents=True)
        case _:
            balance = Balance("notes", "amounts", 5, 4)
            kept.context().enter(new_entry("j", "job", run_id="r", balances=(balance,)))
    (finding,) = found(kept)
    assert finding.startswith(said)
    assert "; " in finding


@pytest.mark.thorough
def test_what_a_run_at_work_has_not_entered_yet_is_no_finding(
    kept: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    staged = kept.root / "staging" / "20260101T000000-a"
    staged.mkdir(parents=True)
    with monkeypatch.context() as between:
        between.setattr(Context, "enter", lambda *_: None)
        kept.note(("2026-01-03", "tea", 6))

    # Of a killed run it is told; of one at work, not, and what was published before is still looked at.
    differing, leavings = found(kept)
    assert "2026-01-03 holds 2 rows, and the ledger says 1" in differing
    assert leavings.startswith("staging: 1 runs that were killed left files (20260101T000000-a)")
    assert found(kept, thorough=True, look=lambda: "somebody") == []


@pytest.mark.thorough
def test_who_began_and_ended_while_it_was_looked_is_known_by_the_ledger(kept: Service) -> None:
    at_work = AtWork(kept.lake)
    assert not at_work()
    kept.note(("2026-01-03", "tea", 6))
    assert at_work()
    assert at_work.seen == "the ledger has grown meanwhile"


@pytest.mark.thorough
def test_rows_that_nobody_published_are_found_by_their_number_or_by_their_content(
    kept: Service,
) -> None:
    """Somebody has changed a file behind Delta's back: the log knows of nothing."""
    path = next(
        Path(kept.lake.location(AMOUNTS)) / name
        for name, values, _ in kept.lake.files(AMOUNTS)
        if values["day"] == "2026-01-03"
    )
    frame = kept.spark.read.parquet(str(path)).withColumn("amount", F.lit(6).cast("bigint"))
    other = kept.root / "other"
    frame.coalesce(1).write.parquet(str(other))
    (written,) = other.glob("*.parquet")
    path.write_bytes(written.read_bytes())
    (path.parent / f".{path.name}.crc").unlink(missing_ok=True)

    by_size, by_content = found(kept), found(kept, thorough=True)

    told = "amounts: 1 of its days differ from what was published; 2026-01-03 holds 1 rows, but not those"
    assert any(finding.startswith(told) for finding in by_content) or any(
        "not as long as its log says" in finding for finding in by_size
    )
