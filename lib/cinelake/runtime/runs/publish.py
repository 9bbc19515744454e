"""Write, audit, publish: how rows reach readers.

A frame is computed once, with the reasons against each row beside it. Rejected rows go to `quarantine`, the
rest is audited by Great Expectations, and only then does one commit show it to readers. Days whose content is
what was published before make no commit. A failed audit publishes nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import reduce
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, StringType
from pyspark.util import inheritable_thread_target

from cinelake.checks.gate import Audit, AuditFailed, audit
from cinelake.checks.rules import reasons
from cinelake.checks.tally import Tally, breaches, broken, surplus
from cinelake.runtime.delta.commits import Note
from cinelake.runtime.delta.lake import Lake
from cinelake.runtime.intake.bad_files import BadFile
from cinelake.runtime.intake.turned_away import (
    ORIGIN,
    ORIGIN_TYPE,
    RAW,
    REASONS,
    particulars,
    rejected_files,
    rejected_rows,
    with_line_numbers,
)
from cinelake.runtime.runs.books import Books
from cinelake.runtime.runs.digest import EMPTY, Digest, aggregates, row_hash
from cinelake.runtime.windows import Window
from cinelake.tables.contract import Table
from cinelake.tables.ddl import quoted
from cinelake.tables.system import CHECK_RESULTS, QUARANTINE

MISSING = "_is_missing"
HASH, KEYS = "_hash", "_keys"
# When the collector had the record; the data is complete up to the newest.
RECEIVED = "received_at"
EXTRA_TYPES = {REASONS: ArrayType(StringType()), RAW: StringType(), ORIGIN: ORIGIN_TYPE}

# Frames whose estimated size is at most this share of what the executors may hold wait in memory: 2 M rows cost
# 1.9 CPU seconds to keep so and to read again, as staging files 2.7. An estimate may be a fifth of the truth
# (compressed files) or a thousand times too high (joins); what then finds no room is spilled by Spark.
SHARE_OF_MEMORY = 1 / 16


class PublishError(RuntimeError):
    """A job handed over something that cannot be published; the message says what and how to mend it."""


@dataclass(frozen=True)
class Published:
    """What became of one table's rows: counts, the new version if any, and each day's digest."""

    table: Table
    rows: int
    quarantined: int
    version: int | None
    days: dict[date, Digest]
    # Of what was turned away: the rows by their first reason, and the whole files.
    reasons: dict[str, int] = field(default_factory=dict)
    files: tuple[BadFile, ...] = ()


def judged(table: Table, frame: DataFrame) -> DataFrame:
    """The contract's columns with `_reasons`, `_hash` and `_keys`, and `_raw` and `_origin` where the frame has them.

    Hashes are null for a rejected row, the rest for a good one. Raises PublishError when the frame's columns or
    types are not the contract's.
    """
    _refuse_misfit(table, frame)
    broken = reasons(table)
    if REASONS in frame.columns:
        # What its job rejects may well be incomplete; that a column is missing is then no news.
        told = F.filter(broken, lambda reason: ~reason.endswith(MISSING))
        own = F.col(REASONS)
        broken = F.when(F.coalesce(F.size(own), F.lit(0)) > 0, F.array_union(own, told)).otherwise(
            broken
        )
    given = [name for name in (RAW, ORIGIN) if name in frame.columns]
    found = frame.select(*table.names, *given, F.when(F.size(broken) > 0, broken).alias(REASONS))
    good = _is_good()
    return found.select(
        *table.names,
        REASONS,
        *(F.when(~good, F.col(name)).alias(name) for name in given),
        F.when(good, row_hash(table)).alias(HASH),
        F.when(good, row_hash(table, table.key)).alias(KEYS),
    )


def accepted(frame: DataFrame) -> DataFrame:
    """The good rows of a judged frame."""
    return frame.where(_is_good())


def rejected(frame: DataFrame) -> DataFrame:
    """The rows of a judged frame that go to quarantine."""
    return frame.where(~_is_good())


class Publisher:
    """Publishes the outputs of one run."""

    def __init__(
        self, lake: Lake, books: Books, *, run_id: str, job: str, code: str, inputs: dict[str, int]
    ) -> None:
        self._lake = lake
        self._books = books
        self._run_id = run_id
        self._job = job
        self._code = code
        self._inputs = inputs
        self.received_through: datetime | None = None

    def replace(
        self, table: Table, frame: DataFrame, window: Window, settle: Callable[[Table], None]
    ) -> Published:
        """Make `frame` the rows of `window`; `settle` may refuse before each attempt to commit.

        Raises PublishError for rows outside the window, AuditFailed when the audit fails.
        """
        with self._materialised(table, judged(table, frame)) as ready:
            summary, verdict = self._gate(table, ready, window)
            good = accepted(ready)
            new = {day: summary.days.get(day, EMPTY) for day in window.days}
            changed = [
                day for day, digest in new.items() if self._books.digest(table.name, day) != digest
            ]
            version = None
            if changed and (summary.days or self._lake.exists(table)):
                start, end = changed[0], changed[-1] + timedelta(days=1)
                rows = good.select(*table.names)
                if (start, end) != (window.start, window.end):
                    rows = rows.where(
                        (F.col(_window(table)) >= F.lit(start))
                        & (F.col(_window(table)) < F.lit(end))
                    )
                note = self._note("replace", start, end, new)
                with self._keeping(verdict):
                    version = self._lake.replace(
                        table, rows, start, end, note, settle=lambda: settle(table)
                    ).version
            else:
                self._keep(verdict)
            self._requarantine(table, ready, window)
        held = sum(digest.rows for digest in new.values())
        return Published(table, held, summary.rejected, version, new, summary.reasons)

    def grow(self, table: Table, frame: DataFrame, window: Window) -> Published:
        """Add the rows of `frame` whose key is new to a growing table."""
        with self._materialised(table, judged(table, frame)) as ready:
            summary, verdict = self._gate(table, ready, window)
            self._keep(verdict)
            good = accepted(ready)
            version = None
            if summary.days:
                note = self._note("insert", window.start, window.end, summary.days)
                version = self._lake.insert_missing(table, good.select(*table.names), note).version
            self._requarantine(table, ready, window)
        # What stands in the table decides, not what was offered: a killed run may have added rows already.
        held = self._lake.read(table, start=window.start, end=window.end)
        stored = self._digests(table, held.select(_window(table), row_hash(table).alias(HASH)))
        days = {day: stored.get(day, EMPTY) for day in window.days}
        return Published(table, sum(d.rows for d in days.values()), summary.rejected, version, days)

    def append(
        self,
        table: Table,
        frame: DataFrame,
        application: str,
        number: int,
        files: Sequence[BadFile] = (),
        inspect: Callable[[DataFrame], None] = lambda _: None,
    ) -> Published:
        """Add a micro-batch of a stream: exactly once for `(application, number)`.

        `files` are turned away whole and not in the frame. `inspect` is shown the rejected rows, if there are any,
        as `reasons, file, line, raw`, and may raise to withdraw; nothing is written before it returns.
        """
        with self._materialised(table, judged(table, frame)) as ready:
            summary = self._summary(table, ready)
            self.received_through = summary.received_through
            if summary.rejected:
                bad = rejected(ready)
                inspect(bad.select(*(c.alias(name) for name, c in particulars(bad, table).items())))
            if summary.rejected or files:
                self._lake.append(
                    QUARANTINE,
                    self._turned_away(table, ready, summary, files),
                    self._note("quarantine", None, None, {}),
                    (f"{application}:quarantine", number),
                )
            good = accepted(ready)
            rows, version = sum(digest.rows for digest in summary.days.values()), None
            if summary.days:
                self._keep(self._audit(table, good, summary))
                note = self._note("append", min(summary.days), max(summary.days), summary.days)
                receipt = self._lake.append(
                    table, good.select(*table.names), note, (f"{application}:{table.name}", number)
                )
                version = receipt.version
                # A batch that was committed before leaves no receipt now.
                rows = rows if version is None else receipt.rows
        turned_away = summary.rejected + len(files)
        return Published(
            table, rows, turned_away, version, summary.days, summary.reasons, tuple(files)
        )

    # ---- steps

    @contextmanager
    def _materialised(self, table: Table, frame: DataFrame) -> Iterator[DataFrame]:
        cached = frame.persist()
        try:
            if _estimated_bytes(cached) <= SHARE_OF_MEMORY * _storage_bytes(cached):
                yield cached
                return
        finally:
            cached.unpersist()
        # A micro-batch's id holds a colon, which Hadoop's paths may not.
        folder = self._run_id.replace(":", "-")
        try:
            yield self._lake.staging.put(frame, f"{folder}/{table.name}")
        finally:
            self._lake.staging.remove(folder)

    def _summary(self, table: Table, ready: DataFrame) -> _Summary:
        """What each day holds, what was turned away by the first reason against it, and what is to be audited."""
        received = (
            F.max(RECEIVED).alias(RECEIVED)
            if RECEIVED in table.names
            else F.lit(None).alias(RECEIVED)
        )
        # What a reason says after a colon is detail; good rows have none.
        first = F.substring_index(F.element_at(REASONS, 1), ":", 1).alias("reason")
        groups = (
            ready.groupBy(_window(table), first)
            .agg(
                *aggregates(HASH),
                F.count("*").alias("count"),
                received,
                *breaches(table, among=_is_good()),
            )
            .toArrow()
            .to_pylist()
        )
        days = {
            group[_window(table)]: Digest(group["rows"], group["xor"], group["total"])
            for group in groups
            if group["rows"]
        }
        turned_away: Counter[str] = Counter()
        for group in groups:
            if group["reason"] is not None:
                turned_away[group["reason"]] += group["count"]
        # Of a row that is turned away no time can be relied on.
        received_of_good = (g[RECEIVED] for g in groups if g["reason"] is None)
        newest = max((moment for moment in received_of_good if moment is not None), default=None)
        return _Summary(
            days,
            turned_away.total(),
            dict(sorted(turned_away.items())),
            newest,
            broken(table, groups),
        )

    def _digests(self, table: Table, hashed: DataFrame) -> dict[date, Digest]:
        rows = hashed.groupBy(_window(table)).agg(*aggregates(HASH)).toArrow().to_pylist()
        return {row[_window(table)]: Digest(row["rows"], row["xor"], row["total"]) for row in rows}

    def _gate(self, table: Table, ready: DataFrame, window: Window) -> tuple[_Summary, Audit]:
        """Refuse strays, then quarantine and audit side by side: each leaves a core idle.

        Where rows of the window are in quarantine already, they stay there for as long as what they were turned away
        from may stand: see `_requarantine`.
        """
        summary = self._summary(table, ready)
        self._refuse_strays(table, window, summary.days)
        with ThreadPoolExecutor(max_workers=1) as pool:
            # What another thread asks of Spark on behalf of this run counts as the run's.
            audit_aside = inheritable_thread_target(self._lake.spark)(self._audit)
            verdict = pool.submit(audit_aside, table, accepted(ready), summary)
            if summary.rejected and not self._has_quarantined(table, window):
                self._quarantine(table, ready, window, replace=False)
            return summary, verdict.result()

    def _requarantine(self, table: Table, ready: DataFrame, window: Window) -> None:
        """Once rows are published, put those that were turned away in the place of the window's before."""
        if self._has_quarantined(table, window):
            self._quarantine(table, ready, window, replace=True)

    def _has_quarantined(self, table: Table, window: Window) -> bool:
        return self._books.has_quarantined(self._job, table.name, window.days)

    def _refuse_strays(self, table: Table, window: Window, days: dict[date, Digest]) -> None:
        strays = sorted(day for day in days if day not in window)
        if strays:
            shown = ", ".join(str(day) for day in strays[:5])
            raise PublishError(
                f"job {self._job!r} wrote rows of {shown} into {table.name!r}, outside its window {window}; "
                f"filter its output on {table.window}, lookback and lookahead only widen what is read"
            )

    def _quarantine(self, table: Table, ready: DataFrame, window: Window, *, replace: bool) -> None:
        """Put the rejected rows where the window's were; without any to replace, an append does it.

        What a killed run left there belongs to no published run, and is not counted.
        """
        day = F.col(_window(table))
        inside = F.when((day >= F.lit(window.start)) & (day < F.lit(window.end)), day)
        first = F.lit(window.start)
        rows = rejected_rows(
            rejected(ready), table, self._job, self._run_id, F.coalesce(inside, first)
        )
        note = self._note("quarantine", window.start, window.end, {})
        if not replace:
            self._lake.append(QUARANTINE, rows, note)
            return
        mine = f"target = {quoted(table.name)} AND job = {quoted(self._job)}"
        self._lake.replace(QUARANTINE, rows, window.start, window.end, note, where=mine)

    def _turned_away(
        self, table: Table, ready: DataFrame, summary: _Summary, files: Sequence[BadFile]
    ) -> DataFrame:
        """The rows of `quarantine` of a micro-batch."""
        who = table, self._job, self._run_id, F.lit(datetime.now(UTC).date())
        parts = []
        if summary.rejected:
            rows = rejected_rows(rejected(ready), *who)
            parts.append(with_line_numbers(self._lake, rows))
        if files:
            parts.append(rejected_files(self._lake, files, *who))
        return reduce(DataFrame.unionByName, parts)

    def _audit(self, table: Table, good: DataFrame, summary: _Summary) -> Audit:
        """The verdict, if it is good; a bad one is kept and raised."""
        rows = sum(digest.rows for digest in summary.days.values())
        result = audit(
            table, good, Tally(rows, summary.broken, surplus(table, good, rows, hash_column=KEYS))
        )
        if not result.passed:
            self._keep(result)
            raise AuditFailed(result)
        return result

    @contextmanager
    def _keeping(self, verdict: Audit) -> Iterator[None]:
        """Keep the verdict meanwhile: a commit of one row leaves a core idle."""
        with ThreadPoolExecutor(max_workers=1) as pool:
            kept = pool.submit(inheritable_thread_target(self._lake.spark)(self._keep), verdict)
            yield
            kept.result()

    def _keep(self, result: Audit) -> None:
        row = {
            "run_id": self._run_id,
            "target": result.table.name,
            "passed": result.passed,
            "expectations": len(result.results),
            "failed": [str(r) for r in result.results if not r.success],
            "checked_at": datetime.now(UTC),
            "result": result.to_json(),
        }
        frame = self._lake.spark.createDataFrame([row], CHECK_RESULTS.schema)
        self._lake.append(CHECK_RESULTS, frame, self._note("record", None, None, {}))

    def _note(
        self, action: str, start: date | None, end: date | None, days: dict[date, Digest]
    ) -> Note:
        total = sum(days.values(), EMPTY)
        return Note(
            run=self._run_id,
            job=self._job,
            code=self._code,
            action=action,
            start=start.isoformat() if start else None,
            end=end.isoformat() if end else None,
            inputs=self._inputs,
            digest=str(total) if days else None,
        )


