"""Write, audit, publish: what readers see, what they never see, and who wins a race."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from unittest.mock import patch

import pytest
from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F
from pyspark.sql.types import StringType

from cinelake.checks.gate import AuditFailed
from cinelake.runtime.delta.lake import DriftError, Lake
from cinelake.runtime.job import Job, JobParams, Run, job
from cinelake.runtime.runs import publish
from cinelake.runtime.runs.publish import Publisher
from cinelake.runtime.runs.runner import LakeRun, compute
from cinelake.runtime.windows import Window
from cinelake.tables.contract import Column, Table, between
from cinelake.tables.system import CHECK_RESULTS, JOB_RUNS, QUARANTINE

from .conftest import AMOUNTS, NOTES, Service, sum_notes, total_days

JAN_1 = Window.of_day(date(2026, 1, 1))


def quarantined(service: Service) -> list[tuple[str, list[str]]]:
    """The rows that count: those of published runs."""
    published = service.lake.read(JOB_RUNS).where("status = 'succeeded'")
    rows = service.lake.read(QUARANTINE).join(
        published.select(F.col("run_id").alias("publication")), on="publication", how="left_semi"
    )
    return sorted((row["raw"], row["reasons"]) for row in rows.select("raw", "reasons").collect())


@pytest.mark.thorough
def test_rows_that_break_the_contract_go_to_quarantine_with_all_reasons(service: Service) -> None:
    service.note(("2026-01-01", "tea", 1), ("2026-01-01", "gold", 5000))
    (report, _) = service.run().reports
    assert (report.rows_out, report.quarantined) == (1, 1)
    assert quarantined(service) == [
        ('{"day":"2026-01-01","note":"gold","amount":5000}', ["amount_in_range"])
    ]


@pytest.mark.thorough
def test_quarantine_is_replaced_with_its_window_and_empties_when_the_rows_are_mended(
    service: Service,
) -> None:
    service.note(("2026-01-01", "gold", 5000))
    service.run()
    service.run(window=JAN_1, only=("sum_notes",))
    assert len(quarantined(service)) == 1
    service.note(("2026-01-01", "gold", -4990))
    service.run()
    assert quarantined(service) == []
    assert [row.amount for row in service.rows(AMOUNTS)] == [10]


@job(reads=[NOTES], writes=[AMOUNTS])
def repeat_keys(run: Run[JobParams]) -> None:
    """Forget to sum."""
    run.write(
        AMOUNTS,
        run.read(NOTES).select("day", "note", F.coalesce("amount", F.lit(0)).alias("amount")),
    )


def test_a_failed_audit_publishes_nothing_fails_the_job_and_stops_what_builds_on_it(
    service: Service,
) -> None:
    service.note(("2026-01-01", "tea", 1))
    service.run()
    before = service.version(AMOUNTS)
    service.jobs = (replace(repeat_keys, name="sum_notes", version=2), total_days)
    service.note(("2026-01-01", "tea", 2))
    summary = service.run()
    assert [r.status for r in summary.reports] == ["failed", "skipped"]
    assert not summary.succeeded
    assert "AuditFailed" in str(summary.reports[0].error)
    assert "tea" in str(summary.reports[0].error)
    assert service.version(AMOUNTS) == before
    kept = {
        row["passed"]: row["failed"]
        for row in service.lake.read(CHECK_RESULTS).where("target = 'amounts'").collect()
    }
    assert kept[True] == []
    assert len(kept[False]) == 1
    failed = service.lake.read(JOB_RUNS).where("status = 'failed'").collect()
    assert [row["job"] for row in failed] == ["sum_notes"]


@job(reads=[NOTES], writes=[AMOUNTS])
def find_nothing(run: Run[JobParams]) -> None:
    """Let no row through."""
    sums = run.read(NOTES).groupBy("day", "note").agg(F.sum("amount").alias("amount"))
    run.write(AMOUNTS, sums.where("false"))


def twice(run: Run[JobParams]) -> None:
    """Offer each row twice, which no audit lets pass."""
    sums = run.read(NOTES).groupBy("day", "note").agg(F.sum("amount").alias("amount"))
    run.write(AMOUNTS, sums.unionByName(sums))


@pytest.mark.thorough
def test_a_failed_audit_leaves_the_quarantine_of_what_stands(service: Service) -> None:
    service.note(("2026-01-01", "tea", 1), ("2026-01-01", "gold", 5000))
    assert service.run().succeeded
    before = quarantined(service)
    service.note(("2026-01-01", "milk", 1), ("2026-01-01", "silver", 5000))
    service.jobs = (replace(sum_notes, function=twice),)
    (report,) = service.run().reports
    assert report.status == "failed"
    assert [row.note for row in service.rows(AMOUNTS)] == ["tea"]
    assert quarantined(service) == before
    assert len(before) == 1


@pytest.mark.thorough
def test_a_failed_run_has_one_id_in_ledger_checks_and_mlflow(service: Service) -> None:
    service.note(("2026-01-01", "tea", 1))
    service.jobs = (replace(sum_notes, function=twice),)
    assert not service.run().succeeded
    (entry,) = service.lake.read(JOB_RUNS).where("job = 'sum_notes'").collect()
    (check,) = service.lake.read(CHECK_RESULTS).where("NOT passed").collect()
    assert check.run_id == entry.run_id
    area = service.tracking.client.get_experiment_by_name(sum_notes.area).experiment_id
    (tracked,) = service.tracking.client.search_runs([area], f"tags.run_id = '{entry.run_id}'")
    assert tracked.info.status == "FAILED"


@pytest.mark.thorough
def test_what_a_failed_run_read_and_cost_is_in_ledger_and_mlflow(service: Service) -> None:
    service.note(("2026-01-01", "tea", 1))
    service.jobs = (replace(sum_notes, function=twice),)
    assert not service.run().succeeded
    entry = next(e for e in service.context().ledger.entries() if e.job == "sum_notes")
    version = service.version(NOTES)
    assert version is not None
    assert (entry.input_versions, entry.output_versions) == ({"notes": version}, {})
    assert entry.usage is not None
    assert entry.usage.tasks > 0
    area = service.tracking.client.get_experiment_by_name(sum_notes.area).experiment_id
    (tracked,) = service.tracking.client.search_runs([area], f"tags.run_id = '{entry.run_id}'")
    assert tracked.data.tags["input.notes"] == str(version)
    assert tracked.data.metrics["spark.tasks"] == entry.usage.tasks


@pytest.mark.thorough
def test_a_job_that_finds_no_rows_succeeds(service: Service) -> None:
    service.jobs = (replace(find_nothing, name="sum_notes"), total_days)
    service.note(("2026-01-01", "tea", 1))
    found, _ = service.run().reports
    assert (found.status, found.rows_out) == ("succeeded", 0)


@pytest.mark.thorough
def test_a_failure_leaves_the_window_stale_and_the_next_run_mends_it(service: Service) -> None:
    def fail(run: Run[JobParams]) -> None:
        raise ZeroDivisionError("deliberate")

    service.jobs = (replace(sum_notes, function=fail), total_days)
    service.note(("2026-01-01", "tea", 1))
    assert [r.status for r in service.run().reports] == ["failed", "skipped"]
    service.jobs = (sum_notes, total_days)
    assert [r.status for r in service.run().reports] == ["succeeded", "succeeded"]


@pytest.mark.thorough
def test_every_commit_says_who_made_it(service: Service) -> None:
    service.note(("2026-01-01", "tea", 1))
    service.run()
    history = service.spark.sql(f"DESCRIBE HISTORY delta.`{service.lake.location(AMOUNTS)}`")
    noted = json.loads(
        history.orderBy(F.desc("version")).select("userMetadata").collect()[0]["userMetadata"]
    )
    note = noted["cinelake"]
    assert (note["job"], note["start"], note["end"]) == ("sum_notes", "2026-01-01", "2026-01-02")
    assert note["inputs"] == {"notes": service.version(NOTES)}
    (entry,) = service.lake.read(JOB_RUNS).where("job = 'sum_notes'").collect()
    assert entry["run_id"] == note["run"]
    assert entry["output_versions"] == [Row(name="amounts", version=service.version(AMOUNTS))]
    assert entry["rows_in"] == [Row(name="notes", rows=1)]


@pytest.mark.thorough
def test_large_frames_are_staged_and_the_staging_is_gone_afterwards(service: Service) -> None:
    service.note(("2026-01-01", "tea", 1), ("2026-01-01", "gold", 5000))
    with patch.object(publish, "SHARE_OF_MEMORY", -1):
        assert service.run().succeeded
    assert [row.amount for row in service.rows(AMOUNTS)] == [1]
    assert len(quarantined(service)) == 1
    assert service.lake.storage.names(f"{service.lake.root}/staging") == []


@pytest.mark.thorough
def test_rows_are_computed_once(service: Service) -> None:
    """However often the machinery looks at the rows, the job's plan runs once."""
    counter = service.spark.sparkContext.accumulator(0)

    def count(batches):  # type: ignore[no-untyped-def]
        for batch in batches:
            counter.add(batch.num_rows)
            yield batch

    def counted(run: Run[JobParams]) -> None:
        sums = run.read(NOTES).groupBy("day", "note").agg(F.sum("amount").alias("amount"))
        run.write(AMOUNTS, sums.mapInArrow(count, sums.schema))

    service.jobs = (replace(sum_notes, function=counted),)
    service.note(("2026-01-01", "tea", 1), ("2026-01-01", "milk", 1))
    assert service.run().succeeded
    assert counter.value == 2


