"""Fits of classes of taste side by side tell of a history what each of them tells by itself."""

from __future__ import annotations

import numpy as np

from cinelake.audience.factors import Folds
from cinelake.recommend.taste_fold import TasteFold


def fold(seed: int, rank: int) -> TasteFold:
    random = np.random.default_rng(seed)
    prior = np.log(random.dirichlet(np.ones(6)))
    return TasteFold(random.normal(size=(6, rank)), prior, random.normal(size=(2, 6)), ["DE"])


def test_factors_stand_side_by_side_and_what_titles_add_is_added_up() -> None:
    random = np.random.default_rng(4)
    each = (fold(1, 3), fold(2, 2))
    # Factors of four titles by either fit, with their offsets last.
    one, other = random.normal(size=(4, 4)), random.normal(size=(4, 3))
    titles = np.hstack([one, other])
    folds = Folds(each)
    assert folds.rank == 5
    assert folds.among(titles) is folds
    for market in ("DE", None):
        expected = [each[0].factors(one[:2], market)[:3], each[1].factors(other[:2], market)[:2]]
        np.testing.assert_allclose(folds.factors(titles[:2], market), np.concatenate(expected))
        added = [
            each[0].contributions(one, one[:2], market),
            each[1].contributions(other, other[:2], market),
        ]
        found = folds.contributions(titles, titles[:2], market)
        np.testing.assert_allclose(found, added[0] + added[1])
