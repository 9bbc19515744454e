"""A fact meets the change row that held at its time."""

from __future__ import annotations

import random
from datetime import datetime, timedelta

import pytest
from chispa import assert_df_equality
from pyspark.sql import SparkSession

from cinelake.behaviour.history import as_of

START = datetime(2020, 5, 1)
FACTS = "fact int, id string, at timestamp"
CHANGES = "id string, effective_from timestamp, name string"


def hour(n: int) -> datetime:
    return START + timedelta(hours=n)


def test_a_change_holds_from_its_moment_until_the_next(spark: SparkSession) -> None:
    changes = spark.createDataFrame([("a", hour(2), "old"), ("a", hour(5), "new")], CHANGES)
    facts = spark.createDataFrame(
        [
            (1, "a", hour(1)),
            (2, "a", hour(2)),
            (3, "a", hour(4)),
            (4, "a", hour(5)),
            (5, "b", hour(9)),
        ],
        FACTS,
    )
    wanted = spark.createDataFrame(
        [
            (1, "a", hour(1), None, None),
            (2, "a", hour(2), hour(2), "old"),
            (3, "a", hour(4), hour(2), "old"),
            (4, "a", hour(5), hour(5), "new"),
            (5, "b", hour(9), None, None),
        ],
        f"{FACTS}, effective_from timestamp, name string",
    )
    assert_df_equality(as_of(facts, changes, ["id"], "at"), wanted, ignore_row_order=True)


def test_a_fact_without_id_or_time_stays_and_meets_nothing(spark: SparkSession) -> None:
    changes = spark.createDataFrame([("a", hour(2), "old")], CHANGES)
    facts = spark.createDataFrame([(1, None, hour(3)), (2, "a", None)], FACTS)
    met = as_of(facts, changes, ["id"], "at").select("fact", "name").collect()
    assert sorted(map(tuple, met)) == [(1, None), (2, None)]


def test_a_column_that_both_have_is_refused(spark: SparkSession) -> None:
    changes = spark.createDataFrame([("a", hour(2), "old")], CHANGES)
    facts = spark.createDataFrame([("a", hour(3), "x")], "id string, at timestamp, name string")
    with pytest.raises(ValueError, match="facts and changes both have name"):
        as_of(facts, changes, ["id"], "at")


def test_every_fact_meets_what_a_search_by_hand_finds(spark: SparkSession) -> None:
    dice = random.Random(7)
    ids = ["a", "b", "c"]
    keys = {(dice.choice(ids), dice.choice("xy"), dice.randrange(40)) for _ in range(60)}
    changes = [(i, j, hour(n), f"{i}{j}{n}") for i, j, n in keys]
    facts = [
        (k, dice.choice([*ids, "d"]), dice.choice("xy"), hour(dice.randrange(45)))
        for k in range(300)
    ]

    def by_hand(i: str, j: str, at: datetime) -> str | None:
        held = [(since, name) for a, b, since, name in changes if (a, b) == (i, j) and since <= at]
        return max(held)[1] if held else None

    met = as_of(
        spark.createDataFrame(facts, "fact int, id string, kind string, at timestamp"),
        spark.createDataFrame(
            changes, "id string, kind string, effective_from timestamp, name string"
        ),
        on=["id", "kind"],
        at="at",
    )
    found = {row.fact: row.name for row in met.select("fact", "name").collect()}
    assert found == {k: by_hand(i, j, at) for k, i, j, at in facts}
    assert met.count() == len(facts)
