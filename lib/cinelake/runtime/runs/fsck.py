"""Whether a lake is whole: `cinelake fsck` reads, compares, and changes nothing.

Looked at are, of every table: that its log has no gap from the oldest commit kept to the newest, and that each of
these can be read; that the newest version can be opened, and every file it names is there with the bytes that the log
says; that the ledger does not know of a newer version; that no day holds other rows than the ledger says. With
`thorough`, every row is read and hashed, and each day's digest compared with that which was entered when the day was
published: that finds what neither sizes nor counts show. Of the whole lake: that all balances come out even, that as
many records lie in quarantine as the ledger says, that streams have their checkpoints and checkpoints their tables,
and that no killed run left files in the staging area.

While a run is at work, what it has staged is no leaving of a killed one, and of a table that it has written to, and not
entered yet, the version that the ledger knows is looked at.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from itertools import pairwise

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import functions as F

from cinelake.runtime.delta.lake import Lake
from cinelake.runtime.intake.inlet import source_of
from cinelake.runtime.runs.books import Books
from cinelake.runtime.runs.conservation import summed
from cinelake.runtime.runs.context import Context, said
from cinelake.runtime.runs.digest import Digest, aggregates, row_hash
from cinelake.runtime.runs.ledger import Ledger
from cinelake.runtime.runs.upkeep import staged_by_killed
from cinelake.runtime.settings import is_local
from cinelake.tables.contract import Kind, Layer, Table
from cinelake.tables.system import QUARANTINE

SHOWN, AT_ONCE = 3, 4


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong: where, what, and what to do about it."""

    where: str
    what: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}; {self.remedy}"


class AtWork:
    """Whether somebody writes to the lake while it is looked at. To be made before the ledger is read.

    `look` tells who does at this moment; where no lock could tell, what is staged and is not old enough to be of a
    killed run does. Who began and ended since then is known by the ledger, which has moved on.

    Raises LakeError where the ledger is damaged.
    """

    def __init__(self, lake: Lake, look: Callable[[], str | None] | None = None) -> None:
        self._lake, self._ledger = lake, Ledger(lake)
        self._look = look or self._staged
        self._began_at = self._ledger.version()
        self.seen: str | None = self._look()

    def __call__(self) -> bool:
        """Whether anybody has written since this was made."""
        self.seen = self.seen or self._look()
        if self.seen is None and self._ledger.version() != self._began_at:
            self.seen = "the ledger has grown meanwhile"
        return self.seen is not None

    def _staged(self) -> str | None:
        if is_local(self._lake.root):
            return None
        killed = staged_by_killed(self._lake)
        young = [name for name in self._lake.staging.of_runs() if name not in killed]
        return f"it has staged {', '.join(young[:SHOWN])}" if young else None


def findings(
    context: Context, tables: Sequence[Table], at_work: AtWork, *, thorough: bool = False
) -> Iterator[Finding]:
    """What is wrong with the lake; `tables` are those to look at, and those that do not exist are passed over."""
    lake, books = context.lake, context.books
    there = [table for table in tables if lake.exists(table)]
    # Each asks Spark for little and waits for it long.
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for found in pool.map(lambda t: _of(lake, books, t, at_work, thorough=thorough), there):
            yield from found
    yield from _balances(context)
    yield from _quarantine(context)
    # Looked at before it is asked who is at work, for who ends in between has moved the ledger on.
    for finding in _streams(lake, tables):
        # A stream's first batch: its checkpoint comes first, then its rows, then the ledger's entry.
        if finding.where in books.versions or not at_work():
            yield finding
    left = list(_staging(lake))
    if not (left and at_work()):
        yield from left


def gaps(versions: Sequence[int]) -> list[int]:
    """The versions that are missing between the oldest and the newest."""
    ordered = sorted(versions)
    return [v for low, high in pairwise(ordered) for v in range(low + 1, high)]


