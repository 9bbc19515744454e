"""Factors of a profile from its history, with those of the titles fixed: no training.

With the factors `Y` of the titles, a history of `n` titles makes `x = A⁻¹ (1 + α) Σ yᵢ`, with
`A = YᵀY + α Σ yᵢyᵢᵀ + λnI`. It is the last step that MLlib's fit takes for every profile, so for the history that a
model was trained on it gives the factors of the fit; and for a newer history, or a profile that the fit never saw,
those that the fit would give if the titles stayed as they are.

Other models have other ways from a history to factors (`Fold`), and all else in common with this one.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from cinelake.recommend.model import Fitted
from cinelake.recommend.scoring import Factored, Matrix
from cinelake.recommend.top_n import Catalogue, catalogue

Batches = Iterator[pa.RecordBatch]


class Folding(ABC):
    """A fold with all that it takes of the titles of the fit, as it is broadcast."""

    @abstractmethod
    def factors(self, liked: Matrix, market: str | None) -> Matrix:
        """`(rank)` of a profile, from the factors `(n, rank)` of at least one title that it liked."""

    @abstractmethod
    def contributions(self, titles: Matrix, liked: Matrix, market: str | None) -> Matrix:
        """`(titles, liked)`: what each liked title adds to the score of each title, all given by their factors."""


class Fold(ABC):
    """How factors of profiles follow from their histories."""

    @abstractmethod
    def among(self, titles: Matrix) -> Folding:
        """The same for a fit whose titles have these factors, `(titles, rank)`."""


@dataclass(frozen=True)
class Ridge(Fold):
    """What a fit weighed a history by: `alpha`, and `reg_param` per title of it."""

    alpha: float
    reg_param: float

    def among(self, titles: Matrix) -> RidgeFolding:
        return RidgeFolding(self, titles.T @ titles)

    def solved(self, gram: Matrix, liked: Matrix, right: Matrix) -> Matrix:
        """`(1 + α) A⁻¹ right` for a history given by its titles' factors, `gram` being `YᵀY`."""
        system = (
            gram + self.alpha * liked.T @ liked + self.reg_param * len(liked) * np.eye(len(gram))
        )
        found: Matrix = (1 + self.alpha) * np.linalg.solve(system, right)
        return found


@dataclass(frozen=True)
class RidgeFolding(Folding):
    """`gram (rank, rank)` is `YᵀY`."""

    ridge: Ridge
    gram: Matrix

    def factors(self, liked: Matrix, market: str | None) -> Matrix:  # noqa: ARG002
        return self.ridge.solved(self.gram, liked, liked.sum(axis=0))

    def contributions(self, titles: Matrix, liked: Matrix, market: str | None) -> Matrix:  # noqa: ARG002
        """The score of title `j` is a sum over the history, of which title `i` adds `(1 + α) yⱼᵀ A⁻¹ yᵢ` (Hu, Koren
        and Volinsky 2008, section 5).
        """
        added: Matrix = titles @ self.ridge.solved(self.gram, liked, liked.T)
        return added


@dataclass(frozen=True)
class FoldedIn(Fitted):
    """A model of which only the titles are known: `titles (title_id, title_idx, factors)`."""

    titles: DataFrame
    fold: Fold
    # Those of the titles that the fit knew, where there are others: these change no profile that does not like them.
    of_fit: DataFrame | None = None
    # That of profiles' rows.
    column: str = "factors"

    @cached_property
    def folding(self) -> Folding:
        """With what it takes of the titles of the fit."""
        held = self._held if self.of_fit is None else catalogue(self.of_fit)
        return self.fold.among(_factors(held))

    def catalogue(self) -> Catalogue:
        return self._held

    @cached_property
    def _held(self) -> Catalogue:
        return catalogue(self.titles, self.column)

    def profiles(self, histories: DataFrame) -> DataFrame:
        """Those whose history holds a title that the model knows."""
        held = self.catalogue()
        # A list of the columns that stay; histories of one profile are one row.
        columns = ", ".join(
            f"{f.name} {f.dataType.simpleString()}" for f in histories.schema.fields
        )
        shared = histories.sparkSession.sparkContext.broadcast((held, self.folding))
        column = self.column
        # Python, because Spark solves no equations on data frames.
        return histories.where(F.size("liked") > 0).mapInArrow(
            lambda batches: _folded(batches, *shared.value, column),
            f"{columns}, {self.column} array<double>",
        )


def known(held: Catalogue, liked: pa.Array) -> list[Matrix]:
    """Positions of the titles of each history that the catalogue has, in their order."""
    order = np.argsort(held.idx)
    numbers = held.idx[order]
    found = []
    for history in liked:
        wanted = history.values.to_numpy() if history.is_valid else np.array([], np.int64)
        place = np.minimum(np.searchsorted(numbers, wanted), len(numbers) - 1)
        found.append(np.sort(order[place[numbers[place] == wanted]]))
    return found


def markets(batch: pa.RecordBatch) -> list[str | None]:
    """Where each profile of a batch is, None where nothing tells."""
    if "market" not in batch.schema.names:
        return [None] * batch.num_rows
    found: list[str | None] = batch.column("market").to_pylist()
    return found


def _factors(held: Catalogue) -> Matrix:
    assert isinstance(held.scoring, Factored)
    return held.scoring.factors.astype(np.float64)


def _folded(batches: Batches, held: Catalogue, folding: Folding, column: str) -> Batches:
    if len(held) == 0:
        return
    factors = _factors(held)
    for batch in batches:
        of_profiles = [
            folding.factors(factors[positions], market) if len(positions) else None
            for positions, market in zip(
                known(held, batch.column("liked")), markets(batch), strict=True
            )
        ]
        kept = pa.array([factor is not None for factor in of_profiles])
        whole = pa.RecordBatch.from_arrays(
            [*batch.columns, pa.array(of_profiles, pa.list_(pa.float64()))],
            names=[*batch.schema.names, column],
        )
        yield whole.filter(kept)
