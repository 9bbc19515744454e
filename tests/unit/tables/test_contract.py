"""Contracts: what they derive, and the nonsense they refuse when they are made."""

from __future__ import annotations

import dataclasses
import importlib
import pkgutil
from typing import Any

import pytest
from pyspark.sql import SparkSession
from pyspark.sql.types import (
    ArrayType,
    DateType,
    DoubleType,
    LongType,
    MapType,
    StringType,
    StructField,
    StructType,
    TimestampType,
    VariantType,
)

import cinelake.tables
from cinelake.checks.rules import reasons
from cinelake.tables.contract import (
    Check,
    Column,
    ContractError,
    Kind,
    Layer,
    Model,
    Partition,
    Table,
    between,
    matches,
    not_null_share,
    one_of,
    row_count,
    satisfies,
)

ID = Column("play_id", StringType(), "identifies the play", required=True)
DAY = Column("day", DateType(), "day of the play", required=True)
SHARE = Column("share", DoubleType(), "watched share of the title, 0 to 1")
DEVICE = Column("device", StringType(), "kind of device")


def plays(**changes: Any) -> Table:
    return Table(
        **{
            "name": "plays",
            "area": "behaviour",
            "layer": Layer.SILVER,
            "grain": "One row per play.",
            "key": ("play_id",),
            "window": "day",
            "columns": (ID, DAY, SHARE, DEVICE),
            **changes,
        }
    )


def with_column(column: Column) -> tuple[Column, ...]:
    return (ID, DAY, SHARE, DEVICE, column)


# ---- what a contract derives


def test_the_schema_keeps_order_nullability_and_comments() -> None:
    assert plays(columns=(DAY, ID, SHARE)).schema == StructType(
        [
            StructField("day", DateType(), False, {"comment": "day of the play"}),
            StructField("play_id", StringType(), False, {"comment": "identifies the play"}),
            StructField(
                "share", DoubleType(), True, {"comment": "watched share of the title, 0 to 1"}
            ),
        ]
    )


def test_rules_are_the_required_columns_and_the_checks() -> None:
    checks = (
        between("share", 0, 1),
        one_of("device", "tv", "kid's"),
        matches("play_id", r"p\d+"),
        satisfies("tv_is_watched", "device <> 'tv' OR share > 0.1", "device", "share"),
    )
    assert plays(checks=checks).rules == {
        "play_id_is_missing": "play_id IS NOT NULL",
        "day_is_missing": "day IS NOT NULL",
        "share_in_range": "share >= 0 AND share <= 1",
        "device_is_known": r"device IN ('tv', 'kid\'s')",
        "play_id_is_well_formed": r"play_id RLIKE r'\A(?:p\d+)\z'",
        "tv_is_watched": "device <> 'tv' OR share > 0.1",
    }


@pytest.mark.parametrize(
    ("bounds", "sql"), [({"low": 1}, "share >= 1"), ({"high": 2.5}, "share <= 2.5")]
)
def test_a_range_may_be_open_on_one_side(bounds: dict[str, float], sql: str) -> None:
    assert between("share", **bounds).sql == sql


def test_columns_are_found_by_name() -> None:
    assert plays().column("share") is SHARE
    with pytest.raises(KeyError, match="has no column 'sahre'; it has play_id, day, share, device"):
        plays().column("sahre")


def test_personal_and_required_columns_are_listed() -> None:
    table = plays(columns=with_column(Column("ip", StringType(), "address", personal="address")))
    assert table.personal == ("ip",)
    assert table.required == ("play_id", "day")


# ---- the contract hash


@pytest.mark.parametrize(
    "changes",
    [
        {"key": ("play_id", "day")},
        {"checks": (between("share", 0, 1),)},
        {"columns": (ID, DAY, DEVICE, SHARE)},
        {"columns": with_column(Column("more", LongType(), "more"))},
        {"columns": (ID, DAY, dataclasses.replace(SHARE, required=True), DEVICE)},
        {"columns": (ID, DAY, dataclasses.replace(SHARE, type=LongType()), DEVICE)},
    ],
)
def test_the_hash_changes_with_what_shapes_rows(changes: dict[str, Any]) -> None:
    assert plays(**changes).contract_hash != plays().contract_hash


