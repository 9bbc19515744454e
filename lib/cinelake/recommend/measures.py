"""How good the lists of a batch of profiles are, measure by measure, as plain arithmetic on arrays.

A list holds titles at ranks 1, 2, …; of a profile with `R` relevant titles it has those at ranks `r₁ < r₂ < …` up to
`k`. `m` is how many of the first `k` places are filled. Accuracy:

- `precision` = hits / k; `recall` = hits / R; `hit_rate` = whether there is a hit
- `average_precision` = Σᵢ (i / rᵢ) / min(k, R), whose mean is MAP@k. Some divide by R instead (TREC, and Microsoft
  Recommenders): `average_precision * least(k, relevant) / relevant`.
- `reciprocal_rank` = 1 / r₁, whose mean is MRR@k
- `ndcg` = Σᵢ 1 / log₂(rᵢ + 1), divided by the same sum for a perfect list of min(k, R) hits (Järvelin and Kekäläinen
  2002, binary gain)

Beyond accuracy, null for an empty list:

- `novelty` = mean of −log₂(share of profiles that liked the title before): the self-information of Zhou et al. 2010,
  also called mean inverse user frequency. A title that nobody liked counts as if one profile had.
- `popularity` = mean number of profiles that liked the title before
- `diversity` = mean distance of two titles of the list, 1 − the cosine of their genres (intra-list diversity; Ziegler
  et al. 2005, Smyth and McClave 2001); null with fewer than two titles
- `miscalibration` = KL divergence of the list's genres from those of the history, in nats, each title's genres
  weighing the same (Steck 2018, with his smoothing α = .01); 0 is perfect; null where no genre of the history is known
- `serendipity` = mean over the list of max(p_profile − p_anyone, 0) for hits, where p falls linearly from 1 with the
  rank in the list, and with the rank in popularity (equally popular titles share one), over the number of titles;
  the unexpectedness of Ge et al. 2010 as RecTools computes it

Unsampled: every title of the catalogue competes in the lists (Krichene and Rendle 2020, "On sampled metrics for item
recommendation").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

ACCURACY = (
    "ndcg",
    "recall",
    "precision",
    "average_precision",
    "reciprocal_rank",
    "hit_rate",
)
BEYOND = ("novelty", "popularity", "diversity", "miscalibration", "serendipity")
MEASURES = ACCURACY + BEYOND
# How much of the history's genres is mixed into the list's, so that none is zero (Steck 2018).
SMOOTHING = 0.01

Matrix = npt.NDArray[Any]


@dataclass(frozen=True)
class Traits:
    """What is known of the titles before the cut, by their position: likes `(n)`, and genres as shares `(n, g)`.

    `numbers (n)` are the titles' numbers elsewhere, in their order. `profiles` is how many liked anything. A title of
    no known genre has zeros.
    """

    numbers: Matrix
    likes: Matrix
    genres: Matrix
    profiles: int

    def __len__(self) -> int:
        return len(self.likes)

    def at(self, numbers: Matrix) -> Matrix:
        """The positions of titles by their numbers."""
        found: Matrix = self._positions[numbers]
        return found

    @cached_property
    def _positions(self) -> Matrix:
        # Numbers are dense, and there are millions to look up.
        found = np.full(int(self.numbers.max(initial=-1)) + 1, -1)
        found[self.numbers] = np.arange(len(self))
        return found

    @cached_property
    def directions(self) -> tuple[Matrix, Matrix]:
        """The titles' genres as unit vectors, zeros where none is known; and where one is."""
        norms = np.linalg.norm(self.genres, axis=1, keepdims=True)
        units = np.divide(self.genres, norms, out=np.zeros_like(self.genres), where=norms > 0)
        return units, (norms[:, 0] > 0).astype(np.float64)

    def shares(self, rows: Matrix, numbers: Matrix, count: int) -> Matrix:
        """The genres of `count` sets of titles, as shares: `numbers` are those of the titles, `rows` say whose."""
        shape = (count, len(self))
        held = csr_array((np.ones(len(rows)), (rows, self.at(numbers))), shape=shape)
        summed = np.asarray(held @ self.genres)
        total = summed.sum(axis=1, keepdims=True)
        np.divide(summed, total, out=summed, where=total > 0)
        return summed


@dataclass(frozen=True)
class Judged:
    """A batch of `b` lists `(b, k)` of positions, −1 where there is none, and what they are judged by.

    `relevant` counts the relevant titles of each profile, also those that no list could hold; `wanted` are the rows and
    positions of those it could. `tastes (b, g)` are the histories' genres as shares, zeros where none is known.
    """

    lists: Matrix
    relevant: Matrix
    wanted: tuple[Matrix, Matrix]
    tastes: Matrix


def measured(judged: Judged, traits: Traits, ks: Sequence[int]) -> dict[str, Matrix]:
    """Each measure at each `k`, as `ndcg_at_10`, by profile; not a number where it is null."""
    facts = _Lists.of(judged, traits)
    found: dict[str, Matrix] = {}
    for k in ks:
        for name, values in (facts.accuracy(k) | facts.beyond(k)).items():
            found[f"{name}_at_{k}"] = values
    return found


