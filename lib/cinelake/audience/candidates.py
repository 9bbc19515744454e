"""People like you also watched: titles for a profile from what is watched in the clusters that it belongs to.

Grain: one row per profile and place. A title's score is the mean of its shares in the clusters (`cluster_titles`),
weighted by how much the profile belongs to each: soft memberships make it a mixture model of choices (Hofmann 2004,
"Latent semantic models for collaborative filtering"). It is a source of candidates where a history is too short for a
model of its own, and a fallback that knows a little more than what is popular.
"""

from __future__ import annotations

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F


def also_watched(members: DataFrame, titles: DataFrame, seen: DataFrame, n: int) -> DataFrame:
    """`profile_id, rank int, title_id, score double`: the best `n` titles of each profile that it has not `seen`.

    `members` and `titles` are rows of `cluster_members` and `cluster_titles` of one day, `seen` holds `profile_id,
    title_id`. A profile gets fewer where its clusters have no more.
    """
    own = members.select("profile_id", F.inline("shares"))
    liked = titles.select("cluster_id", "title_id", F.col("score").alias("_score"))
    scored = (
        own.join(F.broadcast(liked), on="cluster_id", how="inner")
        .groupBy("profile_id", "title_id")
        # Exact, for sums of floats depend on their order, and of equals the first title is taken.
        .agg(F.sum((F.col("share") * F.col("_score")).cast("decimal(20,12)")).alias("_sum"))
        .join(seen.select("profile_id", "title_id"), on=["profile_id", "title_id"], how="left_anti")
    )
    best = Window.partitionBy("profile_id").orderBy(F.desc("_sum"), "title_id")
    return (
        scored.select("*", F.row_number().over(best).alias("rank"))
        .where(F.col("rank") <= n)
        .select("profile_id", "rank", "title_id", F.col("_sum").cast("double").alias("score"))
    )
