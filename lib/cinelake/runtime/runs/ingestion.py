"""Moves what came in through an inlet into bronze: one stream a source, each micro-batch published and entered
exactly once.

A batch that was killed half-way is offered again with the same number under the same query id; whatever of it
was committed before is then skipped by its transaction number.

Files that are turned away whole (bad_files.py) are not in the batch: whoever finds one, be it Spark on reading or
the look at rejected records, makes the batch start again without it, before anything of it was written.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame

from cinelake.runtime.code_version import code_version
from cinelake.runtime.delta.lake import Lake, LakeError
from cinelake.runtime.given import IngestRun, JobError
from cinelake.runtime.intake.bad_files import (
    BadFile,
    FilesTurnedAway,
    empty_files,
    is_damage,
    misplaced_files,
    unreadable_files,
)
from cinelake.runtime.intake.inlet import Batch, Inlet
from cinelake.runtime.job import Ingest
from cinelake.runtime.runs.conservation import LANDED, Balance, landed
from cinelake.runtime.runs.context import Context, new_entry, said
from cinelake.runtime.runs.publish import Published, Publisher
from cinelake.runtime.runs.runner import Outcome, away
from cinelake.runtime.runs.upkeep import appended
from cinelake.runtime.runs.usage import Usage, tagged, usage_of


def take_in(context: Context, job: Ingest, inlet: Inlet, trigger: dict[str, Any]) -> Outcome:
    """Ingest a source; returns at once when nothing has landed since the last time.

    An ordinary failure is entered into the ledger and returned, not raised.
    """
    started = time.monotonic()
    batches: _Batches | None = None
    try:
        seen, known = inlet.extent(), context.books.landing_seen.get(job.name)
        if seen is None:
            inlet.refuse_absence(known)
        if "availableNow" in trigger and seen in (None, known):
            status = "nothing landed" if seen is None else "up to date"
            return Outcome(job.name, status, None, seconds=time.monotonic() - started)
        awaited = Awaited(seen, inlet.count_since(seen, known) if seen else 0)
        batches = _Batches(context, job, inlet, awaited)
        with context.lake.alone_at(f"source-{job.source.name}") as waited:
            if waited:
                # What the other has taken in is in its entries, and no longer to come.
                context.reread()
            query = context.lake.stream(inlet.lines(), inlet.checkpoint, trigger, batches.take)
            try:
                query.awaitTermination()
            finally:
                query.stop()
    # As in `runner.compute`: a source that fails stops what builds on it and nothing else.
    except Exception as error:  # noqa: BLE001
        cause = (batches and batches.error) or error
        seconds = round(time.monotonic() - started, 3)
        entry = new_entry(job.name, "ingest", "failed", seconds=seconds, error=said(cause))
        context.enter_if_possible(entry)
        return Outcome(job.name, "failed", None, seconds=seconds, error=cause)
    seconds = round(time.monotonic() - started, 3)
    if not awaited.all_in:
        context.enter(new_entry(job.name, "ingest", fingerprint=seen, seconds=seconds))
    total = batches.balance
    outcome = Outcome(
        job.name,
        "succeeded",
        None,
        rows_in=total.given,
        rows_out=total.kept,
        quarantined=sum(total.turned_away.values()) + sum(total.files.values()),
        changed=total.kept > 0,
        seconds=seconds,
        balances=(total,),
    )
    if batches.taken:
        return _tracked(context, job, outcome, batches)
    return outcome


def _tracked(context: Context, job: Ingest, outcome: Outcome, batches: _Batches) -> Outcome:
    # Opened at the end, for most looks at a source find nothing to tell of.
    tracker = context.tracking.start(
        job.area,
        job.name,
        None,
        batches.newest,
        {"code_version": code_version()}
        | {f"output.{name}": str(version) for name, version in batches.versions.items()},
        description=job.description,
        seconds=outcome.seconds,
    )
    tracker.log_metrics(outcome.metrics | (batches.usage.metrics if batches.usage else {}))
    tracker.finish()
    return replace(outcome, warnings=tuple(away(tracker)))


@dataclass
class Awaited:
    """What had landed when a query began, and how much of it, in files or offsets, no entry knows to be in.

    The entry of the last of them says so for all, and then they are not looked for again. Where a killed run took
    some that it could not enter, they are not offered again, and an entry at the end says it.
    """

    extent: str | None
    count: int
    all_in: bool = False

    def less(self, count: int) -> str | None:
        """Take off what a batch took; the extent, if that was the last of it."""
        self.count -= count
        was_last = self.count == 0
        self.all_in |= was_last
        return self.extent if was_last else None


class _Batches:
    """Takes the micro-batches of one query."""

    def __init__(self, context: Context, job: Ingest, inlet: Inlet, awaited: Awaited) -> None:
        self.balance = Balance(f"{LANDED}{job.source.name}", job.target.name, 0, 0)
        self.taken = 0
        self.application = ""
        # The id of the last batch in the ledger: that of the query is the same for every run.
        self.newest = ""
        self.error: BaseException | None = None
        # Of all batches; None where Spark does not tell.
        self.usage: Usage | None = None
        # The newest version of the table that they made.
        self.versions: dict[str, int] = {}
        self._context = context
        self._job = job
        self._inlet = inlet
        self._awaited = awaited

    def take(self, frame: DataFrame, number: int) -> None:
        # The stream reports a failure as text of a Java error; the real one is kept for the ledger. Whatever is
        # raised reaches Java as an ordinary error: on an exit from the callback Spark would wait for ever.
        try:
            self._take(frame, number)
        except BaseException as error:
            self.error = error
            raise RuntimeError(f"batch {number} failed: {said(error)}") from error

    def _take(self, frame: DataFrame, number: int) -> None:
        # A new checkpoint is a new query: its batch numbers start again and must not be taken for old ones.
        self.application = _query_id(self._context.lake, self._inlet.checkpoint)
        lake = self._context.lake
        batch = self._inlet.batch(number)
        files = batch.files
        # Spark leaves out what is empty by itself.
        away, lines = empty_files(lake, files), frame
        while True:
            known = {bad.file for bad in away}
            try:
                self._publish(lines, number, batch, away)
            except FilesTurnedAway as found:
                more = found.files
            except (Py4JJavaError, PySparkException) as error:
                if not is_damage(error):
                    raise
                more = unreadable_files(lake, [file for file in files if file not in known])
                if not more:
                    raise
            else:
                return
            away = [*away, *more]
            gone = {bad.file for bad in away}
            rest = [file for file in files if file not in gone]
            lines = lake.landed.lines(rest) if rest else frame.limit(0)

    def _publish(self, lines: DataFrame, number: int, taken: Batch, away: list[BadFile]) -> None:
        started = time.monotonic()
        run_id = f"{self.application}:{number}"
        publisher = Publisher(
            self._context.lake,
            self._context.books,
            run_id=run_id,
            job=self._job.name,
            code=code_version(),
            inputs={},
        )
        counted = landed(lines)
        batch = _BatchRun(counted.frame, self._job, publisher, self.application, number, away)
        batch.inspect = lambda rejected: self._inspect(taken.files, rejected)
        # Read at the end of the batch: what a batch starts anew is the run's, too.
        with tagged(self._context.lake.spark, run_id):
            self._job.function(batch)
        if batch.published is None:
            raise JobError(
                f"ingest job {self._job.name!r} did not append its batch; call run.append once"
            )
        balance = Balance(
            self.balance.source,
            self.balance.table,
            counted.sums()["lines"] + len(away),
            batch.published.rows,
            batch.published.reasons,
            Counter(bad.reason for bad in away),
        )
        entry = new_entry(
            self._job.name,
            "ingest",
            run_id=run_id,
            fingerprint=self._awaited.less(taken.count),
            received_through=publisher.received_through,
            seconds=round(time.monotonic() - started, 3),
            balances=(balance,),
            usage=usage_of(self._context.lake.spark, run_id),
            **appended(batch.published),
        )
        self._context.enter(entry, (f"{self.application}:job_runs", number))
        self.taken += 1
        self.newest = run_id
        self.balance += balance
        self.versions |= entry.output_versions
        if entry.usage is not None:
            self.usage = self.usage + entry.usage if self.usage else entry.usage

    def _inspect(self, files: list[str], rejected: DataFrame) -> None:
        if not files:
            return
        bad = misplaced_files(self._context.lake, files, rejected, self._job.source)
        if bad:
            raise FilesTurnedAway(bad)


class _BatchRun(IngestRun):
    def __init__(
        self,
        landed: DataFrame,
        job: Ingest,
        publisher: Publisher,
        application: str,
        number: int,
        away: list[BadFile],
    ) -> None:
        super().__init__(landed)
        self.published: Published | None = None
        self.inspect: Callable[[DataFrame], None] = lambda _: None
        self._job = job
        self._publisher = publisher
        self._transaction = application, number
        self._away = away

    def append(self, frame: DataFrame) -> None:
        if self.published is not None:
            raise JobError(f"job {self._job.name!r} appends a batch twice; union the frames")
        self.published = self._publisher.append(
            self._job.target, frame, *self._transaction, self._away, self.inspect
        )


def _query_id(lake: Lake, checkpoint: str) -> str:
    text = lake.storage.text(f"{checkpoint}/metadata")
    if text is None:
        raise LakeError(
            f"{checkpoint}/metadata is missing while its query runs; is something removing checkpoints?"
        )
    return str(json.loads(text)["id"])
