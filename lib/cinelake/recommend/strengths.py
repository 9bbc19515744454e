"""Strengths: what a rating says about wanting a title, as implicit feedback.

Grain of the result: one row per profile and title, the last word that the profile gave on it.

Strengths are binary: 1 for a rating at or above a threshold, else 0. A 0 is not a dislike to learn
from but a title already seen, which no list should hold. Weighting by the rating itself gains
almost nothing (Hu, Koren and Volinsky 2008 for the model; measured on MovieLens) and makes `alpha`
depend on the scale of the ratings.
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F


def liked(rating: Column, like_from: float) -> Column:
    """1.0 where the rating reaches `like_from`, 0.0 below."""
    return F.when(rating >= F.lit(like_from), F.lit(1.0)).otherwise(F.lit(0.0)).cast("float")


def strengths(ratings: DataFrame, like_from: float) -> DataFrame:
    """The last rating of each (profile, title) as `profile_id, title_id, strength`.

    Of ratings given in the same instant the higher one counts, so that the result does not depend
    on the order in which rows arrive.
    """
    newest = F.max(F.struct("rated_at", "rating"))["rating"]
    return (
        ratings.groupBy("profile_id", "title_id")
        .agg(newest.alias("rating"))
        .select("profile_id", "title_id", liked(F.col("rating"), like_from).alias("strength"))
    )
