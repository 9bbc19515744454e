"""Lists for everyone: personal ones where a model knows the profile, the popular titles for all
others.
"""

from __future__ import annotations

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType

from cinelake.recommend.explain import with_reasons
from cinelake.recommend.fold_in import FoldedIn
from cinelake.recommend.models.popular import PopularRecipe
from cinelake.tables.recommend import REASONS


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
    """One row per profile: `profile_id, seen array<int>, liked array<int>` from strengths."""
    return (
        interactions.join(F.broadcast(numbers), on="title_id", how="inner")
        .groupBy("profile_id")
        .agg(
            F.collect_list(F.when(F.col("is_seen"), F.col("title_idx"))).alias("seen"),
            F.collect_list(F.when(F.col("strength") > 0, F.col("title_idx"))).alias("liked"),
        )
    )


def lists_for_everyone(
    interactions: DataFrame, model: FoldedIn | None, n: int, *, source: str, reasons: int
) -> DataFrame:
    """The lists of all profiles of `interactions` (strengths with title numbers), with `source` or `popular`.

    `because` are the titles of the history, `reasons` at most, that add most to a score; null where it is popular.

    Without a model everyone gets the popular titles, as does who is unknown to it. Titles that a profile has seen,
    liked or not, are on no list of its own.
    """
    numbers = interactions.select("title_id", "title_idx").distinct()
    history = histories(interactions.drop("title_idx"), numbers)
    popular = PopularRecipe().fit(interactions)
    if model is None:
        return _unexplained(popular.lists(history, n))
    known = model.profiles(history)
    unknown = history.join(known.select("profile_id"), on="profile_id", how="left_anti")
    personal = with_reasons(model.lists(history, n), history, model, reasons).select(
        "*", F.lit(source).alias("source")
    )
    return personal.unionByName(_unexplained(popular.lists(unknown, n)))


def _unexplained(lists: DataFrame) -> DataFrame:
    none = F.lit(None).cast(ArrayType(REASONS))
    return lists.select("*", F.lit("popular").alias("source"), none.alias("because"))
