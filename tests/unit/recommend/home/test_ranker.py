"""What makes a tile be chosen is found again, though titles stood where they are looked at or not."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from unit.tables.rows import rows, same

from cinelake.recommend.home.attention import Attention, estimated
from cinelake.recommend.home.logit import Logit
from cinelake.recommend.home.planning import Basis
from cinelake.recommend.home.ranker import (
    CIRCUMSTANCES,
    RankerRecipe,
    blocks,
    by_profile,
    examples,
    in_view,
    judged,
    learned,
    looked_at_in_view,
    scored,
    seasons,
    weighed,
    with_strangers,
)
from cinelake.recommend.home.taste import Tastes
from cinelake.recommend.home.worth import NUMBERS
from cinelake.recommend.rows.kind import Titles
from cinelake.recommend.scoring import Factored
from cinelake.tables.home import SHOWN_TILES, TITLE_EXPOSURES

DAY = date(2026, 10, 30)  # a Friday
IDS = ["heat", "jaws", "up"]


def tile(rank: int, title: str, **more: Any) -> dict[str, Any]:
    told = {
        "profile_id": "p", "shown_date": DAY, "page": 1, "row": 1, "rank": rank, "title_id": title, "was_seen": True,
        "device_class": "tv", "daypart": "evening", "page_day": DAY,
    }  # fmt: skip
    return told | more


def basis() -> Basis:
    titles = Titles(
        genres=((),) * 3, moods=((),) * 3, themes=((),) * 3, paces=(None,) * 3, age_days=np.zeros(3),
        popularity={"US": np.full(3, 0.1)}, trend={"US": np.zeros(3)}, on_offer={"US": np.ones(3, bool)},
    )  # fmt: skip
    ids = pa.array(IDS)
    factors = np.array([[1.0], [-1.0], [0.0]], np.float32)
    tastes = Tastes(Factored(factors), ids, np.arange(3), np.arange(3), np.arange(3))
    features = {"US": np.arange(15.0).reshape(3, 5)}
    return Basis(
        ids, np.arange(3), IDS, [[]] * 3, np.zeros(3, bool), titles, tastes, features, None
    )


def test_only_tiles_that_were_seen_in_rows_of_titles_to_choose_tell_anything(
    spark: SparkSession,
) -> None:
    kept = [tile(0, "heat"), tile(1, "up", was_seen=False, is_chosen=True)]
    left = [tile(2, "jaws", was_seen=False), tile(3, "jaws", row_kind="continue_watching")]
    shown = rows(spark, SHOWN_TILES, *kept, *left)
    same(in_view(shown), rows(spark, SHOWN_TILES, *kept))


@pytest.mark.thorough
def test_a_chosen_tile_further_down_counts_no_more_for_seldom_having_come_into_view(
    spark: SparkSession,
) -> None:
    # Rows come into view the less the further down they are; once there, all are chosen alike.
    dice = np.random.default_rng(4)
    shown = []
    for n in range(6_000):
        row = int(dice.integers(6))
        seen = bool(dice.random() < math.exp(-0.5 * row))
        chosen = seen and bool(dice.random() < 0.3)
        told = {"row": row, "was_seen": seen, "is_chosen": chosen, "is_exploration": True}
        shown.append(tile(0, "heat", profile_id=f"p{n}", **told))
    tiles = rows(spark, SHOWN_TILES, *shown).localCheckpoint()
    attention = looked_at_in_view(tiles)
    assert attention.falls["tv"][0] == pytest.approx(0.0, abs=0.06)
    assert estimated(tiles).falls["tv"][0] > 0.4
    counted = weighed(in_view(tiles), attention).where("is_chosen")
    last = counted.where("row = 5").agg(F.avg("weight")).first()
    assert last is not None
    assert last[0] < 1.4


def test_an_example_has_what_was_known_before_and_what_held_then(spark: SparkSession) -> None:
    before = {"profile_id": "p", "title_id": "heat"}
    exposures = rows(
        spark,
        TITLE_EXPOSURES,
        before | {"shown_date": DAY - timedelta(days=1), "pages": 3, "chosen": 1},
        before | {"shown_date": DAY - timedelta(days=9), "pages": 2},
        # Too old, and of the day itself.
        before | {"shown_date": DAY - timedelta(days=30), "pages": 99},
        before | {"shown_date": DAY, "pages": 99},
    )
    profiles = spark.createDataFrame(
        [("p", "US", [2.0]), ("q", "US", None)],
        "profile_id string, market string, factors array<float>",
    )
    catalogue = spark.createDataFrame(
        [("heat", ["Crime"], None, "film", None, None)],
        "title_id string, genres array<string>, moods array<string>, kind string, runtime_s double, maturity int",
    )
    tiles = rows(
        spark,
        SHOWN_TILES,
        tile(2, "heat", is_chosen=True),
        tile(0, "up", profile_id="q", page_day=date(2026, 12, 25)),
        # A title that no page may hold any more, and a profile that is gone.
        tile(3, "gone"),
        tile(4, "up", profile_id="r"),
    )
    attention = Attention({"tv": (0.5, 0.25)}, "a test")
    tiles = tiles.withColumn("is_stranger", F.lit(False))
    found = examples(tiles, exposures, profiles, basis(), catalogue, RankerRecipe())
    found = weighed(found, attention)
    told = {row.profile_id: row.asDict() for row in found.collect()}
    assert told.keys() == {"p", "q"}
    spread = math.sqrt(8 / 3)
    numbers = dict(zip(NUMBERS, [2 / spread, 0, 1, 2, 3, 4, math.log(5)], strict=True))
    assert {n: told["p"][n] for n in NUMBERS} == pytest.approx(numbers)
    assert told["p"]["weight"] == pytest.approx(math.exp(0.5 + 0.5))
    assert set(told["p"]["terms"]) >= {
        "genre Crime", "genre Crime @ month 10", "genre Crime @ evening of weekday 5", "kind film @ device tv"
    }  # fmt: skip
    assert not any("holiday" in term for term in told["p"]["terms"])
    assert {n: told["q"][n] for n in NUMBERS} == pytest.approx(
        dict(zip(NUMBERS, [0, 10, 11, 12, 13, 14, 0], strict=True))
    )
    assert told["q"]["weight"] == 1.0
    assert [told["p"][name] for name in CIRCUMSTANCES] == ["tv", "evening", "5", "10", "no"]
    assert [told["q"][name] for name in CIRCUMSTANCES] == ["tv", "evening", "5", "12", "yes"]


def test_of_titles_that_are_on_offer_nowhere_there_are_no_numbers(spark: SparkSession) -> None:
    given = basis()
    nowhere = replace(given, features={}, titles=replace(given.titles, on_offer={}))
    profiles = spark.createDataFrame(
        [("p", "US", [2.0])], "profile_id string, market string, factors array<float>"
    )
    assert scored(rows(spark, SHOWN_TILES, tile(0, "heat")), profiles, nowhere).isEmpty()


def test_strangers_are_drawn_from_all_titles_that_were_not_on_the_page(spark: SparkSession) -> None:
    tiles = rows(
        spark, SHOWN_TILES, tile(0, "heat", is_chosen=True),
        *(tile(0, "jaws", profile_id="q", page=page) for page in range(1, 40)),
    )  # fmt: skip
    found = with_strangers(tiles, basis(), 2).localCheckpoint()
    same(found.where("NOT is_stranger"), tiles)
    strangers = found.where("is_stranger").collect()
    assert not any(row.is_chosen for row in strangers)
    of_q = [row.title_id for row in strangers if row.profile_id == "q"]
    assert {"heat", "up"} == set(of_q)
    assert 30 < len(of_q) <= 78
    assert {row.title_id for row in strangers if row.profile_id == "p"} <= {"jaws", "up"}
    same(with_strangers(tiles, basis(), 2), found)
    assert with_strangers(tiles, basis(), 0).where("is_stranger").isEmpty()


def drawn(spark: SparkSession, pages: int) -> DataFrame:
    """Page views of eight tiles. Taste doubles the odds, horror triples them in October, and what stands further right
    is looked at less; and the page puts first what is famous, which nobody minds.
    """
    dice = np.random.default_rng(6)
    told = []
    for page in range(pages):
        month = (9, 10)[page % 2]
        fame = np.sort(dice.normal(size=8))[::-1]
        for rank in range(8):
            taste, horror = dice.normal(), bool(dice.random() < 0.3)
            odds = -2.0 + math.log(2) * taste + math.log(3) * (horror and month == 10)
            looked, wanted = (
                dice.random() < math.exp(-0.3 * rank),
                dice.random() < 1 / (1 + math.exp(-odds)),
            )
            values = dict.fromkeys(NUMBERS, 0.0) | {"taste": taste, "fame": fame[rank]}
            genre = "genre Horror" if horror else "genre Drama"
            told.append(
                (f"p{page % 50}", DAY, page, 0, rank, "tv", "evening", "5", bool(looked and wanted),
                 [genre, f"{genre} @ month {month}"], *(float(values[name]) for name in NUMBERS))
            )  # fmt: skip
    numbers = ", ".join(f"{name} double" for name in NUMBERS)
    frame = spark.createDataFrame(
        told,
        "profile_id string, shown_date date, page int, row int, rank int, device_class string, daypart string, "
        f"weekday string, is_chosen boolean, terms array<string>, {numbers}",
    ).withColumns({"month": F.lit("10"), "holiday": F.lit("no")})
    weight = F.when(F.col("is_chosen"), 1 / Attention({"tv": (0.0, 0.3)}, "").propensity())
    told = frame.withColumn("weight", F.coalesce(weight, F.lit(1.0)))
    return told.withColumn("is_stranger", F.lit(False))


def of_pages(told: DataFrame) -> DataFrame:
    """What tells of seasons, tile by tile."""
    return told.select("is_chosen", "weight", F.lit(1).alias("tiles"), "terms")


def test_what_tells_of_seasons_is_summed_by_title_and_season(spark: SparkSession) -> None:
    def shown(title: str, day: date, rank: int = 1, **more: Any) -> dict[str, Any]:
        return tile(rank, title, page_day=day, shown_date=day, **more)

    october, christmas = date(2025, 10, 3), date(2025, 12, 25)
    tiles = rows(
        spark, SHOWN_TILES,
        *(shown("jaws", october, page=page) for page in (1, 2, 3)),
        shown("jaws", october, page=4, is_chosen=True), shown("jaws", october, page=5, is_chosen=True, rank=3),
        # Another October, a holiday where Christmas is one, and a profile of which nobody knows where it lives.
        shown("jaws", DAY), shown("jaws", christmas), shown("jaws", christmas, profile_id="q"),
        # Never in view, in a row of what was begun, and of a title that the catalogue does not have.
        shown("jaws", october, was_seen=False), shown("jaws", october, row_kind="continue_watching"),
        shown("gone", october),
    )  # fmt: skip
    people = spark.createDataFrame([("p", "US")], "profile_id string, market string")
    catalogue = spark.createDataFrame(
        [("jaws", ["Horror"], None, None, None, None)],
        "title_id string, genres array<string>, moods array<string>, kind string, runtime_s double, maturity int",
    )
    found = seasons(tiles, people, catalogue, Attention({"tv": (0.0, 0.25)}, "a test"))

    def told(chosen: bool, weight: float, tiles: int, *then: str) -> tuple[Any, ...]:
        terms = ["genre Horror", *(f"genre Horror @ {at}" for at in then)]
        return chosen, pytest.approx(weight), tiles, terms

    assert sorted(map(tuple, found.select("is_chosen", "weight", "tiles", "terms").collect())) == [
        told(False, 1.0, 1, "month 10"), told(False, 1.0, 1, "month 12"),
        told(False, 1.0, 1, "month 12", "holiday"), told(False, 3.0, 3, "month 10"),
        told(True, math.exp(0.25) + math.exp(0.75), 2, "month 10"),
    ]  # fmt: skip


def test_seasons_are_remembered_that_the_examples_do_not_have(spark: SparkSession) -> None:
    def told(chosen: int, of: int, *terms: str) -> list[tuple[Any, ...]]:
        counts = ((True, chosen), (False, of - chosen))
        return [(came, float(count), count, list(terms)) for came, count in counts]

    # Of last October a quarter of all horror was chosen, and in other months a tenth; of drama always that.
    memory = [
        row
        for month in (9, 10, 11)
        for genre, chosen in (("Horror", 250 if month == 10 else 100), ("Drama", 100))
        for row in told(chosen, 1000, f"genre {genre}", f"genre {genre} @ month {month}")
    ]
    # Weeks of next September, in which horror is chosen on televisions and not on telephones, and drama in both.
    weeks = [
        (chosen, count, [f"genre {genre}", f"genre {genre} @ device {device}", f"genre {genre} @ month 9"])
        for genre, device, share in (
            ("Horror", "tv", 30), ("Horror", "phone", 5), ("Drama", "tv", 10), ("Drama", "phone", 10)
        )
        for chosen, count in ((True, share), (False, 100 - share))
    ]  # fmt: skip
    examples = spark.createDataFrame(
        [
            (f"p{nth}", chosen, 1.0, False, terms, *dict.fromkeys(NUMBERS, 0.0).values())
            for chosen, count, terms in weeks
            for nth in range(count)
        ],
        "profile_id string, is_chosen boolean, weight double, is_stranger boolean, terms array<string>, "
        + ", ".join(f"{name} double" for name in NUMBERS),
    ).localCheckpoint()
    seasonal = spark.createDataFrame(
        memory, "is_chosen boolean, weight double, tiles int, terms array<string>"
    ).localCheckpoint()
    found = learned(examples, RankerRecipe(penalty=1.0, tiles_of_a_term=50), seasonal).weights
    more = found["genre Horror @ month 10"] - found["genre Horror @ month 9"]
    assert more == pytest.approx(math.log(3), abs=0.05)
    assert abs(found["genre Drama @ month 10"]) < 0.05
    apart = found["genre Horror @ device tv"] - found["genre Horror @ device phone"]
    assert apart == pytest.approx(math.log((30 / 70) / (5 / 95)), abs=0.25)


@pytest.mark.thorough
def test_taste_and_the_season_are_found_and_fame_that_only_stood_first_is_not(
    spark: SparkSession,
) -> None:
    told = drawn(spark, 3000).localCheckpoint()
    found = learned(told, RankerRecipe(penalty=1.0, tiles_of_a_term=1), of_pages(told))
    assert found.weights["taste"] == pytest.approx(math.log(2), abs=0.15)
    horror = {m: found.weights[f"genre Horror @ month {m}"] for m in (9, 10)}
    drama = {m: found.weights[f"genre Drama @ month {m}"] for m in (9, 10)}
    lift = (horror[10] - drama[10]) - (horror[9] - drama[9])
    assert lift == pytest.approx(math.log(3), abs=0.3)
    # What horror is at all times is learned beside that, and put away.
    assert "genre Horror" not in found.weights
    assert horror[10] > 0.3 > -0.3 > horror[9]
    # Without correction what stood first looks wanted.
    naive = learned(told.withColumn("weight", F.lit(1.0)), RankerRecipe())
    assert naive.weights["fame"] > 0.3
    assert abs(found.weights["fame"]) < 0.12

    plain = learned(told, RankerRecipe())
    means = by_profile(judged(told, found, plain)).groupBy("model").agg(F.avg("ndcg").alias("ndcg"))
    ndcg = {row.model: row.ndcg for row in means.collect()}
    assert ndcg["ranker"] > ndcg["without_circumstances"] > ndcg["fame"]


@pytest.mark.thorough
def test_what_made_a_page_is_learned_against_strangers_and_what_is_shown_in_vain_on_pages(
    spark: SparkSession,
) -> None:
    # All tiles of pages are famous; of two, that which was shown before is chosen less. Strangers are neither.
    told = []
    for page in range(200):
        for rank, (fame, shown, chosen, stranger) in enumerate(
            [
                (1.0, 0.0, page % 4 == 0, False),
                (1.0, 2.0, page % 20 == 1, False),
                (-1.0, 0.0, False, True),
            ]
        ):
            values = dict.fromkeys(NUMBERS, 0.0) | {"fame": fame, "shown": shown}
            told.append(
                (f"p{page}", DAY, page, 0, rank, chosen, 1.0, stranger, [], *values.values())
            )
    numbers = ", ".join(f"{name} double" for name in NUMBERS)
    examples = spark.createDataFrame(
        told,
        "profile_id string, shown_date date, page int, row int, rank int, is_chosen boolean, weight double, "
        f"is_stranger boolean, terms array<string>, {numbers}",
    ).localCheckpoint()
    found = learned(examples, RankerRecipe(penalty=0.01))
    assert found.weights["fame"] > 1.0
    assert found.weights["shown"] == pytest.approx(
        (math.log(0.05 / 0.95) - math.log(1 / 3)) / 2, abs=0.05
    )
    chance = examples.where("NOT is_stranger").select(found.chance(*NUMBERS).alias("p"))
    assert chance.agg(F.avg("p")).first()[0] == pytest.approx(0.15, abs=0.002)  # type: ignore[index]


def test_a_page_is_judged_by_where_the_chosen_tile_would_stand_weighed_by_its_place(
    spark: SparkSession,
) -> None:
    numbers = ", ".join(f"{name} double" for name in NUMBERS)
    schema = (
        "profile_id string, shown_date date, page int, row int, rank int, device_class string, daypart string, "
        f"weekday string, is_chosen boolean, weight double, terms array<string>, {numbers}"
    )

    def row(page: int, rank: int, taste: float, chosen: bool, weight: float) -> tuple[Any, ...]:
        values = dict.fromkeys(NUMBERS, 0.0) | {"taste": taste}
        return ("p", DAY, page, 0, rank, "tv", "evening", "5", chosen, weight, [], *values.values())

    told = spark.createDataFrame(
        [
            row(1, 0, 0.1, False, 1.0), row(1, 1, 0.9, True, 3.0),
            row(2, 0, 0.9, False, 1.0), row(2, 1, 0.1, True, 1.0),
            # Nothing was chosen: no part of the mean.
            row(3, 0, 0.9, False, 1.0),
        ],
        schema,
    ).withColumns({"is_stranger": F.lit(False), "month": F.lit("10"), "holiday": F.lit("no")})  # fmt: skip
    stranger = told.limit(1).withColumn("taste", F.lit(9.0)).withColumn("is_stranger", F.lit(True))
    told = told.union(stranger)
    logit = Logit(0.0, dict.fromkeys(NUMBERS, 0.0) | {"taste": 1.0})
    found = by_profile(judged(told, logit, logit)).where("model = 'ranker'").first()
    assert found is not None
    assert found.ndcg == pytest.approx((3.0 * 1.0 + 1.0 / math.log2(3)) / 4.0)


def test_days_are_learned_from_block_by_block() -> None:
    def day(n: int) -> date:
        return DAY + timedelta(days=n)

    assert blocks(DAY, day(16), 7) == [(DAY, day(7)), (day(7), day(14)), (day(14), day(16))]
    assert blocks(DAY, day(7), 7) == [(DAY, day(7))]
    assert blocks(DAY, DAY, 7) == [(DAY, DAY)]
