"""A title is shown only to whom it may be: where it is on offer, and to whom it is meant for."""

from __future__ import annotations

from datetime import date, datetime

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from unit.tables.rows import rows, same

from cinelake.recommend import top_n as module
from cinelake.recommend.eligibility import (
    InForce,
    Limits,
    Offer,
    age_shown,
    in_force,
    may_be_shown,
    offer,
    offered,
)
from cinelake.recommend.scoring import Factored
from cinelake.recommend.top_n import Catalogue, Scorer
from cinelake.tables.behaviour import AVAILABILITY, PROFILES, TITLES

UNTIL = date(2026, 3, 2)
MIDNIGHT = datetime(2026, 3, 2)
BOTH = InForce(market=True, age=True)


def _decided(
    title: str, market: str, told: int, since: int, until: int | None
) -> dict[str, object]:
    return {
        "title_id": title,
        "market": market,
        "effective_from": datetime(2026, 2, told),
        "available_from": datetime(2026, 3, since),
        "available_until": until and datetime(2026, 3, until),
    }


def test_a_title_is_on_offer_where_the_newest_decision_says_so_at_that_moment(
    spark: SparkSession,
) -> None:
    availability = rows(
        spark,
        AVAILABILITY,
        _decided("heat", "DE", 1, 1, None),
        _decided("heat", "FR", 1, 2, 5),  # from that very moment on
        _decided("heat", "IT", 1, 1, 2),  # until that very moment
        _decided("up", "DE", 1, 1, None),
        _decided("up", "DE", 2, 9, None),  # put off, as was told later
    )
    titles = rows(
        spark,
        TITLES,
        {
            "title_id": "heat",
            "kind": "film",
            "maturity": 18,
            "effective_from": datetime(2026, 1, 1),
        },
        {
            "title_id": "heat",
            "kind": "film",
            "maturity": 16,
            "effective_from": datetime(2026, 1, 2),
        },
        {"title_id": "up", "kind": None},
        {"title_id": "part", "kind": "episode", "maturity": 0},
    )
    expected = spark.createDataFrame(
        [("heat", "film", 16, ["DE", "FR"]), ("up", None, None, [])],
        "title_id string, kind string, least_age int, markets array<string>",
    )

    same(offered(titles, availability, UNTIL), expected)


def test_a_kid_is_shown_no_more_than_kids_are_whatever_its_limit(spark: SparkSession) -> None:
    people = spark.createDataFrame(
        [
            ("adult", 18, 18),
            ("adult", None, None),
            ("kid", 7, 7),
            ("kid", 16, 12),
            ("kid", None, None),
            (None, 18, 12),  # of a kind that nobody knows
        ],
        "kind string, age_limit int, expected int",
    )

    found = people.where(~F.col("expected").eqNullSafe(age_shown(Limits())))

    assert found.isEmpty()


def test_what_is_unknown_is_not_shown(spark: SparkSession) -> None:
    cases = spark.createDataFrame(
        [
            ("DE", 12, ["DE"], 12, True),
            ("DE", 12, ["FR"], 12, False),
            ("DE", 12, ["DE"], 16, False),
            ("DE", None, ["DE"], 0, False),
            (None, 12, ["DE"], 0, False),
            ("DE", 12, ["DE"], None, False),
            ("DE", 12, None, 0, False),
        ],
        "market string, age_limit int, markets array<string>, least_age int, expected boolean",
    )

    assert cases.where(F.col("expected") != may_be_shown(BOTH)).isEmpty()
    # Without a limit in force nothing is asked.
    assert cases.where(~may_be_shown(InForce(market=False, age=False))).isEmpty()