@dataclass(frozen=True)
class _Summary:
    days: dict[date, Digest]
    rejected: int
    reasons: dict[str, int]
    received_through: datetime | None
    broken: dict[str, int]


def _window(table: Table) -> str:
    assert table.window is not None, f"{table.name} has no window column"
    return table.window


def _is_good() -> Column:
    return F.col(REASONS).isNull()


def _estimated_bytes(persisted: DataFrame) -> int:
    # Of a frame that is persisted but not computed yet. The plan that will compute it is made by then; to ask the
    # frame itself would plan it once more, which for a Delta table is a job.
    return int(str(persisted._jdf.queryExecution().withCachedData().stats().sizeInBytes()))


def _storage_bytes(frame: DataFrame) -> int:
    """What the executors there are may hold in memory, at most."""
    context: Any = frame.sparkSession.sparkContext._jsc.sc()
    each, total = context.getExecutorMemoryStatus().valuesIterator(), 0
    while each.hasNext():
        total += int(each.next()._1())
    return total


def _refuse_misfit(table: Table, frame: DataFrame) -> None:
    have = {f.name: f.dataType for f in frame.schema.fields}
    problems = []
    for column in table.columns:
        kind = have.pop(column.name, None)
        if kind is None:
            problems.append(f"column {column.name!r} is missing")
        elif kind.simpleString() != column.type.simpleString():
            problems.append(
                f"column {column.name!r} is {kind.simpleString()}, the contract says {column.type.simpleString()}"
            )
    for name, kind in have.items():
        wanted = EXTRA_TYPES.get(name)
        if wanted is None:
            problems.append(f"column {name!r} is not in the contract")
        elif kind.simpleString() != wanted.simpleString():
            problems.append(f"{name} is {kind.simpleString()}, it must be {wanted.simpleString()}")
    if problems:
        raise PublishError(
            f"the rows for table {table.name!r} do not fit its contract: "
            + "; ".join(problems)
            + ". Shape them in the job's last `select`."
        )
