"""Deliveries: lines and tables that a frame holds become landing files and Parquet files beside them, all or nothing.

A delivery is a folder: `landing/SOURCE/date=…/hour=…/*.jsonl.gz`, `truth/TABLE/*.parquet` and `delivery.json`, which
says what the delivery is and how far it goes. Everything is first written under `.unfinished/`. When that is
complete, the new `delivery.json` is written there; from then on the delivery counts as made, and moving its files
into place is repeated until it is done, by the next call if this one is killed. Whoever interrupts the call before
that (SIGINT, SIGTERM) finds the folder as it was; SIGKILL leaves files that the next call deletes.

The frame's rows are blocks of lines: `area, source, date, hour, text`. One shuffle brings the blocks of an hour and
source together, so each gets one file, whatever the parallelism. In the area `again` stand blocks that are
delivered a second time, as a file of its own; in the area `truth` a block is an Arrow stream, in base64, of rows
of the table that `source` names. Tables of the area `whole` do so too, and take the place of what was there.
"""

from __future__ import annotations

import base64
import json
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import from_arrow_schema

from cinelake.runtime.delta.storage import Storage

MANIFEST = "delivery.json"
UNFINISHED = ".unfinished"
LANDING, AGAIN, TRUTH, WHOLE = "landing", "again", "truth", "whole"
# Text of one task before compression; twice that is needed to sort it.
TASK_BYTES = 192 * 2**20


class DeliveryRefused(ValueError):
    """Nothing was written; the message says what stands in the way and what to do."""


