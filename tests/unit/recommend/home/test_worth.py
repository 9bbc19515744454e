"""What a term of a title meets in given circumstances is the same as a column, and as a vector."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from cinelake.recommend.home.context import Circumstances
from cinelake.recommend.home.logit import Logit
from cinelake.recommend.home.worth import (
    USUAL,
    Worth,
    circumstance_terms,
    crossed,
    holds,
    of_titles,
    title_terms,
)
from cinelake.recommend.rows.kind import Titles

HALLOWEEN = date(2026, 10, 30)  # a Friday


def test_the_terms_of_a_title(spark: SparkSession) -> None:
    titles = spark.createDataFrame(
        [
            (
                ["Romance", "Comedy", " ", None, "Comedy"],
                ["witty", "", "witty"],
                "series",
                1500.0,
                6,
            ),
            ([], None, "film", 7000.0, 16),
            (None, [], None, None, None),
        ],
        "genres array<string>, moods array<string>, kind string, runtime_s double, maturity int",
    )
    rows = [row.terms for row in titles.select(title_terms()).collect()]
    assert rows == [
        [
            "genre Comedy", "genre Romance", "genres Comedy + Romance", "mood witty", "kind series", "short",
            "for children",
        ],
        ["kind film"],
        [],
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("device", "daypart", "holiday", "expected"),
    [
        ("tv", "evening", False,
         ["device tv", "daypart evening", "weekday 5", "month 10", "evening of weekday 5"]),
        ("phone", "morning", True, ["device phone", "daypart morning", "weekday 5", "month 10", "holiday"]),
    ],
)  # fmt: skip
def test_circumstances_are_told_alike_in_training_and_on_pages(
    spark: SparkSession, device: str, daypart: str, holiday: bool, expected: list[str]
) -> None:
    row = (
        spark.range(1)
        .select(
            circumstance_terms(F.lit(device), F.lit(daypart), F.lit(HALLOWEEN), F.lit(holiday)).alias("told")
        )
        .first()
    )  # fmt: skip
    assert row is not None
    assert sorted(row.told) == sorted(expected)
    assert sorted(holds(Circumstances(device, daypart, HALLOWEEN), holiday=holiday)) == sorted(
        expected
    )


def test_what_circumstances_add_is_the_sum_over_terms_that_meet_them(spark: SparkSession) -> None:
    logit = Logit(
        0.0,
        USUAL.weights
        | {
            "genre Horror @ month 10": 1.0,
            "genre Horror @ device tv": 0.25,
            "kind film @ month 10": -0.5,
        },
    )
    terms = [["genre Horror", "kind film"], ["genre Drama"], []]
    then = [["month 10", "device tv"], ["month 11"]]
    found = Worth(logit, terms).at(then)
    assert found.tolist() == [[0.75, 0.0, 0.0], [0.0, 0.0, 0.0]]

    told = spark.createDataFrame([(terms[0], then[0])], "terms array<string>, at array<string>")
    row = told.select(crossed(F.col("terms"), F.col("at")).alias("crossed")).first()
    assert row is not None
    assert sum(logit.weights.get(term, 0.0) for term in row.crossed) == 0.75


@pytest.mark.parametrize("titles", [0, 2])
def test_circumstances_add_nothing_to_titles_without_a_term_nor_to_none(titles: int) -> None:
    logit = Logit(0.0, USUAL.weights)
    found = Worth(logit, [[]] * titles).at([["tv"], ["phone"], ["weekend"]])
    assert found.tolist() == [[0.0] * titles] * 3


def test_what_titles_are_worth_to_everybody() -> None:
    titles = Titles(
        genres=((),) * 4, moods=((),) * 4, themes=((),) * 4, paces=(None,) * 4,
        age_days=np.array([0.0, 30.0, np.nan, 4.0]), popularity={"DE": np.array([0.5, 0.5, 0.0, 0.0])},
        trend={"DE": np.array([0.0, 1.0, 0.0, 0.0])}, on_offer={"DE": np.ones(4, bool)},
    )  # fmt: skip
    features = of_titles(titles, np.array([True, False, True, True]), "DE")
    fresh = 2.0 ** (-4 / 30)
    np.testing.assert_allclose(features[:, 0], [np.log(2), np.log(2), -3.0, -3.0])
    np.testing.assert_allclose(features[:, 2], [1.0, 0.5, 0.0, fresh])
    np.testing.assert_allclose(features[:, 3], [1.0, 2.0**-7.5, 0.0, 0.5])
    # What nobody has liked yet counts as neglected in the measure in which it is not new.
    np.testing.assert_allclose(features[:, 4], [0.0, 0.0, 1.0, 1 - fresh])
    weights = {"fame": 0.0, "trend": 2.0, "newness": 1.0, "arrival": 0.0, "neglected": -1.0}
    logit = Logit(-3.0, weights | {"taste": 9.0, "shown": 9.0})
    found = Worth(logit, [[]] * 4).of_market(features)
    np.testing.assert_allclose(found, [-2.0, -0.5, -4.0, 2 * fresh - 4])
