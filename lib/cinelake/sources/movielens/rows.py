"""Ratings and tags of a MovieLens folder: columns of numbers, and what speaks against each row.

Method: a block of lines that holds nothing but digits and separators is parsed at once by Arrow; of any
other block each line that is not plain is read by itself, which also finds what is wrong with it. Both ways
give the same rows.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv as pa_csv

from cinelake.sources.importer import Folder
from cinelake.sources.movielens.layouts import LAYOUTS, Layout
from cinelake.sources.movielens.lines import (
    Block,
    Malformed,
    Reject,
    blocks,
    fields_around,
    fields_of,
    stars_of,
    text_of,
    whole_number,
)

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

# The service began in 1995; a number outside is a truncated one, or milliseconds.
FIRST_TIME = int(datetime(1995, 1, 1, tzinfo=UTC).timestamp())
LAST_TIME = int(datetime(2100, 1, 1, tzinfo=UTC).timestamp())
# Two ids share the eight bytes of a key.
LAST_ID = 2**31 - 1
TOP_STARS = 5.0


@dataclass
class Rows:
    """Lines of a block, as columns. `reasons` holds those of the rows that something speaks against."""

    block: Block
    line: Ints
    user: Ints
    movie: Ints
    time: Ints
    stars: npt.NDArray[np.float64]
    text: list[bytes] | None = None
    reasons: dict[int, list[str]] = field(default_factory=dict)
    unreadable: list[Reject] = field(default_factory=list)

    @property
    def good(self) -> Flags:
        """The rows that nothing speaks against."""
        flags = np.ones(len(self.line), dtype=np.bool_)
        flags[list(self.reasons)] = False
        return flags

    @property
    def key(self) -> Ints:
        """What may occur once only: user and movie, and for tags the words, too (as a 64-bit hash)."""
        pair = self.user << 32 | self.movie
        if self.text is None:
            return pair
        # Of rows that something speaks against, ids may be too long and the pair negative; nobody asks for their keys.
        hashes = (
            int.from_bytes(
                blake2b(text, digest_size=8, key=who.to_bytes(8, signed=True)).digest(), signed=True
            )
            for who, text in zip(pair.tolist(), self.text, strict=True)
        )
        return np.fromiter(hashes, dtype=np.int64, count=len(self.text))

    def blame(self, reason: str, wrong: Flags) -> None:
        """Give `reason` against the rows that are `wrong`."""
        for index in np.flatnonzero(wrong).tolist():
            self.reasons.setdefault(index, []).append(reason)


RATING_COLUMNS = {
    "user": pa.int64(),
    "movie": pa.int64(),
    "stars": pa.float64(),
    "time": pa.int64(),
}
TAG_COLUMNS = {
    "user": pa.int64(),
    "movie": pa.int64(),
    "text": pa.binary(),
    "time": pa.int64(),
}
PLAIN_BYTES = {layout.name: f"0123456789.\r\n{layout.separator}".encode() for layout in LAYOUTS}
PLAIN_RATING = {
    layout.name: re.compile(
        r"[0-9]{1,9}@[0-9]{1,9}@[0-9](?:[.][0-9]{1,9})?@[0-9]{1,10}\r?".replace(
            "@", layout.separator
        ).encode()
    )
    for layout in LAYOUTS
}
# Characters that mean nothing to csv, nor to JSON, so that the text can be taken over as it stands.
PLAIN_TAG = re.compile(rb"[0-9]{1,9},[0-9]{1,9},[!#-+\--\[\]-~][ !#-+\--\[\]-~]*,[0-9]{1,10}\r?")


def rating_rows(folder: Folder, layout: Layout, known: Ints) -> Iterator[Rows]:
    """The ratings, a block at a time; `known` are the ids of the titles."""
    for block in blocks(folder, layout.ratings, header=layout.headers):
        rows = _read_block(block, layout, _all_ratings(block, layout), PLAIN_RATING[layout.name])
        # A comparison with nan, which no field can be, would be false.
        rows.blame("rating_off_scale", ~((rows.stars >= layout.lowest) & (rows.stars <= TOP_STARS)))
        steps = rows.stars / layout.step
        rows.blame("rating_off_step", steps != np.floor(steps))
        _blame_ids_and_times(rows, known)
        yield rows


def tag_rows(folder: Folder, layout: Layout, known: Ints) -> Iterator[Rows]:
    """The tags, a block at a time; `known` are the ids of the titles."""
    assert layout.tags is not None
    for block in blocks(folder, layout.tags, header=layout.headers):
        rows = _read_block(block, layout, None, PLAIN_TAG, with_text=True)
        _blame_ids_and_times(rows, known)
        yield rows


def _blame_ids_and_times(rows: Rows, known: Ints) -> None:
    rows.blame("number_out_of_range: userId", rows.user > LAST_ID)
    rows.blame("timestamp_is_absurd", (rows.time < FIRST_TIME) | (rows.time >= LAST_TIME))
    rows.blame("unknown_title", ~np.isin(rows.movie, known))


def _all_ratings(block: Block, layout: Layout) -> pa.Table | None:
    """All lines at once; None when one of them is not plain."""
    data = block.data
    if data.translate(None, PLAIN_BYTES[layout.name]):
        return None
    if b"\r" in data and data.count(b"\r") != data.count(b"\r\n"):
        return None
    table = _parsed(data, layout, RATING_COLUMNS)
    count = data.count(b"\n") + (not data.endswith(b"\n"))
    return table if table is not None and table.num_rows == count else None


def _parsed(data: bytes, layout: Layout, columns: dict[str, Any]) -> pa.Table | None:
    if layout.separator != ",":
        data = data.replace(layout.separator.encode(), b",")
    try:
        return pa_csv.read_csv(
            pa.py_buffer(data),
            # One thread: meanwhile another compresses what was written before.
            read_options=pa_csv.ReadOptions(
                use_threads=False, column_names=list(columns), block_size=len(data) + 1
            ),
            parse_options=pa_csv.ParseOptions(quote_char=False),
            convert_options=pa_csv.ConvertOptions(
                column_types=columns, null_values=[], strings_can_be_null=False
            ),
        )
    except pa.ArrowInvalid:
        return None


def _read_block(
    block: Block,
    layout: Layout,
    whole: pa.Table | None,
    plain: re.Pattern[bytes],
    *,
    with_text: bool = False,
) -> Rows:
    if whole is not None:
        numbers = np.arange(block.first, block.first + whole.num_rows, dtype=np.int64)
        return _rows(block, numbers, whole, [], with_text=with_text)
    lines = block.lines
    fits = [index for index, line in enumerate(lines) if plain.fullmatch(line)]
    table = None
    if fits and not (with_text and layout.separator != ","):
        columns = TAG_COLUMNS if with_text else RATING_COLUMNS
        table = _parsed(b"\n".join(lines[index] for index in fits) + b"\n", layout, columns)
    if table is None or table.num_rows != len(fits):
        fits, table = [], None
    single = sorted(set(range(len(lines))) - set(fits))
    numbers = np.asarray(fits, dtype=np.int64) + block.first
    singles = [
        _single(block, layout, lines, index, with_text=with_text)
        for index in single
        if lines[index].strip(b" \t\r")
    ]
    return _rows(block, numbers, table, singles, with_text=with_text)


@dataclass(frozen=True)
class _Single:
    """A line that was read by itself."""

    reject: Reject
    user: int = 0
    movie: int = 0
    stars: float = 0.0
    time: int = 0
    text: bytes = b""


def _single(
    block: Block, layout: Layout, lines: Sequence[bytes], index: int, *, with_text: bool
) -> _Single:
    line = lines[index].rstrip(b"\r")
    cut_off = block.is_cut_off(index, lines)
    reasons: list[str] = []

    def rejected() -> Reject:
        return Reject(block.file, block.first + index, tuple(reasons), text_of(line, layout))

    try:
        if with_text and layout.separator != ",":
            # A tag may hold the separator; ids and time cannot.
            user, movie, rest = fields_around(layout, line, 2, cut_off=cut_off)
            tag, _, time = rest.rpartition(layout.separator)
            fields = [user, movie, tag, time]
        else:
            fields = fields_of(layout, line, 4, cut_off=cut_off)
    except Malformed as malformed:
        reasons.append(str(malformed))
        return _Single(rejected())
    user_id = whole_number("userId", fields[0], reasons)
    movie_id = whole_number("movieId", fields[1], reasons)
    text, stars = b"", 0.0
    if with_text:
        text = json.dumps(fields[2], ensure_ascii=False)[1:-1].encode()
        if not fields[2].strip():
            reasons.append("empty_field: tag")
    else:
        stars = stars_of(fields[2], reasons)
    time_ = whole_number("timestamp", fields[3], reasons)
    return _Single(rejected(), user_id, movie_id, stars, time_, text)


def _rows(
    block: Block,
    numbers: Ints,
    table: pa.Table | None,
    singles: Sequence[_Single],
    *,
    with_text: bool,
) -> Rows:
    read = [single for single in singles if not single.reject.reasons]

    def column(name: str, kind: Any) -> npt.NDArray[Any]:
        extra = np.array([getattr(single, name) for single in read], dtype=kind)
        if table is None:
            return extra
        values = table.column(name).to_numpy()
        return np.concatenate([values, extra]) if read else values

    lines = np.array([single.reject.line for single in read], dtype=np.int64)
    text = None
    if with_text:
        text = table.column("text").to_pylist() if table is not None else []
        text += [single.text for single in read]
    return Rows(
        block=block,
        line=np.concatenate([numbers, lines]) if read else numbers,
        user=column("user", np.int64),
        movie=column("movie", np.int64),
        time=column("time", np.int64),
        stars=np.zeros(0) if with_text else column("stars", np.float64),
        text=text,
        unreadable=[single.reject for single in singles if single.reject.reasons],
    )


def rejects_of(rows: Rows, layout: Layout | None) -> Iterator[Reject]:
    """All lines of a block that something speaks against; their text only when a layout is given."""
    yield from rows.unreadable
    if rows.reasons:
        lines = rows.block.lines if layout else []
        for index, reasons in rows.reasons.items():
            number = int(rows.line[index])
            text = text_of(lines[number - rows.block.first], layout) if layout else ""
            yield Reject(rows.block.file, number, tuple(reasons), text)
