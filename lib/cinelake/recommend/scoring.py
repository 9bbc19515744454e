"""How models score titles for batches of profiles; what is the same for all, top_n.py does with the scores.

A model scores all titles of a catalogue, in the order of their ids. It gives scores twice: fast, in single precision,
with a bound of their error, for all titles of some profiles; and exactly, in double precision, for a few titles of
each. The exact ones do not depend on which profiles come together.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from scipy.sparse import csr_array

Matrix = npt.NDArray[Any]
EPS = float(np.finfo(np.float32).eps)
# Candidates scored again at a time, so that their factors stay in the processor's cache.
RESCORED_CELLS = 4096

# Row and position of every title in a column of arrays of title numbers; those not in the catalogue are left out.
Cells = Callable[[pa.Array], tuple[Matrix, Matrix]]


class Scores(ABC):
    """The scores of one batch of profiles."""

    @abstractmethod
    def fast(self, start: int, stop: int, out: Matrix) -> Matrix:
        """Scores of these profiles into the first columns of `out`; returns a bound of each row's errors.

        What stands in the other columns before and after means nothing.
        """

    @abstractmethod
    def exact(self, rows: Matrix, positions: Matrix) -> Matrix:
        """Scores of the titles at `positions (rows, candidates)` for the profiles at `rows`."""

    @abstractmethod
    def moments(self) -> tuple[Matrix, Matrix]:
        """Mean and standard deviation of each profile's scores of all titles; as exact as `exact`."""


class Scoring(ABC):
    """A fitted model, as it is broadcast: `columns` are what it reads of a profile's row."""

    columns: tuple[str, ...]

    @property
    @abstractmethod
    def titles(self) -> int:
        """How many titles it scores."""

    @abstractmethod
    def of(self, batch: pa.RecordBatch, cells: Cells) -> Scores:
        """The scores of a batch. Raises ValueError where its columns cannot be those of this model."""


# ---- factors


class Factored(Scoring):
    """A score is the inner product of the profile's factors, which are in `column`, and the title's."""

    def __init__(self, factors: Matrix, column: str = "factors") -> None:
        self.factors = factors
        self.columns = (column,)
        norms = np.sqrt(np.einsum("tr,tr->t", factors, factors, dtype=np.float64))
        # Twice the worst rounding error of an inner product of single-precision numbers, per unit
        # of the profile's norm (Higham 2002, section 3.1), and that of casting double factors down.
        self.slack = 4.0 * (factors.shape[1] + 4) * EPS * float(norms.max(initial=0.0))
        self._transposed: Matrix | None = None
        self._spread: tuple[Matrix, Matrix] | None = None

    @property
    def titles(self) -> int:
        return len(self.factors)

    @property
    def rank(self) -> int:
        return int(self.factors.shape[1])

    def of(self, batch: pa.RecordBatch, cells: Cells) -> Scores:  # noqa: ARG002
        return FactoredScores(self, matrix(batch.column(self.columns[0]), self.rank))

    def transposed(self, columns: int) -> Matrix:
        """The titles' factors side by side, in single precision, and zeros up to so many columns."""
        if self._transposed is None or self._transposed.shape[1] != columns:
            self._transposed = np.zeros((self.rank, columns), np.float32)
            self._transposed[:, : self.titles] = self.factors.T
        return self._transposed

    def spread(self) -> tuple[Matrix, Matrix]:
        """Mean and covariance of the titles' factors."""
        if self._spread is None:
            double = self.factors.astype(np.float64)
            mean = double.mean(axis=0)
            self._spread = mean, (double - mean).T @ (double - mean) / max(1, self.titles)
        return self._spread