@dataclass(frozen=True)
class Delivery:
    """The delivery at `folder`, which may not exist yet."""

    spark: SparkSession
    folder: str

    @property
    def storage(self) -> Storage:
        return Storage(self.spark)

    @property
    def landing(self) -> str:
        """For `lake.landing`."""
        return f"{self.folder}/{LANDING}"

    def manifest(self) -> dict[str, Any] | None:
        """What was delivered so far; None when nothing was. Completes or clears away what was interrupted.

        Raises DeliveryRefused when the folder holds something else.
        """
        storage = self.storage
        unfinished = f"{self.folder}/{UNFINISHED}"
        if storage.exists(f"{unfinished}/{MANIFEST}"):
            self._move_into_place()
        storage.remove(unfinished)
        text = storage.text(f"{self.folder}/{MANIFEST}")
        if text is not None:
            manifest: dict[str, Any] = json.loads(text)
            return manifest
        if storage.names(self.folder):
            raise DeliveryRefused(
                f"{self.folder} is not empty, and what is in it is no delivery; name an empty or a new folder"
            )
        return None

    def write(
        self,
        blocks: DataFrame,
        totals: Mapping[str, Callable[[DataFrame], DataFrame]],
        manifest: dict[str, Any],
        expected_bytes: int,
    ) -> None:
        """Add the blocks; `totals` says what becomes of a table as a whole, as rows are summed up."""
        with self._nothing_left_behind() as run:
            run(lambda: self._prepare(blocks, totals, manifest, expected_bytes))
            run(self._move_into_place)
        self.storage.remove(f"{self.folder}/{UNFINISHED}")

    def _prepare(
        self,
        blocks: DataFrame,
        totals: Mapping[str, Callable[[DataFrame], DataFrame]],
        manifest: dict[str, Any],
        expected_bytes: int,
    ) -> None:
        unfinished = f"{self.folder}/{UNFINISHED}"
        # Enough tasks for their memory, and few enough for small deliveries to be quick.
        tasks = max(2 * self.spark.sparkContext.defaultParallelism, expected_bytes // TASK_BYTES)
        together = blocks.repartition(tasks, "area", "source", "date", "hour")
        (
            together.select("area", "source", "date", "hour", F.col("text").cast("string"))
            .write.partitionBy("area", "source", "date", "hour")
            .option("compression", "gzip")
            .text(f"{unfinished}/blocks")
        )
        for area in (TRUTH, WHOLE):
            for folder in self.storage.names(f"{unfinished}/blocks/area={area}"):
                table = folder.removeprefix("source=")
                found = self.spark.read.text(f"{unfinished}/blocks/area={area}/{folder}")
                rows = _decoded(found.select("value"))
                total = totals.get(table)
                (total(rows) if total else rows).coalesce(1).write.parquet(
                    f"{unfinished}/{area}/{table}"
                )
        self.storage.put(f"{unfinished}/{MANIFEST}", json.dumps(manifest, indent=2))

    @contextmanager
    def _nothing_left_behind(self) -> Iterator[Callable[[Callable[[], None]], None]]:
        """Gives a way to run work that signals can interrupt; then, or when it fails, clears away what is not complete.

        The work runs in a thread of its own: a signal that arrives while the main thread is inside a call to the JVM
        breaks that connection, and with it every chance to tidy up.
        """
        context = self.spark.sparkContext
        with _interruptible(), ThreadPoolExecutor(1) as pool:
            try:
                yield lambda work: pool.submit(work).result()
            except BaseException as error:
                if isinstance(error, KeyboardInterrupt):
                    # Tasks that are cancelled would each print a Java stack trace.
                    context.setLogLevel("OFF")
                    context.cancelAllJobs()
                    pool.shutdown()
                    context.setLogLevel("ERROR")
                unfinished = f"{self.folder}/{UNFINISHED}"
                if not self.storage.exists(f"{unfinished}/{MANIFEST}"):
                    self.storage.remove(unfinished)
                raise

    def table(self, name: str) -> DataFrame:
        """A table of the truth, for those who may read it."""
        return self.spark.read.parquet(f"{self.folder}/{TRUTH}/{name}")

    def _move_into_place(self) -> None:
        storage = self.storage
        unfinished = f"{self.folder}/{UNFINISHED}"
        for path in storage.files(f"{unfinished}/blocks"):
            area, _, rest = path.partition("/")
            name = rest.rpartition("/")[2]
            kind = area.removeprefix("area=")
            if kind not in (LANDING, AGAIN) or name.startswith((".", "_")):
                continue
            again = "again-" if kind == AGAIN else ""
            source, day, hour, _ = rest.split("/")
            target = f"{source.removeprefix('source=')}/{day}/{hour}/{again}{_file_name(name)}"
            storage.move(f"{unfinished}/blocks/{path}", f"{self.landing}/{target}")
        for area in (TRUTH, WHOLE):
            for path in storage.files(f"{unfinished}/{area}"):
                table, _, name = path.rpartition("/")
                if name.startswith((".", "_")):
                    continue
                if area == WHOLE:
                    # A whole table is one file, so this is not what an interrupted call moved here.
                    storage.remove(f"{self.folder}/{TRUTH}/{table}")
                storage.move(f"{unfinished}/{area}/{path}", f"{self.folder}/{TRUTH}/{path}")
        # The last thing: with it the delivery is whole.
        storage.move(f"{unfinished}/{MANIFEST}", f"{self.folder}/{MANIFEST}")


@contextmanager
def _interruptible() -> Iterator[None]:
    """SIGTERM interrupts as SIGINT does, and neither asks Spark first, whose handler prints what it cancels."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    wanted = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, signal.default_int_handler) for number in wanted]
    try:
        yield
    finally:
        for number, handler in zip(wanted, before, strict=True):
            signal.signal(number, handler)


def _file_name(name: str) -> str:
    return name.removesuffix(".txt.gz") + ".jsonl.gz"


def _decoded(lines: DataFrame) -> DataFrame:
    def decode(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for value in batch.column(0):
                with pa.ipc.open_stream(base64.b64decode(value.as_py())) as stream:
                    yield from stream

    # Every block carries the schema; a table has one.
    first = lines.limit(1).collect()[0][0]
    with pa.ipc.open_stream(base64.b64decode(first)) as stream:
        schema = from_arrow_schema(stream.schema)
    return lines.mapInArrow(decode, schema)
