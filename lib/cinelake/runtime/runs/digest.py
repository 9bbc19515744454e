"""Content digests: whether the rows of a day are the same as before, whatever their order.

Each row is hashed to 64 bits, a day is the count, the exclusive-or and the sum of its rows' hashes, so digests
of parts add up. Integers, strings, decimals and times count exactly; floating point counts to 33 binary digits
(some ten decimal ones), which is how far two runs of the same sum may be told apart.
"""

from __future__ import annotations

from dataclasses import dataclass

from pyspark.sql import Column
from pyspark.sql import functions as F
from pyspark.sql.types import (
    ArrayType,
    DataType,
    DoubleType,
    FloatType,
    StructType,
    VariantType,
)

from cinelake.tables.contract import Table

_MASK = (1 << 64) - 1
# A number less its product with this, added back, keeps 33 of its 53 digits (Veltkamp's splitting; Dekker,
# "A floating-point technique for extending the available precision", 1971). No branch and no logarithm: rounding
# in decimal cost more than the rest of the hash together.
_SPLITTER = float((1 << 20) + 1)


@dataclass(frozen=True)
class Digest:
    """What a set of rows hashes to; `+` joins disjoint sets."""

    rows: int = 0
    xor: int = 0
    total: int = 0

    def __post_init__(self) -> None:
        # Spark hands over signed numbers; equal digests must be equal values.
        object.__setattr__(self, "xor", self.xor & _MASK)
        object.__setattr__(self, "total", self.total & _MASK)

    def __add__(self, other: Digest) -> Digest:
        return Digest(self.rows + other.rows, self.xor ^ other.xor, self.total + other.total)

    def __str__(self) -> str:
        return f"{self.rows:x}.{self.xor:016x}.{self.total:016x}"

    @classmethod
    def parse(cls, text: str) -> Digest:
        rows, xor, total = (int(part, 16) for part in text.split("."))
        return cls(rows, xor, total)


EMPTY = Digest()


def row_hash(table: Table, columns: tuple[str, ...] | None = None) -> Column:
    """`bigint`: the hash of a row of `table`, or of some of its columns."""
    parts: list[Column] = []
    for position, name in enumerate(columns or table.names):
        # xxhash64 passes over nulls; the position keeps (null, x) and (x, null) apart.
        parts += [_hashable(F.col(name), table.column(name).type), F.lit(position)]
    return F.xxhash64(*parts)


def aggregates(row_hash_column: str) -> list[Column]:
    """The columns `rows`, `xor` and `total` of a `groupBy`, from which `Digest(**row)` is made."""
    value = F.col(row_hash_column)
    return [
        F.count(value).alias("rows"),
        F.coalesce(F.bit_xor(value), F.lit(0).cast("bigint")).alias("xor"),
        # Half of each hash, so that the sum of two thousand million rows still fits a bigint.
        F.coalesce(F.sum(value.bitwiseAND(0xFFFFFFFF)), F.lit(0).cast("bigint")).alias("total"),
    ]


def _hashable(value: Column, data_type: DataType) -> Column:
    if isinstance(data_type, VariantType):
        return F.to_json(value)
    if isinstance(data_type, (DoubleType, FloatType)):
        return _rounded(value.cast("double"))
    if isinstance(data_type, ArrayType):
        element = data_type.elementType
        # An empty array would hash like none.
        return F.struct(
            F.size(value), F.transform(value, lambda item: F.xxhash64(_hashable(item, element)))
        )
    if isinstance(data_type, StructType):
        # Each part by itself, so that a null keeps its place.
        fields = data_type.fields
        return F.struct(*(F.xxhash64(_hashable(value[f.name], f.dataType)) for f in fields))
    return value


def _rounded(value: Column) -> Column:
    product = value * F.lit(_SPLITTER)
    leading = product - (product - value)
    # Beyond 1e302 the product overflows, and what is infinite or no number stays what it is; those count exactly.
    # 0.0 + 0.0 folds the two zeros into one.
    return F.nanvl(leading, value) + F.lit(0.0)