@pytest.mark.parametrize(
    "changes",
    [
        {"grain": "One row per play of a title."},
        {"columns": (ID, DAY, dataclasses.replace(SHARE, comment="other words"), DEVICE)},
        {"partition": Partition.DAY},
        {"retention_days": 7},
        {"frame_checks": (row_count(low=1),)},
    ],
)
def test_the_hash_stays_with_everything_else(changes: dict[str, Any]) -> None:
    assert plays(**changes).contract_hash == plays().contract_hash


# ---- nonsense

NONSENSE: list[tuple[str, dict[str, Any]]] = [
    ("'Plays' is not a lower-case identifier", {"name": "Plays"}),
    ("'be-haviour' is not a lower-case identifier", {"area": "be-haviour"}),
    (
        "'Device' is not a lower-case identifier",
        {"columns": with_column(dataclasses.replace(DEVICE, name="Device"))},
    ),
    ("it has no grain; say what one row is", {"grain": ""}),
    ("column 'share' is declared twice", {"columns": with_column(SHARE)}),
    ("column 'more' has no comment", {"columns": with_column(Column("more", LongType(), ""))}),
    ("it has no key; name the columns that identify a row", {"key": ()}),
    ("key names the unknown column 'paly_id'", {"key": ("paly_id",)}),
    ("key play_id, play_id names a column twice", {"key": ("play_id", "play_id")}),
    ("key column 'device' may be null; declare it required=True", {"key": ("device",)}),
    (
        "key column 'score' is floating point",
        {
            "columns": with_column(Column("score", DoubleType(), "score", required=True)),
            "key": ("score",),
        },
    ),
    (
        "column 'record' is a VARIANT and cannot be part of a key or layout",
        {"columns": with_column(Column("record", VariantType(), "record")), "cluster": ("record",)},
    ),
    ("window names the unknown column 'dya'", {"window": "dya"}),
    ("a table of kind managed needs a window column", {"window": None}),
    (
        "window column 'at' is timestamp; windows are days, so it must be a date",
        {
            "columns": with_column(Column("at", TimestampType(), "when", required=True)),
            "window": "at",
        },
    ),
    (
        "window column 'seen' may be null; declare it required=True",
        {"columns": with_column(Column("seen", DateType(), "day seen")), "window": "seen"},
    ),
    (
        "partition=day without a window column",
        {"kind": Kind.SYSTEM, "layer": Layer.SYSTEM, "window": None, "partition": Partition.DAY},
    ),
    ("both partitioned and clustered", {"partition": Partition.DAY, "cluster": ("play_id",)}),
    ("cluster names the unknown column 'x'", {"cluster": ("x",)}),
    (
        "clustered by 5 columns; Delta allows four",
        {"cluster": ("play_id", "day", "share", "device", "play_id")},
    ),
    (
        "column 'tags' holds a map",
        {
            "columns": with_column(
                Column("tags", ArrayType(MapType(StringType(), StringType())), "tags")
            )
        },
    ),
    (
        "personal column 'ip' in gold; drop it or keep the table in silver",
        {
            "columns": with_column(Column("ip", StringType(), "ip", personal="address")),
            "layer": Layer.GOLD,
        },
    ),
    ("retention_days=0; give at least 1, or None", {"retention_days": 0}),
    (
        "retention_days without a window column",
        {"kind": Kind.SYSTEM, "layer": Layer.SYSTEM, "window": None, "retention_days": 3},
    ),
    ("growing, but unique_key=False", {"growing": True, "unique_key": False}),
    (
        "check 'sahre_in_range' names the unknown column 'sahre'",
        {"checks": (between("sahre", 0, 1),)},
    ),
    (
        "check 'share_in_range' is declared twice",
        {"checks": (between("share", 0), between("share", None, 1))},
    ),
    (
        "check 'day_is_missing' is declared twice",
        {"checks": (satisfies("day_is_missing", "day > DATE'2020-01-01'", "day"),)},
    ),
    (
        "check 'key_is_unique' is declared twice",
        {"checks": (satisfies("key_is_unique", "share > 0", "share"),)},
    ),
    (
        "check 'a b': the name is not a lower-case identifier",
        {"checks": (satisfies("a b", "share > 0", "share"),)},
    ),
    (
        "check 'x' names no columns; list those that its SQL speaks of",
        {"checks": (satisfies("x", "1 = 1"),)},
    ),
    ("check 'x' has no SQL", {"checks": (Check("x", ("share",), ""),)}),
    (
        "check 'x' speaks of 'device' but does not list that column",
        {"checks": (satisfies("x", "share > 0 OR device = 'share'", "share"),)},
    ),
    (
        "check 'device_in_range': column 'device' is string, not a number",
        {"checks": (between("device", 0),)},
    ),
    (
        "check 'share_is_known': column 'share' is double, not a string",
        {"checks": (one_of("share", "a"),)},
    ),
    (
        "check 'share_is_well_formed': column 'share' is double, not a string",
        {"checks": (matches("share", "a"),)},
    ),
    (
        "check 'x_is_mostly_there' names the unknown column 'x'",
        {"frame_checks": (not_null_share("x", 0.5),)},
    ),
    (
        "column 'day' is required, so it is always there",
        {"frame_checks": (not_null_share("day", 0.5),)},
    ),
    (
        "check 'row_count_in_range' is declared twice",
        {"frame_checks": (row_count(1), row_count(high=9))},
    ),
]


