"""Landed lines become bronze rows, each beside all the reasons that speak against it.

Grain: one row a landed line; only lines of white space are no records. A line becomes a
VARIANT that keeps whatever it held, known or not. From it come the envelope, and the verdict on the payload.

Types are JSON's own: a number in quotes is a string, and is turned away where a number is due, and an id
written as a number is turned away where a string is due. Deliverers rely on this: `"4.0"` may hold
full-width digits, `1e3` as an id may not be `1000`.

A client's clock may run ahead of the collector's. Up to `max_clock_ahead` the event is dated by the
record's own `received_at` and the difference is kept; beyond, the record is turned away. So the same record
received twice is dated by at most `max_clock_ahead` differently, and the earlier receipt has the earlier date.

A collector's clock may be wrong, too, and up to when data are complete is told by the newest receipt, for good. So a
record that claims to have been received more than `max_clock_ahead` after it had landed is turned away. A record may
land as late as it likes; minutes, and the hours of a wrong zone, are common the other way round.

Reasons: `not_utf8`, `unreadable_json` (double keys count), `not_an_object`, `unknown_schema_version`,
`<field>_is_missing`, `<field>_has_wrong_type`, `event_id_is_blank`, `event_time_is_absurd` and
`received_at_is_absurd` (before 1970), `event_time_after_receipt`, `receipt_after_landing`, the names of the source's
checks, and whatever the deliverer gave for a line that it rejected itself.
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
    IntegerType,
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
    """`landed(value, file, line, landed_by)` → the columns of the source's bronze table, `_reasons`, `_raw`, `_origin`.

    `landed_by` is when the line had landed at the latest; null where nobody knows. `_raw` and `_origin` are null
    where there are no reasons.
    """
    records = landed.where(holds_record()).select(
        "value", "file", "line", "landed_by", F.try_parse_json("value").alias("record")
    )
    looked_at = records.select(
        "*", F.schema_of_variant("record").rlike(_usual_shape(source)).alias("_is_usual")
    )
    unusual, forms = ~F.col("_is_usual"), _forms(source)
    walked = looked_at.select(
        "*",
        # To parse the line again takes a third of the time of a walk over its VARIANT.
        F.when(F.col("_is_usual"), F.from_json("value", forms))
        .otherwise(F.try_variant_get("record", "$", forms))
        .alias("_field"),
        F.when(unusual, _odd_fields(source)).alias("_odd"),
        F.when(unusual, F.try_variant_get("record", f"$.{REJECTED}", "variant")).alias("_rejected"),
    )
    values = walked.select("*", *(_value(column).alias(column.name) for column in _columns(source)))
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


def landed_by(file: SparkColumn) -> SparkColumn:
    """The end of the hour that a landing file's folders name; null for one that lies elsewhere."""
    # Of every line this is asked, and a regular expression would take a multiple of the time.
    day, hour = (
        F.substring_index(F.substring_index(file, f"/{name}=", -1), "/", 1)
        for name in ("date", "hour")
    )
    began = F.concat_ws(":", F.concat_ws(" ", day, hour), F.lit("00:00"))
    return began.try_cast("timestamp") + F.expr("INTERVAL '1' HOUR")


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
#
# A walk takes what is there for what is due, so that a number becomes a string. Almost every record of a deliverer
# has the same shape, which tells that all its types are due; of any other the fields of other types are found first.


def _columns(source: Source) -> tuple[Column, ...]:
    return (*ENVELOPE, *source.columns)


def _forms(source: Source) -> str:
    return f"struct<{','.join(f'{c.name}:{_form(c.type)}' for c in _columns(source))}>"


def _form(kind: DataType) -> str:
    """The type of what JSON has for `kind`: times are text, integers have one size."""
    if isinstance(kind, ArrayType):
        return f"array<{_form(kind.elementType)}>"
    if type(kind) in FORMS:
        return "string"
    return "bigint" if isinstance(kind, IntegerType) else kind.simpleString()


def _due(kind: DataType) -> str:
    """What `schema_of_variant` may call a value of `kind`, as a regular expression."""
    if isinstance(kind, ArrayType):
        # An empty array has elements of no type.
        return f"ARRAY<(?:VOID|{_due(kind.elementType)})>"
    if isinstance(kind, StringType | TimestampType | DateType):
        return "STRING"
    if isinstance(kind, BooleanType):
        return "BOOLEAN"
    if isinstance(kind, DoubleType):
        return r"(?:BIGINT|DOUBLE|DECIMAL\(\d+,\d+\))"
    return "BIGINT"


