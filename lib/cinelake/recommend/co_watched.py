"""How good lists of similar titles were: whether who watched a title in the week after also watched those on its list.

Two titles are watched together when a profile wants both by what it did in that week alone. The precision of a title's
list is the share of its first `k` titles that were watched together with it. Titles that nobody watched together with
any other tell nothing and are left out. A list drawn at random from the titles that have lists would have the share of
those that were watched together with it: the precision to compare with.
"""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from cinelake.recommend.together import liked_together


def precision(lists: DataFrame, week: DataFrame, k: int, longest_history: int) -> DataFrame:
    """One row, `titles bigint, precision double, at_random double`; the last two are null where `titles` is 0.

    `lists` holds `title_id, rank, similar_id`, `week` strengths with `title_idx` of what was done since they were made.
    """
    wanted = week.where("strength > 0").select("profile_id", "title_id", "title_idx")
    listed = lists.select("title_id").distinct()
    ids = wanted.select("title_id", "title_idx").distinct()
    known = ids.join(listed, on="title_id", how="left_semi")
    one, other = known.toDF("title_id", "a"), known.toDF("similar_id", "b")
    pairs = liked_together(wanted, longest_history).where("a < b").select("a", "b")
    together = (
        pairs.union(pairs.select("b", "a"))
        .join(F.broadcast(one), on="a", how="inner")
        .join(F.broadcast(other), on="b", how="inner")
        .select("title_id", "similar_id")
    )
    first = lists.where(F.col("rank") <= k).select(
        "title_id", "similar_id", F.lit(1).alias("_is_listed")
    )
    by_title = (
        together.join(first, on=["title_id", "similar_id"], how="left")
        .groupBy("title_id")
        .agg(F.count("_is_listed").alias("hits"), F.count(F.lit(1)).alias("partners"))
    )
    others = listed.agg((F.count(F.lit(1)) - 1).alias("others"))
    return by_title.crossJoin(F.broadcast(others)).agg(
        F.count(F.lit(1)).alias("titles"),
        F.avg(F.col("hits") / k).alias("precision"),
        F.avg(F.col("partners") / F.col("others")).alias("at_random"),
    )