@pytest.mark.thorough
def test_shares_of_what_is_written_are_metrics(service: Service) -> None:
    def shared(run: Run[JobParams]) -> None:
        sums = run.read(NOTES).groupBy("day", "note").agg(F.sum("amount").alias("amount"))
        is_tea = F.col("note") == "tea"
        run.write(
            AMOUNTS, run.log_shares(sums, {"tea": is_tea, "none": F.lit(None).cast("boolean")})
        )

    service.jobs = (replace(sum_notes, function=shared),)
    service.note(*(("2026-01-01", note, 1) for note in ("tea", "milk", "salt", "bread")))
    assert service.run().succeeded
    (entry,) = service.lake.read(JOB_RUNS).where("job = 'sum_notes'").collect()
    found = service.tracking.client.search_runs(
        [service.tracking.client.get_experiment_by_name(sum_notes.area).experiment_id],
        f"tags.run_id = '{entry.run_id}'",
    )
    assert found[0].data.metrics["tea"] == 0.25
    assert found[0].data.metrics["none"] == 0.0


@pytest.mark.thorough
def test_figures_of_what_is_written_are_metrics(service: Service) -> None:
    def told(run: Run[JobParams]) -> None:
        sums = run.read(NOTES).groupBy("day", "note").agg(F.sum("amount").alias("amount"))
        figures = {
            "most": F.max("amount"),
            "of_tea": F.count_if(F.col("note") == "tea"),
            "none": F.max(F.lit(None).cast("double")),
        }
        run.write(AMOUNTS, run.log_figures(sums, figures))

    service.jobs = (replace(sum_notes, function=told),)
    service.note(*(("2026-01-01", note, 2) for note in ("tea", "milk", "milk")))
    assert service.run().succeeded
    (entry,) = service.lake.read(JOB_RUNS).where("job = 'sum_notes'").collect()
    found = service.tracking.client.search_runs(
        [service.tracking.client.get_experiment_by_name(sum_notes.area).experiment_id],
        f"tags.run_id = '{entry.run_id}'",
    )
    metrics = found[0].data.metrics
    assert (metrics["most"], metrics["of_tea"]) == (4.0, 1.0)
    # Of what there is not, nothing is told.
    assert "none" not in metrics


