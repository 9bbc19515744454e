"""The contract of a table: one value from which everything that describes the table is derived.

A `Table` states what one row is (grain), its typed columns, its key, the day column that windows replace,
its physical layout, what is personal, how long rows are kept, and the rules rows must obey. The DDL, the
read schema, the quarantine predicates, the Great Expectations suite and the documentation all come from it.

A `Model` is the other thing that a job may read or write: a name in the MLflow registry.

Declaring nonsense raises `ContractError` where the value is made, that is, when the module is imported.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import isfinite

from pyspark.sql.types import (
    ArrayType,
    DataType,
    DateType,
    DoubleType,
    FloatType,
    MapType,
    NumericType,
    StringType,
    StructField,
    StructType,
    VariantType,
)

IDENTIFIER = re.compile(r"[a-z][a-z0-9_]*")
WORD = re.compile(r"(?<![.\w])[a-z_]\w*(?!\w|\s*\()")
STRING = re.compile(r"r?'(?:[^'\\]|\\.)*'")


class ContractError(ValueError):
    """A contract contradicts itself; the message names the table and what to change."""


class Layer(StrEnum):
    """How far rows have come: as received, cleaned, derived; or the lake's own books."""

    BRONZE = "bronze"
    SILVER = "silver"
    GOLD = "gold"
    SYSTEM = "system"


class Kind(StrEnum):
    """Who writes a table: one job, people through a command, the runtime, or a live stream."""

    MANAGED = "managed"
    EXTERNAL = "external"
    SYSTEM = "system"
    LIVE = "live"


class Partition(StrEnum):
    """How the window column is laid out on disk.

    `DAY` makes a window exactly its files. `MONTH` suits facts that are sparse over decades, where a file a
    day would be thousands of tiny files; a day's rows still stand in files of their own until compacted.
    """

    DAY = "day"
    MONTH = "month"


@dataclass(frozen=True)
class Column:
    """One column of a Spark type.

    `required` columns are never null. `personal` names what personal thing the column holds ("account id",
    "mail address", "free text"); such a column may stand in bronze and silver, never in gold.
    """

    name: str
    type: DataType
    comment: str
    required: bool = False
    personal: str | None = None


@dataclass(frozen=True)
class Check:
    """A rule for one row, as a SQL predicate: a row breaks it when the predicate is false.

    As in a SQL CHECK constraint, null is not a breach; say `required=True` on the column for that.
    """

    name: str
    columns: tuple[str, ...]
    sql: str


@dataclass(frozen=True)
class Between(Check):
    """Values lie in `[low, high]`; either bound may be missing."""

    low: float | int | None = None
    high: float | int | None = None


@dataclass(frozen=True)
class OneOf(Check):
    """Values come from a closed list."""

    values: tuple[str, ...] = ()


@dataclass(frozen=True)
class Matches(Check):
    """Values match a Java regular expression from start to end."""

    pattern: str = ""

    @property
    def regex(self) -> str:
        """`pattern` with both ends tied down; `$` would let a line break follow."""
        return rf"\A(?:{self.pattern})\z"


@dataclass(frozen=True)
class FrameCheck:
    """A rule for all the rows that one write brings, which no single row can break.

    It is audited, never quarantined: when it fails, nothing of that write is published.
    """

    name: str
    columns: tuple[str, ...] = ()


@dataclass(frozen=True)
class RowCount(FrameCheck):
    """A write brings at least `low` and at most `high` rows."""

    low: int | None = None
    high: int | None = None


@dataclass(frozen=True)
class NotNullShare(FrameCheck):
    """At least this share, between 0 and 1, of a nullable column's values is there."""

    at_least: float = 1.0


def between(
    column: str, low: float | int | None = None, high: float | int | None = None
) -> Between:
    """`low <= column <= high`, for numbers."""
    if not all(bound is None or isfinite(bound) for bound in (low, high)):
        raise ContractError(f"between({column!r}): a bound is not finite; leave it out")
    if low is not None and high is not None and low > high:
        raise ContractError(f"between({column!r}): low={low} exceeds high={high}")
    bounds = [
        f"{column} >= {low}" if low is not None else "",
        f"{column} <= {high}" if high is not None else "",
    ]
    sql = " AND ".join(bound for bound in bounds if bound)
    if not sql:
        raise ContractError(f"between({column!r}) has neither a low nor a high bound; give one")
    return Between(f"{column}_in_range", (column,), sql, low, high)


def one_of(column: str, *values: str) -> OneOf:
    """`column` holds one of `values`."""
    if not values:
        raise ContractError(f"one_of({column!r}) lists no values")
    listed = ", ".join(_sql_string(value) for value in values)
    return OneOf(f"{column}_is_known", (column,), f"{column} IN ({listed})", values)


