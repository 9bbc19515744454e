"""What rows come to under a contract: how many there are, break each rule, repeat a key.

Spark counts, Great Expectations judges (`gate`). Rules are counted by the contract's own predicates, so that no gate
can disagree with another about a row, and as aggregates that any pass over the rows may take along. The library's
metrics take two passes of their own, fetch sample values, which may be personal, with a query per expectation, and put
a window over all rows to find a repeated key.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from cinelake.tables.contract import NotNullShare, Table

# Up to here the key hashes are compared in lists in memory (24 bytes a row, spread over the tasks), which costs half
# of a distinct count; beyond, the distinct count spills to disk as it must.
IN_MEMORY_KEYS = 8_000_000

# Spark's object aggregation falls back to sorting above 128 groups.
_KEY_BUCKETS = 64

_PREFIX = "_breaks_"


@dataclass(frozen=True)
class Tally:
    """`broken` has the rows against each rule, `surplus` is the number of rows less that of keys."""

    rows: int
    broken: dict[str, int] = field(default_factory=dict)
    surplus: int = 0


def predicates(table: Table) -> dict[str, str]:
    """What every row of a good frame, or with a share most rows, should satisfy: by rule, in contract order."""
    shares = (check for check in table.frame_checks if isinstance(check, NotNullShare))
    return table.rules | {check.name: f"{check.columns[0]} IS NOT NULL" for check in shares}


def breaches(table: Table, among: Column | None = None) -> list[Column]:
    """Aggregates that count the rows against each rule, of all or of those `among`; `broken` reads them."""
    against = {name: ~F.expr(f"({sql})") for name, sql in predicates(table).items()}
    return [
        F.count_if(is_broken if among is None else among & is_broken).alias(f"{_PREFIX}{name}")
        for name, is_broken in against.items()
    ]


def broken(table: Table, groups: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """The rows against each rule, from the groups of an aggregation with `breaches`; there may be none."""
    found = list(groups)
    return {rule: sum(group[f"{_PREFIX}{rule}"] for group in found) for rule in predicates(table)}


def surplus(table: Table, frame: DataFrame, rows: int, hash_column: str | None = None) -> int:
    """How many of the frame's `rows` repeat the key of another; none where the contract lets keys repeat.

    `hash_column` names a column with a 64-bit hash of the key, which spares computing it. Equal hashes are confirmed
    by comparing the keys themselves, so that a collision counts for nothing.
    """
    if not table.unique_key or rows < 2:
        return 0
    hashed = F.col(hash_column) if hash_column else F.xxhash64(*table.key)
    if not _surplus_hashes(frame.select(hashed.alias("hash")), rows):
        return 0
    return rows - frame.select(*table.key).distinct().count()


def tally(table: Table, frame: DataFrame, hash_column: str | None = None) -> Tally:
    """The tally of a whole frame, in two queries."""
    groups = frame.agg(F.count("*").alias("rows"), *breaches(table)).toArrow().to_pylist()
    rows = groups[0]["rows"]
    return Tally(rows, broken(table, groups), surplus(table, frame, rows, hash_column))


def _surplus_hashes(hashes: DataFrame, rows: int) -> int:
    if rows > IN_MEMORY_KEYS:
        return rows - hashes.distinct().count()
    # 2 M rows, CPU seconds: lists per bucket 0.8, distinct count 1.5, window per key (the library's way) over 4.
    more = F.size("hashes") - F.size(F.array_distinct("hashes"))
    counted = (
        hashes.groupBy(F.col("hash").bitwiseAND(_KEY_BUCKETS - 1).alias("bucket"))
        .agg(F.collect_list("hash").alias("hashes"))
        .agg(F.sum(more).alias("surplus"))
        .first()
    )
    assert counted is not None
    return int(counted["surplus"])
