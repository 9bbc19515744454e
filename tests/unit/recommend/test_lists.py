"""Everyone gets a list, from the model or else from what is popular, as long as titles are left, and never one seen
before.
"""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from chispa import assert_df_equality
from pyspark.sql import DataFrame, SparkSession
from unit.tables.rows import rows

from cinelake.recommend.content import SAID
from cinelake.recommend.eligibility import InForce, Limits
from cinelake.recommend.fold_in import Ridge
from cinelake.recommend.lists import Known, lists_for_everyone
from cinelake.recommend.models.popular import popular_titles
from cinelake.recommend.newcomer import Newcomer, popular_for
from cinelake.recommend.rerank import Taste
from cinelake.recommend.service import Service
from cinelake.tables.behaviour import TITLES
from cinelake.tables.recommend import RECOMMENDATIONS, SOURCES

STRENGTHS = "profile_id string, title_id string, strength float, is_seen boolean"
COLUMNS = ["profile_id", "rank", "title_id", "source"]
PLAIN = Taste()
EXPECTED = "profile_id string, rank int, title_id string, source string"


def _interactions(spark: SparkSession) -> DataFrame:
    return spark.createDataFrame(
        [
            ("ann", "heat", 1.0, True),
            ("bob", "heat", 1.0, True),
            ("bob", "up", 1.0, True),
            ("new", "jaws", 0.0, True),  # not liked, but seen
            ("ann", "up", 0.0, False),  # looked at only
        ],
        STRENGTHS,
    )


def _titles(spark: SparkSession) -> DataFrame:
    return spark.createDataFrame(
        [("heat", [3.0], False), ("up", [2.0], False), ("old", [1.0], True)],
        "title_id string, factors array<float>, is_cold boolean",
    )


def _service(spark: SparkSession, **told: Any) -> Service:
    """A service that tells of nothing but what is said."""
    nothing: dict[str, Any] = {
        "until": date(2026, 3, 2),
        "viewers": None,
        "shown": spark.createDataFrame(
            [], "title_id string, kind string, least_age int, markets array<string>"
        ),
        "rules": InForce(market=False, age=False),
        "rewatchable": (),
        "said": _said(spark),
        "circles": spark.createDataFrame(
            [], "circle array<string>, title_id string, starts double, total double"
        ),
        "prior": 1.0,
    }
    return Service(**nothing | told)


def _said(spark: SparkSession, *told: dict[str, Any]) -> DataFrame:
    return rows(spark, TITLES, *told).select("title_id", *SAID)


def _lists(
    spark: SparkSession, n: int, *, approved: bool = True, taste: Taste = PLAIN, **told: Any
) -> DataFrame:
    known = Known(_titles(spark), Ridge(2.0, 0.1)) if approved else None
    return lists_for_everyone(
        _interactions(spark), _service(spark, **told), known, n, reasons=1, taste=taste
    )


def test_profiles_the_model_knows_get_its_titles_and_all_others_the_popular_ones(
    spark: SparkSession,
) -> None:
    expected = spark.createDataFrame(
        [
            ("ann", 1, "up", "history"),
            ("ann", 2, "old", "history"),  # rated by nobody any more, yet in the model
            ("bob", 1, "old", "history"),
            ("bob", 2, "jaws", "popular"),  # the model knows no other that he has not seen
            ("new", 1, "heat", "popular"),
            ("new", 2, "up", "popular"),
        ],
        EXPECTED,
    )

    lists = _lists(spark, 2).localCheckpoint()

    assert_df_equality(lists.select(COLUMNS), expected, ignore_row_order=True, ignore_nullable=True)
    because = {(row.profile_id, row.title_id): row.because for row in lists.collect()}
    assert [reason.title_id for reason in because["ann", "up"]] == ["heat"]
    # Of the two that Bob likes, heat adds more.
    assert [reason.title_id for reason in because["bob", "old"]] == ["heat"]
    assert because["new", "heat"] is None
    assert because["bob", "jaws"] is None
    shared = {(row.profile_id, row.title_id): row.shared for row in lists.collect()}
    # The catalogue says nothing of them.
    assert (shared["ann", "up"], shared["new", "heat"]) == ([[]], None)
    cold = {(row.title_id, row.is_cold) for row in lists.collect() if row.source == "history"}
    assert cold == {("up", False), ("old", True)}
    assert {row.is_cold for row in lists.collect() if row.source == "popular"} == {None}


@pytest.mark.thorough
def test_lists_are_arranged_by_what_the_catalogue_says(spark: SparkSession) -> None:
    said = _said(
        spark,
        {"title_id": "heat", "genres": ["crime"]},
        {"title_id": "up", "genres": ["family"], "release_date": date(1990, 1, 1)},
        {"title_id": "old", "genres": ["crime"], "release_date": date(2026, 3, 1)},
    )

    lists = _lists(spark, 1, taste=Taste(calibration=0.5, freshness=0.5), said=said)

    # By their scores it would be "up" for her, who liked a crime film; and the other is new.
    found = {row.profile_id: row.title_id for row in lists.collect()}
    assert found == {"ann": "old", "bob": "old", "new": "heat"}


def test_without_a_model_everyone_gets_the_popular_titles(spark: SparkSession) -> None:
    expected = spark.createDataFrame(
        [
            ("ann", 1, "up", "popular"),
            ("ann", 2, "jaws", "popular"),
            ("bob", 1, "jaws", "popular"),
            ("new", 1, "heat", "popular"),
            ("new", 2, "up", "popular"),
        ],
        EXPECTED,
    )

    lists = _lists(spark, 2, approved=False)

    assert_df_equality(lists.select(COLUMNS), expected, ignore_row_order=True, ignore_nullable=True)


