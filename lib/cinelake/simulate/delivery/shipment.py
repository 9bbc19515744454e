"""Records of one source, as they land: blocks of lines by hour of receipt, and what went wrong with them.

What becomes of a record is drawn from the record's own number, so any split into batches gives the same lines.
A window is one of receipt: a record that happened in it and is received after it belongs to a later window.

A malformed line, or one with a wrong type, arrives *instead* of the good one: that event is lost to readers.
Lost stops are never sent. All else arrives, if late or twice.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cinelake.simulate.delivery import receipt, text
from cinelake.simulate.delivery.damage import Fault, damaged
from cinelake.simulate.delivery.settings import DeliverySettings
from cinelake.simulate.randomness import Bools, Longs, bits, uniform
from cinelake.simulate.trace import DAY, HOUR, Records, ids

BLOCKS = pa.schema(
    [
        ("area", pa.string()),
        ("source", pa.string()),
        ("date", pa.string()),
        ("hour", pa.string()),
        ("text", pa.binary()),
    ]
)
LANDING = "landing"
# A second copy of an hour's file.
AGAIN = "again"
# Truth: one row a record that something befell. `received_at` is null for what never arrives.
FAULTS = pa.schema(
    [
        ("event_id", pa.string()),
        ("source", pa.string()),
        ("kind", pa.string()),
        ("happened_at", pa.timestamp("us", "UTC")),
        ("received_at", pa.timestamp("us", "UTC")),
    ]
)
# Truth: how many lines, by source, day of receipt and kind; `landed` counts them all.
FAULT_COUNTS = pa.schema(
    [("source", pa.string()), ("date", pa.date32()), ("kind", pa.string()), ("records", pa.int64())]
)
# Truth: hours in which nothing of a source is received, and whose file, if there is one, comes twice.
HOURS = pa.schema(
    [("source", pa.string()), ("hour_at", pa.timestamp("us", "UTC")), ("kind", pa.string())]
)
STOPS = ("stop", "end")
# Longer than any record is on its way (µs), to keep accounts apart.
_APART = 1 << 48
NEVER = np.iinfo(np.int64).max
_UNREADABLE = (int(Fault.MALFORMED), int(Fault.WRONG_TYPE))
_DAMAGES = (Fault.MALFORMED, Fault.WRONG_TYPE, Fault.ABSURD_VALUE, Fault.UNKNOWN_FIELD)


@dataclass(frozen=True)
class Window:
    """Receipts that are wanted: `[start, end)`, µs UTC."""

    start: int
    end: int

    def holds(self, times: Longs) -> Bools:
        inside: Bools = (times >= self.start) & (times < self.end)
        return inside


@dataclass(frozen=True)
class Shipment:
    """What lands (BLOCKS), and the truth about it (FAULTS, FAULT_COUNTS).

    `arrived` tells of every record, in the window or not, when it can first be read; NEVER if it cannot.
    """

    blocks: pa.Table
    faults: pa.Table
    counts: pa.Table
    arrived: Longs


@dataclass(frozen=True)
class _Lines:
    """Deliveries in the window: the record that each is of, and what befell it."""

    row: Longs
    received: Longs
    event_time: Longs
    fault: np.ndarray
    is_copy: Bools
    is_offline: Bools
    is_silenced: Bools
    is_overtaken: Bools
    is_skewed: Bools
    is_absurd: Bools
    arrived: Longs  # of every record


def deliver(
    records: Records, version: int, window: Window, settings: DeliverySettings, seed: int
) -> Shipment:
    """What of `records` is received in the window, in lines of the source's schema `version`."""
    source = source_word(records.source)
    dice = bits(seed, "delivery", source, records.account, records.order)
    lost = _never_sent(records, dice, settings, seed)
    lines = _received(records, dice, source, window, settings, seed, lost)
    order = np.argsort(lines.received, kind="stable")
    row = lines.row[order]
    event_ids = ids(seed, "event", np.array(source), records.account[row], records.order[row])
    index = pa.array(row)
    fields = {
        "event_id": event_ids,
        "schema_version": pa.DictionaryArray.from_arrays(
            pa.array(np.zeros(len(row), np.int8)), pa.array([version])
        ),
        "event_time": text.moments(lines.event_time[order]),
        "received_at": text.moments(lines.received[order]),
        **{name: column.take(index) for name, column in records.payload.items()},
    }
    written = text.objects(fields).cast(pa.binary())
    written = _with_damage(written, lines.fault[order], dice[row])
    blocks = _blocks(records.source, source, written, lines.received[order], settings, seed)
    return Shipment(
        blocks,
        _faults(records, lines, lost, source, window, seed),
        _counts(records, lines, lost, source, window, settings, seed),
        lines.arrived,
    )


