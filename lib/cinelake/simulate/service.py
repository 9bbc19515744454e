"""Accounts become what a service delivers about them: blocks of landing lines, and the truth.

The account is the unit: what an account does depends on its number, the seed and the settings. Titles, availability
and incidents belong to no account; they are made with the number −1. A window is one of receipt. What happened
before it and is received in it is made as well, so windows that follow each other hold every record once, and a
window alone holds what the same window of a longer run does. Plays of the days before are made only for
accounts that were offline then: of the others everything has been received.

Rows are few and large: one a source, hour and chunk of plays, with all its lines. A table of the truth travels as
an Arrow stream in base64 in the area `truth`.
"""

from __future__ import annotations

import base64
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import pairwise

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame

from cinelake.simulate.delivery import receipt
from cinelake.simulate.delivery.shipment import (
    BLOCKS,
    FAULT_COUNTS,
    FAULTS,
    NEVER,
    Window,
    counted,
    deliver,
    uncommon_hours,
)
from cinelake.simulate.player import incidents as trouble
from cinelake.simulate.player import telemetry
from cinelake.simulate.player.incidents import Incidents, incidents_between
from cinelake.simulate.player.telemetry import watch
from cinelake.simulate.randomness import Bools, Longs, bits, uniform
from cinelake.simulate.settings import Settings
from cinelake.simulate.surroundings import burden, names, places, premieres, surroundings
from cinelake.simulate.trace import DAY, HOUR, MINUTE, PlayColumns, Plays, Records
from cinelake.simulate.viewers import secrets
from cinelake.simulate.viewers.people import people
from cinelake.simulate.viewers.service_side import (
    batch_of,
    generate,
    generate_world,
    standing,
    standing_world,
)
from cinelake.sources.catalog import all_sources

WORLD = -1
# Truth that each delivery adds to, and truth that it tells anew as a whole.
TRUTH, WHOLE = "truth", "whole"
ADDED = frozenset({"plays", "incidents", "faults", "fault_counts", "hours"})
# Date and hour of rows that belong to none.
NOWHERE = "-"
BLOCK_SCHEMA = "area string, source string, date string, hour string, text binary"
# Plays that go through the player together: enough for numpy, few enough for their lines to fit in memory.
CHUNK = 3000
# Records of a batch of accounts, roughly.
BATCH_RECORDS = 400_000
RECORDS_PER_ACCOUNT_DAY = 260
BYTES_PER_RECORD = 420
# A play of an ordinary account, and all that is reported of it, is over and received within this time.
_SETTLED = 36 * HOUR


@dataclass(frozen=True)
class Order:
    """What is to be delivered: of how many accounts, from when the service exists (µs UTC), and which receipts."""

    settings: Settings
    accounts: int
    begin: int
    window: Window

    @property
    def reach(self) -> int:
        """From when on things must be generated (µs UTC)."""
        return max(self.begin, self.window.start - receipt.reach_us(self.settings.delivery) - DAY)

    @property
    def batch(self) -> int:
        """Accounts that are simulated together."""
        days = (self.window.end - self.reach) / DAY
        return int(np.clip(BATCH_RECORDS / (RECORDS_PER_ACCOUNT_DAY * days), 4, 400))

    @property
    def bytes(self) -> int:
        """Text that it comes to, roughly."""
        days = (self.window.end - self.window.start) / DAY
        return int(self.accounts * days * RECORDS_PER_ACCOUNT_DAY * BYTES_PER_RECORD)