@dataclass(frozen=True)
class _Lists:
    """Running sums along the lists, from which every measure at every `k` follows."""

    judged: Judged
    traits: Traits
    length: Matrix
    hits: Matrix
    gain: Matrix
    precisions: Matrix
    first: Matrix
    sums: dict[str, Matrix]

    @classmethod
    def of(cls, judged: Judged, traits: Traits) -> _Lists:
        lists = judged.lists
        rows, width = lists.shape
        size = max(len(traits), 1)
        filled = lists >= 0
        titles = np.where(filled, lists, 0)
        likes = traits.likes if len(traits) else np.zeros(1)
        # Looked up by title: to compute these per place of a list would cost a hundred times as much.
        expected = np.where(likes > 0, 1 - (_popularity_rank(likes) - 1) / size, 0.0)
        information = np.log2(max(traits.profiles, 1)) - np.log2(np.maximum(likes, 1))
        hit = _hits(judged, titles, size) & filled
        ranks = np.arange(1, width + 1)
        hits = np.cumsum(hit, axis=1)
        surprise = np.maximum(1 - (ranks - 1) / size - expected[titles], 0.0)
        return cls(
            judged,
            traits,
            np.cumsum(filled, axis=1),
            hits,
            np.cumsum(hit / np.log2(ranks + 1), axis=1),
            np.cumsum(hit * hits / ranks, axis=1),
            np.where(hit.any(axis=1), hit.argmax(axis=1) + 1, np.inf)
            if width
            else np.full(rows, np.inf),
            {
                "novelty": np.cumsum(np.where(filled, information[titles], 0.0), axis=1),
                "popularity": np.cumsum(np.where(filled, likes[titles], 0.0), axis=1),
                "serendipity": np.cumsum(np.where(hit, surprise, 0.0), axis=1),
            },
        )

    def accuracy(self, k: int) -> dict[str, Matrix]:
        relevant = self.judged.relevant
        best = np.minimum(relevant, k)
        ideal = np.cumsum(1 / np.log2(np.arange(2, k + 2)))[np.maximum(best, 1) - 1]
        hits = self._at(self.hits, k)
        return {
            "ndcg": self._at(self.gain, k) / ideal,
            "recall": hits / relevant,
            "precision": hits / k,
            "average_precision": self._at(self.precisions, k) / best,
            "reciprocal_rank": np.where(self.first <= k, 1 / self.first, 0.0),
            "hit_rate": (hits > 0).astype(np.float64),
        }

    def beyond(self, k: int) -> dict[str, Matrix]:
        length = self._at(self.length, k)
        means = {name: _ratio(self._at(sums, k), length) for name, sums in self.sums.items()}
        pairs, shown = length * (length - 1), self._chosen(k)
        directions, is_known = self.traits.directions
        together = shown @ directions
        # Twice the sum of the cosines of all pairs: the square of their sum, less each with itself.
        cosines = (together**2).sum(axis=1) - shown @ is_known
        return means | {
            "diversity": _ratio(pairs - cosines, pairs),
            "miscalibration": self._miscalibration(shown @ self.traits.genres),
        }

    def _chosen(self, k: int) -> csr_array:
        """Which titles are in each list `(b, titles)`: few of many, so that products cost what lists hold."""
        lists = self.judged.lists[:, :k]
        filled = lists >= 0
        title, ends = lists[filled], np.concatenate([[0], np.cumsum(filled.sum(axis=1))])
        # Row by row already: there is nothing for SciPy to sort.
        shape = (len(lists), len(self.traits))
        return csr_array((np.ones(len(title)), title, ends), shape=shape)

    def _miscalibration(self, shown: Matrix) -> Matrix:
        tastes, total = self.judged.tastes, shown.sum(axis=1, keepdims=True)
        shares = np.divide(shown, total, out=np.zeros_like(shown), where=total > 0)
        mixed = (1 - SMOOTHING) * shares + SMOOTHING * tastes
        ratio = np.divide(tastes, mixed, out=np.ones_like(tastes), where=tastes > 0)
        divergence = (tastes * np.log(ratio)).sum(axis=1)
        is_known = (tastes.sum(axis=1) > 0) & (total[:, 0] > 0)
        return np.where(is_known, divergence, np.nan)

    def _at(self, running: Matrix, k: int) -> Matrix:
        """A running sum after `k` places, or after the last if there are fewer."""
        width = running.shape[1]
        if width == 0:
            return np.zeros(running.shape[0])
        return running[:, min(k, width) - 1].astype(np.float64)


def _hits(judged: Judged, titles: Matrix, size: int) -> Matrix:
    """Whether each place of each list holds a title that its profile wanted."""
    row, title = judged.wanted
    wanted = np.unique(row * size + title)
    if not len(wanted):
        return np.zeros(titles.shape, bool)
    cells = np.arange(len(titles))[:, None] * size + titles
    found = wanted[np.minimum(np.searchsorted(wanted, cells), len(wanted) - 1)]
    is_hit: Matrix = found == cells
    return is_hit


def _popularity_rank(likes: Matrix) -> Matrix:
    """1 for the most liked titles, 2 for the next most, and so on."""
    _, place = np.unique(-likes, return_inverse=True)
    rank: Matrix = place + 1
    return rank


def _ratio(sums: Matrix, count: Matrix) -> Matrix:
    found = np.full(len(sums), np.nan)
    np.divide(sums, count, out=found, where=count > 0)
    return found
