"""Lengths of time as people write them: a number and a unit, `"90s"` or `"1h30m"`."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer

_UNITS = {
    "ms": timedelta(milliseconds=1),
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
}
_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d|w)", re.ASCII)
_DURATION = re.compile(rf"(?:{_DURATION_PART.pattern})+", re.ASCII)


def parse_duration(value: object) -> timedelta:
    """`"90s"`, `"10m"`, `"1d"` or `"1h30m"`; a bare number is refused, since its unit would be a guess."""
    if isinstance(value, timedelta):
        return value
    if isinstance(value, str) and _DURATION.fullmatch(value.strip()):
        parts = _DURATION_PART.findall(value)
        return sum((float(n) * _UNITS[unit] for n, unit in parts), timedelta())
    raise ValueError(
        f'{value!r} is not a duration; write a number and a unit ({", ".join(_UNITS)}), such as "90s" or "1h30m"'
    )


def format_duration(duration: timedelta) -> str:
    """The shortest text that `parse_duration` reads back as `duration`."""
    left = duration // timedelta(milliseconds=1)
    if left <= 0:
        return "0s"
    parts = []
    for unit in ("d", "h", "m", "s", "ms"):
        count, left = divmod(left, _UNITS[unit] // timedelta(milliseconds=1))
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts)


Duration = Annotated[
    timedelta, BeforeValidator(parse_duration), PlainSerializer(format_duration, when_used="json")
]
