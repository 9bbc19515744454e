"""The registered model answers for histories it has never seen."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd
import pytest

from cinelake.recommend.serving import Asked, FoldIn, TitlesForHistory, Windows, pack, seconds

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
    titles, scores = model.top(Asked(["a"]), 10)

    assert titles == ["b", "d", "c"]
    assert scores == sorted(scores, reverse=True)


def test_a_history_of_unknown_titles_gets_the_most_liked_ones(model: FoldIn) -> None:
    assert model.top(Asked(["unknown"]), 2) == (["c", "d"], [4.0, 3.0])


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


MARCH = seconds("2026-03-01")
APRIL = seconds("2026-04-01T00:00:00+00:00")


@pytest.fixture
def limited() -> FoldIn:
    """On offer in Germany: a, b, and c until April; in France: d."""
    windows = Windows(
        title=np.array([0, 1, 2, 3]),
        market=np.array(["DE", "DE", "DE", "FR"]),
        since=np.array([0.0, 0.0, 0.0, MARCH]),
        until=np.array([np.inf, np.inf, APRIL, np.inf]),
    )
    packed = pack(
        np.array(["a", "b", "c", "d"]),
        FACTORS,
        np.array([1, 2, 4, 3]),
        alpha=5,
        reg_param=0.1,
        least_age=np.array([0, 16, 0, np.nan]),
        windows=windows,
    )
    return FoldIn(io.BytesIO(packed))


@pytest.mark.parametrize(
    ("market", "age", "at", "expected"),
    [
        ("DE", 18, MARCH, ["b", "c"]),
        ("DE", 12, MARCH, ["c"]),
        ("DE", 18, APRIL, ["b"]),
        ("FR", 18, APRIL, []),  # nobody says whom d is for
        (None, 18, MARCH, []),
        ("DE", None, MARCH, []),
    ],
)
def test_what_may_not_be_shown_is_not_predicted(
    limited: FoldIn, market: str | None, age: int | None, at: float, expected: list[str]
) -> None:
    titles, _ = limited.top(Asked(["a"], market=market, age_limit=age, at=at), 10)

    assert titles == expected


def test_what_was_seen_is_not_predicted_and_does_not_count_as_liked(model: FoldIn) -> None:
    titles, scores = model.top(Asked(["a"], seen=["b"]), 10)

    everything = dict(zip(*model.top(Asked(["a"]), 10), strict=True))
    assert titles == ["d", "c"]
    assert scores == [everything["d"], everything["c"]]


def test_requests_may_leave_out_what_they_do_not_know(limited: FoldIn) -> None:
    served = TitlesForHistory()
    served.model = limited
    asked = pd.DataFrame(
        {
            "history": [["a"], ["a"], np.array(["a"])],
            "market": ["DE", None, "DE"],
            "age_limit": [18, 18, np.nan],
        }
    )

    answered = served.predict(None, asked, {"k": 1, "at": "2026-03-01"})

    assert answered["titles"].tolist() == [["b"], [], []]
    nobody = served.predict(None, asked[["history"]], {"at": "2026-03-01"})
    assert nobody["titles"].tolist() == [[], [], []]


def test_a_request_without_a_moment_is_told_what_to_say_where_offers_end(limited: FoldIn) -> None:
    served = TitlesForHistory()
    served.model = limited

    with pytest.raises(ValueError, match="say for which one the list is"):
        served.predict(None, pd.DataFrame({"history": [["a"]]}), {"k": 1})