def blocks(accounts: DataFrame, order: Order) -> DataFrame:
    """`accounts(id)`, numbers from −1, → blocks. Each partition is cut into batches of consecutive accounts."""

    def simulate(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            numbers = batch.column(0).to_numpy()
            for start in range(0, len(numbers), order.batch):
                yield from account_blocks(order, numbers[start : start + order.batch])

    # No built-in function simulates; see tests/benchmarks/bench_simulate.py for what it costs.
    return accounts.mapInArrow(simulate, BLOCK_SCHEMA)


def account_blocks(order: Order, numbers: Longs) -> Iterator[pa.RecordBatch]:
    """What is delivered about these accounts (and about the world, where −1 is among them)."""
    truth = _Truth()
    if (numbers == WORLD).any():
        yield from _world(order, truth)
    accounts = np.sort(numbers[numbers != WORLD])
    if len(accounts):
        yield from _accounts(order, accounts, truth)
    yield from truth.blocks()


def _world(order: Order, truth: _Truth) -> Iterator[pa.RecordBatch]:
    settings, window = order.settings, order.window
    made, truths = generate_world(settings, order.reach, window.end)
    truth.add(truths.tables)
    if order.reach == order.begin:
        made = [*made, *(_stood(r, order) for r in standing_world(settings, order.begin))]
    for records in made:
        yield from _delivered(order, records, truth)
    struck = _incidents(order)
    days, titles = premieres(settings)
    struck = Incidents.joined(
        [struck, trouble.premieres_as_incidents(days, titles, settings.player.premiere_load)]
    )
    # What goes on when the service begins is told with what begins in its first window.
    begins = np.maximum(struck.start, order.begin)
    here = struck.take(window.holds(begins) & (struck.end > order.begin))
    truth.add({"incidents": trouble.truth(here, places(settings), settings.seed)})
    truth.add(
        {"hours": uncommon_hours(sorted(all_sources()), window, settings.delivery, settings.seed)}
    )


def _accounts(order: Order, accounts: Longs, truth: _Truth) -> Iterator[pa.RecordBatch]:
    settings, end = order.settings, order.window.end
    spoilt = partial(burden, settings)
    plays, made, truths = generate(settings, accounts, order.reach, end, spoilt)
    # The truth about accounts is about all their time, and takes the place of what was told before.
    truth.add(truths.tables if order.reach == order.begin else _secrets(order, accounts))
    if order.reach == order.begin:
        stood = standing(settings, accounts, order.begin, spoilt)
        made = [*made, *(_stood(records, order) for records in stood)]
    for records in made:
        yield from _delivered(order, records, truth)
    incidents = _incidents(order)
    wanted = plays.take(np.flatnonzero(_unsettled(order, plays.rows)))
    for chunk in _chunks(wanted):
        yield from _played(order, chunk, incidents, truth)


def _stood(records: Records, order: Order) -> Records:
    """What stood when the service began to deliver is told in its first minutes."""
    dice = bits(order.settings.seed, "standing", records.account, records.order)
    minutes = (dice % np.uint64(10 * MINUTE)).astype(np.int64)
    return replace(records, happened=order.begin + minutes)


def _secrets(order: Order, accounts: Longs) -> dict[str, pa.Table]:
    settings, begin, end = order.settings, order.begin, order.window.end
    batch = batch_of(settings, accounts, partial(burden, settings))
    crowd = people(settings, batch, begin - 61 * DAY, end)
    crowd = crowd.take((crowd.from_us < end) & (crowd.until_us > begin))
    return {
        "accounts": secrets.account_truth(settings, batch, end),
        "viewers": secrets.viewer_truth(settings, crowd),
        "abuse": secrets.misuse_truth(settings, batch, begin, end),
        "confounders": secrets.confounder_truth(settings, batch, begin, end),
    }


def _played(
    order: Order, plays: Plays, incidents: Incidents, truth: _Truth
) -> Iterator[pa.RecordBatch]:
    settings = order.settings
    around = surroundings(settings, plays.rows)
    watched = watch(
        plays, around, incidents, places(settings), names(settings), settings.player, settings.seed
    )
    arrived = yield from _delivered(order, watched.playback, truth)
    yield from _delivered(order, watched.heartbeats, truth)
    # The truth about a play stands in the window in which readers first hear of it, so none is an orphan.
    heard = np.full(len(watched.truth), NEVER)
    np.minimum.at(heard, watched.playback_play, arrived)
    here = order.window.holds(heard)
    told = watched.truth.filter(pa.array(here))
    truth.add({"plays": told, "fault_counts": _crossings(told, heard[here])})


def _crossings(plays: pa.Table, heard: Longs) -> pa.Table:
    """How many plays go on over midnight and over a change of clocks, by the day on which they are heard of."""
    parts = [
        counted(
            "playback", kind, heard[plays[f"crosses_{kind.removeprefix('across_')}"].to_numpy()]
        )
        for kind in ("across_midnight", "across_clock_change")
    ]
    return pa.concat_tables(parts)


def _delivered(
    order: Order, records: Records, truth: _Truth
) -> Generator[pa.RecordBatch, None, Longs]:
    settings = order.settings
    version = all_sources()[records.source].schema_version
    shipment = deliver(records, version, order.window, settings.delivery, settings.seed)
    truth.add({"faults": shipment.faults, "fault_counts": shipment.counts})
    yield from shipment.blocks.to_batches()
    return shipment.arrived


def _incidents(order: Order) -> Incidents:
    settings = order.settings
    return incidents_between(
        order.reach, order.window.end + DAY, places(settings), settings.player, settings.seed
    )


def _unsettled(order: Order, rows: PlayColumns) -> Bools:
    """Plays of which something may be received in the window."""
    settings, window = order.settings, order.window
    first = min(int(rows.pressed_at.min(initial=window.start)), order.reach) // DAY
    days = np.arange(first, window.start // DAY + 1, dtype=np.int64)
    accounts, place = np.unique(rows.account, return_inverse=True)
    drawn = uniform(settings.seed, "offline day", accounts[:, None], days[None, :])
    was_offline = np.any(drawn < settings.delivery.offline_share, axis=1)
    recent = (rows.pressed_at >= window.start - _SETTLED) | np.take(was_offline, place)
    wanted: Bools = recent & (rows.pressed_at >= order.begin)
    return wanted


def _chunks(plays: Plays) -> Iterator[Plays]:
    """Pieces of about `CHUNK` plays; no account is cut, for what is out of order is judged within one."""
    rows = plays.rows
    if len(rows) == 0:
        return
    begins = np.ones(len(rows), dtype=np.bool_)
    begins[1:] = rows.account[1:] != rows.account[:-1]
    starts = np.flatnonzero(begins)
    cuts = np.searchsorted(starts, np.arange(0, len(rows), CHUNK))
    edges = np.unique(np.append(starts[np.minimum(cuts, len(starts) - 1)], len(rows)))
    for start, end in pairwise(edges):
        yield plays.take(np.arange(start, end))


@dataclass
class _Truth:
    """Gathers the truth of a batch."""

    _tables: dict[str, list[pa.Table]] = field(
        default_factory=lambda: {
            "faults": [FAULTS.empty_table()],
            "fault_counts": [FAULT_COUNTS.empty_table()],
            "plays": [telemetry.TRUTH.empty_table()],
        }
    )

    def add(self, tables: dict[str, pa.Table]) -> None:
        for name, table in tables.items():
            self._tables.setdefault(name, []).append(table)

    def blocks(self) -> Iterator[pa.RecordBatch]:
        """One block a table; empty tables travel too, for their columns are part of the truth."""
        texts = [_encoded(pa.concat_tables(parts)) for parts in self._tables.values()]
        columns = [
            pa.array([TRUTH if name in ADDED else WHOLE for name in self._tables]),
            pa.array(list(self._tables)),
            pa.array([NOWHERE] * len(texts)),
            pa.array([NOWHERE] * len(texts)),
            pa.array(texts, pa.binary()),
        ]
        yield pa.record_batch(columns, schema=BLOCKS)


def _encoded(table: pa.Table) -> bytes:
    # Spark reads no dictionaries.
    plain = [
        pa.field(
            each.name, each.type.value_type if pa.types.is_dictionary(each.type) else each.type
        )
        for each in table.schema
    ]
    table = table.cast(pa.schema(plain))
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    return base64.b64encode(sink.getvalue())
