"""Recipes are compared on what they have not seen, beside the baseline, and every number is there."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import partial

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from unit.recommend import limited
from unit.tables.rows import rows

from cinelake.recommend import pictures
from cinelake.recommend.gate import CHALLENGER, CHAMPION, POPULAR
from cinelake.recommend.holdout import Holdout
from cinelake.recommend.measures import MEASURES
from cinelake.recommend.models.als import AlsRecipe
from cinelake.recommend.models.blend import BlendRecipe
from cinelake.recommend.models.ease import EaseRecipe
from cinelake.recommend.models.hybrid import HybridRecipe
from cinelake.recommend.models.item_item import ItemItemRecipe
from cinelake.recommend.models.mixture import MixtureRecipe
from cinelake.recommend.models.popular import PopularRecipe
from cinelake.recommend.protocols import Split
from cinelake.recommend.strengths import Weights
from cinelake.recommend.training import Comparison, Row, compare, rivals
from cinelake.tables.features import TITLE_SIGNALS

FIRST = datetime(2026, 3, 1, tzinfo=UTC)


def two_tastes(spark: SparkSession) -> DataFrame:
    """Sixteen profiles like even titles, eight odd ones: eight titles before the cut, the last four after it.

    So popularity shows even titles to everyone.
    """
    told = []
    for profile in range(24):
        taste = 1 if profile % 3 == 0 else 0
        liked = [title for title in range(24) if title % 2 == taste]
        for place, title in enumerate(sorted(liked, key=lambda t: (t * 7 + profile * 5) % 24)):
            at = FIRST + timedelta(days=place)
            told.append((profile, title, at))
    # Someone who comes after the cut, and a title nobody knew.
    late = FIRST + timedelta(days=9)
    told.append((99, 99, late))
    ratings = (
        {
            "profile_id": f"p{profile}",
            "title_id": f"t{title:02}",
            "rating": 5.0,
            "rated_at": at,
            "signal_date": at.date(),
        }
        for profile, title, at in told
    )
    number = {name: F.substring(f"{name}_id", 2, 2).cast("int") for name in ("profile", "title")}
    return rows(spark, TITLE_SIGNALS, *ratings).select(
        "*", *(value.alias(f"{name}_idx") for name, value in number.items())
    )


RIVALS = ("ease", "item_item", "mixture", "blend")


@pytest.fixture(scope="module")
def comparison(spark: SparkSession) -> Comparison:
    good = AlsRecipe(rank=2, alpha=5, reg_param=0.1, iterations=4, blocks=2)
    # Regularised until nothing is left but popularity.
    dull = good.model_copy(update={"rank": 1, "reg_param": 50.0, "iterations": 1})
    holdout = Holdout(date(2026, 3, 9), date(2026, 3, 13))
    ease = EaseRecipe(penalty=5.0)
    mixture = MixtureRecipe(classes=4, rank=1, iterations=4, penalty=1.0)
    rivals = {
        "ease": ease,
        "item_item": ItemItemRecipe(shrinkage=1.0),
        "mixture": mixture,
        "blend": BlendRecipe(
            als=good, ease=ease, mixture=mixture, weights={"als": 0.5, "ease": 0.2, "mixture": 0.3}
        ),
    }
    devices = [(f"p{n}", "phone" if n % 3 == 0 else "tv") for n in range(24)]
    genres = [(f"t{n:02}", ["even" if n % 2 == 0 else "odd"]) for n in range(24)]
    return compare(
        [Split.at(two_tastes(spark), holdout)],
        {CHALLENGER: good, CHAMPION: dull, **rivals},
        weights=Weights(),
        k=4,
        ks=[2],
        genres=spark.createDataFrame(genres, "title_id string, genres array<string>"),
        groups=spark.createDataFrame(devices, "profile_id string, device string"),
    )


@pytest.mark.thorough
def test_a_model_of_tastes_beats_popularity_on_unseen_titles(comparison: Comparison) -> None:
    measured = comparison.measured("ndcg")

    assert measured.keys() == {CHALLENGER, CHAMPION, POPULAR, *RIVALS}
    # Each profile has exactly its four remaining titles to find.
    assert measured[CHALLENGER].mean == pytest.approx(1.0)
    assert measured[POPULAR].mean < 0.9
    assert {row["profiles"] for row in comparison.measures} == {24}
    for rival in RIVALS:
        assert measured[rival].mean == pytest.approx(1.0), rival
    lead = comparison.measured("lead")[POPULAR]
    assert lead.mean == pytest.approx(1 - measured[POPULAR].mean)
    assert lead.low > 0


@pytest.mark.thorough
def test_what_could_not_be_predicted_is_counted(comparison: Comparison) -> None:
    assert comparison.cold == [
        {"fold": 1, "profiles": 25, "cold_profiles": 1, "titles": 25, "cold_titles": 1}
    ]


@pytest.mark.thorough
def test_every_number_gets_a_name_and_a_place_in_the_picture(comparison: Comparison) -> None:
    metrics = comparison.metrics()

    assert metrics["challenger.ndcg_at_4"] == pytest.approx(1.0)
    assert metrics["challenger.recall_at_4"] == pytest.approx(1.0)
    assert metrics["challenger.coverage_at_4"] == 1.0
    assert metrics["popular.gini_at_4"] > metrics["challenger.gini_at_4"]
    assert metrics["popular.popularity_at_4"] > metrics["challenger.popularity_at_4"]
    # All that they like is of one genre, and so is their list.
    assert metrics["challenger.miscalibration_at_4"] == pytest.approx(0.0)
    assert metrics["popular.miscalibration_at_4"] > 0.1
    assert metrics["challenger.precision_at_2"] == pytest.approx(1.0)
    by_history = [r for r in comparison.segments if r["measure"] == "ndcg_at_4"]
    assert {(r["segment"], r["group"], r["profiles"]) for r in by_history} == {
        ("history", "1-9", 24), ("history", "new", 1), ("device", "tv", 16), ("device", "phone", 8),
    }  # fmt: skip
    of_group = {r["measure"] for r in comparison.segments if r["group"] == "tv"}
    assert of_group == {"lead", *(f"{measure}_at_4" for measure in MEASURES)}
    assert metrics["challenger.ndcg_at_4.history.1-9"] == pytest.approx(1.0)
    assert metrics["challenger.ndcg_at_4.device.phone"] == pytest.approx(1.0)
    assert metrics["challenger_minus_popular.ndcg_at_4.low"] > 0
    lead = comparison.grouped("lead")["history", "1-9"]
    assert lead[POPULAR].low > 0
    assert lead[CHALLENGER].mean == 0
    assert metrics["holdout_1.cold_titles"] == 1
    labels = [label.get_text() for label in pictures.quality(comparison).axes[0].get_yticklabels()]
    assert set(labels) == {CHALLENGER, CHAMPION, POPULAR, *RIVALS}
    # The worst of them below.
    assert labels[0] in {POPULAR, CHAMPION}


@pytest.mark.thorough
def test_who_is_new_is_judged_by_what_is_popular_whichever_model_there_is(
    comparison: Comparison,
) -> None:
    # The only one likes a title that nobody knew.
    new = comparison.grouped("recall")["history", "new"]
    assert new.keys() == {CHALLENGER, CHAMPION, POPULAR, *RIVALS}
    assert {(one.mean, one.profiles) for one in new.values()} == {(0.0, 1)}
    shown = comparison.grouped("popularity")["history", "new"]
    # Even titles, which all sixteen who like them know.
    assert {one.mean for one in shown.values()} == {shown[POPULAR].mean}
    assert shown[POPULAR].mean > comparison.measured("popularity")[CHALLENGER].mean
    assert {one.mean for one in comparison.grouped("lead")["history", "new"].values()} == {0.0}


@pytest.mark.thorough
def test_who_is_new_is_shown_what_is_liked_in_its_own_market(spark: SparkSession) -> None:
    """Forty in Germany like other titles than the thirty in Japan, from where somebody new comes."""
    told = [(n, title, 0) for n in range(70) for title in ((0, 1) if n < 40 else (2, 3))]
    told += [(90, 2, 9), (91, 0, 9)]
    signals = rows(
        spark,
        TITLE_SIGNALS,
        *(
            {
                "profile_id": f"p{profile:02}",
                "title_id": f"t{title}",
                "rating": 5.0,
                "rated_at": FIRST + timedelta(days=days),
                "signal_date": (FIRST + timedelta(days=days)).date(),
            }
            for profile, title, days in told
        ),
    ).select(
        "*",
        F.substring("profile_id", 2, 2).cast("int").alias("profile_idx"),
        F.substring("title_id", 2, 1).cast("int").alias("title_idx"),
        F.lit("DE").alias("market"),
    )
    markets = [(f"p{n:02}", "JP" if 40 <= n <= 90 else "DE") for n, *_ in told]
    people = spark.createDataFrame(sorted(set(markets)), "profile_id string, market string")
    split = Split.at(signals, Holdout(date(2026, 3, 9), date(2026, 3, 13)))

    found = compare([split], {}, weights=Weights(), k=2, groups=people)
    new = found.grouped("recall")["history", "new"][POPULAR]
    # By the whole service both would be shown what Germany likes, and one would like nothing of it.
    assert (new.mean, new.profiles) == (1.0, 2)


@pytest.mark.thorough
def test_models_are_judged_by_lists_that_could_have_been_served(spark: SparkSession) -> None:
    found = compare(
        [limited.split(spark)], {}, weights=Weights(), k=1,
        service_at=partial(limited.service_at, spark),
    )  # fmt: skip

    # Each gets the most popular title that it may be shown; what Eve was shown later is missed, and asked for.
    recall = found.measured("recall")[POPULAR]
    assert (recall.mean, recall.profiles) == (pytest.approx(2 / 3), 3)
    # So does who is not known yet at the cut.
    new = found.grouped("recall")["history", "new"][POPULAR]
    assert (new.mean, new.profiles) == (1.0, 1)


@pytest.mark.thorough
def test_whom_lists_are_for_is_the_same_whatever_a_model_takes_for_a_like(
    spark: SparkSession,
) -> None:
    # Two like the one title; by lower standards a third likes the other, and would be shown what they are not.
    told = [(0, 0, 5.0, 0), (1, 0, 5.0, 0), (2, 1, 3.0, 0), (0, 1, 5.0, 9)]
    signals = rows(
        spark,
        TITLE_SIGNALS,
        *(
            {
                "profile_id": f"p{profile}",
                "title_id": f"t{title}",
                "rating": stars,
                "rated_at": FIRST + timedelta(days=days),
                "signal_date": (FIRST + timedelta(days=days)).date(),
            }
            for profile, title, stars, days in told
        ),
    ).select(
        "*",
        *(
            F.substring(f"{of}_id", 2, 1).cast("int").alias(f"{of}_idx")
            for of in ("profile", "title")
        ),
    )
    split = Split.at(signals, Holdout(date(2026, 3, 9), date(2026, 3, 13)))

    found = compare(
        [split], {CHALLENGER: PopularRecipe()}, weights=Weights(), k=1,
        learned={CHALLENGER: Weights(like_from=3.0)},
    )  # fmt: skip
    assert {row["model"]: row["coverage"] for row in found.shown} == {CHALLENGER: 0.5, POPULAR: 0.5}


@pytest.mark.thorough
def test_what_calibration_costs_is_measured_and_drawn(comparison: Comparison) -> None:
    rows = comparison.trade_off
    assert [row["calibration"] for row in rows] == [0.0, 0.2, 0.4, 0.6, 0.8, 0.95]
    assert rows[0]["ndcg"] == pytest.approx(comparison.measured("ndcg")[CHALLENGER].mean)
    told = [row["miscalibration"] for row in rows]
    assert told == sorted(told, reverse=True)
    assert len(pictures.trade_off(comparison).axes) == 2


def test_names_of_groups_are_made_fit_for_metrics_and_only_the_largest_are_told() -> None:
    def row(group: str, profiles: int) -> Row:
        told = {"model": CHALLENGER, "segment": "market", "group": group, "measure": "ndcg_at_4"}
        return told | {"profiles": profiles, "mean": 0.5, "low": 0.4, "high": 0.6}

    sizes = {"100+": 9, "<b>": 8, "DE": 7, "FR": 6, "GB": 5, "IT": 4}
    told = Comparison(4, [], [row(*group) for group in sizes.items()], [], []).metrics()
    names = ("100-", "-b-", "DE", "FR", "GB")
    assert told == {f"challenger.ndcg_at_4.market.{name}": 0.5 for name in names}


def test_a_settled_model_keeps_its_parts_and_others_are_made_of_settled_ones() -> None:
    als, other = AlsRecipe(rank=3), AlsRecipe(rank=5)
    blend = BlendRecipe(als=other)
    found = rivals(["blend", "hybrid"], {"als": als, "blend": blend})
    assert found == {"blend": blend, "hybrid": HybridRecipe(als=als)}


def test_without_a_holdout_there_are_no_numbers(spark: SparkSession) -> None:
    nothing = compare([], {CHALLENGER: AlsRecipe()}, weights=Weights(), k=4)

    assert (nothing.measures, nothing.metrics()) == ([], {})


def test_a_holdout_before_which_nobody_liked_anything_is_passed_over(spark: SparkSession) -> None:
    holdout = Holdout(date(2026, 3, 9), date(2026, 3, 13))

    assert (
        compare(
            [Split.at(two_tastes(spark), holdout)], {}, weights=Weights(like_from=5.5), k=4
        ).measures
        == []
    )