def _of(
    lake: Lake, books: Books, table: Table, at_work: AtWork, *, thorough: bool
) -> list[Finding]:
    broken = list(_log(lake, table)) or list(_files(lake, table))
    more = [] if broken else list(_rows(lake, books, table, thorough=thorough))
    if more and at_work():
        known = books.versions.get(table.name)
        more = [] if known is None else list(_rows(lake, books, table, known, thorough=thorough))
    return [*broken, *more, *_version(lake, books, table, readable=not broken)]


def _log(lake: Lake, table: Table) -> Iterator[Finding]:
    folder = f"{lake.location(table)}/_delta_log"
    names = [name for name in lake.storage.names(folder) if name.endswith(".json")]
    versions = [int(name[:-5]) for name in names if name[:-5].isdigit()]
    missing = gaps(versions)
    if missing:
        yield Finding(
            table.name,
            f"its log lacks {len(missing)} of its commits, the first is version {missing[0]}",
            f"bring the file back from a copy, or make the table anew: {_anew(table)}",
        )
    for version in sorted(versions):
        if not _is_commit(_text(lake, f"{folder}/{version:020d}.json")):
            yield Finding(
                table.name,
                f"commit {version} of its log cannot be read to its end",
                f"bring the file back from a copy, or make the table anew: {_anew(table)}",
            )


def _text(lake: Lake, path: str) -> str:
    """The file, or nothing where it is not what it was: Hadoop keeps a checksum beside a file on a local disk."""
    try:
        return lake.storage.text(path) or ""
    except Py4JJavaError:
        return ""


def _is_commit(text: str) -> bool:
    lines = [line for line in text.splitlines() if line.strip()]
    try:
        return bool(lines) and all(isinstance(json.loads(line), dict) for line in lines)
    except json.JSONDecodeError:
        return False


def _files(lake: Lake, table: Table) -> Iterator[Finding]:
    """Files that the newest version names, and that are not there as it says."""
    location = lake.location(table)
    try:
        named = lake.files(table)
    except (Py4JJavaError, PySparkException) as error:
        yield Finding(table.name, f"it cannot be opened: {said(error)}", _anew(table))
        return
    there = lake.storage.sizes(location)
    # A path that is no path below the folder (a clone's) is another table's to answer for.
    own = [(path, size) for path, _, size in named if "://" not in path]
    absent = [path for path, _ in own if path not in there]
    other = [path for path, size in own if path in there and there[path] != size]
    for paths, how in ((absent, "are not there"), (other, "are not as long as its log says")):
        if paths:
            yield Finding(
                table.name,
                f"{len(paths)} of its {len(named)} files {how}, such as {paths[0]}",
                f"bring them back from a copy, or make the table anew: {_anew(table)}",
            )


def _version(lake: Lake, books: Books, table: Table, *, readable: bool) -> Iterator[Finding]:
    if not readable:
        return
    known, newest = books.versions.get(table.name), lake.version(table)
    if known is not None and newest is not None and known > newest:
        yield Finding(
            table.name,
            f"the ledger knows of version {known}, and the newest is {newest}: somebody put an older copy in place",
            f"make it anew: {_anew(table)}",
        )


def _rows(
    lake: Lake, books: Books, table: Table, version: int | None = None, *, thorough: bool
) -> Iterator[Finding]:
    """Days that hold other rows than the ledger says, in this version or the newest."""
    if table.window is None or table.kind not in (Kind.MANAGED, Kind.EXTERNAL):
        return
    hashed = row_hash(table) if thorough else F.lit(0).cast("bigint")
    kept_from = books.retained_from.get(table.name, date.min)
    try:
        days = (
            lake.read(table, version, start=kept_from)
            .select(table.window, hashed.alias("hash"))
            .groupBy(F.col(table.window).alias("day"))
            .agg(*aggregates("hash"))
            .toArrow()
            .to_pylist()
        )
    except (Py4JJavaError, PySparkException) as error:
        yield Finding(
            table.name,
            f"its rows cannot be read: {said(error)}",
            f"bring its files back from a copy, or make the table anew: {_anew(table)}",
        )
        return
    found = {row["day"]: Digest(row["rows"], row["xor"], row["total"]) for row in days}
    known = {day: digest for day, digest in books.days(table.name).items() if day >= kept_from}
    differ = [
        day
        for day in sorted(found.keys() | known.keys())
        if (said_to_be := known.get(day, Digest())) is not None
        and not _same(found.get(day, Digest()), said_to_be, thorough=thorough)
    ]
    if differ:
        first = differ[0]
        have, want = found.get(first, Digest()), known[first] if first in known else Digest()
        assert want is not None
        how = f"{have.rows:,} rows, and the ledger says {want.rows:,}"
        if have.rows == want.rows:
            how = f"{have.rows:,} rows, but not those that were published"
        yield Finding(
            table.name,
            f"{len(differ)} of its days differ from what was published; {first} holds {how}",
            f"if nobody meant it, make it anew: {_anew(table)}",
        )


