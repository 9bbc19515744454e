"""What changes a lake besides its jobs: people's input, resets, retention, and commits made by others.

Each is entered into the ledger, for the ledger is how later runs know what changed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any

from pyspark.sql import DataFrame

from cinelake.runtime.code_version import code_version
from cinelake.runtime.delta.commits import Commit, Note
from cinelake.runtime.delta.lake import Lake
from cinelake.runtime.given import JobError
from cinelake.runtime.intake.inlet import source_of
from cinelake.runtime.job import Ingest, Job
from cinelake.runtime.runs.books import DayEntry, Entry
from cinelake.runtime.runs.context import Context, new_entry, new_run_id
from cinelake.runtime.runs.publish import Published, Publisher
from cinelake.runtime.runs.staleness import sealed_by
from cinelake.runtime.settings import is_local
from cinelake.tables.contract import Kind, Table

# How ids of runs begin: with their time.
BEGAN = re.compile(r"\d{8}T\d{6}-")
NO_RUN_TAKES = timedelta(days=7)
# What a note calls its commit when rows of a window changed; retention and compaction change none.
WRITES = ("append", "insert", "replace")


def append_external(context: Context, table: Table, frame: DataFrame, by: str) -> Published:
    """Add people's input to an external table, through the same gates as everything else.

    `by` names the command. Raises JobError for a table of another kind.
    """
    if table.kind is not Kind.EXTERNAL:
        raise JobError(f"{table.name!r} is {table.kind}, not external; only its job writes it")
    run_id = new_run_id()
    publisher = Publisher(
        context.lake, context.books, run_id=run_id, job=by, code=code_version(), inputs={}
    )
    published = publisher.append(table, frame, run_id, 0)
    context.enter(new_entry(by, "external", run_id=run_id, **appended(published)))
    return published


def appended(published: Published) -> dict[str, Any]:
    """What an entry says of an append."""
    name = published.table.name
    return {
        "output_versions": {name: published.version} if published.version is not None else {},
        "rows_out": {name: published.rows},
        "quarantined": {name: published.quarantined} if published.quarantined else {},
        "days": tuple(
            DayEntry(day, "", {name: digest}) for day, digest in sorted(published.days.items())
        ),
    }


def reset(context: Context, job: Ingest) -> None:
    """Forget a source: checkpoints and bronze together, for either without the other repeats or loses rows."""
    # The entry comes first: with it, a kill in between leaves a source that is merely read again.
    _forget(context, job.name, [job.target])
    storage, folder = context.lake.storage, f"{context.lake.root}/checkpoints"
    for checkpoint in storage.names(folder):
        if source_of(checkpoint) == job.source.name:
            storage.remove(f"{folder}/{checkpoint}")
    context.lake.drop(job.target)


def rebuild(context: Context, job: Job, *, even_sealed: bool = False) -> list[str]:
    """Drop what a job has written and its entries in the books; returns the names of the tables.

    Raises JobError where retention has taken what some of its days were made from, unless these may be lost.
    """
    days = context.books.done_days(job.name)
    lost = [day for day in days if sealed_by(job, day, context.books)]
    if lost and not even_sealed:
        why = sealed_by(job, lost[-1], context.books)
        raise JobError(
            f"{len(lost)} days up to {lost[-1]} could not be computed again: {why}; "
            "to lose them, say --even-sealed"
        )
    tables = [written for written in job.writes if isinstance(written, Table)]
    _forget(context, job.name, tables)
    for table in tables:
        context.lake.drop(table)
    return [table.name for table in tables]


def expire(context: Context, table: Table, before: date) -> int:
    """Apply retention: delete the days before `before`, and seal the windows that read them; returns the rows."""
    version = context.lake.version(table)
    if version is None:
        return 0
    entry = new_entry("retention", "retention", end=before, output_versions={table.name: version})
    context.enter(entry)
    note = Note(
        run=entry.run_id,
        job="retention",
        code=code_version(),
        action="retention",
        end=before.isoformat(),
    )
    return context.lake.expire(table, before, note).deleted


def staged_by_killed(lake: Lake) -> list[str]:
    """The folders of the staging area that a killed run left, as far as can be told; to be asked by who is alone.

    Nothing keeps others out of an object store. There a folder counts that is named by when its run began, and that is
    more than a day ago.
    """
    left = lake.staging.of_runs()
    if is_local(lake.root):
        return left
    yesterday = f"{datetime.now(UTC) - timedelta(days=1):%Y%m%dT%H%M%S}"
    return [name for name in left if BEGAN.match(name) and name < yesterday]


def left_checkpoints(lake: Lake) -> list[str]:
    """The folders of Spark's checkpoints that no driver needs any more.

    Spark removes the files with the frames that they are of, unless the driver is killed, and the folder never. It is
    named by nothing, so those count that nobody has written to for as long as no run takes.
    """
    long_ago = datetime.now(UTC) - NO_RUN_TAKES
    return [name for name, at in lake.staging.checkpoints_of_spark().items() if at < long_ago]


def notice_others(context: Context, tables: Iterable[Table], *, remember: bool = True) -> None:
    """Take into account what was committed to `tables` since the ledger's last entry on them.

    That is other people's work, or a run of ours that was killed before it could enter what it had published.
    With `remember=False` nothing is entered: for those who only want to know.
    """
    for table in tables:
        known = context.books.versions.get(table.name)
        newest = context.lake.version(table, known)
        if newest is None or newest == known:
            continue
        commits = context.lake.commits(table, -1 if known is None else known, newest)
        for commit in (c for c in commits if _disturbs(c)):
            entry = _disturbance(table, commit)
            if remember:
                context.enter(entry)
            else:
                context.books.apply(entry)
        context.books.versions[table.name] = newest


def _disturbs(commit: Commit) -> bool:
    return commit.changes_data and (commit.note is None or commit.note.action in WRITES)


def _disturbance(table: Table, commit: Commit) -> Entry:
    touched = commit.days_touched(table)
    return new_entry(
        commit.note.job if commit.note else f"somebody's {commit.operation}",
        "foreign",
        run_id=f"{table.name}@{commit.version}",
        start=touched[0] if touched else None,
        end=touched[1] + date.resolution if touched else None,
        output_versions={table.name: commit.version},
    )


def _forget(context: Context, job: str, tables: list[Table]) -> None:
    context.enter(new_entry(job, "reset", output_versions={table.name: 0 for table in tables}))