def _usual_shape(source: Source) -> str:
    """The `schema_of_variant` of records that hold known fields only, each of a due type, as a regular expression."""
    fields = [
        f"(?:{column.name}: (?:VOID|{_due(column.type)})(?:, |>\\z))"
        + ("" if column.required else "?")
        # A VARIANT keeps its fields in the order of their names.
        for column in sorted(_columns(source), key=lambda column: column.name)
    ]
    return rf"\AOBJECT<{''.join(fields)}\z"


def _odd_fields(source: Source) -> SparkColumn:
    """The names of the fields that hold another type than the one that is due."""
    due = {c.name: rf"\A(?:VOID|{_due(c.type)})\z" for c in _columns(source)}
    wanted = F.create_map(*(F.lit(text) for pair in due.items() for text in pair))
    fields = F.try_variant_get("record", "$", "map<string,variant>")
    odd = F.map_filter(
        fields,
        lambda name, value: ~F.rlike(F.schema_of_variant(value), F.try_element_at(wanted, name)),
    )
    return F.map_keys(odd)


def _is_odd(column: Column) -> SparkColumn:
    return F.coalesce(F.array_contains("_odd", column.name), F.lit(False))


def _value(column: Column) -> SparkColumn:
    """The typed value; null where it is of another type, or a text or a number that cannot stand for one."""
    found = F.when(~_is_odd(column), F.col(f"_field.{column.name}"))
    if type(column.type) in FORMS:
        return F.when(_is_well_formed(found, column.type), found.try_cast(column.type))
    if isinstance(column.type, ArrayType):
        return F.when(~F.exists(found, lambda item: item.isNull()), found)
    return found.try_cast(column.type) if isinstance(column.type, IntegerType) else found


def _is_well_formed(text: SparkColumn, kind: DataType) -> SparkColumn:
    """Spark reads more forms than ours, among them times without a date, which take today's."""
    form = text.rlike(rf"\A{FORMS[type(kind)]}\z")
    if isinstance(kind, TimestampType):
        # Most times look like this, and it costs a third; what is no digit the cast finds.
        usual = (F.length(text) == 20) & text.endswith("Z") & (F.substring(text, 11, 1) == "T")
        return usual | form
    return form


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
        .when(F.col("_field").isNull(), F.array(F.lit("not_an_object")))
        .when(F.schema_of_variant("_rejected") != "VOID", spoken)
        .when(is_spotless, F.array().cast("array<string>"))
        .otherwise(found)
    )


def _value_rules(source: Source, max_clock_ahead: timedelta) -> Iterator[tuple[str, SparkColumn]]:
    version = F.col("schema_version")
    yield "unknown_schema_version", ~version.between(1, source.schema_version)
    yield "event_id_is_blank", F.trim("event_id") == ""
    yield "event_time_is_absurd", F.col("event_time") < F.expr(EPOCH)
    yield "received_at_is_absurd", F.col("received_at") < F.expr(EPOCH)
    ahead = F.expr(f"INTERVAL '{int(max_clock_ahead.total_seconds())}' SECOND")
    yield "event_time_after_receipt", F.col("event_time") > F.col("received_at") + ahead
    yield "receipt_after_landing", F.col("received_at") > F.col("landed_by") + ahead
    for check in source.checks:
        yield check.name, F.expr(f"NOT ({check.sql})")


def _type_rules(source: Source) -> Iterator[tuple[str, SparkColumn]]:
    for column in _columns(source):
        # JSON's null says the same as an absent field.
        present = F.col(f"_field.{column.name}").isNotNull() | _is_odd(column)
        if column.required:
            yield f"{column.name}_is_missing", ~present
        yield f"{column.name}_has_wrong_type", present & F.col(column.name).isNull()


def _raw() -> SparkColumn:
    """For a line that the deliverer rejected, the text that it was given."""
    text = F.try_variant_get("_rejected", "$.text", "string")
    return F.coalesce(text, F.make_valid_utf8("value"))


def _origin() -> SparkColumn:
    """Where the text stood: in the deliverer's file, or where it landed."""
    file = F.try_variant_get("_rejected", "$.file", "string")
    theirs = F.struct(file, F.try_variant_get("_rejected", "$.line", "bigint"))
    return F.when(file.isNotNull(), theirs.cast(ORIGIN)).otherwise(
        F.struct("file", "line").cast(ORIGIN)
    )
