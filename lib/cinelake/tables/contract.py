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

from pyspark.sql.types import (
    ArrayType,
    DataType,
    DateType,
    MapType,
    StructField,
    StructType,
    VariantType,
)

IDENTIFIER = re.compile(r"[a-z][a-z0-9_]*")


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


def between(column: str, low: float | int | None = None, high: float | int | None = None) -> Between:
    """`low <= column <= high`, for numbers."""
    bounds = [f"{column} >= {low}" if low is not None else "", f"{column} <= {high}" if high is not None else ""]
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
    anchored = f"^(?:{pattern})$"
    return Matches(f"{column}_is_well_formed", (column,), f"{column} RLIKE r{_sql_string(anchored)}", pattern)


def satisfies(name: str, sql: str, *columns: str) -> Check:
    """Any other row rule; `columns` are those that `sql` speaks of."""
    return Check(name, columns, sql)


def _sql_string(text: str) -> str:
    if "'" in text:
        raise ContractError(f"{text!r}: a quote mark in a check's value is not supported")
    return f"'{text}'"


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
        raise KeyError(f"table {self.name!r} has no column {name!r}; it has {', '.join(self.names)}")

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
        yield from _unknown("key", self.key, names)
        yield from _unknown("cluster", self.cluster, names)
        for check in self.checks:
            yield from _unknown(f"check {check.name!r}", check.columns, names)
        yield from self._layout_problems()
        if not self.key:
            yield "it has no key; name the columns that identify a row"
        optional = [name for name in self.key if name in names and not self.column(name).required]
        if optional:
            yield f"key column {optional[0]!r} may be null; declare it required=True"
        if self.layer is Layer.GOLD and self.personal:
            yield f"personal column {self.personal[0]!r} in gold; drop it or keep the table in silver"
        if self.retention_days is not None and self.retention_days < 1:
            yield f"retention_days={self.retention_days}; give at least 1, or None to keep rows"

    def _naming_problems(self) -> Iterable[str]:
        for name in (self.name, self.area, *self.names):
            if not IDENTIFIER.fullmatch(name):
                yield f"{name!r} is not a lower-case identifier"
        doubled = sorted({name for name in self.names if self.names.count(name) > 1})
        if doubled:
            yield f"column {doubled[0]!r} is declared twice"
        rules = [*(f"{name}_is_missing" for name in self.required), *(c.name for c in self.checks)]
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
                yield f"window column {self.window!r} is {window.type.simpleString()}; windows are days, so it must be a date"
            if not window.required:
                yield f"window column {self.window!r} may be null; declare it required=True"
        if self.partition and not self.window:
            yield f"partition={self.partition} without a window column"
        if self.partition and self.cluster:
            yield "both partitioned and clustered; Delta allows one of the two"
        if self.kind is Kind.MANAGED and not self.window:
            yield "a managed table needs a window column: jobs write windows of days"
        for column in self.columns:
            if _holds(column.type, MapType):
                yield f"column {column.name!r} holds a map, which has no order; use an array of structs"
        for name in (*self.key, *self.cluster):
            if name in names and _holds(self.column(name).type, VariantType):
                yield f"column {name!r} is a VARIANT and cannot be part of a key or layout"


@dataclass(frozen=True)
class Model:
    """A registered model that jobs pass to one another; `description` becomes its page in the registry."""

    name: str
    area: str
    description: str

    def __post_init__(self) -> None:
        if not IDENTIFIER.fullmatch(self.name) or not IDENTIFIER.fullmatch(self.area):
            raise ContractError(f"model {self.name!r} of area {self.area!r}: names are lower-case identifiers")


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