@pytest.mark.parametrize(("message", "changes"), NONSENSE, ids=[message for message, _ in NONSENSE])
def test_nonsense_is_refused_by_name(message: str, changes: dict[str, Any]) -> None:
    with pytest.raises(ContractError) as refused:
        plays(**changes)
    assert str(refused.value).startswith(f"table {changes.get('name', 'plays')!r}: ")
    assert message in str(refused.value)


def test_all_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(
        ContractError, match=r"it has no grain.*window names the unknown column 'x'"
    ):
        plays(grain="", window="x")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: between("share"), "between('share') has neither a low nor a high bound"),
        (lambda: between("share", 2, 1), "between('share'): low=2 exceeds high=1"),
        (lambda: between("share", float("nan")), "between('share'): a bound is not finite"),
        (lambda: one_of("device"), "one_of('device') lists no values"),
        (lambda: matches("device", "it's"), "matches('device'): write the quote mark"),
        (row_count, "row_count() has neither a low nor a high bound"),
        (lambda: row_count(5, 4), "row_count(): low=5 exceeds high=4"),
        (lambda: not_null_share("share", 1.5), "not_null_share('share'): at_least=1.5 is no share"),
        (lambda: Model("ALS", "recommend", "…"), "model 'ALS' of area 'recommend'"),
    ],
)
def test_checks_and_models_that_mean_nothing_are_refused(make: Any, message: str) -> None:
    with pytest.raises(ContractError) as refused:
        make()
    assert str(refused.value).startswith(message)


def test_words_in_strings_functions_and_fields_are_not_taken_for_columns() -> None:
    check = satisfies(
        "x",
        "share > 0 OR share = device(1) OR s.device = r'device' OR share = 'it\\'s device'",
        "share",
    )
    assert plays(checks=(check,)).checks == (check,)


# ---- the contracts of this project


def declared() -> list[Table]:
    modules = [
        importlib.import_module(f"cinelake.tables.{found.name}")
        for found in pkgutil.iter_modules(cinelake.tables.__path__)
    ]
    found = {
        value.name: value
        for module in modules
        for value in vars(module).values()
        if isinstance(value, Table)
    }
    return list(found.values())


@pytest.mark.parametrize("table", declared(), ids=lambda table: table.name)
def test_the_rules_of_every_declared_table_can_be_evaluated(
    spark: SparkSession, table: Table
) -> None:
    judged = spark.createDataFrame([], table.schema).select(reasons(table).alias("reasons"))
    assert judged.schema["reasons"].dataType == ArrayType(StringType(), True)


# ---- values survive the way through SQL


def test_listed_values_are_quoted_so_that_sql_reads_them_back(spark: SparkSession) -> None:
    letters = ["", *"a'\\\"%_\n é"]
    values = sorted({first + second for first in letters for second in letters})
    table = plays(checks=(one_of("device", *values),))
    row = spark.createDataFrame([(values, ["other"])], "known array<string>, unknown array<string>")
    sql = table.rules["device_is_known"].replace("device", "value", 1)
    found = row.selectExpr(
        f"forall(known, value -> {sql})", f"exists(unknown, value -> {sql})"
    ).first()
    assert found is not None
    assert tuple(found) == (True, False)