def source_word(name: str) -> int:
    """A number for the source, to draw by."""
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=4).digest(), "big")


def _never_sent(records: Records, dice: np.ndarray, settings: DeliverySettings, seed: int) -> Bools:
    lost = np.zeros(len(records), dtype=np.bool_)
    if records.source != "playback" or settings.missing_stop_share == 0:
        return lost
    ends = pc.is_in(records.payload["event"].cast(pa.string()), value_set=pa.array(STOPS)).to_numpy(
        zero_copy_only=False
    )
    drawn = uniform(seed, "missing stop", dice[ends].view(np.int64))
    lost[ends] = drawn < settings.missing_stop_share
    return lost


def _faults_drawn(dice: np.ndarray, settings: DeliverySettings) -> np.ndarray:
    shares = (
        settings.malformed_share,
        settings.wrong_type_share,
        settings.absurd_value_share,
        settings.unknown_field_share,
        settings.duplicate_share,
        settings.late_share,
    )
    edges = (np.cumsum(shares) * 2.0**32).astype(np.uint64)
    # One draw decides, so that the faults exclude each other, and most records need no second look.
    drawn = dice >> np.uint64(32)
    fault = np.zeros(len(dice), dtype=np.int8)
    some = np.flatnonzero(drawn < edges[-1])
    fault[some] = np.searchsorted(edges, drawn[some], side="right") + 1
    return fault


def _received(
    records: Records,
    dice: np.ndarray,
    source: int,
    window: Window,
    settings: DeliverySettings,
    seed: int,
    lost: Bools,
) -> _Lines:
    fault = _faults_drawn(dice, settings)
    received = records.happened // 1000 * 1000 + receipt.delays_us(dice, settings)
    late = np.flatnonzero(fault == Fault.LATE)
    # From half a minute to two hours, evenly in the logarithm.
    waits = 30.0 * (receipt.LATEST_S / 30.0) ** uniform(seed, "late by", dice[late].view(np.int64))
    received[late] += (waits * 1000).astype(np.int64) * 1000
    is_offline = np.zeros(len(records), dtype=np.bool_)
    if records.source not in receipt.SERVED:
        until = receipt.offline_until(records.account, records.happened, settings, seed)
        is_offline = until > 0
        received = np.where(
            is_offline, until // 1000 * 1000 + received - records.happened // 1000 * 1000, received
        )
    twice = np.flatnonzero(fault == Fault.DUPLICATE)
    gap = 1.0 * receipt.AGAIN_S ** uniform(seed, "again after", dice[twice].view(np.int64))
    again = received[twice] + (gap * 1000).astype(np.int64) * 1000
    row = np.concatenate([np.arange(len(records)), twice])
    received, silenced = receipt.after_silence(
        np.concatenate([received, again]), dice[row], source, settings, seed
    )
    is_copy = np.arange(len(row)) >= len(records)
    arrived = np.where(lost | np.isin(fault, _UNREADABLE), NEVER, received[: len(records)])
    overtaken = _overtaken(records, arrived)[row]
    kept = np.flatnonzero(window.holds(received) & ~lost[row])
    row = row[kept]
    offsets = np.zeros(len(row), dtype=np.int64)
    absurd = np.zeros(len(row), dtype=np.bool_)
    if "device_id" in records.payload and records.source not in receipt.SERVED:
        of_record, absurd_record = receipt.clock_offsets_us(records.payload, settings, seed)
        offsets, absurd = of_record[row], absurd_record[row]
    return _Lines(
        row=row,
        received=received[kept],
        event_time=records.happened[row] // 1000 * 1000 + offsets,
        fault=fault[row],
        is_copy=is_copy[kept],
        is_offline=is_offline[row],
        is_silenced=silenced[kept],
        is_overtaken=overtaken[kept] & ~is_copy[kept],
        is_skewed=(offsets != 0) & ~absurd,
        is_absurd=absurd,
        arrived=arrived,
    )


