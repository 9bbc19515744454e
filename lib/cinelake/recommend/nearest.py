"""Candidates among very many titles: an inverted file over their factors, instead of a product with all of them.

A largest inner product is a smallest distance once each title gets one more number that makes all of them equally long,
and each profile a zero (Bachrach et al. 2014, "Speeding up the Xbox recommender system using a Euclidean transformation
for inner-product spaces"). Titles are divided into cells around centres, of which only those nearest to a profile are
looked through (FAISS, `IndexIVFFlat`).

How many cells it takes is not guessed: as many as bring the *recall*, the share of the truly best titles that are
found, to `RECALL` on a sample of the profiles that ask. That is measured against all titles, and the index says how
far it came.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import faiss
import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[Any]
RECALL = 0.98
# Vectors a cell that its centre is learned from; FAISS asks for 39 at least.
LEARNED_FROM = 64


@dataclass(frozen=True)
class Nearest:
    """An index of titles by their position, packed so that it can be broadcast; `probed` of its cells are looked at,
    where a sample of profiles finds the share `recall` of its best titles.
    """

    packed: Matrix
    probed: int
    recall: float

    def __reduce__(self) -> tuple[type[Nearest], tuple[Matrix, int, float]]:
        """Without the unpacked index, which is no Python object."""
        return Nearest, (self.packed, self.probed, self.recall)

    @cached_property
    def _index(self) -> Any:
        return faiss.deserialize_index(self.packed)

    def search(self, profiles: Matrix, n: int) -> Matrix:
        """Positions `(profiles, n)` of titles that score high, in no order that matters; −1 where there are no more."""
        return _searched(self._index, self.probed, profiles, n)


def nearest(factors: Matrix, sample: Matrix, n: int) -> Nearest:
    """An index of `factors (titles, rank)` in which `sample (profiles, rank)` find `RECALL` of their best `n`.

    The same each time on one machine: FAISS draws with a fixed seed.
    """
    titles = np.ascontiguousarray(factors, np.float32)
    lengths = np.einsum("tr,tr->t", titles, titles)
    missing = np.sqrt(np.maximum(lengths.max(initial=0.0) - lengths, 0.0))
    points = np.column_stack([titles, missing]).astype(np.float32)
    cells = max(1, round(math.sqrt(len(points))))
    index = faiss.IndexIVFFlat(faiss.IndexFlatL2(points.shape[1]), points.shape[1], cells)
    draw = np.random.default_rng(0)
    count = min(len(points), LEARNED_FROM * cells)
    index.train(points[np.sort(draw.choice(len(points), count, replace=False))])
    index.add(points)
    best, probed = _best(titles, sample, n), 1
    while (recall := found_of(best, _searched(index, probed, sample, n))) < RECALL:
        if probed == cells:
            break
        probed = min(2 * probed, cells)
    return Nearest(faiss.serialize_index(index), probed, recall)


def _searched(index: Any, probed: int, profiles: Matrix, n: int) -> Matrix:
    index.nprobe = probed
    _, found = index.search(_lengthened(profiles), n)
    positions: Matrix = found
    return positions


def found_of(best: Matrix, found: Matrix) -> float:
    """The share of the best titles, a row a profile, that are among those found."""
    hits = [np.isin(of, among).sum() for of, among in zip(best, found, strict=True)]
    return float(np.sum(hits) / best.size) if best.size else 1.0


def _best(titles: Matrix, profiles: Matrix, n: int) -> Matrix:
    scores = profiles.astype(np.float32) @ titles.T
    best: Matrix = np.argpartition(-scores, min(n, len(titles)) - 1, axis=1)[:, :n]
    return best


def _lengthened(profiles: Matrix) -> Matrix:
    return np.column_stack([profiles, np.zeros(len(profiles))]).astype(np.float32)
