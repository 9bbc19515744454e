"""Landed lines become bronze rows, each beside all the reasons that speak against it.

Grain: one row a landed line; only lines of white space are no records. A line is parsed once, into a
VARIANT that keeps whatever it held, known or not. From it come the envelope, and the verdict on the payload.

Types are JSON's own: a number in quotes is a string, and is turned away where a number is due, and an id
written as a number is turned away where a string is due. Deliverers rely on this: `"4.0"` may hold
full-width digits, `1e3` as an id may not be `1000`.

A client's clock may run ahead of the collector's. Up to `max_clock_ahead` the event is dated by the
record's own `received_at` and the difference is kept; beyond, the record is turned away. So the same record
received twice is dated by at most `max_clock_ahead` differently, and the earlier receipt has the earlier date.

Reasons: `not_utf8`, `unreadable_json` (double keys count), `not_an_object`, `unknown_schema_version`,
`<field>_is_missing`, `<field>_has_wrong_type`, `event_id_is_blank`, `event_time_is_absurd` and
`received_at_is_absurd` (before 1970), `event_time_after_receipt`, the names of the source's checks, and
whatever the deliverer gave for a line that it rejected itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from functools import reduce
from operator import or_

from pyspark.sql import Column as SparkColumn
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import (
    ArrayType,
    BooleanType,
    DataType,
    DateType,
    DoubleType,
    StringType,
    TimestampType,
)

from cinelake.sources.source import DATE_PATTERN, ENVELOPE, REJECTED, TIME_PATTERN, Source
from cinelake.tables.contract import Column

# Clocks that are wrong by hours (zones, daylight saving) are common; beyond a day the date is made up.
MAX_CLOCK_AHEAD = timedelta(days=1)
EPOCH = "TIMESTAMP'1970-01-01T00:00:00Z'"
FORMS: dict[type[DataType], str] = {TimestampType: TIME_PATTERN, DateType: DATE_PATTERN}
ORIGIN = "struct<file:string,line:bigint>"


def bronze_rows(
    landed: DataFrame, source: Source, *, max_clock_ahead: timedelta = MAX_CLOCK_AHEAD
) -> DataFrame:
    """`landed(value, file)` → the columns of the source's bronze table, `_reasons`, `_raw` and `_origin`.

    `_raw` and `_origin` are null where there are no reasons.
    """
    records = landed.where(holds_record()).select(
        "value", "file", F.try_parse_json("value").alias("record")
    )
    fields = records.select("*", F.try_variant_get("record", "$", _shape(source)).alias("_field"))
    kinds = fields.select("*", *(_kind(name) for name in (*_known(source), REJECTED)))
    texts = kinds.select(
        "*",
        *(
            F.try_variant_get(F.col(f"_field.{column.name}"), "$", "string").alias(
                f"_text_{column.name}"
            )
            for column in (*ENVELOPE, *source.columns)
            if type(column.type) in FORMS
        ),
    )
    values = texts.select(
        *records.columns,
        *(f"_kind_{name}" for name in _known(source)),
        F.col("_field").isNotNull().alias("_is_object"),
        *(_value(column).alias(column.name) for column in (*ENVELOPE, *source.columns)),
        # The deliverer's words are only looked at where it spoke.
        F.when(_is_present(REJECTED), F.col(f"_field.{REJECTED}")).alias("_rejected"),
    )
    verdicts = values.select("*", _reasons(source, max_clock_ahead).alias("_reasons"))
    bad = F.size("_reasons") > 0
    is_ahead = F.col("event_time") > F.col("received_at")
    happened = F.least("event_time", "received_at")
    return verdicts.select(
        "event_id",
        "schema_version",
        happened.alias("event_time"),
        happened.cast("date").alias("event_date"),
        "received_at",
        F.when(is_ahead, F.expr("timestampdiff(MILLISECOND, received_at, event_time)")).alias(
            "clock_ahead_ms"
        ),
        "record",
        "_reasons",
        F.when(bad, _raw()).alias("_raw"),
        F.when(bad, _origin()).alias("_origin"),
    )


def holds_record() -> SparkColumn:
    """Whether a landed line is a record: one of white space only is none."""
    return F.col("value").rlike(r"\S")


def payload(bronze: DataFrame, source: Source, *names: str) -> DataFrame:
    """Bronze rows with the payload as typed columns in place of the VARIANT; some of it when `names` are given."""
    columns = [column for column in source.columns if not names or column.name in names]
    shape = ",".join(f"{column.name}:{column.type.simpleString()}" for column in columns)
    own = [name for name in bronze.columns if name != "record"]
    typed = F.try_variant_get("record", "$", f"struct<{shape}>").alias("_payload")
    return bronze.select(*own, typed).select(*own, "_payload.*")


# ---- the fields of a record


def _known(source: Source) -> tuple[str, ...]:
    return tuple(column.name for column in (*ENVELOPE, *source.columns))


# All fields in one walk over the record: a path look-up each costs ten times as much.
def _shape(source: Source) -> str:
    return f"struct<{','.join(f'{name}:variant' for name in (*_known(source), REJECTED))}>"


def _kind(name: str) -> SparkColumn:
    return F.schema_of_variant(F.col(f"_field.{name}")).alias(f"_kind_{name}")


def _is_present(name: str) -> SparkColumn:
    """JSON's null says the same as an absent field."""
    kind = F.col(f"_kind_{name}")
    return kind.isNotNull() & (kind != "VOID")