class FactoredScores(Scores):
    """Of profiles by their factors, `(profiles, rank)`."""

    def __init__(self, model: Factored, profiles: Matrix) -> None:
        self.model, self.profiles = model, profiles

    def fast(self, start: int, stop: int, out: Matrix) -> Matrix:
        single = self.profiles[start:stop].astype(np.float32)
        np.dot(single, self.model.transposed(out.shape[1]), out=out)
        norms = np.sqrt(np.einsum("pr,pr->p", single, single, dtype=np.float64))
        bound: Matrix = self.model.slack * norms
        return bound

    def exact(self, rows: Matrix, positions: Matrix) -> Matrix:
        # Each inner product is summed in the same order wherever it stands.
        found = np.empty(positions.shape)
        step = max(1, RESCORED_CELLS // max(1, positions.shape[1]))
        for start in range(0, len(rows), step):
            block = slice(start, start + step)
            titles = self.model.factors[positions[block]].astype(np.float64)
            profiles = self.profiles[rows[block]].astype(np.float64)
            found[block] = np.einsum("pcr,pr->pc", titles, profiles)
        return found

    def moments(self) -> tuple[Matrix, Matrix]:
        mean, covariance = self.model.spread()
        double = self.profiles.astype(np.float64)
        variance = np.einsum("pr,rs,ps->p", double, covariance, double)
        return np.einsum("pr,r->p", double, mean), np.sqrt(np.maximum(variance, 0.0))


# ---- from title to title


class TitleToTitle(Scoring):
    """A score is the sum of the weights from the titles of the history, which are in `column`, to the title.

    `weights (titles, titles)` may be dense or sparse; row `i` holds what title `i` gives to the others.
    """

    def __init__(self, weights: Matrix | csr_array, column: str = "liked") -> None:
        self.weights = weights
        self.columns = (column,)
        row_maxima = abs(weights).max(axis=1)
        is_sparse = isinstance(weights, csr_array)
        self.largest: Matrix = row_maxima.toarray().ravel() if is_sparse else row_maxima

    @property
    def titles(self) -> int:
        return int(self.weights.shape[0])

    def of(self, batch: pa.RecordBatch, cells: Cells) -> Scores:
        rows, positions = cells(batch.column(self.columns[0]))
        ones = np.ones(len(rows))
        shape = (batch.num_rows, self.titles)
        return _SummedScores(self, csr_array((ones, (rows, positions)), shape=shape))


class _SummedScores(Scores):
    def __init__(self, model: TitleToTitle, histories: csr_array) -> None:
        self.model, self.histories = model, histories

    def fast(self, start: int, stop: int, out: Matrix) -> Matrix:
        mine = self.histories[start:stop]
        summed = mine @ self.model.weights
        out[:, : self.model.titles] = summed.toarray() if isinstance(summed, csr_array) else summed
        count = np.diff(mine.indptr)
        bound: Matrix = 2.0 * (count + 2) * EPS * (mine @ self.model.largest.astype(np.float64))
        return bound

    def exact(self, rows: Matrix, positions: Matrix) -> Matrix:
        found = np.empty(positions.shape)
        for place, row in enumerate(rows):
            found[place] = self._all(row)[positions[place]]
        return found

    def moments(self) -> tuple[Matrix, Matrix]:
        found = np.empty((self.histories.shape[0], 2))
        for row in range(len(found)):
            scores = self._all(row)
            found[row] = scores.mean(), scores.std()
        return found[:, 0], found[:, 1]

    def _all(self, row: int) -> Matrix:
        """The exact scores of all titles for a profile."""
        first, last = self.histories.indptr[row : row + 2]
        given = self.model.weights[np.sort(self.histories.indices[first:last])]
        summed: Matrix = np.asarray(given.sum(axis=0, dtype=np.float64)).ravel()
        return summed


# ---- blends


@dataclass(frozen=True)
class Part:
    """A model of a blend, and what its standardised score counts."""

    weight: float
    scoring: Scoring


class Blended(Scoring):
    """A score is the weighted sum of the parts' scores, each standardised over all titles of a profile."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self.parts = tuple(parts)
        self.columns = tuple(dict.fromkeys(c for part in parts for c in part.scoring.columns))

    @property
    def titles(self) -> int:
        return self.parts[0].scoring.titles

    def of(self, batch: pa.RecordBatch, cells: Cells) -> Scores:
        parts = [(part.weight, part.scoring.of(batch, cells)) for part in self.parts]
        return _BlendedScores(parts, self.titles)


class _BlendedScores(Scores):
    def __init__(self, parts: Sequence[tuple[float, Scores]], titles: int) -> None:
        self.titles = titles
        self.parts = []
        for weight, scores in parts:
            mean, spread = scores.moments()
            # Who finds all titles equal has no opinion to add.
            self.parts.append((weight, scores, mean, np.where(spread > 0, spread, np.inf)))

    def fast(self, start: int, stop: int, out: Matrix) -> Matrix:
        own = out[:, : self.titles]
        total, bound = np.zeros_like(own), np.zeros(stop - start)
        for weight, scores, means, spreads in self.parts:
            mean, spread = means[start:stop], spreads[start:stop]
            error = scores.fast(start, stop, out)
            total += (weight / spread[:, None]).astype(np.float32) * (
                own - mean[:, None].astype(np.float32)
            )
            largest = np.abs(own).max(axis=1, initial=0.0) + np.abs(mean)
            bound += abs(weight) / spread * (error + 8 * EPS * largest)
        own[:] = total
        return bound * 2

    def exact(self, rows: Matrix, positions: Matrix) -> Matrix:
        found = np.zeros(positions.shape)
        for weight, scores, means, spreads in self.parts:
            centred = scores.exact(rows, positions) - means[rows, None]
            found += weight * centred / spreads[rows, None]
        return found

    def moments(self) -> tuple[Matrix, Matrix]:
        # Standardised scores have no moments that could be known from their parts': these go together.
        profiles, everything = len(self.parts[0][2]), np.arange(self.titles)[None, :]
        scores = [self.exact(np.array([row]), everything)[0] for row in range(profiles)]
        return np.array([one.mean() for one in scores]), np.array([one.std() for one in scores])


# ---- Arrow


def cells(lists: pa.Array) -> tuple[Matrix, pa.Array]:
    """Row and value of every element of a column of arrays, ordered by row; a null array has none."""
    lengths = lists.value_lengths().fill_null(0).to_numpy(zero_copy_only=False)
    return np.repeat(np.arange(len(lists)), lengths), lists.flatten()


def matrix(factors: pa.Array, rank: int | None) -> Matrix:
    """Lists of equal length as a matrix without copying. Raises ValueError where they are not equal
    or finite.
    """
    lengths = np.unique(factors.value_lengths().to_numpy(zero_copy_only=False))
    if len(lengths) == 0:
        return np.empty((0, rank or 1), np.float32)
    if len(lengths) > 1 or (rank is not None and lengths[0] != rank):
        expected = "the same for all" if rank is None else f"{rank}, as those of the titles"
        raise ValueError(
            f"factors of length {', '.join(str(n) for n in lengths)}; it has to be {expected}"
        )
    found: Matrix = factors.flatten().to_numpy(zero_copy_only=False).reshape(len(factors), -1)
    if not np.isfinite(found).all():
        raise ValueError("factors hold NaN or infinite numbers; train the model again")
    return found
