"""Lines that arrive broken: no JSON, a wrong type, an impossible value, a field nobody knows.

Each is made from the good line and a number that belongs to the event. They are few, so they are made one by one.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from enum import IntEnum
from typing import Any

# The fields that a source does not declare for itself; a wrong type there would be no test of its schema.
ENVELOPE = ("event_id", "schema_version", "event_time", "received_at")


class Fault(IntEnum):
    """What becomes of a record on its way; at most one thing."""

    NONE = 0
    MALFORMED = 1
    WRONG_TYPE = 2
    ABSURD_VALUE = 3
    UNKNOWN_FIELD = 4
    DUPLICATE = 5
    LATE = 6


def damaged(line: bytes, fault: Fault, dice: int) -> bytes:
    """The line as it arrives."""
    return _DAMAGE[fault](line, dice)


def _malformed(line: bytes, dice: int) -> bytes:
    at = len(line) // 10 + dice // 8 % (len(line) * 8 // 10)
    variants = (
        line[:at],
        b"<html><head><title>502 Bad Gateway</title></head></html>",
        line[:at] + b"\xff\xfe" + line[at:],
        b"[" + line + b"]",
        line[:at] + line[at + 7 :],
    )
    return variants[dice % 5] if variants[dice % 5].strip() else b"{"


def _wrong_type(line: bytes, dice: int) -> bytes:
    record = json.loads(line)
    name = _field(record, dice, lambda value: value is not None)
    value = record[name]
    if isinstance(value, bool) or not isinstance(value, str):
        record[name] = json.dumps(value)
    else:
        record[name] = dice % 10_000
    return _written(record)


def _absurd_value(line: bytes, dice: int) -> bytes:
    record = json.loads(line)
    name = _field(record, dice, lambda value: type(value) in (int, float), "event_time")
    if name == "event_time":
        record[name] = "0001-01-01T00:00:00Z"
    else:
        record[name] = (-1, -987_654_321, 2_147_483_647)[dice % 3]
    return _written(record)


def _unknown_field(line: bytes, dice: int) -> bytes:
    extra = (b'"experiment":"b%d"' % (dice % 9), b'"_debug":{"build":[1,2],"ok":true}')[dice % 2]
    return line[:-1] + b"," + extra + b"}"


def _field(
    record: dict[str, Any], dice: int, fits: Callable[[Any], bool], otherwise: str = "event_time"
) -> str:
    names = [name for name, value in record.items() if name not in ENVELOPE and fits(value)]
    return names[dice % len(names)] if names else otherwise


def _written(record: dict[str, Any]) -> bytes:
    return json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode()


_DAMAGE: dict[Fault, Callable[[bytes, int], bytes]] = {
    Fault.MALFORMED: _malformed,
    Fault.WRONG_TYPE: _wrong_type,
    Fault.ABSURD_VALUE: _absurd_value,
    Fault.UNKNOWN_FIELD: _unknown_field,
}
