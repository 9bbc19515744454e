"""Where personal values stand in texts: tables' columns, Delta's statistics, MLflow, log files.

Grain: one row a place and kind of personal value, with the number of rows or lines that hold one. Never the value.

Method: a distinctive value is sought anywhere in a text, another only as a whole text. To compare each value with
each text is out of the question, so pairs are found by a word that both have, as set-similarity joins do (Chaudhuri,
Ganti, Kaushik: A primitive operator for similarity joins in data cleaning, 2006): of a value's words the one that is
rarest among all values is looked up among the words of the texts, and only such a pair is compared in full. Upper
and lower case are the same. Where a word ends is a matter of opinion (`bob@x.org:`, `a-4f02.json`), so a text is cut
into words in several ways.

Caveat: a value is not found where it is part of a longer word by every one of these ways, or is encoded.
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, DataType, MapType, StringType, StructType, VariantType

# What may stand inside a word beside letters and digits; the first way is the one that cuts values.
INSIDE = ("@._:+-", "@._+-", "@.+-", "_-", "-")


def table_texts(frame: DataFrame, columns: dict[str, DataType], name: str) -> DataFrame:
    """The texts of a table's columns: `place, text, whole, rows`; numbers and times hold none.

    `whole` are the parts of a text that are texts by themselves.
    """
    shown = {column: kind for column, kind in columns.items() if _has_text(kind)}
    if not shown:
        return (
            frame.select(
                F.lit("").alias("place"), F.lit("").alias("text"), F.array(F.lit("")).alias("whole")
            )
            .selectExpr("*", "1L AS rows")
            .limit(0)
        )
    each = [
        F.struct(
            F.lit(f"{name}.{column}").alias("place"),
            _as_text(column, kind).alias("text"),
            _as_whole(column, kind).alias("whole"),
        )
        for column, kind in shown.items()
    ]
    texts = frame.select(F.explode(F.array(*each)).alias("_text")).select("_text.*")
    present = texts.where(F.col("text").isNotNull())
    return present.groupBy("place", "text", "whole").agg(F.count("*").alias("rows"))


def anchored(values: DataFrame) -> DataFrame:
    """Values with the word by which each is found: `value, kind, is_distinctive, anchor`."""
    words = values.where("is_distinctive").select(
        "value", F.explode(F.array_distinct(_words("value", INSIDE[0]))).alias("_word")
    )
    often = words.groupBy("_word").agg(F.count("*").alias("_often"))
    rarest = words.join(often, "_word", "inner").groupBy("value")
    by_word = rarest.agg(
        F.min(F.struct("_often", (-F.length("_word")).alias("_length"), "_word")).alias("_rarest")
    ).select("value", F.col("_rarest._word").alias("_anchor"))
    # A value without a letter or digit is no word, and is found as a whole or not at all.
    return values.join(by_word, "value", "left").select(
        "value", "kind", "is_distinctive", F.coalesce("_anchor", "value").alias("anchor")
    )


def found(texts: DataFrame, values: DataFrame) -> DataFrame:
    """Pairs of a text and a personal value in it: `place, text, rows, value, kind`."""
    lowered = texts.select(
        "place",
        F.lower("text").alias("text"),
        F.transform("whole", lambda part: F.lower(F.trim(part))).alias("whole"),
        "rows",
    )
    columns = ("place", "text", "rows", "value", "kind")
    parts = lowered.select("*", F.explode(F.array_distinct("whole")).alias("_part"))
    as_whole = parts.join(
        values.where("NOT is_distinctive"), F.col("_part") == F.col("value"), "inner"
    )
    words = F.array_distinct(F.flatten(F.array(*(_words("text", inside) for inside in INSIDE))))
    cut = lowered.select("*", F.explode(words).alias("_word"))
    paired = cut.join(
        values.where("is_distinctive"), F.col("_word") == F.col("anchor"), "inner"
    ).where(F.contains("text", "value"))
    return as_whole.select(*columns).unionByName(paired.select(*columns))


def without_public(values: DataFrame, public: DataFrame) -> DataFrame:
    """The values that do not stand in `public` texts: a holder's name that an actor has, too, betrays nobody."""
    return values.join(found(public, values).select("value"), "value", "left_anti")


def counted(pairs: DataFrame) -> DataFrame:
    """`found` → `place, kind, rows`."""
    once = pairs.select("place", "text", "kind", "rows").distinct()
    return once.groupBy("place", "kind").agg(F.sum("rows").alias("rows"))


def _words(column: str, inside: str) -> Column:
    signs = inside.replace("-", r"\-")
    edge = r"[\p{L}\p{N}]"
    return F.regexp_extract_all(
        F.col(column), F.lit(rf"{edge}(?:[\p{{L}}\p{{N}}{signs}]*{edge})?"), F.lit(0)
    )


def _has_text(kind: DataType) -> bool:
    match kind:
        case StringType() | VariantType():
            return True
        case ArrayType():
            return _has_text(kind.elementType)
        case MapType():
            return _has_text(kind.keyType) or _has_text(kind.valueType)
        case StructType():
            return any(_has_text(field.dataType) for field in kind.fields)
    return False


def _as_text(column: str, kind: DataType) -> Column:
    if isinstance(kind, StringType):
        return F.col(column)
    return F.to_json(F.struct(column)) if not _is_list(kind) else F.array_join(column, "\n")


def _as_whole(column: str, kind: DataType) -> Column:
    if isinstance(kind, StringType):
        return F.array(column)
    return F.col(column) if _is_list(kind) else F.array().cast("array<string>")


def _is_list(kind: DataType) -> bool:
    return isinstance(kind, ArrayType) and isinstance(kind.elementType, StringType)
