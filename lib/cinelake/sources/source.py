"""A source: one kind of record that a service delivers, and what a good record looks like.

Records land as JSON Lines (RFC 8259, one object a line, UTF-8) under
`<source>/date=YYYY-MM-DD/hour=HH/*.jsonl` or `*.jsonl.gz`, by the hour of receipt. A record is flat: the
envelope, which is the same for every source, and beside it the payload that `Source.columns` declares.
Unknown fields are kept. Lines of white space only are no records.

A line that the deliverer itself could make no sense of is delivered all the same, with the envelope's
`rejected` in place of `event_time` and payload, so that nothing is lost and counts agree.

`Source.json_schema()` states all this for those who write records; it is what ingestion enforces.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pyspark.sql.types import (
    ArrayType,
    BooleanType,
    DataType,
    DateType,
    DoubleType,
    IntegerType,
    LongType,
    StringType,
    TimestampType,
)

from cinelake.tables.contract import (
    IDENTIFIER,
    Between,
    Check,
    Column,
    ContractError,
    Matches,
    OneOf,
)

# A time without its zone means another moment elsewhere, so the zone is part of the form.
TIME_PATTERN = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]{1,6})?(Z|[+-][0-9]{2}:[0-9]{2})"
DATE_PATTERN = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"

ENVELOPE: tuple[Column, ...] = (
    Column(
        "event_id",
        StringType(),
        "Identifies the event; a record delivered again carries the same one",
        required=True,
    ),
    Column(
        "schema_version",
        IntegerType(),
        "Version of the source's schema that the record was written by",
        required=True,
    ),
    Column(
        "event_time",
        TimestampType(),
        "When it happened, by the client's clock (ISO 8601 with zone)",
        required=True,
    ),
    Column(
        "received_at",
        TimestampType(),
        "When the collector received the record, by the collector's clock (ISO 8601 with zone)",
        required=True,
    ),
)
REJECTED = "rejected"

SCALARS: dict[type[DataType], dict[str, Any]] = {
    StringType: {"type": "string"},
    BooleanType: {"type": "boolean"},
    IntegerType: {"type": "integer", "minimum": -(2**31), "maximum": 2**31 - 1},
    LongType: {"type": "integer", "minimum": -(2**63), "maximum": 2**63 - 1},
    DoubleType: {"type": "number"},
    TimestampType: {"type": "string", "format": "date-time", "pattern": f"^{TIME_PATTERN}$"},
    DateType: {"type": "string", "format": "date", "pattern": f"^{DATE_PATTERN}$"},
}


@dataclass(frozen=True)
class Source:
    """One kind of landed record.

    `columns` are the payload, `checks` the rules that a record's payload obeys. `schema_version` is the
    newest version known; records of older versions are still read, so a change of a version only adds
    columns that may be absent.

    Raises ContractError when the declaration contradicts itself.
    """

    name: str
    description: str
    columns: tuple[Column, ...]
    checks: tuple[Check, ...] = ()
    schema_version: int = 1

    def __post_init__(self) -> None:
        problems = list(self._problems())
        if problems:
            raise ContractError(f"source {self.name!r}: " + "; ".join(problems))

    def __hash__(self) -> int:
        return hash(self.name)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    @property
    def bronze(self) -> str:
        """The name of the table that its records come into."""
        return f"bronze_{self.name}"

    @property
    def personal(self) -> tuple[str, ...]:
        """What personal things a record holds, in words."""
        return tuple(dict.fromkeys(c.personal for c in self.columns if c.personal))

    def json_schema(self) -> dict[str, Any]:
        """The JSON Schema (draft 2020-12) of one record.

        A check that JSON Schema has no word for is given in the description of its first column.
        """
        properties = {column.name: _property(column) for column in (*ENVELOPE, *self.columns)}
        properties["event_id"]["minLength"] = 1
        properties["schema_version"] = _property(ENVELOPE[1]) | {
            "minimum": 1,
            "maximum": self.schema_version,
        }
        for check in self.checks:
            _add_check(properties, check)
        properties[REJECTED] = _rejected()
        good = [column.name for column in (*ENVELOPE, *self.columns) if column.required]
        return {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": self.name,
            "description": self.description,
            "type": "object",
            "properties": properties,
            "anyOf": [
                {"required": good, "properties": {REJECTED: False}},
                {"required": ["event_id", "schema_version", "received_at", REJECTED]},
            ],
            "additionalProperties": True,
        }

    def _problems(self) -> Iterable[str]:
        if not self.description:
            yield "it has no description; say what one record is"
        if self.schema_version < 1:
            yield f"schema_version={self.schema_version}; versions count from 1"
        if not self.columns:
            yield "it has no columns; declare the payload"
        for name in (self.name, *self.names):
            if not IDENTIFIER.fullmatch(name):
                yield f"{name!r} is not a lower-case identifier"
        for name in sorted({name for name in self.names if self.names.count(name) > 1}):
            yield f"column {name!r} is declared twice"
        for column in self.columns:
            yield from _column_problems(column)
        for check in self.checks:
            if not check.columns:
                yield f"check {check.name!r} names no columns; list those that its SQL speaks of"
            for name in check.columns:
                if name not in self.names:
                    yield f"check {check.name!r} names the unknown column {name!r}"


def _column_problems(column: Column) -> Iterable[str]:
    if column.name in {envelope.name for envelope in ENVELOPE} | {REJECTED}:
        yield f"column {column.name!r} belongs to the envelope; choose another name"
    if not column.comment:
        yield f"column {column.name!r} has no comment; say what it holds, and its unit"
    if not _is_supported(column.type):
        known = ", ".join(kind().simpleString() for kind in SCALARS)
        yield (
            f"column {column.name!r} is {column.type.simpleString()}; "
            f"a payload holds {known}, and arrays of these"
        )


def _is_supported(kind: DataType) -> bool:
    if isinstance(kind, ArrayType):
        return type(kind.elementType) in SCALARS
    return type(kind) in SCALARS


def _property(column: Column) -> dict[str, Any]:
    if isinstance(column.type, ArrayType):
        shape: dict[str, Any] = {
            "type": "array",
            "items": dict(SCALARS[type(column.type.elementType)]),
        }
    else:
        shape = dict(SCALARS[type(column.type)])
    if not column.required:
        shape["type"] = [shape["type"], "null"]
    text = column.comment
    if column.personal:
        text += f". Personal: {column.personal}"
        shape["x-personal"] = column.personal
    return {"description": text} | shape


def _add_check(properties: dict[str, dict[str, Any]], check: Check) -> None:
    target = properties[check.columns[0]]
    if isinstance(check, Between):
        bounds = {"minimum": check.low, "maximum": check.high}
        target |= {word: bound for word, bound in bounds.items() if bound is not None}
    elif isinstance(check, OneOf):
        # An absent value breaks no check, and JSON Schema's enum would forbid null.
        nothing = [None] if isinstance(target["type"], list) else []
        target["enum"] = [*check.values, *nothing]
    elif isinstance(check, Matches):
        target["pattern"] = f"^(?:{check.pattern})$"
    else:
        target["description"] += f". Rule {check.name}: {check.sql}"


def _rejected() -> dict[str, Any]:
    return {
        "description": "Instead of a payload: a line that the deliverer could not make sense of",
        "type": "object",
        "properties": {
            "reasons": {
                "description": "Why, as `code` or `code: details`; details repeat no personal value",
                "type": "array",
                "items": {"type": "string"},
                "minItems": 1,
            },
            "file": {"description": "File that the line stood in", "type": "string"},
            "line": {"description": "Number of the line, from 1", "type": "integer", "minimum": 1},
            "text": {"description": "The line as it stood there", "type": "string"},
        },
        "required": ["reasons", "file", "line", "text"],
    }
