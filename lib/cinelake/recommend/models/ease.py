"""EASE: the linear model from titles to titles with a closed form.

Steck 2019, "Embarrassingly shallow autoencoders for sparse data": with `G` the numbers of profiles that like two
titles, `P = (G + λI)⁻¹` and `Bᵢⱼ = −Pᵢⱼ / Pⱼⱼ` off the diagonal, a title's score is the sum of `B` over the history.

The inverse is dense, so it is made on the driver, of no more titles than a setting: the most liked. Others score 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
import scipy.linalg
from pydantic import Field
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from scipy.sparse import coo_array, csr_array

from cinelake.recommend.model import NO_PARTS, Fitted, Recipe, liked
from cinelake.recommend.scoring import Matrix
from cinelake.recommend.title_weights import TitleWeights, numbered_titles
from cinelake.recommend.together import liked_together


class EaseRecipe(Recipe):
    """Weights from each title to each, regularised."""

    kind: ClassVar[str] = "ease"

    penalty: float = Field(300.0, gt=0, description="λ: added to each title's number of likes")
    titles_at_most: int = Field(
        5000,
        ge=1,
        le=20_000,
        description="the most liked titles; memory and time grow with its square and cube",
    )
    longest_history: int = Field(1000, ge=2, description="titles of one profile that are taken")

    def fit(self, interactions: DataFrame, parts: Mapping[str, Fitted] = NO_PARTS) -> TitleWeights:  # noqa: ARG002
        wanted = liked(interactions)
        ids, idx = numbered_titles(wanted)
        pairs = liked_together(wanted, self.longest_history)
        most = (
            pairs.where("a = b")
            .orderBy(F.desc("profiles"), "a")
            .limit(self.titles_at_most)
            .select(F.col("a").alias("title_idx"))
        )
        chosen = np.sort(most.toArrow().column("title_idx").to_numpy())
        kept = pairs.join(
            F.broadcast(most.withColumnRenamed("title_idx", "a")), on="a", how="left_semi"
        ).join(F.broadcast(most.withColumnRenamed("title_idx", "b")), on="b", how="left_semi")
        rows = kept.select("a", "b", "profiles").toArrow()
        a, b = (np.searchsorted(chosen, rows.column(name).to_numpy()) for name in ("a", "b"))
        gram = np.zeros((len(chosen), len(chosen)))
        gram[a, b] = gram[b, a] = rows.column("profiles").to_numpy()
        weights = closed_form(gram, self.penalty).astype(np.float32)
        position = np.argsort(idx)[np.searchsorted(np.sort(idx), chosen)]
        return TitleWeights(ids, idx, _placed(weights, position, len(idx)))


def closed_form(gram: Matrix, penalty: float) -> Matrix:
    """`B` of `G`, both `(titles, titles)`."""
    inverse = scipy.linalg.inv(
        gram + penalty * np.eye(len(gram)), overwrite_a=True, check_finite=False
    )
    weights: Matrix = -inverse / np.diag(inverse)[None, :]
    np.fill_diagonal(weights, 0.0)
    return weights


def _placed(weights: Matrix, position: Matrix, titles: int) -> Matrix | csr_array:
    """The weights among all titles: dense where they are those of all."""
    if len(position) == titles:
        order = np.argsort(position)
        ordered: Matrix = weights[np.ix_(order, order)]
        return ordered
    row, column = np.meshgrid(position, position, indexing="ij")
    shape = (titles, titles)
    return csr_array(coo_array((weights.ravel(), (row.ravel(), column.ravel())), shape=shape))
