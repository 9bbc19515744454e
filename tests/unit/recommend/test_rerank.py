"""Each weight does what it says, none of them changes nothing, and nothing is taken twice."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest
from chispa import assert_df_equality
from pyspark.sql import SparkSession

from cinelake.recommend.measures import Judged, Traits, measured
from cinelake.recommend.rerank import Candidates, Taste, rerank, reranked

TITLES, WIDTH, N = 60, 30, 10


def traits() -> Traits:
    """Three genres, a title has one; the first titles are liked most."""
    genres = np.eye(3)[np.arange(TITLES) % 3]
    return Traits(np.arange(TITLES), np.linspace(500, 0, TITLES).round(), genres, 600)


@pytest.fixture(scope="module")
def given() -> Candidates:
    """Forty profiles; the best candidates are of the first genre, and the history is of all."""
    random = np.random.default_rng(6)
    titles = np.array([random.permutation(TITLES)[:WIDTH] for _ in range(40)])
    scores = random.random((40, WIDTH)) + 2.0 * (titles % 3 == 0)
    order = np.argsort(-scores, axis=1)
    tastes = random.dirichlet([2, 2, 2], 40)
    return Candidates(
        np.take_along_axis(titles, order, axis=1),
        np.take_along_axis(scores, order, axis=1),
        tastes,
        random.integers(-(1 << 63), 1 << 63, 40),
    )


def taken(given: Candidates, **weights: float) -> np.ndarray:
    newness = np.arange(TITLES) / TITLES
    places = reranked(given, traits(), newness, Taste(**weights), N)
    assert all(len(set(row)) == N for row in places.tolist())
    return np.take_along_axis(given.titles, places, axis=1)


def measure(name: str, lists: np.ndarray, given: Candidates) -> float:
    nothing = (np.array([], int), np.array([], int))
    judged = Judged(lists, np.ones(len(lists), int), nothing, given.tastes)
    return float(measured(judged, traits(), [N])[f"{name}_at_{N}"].mean())


def test_without_weights_the_scores_decide(given: Candidates) -> None:
    assert (taken(given) == given.titles[:, :N]).all()
    assert Taste().is_plain
    assert not Taste(diversity=0.1).is_plain


@pytest.mark.parametrize(
    ("weight", "name", "sign"),
    [
        ("calibration", "miscalibration", -1),
        ("diversity", "diversity", 1),
        ("popularity", "popularity", -1),
    ],
)
def test_more_weight_does_more(given: Candidates, weight: str, name: str, sign: int) -> None:
    found = [measure(name, taken(given, **{weight: value}), given) for value in (0.0, 0.3, 0.9)]
    assert found[0] * sign < found[1] * sign <= found[2] * sign


def test_fresh_titles_come_first_where_only_that_counts(given: Candidates) -> None:
    lists = taken(given, freshness=1.0)
    plain = taken(given)
    assert lists.mean() > plain.mean() + 5


def test_calibration_alone_finds_the_mix_of_the_history() -> None:
    titles = traits()
    tastes = np.array([[0.5, 0.3, 0.2]])
    order = np.argsort(np.arange(TITLES) % 3, kind="stable")[None, :]
    scores = np.linspace(1, 0, TITLES)[None, :]
    places = reranked(
        Candidates(order, scores, tastes, np.zeros(1)),
        titles,
        np.zeros(TITLES),
        Taste(calibration=1.0),
        10,
    )
    shown = np.bincount(order[0][places[0]] % 3, minlength=3) / 10
    assert shown.tolist() == [0.5, 0.3, 0.2]


def test_fewer_candidates_than_places_leave_places_empty() -> None:
    few = Candidates(
        np.array([[4, 7, -1], [-1, -1, -1]]),
        np.array([[2.0, 1, 0], [0, 0, 0]]),
        np.zeros((2, 3)),
        np.zeros(2),
    )
    places = reranked(few, traits(), np.zeros(TITLES), Taste(diversity=0.5), 5)
    assert places.tolist() == [[0, 1, -1, -1, -1], [-1] * 5]


def test_explored_places_are_spread_over_the_list_and_hold_any_candidate_that_is_left() -> None:
    """Of ten places the fifth and the tenth: of the 26 and 21 candidates left then each is as likely as any other."""
    profiles = 4000
    order = np.tile(np.arange(WIDTH), (profiles, 1))
    many = Candidates(
        order,
        np.tile(np.arange(WIDTH, 0, -1.0), (profiles, 1)),
        np.zeros((profiles, 3)),
        np.random.default_rng(1).integers(-(1 << 63), 1 << 63, profiles),
    )
    taste = Taste(exploration=0.2)

    places = reranked(many, traits(), np.zeros(TITLES), taste, N)

    assert np.flatnonzero(taste.explored(N)).tolist() == [4, 9]
    assert (places[:, :4] == np.arange(4)).all()
    counts = np.bincount(places[:, 4], minlength=WIDTH)
    assert counts[:4].sum() == 0
    expected = profiles / (WIDTH - 4)
    assert ((counts[4:] - expected) ** 2 / expected).sum() < 60  # χ² of 25 degrees: 1 in 10,000
    # What was drawn early is not listed again.
    assert all(len(set(row)) == N for row in places.tolist())


def test_what_is_drawn_follows_from_profile_and_day_and_has_its_chance_beside_it(
    spark: SparkSession,
) -> None:
    known = Traits(np.arange(20), np.ones(20), np.zeros((20, 1)), 4)
    rows = [(f"p{who}", title + 1, title, -1.0 * title) for who in range(6) for title in range(20)]
    lists = spark.createDataFrame(rows, "profile_id string, rank int, title_idx int, score double")
    histories = spark.createDataFrame([], "profile_id string, liked array<int>")

    def drawn(day: date) -> dict[str, tuple[int, float]]:
        taste = Taste(exploration=0.5)
        found = rerank(lists, histories, known, np.zeros(20), taste, 2, day).collect()
        assert all((row.propensity is None) == (row.rank == 1) for row in found)
        return {row.profile_id: (row.title_idx, row.propensity) for row in found if row.rank == 2}

    today = drawn(date(2026, 3, 2))
    assert drawn(date(2026, 3, 2)) == today
    assert drawn(date(2026, 3, 3)) != today
    assert len({title for title, _ in today.values()}) > 1
    assert {chance for _, chance in today.values()} == {1 / 19}


def test_lists_on_spark_are_those_of_the_arithmetic(spark: SparkSession) -> None:
    """Numbers of titles are not their positions; a profile without a history keeps the order of scores."""
    genres = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    known = Traits(np.array([5, 8, 20]), np.array([3.0, 2.0, 1.0]), genres, 4)
    rows = [
        (who, rank, title, 3.0 - rank)
        for who in ("ann", "new")
        for rank, title in ((1, 5), (2, 8), (3, 20))
    ]
    lists = spark.createDataFrame(rows, "profile_id string, rank int, title_idx int, score double")
    histories = spark.createDataFrame([("ann", [8, 20])], "profile_id string, liked array<int>")
    found = rerank(lists, histories, known, np.zeros(3), Taste(calibration=0.9), 2)
    expected = spark.createDataFrame(
        [
            ("ann", 1, 5, 2.0, None),
            ("ann", 2, 20, 0.0, None),
            ("new", 1, 5, 2.0, None),
            ("new", 2, 8, 1.0, None),
        ],
        "profile_id string, rank int, title_idx int, score double, propensity double",
    )
    assert_df_equality(found, expected, ignore_row_order=True, ignore_nullable=True)
