"""Moves what has landed into bronze: one stream a source, each micro-batch published and entered exactly once.

A batch that was killed half-way is offered again with the same number under the same query id; whatever of it
was committed before is then skipped by its transaction number.
"""

from __future__ import annotations

import json
import time
from typing import Any

from pyspark.sql import DataFrame

from cinelake import __version__
from cinelake.runtime.config import is_local, local_path
from cinelake.runtime.context import Context, new_entry, said
from cinelake.runtime.job import Ingest, IngestRun, JobError
from cinelake.runtime.lake import Lake, LakeError
from cinelake.runtime.landing import finish_interrupted
from cinelake.runtime.publish import Published, Publisher
from cinelake.runtime.runner import Outcome
from cinelake.runtime.upkeep import appended


def take_in(
    context: Context, job: Ingest, trigger: dict[str, Any], options: dict[str, Any]
) -> Outcome:
    """Ingest a source; returns at once when nothing has landed since the last time.

    An ordinary failure is entered into the ledger and returned, not raised.
    """
    started = time.monotonic()
    lake = context.lake
    if is_local(lake.landing):
        finish_interrupted(local_path(lake.landing))
    folder = f"{lake.landing}/{job.source.name}"
    if not lake.storage.exists(folder):
        return Outcome(job.name, "nothing landed", None, seconds=time.monotonic() - started)
    seen = lake.storage.extent(folder)
    if "availableNow" in trigger and context.books.landing_seen.get(job.name) == seen:
        return Outcome(job.name, "up to date", None, seconds=time.monotonic() - started)
    batches = _Batches(context, job, f"{lake.root}/checkpoints/{job.source.name}", folder)
    try:
        query = lake.stream(
            lake.read_lines(folder, options), batches.checkpoint, trigger, batches.take
        )
        try:
            query.awaitTermination()
        finally:
            query.stop()
    # As in `runner.compute`: a source that fails stops what builds on it and nothing else.
    except Exception as error:  # noqa: BLE001
        cause = batches.error or error
        seconds = round(time.monotonic() - started, 3)
        context.enter(new_entry(job.name, "ingest", "failed", seconds=seconds, error=said(cause)))
        return Outcome(job.name, "failed", None, seconds=seconds, error=cause)
    seconds = round(time.monotonic() - started, 3)
    # The extent is entered last: from here on the files are known to be in.
    context.enter(new_entry(job.name, "ingest", fingerprint=seen, seconds=seconds))
    return Outcome(
        job.name,
        "succeeded",
        None,
        rows_in=batches.rows + batches.quarantined,
        rows_out=batches.rows,
        quarantined=batches.quarantined,
        changed=batches.rows > 0,
        seconds=seconds,
    )


class _Batches:
    """Takes the micro-batches of one query."""

    def __init__(self, context: Context, job: Ingest, checkpoint: str, folder: str) -> None:
        self.checkpoint = checkpoint
        self.rows = 0
        self.quarantined = 0
        self.error: BaseException | None = None
        self._context = context
        self._job = job
        self._folder = folder

    def take(self, frame: DataFrame, number: int) -> None:
        # The stream reports a failure as text of a Java error; the real one is kept for the ledger. Whatever is
        # raised reaches Java as an ordinary error: on an exit from the callback Spark would wait for ever.
        try:
            self._take(frame, number)
        except BaseException as error:
            self.error = error
            raise RuntimeError(f"batch {number} failed: {said(error)}") from error

    def _take(self, frame: DataFrame, number: int) -> None:
        started = time.monotonic()
        # A new checkpoint is a new query: its batch numbers start again and must not be taken for old ones.
        application = _query_id(self._context.lake, self.checkpoint)
        run_id = f"{application}:{number}"
        publisher = Publisher(
            self._context.lake,
            self._context.books,
            run_id=run_id,
            job=self._job.name,
            code=__version__,
            inputs={},
        )
        batch = _BatchRun(frame, self._job, publisher, application, number)
        self._job.function(batch)
        if batch.published is None:
            raise JobError(
                f"ingest job {self._job.name!r} did not append its batch; call run.append once"
            )
        entry = new_entry(
            self._job.name,
            "ingest",
            run_id=run_id,
            received_through=publisher.received_through,
            seconds=round(time.monotonic() - started, 3),
            **appended(batch.published),
        )
        self._context.enter(entry, (f"{application}:job_runs", number))
        self.rows += batch.published.rows
        self.quarantined += batch.published.quarantined


class _BatchRun(IngestRun):
    def __init__(
        self, landed: DataFrame, job: Ingest, publisher: Publisher, application: str, number: int
    ) -> None:
        super().__init__(landed)
        self.published: Published | None = None
        self._job = job
        self._publisher = publisher
        self._transaction = application, number

    def append(self, frame: DataFrame) -> None:
        if self.published is not None:
            raise JobError(f"job {self._job.name!r} appends a batch twice; union the frames")
        self.published = self._publisher.append(self._job.target, frame, *self._transaction)


def _query_id(lake: Lake, checkpoint: str) -> str:
    text = lake.storage.text(f"{checkpoint}/metadata")
    if text is None:
        raise LakeError(
            f"{checkpoint}/metadata is missing while its query runs; is something removing checkpoints?"
        )
    return str(json.loads(text)["id"])
