"""Tastes are standardised scores whatever else is scored beside them, and each comes from a title of the history."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from cinelake.recommend.fold_in import Ridge
from cinelake.recommend.home.taste import Tastes
from cinelake.recommend.scoring import Factored

TITLES, RANK = 12, 3
FACTORS = np.random.default_rng(1).normal(size=(TITLES, RANK))
FOLDING = Ridge(2.0, 0.1).among(FACTORS)
# Pages hold every other title of the model, in another order, and one that it does not know.
POSITIONS, OWN = np.arange(6), np.arange(TITLES)[::-2]
IDX = np.arange(TITLES) + 100


def tastes() -> Tastes:
    ids = pa.array([f"t{n}" for n in range(TITLES)])
    return Tastes(Factored(FACTORS.astype("f4")), ids, IDX, POSITIONS, OWN, FOLDING)


def people(liked: list[list[int]]) -> pa.RecordBatch:
    """Profiles with what they like, by position in the model; the model knows nothing of who likes nothing."""
    factors = [
        FOLDING.factors(FACTORS[own], None).astype("f4").tolist() if own else None for own in liked
    ]
    return pa.RecordBatch.from_pydict(
        {
            "liked": pa.array([IDX[own].tolist() for own in liked], pa.list_(pa.int32())),
            "factors": pa.array(factors, pa.list_(pa.float32())),
        }
    )


def test_tastes_do_not_depend_on_who_else_is_scored() -> None:
    dice = np.random.default_rng(2)
    everyone = [dice.choice(TITLES, n % 5, replace=False).tolist() for n in range(150)]
    known, found = tastes().of(people(everyone))
    assert known.tolist() == [n for n in range(150) if n % 5]
    for at in (0, 70, len(known) - 1):
        own = everyone[known[at]]
        (_, alone) = tastes().of(people([own]))
        assert np.array_equal(found[at], alone[0])
        scores = FACTORS @ FOLDING.factors(FACTORS[own], None)
        expected = (scores[OWN] - scores.mean()) / scores.std()
        np.testing.assert_allclose(found[at], expected, rtol=1e-4, atol=1e-5)
    odds = np.zeros((150, 7), np.float32)
    tastes().add(odds, 0.5, people(everyone))
    assert (odds[::5] == 0).all()
    assert (odds[:, 6] == 0).all()
    np.testing.assert_allclose(odds[known][:, POSITIONS], 0.5 * found, rtol=1e-5, atol=1e-6)


def test_the_reason_for_a_title_is_the_liked_one_that_adds_most() -> None:
    liked = [[0, 5, 9], [], [3]]
    # Of the last profile the second title is the one that it likes, which is no reason for itself.
    profile, title = (
        np.array([0, 0, 0, 0, 1, 2, 2]),
        np.array([3, 0, 3, 6, 1, 1, int(np.flatnonzero(OWN == 3)[0])]),
    )
    found = tastes().sources(people(liked), profile, title).to_pylist()
    expected = []
    for whose, at in zip(profile, title, strict=True):
        own = liked[whose]
        if at == 6 or not own:
            expected.append(None)
            continue
        added = FOLDING.contributions(FACTORS[[OWN[at]]], FACTORS[own], None)[0]
        added[np.array(own) == OWN[at]] = -np.inf
        best = int(np.argmax(added))
        expected.append(f"t{own[best]}" if added[best] > 0 else None)
    assert found == expected
    assert any(found)
    assert found[0] == found[2]
