"""The lake: the only module that reads and writes tables.

There are three ways to write, each exactly-once under a rerun: `replace` a window, `insert_missing` by key, and
`append` from a stream under a transaction number. Every commit carries a `Note` that says who made it.
Tables are found by path under the lake's root, or by name in a catalog schema when one is configured.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property
from threading import RLock
from typing import Any
from urllib.parse import unquote

from delta.exceptions import (
    ConcurrentAppendException,
    ConcurrentDeleteDeleteException,
    ConcurrentDeleteReadException,
    ConcurrentTransactionException,
    ConcurrentWriteException,
)
from delta.tables import DeltaTable
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.streaming.query import StreamingQuery
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from cinelake.runtime.delta.commits import Commit, CommitLog, Note
from cinelake.runtime.delta.drift import Layout, drift
from cinelake.runtime.delta.landed_files import LandedFiles
from cinelake.runtime.delta.shared_conf import SharedConf
from cinelake.runtime.delta.staging import Staging
from cinelake.runtime.delta.storage import Storage
from cinelake.runtime.delta.turns import turn
from cinelake.tables.contract import Table
from cinelake.tables.ddl import MONTH_COLUMN, ddl, partition_column
from cinelake.tables.system import QUARANTINE

USER_METADATA = "spark.databricks.delta.commitInfo.userMetadata"
CATALOG_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*")


CONFLICTS = (
    ConcurrentAppendException,
    ConcurrentDeleteDeleteException,
    ConcurrentDeleteReadException,
    ConcurrentTransactionException,
    ConcurrentWriteException,
)


class LakeError(RuntimeError):
    """Something about the lake has to be put right by a person; the message says what."""


class DriftError(LakeError):
    """The stored table and its contract differ in a way that no write may settle by itself."""


@dataclass(frozen=True)
class Receipt:
    """What a write left behind: the version it made, None where there was nothing to commit."""

    version: int | None
    rows: int
    deleted: int = 0


class Lake:
    """Tables of one root folder or one catalog schema, in one Spark session.

    Jobs that run side by side share it. They take turns at a table, which spares Delta the conflicts that it would
    retry, and at the session's settings, which are everybody's. On S3, where Delta knows of one driver only, drivers
    take turns, too.
    """

    def __init__(
        self,
        spark: SparkSession,
        root: str,
        schema: str | None = None,
        landing: str | None = None,
        patience: timedelta = timedelta(0),
    ) -> None:
        """`landing` is where records land, by default `landing` in the root.

        `patience` is how long to wait for another driver that reads in the same source.
        """
        if schema is not None and not CATALOG_NAME.fullmatch(schema):
            raise LakeError(
                f"lake.catalog = {schema!r} is not a schema name such as `main.cinelake`"
            )
        self.spark = spark
        self.root = root.rstrip("/")
        self.landing = (landing or f"{self.root}/landing").rstrip("/")
        self.schema = schema
        self.storage = Storage(spark)
        self._locations: dict[str, str] = {}
        self._checked: set[str] = set()
        self._versions: dict[str, int] = {}
        self._turns: dict[str, RLock] = {}
        self._among_drivers = self.storage.takes_conditions(self.root)
        self._patience = patience
        # The tables at which it is this driver's turn: what is done to one in steps is one turn.
        self._held: set[str] = set()
        # The session's settings, which are everybody's; what landed, as text; rows on their way into tables.
        self._conf = SharedConf(spark)
        self.landed = LandedFiles(self.landing, self._conf)
        self.staging = Staging(spark, self.storage, self.root)

    # ---- where tables are

    def identifier(self, table: Table) -> str:
        """How SQL names the table."""
        if self.schema is not None:
            return f"{self.schema}.{table.name}"
        return f"delta.`{self._path(table)}`"

    def exists(self, table: Table) -> bool:
        if table.name in self._locations:
            return True
        if self.schema is None:
            # Who is killed while making a table leaves its folders, and no commit in them.
            found = CommitLog(self.storage, self._path(table)).has_commits()
        else:
            found = self.spark.catalog.tableExists(self.identifier(table))
        if found:
            self._locations[table.name] = self._find(table)
        return found

    def location(self, table: Table) -> str:
        """The folder of the table's files; raises LakeError when the table does not exist."""
        if not self.exists(table):
            raise LakeError(
                f"table {table.name!r} does not exist yet in {self.root}; run the job that writes it"
            )
        return self._locations[table.name]

    def create(self, table: Table) -> None:
        """Make the table if need be, and hold the stored one against its contract (once a session).

        Raises DriftError where they differ by more than new nullable columns.
        """
        if table.name in self._checked:
            return
        with self._turn(table):
            if table.name in self._checked:
                return
            if self.exists(table):
                self._refuse_drift(table)
            else:
                self._make(table)
            self._checked.add(table.name)

    def _make(self, table: Table) -> None:
        if self.schema is not None:
            self.spark.sql(f"CREATE SCHEMA IF NOT EXISTS {self.schema}")
        else:
            # A log without commits, which Delta takes for a table that is made.
            self.storage.remove(f"{self._path(table)}/_delta_log")
        with self._conf.untouched():
            self.spark.sql(ddl(table, self.identifier(table)))

    def drop(self, table: Table) -> None:
        """Remove the table with its files and history."""
        if not self.exists(table):
            return
        location = self.location(table)
        with self._turn(table):
            if self.schema is not None:
                self.spark.sql(f"DROP TABLE IF EXISTS {self.identifier(table)}")
            self.storage.remove(location)
        self._locations.pop(table.name, None)
        self._checked.discard(table.name)
        self._versions.pop(table.name, None)

    # ---- versions and commits

    def version(self, table: Table, at_least: int | None = None) -> int | None:
        """The newest version, or None for a table that does not exist.

        Raises LogDamaged where its commit was cut off.
        """
        if not self.exists(table):
            return None
        known = max(
            (v for v in (self._versions.get(table.name), at_least) if v is not None), default=None
        )
        newest = self._log(table).newest_version(known)
        if newest != self._versions.get(table.name):
            self._log(table).require_whole(newest)
        self._versions[table.name] = newest
        return newest

    def commits(self, table: Table, after: int, through: int | None = None) -> list[Commit]:
        """The commits with `after < version <= through` (default: the newest), oldest first."""
        newest = self.version(table)
        if newest is None:
            return []
        return list(self._log(table).between(after, newest if through is None else through))

    def size(self, table: Table) -> tuple[int, int]:
        """How many files the newest version has, and how many bytes they hold."""
        snapshot = self._snapshot(table)
        return int(snapshot.numOfFiles()), int(snapshot.sizeInBytes())

    # ---- reading

    def read(
        self,
        table: Table,
        version: int | None = None,
        start: date | None = None,
        end: date | None = None,
    ) -> DataFrame:
        """The rows of `[start, end)` in the contract's columns; an absent table reads as an empty one.

        `version` pins the read; without it the newest version is read.
        """
        if not self.exists(table):
            return self.spark.createDataFrame([], table.schema)
        reader = self.spark.read.format("delta")
        if version is not None:
            reader = reader.option("versionAsOf", version)
        frame = (
            reader.table(self.identifier(table))
            if self.schema
            else reader.load(self.location(table))
        )
        present = set(frame.columns)
        frame = frame.select(
            *(
                F.col(column.name)
                if column.name in present
                else F.lit(None).cast(column.type).alias(column.name)
                for column in table.columns
            ),
            *([MONTH_COLUMN] if MONTH_COLUMN in present else []),
        )
        for condition in _range_conditions(table, start, end):
            frame = frame.where(condition)
        return frame.drop(MONTH_COLUMN)

    def follow(self, table: Table, trigger: dict[str, Any] | None = None) -> DataFrame:
        """A stream of the rows of a table: those that are there, then those that are appended.

        Rows that somebody removes or rewrites later are not told of again. `trigger` holds Delta's reader options such
        as `maxFilesPerTrigger`. The table is made if need be.
        """
        self.create(table)
        options = {"skipChangeCommits": True} | (trigger or {})
        reader = self.spark.readStream.format("delta").options(**options)
        frame = (
            reader.table(self.identifier(table))
            if self.schema
            else reader.load(self.location(table))
        )
        return frame.select(*table.names)

    def stream(
        self,
        lines: DataFrame,
        checkpoint: str,
        trigger: dict[str, Any],
        each: Any,
        mode: str = "append",
    ) -> StreamingQuery:
        """Start handing the micro-batches of `lines` to `each(frame, batch_id)`.

        `mode` is Spark's output mode: with `update`, groups of which something has changed.
        """
        begun = self.storage.names(f"{checkpoint}/offsets")
        if begun and not any(name.isdigit() for name in begun):
            # Who is killed, or out of disk, at the first note of a stream leaves half of one, over which none begins.
            self.storage.remove(f"{checkpoint}/offsets")
        return (
            lines.writeStream.option("checkpointLocation", checkpoint)
            .outputMode(mode)
            .trigger(**trigger)
            .foreachBatch(each)
            .start()
        )

    def cancel(self) -> None:
        """End the streams and Spark jobs that are at work, so that those who wait for them can end."""
        for query in self.spark.streams.active:
            query.stop()
        self.spark.sparkContext.cancelAllJobs()

    # ---- writing

    def replace(
        self,
        table: Table,
        frame: DataFrame,
        start: date,
        end: date,
        note: Note,
        where: str | None = None,
        settle: Callable[[], None] | None = None,
    ) -> Receipt:
        """Make `frame` the rows of `[start, end)`, in one commit; `where` narrows what is replaced further.

        `settle` is called before every attempt and may raise to withdraw. Where neither the old nor the new
        window holds a row, Delta commits nothing.
        """
        condition = f"{table.window} >= DATE'{start}' AND {table.window} < DATE'{end}'"
        predicate = f"{condition} AND {where}" if where else condition
        writer = frame.write.format("delta").mode("overwrite").option("replaceWhere", predicate)
        return self._commit(table, note, lambda: self._save(table, writer, note), settle)

    def append(
        self, table: Table, frame: DataFrame, note: Note, transaction: tuple[str, int] | None = None
    ) -> Receipt:
        """Add rows; under a `(application id, number)` that was seen before nothing happens."""
        writer = frame.write.format("delta").mode("append")
        if transaction is not None:
            application, number = transaction
            writer = writer.option("txnAppId", application).option("txnVersion", number)
        return self._commit(table, note, lambda: self._save(table, writer, note))

    def insert_missing(self, table: Table, frame: DataFrame, note: Note) -> Receipt:
        """Add the rows of `frame` whose key the table does not hold; existing rows are never touched."""

        def merge() -> None:
            same = " AND ".join(f"old.{name} = new.{name}" for name in table.key)
            (
                self._delta(table)
                .alias("old")
                .merge(frame.alias("new"), same)
                .whenNotMatchedInsert(values={name: f"new.{name}" for name in table.names})
                .execute()
            )

        return self._commit(table, note, lambda: self._with_user_metadata(note, merge))

    def upsert(
        self, table: Table, frame: DataFrame, note: Note, *, days: Sequence[date], gone: str
    ) -> Receipt:
        """Put each row of `frame` in the place of the one with its key, or add it; where `gone` holds, remove that.

        `days` are those of the window column that `frame` holds: no others are looked at. Done twice, it is as once.
        """

        def merge() -> None:
            listed = ", ".join(f"DATE'{day}'" for day in sorted(days))
            same = " AND ".join(f"old.{name} = new.{name}" for name in table.key)
            values: dict[str, str | Column] = {name: f"new.{name}" for name in table.names}
            (
                self._delta(table)
                .alias("old")
                .merge(frame.alias("new"), f"old.{table.window} IN ({listed}) AND {same}")
                .whenMatchedDelete(condition=f"new.{gone}")
                .whenMatchedUpdate(set=values)
                .whenNotMatchedInsert(condition=f"NOT new.{gone}", values=values)
                .execute()
            )

        return self._commit(table, note, lambda: self._with_user_metadata(note, merge))

    def expire(self, table: Table, before: date, note: Note) -> Receipt:
        """Delete the rows of days before `before`: retention, which makes no window stale."""
        condition = f"{table.window} < DATE'{before}'"
        return self._commit(
            table,
            note,
            lambda: self._with_user_metadata(note, lambda: self._delta(table).delete(condition)),
        )

    def expire_records(self, table: Table, column: str, before: datetime, note: Note) -> Receipt:
        """Delete the rows of a table without windows whose `column` is of before `before`."""
        condition = F.col(column) < F.lit(before)
        return self._commit(
            table,
            note,
            lambda: self._with_user_metadata(note, lambda: self._delta(table).delete(condition)),
        )

    def compact(self, table: Table, partitions: Sequence[str | None] = ()) -> None:
        """Rewrite many small files as few, in all partitions or in these; the rows, and so all windows, stay."""
        optimizing = self._delta(table).optimize()
        column = partition_column(table)
        if column is not None and partitions:
            days = ", ".join(f"DATE'{day}'" for day in partitions if day is not None)
            optimizing = optimizing.where(f"{column} IN ({days})")
        with self._turn(table):
            optimizing.executeCompaction()

    def vacuum(self, table: Table, days: int) -> None:
        """Remove the files that no version of the last `days` days has."""
        # Delta refuses less than the table's own setting: readers would lose files that they are reading. No run of
        # ours lasts days, and people's records may not stay as long as that.
        with (
            self._turn(table),
            self._conf.with_("spark.databricks.delta.retentionDurationCheck.enabled", "false"),
        ):
            self._delta(table).vacuum(24 * days)

    def expire_quarantine(self, expired: DataFrame, note: Note) -> Receipt:
        """Delete what was turned away in the publications of `expired(publication)`."""

        def delete() -> None:
            (
                self._delta(QUARANTINE)
                .alias("old")
                .merge(expired.alias("gone"), "old.publication = gone.publication")
                .whenMatchedDelete()
                .execute()
            )

        return self._commit(QUARANTINE, note, lambda: self._with_user_metadata(note, delete))

    def files(self, table: Table) -> list[tuple[str, dict[str, str | None], int]]:
        """Path below the table's folder, partition values and bytes of each file of the newest version."""
        found = self._snapshot(table).allFiles().toDF()
        rows = DataFrame(found, self.spark).select("path", "partitionValues", "size").toArrow()
        return [
            (unquote(row["path"]), dict(row["partitionValues"]), row["size"])
            for row in rows.to_pylist()
        ]

    # ---- inside

    def _commit(
        self,
        table: Table,
        note: Note,
        write: Callable[[], None],
        settle: Callable[[], None] | None = None,
    ) -> Receipt:
        with self._turn(table):
            self.create(table)
            before = self.version(table)
            assert before is not None
            # Another writer of other windows is no reason to fail; the same window is settled by the caller.
            for attempt in Retrying(
                retry=retry_if_exception_type(CONFLICTS),
                wait=wait_random_exponential(multiplier=0.2, max=5),
                stop=stop_after_attempt(4),
                reraise=True,
            ):
                with attempt:
                    if settle is not None:
                        settle()
                    write()
            for commit in reversed(self.commits(table, before)):
                if commit.note == note:
                    return Receipt(commit.version, commit.rows_written, commit.rows_deleted)
            return Receipt(None, 0)

    @contextmanager
    def alone_at(self, name: str) -> Iterator[bool]:
        """Keep other drivers from reading in what `name` tells of, for as long as the block takes.

        Gives whether one did so before.

        Raises LakeBusy where one does, and will not end within our patience. A lock keeps them out of a local lake as a
        whole, and of other stores Spark sees itself that two share a checkpoint.
        """
        if not self._among_drivers:
            yield False
            return
        with turn(self.storage, f"{self.root}/turns/{name}", self._patience) as waited:
            yield waited

    @contextmanager
    def _turn(self, table: Table) -> Iterator[None]:
        # In one step: two that come first at the same time would get a lock each from a defaultdict.
        with self._turns.setdefault(table.name, RLock()):
            if not self._among_drivers or table.name in self._held:
                yield
                return
            self._held.add(table.name)
            try:
                with turn(self.storage, f"{self.root}/turns/{table.name}"):
                    yield
            finally:
                self._held.discard(table.name)

    def _save(self, table: Table, writer: Any, note: Note) -> None:
        # New nullable columns of the contract appear by themselves; `create` has refused all other drift.
        writer = writer.option("mergeSchema", True).option("userMetadata", note.to_json())
        if self.schema is not None:
            writer.saveAsTable(self.identifier(table))
        else:
            writer.save(self.location(table))

    def _delta(self, table: Table) -> DeltaTable:
        if self.schema is not None:
            return DeltaTable.forName(self.spark, self.identifier(table))
        return DeltaTable.forPath(self.spark, self.location(table))

    def _with_user_metadata(self, note: Note, run: Any) -> None:
        with self._conf.with_(USER_METADATA, note.to_json()):
            run()

    def _path(self, table: Table) -> str:
        return f"{self.root}/tables/{table.layer}/{table.name}"

    def _find(self, table: Table) -> str:
        if self.schema is None:
            return self._path(table)
        (detail,) = self._delta(table).detail().select("location").collect()
        return str(detail["location"])

    def _log(self, table: Table) -> CommitLog:
        return CommitLog(self.storage, self.location(table))

    def _layout(self, table: Table) -> Layout:
        snapshot = self._snapshot(table)
        if "clustering" in str(snapshot.protocol()):
            row = self._delta(table).detail().select("clusteringColumns").head()
            cluster = list(row["clusteringColumns"]) if row else []
        else:
            cluster = []
        metadata = snapshot.metadata()
        as_java = self._collections.asJava
        return Layout(
            list(as_java(metadata.partitionColumns())),
            cluster,
            dict(as_java(metadata.configuration())),
        )

    def _snapshot(self, table: Table) -> Any:
        """Delta's newest snapshot: says what `detail` does, fifteen times as fast."""
        return self._delta(table)._jdt.deltaLog().unsafeVolatileSnapshot()

    @cached_property
    def _collections(self) -> Any:
        jvm: Any = self.spark._jvm
        return jvm.scala.jdk.javaapi.CollectionConverters

    def _refuse_drift(self, table: Table) -> None:
        stored = self._delta(table).toDF().schema
        found = drift(table, stored, self._layout(table), self.identifier(table))
        if found is not None:
            raise DriftError(found)


def _range_conditions(table: Table, start: date | None, end: date | None) -> Iterator[Any]:
    if table.window is None:
        return
    if start is not None and start > date.min:
        yield F.col(table.window) >= F.lit(start)
        if partition_column(table) == MONTH_COLUMN:
            yield F.col(MONTH_COLUMN) >= F.lit(start.replace(day=1))
    if end is not None and end < date.max:
        yield F.col(table.window) < F.lit(end)
        if partition_column(table) == MONTH_COLUMN:
            yield F.col(MONTH_COLUMN) <= F.lit(end.replace(day=1))
