"""Implicit-feedback alternating least squares, fitted by Spark MLlib.

Hu, Koren and Volinsky 2008; regularisation scaled by how often a profile or title occurs, after
Zhou et al. 2008. With binary strengths MLlib solves `(YᵀY + α Σ y yᵀ + λ·n·I) x = (1 + α) Σ y` for
each profile.

The input must be materialised by the caller (`persisted`, or a checkpoint): on input that changes
between two evaluations, such as an unsorted sample, MLlib fails or silently trains on garbage
(SPARK-28927).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from pydantic import Field
from pyspark.ml.recommendation import ALS
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from cinelake.recommend.model import NO_PARTS, Fitted, Recipe, liked
from cinelake.recommend.top_n import Catalogue, catalogue

# Factors that are fitted however few titles profiles like.
FEWEST = 8


class AlsRecipe(Recipe):
    """Factors of profiles and titles whose inner product is 1 for what is wanted and 0 for all else."""

    kind: ClassVar[str] = "als"

    rank: int = Field(
        64, ge=1, le=512, description="length of the factors, where profiles like enough titles"
    )
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

    def fit(self, interactions: DataFrame, parts: Mapping[str, Fitted] = NO_PARTS) -> NamedFactors:  # noqa: ARG002
        """Only strengths above 0 carry information here, so only profiles and titles that have one get factors."""
        factors = self._factors(interactions)
        ids = interactions.select("profile_id", "profile_idx", "title_id", "title_idx")
        numbers = ids.select("title_id", "title_idx").distinct()
        people = ids.select("profile_id", "profile_idx").distinct()
        return NamedFactors(
            factors.profiles.join(people, on="profile_idx", how="inner").select(
                "profile_id", "factors"
            ),
            factors.titles.join(numbers, on="title_idx", how="inner").select(
                "title_id", "title_idx", "factors"
            ),
            factors.rank,
        )

    def _factors(self, interactions: DataFrame) -> Factors:
        wanted = liked(interactions).select("profile_idx", "title_idx", "strength")
        rank = self.rank if self.rank <= FEWEST else min(self.rank, _borne(wanted))
        # Sums of floats depend on the order of their terms; sorted input makes the order the same in
        # every fit.
        ordered = wanted.repartition(self.blocks, "profile_idx").sortWithinPartitions(
            "profile_idx", "title_idx"
        )
        model = ALS(
            userCol="profile_idx",
            itemCol="title_idx",
            ratingCol="strength",
            implicitPrefs=True,
            rank=rank,
            alpha=self.alpha,
            regParam=self.reg_param,
            maxIter=self.iterations,
            seed=self.seed,
            numUserBlocks=self.blocks,
            numItemBlocks=self.blocks,
        ).fit(ordered)
        return Factors(
            model.userFactors.select(
                F.col("id").alias("profile_idx"), F.col("features").alias("factors")
            ),
            model.itemFactors.select(
                F.col("id").alias("title_idx"), F.col("features").alias("factors")
            ),
            rank,
        )


def _borne(wanted: DataFrame) -> int:
    """As many factors as a profile has titles that it likes, on average.

    A profile's factors are solved for from its own likes; with more unknowns than equations they follow chance, however
    they are regularised.
    """
    of_profile = wanted.groupBy("profile_idx").count()
    mean = of_profile.agg(F.avg("count")).first()
    return max(FEWEST, round(mean[0]) if mean and mean[0] else 0)


@dataclass(frozen=True)
class Factors:
    """`profiles (profile_idx, factors)` and `titles (title_idx, factors)`, of length `rank`; a score is the inner
    product.
    """

    profiles: DataFrame
    titles: DataFrame
    rank: int


@dataclass(frozen=True)
class NamedFactors(Fitted):
    """`profiles (profile_id, factors)` and `titles (title_id, title_idx, factors)`; `rank` is that of the fit, which
    may be less than its recipe has.
    """

    of_profiles: DataFrame
    of_titles: DataFrame
    rank: int

    def catalogue(self) -> Catalogue:
        return catalogue(self.of_titles)

    def profiles(self, histories: DataFrame) -> DataFrame:
        return histories.join(self.of_profiles, on="profile_id", how="inner")