# ---- drift


@pytest.mark.thorough
def test_a_new_nullable_column_appears_at_the_next_write(service: Service) -> None:
    service.note(("2026-01-01", "tea", 1))
    service.run()
    wider = replace(AMOUNTS, columns=(*AMOUNTS.columns, Column("remark", StringType(), "a remark")))
    service.jobs = (writing(wider, lambda sums: sums.withColumn("remark", F.lit("new"))),)
    assert service.run().succeeded
    assert [row.remark for row in service.rows(wider)] == ["new"]


@pytest.mark.parametrize(
    ("drifted", "migration"),
    [
        (replace(AMOUNTS, columns=AMOUNTS.columns[:2], checks=()), "DROP COLUMN amount"),
        (
            replace(AMOUNTS, checks=(between("amount", 0, 9),)),
            r"ADD CONSTRAINT amount_in_range CHECK \(COALESCE\(amount >= 0 AND amount <= 9, TRUE\)\)",
        ),
        (replace(AMOUNTS, partition=None), "cinelake rebuild amounts"),
    ],
)
def test_any_other_drift_is_refused_with_both_sides_and_the_migration(
    service: Service, drifted: Table, migration: str
) -> None:
    with pytest.raises(DriftError, match=rf"(?s)stored:.*contract:.*{migration}"):
        Lake(service.spark, str(service.root)).create(drifted)


def writing(table: Table, shape: Callable[[DataFrame], DataFrame]) -> Job:
    def function(run: Run[JobParams]) -> None:
        """Sum the notes of each day."""
        run.write(
            table,
            shape(run.read(NOTES).groupBy("day", "note").agg(F.sum("amount").alias("amount"))),
        )

    return replace(sum_notes, writes=(table,), function=function)


# ---- races


def summed(notes: DataFrame) -> DataFrame:
    return notes.groupBy("day", "note").agg(F.sum("amount").alias("amount"))


@pytest.mark.thorough
def test_a_run_on_older_inputs_yields_to_one_on_newer(service: Service) -> None:
    service.note(("2026-01-01", "tea", 1))
    slow = service.context()

    def overtaken(run: LakeRun) -> None:
        rows = run.read(NOTES)
        service.note(("2026-01-01", "tea", 10))
        assert service.run(only=("sum_notes",)).succeeded
        run.write(AMOUNTS, summed(rows))

    outcome = compute(slow, replace(sum_notes, function=overtaken), JAN_1)  # type: ignore[arg-type]
    assert outcome.status == "yielded"
    assert [row.amount for row in service.rows(AMOUNTS)] == [11]
    # It withdrew, and nothing is wrong with it.
    (entry,) = (e for e in service.context().ledger.entries() if e.status == "yielded")
    area = service.tracking.client.get_experiment_by_name(sum_notes.area).experiment_id
    (tracked,) = service.tracking.client.search_runs([area], f"tags.run_id = '{entry.run_id}'")
    assert tracked.info.status == "KILLED"


