"""Titles are change rows: no change, no row; and no row depends on what came to be known later."""

from __future__ import annotations

import json
import random
from datetime import date, timedelta
from typing import Any

import pytest
from chispa import assert_df_equality
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from unit.behaviour.bronze import bronze, landed_line, moment
from unit.behaviour.told import Told

from cinelake.behaviour.titles import title_changes, title_genres
from cinelake.sources.titles import TITLES_SOURCE
from cinelake.tables.behaviour import TITLE_GENRES, TITLES

DAY = timedelta(days=1)
START, END = date(2020, 5, 1), date(2020, 5, 7)


def told(event: str, at: str, received: str | None = None, **changes: Any) -> str:
    good = {"title_id": "t1", "name": "Alien", "release_year": 1979, "genres": ["Horror"]}
    return landed_line(event, at, received, **(good | changes))


def changes(spark: SparkSession, *lines: str, start: date = START, end: date = END) -> DataFrame:
    nothing = spark.createDataFrame([], TITLES.schema)
    return title_changes(bronze(spark, TITLES_SOURCE, lines), nothing, start, end)


def shown(frame: DataFrame) -> list[tuple[Any, ...]]:
    rows = frame.select(
        "title_id", F.date_format("effective_from", "d H:mm"), "name", "_reasons"
    ).collect()
    return sorted(map(tuple, rows))


def test_the_columns_are_those_of_the_contract(spark: SparkSession) -> None:
    frame = changes(spark, told("e1", "2", genres=None))
    wanted = [(f.name, f.dataType.simpleString()) for f in TITLES.schema]
    assert sorted(frame.dtypes) == sorted([*wanted, ("_reasons", "array<string>")])
    [row] = frame.collect()
    assert row.genres == []
    assert row.effective_date == date(2020, 5, 2)


# What was told of a title, and the rows that it makes: when, name, and what speaks against each.
HISTORIES: dict[str, tuple[list[str], list[tuple[str, str, list[str]]]]] = {
    "says nothing new": (
        [
            told("e1", "2"),
            told("e2", "3"),
            told("e3", "4", name="Alien: Director's Cut"),
            told("e4", "5"),
        ],
        [
            ("2 12:00", "Alien", []),
            ("4 12:00", "Alien: Director's Cut", []),
            ("5 12:00", "Alien", []),
        ],
    ),
    "loses a value": (
        [told("e1", "2"), told("e2", "3", release_year=None)],
        [("2 12:00", "Alien", []), ("3 12:00", "Alien", [])],
    ),
    "twice of one moment, and the last received counts": (
        [told("e1", "2", "2 14:00", name="Right"), told("e2", "2", "2 13:00", name="Wrong")],
        [("2 12:00", "Right", []), ("2 12:00", "Wrong", ["superseded"])],
    ),
    "received twice, which counts once and supersedes nothing": (
        [
            told("e1", "2", "2 13:00", name="First"),
            told("e2", "2", "2 14:00", name="Second"),
            told("e1", "2", "2 15:00", name="First"),
        ],
        [
            ("2 12:00", "First", ["duplicate"]),
            ("2 12:00", "First", ["superseded"]),
            ("2 12:00", "Second", []),
        ],
    ),
    "a duplicate that the clock moved to another time": (
        [
            told("e1", "3 01:00", "2 23:00"),
            told("e2", "2 23:30", name="Between"),
            told("e1", "3 01:00", "3 09:00"),
        ],
        [
            ("2 23:00", "Alien", []),
            ("2 23:30", "Between", []),
            ("3 1:00", "Alien", ["duplicate"]),
        ],
    ),
}


@pytest.fixture(scope="module")
def made(spark: SparkSession) -> list[tuple[Any, ...]]:
    """The rows of all histories, each of a title and with event ids of its own."""
    lines = [
        json.dumps(record | {"title_id": title, "event_id": f"{title}/{record['event_id']}"})
        for title, (told_of_it, _) in HISTORIES.items()
        for record in map(json.loads, told_of_it)
    ]
    return shown(changes(spark, *lines))