@pytest.mark.parametrize(
    ("told", "undelivered", "expected"),
    [
        ("nothing", "open", InForce(market=False, age=False)),
        ("nothing", "closed", BOTH),
        ("profiles", "open", InForce(market=False, age=True)),
        ("both", "open", BOTH),
    ],
)
def test_a_limit_is_in_force_once_the_service_told_of_it(
    spark: SparkSession, told: str, undelivered: str, expected: InForce
) -> None:
    availability = rows(spark, AVAILABILITY, *([{}] if told == "both" else []))
    profiles = rows(spark, PROFILES, *([{}] if told != "nothing" else []))

    found = in_force(Limits.model_validate({"undelivered": undelivered}), availability, profiles)

    assert found == expected


def _shown(spark: SparkSession) -> DataFrame:
    return spark.createDataFrame(
        [("up", 0, ["DE", "FR"]), ("heat", 16, ["DE"]), ("lost", 0, []), ("odd", None, ["DE"])],
        "title_id string, least_age int, markets array<string>",
    )


def test_an_offer_keeps_from_each_audience_what_it_may_not_see(spark: SparkSession) -> None:
    held = offer(_shown(spark), BOTH)
    assert held is not None
    ids = pa.array(["heat", "odd", "strange", "up"])  # one that nobody offers
    people = pa.record_batch(
        {
            "market": pa.array(["DE", "DE", "FR", None, "XX", "DE"]),
            "age_limit": pa.array([18, 7, 18, 18, 18, None], pa.int32()),
        }
    )

    of_row, added = held.among(ids).kept_from(people)

    shown = [ids.filter(pa.array(np.isfinite(added[audience]))).to_pylist() for audience in of_row]
    assert shown == [["heat", "up"], ["up"], ["up"], [], [], []]


def test_an_offer_without_limits_is_none(spark: SparkSession) -> None:
    assert offer(_shown(spark), InForce(market=False, age=False)) is None


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    profiles=st.integers(1, 40),
    titles=st.integers(1, 120),
    n=st.integers(1, 15),
    tile=st.sampled_from([1, 300, 10**6]),
)
def test_no_list_holds_what_may_not_be_shown_and_none_lacks_what_may(
    *, seed: int, profiles: int, titles: int, n: int, tile: int
) -> None:
    random = np.random.default_rng(seed)
    factors = (random.integers(0, 3, (titles, 2)) / 2).astype("f4")
    of_profiles = random.normal(size=(profiles, 2)).astype("f4")
    here = random.random((3, titles)) < 0.3
    ages = random.choice([0, 7, 16, 32_767], titles)
    markets = random.choice(["A", "B", "C", "D"], profiles).tolist()
    limits = [
        None if limit < 0 else int(limit) for limit in random.choice([-1, 0, 12, 18], profiles)
    ]
    seen = [random.choice(titles, random.integers(0, titles + 1), replace=False) for _ in markets]
    ids = pa.array([f"{title:03}" for title in range(titles)])
    limited = Offer(ids, {"A": 0, "B": 1, "C": 2}, here, ages)
    held = Catalogue(ids, np.arange(titles), Factored(factors), limited)
    batch = pa.record_batch(
        {
            "profile_id": pa.array(range(profiles)),
            "factors": pa.array(of_profiles.tolist(), pa.list_(pa.float32())),
            "seen": pa.array([one.tolist() for one in seen], pa.list_(pa.int32())),
            "market": pa.array(markets),
            "age_limit": pa.array(limits, pa.int32()),
        }
    )

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "TILE_CELLS", tile)
        ranked = [row for part in Scorer(held, n).rank(batch) for row in part.to_pylist()]

    for profile, market in enumerate(markets):
        number, limit = limited.markets.get(market), limits[profile]
        scores = factors.astype(np.float64) @ of_profiles[profile].astype(np.float64)
        open_titles = [
            title
            for title in range(titles)
            if number is not None
            and here[number, title]
            and limit is not None
            and ages[title] <= limit
            and title not in seen[profile]
        ]
        best = sorted(open_titles, key=lambda title: (-scores[title], title))[:n]
        listed = [row["title_id"] for row in ranked if row["profile_id"] == profile]
        assert listed == [f"{title:03}" for title in best]