def _overtaken(records: Records, arrived: Longs) -> Bools:
    """Which records arrive after something that happened to the same account later."""
    rows = len(records)
    if rows == 0:
        return np.zeros(0, dtype=np.bool_)
    order = np.lexsort((records.happened, records.account))
    account, happened = records.account[order], records.happened[order]
    new = np.ones(rows, dtype=np.bool_)
    new[1:] = account[1:] != account[:-1]
    apart = np.cumsum(new) * _APART
    since = np.minimum(arrived[order] - happened.min(), _APART - 1)
    # The earliest arrival from each place on; an account's numbers are below those of the next.
    earliest = np.minimum.accumulate((since + apart)[::-1])[::-1]
    moment = new.copy()
    moment[1:] |= happened[1:] != happened[:-1]
    begins = np.append(np.flatnonzero(moment), rows)
    later = begins[np.cumsum(moment)]
    own = (later < rows) & (np.append(account, -2)[later] == account)
    first = np.append(earliest, 0)[later] - apart
    overtaken = np.zeros(rows, dtype=np.bool_)
    overtaken[order] = own & (first < since) & (arrived[order] != NEVER)
    return overtaken


def _with_damage(written: pa.Array, fault: np.ndarray, dice: np.ndarray) -> pa.Array:
    broken = np.isin(fault, [int(kind) for kind in _DAMAGES])
    if not broken.any():
        return written
    places = np.flatnonzero(broken)
    arriving = [
        damaged(written[int(i)].as_py(), Fault(int(fault[i])), int(dice[i] & np.uint64(2**31 - 1)))
        for i in places
    ]
    return pc.replace_with_mask(written, pa.array(broken), pa.array(arriving, pa.binary()))


