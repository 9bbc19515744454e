"""Lists for everyone: personal ones where a model knows the profile, the popular titles for all
others.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType

from cinelake.recommend.explain import with_reasons
from cinelake.recommend.fold_in import FoldedIn
from cinelake.recommend.models.popular import PopularRecipe
from cinelake.recommend.rerank import Taste, rearranged
from cinelake.tables.recommend import REASONS


@dataclass(frozen=True)
class Arrangement:
    """How lists are re-ranked, what is said of titles (`title_id, genres, release_date`), and on what day."""

    taste: Taste
    titles: DataFrame
    as_of: date

    def of(
        self,
        candidates: DataFrame,
        history: DataFrame,
        interactions: DataFrame,
        listed: DataFrame,
        n: int,
    ) -> DataFrame:
        """The lists of `n` titles taken from the candidates."""
        liked = F.count_if(F.col("strength") > 0)
        likes = interactions.groupBy("title_idx").agg(liked.alias("likes"))
        every = interactions.select("title_id", "title_idx").union(
            listed.select("title_id", "title_idx")
        )
        described = (
            every.distinct()
            .join(likes, on="title_idx", how="left")
            .join(self.titles, on="title_id", how="left")
            .na.fill({"likes": 0})
        )
        return rearranged(candidates, history, described, self.taste, self.as_of, n)


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
    interactions: DataFrame,
    model: FoldedIn | None,
    n: int,
    *,
    source: str,
    reasons: int,
    arrangement: Arrangement | None = None,
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
    # Found by their titles alone: to fold them in for this would double the work.
    liked = history.select("profile_id", F.explode("liked").alias("title_idx"))
    known = liked.join(model.titles, on="title_idx", how="left_semi")
    unknown = history.join(known, on="profile_id", how="left_anti")
    if arrangement is None or arrangement.taste.is_plain:
        lists = model.lists(history, n)
    else:
        candidates = model.lists(history, max(n, arrangement.taste.candidates))
        lists = arrangement.of(candidates, history, interactions, model.titles, n)
    personal = with_reasons(lists, history, model, reasons).select(
        "*", F.lit(source).alias("source")
    )
    return personal.unionByName(_unexplained(popular.lists(unknown, n)))


def _unexplained(lists: DataFrame) -> DataFrame:
    none = F.lit(None).cast(ArrayType(REASONS))
    return lists.select("*", F.lit("popular").alias("source"), none.alias("because"))
