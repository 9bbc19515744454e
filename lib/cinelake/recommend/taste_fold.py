"""The taste of a profile from its history, given the classes of taste that there are (taste_classes.py).

Of a profile that is of class `c` with the probability `π(c)`, given its history, the expected utility of a title is

    Σ π(c) (θ(c)·v + b) = θ̄·v + b,

so its factors are its mean taste `θ̄` and a 1, and those of a title are its `v` and `b`. On this scale a title that is
chosen twice as often is ahead by the same everywhere, which the chance of a choice itself is not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cinelake.recommend.fold_in import Fold, Folding
from cinelake.recommend.scoring import Matrix
from cinelake.recommend.taste_classes import Classes, Evidence, shares
from cinelake.recommend.viewers import UNKNOWN

# Where a path from no history (−1) to the whole (1) is looked at, by Gauss and Legendre, and what each point counts.
NODES = tuple(zip(*np.polynomial.legendre.leggauss(16), strict=True))


@dataclass(frozen=True)
class TasteFold(Fold, Folding):
    """`classes (C, r)` are θ; `prior (C)` and `norms (M + 1, C)` are the logarithms of shares and of `Z` by market, the
    last of them for who is in none of the `markets`.
    """

    classes: Matrix
    prior: Matrix
    norms: Matrix
    markets: Sequence[str]

    @property
    def rank(self) -> int:
        """How many factors it makes."""
        return int(self.classes.shape[1]) + 1

    @classmethod
    def of(cls, classes: Classes, markets: Sequence[str]) -> TasteFold:
        """By a fit to choices in these markets."""
        told = Evidence.of(classes)
        return cls(classes.classes, told.prior, told.norms, tuple(markets))

    def among(self, titles: Matrix) -> TasteFold:  # noqa: ARG002
        """What it takes of the titles stands in the norms."""
        return self

    def factors(self, liked: Matrix, market: str | None) -> Matrix:
        told = self._told(liked, market).sum(axis=1)
        return np.append(shares(self.prior + told) @ self.classes, 1.0)

    def contributions(self, titles: Matrix, liked: Matrix, market: str | None) -> Matrix:
        """What histories add to what everybody is offered, by the integral along the way from no history to the whole
        (Aumann and Shapley 1974; Sundararajan, Taly and Yan 2017), with Gauss and Legendre's nodes.
        """
        told = self._told(liked, market)
        of_all = told.sum(axis=1)
        moved = np.zeros((self.classes.shape[1], len(liked)))
        for node, weight in NODES:
            likely = shares(self.prior + (node + 1) / 2 * of_all)
            centred = self.classes - likely @ self.classes
            moved += weight / 2 * centred.T @ (likely[:, None] * told)
        added: Matrix = titles[:, :-1] @ moved
        return added

    def _told(self, liked: Matrix, market: str | None) -> Matrix:
        """`(C, n)`: the logarithm of how likely each class was to choose each title, but for how long it was there."""
        design = np.column_stack([self.classes, np.ones(len(self.classes))])
        told: Matrix = design @ liked.T - self.norms[self._place(market)][:, None]
        return told

    def _place(self, market: str | None) -> int:
        name = UNKNOWN if market is None else market
        return self.markets.index(name) if name in self.markets else -1