def _blocks(
    name: str,
    source: int,
    written: pa.Array,
    received: Longs,
    settings: DeliverySettings,
    seed: int,
) -> pa.Table:
    hours = received // HOUR
    borders = np.flatnonzero(np.diff(hours, prepend=-1, append=np.iinfo(np.int64).max))
    if len(written) == 0:
        return BLOCKS.empty_table()
    first = hours[borders[:-1]]
    days = np.datetime_as_string((first // 24).astype("datetime64[D]"))
    blocks = pa.table(
        [
            pa.array([LANDING] * len(first)),
            pa.array([name] * len(first)),
            pa.array(days),
            pa.array([f"{hour:02}" for hour in first % 24]),
            text.lines_by(written, borders),
        ],
        schema=BLOCKS,
    )
    twice = np.flatnonzero(receipt.is_repeated(first, source, settings, seed))
    again = blocks.take(pa.array(twice))
    again = again.set_column(0, BLOCKS.field(0), pa.array([AGAIN] * len(twice), pa.string()))
    return pa.concat_tables([blocks, again])


def _kinds(lines: _Lines) -> dict[str, Bools]:
    fault = lines.fault
    return {
        "duplicate": lines.is_copy,
        "late": (fault == Fault.LATE) & ~lines.is_copy,
        "offline": lines.is_offline & ~lines.is_copy,
        "malformed": fault == Fault.MALFORMED,
        "wrong_type": fault == Fault.WRONG_TYPE,
        "absurd_value": fault == Fault.ABSURD_VALUE,
        "unknown_field": fault == Fault.UNKNOWN_FIELD,
        "absurd_clock": lines.is_absurd,
    }


def _lost_here(records: Records, lost: Bools, window: Window) -> Longs:
    return np.flatnonzero(lost & window.holds(records.happened))


def _faults(
    records: Records, lines: _Lines, lost: Bools, source: int, window: Window, seed: int
) -> pa.Table:
    parts = []
    missing = _lost_here(records, lost, window)
    befallen = [(kind, np.flatnonzero(mask)) for kind, mask in _kinds(lines).items()]
    for kind, row, received in [
        *((kind, lines.row[places], lines.received[places]) for kind, places in befallen),
        ("missing_stop", missing, None),
    ]:
        if len(row) == 0:
            continue
        event = ids(seed, "event", np.array(source), records.account[row], records.order[row])
        times = (
            pa.nulls(len(row), pa.timestamp("us", "UTC"))
            if received is None
            else text.moments(received)
        )
        columns = [
            event,
            pa.array([records.source] * len(row)),
            pa.array([kind] * len(row)),
            text.moments(records.happened[row]),
            times,
        ]
        parts.append(pa.table(columns, schema=FAULTS))
    return pa.concat_tables(parts) if parts else FAULTS.empty_table()


def _counts(
    records: Records,
    lines: _Lines,
    lost: Bools,
    source: int,
    window: Window,
    settings: DeliverySettings,
    seed: int,
) -> pa.Table:
    hours, place = np.unique(lines.received // HOUR, return_inverse=True)
    repeated = receipt.is_repeated(hours, source, settings, seed)[place]
    masks = _kinds(lines) | {
        "skewed_clock": lines.is_skewed,
        "out_of_order": lines.is_overtaken,
        "silent_hour": lines.is_silenced,
        "repeated_file": repeated,
    }
    found = [(kind, lines.received[mask]) for kind, mask in masks.items()]
    # A file that is delivered twice lands all of its lines once more.
    found.append(("landed", np.concatenate([lines.received, lines.received[repeated]])))
    found.append(("missing_stop", records.happened[_lost_here(records, lost, window)]))
    return pa.concat_tables([counted(records.source, kind, times) for kind, times in found])


def counted(source: str, kind: str, times: Longs) -> pa.Table:
    """How many there are of a kind, by day (FAULT_COUNTS)."""
    day, count = np.unique(times // DAY, return_counts=True)
    columns = [
        pa.array([source] * len(day), pa.string()),
        pa.array(day.astype(np.int32)).cast(pa.date32()),
        pa.array([kind] * len(day), pa.string()),
        pa.array(count.astype(np.int64)),
    ]
    return pa.table(columns, schema=FAULT_COUNTS)


def uncommon_hours(
    sources: list[str], window: Window, settings: DeliverySettings, seed: int
) -> pa.Table:
    """The hours of receipt in which sources are silent, or deliver their file twice (HOURS)."""
    hours = np.arange(window.start // HOUR, window.end // HOUR, dtype=np.int64)
    parts = [HOURS.empty_table()]
    for source in sources:
        word = source_word(source)
        silent = receipt.is_silent(hours, word, settings, seed)
        twice = receipt.is_repeated(hours, word, settings, seed) & ~silent
        for kind, mask in (("silent_hour", silent), ("repeated_file", twice)):
            at = text.moments(hours[mask] * HOUR)
            columns = [
                pa.array([source] * len(at), pa.string()),
                at,
                pa.array([kind] * len(at), pa.string()),
            ]
            parts.append(pa.table(columns, schema=HOURS))
    return pa.concat_tables(parts)