def test_every_viewer_has_a_list_of_what_it_may_be_shown_from_its_picks_if_it_has_done_nothing(
    spark: SparkSession,
) -> None:
    viewers = spark.createDataFrame(
        [
            ("ann", "adult", 18, None, "DE", "tv"),  # Bob has left
            ("eve", "adult", 18, ["heat", "who knows"], "DE", "tv"),
            ("kim", "kid", 7, None, "DE", "tv"),
            ("pat", "adult", 18, ["heat"], None, None),  # in no market
        ],
        "profile_id string, kind string, age_limit int, onboarding_picks array<string>, market string, "
        "device_kind string",
    )
    shown = spark.createDataFrame(
        [
            ("heat", "film", 16, ["DE"]),
            ("up", "film", 0, ["DE"]),
            ("jaws", "film", 12, ["FR"]),
            ("old", "film", None, ["DE"]),  # whom is it for?
            ("unmet", "film", 0, ["DE"]),
        ],
        "title_id string, kind string, least_age int, markets array<string>",
    )
    expected = spark.createDataFrame(
        [
            ("ann", 1, "up", "history"),
            ("ann", 2, "unmet", "popular"),  # the model has no more for her
            ("eve", 1, "heat", "picks"),  # picked, but not seen
            ("eve", 2, "up", "picks"),
            ("kim", 1, "up", "popular"),
            ("kim", 2, "unmet", "popular"),
            ("pat", None, None, None),
        ],
        EXPECTED,
    )

    lists = _lists(spark, 2, viewers=viewers, shown=shown, rules=InForce(market=True, age=True))

    assert_df_equality(lists.select(COLUMNS), expected, ignore_row_order=True, ignore_nullable=True)


def test_who_liked_what_the_model_knows_and_has_seen_all_of_it_gets_what_is_popular(
    spark: SparkSession,
) -> None:
    of_fit = _titles(spark).where("title_id <> 'old'")
    expected = spark.createDataFrame(
        [
            ("ann", 1, "up", "history"),
            ("ann", 2, "jaws", "popular"),
            ("bob", 1, "jaws", "popular"),
            ("new", 1, "heat", "popular"),
            ("new", 2, "up", "popular"),
        ],
        EXPECTED,
    )

    lists = lists_for_everyone(
        _interactions(spark),
        _service(spark),
        Known(of_fit, Ridge(2.0, 0.1)),
        5,
        reasons=1,
        taste=PLAIN,
    )

    assert_df_equality(lists.select(COLUMNS), expected, ignore_row_order=True, ignore_nullable=True)


@pytest.mark.thorough
def test_titles_of_kinds_that_are_watched_again_stay_on_lists(spark: SparkSession) -> None:
    shown = spark.createDataFrame(
        [("heat", "series", 0, []), ("up", "film", 0, [])],
        "title_id string, kind string, least_age int, markets array<string>",
    )

    lists = _lists(spark, 3, shown=shown, rewatchable=("series",))

    of_bob = [row.title_id for row in lists.where("profile_id = 'bob'").orderBy("rank").collect()]
    assert of_bob == ["heat", "old", "jaws"]


def test_what_a_list_may_be_made_from_is_told_of_its_column() -> None:
    (told,) = (column.comment for column in RECOMMENDATIONS.columns if column.name == "source")
    assert [part.partition(":")[0] for part in told.split("; ")] == list(SOURCES)


def test_popular_is_what_most_liked_and_then_what_most_know(spark: SparkSession) -> None:
    interactions = spark.createDataFrame(
        [
            ("ann", "liked", 1.0, True),
            ("ann", "known", 0.0, True),
            ("bob", "known", 0.0, True),
            ("ann", "obscure", 0.0, True),
            ("bob", "obscure", 0.0, False),  # looked at only
        ],
        STRENGTHS,
    )
    expected = spark.createDataFrame(
        [("liked", [1.5]), ("known", [2 / 3]), ("obscure", [0.5])],
        "title_id string, factors array<double>",
    )

    assert_df_equality(
        popular_titles(interactions), expected, ignore_row_order=True, ignore_nullable=True
    )


def test_a_newcomer_gets_what_is_popular_around_it_at_that_hour(spark: SparkSession) -> None:
    shown = spark.createDataFrame(
        [("heat", "film", 16, ["DE"]), ("up", "film", 0, ["DE"]), ("jaws", "film", 0, ["DE"])],
        "title_id string, kind string, least_age int, markets array<string>",
    )
    circles = spark.createDataFrame(
        [(["DE", "adult", "tv", "evening"], "jaws", 9.0, 9.0)],
        "circle array<string>, title_id string, starts double, total double",
    )
    service = _service(spark, shown=shown, rules=InForce(market=True, age=True), circles=circles)

    def first(*asked: Any) -> list[str]:
        listed = popular_for(Newcomer(*asked), _interactions(spark), service, Limits(), 3)
        return [row.title_id for row in listed.orderBy("place").collect()]

    assert first("DE", "adult", 18, "tv", 20) == ["jaws", "heat", "up"]
    assert first("DE", "adult", 18, "tv", None) == ["heat", "up", "jaws"]
    assert first("DE", "kid", 7, "tv", 9) == ["up", "jaws"]
    # A kid is shown no more than kids are, whatever its limit.
    assert first("DE", "kid", 18, "tv", 9) == ["up", "jaws"]
    assert first("FR", "adult", 18, "tv", 20) == []