def matches(column: str, pattern: str) -> Matches:
    """The whole of `column` matches the regular expression `pattern`."""
    if "'" in pattern:
        raise ContractError(f"matches({column!r}): write the quote mark in {pattern!r} as \\x27")
    name = f"{column}_is_well_formed"
    regex = Matches(name, (column,), "", pattern).regex
    return Matches(name, (column,), f"{column} RLIKE r'{regex}'", pattern)


def satisfies(name: str, sql: str, *columns: str) -> Check:
    """Any other row rule; `columns` are those that `sql` speaks of."""
    return Check(name, columns, sql)


def row_count(low: int | None = None, high: int | None = None) -> RowCount:
    """Each write brings between `low` and `high` rows."""
    if low is None and high is None:
        raise ContractError("row_count() has neither a low nor a high bound; give one")
    if low is not None and high is not None and low > high:
        raise ContractError(f"row_count(): low={low} exceeds high={high}")
    return RowCount("row_count_in_range", (), low, high)


def not_null_share(column: str, at_least: float) -> NotNullShare:
    """At least the share `at_least` (0 to 1) of `column` is not null in each write."""
    if not 0 < at_least <= 1:
        raise ContractError(
            f"not_null_share({column!r}): at_least={at_least} is no share; give 0 < x <= 1"
        )
    return NotNullShare(f"{column}_is_mostly_there", (column,), at_least)


