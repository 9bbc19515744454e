"""Personal values are found in texts: distinctive ones anywhere, others as whole texts, public ones nowhere."""

from __future__ import annotations

import json
from datetime import datetime

from pyspark.sql import Row, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, LongType, StringType, StructField, StructType

from cinelake.privacy.leaks import anchored, counted, found, table_texts, without_public
from cinelake.privacy.values import personal_values, told
from cinelake.sources.accounts import ACCOUNTS_SOURCE
from cinelake.tables.ingest import BRONZE_ACCOUNTS

VALUES = "value string, kind string, is_distinctive boolean"
TEXTS = "place string, text string, whole array<string>, rows bigint"


def test_values_come_from_the_personal_columns_of_bronze(spark: SparkSession) -> None:
    record = {
        "event_id": "e-77777777",
        "account_id": "42",
        "market": "DE",
        # A holder who is called like a market cannot be told from it.
        "name": "de",
        "mail": "Mia@Example.org",
        "phone": "",
        "plan": "basic",
    }
    now = datetime(2026, 1, 5)
    row = ("e-77777777", 1, now, now.date(), now, None, json.dumps(record))
    bronze = spark.createDataFrame(
        [row], "a string,b int,c timestamp,d date,e timestamp,f long,g string"
    )
    named = bronze.toDF(*BRONZE_ACCOUNTS.names).withColumn("record", F.parse_json("record"))
    assert sorted(personal_values(told(named, ACCOUNTS_SOURCE)).collect()) == [
        Row("42", "account id", False),
        Row("e-77777777", "event id", True),
        Row("mia@example.org", "mail address", True),
    ]


def test_a_distinctive_value_is_found_anywhere_and_another_as_a_whole(spark: SparkSession) -> None:
    values = anchored(
        spark.createDataFrame(
            [
                ("mia@example.org", "mail address", True),
                ("mia schmidt", "name", True),
                ("tom schmidt", "name", True),
                ("a-4f02aa", "account id", True),
                ("2001:db8::7", "IP address", True),
                ("42", "profile id", False),
            ],
            VALUES,
        )
    )
    texts = spark.createDataFrame(
        [
            ("log", "Mail=<MIA@example.org>: refused", [], 3),
            # Twice the same kind in one text is one row.
            ("log", "Mia Schmidt and Tom Schmidt", [], 1),
            ("log", "Schmidt, Mia", [], 1),
            ("path", "/tmp/x_a-4f02aa.json", [], 1),
            ("path", "ba-4f02aab", [], 1),
            ("log", "from [2001:db8::7]:443", [], 1),
            ("column", "42", ["42"], 5),
            ("column", "42 of them", ["42 of them"], 1),
        ],
        TEXTS,
    )
    assert sorted(counted(found(texts, values)).collect()) == [
        Row("column", "profile id", 5),
        Row("log", "IP address", 1),
        Row("log", "mail address", 3),
        Row("log", "name", 1),
        Row("path", "account id", 1),
    ]


def test_a_name_that_is_public_betrays_nobody(spark: SparkSession) -> None:
    rows = [
        ("mia schmidt", "name", True),
        ("tom schmidt", "name", True),
        ("7", "profile id", False),
    ]
    public = [("", "A film with Mia Schmidt", ["A film with Mia Schmidt"], 1), ("", "7", ["7"], 1)]
    values = anchored(spark.createDataFrame(rows, VALUES))
    left = without_public(values, spark.createDataFrame(public, TEXTS))
    assert [row["value"] for row in left.collect()] == ["tom schmidt"]


def test_a_table_has_its_texts_counted_by_column(spark: SparkSession) -> None:
    pair = StructType([StructField("name", StringType()), StructField("rows", LongType())])
    kinds = {"a": StringType(), "b": ArrayType(StringType()), "c": ArrayType(pair), "n": LongType()}
    schema = StructType([StructField(name, kind) for name, kind in kinds.items()])
    frame = spark.createDataFrame([("x", ["y", "z"], [("w", 1)], 9), ("x", None, None, 9)], schema)
    assert sorted(table_texts(frame, kinds, "t").collect()) == [
        Row("t.a", "x", ["x"], 2),
        Row("t.b", "y\nz", ["y", "z"], 1),
        Row("t.c", '{"c":[{"name":"w","rows":1}]}', [], 1),
        # An absent list of things is an empty thing.
        Row("t.c", "{}", [], 1),
    ]
