"""People like you also watched: titles for a profile from what is watched in the clusters that it belongs to.

Grain: one row per profile and place. A title's score is the mean of its shares in the clusters (`cluster_titles`),
weighted by how much the profile belongs to each: soft memberships make it a mixture model of choices (Hofmann 2004,
"Latent semantic models for collaborative filtering"). It is a source of candidates where a history is too short for a
model of its own, and a fallback that knows a little more than what is popular.
"""

from __future__ import annotations

from dataclasses import dataclass

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F


@dataclass(frozen=True)
class Clusters:
    """Rows of `cluster_members` and `cluster_titles` of one day."""

    members: DataFrame
    titles: DataFrame


def newest(members: DataFrame, titles: DataFrame) -> Clusters | None:
    """Those of the newest day of both; None where there is none."""
    days = (
        members.select("as_of")
        .distinct()
        .join(titles.select("as_of").distinct(), on="as_of", how="inner")
    )
    found = days.agg(F.max("as_of")).first()
    if found is None or found[0] is None:
        return None
    then = F.col("as_of") == F.lit(found[0])
    return Clusters(members.where(then), titles.where(then))


def also_watched(
    members: DataFrame, titles: DataFrame, n: int, seen: DataFrame | None = None
) -> DataFrame:
    """`profile_id, rank int, title_id, score double`: the best `n` titles of each profile, of those that it has not
    `seen (profile_id, title_id)`.

    `members` and `titles` are rows of `cluster_members` and `cluster_titles` of one day. A profile gets fewer where its
    clusters have no more.
    """
    own = members.select("profile_id", F.inline("shares"))
    liked = titles.select("cluster_id", "title_id", F.col("score").alias("_score"))
    scored = (
        own.join(F.broadcast(liked), on="cluster_id", how="inner")
        .groupBy("profile_id", "title_id")
        # Exact, for sums of floats depend on their order, and of equals the first title is taken.
        .agg(F.sum((F.col("share") * F.col("_score")).cast("decimal(20,12)")).alias("_sum"))
    )
    if seen is not None:
        pair = ["profile_id", "title_id"]
        scored = scored.join(seen.select(*pair), on=pair, how="left_anti")
    best = Window.partitionBy("profile_id").orderBy(F.desc("_sum"), "title_id")
    return (
        scored.select("*", F.row_number().over(best).alias("rank"))
        .where(F.col("rank") <= n)
        .select("profile_id", "rank", "title_id", F.col("_sum").cast("double").alias("score"))
    )
