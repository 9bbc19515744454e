"""Classes of taste: a mixture of multinomials of low rank, and the step that makes it fit better.

A profile is of one of `C` classes, unknown which. A class `c` chooses title `t` of those on offer in market `m` with

    p(t | c, m) = o(m, t) exp(θ(c)·v(t) + b(t)) / Z(c, m),

where `o` is the share of time for which the title was on offer there. With titles of few dimensions and many classes,
this is the nonparametric estimate of how tastes are distributed (Kiefer and Wolfowitz 1956; Laird 1978) in a
multinomial factor model; it is found by expectation and maximisation (Dempster, Laird and Rubin 1977):

- *expectation*, for each profile by itself: what its choices say of its class (`Evidence`). `o` adds the same
  to all classes but in `Z`, so it takes a history, and a row of `log Z`;
- *maximisation*, from the sums of that over profiles, `(classes, titles)` and `(markets, classes)`: with `Z` fixed, the
  choices of a title are Poisson with a log-linear rate, and its `v, b` take a step of Newton's; so do the `θ`, which
  lean on a standard normal.

What was not on offer is so no sign of dislike, and a title that was there for a week is worth more than its choices.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse import csr_array

from cinelake.recommend.scoring import Matrix

# Longest step of a coordinate, so that Newton's method does not leave the region where it converges.
STEP_OF_TITLE, STEP_OF_CLASS = 1.0, 0.7
# Spread of the titles' factors at the start.
START = 0.3
# Nothing holds a title's offset, but that a title without choices has one.
SLIGHT = 1e-3


@dataclass(frozen=True)
class Sums:
    """Of the posteriors over profiles: `choices (classes, titles)` expected of each class, and `lengths
    (markets, classes)`, the choices of the profiles of a market.
    """

    choices: Matrix
    lengths: Matrix
    # Profiles of each class `(classes)`.
    profiles: Matrix


@dataclass(frozen=True)
class Classes:
    """`classes (C, r)`, `titles (T, r)` and `offsets (T)` are θ, v and b; `shares (C)` of the profiles are of each.

    `offered (M, T)` is known. `penalty` is the precision of the titles' normal prior.
    """

    classes: Matrix
    titles: Matrix
    offsets: Matrix
    shares: Matrix
    offered: Matrix
    penalty: float

    @classmethod
    def at_random(
        cls, choices: Matrix, offered: Matrix, classes: int, rank: int, penalty: float, seed: int
    ) -> Classes:
        """Where to begin, for titles that were chosen so often."""
        drawn = np.random.default_rng(seed)
        reach = np.maximum(offered.mean(axis=0), SLIGHT)
        return cls(
            classes=drawn.normal(size=(classes, rank)),
            titles=START * drawn.normal(size=(len(choices), rank)),
            offsets=np.log(choices / choices.sum() / reach),
            shares=np.full(classes, 1 / classes),
            offered=offered,
            penalty=penalty,
        )

    @property
    def utilities(self) -> Matrix:
        """`(C, T)`: θ·v + b."""
        found: Matrix = self.classes @ self.titles.T + self.offsets
        return found

    def better(self, sums: Sums) -> Classes:
        """A step uphill, from what the posteriors of these classes come to."""
        nearer = self._with_titles(sums)._with_classes(sums)
        shares = (sums.profiles + 1) / (sums.profiles.sum() + len(self.shares))
        return replace(nearer, shares=shares)

    def _with_titles(self, sums: Sums) -> Classes:
        count, rank = self.classes.shape
        design = np.column_stack([np.ones(count), self.classes])
        squares = (design[:, :, None] * design[:, None, :]).reshape(count, -1)
        odds = np.exp(self.utilities)
        rates = (sums.lengths.T / (odds @ self.offered.T)) @ self.offered * odds
        held = np.column_stack([self.offsets, self.titles])
        penalties = np.array([SLIGHT, *[self.penalty] * rank])
        pull = held.copy()
        pull[:, 0] = 0.0
        slope = (sums.choices - rates).T @ design - penalties * pull
        curvature = (rates.T @ squares).reshape(-1, rank + 1, rank + 1) + np.diag(penalties)
        found = held + _step(curvature, slope, STEP_OF_TITLE)
        return replace(self, offsets=found[:, 0], titles=found[:, 1:])

    def _with_classes(self, sums: Sums) -> Classes:
        count, rank = self.classes.shape
        odds = np.exp(self.utilities)
        squares = (self.titles[:, :, None] * self.titles[:, None, :]).reshape(-1, rank * rank)
        slope = sums.choices @ self.titles - self.classes
        curvature = np.repeat(np.eye(rank)[None], count, axis=0)
        for offered, length in zip(self.offered, sums.lengths, strict=True):
            chance = odds * offered
            chance /= chance.sum(axis=1, keepdims=True)
            mean = chance @ self.titles
            spread = (chance @ squares).reshape(-1, rank, rank)
            spread -= mean[:, :, None] * mean[:, None, :]
            slope -= length[:, None] * mean
            curvature += length[:, None, None] * spread
        return replace(self, classes=self.classes + _step(curvature, slope, STEP_OF_CLASS))


@dataclass(frozen=True)
class Evidence:
    """What a profile's posterior takes, as it is broadcast: `utilities (T, C)`, and the logarithms of `Z` and of the
    shares, `norms (M + 1, C)` and `prior (C)`.

    The last of the norms is that of no known market, of titles on offer as they are on average.
    """

    utilities: Matrix
    norms: Matrix
    prior: Matrix

    @classmethod
    def of(cls, classes: Classes) -> Evidence:
        utilities = classes.utilities
        reach = np.vstack([classes.offered, classes.offered.mean(axis=0)])
        norms = np.log(np.exp(utilities) @ reach.T).T
        return cls(np.ascontiguousarray(utilities.T), norms, np.log(classes.shares))

    def posteriors(self, histories: csr_array, market: Matrix) -> Matrix:
        """`(profiles, C)` of histories `(profiles, T)` of ones, in markets by number, −1 where none is known.

        A row does not depend on the others.
        """
        length = np.diff(histories.indptr)[:, None]
        told = histories @ self.utilities - length * self.norms[market] + self.prior
        return shares(told)


def shares(logits: Matrix) -> Matrix:
    """What sums to one along the last axis, in the proportions of `exp(logits)`."""
    odds = np.exp(logits - logits.max(axis=-1, keepdims=True))
    found: Matrix = odds / odds.sum(axis=-1, keepdims=True)
    return found


def _step(curvature: Matrix, slope: Matrix, longest: float) -> Matrix:
    found: Matrix = np.linalg.solve(curvature, slope[:, :, None])[:, :, 0]
    size = np.abs(found).max(axis=1, keepdims=True)
    shorter: Matrix = found * (longest / np.maximum(size, longest))
    return shorter
