"""Columns as JSON text (RFC 8259), a whole column at a time.

A record is joined from pieces: constant text, and one array of strings a column. Values of few kinds are to
come as dictionary arrays: then their text is made once a kind. Texts are escaped only where they need it.
Seconds and the like are written with three decimals at most: more would be noise, and noise does not compress.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

# What JSON demands to be escaped; all else may stand as it is, in UTF-8.
NEEDS_ESCAPE = r'["\\\x00-\x1f]'
DECIMALS = 3
MINUTE_US = 60_000_000
_SECONDS = pa.array([f"{s:02}.{ms:03}Z" for s in range(60) for ms in range(1000)])


def objects(fields: Mapping[str, pa.Array]) -> pa.Array:
    """One JSON object a row."""
    pieces: list[pa.Array | str] = []
    for number, (name, column) in enumerate(fields.items()):
        pieces += ["," * (number > 0) + json.dumps(name) + ":", *values(column)]
    return _joined(["{", *pieces, "}"])


def values(column: pa.Array) -> list[pa.Array | str]:
    """The pieces whose concatenation is the column's JSON text, row by row; null is `null`."""
    if pa.types.is_timestamp(column.type):
        return _times(column)
    return [_with_null(_texts(column))]


def _texts(column: pa.Array) -> pa.Array:
    kind = column.type
    if pa.types.is_dictionary(kind):
        texts = _one(values(column.dictionary)).take(column.indices)
    elif pa.types.is_string(kind) or pa.types.is_large_string(kind):
        texts = _joined(['"', _escaped(column), '"'], nulls=column.null_count > 0)
    elif pa.types.is_boolean(kind):
        texts = pc.if_else(column, "true", "false")
    elif pa.types.is_floating(kind):
        texts = pc.round(column, ndigits=DECIMALS).cast(pa.string())
    elif pa.types.is_list(kind):
        texts = _lists(column)
    elif pa.types.is_date(kind):
        texts = _joined(['"', column.cast(pa.string()), '"'], nulls=column.null_count > 0)
    else:
        texts = column.cast(pa.string())
    return texts


def moments(times: npt.NDArray[np.int64]) -> pa.Array:
    """Times (µs since 1970, UTC) as an Arrow column."""
    return pa.array(times, type=pa.timestamp("us", "UTC"))


def lines_by(text: pa.Array, borders: npt.NDArray[np.int64]) -> pa.Array:
    """Consecutive rows `borders[i]:borders[i+1]` of `text` (bytes), joined by line ends."""
    offsets = pa.array(borders.astype(np.int32))
    return pc.binary_join(pa.ListArray.from_arrays(offsets, text), pa.scalar(b"\n"))


def _joined(pieces: list[pa.Array | str], nulls: bool = False) -> pa.Array:
    merged: list[pa.Array | str] = []
    for piece in pieces:
        if isinstance(piece, str) and merged and isinstance(merged[-1], str):
            merged[-1] += piece
        elif not isinstance(piece, str) or piece:
            merged.append(piece)
    handling = "emit_null" if nulls else "replace"
    return pc.binary_join_element_wise(*merged, "", null_handling=handling)


def _one(pieces: list[pa.Array | str]) -> pa.Array:
    return pieces[0] if len(pieces) == 1 else _joined(pieces)


def _with_null(texts: pa.Array) -> pa.Array:
    return pc.fill_null(texts, "null") if texts.null_count else texts


def _escaped(column: pa.Array) -> pa.Array:
    needy = pc.match_substring_regex(column, NEEDS_ESCAPE)
    if not pc.any(needy).as_py():
        return column
    written = [
        None if text is None else json.dumps(text, ensure_ascii=False)[1:-1]
        for text in column.to_pylist()
    ]
    return pa.array(written, type=column.type)


def _lists(column: pa.ListArray) -> pa.Array:
    items = _one(values(column.flatten()))
    lengths = pc.fill_null(pc.list_value_length(column), 0).to_numpy(zero_copy_only=False)
    borders = np.concatenate([[0], np.cumsum(lengths)])
    offsets = pa.array(borders.astype(np.int32))
    inner = pc.binary_join(pa.ListArray.from_arrays(offsets, items.cast(pa.string())), ",")
    texts = _joined(["[", inner, "]"])
    return texts if not column.null_count else pc.if_else(column.is_valid(), texts, "null")


def _times(column: pa.Array) -> list[pa.Array | str]:
    micros = column.cast(pa.timestamp("us", "UTC")).cast(pa.int64())
    if column.null_count:
        texts = _joined(['"', *_clock(pc.fill_null(micros, 0).to_numpy()), '"'])
        return [pc.if_else(column.is_valid(), texts, "null")]
    return ['"', *_clock(micros.to_numpy()), '"']


def _clock(micros: npt.NDArray[np.int64]) -> list[pa.Array | str]:
    """`2026-01-01T05:03:` and `07.123Z`, each looked up in a table, for formatting costs ten times as much."""
    minutes = micros // MINUTE_US
    within = ((micros - minutes * MINUTE_US) // 1000).astype(np.int32)
    first = int(minutes.min()) if len(minutes) else 0
    span = int(minutes.max()) - first + 1 if len(minutes) else 0
    # A clock that is wrong by years would make the table long.
    if span > max(4 * len(minutes), 100_000):
        known, index = np.unique(minutes, return_inverse=True)
    else:
        known, index = np.arange(first, first + span), minutes - first
    words = np.datetime_as_string(known.astype("datetime64[m]"), unit="m").astype("S16")
    table = _joined([_fixed_width(words.view(np.uint8).reshape(len(known), 16)), ":"])
    return [table.take(pa.array(index)), _SECONDS.take(pa.array(within))]


def _fixed_width(matrix: npt.NDArray[np.uint8]) -> pa.Array:
    rows, width = matrix.shape
    offsets = np.arange(rows + 1, dtype=np.int32) * width
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(matrix))]
    return pa.Array.from_buffers(pa.string(), rows, buffers)