@pytest.mark.parametrize("title", HISTORIES)
def test_what_is_told_of_a_title_makes_its_rows(made: list[tuple[Any, ...]], title: str) -> None:
    assert [row[1:] for row in made if row[0] == title] == HISTORIES[title][1]


@pytest.mark.thorough
def test_a_record_that_makes_no_row_is_accounted_for(spark: SparkSession) -> None:
    lines = told("e1", "1"), told("e2", "2"), told("e3", "3", name="Aliens"), told("e4", "4")
    rows, counts = bronze(spark, TITLES_SOURCE, (*lines, told("e5", "5"), told("e6", "6"))), Told()
    before = changes(spark, told("e1", "1"), end=date(2020, 5, 2)).drop("_reasons")
    frame = title_changes(rows, before, date(2020, 5, 2), date(2020, 5, 6), counts)
    assert len(shown(frame)) == 2
    assert counts.fates() == {("titles", "unchanged"): 2}


@pytest.mark.thorough
def test_a_change_of_the_first_day_is_not_told_again_in_a_later_window(spark: SparkSession) -> None:
    rows = bronze(spark, TITLES_SOURCE, (told("e1", "2"), told("e2", "3")))
    before = changes(spark, told("e1", "2"), end=date(2020, 5, 3)).drop("_reasons")
    assert shown(title_changes(rows, before, date(2020, 5, 3), END)) == []


@pytest.mark.thorough
def test_one_window_or_daily_ones_and_any_order_of_arrival_give_the_same_rows(
    spark: SparkSession,
) -> None:
    dice = random.Random(5)
    lines = []
    for _ in range(120):
        at = moment(f"{dice.randint(2, 6)} {dice.choice([0, 12, 23])}:00")
        received = at + timedelta(hours=dice.choice([-24, -3, 0, 1, 30]))
        lines.append(
            told(
                f"e{dice.randint(1, 70)}",
                f"{at.day} {at.hour}:00",
                f"{received.day} {received.hour}:00",
                title_id=dice.choice(["t1", "t2", "t3", "t4"]),
                name=dice.choice(["A", "B"]),
            )
        )
    lines += dice.sample(lines, 5)
    rows = bronze(spark, TITLES_SOURCE, lines).cache()
    nothing = spark.createDataFrame([], TITLES.schema)
    changed = title_changes(rows, nothing, START, END).cache()
    whole = sorted(map(str, changed.collect()))
    good = changed.where(F.size("_reasons") == 0).drop("_reasons")
    dice.shuffle(lines)
    shuffled = bronze(spark, TITLES_SOURCE, lines).cache()
    daily: list[str] = []
    for day in (START + n * DAY for n in range(6)):
        read = shuffled.where(shuffled.event_date < day + DAY)
        before = good.where(good.effective_date < day)
        daily += map(str, title_changes(read, before, day, day + DAY).collect())
    assert sorted(daily) == whole
    assert good.groupBy(*TITLES.key).count().where("count > 1").isEmpty()
    changed.unpersist()
    rows.unpersist()
    shuffled.unpersist()


def test_a_title_has_a_row_for_each_of_its_genres(spark: SparkSession) -> None:
    day = date(2020, 5, 2)
    at = moment("2")
    titles = spark.createDataFrame(
        [("t1", at, day, ["Horror", "Sci-Fi", "Horror", " "]), ("t2", at, day, [])],
        "title_id string, effective_from timestamp, effective_date date, genres array<string>",
    )
    wanted = spark.createDataFrame(
        [("t1", at, day, "Horror"), ("t1", at, day, "Sci-Fi")], TITLE_GENRES.schema
    )
    assert_df_equality(
        title_genres(titles),
        wanted,
        ignore_row_order=True,
        ignore_nullable=True,
        ignore_metadata=True,
    )