def _same(have: Digest, want: Digest, *, thorough: bool) -> bool:
    return have == want if thorough else have.rows == want.rows


def _anew(table: Table) -> str:
    if table.layer is Layer.BRONZE:
        return f"`cinelake reset {table.name.removeprefix('bronze_')}` while its landing files are there"
    if table.kind is Kind.MANAGED:
        return f"`cinelake rebuild {table.name}`"
    return "only a copy of it will do, for no job can make it"


def _balances(context: Context) -> Iterator[Finding]:
    succeeded = [e for e in context.ledger.entries() if e.status == "succeeded"]
    # Of ingestion all batches count; of a window that is computed again, each run draws its own balance.
    taken_in = summed(b for entry in succeeded if entry.kind == "ingest" for b in entry.balances)
    computed = [(b, e.run_id) for e in succeeded if e.kind == "job" for b in e.balances]
    for balance, run in [*((b, "all batches") for b in taken_in), *computed]:
        if balance.missing:
            yield Finding(
                balance.table,
                f"of {balance.given:,} rows of {balance.source}, {balance.missing:,} are neither kept nor turned away "
                f"({run})",
                "look at what its job does with them",
            )


def _quarantine(context: Context) -> Iterator[Finding]:
    """Runs that turned away other than as many as now lie in quarantine; whose all has been expired is not missed."""
    lake = context.lake
    if not lake.exists(QUARANTINE):
        return
    stored = lake.read(QUARANTINE).groupBy("publication", "target").agg(F.count("*").alias("rows"))
    held = {(r["publication"], r["target"]): r["rows"] for r in stored.toArrow().to_pylist()}
    publications = {publication for publication, _ in held}
    for entry in context.ledger.entries():
        if entry.status != "succeeded" or entry.run_id not in publications:
            continue
        for target, count in entry.quarantined.items():
            here = held.get((entry.run_id, target), 0)
            # What a job turned away is replaced when its window is computed again; what landed, never.
            if here > count or (entry.kind == "ingest" and here != count):
                yield Finding(
                    QUARANTINE.name,
                    f"run {entry.run_id} turned away {count:,} rows of {target}, and {here:,} lie here",
                    "look at the rows of that publication",
                )


def _streams(lake: Lake, tables: Sequence[Table]) -> Iterator[Finding]:
    """A bronze table without its checkpoint would be read in twice; a checkpoint without its table, never."""
    streams = {source_of(name) for name in lake.storage.names(f"{lake.root}/checkpoints")}
    for table in tables:
        if table.layer is not Layer.BRONZE:
            continue
        source = table.name.removeprefix("bronze_")
        is_there = lake.exists(table)
        if is_there and source not in streams and not lake.read(table).isEmpty():
            yield Finding(
                table.name,
                "its stream has no checkpoint, so all that has landed would come in once more",
                f"bring checkpoints/{source} back from a copy, or `cinelake reset {source}`",
            )
        if source in streams and not is_there:
            yield Finding(
                table.name,
                "its stream has a checkpoint and the table is gone, so what was in it would not come in again",
                f"`cinelake reset {source}`",
            )


def _staging(lake: Lake) -> Iterator[Finding]:
    left = staged_by_killed(lake)
    if left:
        shown = ", ".join(left[:SHOWN]) + (", …" if len(left) > SHOWN else "")
        yield Finding(
            "staging",
            f"{len(left)} runs that were killed left files ({shown})",
            "`cinelake maintain` removes them",
        )
