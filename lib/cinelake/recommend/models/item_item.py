"""Neighbours of titles: the cosine of who likes them, shrunk where few do.

`s(i, j) = n(i, j) / (√(n(i) n(j)) + shrinkage)`, with `n` the numbers of profiles that like one or both (Sarwar et al.
2001; the shrinkage after Bell and Koren 2007). A title's score is the sum of its similarities to the history, of
which only its nearest neighbours count.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from pydantic import Field
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F
from scipy.sparse import coo_array, csr_array

from cinelake.recommend.model import NO_PARTS, Fitted, Recipe, liked
from cinelake.recommend.title_weights import TitleWeights, numbered_titles
from cinelake.recommend.together import liked_together


class ItemItemRecipe(Recipe):
    """Similarities of titles by who likes them."""

    kind: ClassVar[str] = "item_item"

    shrinkage: float = Field(
        10.0, ge=0, description="added to the geometric mean of two titles' likes"
    )
    neighbours: int = Field(100, ge=1, description="nearest titles that count for a title")
    longest_history: int = Field(1000, ge=2, description="titles of one profile that are taken")

    def fit(self, interactions: DataFrame, parts: Mapping[str, Fitted] = NO_PARTS) -> TitleWeights:  # noqa: ARG002
        wanted = liked(interactions)
        ids, idx = numbered_titles(wanted)
        near = neighbours(
            liked_together(wanted, self.longest_history), self.shrinkage, self.neighbours
        )
        rows = near.select("title_idx", "neighbour_idx", "similarity").toArrow()
        order = np.argsort(idx)
        to, of = (
            order[np.searchsorted(idx[order], rows.column(name).to_numpy())]
            for name in ("title_idx", "neighbour_idx")
        )
        shape = (len(idx), len(idx))
        weights = csr_array(
            coo_array((rows.column("similarity").to_numpy(), (of, to)), shape=shape)
        )
        return TitleWeights(ids, idx, weights)


def neighbours(together: DataFrame, shrinkage: float, n: int) -> DataFrame:
    """`title_idx, neighbour_idx, similarity` of the `n` nearest titles of each, from `liked_together`."""
    alone = together.where("a = b").select(F.col("a").alias("of"), F.col("profiles").alias("likes"))
    pairs = together.where("a < b")
    both = pairs.select(
        F.col("a").alias("title_idx"), F.col("b").alias("neighbour_idx"), "profiles"
    ).union(pairs.select("b", "a", "profiles"))
    counted = both
    for name in ("title_idx", "neighbour_idx"):
        likes = alone.select(F.col("of").alias(name), F.col("likes").alias(f"_{name}"))
        counted = counted.join(likes, on=name, how="inner")
    mean = F.sqrt(F.col("_title_idx") * F.col("_neighbour_idx"))
    similar = counted.withColumn("similarity", F.col("profiles") / (mean + F.lit(shrinkage)))
    nearest = Window.partitionBy("title_idx").orderBy(F.desc("similarity"), "neighbour_idx")
    return (
        similar.withColumn("_place", F.row_number().over(nearest))
        .where(F.col("_place") <= n)
        .select("title_idx", "neighbour_idx", "similarity")
    )
