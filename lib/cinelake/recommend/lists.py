"""Lists for everyone: personal ones where a model knows the profile, the popular titles for all
others.
"""

from __future__ import annotations

from dataclasses import dataclass

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from cinelake.recommend.popularity import indifferent, popular_titles
from cinelake.recommend.top_n import catalogue, top_n


@dataclass(frozen=True)
class NamedFactors:
    """`profiles (profile_id, factors)` and `titles (title_id, factors)`, as a registered model
    keeps them.
    """

    profiles: DataFrame
    titles: DataFrame


def numbered(*frames: DataFrame) -> DataFrame:
    """`title_id, title_idx` for all titles of the frames: small integers for the length of one
    computation.

    They stand for the titles of a history inside arrays, and nobody keeps them.
    """
    ids = frames[0].select("title_id")
    for frame in frames[1:]:
        ids = ids.union(frame.select("title_id"))
    # One partition numbers them; a catalogue is small beside what was watched of it.
    place = F.row_number().over(Window.orderBy("title_id")) - 1
    return ids.distinct().select("title_id", place.alias("title_idx"))


def histories(interactions: DataFrame, numbers: DataFrame) -> DataFrame:
    """One row per profile: `profile_id, seen array<int>, liked` from strengths."""
    return (
        interactions.join(F.broadcast(numbers), on="title_id", how="inner")
        .groupBy("profile_id")
        .agg(
            F.collect_list(F.when(F.col("is_seen"), F.col("title_idx"))).alias("seen"),
            F.count_if(F.col("strength") > 0).alias("liked"),
        )
    )


def personal_lists(
    history: DataFrame, factors: NamedFactors, numbers: DataFrame, n: int
) -> DataFrame:
    """`profile_id, rank, title_id, score` for the profiles the model knows."""
    known = history.join(factors.profiles, on="profile_id", how="inner")
    titles = factors.titles.join(numbers, on="title_id", how="inner")
    return top_n(known, catalogue(titles), n)


def popular_lists(
    history: DataFrame, interactions: DataFrame, numbers: DataFrame, n: int
) -> DataFrame:
    """`profile_id, rank, title_id, score` for every profile of `history`."""
    titles = popular_titles(interactions).join(numbers, on="title_id", how="inner")
    return top_n(indifferent(history), catalogue(titles), n)


def lists_for_everyone(interactions: DataFrame, factors: NamedFactors | None, n: int) -> DataFrame:
    """The lists of all profiles of `interactions` (strengths), with `source` `als` or `popular`.

    Without a model everyone gets the popular titles. Titles that a profile has seen, liked or not,
    are on no list of its own.
    """
    numbers = numbered(interactions, *([factors.titles] if factors else []))
    history = histories(interactions, numbers)
    if factors is None:
        return popular_lists(history, interactions, numbers, n).withColumn(
            "source", F.lit("popular")
        )
    unknown = history.join(factors.profiles, on="profile_id", how="left_anti")
    personal = personal_lists(history, factors, numbers, n).withColumn("source", F.lit("als"))
    popular = popular_lists(unknown, interactions, numbers, n).withColumn(
        "source", F.lit("popular")
    )
    return personal.unionByName(popular)
