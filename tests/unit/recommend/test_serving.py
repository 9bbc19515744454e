"""The registered model answers for histories it has never seen."""

from __future__ import annotations

import io

import numpy as np
import pytest

from cinelake.recommend.serving import FoldIn, pack

FACTORS = np.array([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0], [0.1, 0.9]], np.float32)


@pytest.fixture
def model() -> FoldIn:
    packed = pack(
        np.array(["a", "b", "c", "d"]), FACTORS, np.array([1, 2, 4, 3]), alpha=5, reg_param=0.1
    )
    return FoldIn(io.BytesIO(packed))


def test_a_history_is_folded_in_by_one_ridge_regression(model: FoldIn) -> None:
    y = FACTORS[[0, 3]]
    left = FACTORS.T @ FACTORS + 5 * y.T @ y + 0.1 * 2 * np.eye(2)

    np.testing.assert_allclose(
        model.factors_of(["a", "d", "a", "unknown"]),
        np.linalg.solve(left, 6 * y.sum(axis=0)),
        rtol=1e-6,
    )


def test_titles_like_those_of_the_history_come_first_and_the_history_itself_never(
    model: FoldIn,
) -> None:
    titles, scores = model.top(["a"], 10)

    assert titles == ["b", "d", "c"]
    assert scores == sorted(scores, reverse=True)


def test_a_history_of_unknown_titles_gets_the_most_liked_ones(model: FoldIn) -> None:
    assert model.top(["unknown"], 2) == (["c", "d"], [4.0, 3.0])


def test_the_fold_in_of_a_profile_equals_its_fitted_factors(model: FoldIn) -> None:
    """Fitted here by the same equations until nothing moves, for every profile of a tiny matrix."""
    liked = np.array([[1, 1, 0, 0], [0, 0, 1, 1], [1, 0, 0, 1]], float)
    fitted = [
        model.factors_of([t for t, one in zip("abcd", row, strict=True) if one]) for row in liked
    ]

    for row, factors in zip(liked, fitted, strict=True):
        weight = 1 + 5 * row
        gradient = (
            FACTORS.T @ (weight * (FACTORS @ factors) - (1 + 5) * row) + 0.1 * row.sum() * factors
        )
        np.testing.assert_allclose(gradient, 0, atol=1e-5)
