"""Factors of ALS and of tastes stand side by side, and what a history adds to a score adds up to it."""

from __future__ import annotations

import io

import numpy as np
import pytest

from cinelake.recommend.fold_in import Ridge
from cinelake.recommend.hybrid_fold import HybridFold
from cinelake.recommend.scoring import Matrix
from cinelake.recommend.serving import FoldIn, Tastes, pack
from cinelake.recommend.taste_classes import Classes, Evidence
from cinelake.recommend.taste_fold import TasteFold

TITLES, WIDTH, RANK, CLASSES = 30, 4, 3, 8
DRAWN = np.random.default_rng(3)
OF_ALS = DRAWN.normal(scale=0.2, size=(TITLES, WIDTH))
FOUND = Classes(
    classes=DRAWN.normal(size=(CLASSES, RANK)),
    titles=DRAWN.normal(size=(TITLES, RANK)),
    offsets=DRAWN.normal(size=TITLES),
    shares=DRAWN.dirichlet(np.ones(CLASSES)),
    offered=DRAWN.uniform(0.1, 1.0, size=(2, TITLES)),
    penalty=1.0,
)
OF_TASTES = np.column_stack([FOUND.titles, FOUND.offsets])
TITLES_OF_BOTH = np.hstack([OF_ALS, OF_TASTES])
RIDGE = Ridge(2.0, 0.1)
TASTES = TasteFold.of(FOUND, ["JP", "US"])
HYBRID = HybridFold(RIDGE, TASTES, share=0.3).among(TITLES_OF_BOTH)
HISTORY = [3, 8, 21, 5, 17]


@pytest.mark.parametrize(("market", "place"), [("JP", 0), ("US", 1), ("FR", -1), (None, -1)])
def test_a_taste_is_the_mean_of_the_classes_that_a_profile_may_be_of(
    market: str | None, place: int
) -> None:
    found = TASTES.factors(OF_TASTES[HISTORY], market)

    reach = np.vstack([FOUND.offered, FOUND.offered.mean(axis=0)])[place]
    odds = np.exp(FOUND.utilities) * reach
    chances = (odds / odds.sum(axis=1, keepdims=True))[:, HISTORY]
    # What they choose from is the same for all classes but in the sum.
    likely = FOUND.shares * np.prod(chances, axis=1)
    np.testing.assert_allclose(found[:-1], likely / likely.sum() @ FOUND.classes, rtol=1e-9)
    assert found[-1] == 1.0


def test_who_likes_more_of_a_kind_is_the_more_of_that_taste() -> None:
    alike = np.argsort(-FOUND.utilities[2])[:6]
    distances = [
        np.linalg.norm(TASTES.factors(OF_TASTES[alike[:n]], "US")[:-1] - FOUND.classes[2])
        for n in (1, 6)
    ]
    assert distances[1] < distances[0]


@pytest.mark.parametrize("length", [1, 5, 30])
def test_what_titles_add_to_tastes_sums_to_what_a_history_makes_of_them(length: int) -> None:
    liked = OF_TASTES[np.arange(length)]

    added = TASTES.contributions(OF_TASTES, liked, "US")

    nothing = np.append(FOUND.shares @ FOUND.classes, 1.0)
    moved = OF_TASTES @ (TASTES.factors(liked, "US") - nothing)
    assert added.shape == (TITLES, length)
    np.testing.assert_allclose(added.sum(axis=1), moved, atol=2e-3 * np.abs(moved).max())


def test_scores_are_those_of_both_over_their_deviations() -> None:
    liked = TITLES_OF_BOTH[HISTORY]

    found = TITLES_OF_BOTH @ HYBRID.factors(liked, "JP")

    by_als = OF_ALS @ RIDGE.among(OF_ALS).factors(OF_ALS[HISTORY], None)
    by_tastes = OF_TASTES @ TASTES.factors(OF_TASTES[HISTORY], "JP")
    expected = 0.7 * by_als / by_als.std() + 0.3 * by_tastes / by_tastes.std()
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_reasons_of_both_sum_to_what_a_history_adds_to_the_score() -> None:
    liked = TITLES_OF_BOTH[HISTORY]

    added = HYBRID.contributions(TITLES_OF_BOTH, liked, "JP")

    nothing = np.append(FOUND.shares @ FOUND.classes, 1.0)
    by_tastes = OF_TASTES @ TASTES.factors(OF_TASTES[HISTORY], "JP")
    to_everybody = 0.3 * OF_TASTES @ nothing / by_tastes.std()
    score = TITLES_OF_BOTH @ HYBRID.factors(liked, "JP")
    np.testing.assert_allclose(added.sum(axis=1), score - to_everybody, atol=1e-3)


def test_where_all_titles_are_the_same_to_one_of_them_the_other_decides() -> None:
    flat = np.hstack([np.zeros_like(OF_ALS), OF_TASTES])

    found = HybridFold(RIDGE, TASTES, share=0.3).among(flat).factors(flat[HISTORY], "US")

    assert (found[:WIDTH] == 0).all()
    assert (found[WIDTH:] != 0).all()


@pytest.mark.parametrize("market", ["JP", "FR", None])
def test_the_served_model_takes_in_a_history_as_lists_do(market: str | None) -> None:
    told = Evidence.of(FOUND)
    tastes = Tastes(FOUND.classes, told.prior, told.norms, np.array(["JP", "US"]), np.array(0.3))
    ids = np.array([f"t{n:02}" for n in range(TITLES)])
    packed = pack(ids, TITLES_OF_BOTH, np.ones(TITLES), alpha=2.0, reg_param=0.1, tastes=tastes)

    served = FoldIn(io.BytesIO(packed)).factors_of(ids[HISTORY].tolist(), market)

    single: Matrix = TITLES_OF_BOTH.astype(np.float32).astype(np.float64)
    kept = HybridFold(RIDGE, TASTES, share=0.3).among(single)
    assert served is not None
    np.testing.assert_allclose(served, kept.factors(single[sorted(HISTORY)], market), rtol=1e-9)
