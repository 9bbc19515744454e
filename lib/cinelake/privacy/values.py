"""Personal values as they were delivered: what must not be found from silver on.

Grain: one row a value, with the kind of thing that the source's column says it is.

Method: values come from the columns of bronze that are marked as personal. Some of them can be told from anything
else wherever they stand: those of six characters or more that hold a digit among other characters, an @, a colon or
a space, such as mail addresses, IP addresses, ids like `a-4f02` and full names. The others (`42`, `Mia`) are only
compared with whole texts, and left out where the same word stands in a column that is not personal.

Caveats: numbers are no values here, so places are not sought; nor is free text, for what people type are titles and
common words. What retention has removed from bronze is no longer known.
"""

from __future__ import annotations

from collections.abc import Callable

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, StringType

from cinelake.sources.bronze import payload
from cinelake.sources.source import Source

EVENT_ID = "event_id"
NOT_SOUGHT = ("free text", "place")
SHORTEST = 6


def told(bronze: DataFrame, source: Source) -> DataFrame:
    """Every text in a source's records: `value, kind`; the kind is null for what is not personal."""
    kinds: dict[str, str | None] = {
        column.name: column.personal
        for column in source.columns
        if isinstance(column.type, StringType)
        or (isinstance(column.type, ArrayType) and isinstance(column.type.elementType, StringType))
    }
    many = {column.name for column in source.columns if isinstance(column.type, ArrayType)}
    if source.personal:
        kinds[EVENT_ID] = "event id"
    sought = {name: kind for name, kind in kinds.items() if kind not in NOT_SOUGHT}
    typed = payload(bronze, source)
    each = [
        F.transform(F.col(name) if name in many else F.array(name), _with_kind(kind))
        for name, kind in sought.items()
    ]
    pairs = typed.select(F.explode(F.flatten(F.array_compact(F.array(*each)))).alias("_pair"))
    lowered = pairs.select(F.lower(F.trim("_pair.value")).alias("value"), "_pair.kind")
    return lowered.where(F.length("value") > 0).distinct()


def personal_values(texts: DataFrame) -> DataFrame:
    """`told` of all sources → `value, kind, is_distinctive`."""
    kinds = texts.groupBy("value").agg(
        F.min("kind").alias("kind"), F.count_if(F.col("kind").isNull()).alias("_common")
    )
    known = kinds.where(F.col("kind").isNotNull()).select(
        "value", "kind", "_common", _is_distinctive("value").alias("is_distinctive")
    )
    return known.where(F.col("is_distinctive") | (F.col("_common") == 0)).drop("_common")


def _with_kind(kind: str | None) -> Callable[[Column], Column]:
    def pair(value: Column) -> Column:
        return F.struct(value.alias("value"), F.lit(kind).cast("string").alias("kind"))

    return pair


def _is_distinctive(name: str) -> Column:
    has_digit_and_more = F.col(name).rlike(r"[0-9]") & F.col(name).rlike(r"[^0-9]")
    return (F.length(name) >= SHORTEST) & (has_digit_and_more | F.col(name).rlike(r"[@:\s]"))