def _sql_string(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


# Which types of column the ready-made checks are for, and how to say it.
_CHECKABLE: tuple[tuple[type[Check], type[DataType], str], ...] = (
    (Between, NumericType, "a number"),
    (OneOf, StringType, "a string"),
    (Matches, StringType, "a string"),
)


@dataclass(frozen=True)
class Table:
    """One table of the lake.

    `window` is the DATE column that windows replace. `growing` tables are only ever added to (the id maps);
    their rows depend on the order of arrival and are exempt from "the same rows". `unique_key=False` is for
    bronze, where a record stands as often as it was received. `retention_days` counts back from the newest
    day of data; None keeps rows for ever.
    """

    name: str
    area: str
    layer: Layer
    grain: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    window: str | None = None
    partition: Partition | None = None
    cluster: tuple[str, ...] = ()
    kind: Kind = Kind.MANAGED
    growing: bool = False
    unique_key: bool = True
    retention_days: int | None = None
    checks: tuple[Check, ...] = ()
    frame_checks: tuple[FrameCheck, ...] = ()

    def __post_init__(self) -> None:
        problems = list(self._problems())
        if problems:
            raise ContractError(f"table {self.name!r}: " + "; ".join(problems))

    # Two contracts of one name never meet in a run, so the name identifies; hashing all columns would be waste.
    def __hash__(self) -> int:
        return hash(self.name)

    def column(self, name: str) -> Column:
        """The column called `name`; raises KeyError otherwise."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(
            f"table {self.name!r} has no column {name!r}; it has {', '.join(self.names)}"
        )

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    @property
    def required(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns if column.required)

    @property
    def personal(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns if column.personal)

    @property
    def schema(self) -> StructType:
        """The read schema; comments ride along as metadata."""
        return StructType(
            [
                StructField(c.name, c.type, not c.required, {"comment": c.comment})
                for c in self.columns
            ]
        )

    @property
    def rules(self) -> dict[str, str]:
        """Reason → SQL predicate that a good row fulfils; the quarantine gate evaluates these."""
        absent = {f"{name}_is_missing": f"{name} IS NOT NULL" for name in self.required}
        return absent | {check.name: check.sql for check in self.checks}

    @property
    def contract_hash(self) -> str:
        """Changes when anything that shapes rows changes; comments do not count."""
        shape = {
            "columns": [(c.name, c.type.simpleString(), c.required) for c in self.columns],
            "key": self.key,
            "window": self.window,
            "rules": self.rules,
        }
        return hashlib.sha256(json.dumps(shape, sort_keys=True).encode()).hexdigest()[:16]

    def _problems(self) -> Iterable[str]:
        yield from self._naming_problems()
        names = set(self.names)
        if not self.grain:
            yield "it has no grain; say what one row is"
        yield from _unknown("key", self.key, names)
        yield from _unknown("cluster", self.cluster, names)
        yield from self._check_problems()
        yield from self._layout_problems()
        yield from self._type_problems()
        if not self.key:
            yield "it has no key; name the columns that identify a row"
        optional = [name for name in self.key if name in names and not self.column(name).required]
        if optional:
            yield f"key column {optional[0]!r} may be null; declare it required=True"
        if self.layer is Layer.GOLD and self.personal:
            yield f"personal column {self.personal[0]!r} in gold; drop it or keep the table in silver"
        if len(set(self.key)) < len(self.key):
            yield f"key {', '.join(self.key)} names a column twice"
        if self.growing and not self.unique_key:
            yield "growing, but unique_key=False; rows are added by key, so the key must be unique"
        if self.retention_days is not None and not self.window:
            yield "retention_days without a window column; there is no day to count from"
        if self.retention_days is not None and self.retention_days < 1:
            yield f"retention_days={self.retention_days}; give at least 1, or None to keep rows"

    def _check_problems(self) -> Iterable[str]:
        names = set(self.names)
        checks: list[Check | FrameCheck] = [*self.checks, *self.frame_checks]
        for any_check in checks:
            if not IDENTIFIER.fullmatch(any_check.name):
                yield f"check {any_check.name!r}: the name is not a lower-case identifier"
            yield from _unknown(f"check {any_check.name!r}", any_check.columns, names)
        for check in self.checks:
            if not check.columns:
                yield f"check {check.name!r} names no columns; list those that its SQL speaks of"
            if not check.sql:
                yield f"check {check.name!r} has no SQL"
            unlisted = names & set(WORD.findall(STRING.sub("", check.sql))) - set(check.columns)
            if unlisted:
                yield f"check {check.name!r} speaks of {min(unlisted)!r} but does not list that column"
            for kind, wanted, example in _CHECKABLE:
                for name in names & set(check.columns):
                    data_type = self.column(name).type
                    if isinstance(check, kind) and not isinstance(data_type, wanted):
                        yield f"check {check.name!r}: column {name!r} is {data_type.simpleString()}, not {example}"
        for share in self.frame_checks:
            if isinstance(share, NotNullShare) and share.columns[0] in self.required:
                yield f"check {share.name!r}: column {share.columns[0]!r} is required, so it is always there"

    def _naming_problems(self) -> Iterable[str]:
        for name in (self.name, self.area, *self.names):
            if not IDENTIFIER.fullmatch(name):
                yield f"{name!r} is not a lower-case identifier"
        doubled = sorted({name for name in self.names if self.names.count(name) > 1})
        if doubled:
            yield f"column {doubled[0]!r} is declared twice"
        # The last is the audit's own name for the key.
        rules = [f"{name}_is_missing" for name in self.required] + ["key_is_unique"]
        rules += [check.name for check in self.checks] + [check.name for check in self.frame_checks]
        repeated = sorted({name for name in rules if rules.count(name) > 1})
        if repeated:
            yield f"check {repeated[0]!r} is declared twice"
        for column in self.columns:
            if not column.comment:
                yield f"column {column.name!r} has no comment; say what it holds, and its unit"

    def _layout_problems(self) -> Iterable[str]:
        names = set(self.names)
        yield from _unknown("window", [self.window] if self.window else [], names)
        if self.window in names:
            window = self.column(self.window or "")
            if not isinstance(window.type, DateType):
                actual = window.type.simpleString()
                yield f"window column {self.window!r} is {actual}; windows are days, so it must be a date"
            if not window.required:
                yield f"window column {self.window!r} may be null; declare it required=True"
        if self.partition and not self.window:
            yield f"partition={self.partition} without a window column"
        if self.partition and self.cluster:
            yield "both partitioned and clustered; Delta allows one of the two"
        if len(self.cluster) > 4:
            yield f"clustered by {len(self.cluster)} columns; Delta allows four"
        if self.kind in (Kind.MANAGED, Kind.EXTERNAL) and not self.window:
            yield f"a table of kind {self.kind} needs a window column: what changed is found by day"

    def _type_problems(self) -> Iterable[str]:
        names = set(self.names)
        for column in self.columns:
            if _holds(column.type, MapType):
                yield f"column {column.name!r} holds a map, which has no order; use an array of structs"
        for name in (*self.key, *self.cluster):
            if name in names and _holds(self.column(name).type, VariantType):
                yield f"column {name!r} is a VARIANT and cannot be part of a key or layout"
        for name in self.key:
            if name in names and isinstance(self.column(name).type, FloatType | DoubleType):
                yield f"key column {name!r} is floating point, which has no dependable equality; use a decimal"


@dataclass(frozen=True)
class Model:
    """A registered model that jobs pass to one another; `description` becomes its page in the registry.

    Its versions' cards say in sentences what it is `not_for`, and where it is `weak` whatever was measured.
    """

    name: str
    area: str
    description: str
    not_for: tuple[str, ...] = ()
    weak: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not IDENTIFIER.fullmatch(self.name) or not IDENTIFIER.fullmatch(self.area):
            raise ContractError(
                f"model {self.name!r} of area {self.area!r}: names are lower-case identifiers"
            )


def _unknown(what: str, wanted: Sequence[str], names: set[str]) -> Iterable[str]:
    for name in wanted:
        if name not in names:
            yield f"{what} names the unknown column {name!r}"


def _holds(data_type: DataType, kind: type[DataType]) -> bool:
    if isinstance(data_type, kind):
        return True
    if isinstance(data_type, ArrayType):
        return _holds(data_type.elementType, kind)
    if isinstance(data_type, StructType):
        return any(_holds(f.dataType, kind) for f in data_type.fields)
    return False
