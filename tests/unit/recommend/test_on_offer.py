"""What was on offer where is told by who met it first when."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pytest
from pyspark.sql import SparkSession

from cinelake.recommend.on_offer import LEAST, estimated, offered, told

FIRST = date(2026, 3, 2)
SCHEMA = "market string, title_idx int, met_on date"


def test_a_title_is_there_from_the_first_meeting_on(spark: SparkSession) -> None:
    def met(market: str, title: int, day: int, times: int) -> list[tuple[str, int, date]]:
        return [(market, title, FIRST + timedelta(days=day))] * times

    rows = [
        *met("DE", 7, 0, 8), *met("DE", 7, 1, 4), *met("DE", 3, 1, 4),
        # Of no title that is asked for, and yet what happened in the market.
        *met("DE", 5, 1, 4), *met("US", 7, 0, 3), *met("US", 7, 3, 1),
        # Not met, so the day says nothing.
        ("US", 3, None),
    ]  # fmt: skip

    found = offered(spark.createDataFrame(rows, SCHEMA), ["DE", "US"], np.array([7, 3]))

    # Twelve of Germany's twenty meetings came on the second day; the first one is late by a meeting of four.
    assert found[0] == pytest.approx([1.0, 12 / 20 * 5 / 4])
    # In Germany one in three meetings since was with title 3; of the four in America, 4 / 3.
    absent = 0.8 * np.exp(-4 / 3)
    assert found[1] == pytest.approx([1.0, absent / (absent + 0.2)])


def test_a_market_that_is_not_asked_for_tells_nothing_of_the_others(spark: SparkSession) -> None:
    rows = [("DE", 7, FIRST), ("DE", 3, FIRST)]
    asked = ["DE"], np.array([7, 3])
    found = offered(spark.createDataFrame(rows, SCHEMA), *asked)
    # In Norway one profile began a film, and liked nothing yet.
    beside = offered(spark.createDataFrame([*rows, ("NO", 7, FIRST)], SCHEMA), *asked)
    assert beside.tolist() == found.tolist()


def test_the_more_would_have_met_a_title_the_less_likely_it_was_there() -> None:
    totals = np.array([1000.0, 3.0, 30.0, 3000.0])
    since = np.array([[1.0], [0.0], [0.0], [0.0]])
    met = np.array([[100.0], [0.0], [0.0], [0.0]])
    found = estimated(since, met, totals)[:, 0]
    assert found[0] == 1
    assert 0.8 > found[1] > found[2] > found[3] == LEAST


def test_where_nothing_tells_of_markets_and_days_all_is_on_offer(spark: SparkSession) -> None:
    rows = told(spark.createDataFrame([(0,), (0,), (1,)], "title_idx int"))
    assert offered(rows, ["unknown"], np.array([0, 1])).tolist() == [[1.0, 1.0]]
