"""The lists are the exact best titles, whatever the shape of the data and of its partitions."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from chispa import assert_df_equality
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from cinelake.recommend import top_n as module
from cinelake.recommend.scoring import Factored
from cinelake.recommend.top_n import Catalogue, Scorer, catalogue, top_n

TITLES = "title_id string, title_idx int, factors array<float>"
PROFILES = "profile_id string, factors array<float>, seen array<int>"
LISTS = "profile_id string, rank int, title_id string, score double"


def _batch(factors: np.ndarray, seen: list[list[int] | None]) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays(
        [
            pa.array(range(len(factors))),
            pa.array(factors.tolist(), pa.list_(pa.float32())),
            pa.array(seen, pa.list_(pa.int32())),
        ],
        names=["profile_id", "factors", "seen"],
    )


def _lists(scorer: Scorer, batch: pa.RecordBatch) -> dict[int, list[tuple[int, float]]]:
    lists: dict[int, list[tuple[int, float]]] = {row: [] for row in range(batch.num_rows)}
    for ranked in scorer.rank(batch):
        for row in ranked.to_pylist():
            lists[row["profile_id"]].append((row["title_id"], row["score"]))
            assert row["rank"] == len(lists[row["profile_id"]])
    return lists


def _best(
    titles: np.ndarray, profile: np.ndarray, seen: list[int] | None, n: int
) -> list[tuple[int, float]]:
    scores = [float(np.dot(title, profile)) for title in titles.astype(np.float64)]
    open_titles = set(range(len(titles))) - set(seen or [])
    return sorted(((t, scores[t]) for t in open_titles), key=lambda pair: (-pair[1], pair[0]))[:n]


def test_every_profile_gets_its_best_unseen_titles_in_order(spark: SparkSession) -> None:
    titles = spark.createDataFrame(
        [
            ("up", 7, [1.0, 0.0]),
            ("heat", 3, [0.0, 1.0]),
            # Scores as "heat" does for everyone: the smaller id goes first.
            ("alien", 9, [0.0, 1.0]),
        ],
        TITLES,
    )
    profiles = spark.createDataFrame(
        [
            ("likes both, knows one", [0.5, 1.0], [7]),
            ("knows none", [1.0, 0.5], None),
            ("knows one we do not have", [1.0, 2.0], [1, 500]),
            ("knows all", [1.0, 1.0], [3, 7, 9]),
            ("is unknown to the model", None, [3]),
        ],
        PROFILES,
    )
    expected = spark.createDataFrame(
        [
            ("likes both, knows one", 1, "alien", 1.0),
            ("likes both, knows one", 2, "heat", 1.0),
            ("knows none", 1, "up", 1.0),
            ("knows none", 2, "alien", 0.5),
            ("knows one we do not have", 1, "alien", 2.0),
            ("knows one we do not have", 2, "heat", 2.0),
        ],
        LISTS,
    )

    lists = top_n(profiles, catalogue(titles), 2)

    assert_df_equality(lists, expected, ignore_row_order=True, ignore_nullable=True)


def test_a_longer_list_than_there_are_titles_is_as_long_as_it_can_be(spark: SparkSession) -> None:
    titles = catalogue(spark.createDataFrame([("up", 0, [1.0]), ("heat", 1, [2.0])], TITLES))
    profiles = spark.createDataFrame([("ann", [1.0], [0])], PROFILES)

    assert_df_equality(
        top_n(profiles, titles, 50),
        spark.createDataFrame([("ann", 1, "heat", 2.0)], LISTS),
        ignore_nullable=True,
    )


def test_without_titles_there_are_no_lists(spark: SparkSession) -> None:
    nothing = catalogue(spark.createDataFrame([], TITLES))
    profiles = spark.createDataFrame([("ann", [1.0], [0])], PROFILES)

    assert_df_equality(
        top_n(profiles, nothing, 3), spark.createDataFrame([], LISTS), ignore_nullable=True
    )


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    profiles=st.integers(1, 40),
    titles=st.integers(1, 120),
    rank=st.integers(1, 9),
    n=st.integers(1, 15),
    distinct=st.sampled_from([2, 5, 10**6]),
    tile=st.sampled_from([1, 300, 10**6]),
)
def test_lists_equal_those_of_a_full_sort(
    *, seed: int, profiles: int, titles: int, rank: int, n: int, distinct: int, tile: int
) -> None:
    """Few distinct factors make ties, small tiles make seams, histories may hold everything."""
    random = np.random.default_rng(seed)
    of_titles = (random.integers(0, distinct, (titles, rank)) / distinct).astype(np.float32)
    of_profiles = (random.integers(0, distinct, (profiles, rank)) / distinct - 0.5).astype("f4")
    seen = [
        random.choice(titles, random.integers(0, titles + 1), replace=False).tolist()
        for _ in range(profiles)
    ]
    held = Catalogue(pa.array(range(titles)), np.arange(titles), Factored(of_titles))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "TILE_CELLS", tile)
        lists = _lists(Scorer(held, n), _batch(of_profiles, seen))

    for row, history in enumerate(seen):
        expected = _best(of_titles, of_profiles[row], history, n)
        assert [title for title, _ in lists[row]] == [title for title, _ in expected]
        np.testing.assert_allclose(
            [score for _, score in lists[row]], [score for _, score in expected], rtol=1e-12
        )


def test_a_list_is_the_same_to_the_last_bit_wherever_its_profile_stands() -> None:
    random = np.random.default_rng(7)
    held = Catalogue(
        pa.array(range(333)), np.arange(333), Factored(random.normal(size=(333, 64)).astype("f4"))
    )
    profiles = random.normal(size=(50, 64)).astype("f4")

    together = _lists(Scorer(held, 10), _batch(profiles, [[]] * 50))
    alone = [
        _lists(Scorer(held, 10), _batch(profiles[row : row + 1], [[]]))[0] for row in range(50)
    ]

    assert [together[row] for row in range(50)] == alone


def test_a_profile_that_finds_all_titles_equal_gets_the_first_by_id() -> None:
    random = np.random.default_rng(7)
    factors = random.normal(size=(500, 4)).astype("f4")
    held = Catalogue(pa.array(range(500)), np.arange(500), Factored(factors))
    profiles = np.array([[0, 0, 0, 0], [1, 0, 0, 0]], "f4")

    lists = _lists(Scorer(held, 3), _batch(profiles, [[1], []]))

    assert [title for title, _ in lists[0]] == [0, 2, 3]
    assert lists[1] == _best(factors, profiles[1], [], 3)


@pytest.mark.parametrize(
    ("factors", "complaint"),
    [([float("nan"), 1.0], "NaN or infinite"), ([1.0], "length 1; it has to be 2")],
)
def test_factors_that_cannot_be_ranked_are_refused(factors: list[float], complaint: str) -> None:
    held = Catalogue(pa.array(["up"]), np.array([0]), Factored(np.ones((1, 2), np.float32)))

    with pytest.raises(ValueError, match=complaint):
        list(Scorer(held, 1).rank(_batch(np.array([factors]), [[]])))


def test_an_empty_wish_is_refused(spark: SparkSession) -> None:
    titles = catalogue(spark.createDataFrame([("up", 0, [1.0])], TITLES))

    with pytest.raises(ValueError, match="at least 1"):
        top_n(spark.createDataFrame([], PROFILES), titles, 0)
