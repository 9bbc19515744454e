"""Lines of MovieLens files: blocks of them, their fields, and those that have none that make sense.

One physical line is one record, so an unclosed quote harms only its own line.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cinelake.sources.importer import Folder
from cinelake.sources.movielens.layouts import HEADERS, BadMovieLensFile, Layout


@dataclass(frozen=True)
class Reject:
    file: str
    line: int
    reasons: tuple[str, ...]
    text: str


@dataclass(frozen=True)
class Block:
    """Whole lines of a file; `first` is the number of the first one. `ends` is false for a cut-off last line."""

    file: str
    data: bytes
    first: int

    @property
    def lines(self) -> list[bytes]:
        lines = self.data.split(b"\n")
        return lines[:-1] if not lines[-1] else lines

    def is_cut_off(self, index: int, lines: Sequence[bytes]) -> bool:
        """Whether this is the last line of the file and lacks its line end."""
        return index == len(lines) - 1 and not self.data.endswith(b"\n")


def blocks(folder: Folder, file: str, *, header: bool) -> Iterator[Block]:
    """The data of `file`; raises BadMovieLensFile when its header is not the known one."""
    first = 1
    for data in folder.blocks(file):
        if first == 1:
            data = data.removeprefix(b"\xef\xbb\xbf")  # noqa: PLW2901
            if data.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in data[:1000]:
                raise BadMovieLensFile(
                    f"{folder.name}/{file} is not UTF-8 (it looks like UTF-16, or is no text at all); "
                    f"take the file as published, or save it as UTF-8"
                )
            if header:
                found, _, data = data.partition(b"\n")  # noqa: PLW2901
                _check_header(folder, file, found)
                first = 2
        if data:
            yield Block(file, data, first)
        first += data.count(b"\n")
    if header and first == 1:
        raise BadMovieLensFile(f"{folder.name}/{file} is empty; unpack the archive again")


def _check_header(folder: Folder, file: str, line: bytes) -> None:
    found = line.decode("utf-8", "backslashreplace").strip()
    wanted = HEADERS[file]
    if found.replace('"', "") != wanted:
        shown = found if len(found) <= 80 else found[:77] + "..."
        raise BadMovieLensFile(
            f"{folder.name}/{file}: the first line is {shown!r} where {wanted!r} is due; "
            f"columns must be these, in this order"
        )


class Malformed(ValueError):
    """The line has no readable fields; the text is the reason."""


def fields_of(layout: Layout, line: bytes, count: int, *, cut_off: bool) -> list[str]:
    """The fields of one line; raises Malformed."""
    try:
        text = line.decode(layout.encoding)
    except UnicodeDecodeError:
        raise Malformed(f"undecodable_bytes: not {layout.encoding.upper()}") from None
    if layout.separator == ",":
        try:
            fields = next(csv.reader([text], strict=True))
        except csv.Error as error:
            unclosed = "unexpected end" in str(error)
            raise Malformed(
                "unclosed_quote" if unclosed else "malformed_line: text after a closing quote"
            ) from None
    else:
        fields = text.split(layout.separator)
    if len(fields) != count:
        what = "truncated_line" if cut_off and len(fields) < count else "malformed_line"
        raise Malformed(f"{what}: {len(fields)} fields instead of {count}")
    return fields


def whole_number(name: str, text: str, reasons: list[str]) -> int:
    """The number; 0, with the reason added, when it is none."""
    digits = text.strip(" ")
    if not digits:
        reasons.append(f"empty_field: {name}")
    # Other scripts have digits, too, and int() takes them.
    elif not (digits.isascii() and digits.isdigit()):
        reasons.append(f"not_a_number: {name}")
    elif len(digits) > 18:
        reasons.append(f"number_out_of_range: {name}")
    else:
        return int(digits)
    return 0


def stars_of(text: str, reasons: list[str]) -> float:
    digits = text.strip(" ")
    if not digits:
        reasons.append("empty_field: rating")
    elif re.fullmatch(r"[0-9]+[.]?[0-9]*|[.][0-9]+", digits):
        return float(digits)
    elif re.fullmatch(r"-[0-9]+[.]?[0-9]*", digits):
        reasons.append("rating_off_scale")
    else:
        reasons.append("not_a_number: rating")
    return 0.0


def text_of(line: bytes, layout: Layout) -> str:
    return line.rstrip(b"\r").decode(layout.encoding, "backslashreplace")


def fields_around(layout: Layout, line: bytes, splits: int, *, cut_off: bool) -> list[str]:
    try:
        fields = line.decode(layout.encoding).split(layout.separator, splits)
    except UnicodeDecodeError:
        raise Malformed(f"undecodable_bytes: not {layout.encoding.upper()}") from None
    if len(fields) <= splits or layout.separator not in fields[-1]:
        count = line.count(layout.separator.encode()) + 1
        what = "truncated_line" if cut_off else "malformed_line"
        raise Malformed(f"{what}: {count} fields instead of {splits + 2}")
    return fields


def single_lines(
    folder: Folder, layout: Layout, file: str
) -> Iterator[tuple[Block, int, bytes, bool]]:
    for block in blocks(folder, file, header=layout.headers):
        lines = block.lines
        for index, raw in enumerate(lines):
            line = raw.rstrip(b"\r")
            if line.strip():
                yield block, index, line, block.is_cut_off(index, lines)


def nothing_readable(folder: Folder, file: str, first: Reject | None) -> str:
    where = f"{folder.name}/{file}"
    if first is None:
        return f"{where} holds no line of data; unpack the archive again"
    return (
        f"{where}: no line could be read; line {first.line} is turned away for {', '.join(first.reasons)}. "
        f"Compare it with the README of the data set"
    )
