"""Implicit-feedback alternating least squares, fitted by Spark MLlib.

Hu, Koren and Volinsky 2008; regularisation scaled by how often a profile or title occurs, after
Zhou et al. 2008. With binary strengths MLlib solves `(YᵀY + α Σ y yᵀ + λ·n·I) x = (1 + α) Σ y` for
each profile.

The input must be materialised by the caller (`persisted`, or a checkpoint): on input that changes
between two evaluations, such as an unsorted sample, MLlib fails or silently trains on garbage
(SPARK-28927).
"""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field
from pyspark.ml.recommendation import ALS
from pyspark.sql import DataFrame
from pyspark.sql import functions as F


class NothingLiked(ValueError):
    """There is nothing to learn from; the message names the setting to look at."""


class Recipe(BaseModel):
    """All that decides a fit besides the data."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rank: int = Field(64, ge=1, le=512, description="length of the factors")
    alpha: float = Field(
        2.0, gt=0, description="how much more a liked title weighs than an unknown one"
    )
    reg_param: float = Field(0.6, gt=0, description="regularisation per interaction")
    # Each iteration lengthens the lineage; beyond some 40, without a checkpoint folder, the stack
    # overflows.
    iterations: int = Field(8, ge=1, le=40)
    seed: int = Field(42, description="of the random start")
    # Fixed, not derived from the cluster: the random start is drawn block by block, so another
    # number of blocks is another model.
    blocks: int = Field(4, ge=1, description="blocks that MLlib divides profiles and titles into")


@dataclass(frozen=True)
class Factors:
    """`profiles (profile_idx, factors)` and `titles (title_idx, factors)`; a score is the inner
    product.
    """

    profiles: DataFrame
    titles: DataFrame


def fit(interactions: DataFrame, recipe: Recipe) -> Factors:
    """Fit `profile_idx int, title_idx int, strength float`.

    Only strengths above 0 carry information here, so only profiles and titles that have one get
    factors.

    Raises NothingLiked where no strength is above 0.
    """
    liked = interactions.where("strength > 0").select("profile_idx", "title_idx", "strength")
    if liked.isEmpty():
        raise NothingLiked(
            "nobody has watched, liked or rated anything as much as wanting it takes, so there is "
            "nothing to train on; lower `weights.wanted_from` or `weights.like_from`. "
            "Until then everyone gets the popular titles"
        )
    # Sums of floats depend on the order of their terms; sorted input makes the order the same in
    # every fit.
    ordered = liked.repartition(recipe.blocks, "profile_idx").sortWithinPartitions(
        "profile_idx", "title_idx"
    )
    model = ALS(
        userCol="profile_idx",
        itemCol="title_idx",
        ratingCol="strength",
        implicitPrefs=True,
        rank=recipe.rank,
        alpha=recipe.alpha,
        regParam=recipe.reg_param,
        maxIter=recipe.iterations,
        seed=recipe.seed,
        numUserBlocks=recipe.blocks,
        numItemBlocks=recipe.blocks,
    ).fit(ordered)
    return Factors(
        model.userFactors.select(
            F.col("id").alias("profile_idx"), F.col("features").alias("factors")
        ),
        model.itemFactors.select(
            F.col("id").alias("title_idx"), F.col("features").alias("factors")
        ),
    )