@pytest.mark.thorough
def test_a_run_on_newer_inputs_overwrites_one_on_older(service: Service) -> None:
    service.note(("2026-01-01", "tea", 1))
    service.note(("2026-01-01", "tea", 10))

    def older(run: LakeRun) -> None:
        run.pinned["notes"] = 1
        run.write(AMOUNTS, summed(service.lake.read(NOTES, version=1)))

    def overtaking(run: LakeRun) -> None:
        assert (
            compute(service.context(), replace(sum_notes, function=older), JAN_1).status
            == "succeeded"
        )  # type: ignore[arg-type]
        assert [row.amount for row in service.rows(AMOUNTS)] == [1]
        run.write(AMOUNTS, summed(run.read(NOTES)))

    outcome = compute(service.context(), replace(sum_notes, function=overtaking), JAN_1)  # type: ignore[arg-type]
    assert outcome.status == "succeeded"
    assert [row.amount for row in service.rows(AMOUNTS)] == [11]


@pytest.mark.thorough
def test_a_rival_that_slips_in_before_the_commit_is_found_and_the_window_computed_again(
    service: Service,
) -> None:
    service.note(("2026-01-01", "tea", 1))
    slow = service.context()
    # In one process jobs take turns at a table; who writes from another does not wait.
    rival = replace(service)
    settle = LakeRun._settle
    turns = []

    def blind_once(run: LakeRun, table: Table) -> None:
        turns.append(table.name)
        if len(turns) == 1:
            # The last look is over; now the rival publishes from newer notes.
            rival.note(("2026-01-01", "tea", 10))
            assert rival.run(only=("sum_notes",)).succeeded
        else:
            settle(run, table)

    with patch.object(LakeRun, "_settle", blind_once):
        outcome = compute(slow, sum_notes, JAN_1)
    assert outcome.status in ("succeeded", "yielded")
    assert [row.amount for row in service.rows(AMOUNTS)] == [11]


@pytest.mark.thorough
def test_a_table_whose_making_was_killed_is_made_afresh(service: Service) -> None:
    service.note(("2026-01-01", "a", 1))
    log = service.root / "tables" / "silver" / "amounts" / "_delta_log"
    shutil.rmtree(log)
    # What is there when the kill comes before the first commit is in place.
    log.mkdir()
    (log / ".00000000000000000000.json.4f1a.tmp").write_text('{"commitInfo":')
    assert service.run().succeeded
    assert [row.amount for row in service.rows(AMOUNTS)] == [1]


@pytest.mark.thorough
def test_a_kill_between_commit_and_ledger_is_healed_by_the_next_run(service: Service) -> None:
    service.note(("2026-01-01", "tea", 1))
    context = service.context()
    with (
        patch.object(type(context.ledger), "record", side_effect=KeyboardInterrupt),
        pytest.raises(KeyboardInterrupt),
    ):
        compute(context, sum_notes, JAN_1)
    assert service.run().succeeded
    assert [row.amount for row in service.rows(AMOUNTS)] == [1]
    assert [r.status for r in service.run().reports] == ["up to date", "up to date"]


@pytest.mark.thorough
def test_rows_of_a_killed_run_are_replaced_even_when_the_day_is_again_what_the_ledger_knows(
    service: Service,
) -> None:
    service.note(("2026-01-01", "tea", 1))
    service.run()
    service.note(("2026-01-01", "tea", 10))
    context = service.context()
    with (
        patch.object(type(context.ledger), "record", side_effect=KeyboardInterrupt),
        pytest.raises(KeyboardInterrupt),
    ):
        compute(context, sum_notes, JAN_1)
    assert [row.amount for row in service.rows(AMOUNTS)] == [11]
    service.note(("2026-01-01", "tea", -10))
    assert service.run().succeeded
    assert [row.amount for row in service.rows(AMOUNTS)] == [1]


@pytest.mark.thorough
def test_only_published_quarantine_counts(service: Service) -> None:
    service.note(("2026-01-01", "gold", 5000))
    with patch.object(Publisher, "_audit", side_effect=AuditFailed.__new__(AuditFailed)):
        service.run()
    assert service.lake.read(QUARANTINE).count() == 1
    assert quarantined(service) == []
    service.run()
    assert len(quarantined(service)) == 1
