"""Runs one maintenance job: what may be done to tables whoever writes them, and how the books stay right.

Compaction and the removal of unreferenced files change no row; retention takes rows away and seals what reads them.
All of it makes no window stale. Delta's log forgets commits after a month, and a commit that nobody can read any more
counts as one that changed anything; so each run, when it ends, enters up to which version it has seen every table.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from cinelake.runtime.code_version import code_version
from cinelake.runtime.delta.commits import Note
from cinelake.runtime.delta.storage import Storage
from cinelake.runtime.given import JobParams, MaintenanceRun, Partitioned
from cinelake.runtime.job import Maintenance
from cinelake.runtime.runs.context import Context, new_entry, new_run_id, said
from cinelake.runtime.runs.fsck import AtWork, findings
from cinelake.runtime.runs.runner import Outcome
from cinelake.runtime.runs.staleness import data_through
from cinelake.runtime.runs.upkeep import expire, left_checkpoints, notice_others, staged_by_killed
from cinelake.runtime.windows import complete_days
from cinelake.tables.contract import Table
from cinelake.tables.ddl import partition_column
from cinelake.tables.system import CHECK_RESULTS, JOB_RUNS, QUARANTINE


def maintain(context: Context, job: Maintenance, tables: Sequence[Table]) -> Outcome:
    """Run a maintenance job over those of `tables` that exist. A failure is entered into the ledger and returned."""
    started = time.monotonic()
    run = LakeMaintenance(context, context.params(job), tables)
    status, error = "succeeded", None
    versions: dict[str, int] = {}
    try:
        try:
            job.function(run)
        finally:
            # What a failed one did is done.
            versions = run.seen()
    # As in `runner.compute`: what fails here stops nothing but what is to go after it.
    except Exception as failure:  # noqa: BLE001
        status, error = "failed", failure
    seconds = round(time.monotonic() - started, 3)
    entry = new_entry(
        job.name,
        "job",
        status,
        run_id=run.run_id,
        output_versions=versions,
        notes=tuple(run.notes),
        warnings=tuple(run.warnings),
        seconds=seconds,
        error=said(error) if error else None,
    )
    if error is None:
        context.enter(entry)
    else:
        context.enter_if_possible(entry)
    return Outcome(
        job.name,
        status,
        None,
        seconds=seconds,
        error=error,
        warnings=tuple(run.warnings),
        notes=tuple(run.notes),
    )


class LakeMaintenance(MaintenanceRun[Any]):
    """Maintenance of a real lake."""

    def __init__(self, context: Context, params: JobParams, tables: Sequence[Table]) -> None:
        there = sorted((t for t in tables if context.lake.exists(t)), key=lambda t: t.name)
        super().__init__(params, there)
        self.run_id = new_run_id()
        self._context = context
        self._touched: dict[str, Table] = {}

    @property
    def through(self) -> date | None:
        through = data_through(self._context.books, [table.name for table in self.tables])
        return None if through is None else complete_days(through)

    def seen(self) -> dict[str, int]:
        """The versions up to which every commit to the tables of this run has been looked at."""
        notice_others(self._context, self._touched.values())
        # The ledger's own commits are in nobody's reading, and entering them would make another.
        versions = self._context.books.versions
        return {name: versions[name] for name in sorted(self._touched) if name in versions}

    def partitions(self, table: Table) -> list[Partitioned]:
        column = partition_column(table)
        sizes: dict[str | None, list[int]] = defaultdict(list)
        for _, values, size in self._context.lake.files(table):
            sizes[values.get(column) if column else None].append(size)
        return [Partitioned(day, tuple(sizes[day])) for day in sorted(sizes, key=str)]

    def compact(self, table: Table, partitions: Sequence[str | None]) -> None:
        self._touch(table)
        self._context.lake.compact(table, partitions)

    def vacuum(self, table: Table, days: int) -> tuple[int, int]:
        self._touch(table)
        lake = self._context.lake
        before = _data(lake.storage, lake.location(table))
        lake.vacuum(table, days)
        after = _data(lake.storage, lake.location(table))
        return len(before) - len(after), sum(before.values()) - sum(after.values())

    def expire(self, table: Table, before: date) -> int:
        # Rows that came late, for days whose rows had gone, are in no reckoning: the table is asked.
        if self._context.lake.read(table, end=before).isEmpty():
            return 0
        self._touch(table)
        return expire(self._context, table, before)

    def expire_quarantine(self, days: int) -> int:
        lake = self._context.lake
        if not lake.exists(QUARANTINE):
            return 0
        gone = expired_publications(lake.read(QUARANTINE), lake.read(JOB_RUNS), days)
        if gone.isEmpty():
            return 0
        self._touch(QUARANTINE)
        note = Note(self.run_id, "retention", code_version(), "retention")
        return lake.expire_quarantine(gone, note).deleted

    def expire_checks(self, days: int) -> int:
        lake = self._context.lake
        if not lake.exists(CHECK_RESULTS):
            return 0
        checks = lake.read(CHECK_RESULTS)
        (row,) = checks.agg(F.max("checked_at").alias("newest")).toArrow().to_pylist()
        if row["newest"] is None:
            return 0
        before = row["newest"] - timedelta(days=days)
        if checks.where(F.col("checked_at") < F.lit(before)).isEmpty():
            return 0
        self._touch(CHECK_RESULTS)
        note = Note(self.run_id, "retention", code_version(), "retention")
        return lake.expire_records(CHECK_RESULTS, "checked_at", before, note).deleted

    def remove_leavings(self) -> list[str]:
        lake = self._context.lake
        left = staged_by_killed(lake) + left_checkpoints(lake)
        for name in left:
            lake.staging.remove(name)
        return left

    def prune_tracking(self, days: int) -> int:
        return self._context.tracking.prune(timedelta(days=days))

    def inspect(self) -> list[str]:
        # On a local lake we hold the lock, and nobody else is at work.
        at_work = AtWork(self._context.lake)
        self._context.reread()
        return [str(found) for found in findings(self._context, self.tables, at_work)]

    def _touch(self, table: Table) -> None:
        if table != JOB_RUNS:
            self._touched[table.name] = table


def expired_publications(quarantine: DataFrame, runs: DataFrame, days: int) -> DataFrame:
    """`publication`: those whose rows were turned away more than `days` days before the newest run began.

    A row's own day may be years old when it comes in, so its age is that of the run that turned it away. Of a run that
    was killed, the ledger knows nothing: its id begins with its time, and the day of a micro-batch is that of its rows.
    """
    began = runs.groupBy(F.col("run_id").alias("publication")).agg(
        F.max("started_at").alias("began")
    )
    newest = runs.agg(F.max("started_at").alias("newest"))
    named = F.try_to_timestamp(F.substring("publication", 1, 15), F.lit("yyyyMMdd'T'HHmmss"))
    turned_away = F.coalesce("began", named, F.col("window_day").cast("timestamp"))
    return (
        quarantine.groupBy("publication")
        .agg(F.max("window_day").alias("window_day"))
        .join(began, on="publication", how="left")
        .crossJoin(newest)
        .where(turned_away < F.col("newest") - F.make_dt_interval(F.lit(days)))
        .select("publication")
    )


def _data(storage: Storage, folder: str) -> dict[str, int]:
    """The files of rows, and their bytes: to vacuum a table adds to its log, checkpoints in Parquet among that."""
    return {
        path: size
        for path, size in storage.sizes(folder).items()
        if path.endswith(".parquet") and not path.startswith("_delta_log/")
    }
