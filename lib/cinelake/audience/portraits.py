"""What marks a cluster: terms that its members have more of than the rest of their population, beyond chance.

Log odds ratios with an informative Dirichlet prior (Monroe, Colaresi and Quinn 2008, "Fightin' Words", section 3.3.1):
the odds of a term in the cluster against those in the rest, both with the population's shares added as if so many more
had been watched, over their standard error. What everybody has marks nobody, nor what two members share by chance.

A profile has a vote for each title that it watched, ten at most, which it shares out among genres, moods and themes:
who watches without end does not speak for a cluster. For its language, form, hours, devices and habits it has one vote
in all, for these are alike from play to play, and for a title or market one vote each.

Aspects are those of cells.py, and `market`, `title`.
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from cinelake.audience.features import shares

# Votes (titles: viewers) like everybody's that are added on both sides.
PRIOR = 10.0
TASTES, MOST_VOTES = ("genre", "mood", "theme"), 10
_EXACT = "decimal(26,12)"
TITLE, MARKET, NEIGHBOUR = "title", "market", "neighbour"


def told(cells: DataFrame, watched: DataFrame, members: DataFrame) -> DataFrame:
    """`population, cluster_id, household, profile_id, aspect, term, votes decimal` of all that portraits are made of.

    `members` has `profile_id, population, household, market, cluster_id`; `watched` is of cells.py.
    """
    who = ("population", "cluster_id", "household", "profile_id")
    own = members.select(*who)
    of_cells = shares(cells).join(own, on="profile_id", how="inner")
    most = F.when(F.col("aspect").isin(*TASTES), MOST_VOTES).otherwise(1)
    # What a profile weighs in an aspect in all: titles, or plays.
    whole = F.col("weight").cast("double") / F.col("share")
    of_titles = watched.join(own, on="profile_id", how="inner")
    one = F.lit(1.0)
    parts = [
        (of_cells, F.col("aspect"), F.col("term"), F.col("share") * F.least(whole, most)),
        (of_titles, F.lit(TITLE), F.col("title_id"), one),
        (members, F.lit(MARKET), F.col("market"), one),
    ]
    found = [
        frame.select(*who, aspect.alias("aspect"), term.alias("term"), votes.cast(_EXACT).alias("votes"))
        for frame, aspect, term, votes in parts
    ]  # fmt: skip
    return found[0].unionByName(found[1]).unionByName(found[2])


def portraits(told: DataFrame, members: DataFrame, n: int, titles: int) -> DataFrame:
    """`cluster_id, aspect, rank, term, profiles, households, share, lift, log_odds, z`: the first `n` terms of each
    aspect, and `titles` of titles, that speak most for a cluster, those alone that speak for it at all.
    """
    by = ["population", "cluster_id"]
    sizes = members.groupBy(*by).agg(F.count(F.lit(1)).alias("members"))
    own = told.groupBy(*by, "aspect", "term").agg(
        F.sum("votes").alias("y"),
        F.count(F.lit(1)).alias("profiles"),
        F.count_distinct("household").alias("households"),
    )
    of_all = Window.partitionBy("population", "aspect", "term")
    summed = own.select("*", F.sum("y").over(of_all).alias("y_all"))
    # Of the aspect: what all terms have together, in the cluster and in all.
    n_own = F.sum("y").over(Window.partitionBy(*by, "aspect"))
    whole = told.groupBy("population", "aspect").agg(F.sum("votes").cast("double").alias("n_all"))
    people = members.groupBy("population").agg(F.count(F.lit(1)).alias("everyone"))
    joined = (
        summed.select("*", n_own.cast("double").alias("n"))
        .join(whole, on=["population", "aspect"], how="inner")
        .join(sizes, on=by, how="inner")
        .join(people, on="population", how="inner")
    )
    y, y_all = F.col("y").cast("double"), F.col("y_all").cast("double")
    # A title is had or not by each viewer; terms of an aspect share each of them out.
    is_title = F.col("aspect") == TITLE
    size = F.when(is_title, F.col("members").cast("double")).otherwise(F.col("n"))
    size_all = F.when(is_title, F.col("everyone").cast("double")).otherwise(F.col("n_all"))
    added = F.lit(PRIOR) * y_all / size_all
    odds, variance = _odds(y, size, added)
    rest_odds, rest_variance = _odds(y_all - y, size_all - size, added)
    log_odds = odds - rest_odds
    share, rest = (y + added) / (size + PRIOR), (y_all - y + added) / (size_all - size + PRIOR)
    marked = joined.select(
        "cluster_id",
        "aspect",
        "term",
        "profiles",
        "households",
        (y / size).alias("share"),
        (share / rest).alias("lift"),
        log_odds.alias("log_odds"),
        (log_odds / F.sqrt(variance + rest_variance)).alias("z"),
    ).where("log_odds > 0")
    # Rounded: what differs in the last bits only is equal, and ordered by its name.
    most = Window.partitionBy("cluster_id", "aspect").orderBy(F.desc(F.round("z", 6)), "term")
    limit = F.when(is_title, titles).otherwise(n)
    return marked.select("*", F.row_number().over(most).alias("rank")).where(F.col("rank") <= limit)


def _odds(y: Column, size: Column, added: Column) -> tuple[Column, Column]:
    """Log odds with the prior added, and their variance, to first order. Rounding must not bring a count below 0."""
    y = F.greatest(y, F.lit(0.0))
    others = F.greatest(size - y, F.lit(0.0)) + F.greatest(F.lit(PRIOR) - added, F.lit(1e-9))
    return F.log((y + added) / others), 1 / (y + added) + 1 / others


def popular(watched: DataFrame, members: DataFrame, n: int) -> DataFrame:
    """`cluster_id, rank, title_id, viewers, score, lift`: the `n` titles that most members of a cluster watched.

    The share of members is shrunk towards the population's, so that a small cluster does not follow two viewers.
    """
    own = watched.join(
        members.select("profile_id", "population", "cluster_id"), on="profile_id", how="inner"
    )
    viewers = own.groupBy("population", "cluster_id", "title_id").agg(
        F.count(F.lit(1)).alias("viewers")
    )
    sizes = members.groupBy("population", "cluster_id").agg(F.count(F.lit(1)).alias("members"))
    people = members.groupBy("population").agg(F.count(F.lit(1)).alias("everyone"))
    of_all = F.sum("viewers").over(Window.partitionBy("population", "title_id"))
    told = (
        viewers.select("*", of_all.alias("_all"))
        .join(sizes, on=["population", "cluster_id"], how="inner")
        .join(people, on="population", how="inner")
    )
    usual = F.col("_all") / F.col("everyone")
    score = (F.col("viewers") + PRIOR * usual) / (F.col("members") + PRIOR)
    most = Window.partitionBy("cluster_id").orderBy(F.desc("score"), "title_id")
    return (
        told.select("cluster_id", "title_id", "viewers", score.alias("score"), (score / usual).alias("lift"))
        .select("*", F.row_number().over(most).alias("rank"))
        .where(F.col("rank") <= n)
    )  # fmt: skip


def genres(cells: DataFrame, members: DataFrame) -> DataFrame:
    """`cluster_id, genres array<struct<term, share>>`: the mean genre shares of members, in the order of genres."""
    own = shares(cells.where("aspect = 'genre'")).join(
        members.select("profile_id", "cluster_id"), on="profile_id", how="inner"
    )
    with_genres = own.groupBy("cluster_id").agg(F.count_distinct("profile_id").alias("_members"))
    summed = own.groupBy("cluster_id", "term").agg(F.sum(F.col("share").cast(_EXACT)).alias("_sum"))
    each = summed.join(with_genres, on="cluster_id", how="inner").select(
        "cluster_id",
        F.struct("term", (F.col("_sum") / F.col("_members")).cast("double").alias("share")).alias(
            "_one"
        ),
    )
    return each.groupBy("cluster_id").agg(F.sort_array(F.collect_list("_one")).alias("genres"))