def _value(column: Column) -> SparkColumn:
    """The typed value; null unless the JSON type is the one that is due."""
    field, due = F.col(f"_field.{column.name}"), _is_of(F.col(f"_kind_{column.name}"), column.type)
    if type(column.type) in FORMS:
        text = F.col(f"_text_{column.name}")
        return F.when(due & _is_well_formed(text, column.type), text.try_cast(column.type))
    value = F.try_variant_get(field, "$", column.type.simpleString())
    if isinstance(column.type, ArrayType):
        return F.when(due & ~F.exists(value, lambda item: item.isNull()), value)
    return F.when(due, value)


def _is_well_formed(text: SparkColumn, kind: DataType) -> SparkColumn:
    """Spark reads more forms than ours, among them times without a date, which take today's."""
    form = text.rlike(rf"\A{FORMS[type(kind)]}\z")
    if isinstance(kind, TimestampType):
        # Most times look like this, and it costs a third; what is no digit the cast finds.
        usual = (F.length(text) == 20) & text.endswith("Z") & (F.substring(text, 11, 1) == "T")
        return usual | form
    return form


def _is_of(kind: SparkColumn, wanted: DataType) -> SparkColumn:
    """Whether `schema_of_variant` names a JSON type that stands for `wanted`."""
    if isinstance(wanted, ArrayType):
        element = F.regexp_extract(kind, r"\AARRAY<(.*)>\z", 1)
        # An empty array has elements of no type.
        return kind.startswith("ARRAY<") & (
            (element == "VOID") | _is_of(element, wanted.elementType)
        )
    if isinstance(wanted, StringType | TimestampType | DateType):
        return kind == "STRING"
    if isinstance(wanted, BooleanType):
        return kind == "BOOLEAN"
    if isinstance(wanted, DoubleType):
        return kind.isin("BIGINT", "DOUBLE") | kind.startswith("DECIMAL")
    return kind == "BIGINT"


# ---- the verdict


def _reasons(source: Source, max_clock_ahead: timedelta) -> SparkColumn:
    given = F.array_compact(F.try_variant_get("_rejected", "$.reasons", "array<string>"))
    spoken = F.when(F.size(given) > 0, given).otherwise(F.array(F.lit("rejected_by_deliverer")))
    rules = [*_type_rules(source), *_value_rules(source, max_clock_ahead)]
    found = F.array_compact(F.array(*(F.when(broken, F.lit(reason)) for reason, broken in rules)))
    # Almost every row is good, and this is cheaper than to find an array of reasons empty.
    is_spotless = ~reduce(or_, (F.coalesce(broken, F.lit(False)) for _, broken in rules))
    return (
        F.when(~F.is_valid_utf8("value"), F.array(F.lit("not_utf8")))
        .when(F.col("record").isNull(), F.array(F.lit("unreadable_json")))
        .when(~F.col("_is_object"), F.array(F.lit("not_an_object")))
        .when(F.col("_rejected").isNotNull(), spoken)
        .when(is_spotless, F.array().cast("array<string>"))
        .otherwise(found)
    )


def _value_rules(source: Source, max_clock_ahead: timedelta) -> Iterator[tuple[str, SparkColumn]]:
    version = F.col("schema_version")
    yield "unknown_schema_version", ~version.between(1, source.schema_version)
    yield "event_id_is_blank", F.trim("event_id") == ""
    yield "event_time_is_absurd", F.col("event_time") < F.expr(EPOCH)
    yield "received_at_is_absurd", F.col("received_at") < F.expr(EPOCH)
    limit = F.expr(f"received_at + INTERVAL '{int(max_clock_ahead.total_seconds())}' SECOND")
    yield "event_time_after_receipt", F.col("event_time") > limit
    for check in source.checks:
        yield check.name, F.expr(f"NOT ({check.sql})")


def _type_rules(source: Source) -> Iterator[tuple[str, SparkColumn]]:
    for column in (*ENVELOPE, *source.columns):
        present = _is_present(column.name)
        if column.required:
            yield f"{column.name}_is_missing", ~present
        yield f"{column.name}_has_wrong_type", present & F.col(column.name).isNull()


def _raw() -> SparkColumn:
    """For a line that the deliverer rejected, the text that it was given."""
    text = F.try_variant_get("_rejected", "$.text", "string")
    return F.coalesce(text, F.make_valid_utf8("value"))


def _origin() -> SparkColumn:
    """Where the text stood: in the deliverer's file, or in the landed one, whose lines nobody has counted."""
    file = F.try_variant_get("_rejected", "$.file", "string")
    line = F.when(file.isNotNull(), F.try_variant_get("_rejected", "$.line", "bigint"))
    return F.struct(F.coalesce(file, F.col("file")).alias("file"), line.alias("line")).cast(ORIGIN)
