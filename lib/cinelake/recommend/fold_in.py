"""Factors of a profile from its history, with those of the titles fixed: one ridge regression, and no training.

With the factors `Y` of the titles, a history of `n` titles makes `x = A⁻¹ (1 + α) Σ yᵢ`, with
`A = YᵀY + α Σ yᵢyᵢᵀ + λnI`. It is the last step that MLlib's fit takes for every profile, so for the history that a
model was trained on it gives the factors of the fit; and for a newer history, or a profile that the fit never saw,
those that the fit would give if the titles stayed as they are.
"""

from __future__ import annotations

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


@dataclass(frozen=True)
class Ridge:
    """What a fit weighed a history by: `alpha`, and `reg_param` per title of it."""

    alpha: float
    reg_param: float

    def solved(self, gram: Matrix, liked: Matrix, right: Matrix) -> Matrix:
        """`(1 + α) A⁻¹ right` for a history given by its titles' factors, `gram` being `YᵀY`."""
        system = (
            gram + self.alpha * liked.T @ liked + self.reg_param * len(liked) * np.eye(len(gram))
        )
        found: Matrix = (1 + self.alpha) * np.linalg.solve(system, right)
        return found


@dataclass(frozen=True)
class FoldedIn(Fitted):
    """A model of which only the titles are known: `titles (title_id, title_idx, factors)`."""

    titles: DataFrame
    ridge: Ridge
    # Those of the titles that the fit knew, where there are others: these change no profile that does not like them.
    of_fit: DataFrame | None = None

    @cached_property
    def gram(self) -> Matrix:
        """`YᵀY` of the titles of the fit."""
        held = self._held if self.of_fit is None else catalogue(self.of_fit)
        assert isinstance(held.scoring, Factored)
        factors = held.scoring.factors.astype(np.float64)
        gram: Matrix = factors.T @ factors
        return gram

    def catalogue(self) -> Catalogue:
        return self._held

    @cached_property
    def _held(self) -> Catalogue:
        return catalogue(self.titles)

    def profiles(self, histories: DataFrame) -> DataFrame:
        """Those whose history holds a title that the model knows."""
        held = self.catalogue()
        # A list of the columns that stay; histories of one profile are one row.
        columns = ", ".join(
            f"{f.name} {f.dataType.simpleString()}" for f in histories.schema.fields
        )
        shared = histories.sparkSession.sparkContext.broadcast((held, self.gram))
        ridge = self.ridge
        # Python, because Spark solves no equations on data frames.
        return histories.where(F.size("liked") > 0).mapInArrow(
            lambda batches: _folded(batches, *shared.value, ridge),
            f"{columns}, factors array<double>",
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


def _folded(batches: Batches, held: Catalogue, gram: Matrix, ridge: Ridge) -> Batches:
    if len(held) == 0:
        return
    assert isinstance(held.scoring, Factored)
    factors = held.scoring.factors.astype(np.float64)
    for batch in batches:
        histories = known(held, batch.column("liked"))
        of_profiles = []
        for positions in histories:
            liked = factors[positions]
            of_profiles.append(ridge.solved(gram, liked, liked.sum(axis=0)) if len(liked) else None)
        kept = pa.array([factor is not None for factor in of_profiles])
        whole = pa.RecordBatch.from_arrays(
            [*batch.columns, pa.array(of_profiles, pa.list_(pa.float64()))],
            names=[*batch.schema.names, "factors"],
        )
        yield whole.filter(kept)
