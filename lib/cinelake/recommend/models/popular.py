"""Popularity: the baseline every model has to beat, and the list for profiles about whom nothing is
known.

It is a model with factors of length one, so that it is scored, filtered and measured by the very
same code: a title's only factor is its popularity, and every profile's is 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from cinelake.recommend.model import NO_PARTS, Fitted, Recipe
from cinelake.recommend.top_n import Catalogue, catalogue


class PopularRecipe(Recipe):
    """How many profiles liked a title."""

    kind: ClassVar[str] = "popular"

    def fit(self, interactions: DataFrame, parts: Mapping[str, Fitted] = NO_PARTS) -> Popular:  # noqa: ARG002
        """Never in want of something liked: titles that are only known stand in order, too."""
        numbers = interactions.select("title_id", "title_idx").distinct()
        return Popular(popular_titles(interactions).join(numbers, on="title_id", how="inner"))


@dataclass(frozen=True)
class Popular(Fitted):
    """`titles (title_id, title_idx, factors)`."""

    titles: DataFrame

    def catalogue(self) -> Catalogue:
        return catalogue(self.titles)

    def profiles(self, histories: DataFrame) -> DataFrame:
        """Everybody, with the factor 1: all see the titles in the same order."""
        return histories.withColumn("factors", F.array(F.lit(1.0)))


def popular_titles(interactions: DataFrame) -> DataFrame:
    """`title_id, factors` from strengths: how many profiles liked the title.

    Titles that equally many liked are ordered by how many know them at all, as a fraction below
    one; so there is an order even where nobody liked anything.
    """
    known = F.count_if("is_seen")
    return interactions.groupBy("title_id").agg(
        F.array(F.count_if(F.col("strength") > 0) + known / (known + F.lit(1.0))).alias("factors")
    )
