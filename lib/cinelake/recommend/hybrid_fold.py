"""Two sets of factors side by side: those of ALS, and those of classes of taste.

A score is the weighted sum of both models' scores, each over its standard deviation among the titles of the fit,
profile by profile, for rivals err differently (models/blend.py). As both are inner products, so is their sum, and a
profile's factors are those of both, each times its weight over its deviation.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cinelake.recommend.fold_in import Fold, Folding, Ridge, RidgeFolding
from cinelake.recommend.scoring import Matrix
from cinelake.recommend.taste_fold import TasteFold


@dataclass(frozen=True)
class HybridFold(Fold):
    """The first factors are those of ALS, which `ridge` folds in, the others tastes; `share` is what tastes count."""

    ridge: Ridge
    tastes: TasteFold
    share: float

    def among(self, titles: Matrix) -> HybridFolding:
        width = titles.shape[1] - self.tastes.rank
        first, others = titles[:, :width], titles[:, width:]
        return HybridFolding(
            self, width, self.ridge.among(first), _covariance(first), _covariance(others)
        )


@dataclass(frozen=True)
class HybridFolding(Folding):
    """The first `width` factors are those of ALS; `spread_of_als` and `spread_of_tastes` are the covariances of the
    titles' factors.
    """

    fold: HybridFold
    width: int
    als: RidgeFolding
    spread_of_als: Matrix
    spread_of_tastes: Matrix

    def factors(self, liked: Matrix, market: str | None) -> Matrix:
        return np.concatenate([weight * own for weight, own in self._parts(liked, market)])

    def contributions(self, titles: Matrix, liked: Matrix, market: str | None) -> Matrix:
        """Of tastes, what is added to what everybody is offered."""
        width = self.width
        (of_als, _), (of_tastes, _) = self._parts(liked, market)
        by_als = self.als.contributions(titles[:, :width], liked[:, :width], market)
        by_tastes = self.fold.tastes.contributions(titles[:, width:], liked[:, width:], market)
        return of_als * by_als + of_tastes * by_tastes

    def _parts(self, liked: Matrix, market: str | None) -> list[tuple[float, Matrix]]:
        """Of ALS and of tastes: what it counts in the score, and the profile's own factors."""
        width, share = self.width, self.fold.share
        own = (
            self.als.factors(liked[:, :width], market),
            self.fold.tastes.factors(liked[:, width:], market),
        )
        counted = zip(
            own, (1 - share, share), (self.spread_of_als, self.spread_of_tastes), strict=True
        )
        return [(_over(weight, factors, spread), factors) for factors, weight, spread in counted]


def _over(weight: float, factors: Matrix, spread: Matrix) -> float:
    """A weight over the standard deviation of scores; who finds all titles equal has no opinion to add."""
    variance = float(factors @ spread @ factors)
    return weight / np.sqrt(variance) if variance > 0 else 0.0


def _covariance(titles: Matrix) -> Matrix:
    centred = titles - titles.mean(axis=0)
    found: Matrix = centred.T @ centred / max(1, len(titles))
    return found
