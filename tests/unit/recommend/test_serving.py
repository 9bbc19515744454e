"""The registered model answers for histories it has never seen."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd
import pytest
from mlflow.exceptions import MlflowException

from cinelake.recommend.serving import (
    Ages,
    Asked,
    FoldIn,
    Starts,
    TitlesForHistory,
    Windows,
    pack,
    seconds,
)

FACTORS = np.array([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0], [0.1, 0.9]], np.float32)
# What titles have of all likes.
SHARES = np.array([0.1, 0.2, 0.4, 0.3])


@pytest.fixture
def model() -> FoldIn:
    packed = pack(np.array(["a", "b", "c", "d"]), FACTORS, SHARES, alpha=5, reg_param=0.1)
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


@pytest.mark.parametrize("k", [0, -1])
def test_a_list_of_no_title_is_refused(model: FoldIn, k: int) -> None:
    served = TitlesForHistory(lambda: 0.0)
    served.model = model
    with pytest.raises(MlflowException, match=rf"k = {k}: a list has at least 1 title"):
        served.predict(None, pd.DataFrame({"history": [["a"]]}), {"k": k})


def test_a_history_of_unknown_titles_gets_the_most_liked_ones(model: FoldIn) -> None:
    assert model.top(Asked(["unknown"]), 2) == (["c", "d"], [0.4, 0.3])


def test_a_history_of_unknown_titles_gets_what_is_popular_in_its_market() -> None:
    """Of 30 starts in Germany 24 were of a, and 6 of a title that the model does not know; the service counts ten."""
    starts = Starts(
        title=np.array([0, 2]),
        market=np.array(["DE", "FR"]),
        starts=np.array([24.0, 5.0]),
        total=np.array([30.0, 5.0]),
        prior=10.0,
    )
    packed = pack(
        np.array(["a", "b", "c", "d"]), FACTORS, SHARES, alpha=5, reg_param=0.1, starts=starts
    )
    model = FoldIn(io.BytesIO(packed))

    titles, scores = model.top(Asked(["unknown"], market="DE"), 4)

    assert titles == ["a", "c", "d", "b"]
    np.testing.assert_allclose(scores, [25 / 40, 4 / 40, 3 / 40, 2 / 40])
    # Nobody told of starts there, or where it is.
    for market in ("US", None):
        assert model.top(Asked(["unknown"], market=market), 2) == (["c", "d"], [0.4, 0.3])


def test_cold_titles_are_predicted_and_change_no_score_of_the_others(model: FoldIn) -> None:
    cold = np.array([[0.95, 0.0]], np.float32)
    packed = pack(
        np.array(["a", "b", "c", "d", "new"]),
        np.vstack([FACTORS, cold]),
        np.append(SHARES, 0.0),
        alpha=5,
        reg_param=0.1,
        is_cold=np.array([False, False, False, False, True]),
    )

    titles, scores = FoldIn(io.BytesIO(packed)).top(Asked(["a"]), 10)

    without, of_others = model.top(Asked(["a"]), 10)
    assert titles == ["new", *without]
    assert scores[1:] == of_others


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
        SHARES,
        alpha=5,
        reg_param=0.1,
        ages=Ages(least=np.array([0, 16, 0, np.nan]), kids_up_to=12),
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
    asked = Asked(["a"], market=market, age_limit=age, kind="adult", at=at)

    titles, _ = limited.top(asked, 10)

    assert titles == expected


@pytest.mark.parametrize(
    ("kind", "age", "expected"),
    [
        ("adult", 16, ["b", "c"]),
        # A kid's limit is above what kids are shown; a kind that nobody tells may be a kid's.
        ("kid", 16, ["c"]),
        (None, 18, ["c"]),
        ("kid", None, []),
    ],
)
def test_who_is_not_known_to_be_an_adult_is_shown_what_kids_are(
    limited: FoldIn, kind: str | None, age: int | None, expected: list[str]
) -> None:
    titles, _ = limited.top(Asked(["a"], market="DE", age_limit=age, kind=kind, at=MARCH), 10)

    assert titles == expected


def test_what_was_seen_is_not_predicted_and_does_not_count_as_liked(model: FoldIn) -> None:
    titles, scores = model.top(Asked(["a"], seen=["b"]), 10)

    everything = dict(zip(*model.top(Asked(["a"]), 10), strict=True))
    assert titles == ["d", "c"]
    assert scores == [everything["d"], everything["c"]]


def test_requests_may_leave_out_what_they_do_not_know(limited: FoldIn) -> None:
    served = TitlesForHistory(lambda: MARCH)
    served.model = limited
    asked = pd.DataFrame(
        {
            "history": [["a"], ["a"], np.array(["a"])],
            "market": ["DE", None, "DE"],
            "age_limit": [18, 18, np.nan],
            "kind": "adult",
        }
    )

    answered = served.predict(None, asked, {"k": 1, "at": "2026-03-01"})

    assert answered["titles"].tolist() == [["b"], [], []]
    nobody = served.predict(None, asked[["history"]], {"at": "2026-03-01"})
    assert nobody["titles"].tolist() == [[], [], []]


@pytest.mark.parametrize(
    ("now", "expected"),
    [(MARCH, [["a", "c"], ["d"]]), (APRIL, [["a"], ["d"]]), (0.0, [["a", "c"], []])],
)
def test_a_request_without_a_moment_is_answered_for_now(
    limited: FoldIn, now: float, expected: list[list[str]]
) -> None:
    served = TitlesForHistory(lambda: now)
    # Whom d is for is known here.
    limited.ages = Ages(least=np.zeros(4), kids_up_to=12)
    served.model = limited
    asked = pd.DataFrame({"history": [["b"], ["b"]], "market": ["DE", "FR"], "age_limit": 18})

    answered = served.predict(None, asked, {"k": 10})

    assert answered["titles"].tolist() == expected


def test_titles_of_a_history_that_were_not_seen_may_be_predicted(model: FoldIn) -> None:
    everything = dict(zip(*model.top(Asked(["a", "b"], unseen=["a", "b"]), 10), strict=True))
    assert list(everything) == ["a", "b", "d", "c"]

    titles, scores = model.top(Asked(["a", "b"], seen=["d"], unseen=["b"]), 10)

    assert titles == ["b", "c"]
    assert scores == [everything["b"], everything["c"]]
