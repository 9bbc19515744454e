"""Popularity: the baseline every model has to beat, and the list for profiles about whom nothing is
known.

It is a model with factors of length one, so that it is scored, filtered and measured by the very
same code: a title's only factor is its popularity, and every profile's is 1.
"""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F


def popular_titles(interactions: DataFrame) -> DataFrame:
    """`title_id, factors` from strengths: how many profiles liked the title.

    Titles that equally many liked are ordered by how many know them at all, as a fraction below
    one; so there is an order even where nobody liked anything.
    """
    known = F.count_if("is_seen")
    return interactions.groupBy("title_id").agg(
        F.array(F.count_if(F.col("strength") > 0) + known / (known + F.lit(1.0))).alias("factors")
    )


def indifferent(profiles: DataFrame) -> DataFrame:
    """Every profile with the factor 1: all see the titles in the same order."""
    return profiles.withColumn("factors", F.array(F.lit(1.0)))
