"""Lists for everyone: personal ones where a model knows what the profile liked or picked, and for all others, and where
such a list is short, what is popular where they are.
"""

from __future__ import annotations

from dataclasses import dataclass

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType

from cinelake.recommend.eligibility import Offer, offer
from cinelake.recommend.explain import SHARED_TYPE, with_reasons
from cinelake.recommend.fold_in import Fold, FoldedIn
from cinelake.recommend.model import Fitted
from cinelake.recommend.models.popular import popular_titles
from cinelake.recommend.popular_here import PopularHere
from cinelake.recommend.rerank import Taste, rearranged
from cinelake.recommend.service import Service
from cinelake.recommend.top_n import TellIndex
from cinelake.recommend.viewers import untold
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
    """One row per profile: `profile_id, seen array<int>, liked array<int>` from strengths, and its `market` where these
    tell of it.
    """
    market = [F.max("market").alias("market")] if "market" in interactions.columns else []
    return (
        interactions.join(F.broadcast(numbers), on="title_id", how="inner")
        .groupBy("profile_id")
        .agg(
            F.collect_list(F.when(F.col("is_seen"), F.col("title_idx"))).alias("seen"),
            F.collect_list(F.when(F.col("strength") > 0, F.col("title_idx"))).alias("liked"),
            *market,
        )
    )


@dataclass(frozen=True)
class Known:
    """What is kept of an approved model, and how it takes in a history.

    `titles (title_id, factors, is_cold)` are those that lists may hold; the fit knew those that are not cold.
    """

    titles: DataFrame
    fold: Fold


def lists_for_everyone(
    interactions: DataFrame,
    service: Service,
    approved: Known | None,
    n: int,
    *,
    reasons: int,
    taste: Taste,
    tell: TellIndex | None = None,
) -> DataFrame:
    """`profile_id, rank, title_id, score, propensity, source, is_cold, because, shared, by_others, for_everybody`.

    The lists of all viewers; `interactions` are strengths. A viewer for whom no title is left has one row with nulls
    beside its `profile_id`, so that it can be counted.

    Viewers are those that the service tells of, or, where it does not, all profiles of `interactions`.

    `source` is `history` where the model knows a title that the profile liked, `picks` where it only knows some that
    were picked when the profile was made, and `popular` in all places that are left then: after the titles of a model
    that has too few for the profile, or from the first on. `because` are the titles of the history, `reasons` at
    most, that add most to a score, `shared` what is said of each of them and of the title alike, and the last two what
    is added beside (explain.py); where it is popular, all are null. `propensity` is that of places drawn at random
    (rerank.py).
    Titles that a profile has seen, liked or not, are on no list of its own, nor are those that it may not be shown.
    `tell` is given the index where titles are too many to score them all (top_n.py).
    """
    # Each is read by several branches of one plan; Spark lets go of them when the plan is gone.
    interactions = interactions.localCheckpoint()
    known_of = [approved.titles] if approved else []
    numbers = numbered(interactions, service.shown, *known_of).localCheckpoint()
    told = still_seen(interactions, service)
    history = of_viewers(histories(told, numbers), numbers, service.viewers).localCheckpoint()
    offered = offer(service.shown, service.rules)
    popular = popular_around(interactions, numbers, service)
    if approved is None:
        nothing_had = history.select("*", F.lit(0).alias("had"))
        return _unexplained(_filling_up(nothing_had, popular, n, offered))
    listed = approved.titles.join(numbers, on="title_id", how="inner")
    model = FoldedIn(listed, approved.fold, of_fit=listed.where(~F.col("is_cold")))
    if taste.is_plain:
        lists = model.lists(history, n, offered, tell).select("*", _no_chance())
    else:
        candidates = model.lists(history, max(n, taste.candidates), offered, tell)
        described = _described(interactions, numbers, service.said)
        lists = rearranged(candidates, history, described, taste, service.until, n)
    # Whose list is short shows once lists are made; not to be made twice.
    lists = lists.localCheckpoint()
    source = history.select(
        "profile_id", F.when(F.col("has_liked"), "history").otherwise("picks").alias("source")
    )
    cold = approved.titles.select("title_id", "is_cold")
    personal = (
        with_reasons(lists, history, model, reasons, service.said)
        .join(source, on="profile_id", how="inner")
        .join(F.broadcast(cold), on="title_id", how="inner")
    )
    rest = _filling_up(_short(history, lists, numbers, n), popular, n, offered)
    return personal.unionByName(_unexplained(rest))


def _short(history: DataFrame, lists: DataFrame, numbers: DataFrame, n: int) -> DataFrame:
    """The histories with fewer than `n` titles on their lists, with how many it `had`; those count as seen."""
    listed = (
        lists.select("profile_id", "title_id")
        .join(F.broadcast(numbers), on="title_id", how="inner")
        .groupBy("profile_id")
        .agg(F.collect_list("title_idx").alias("_listed"))
        .select("*", F.size("_listed").alias("_had"))
    )
    had = F.coalesce("_had", F.lit(0))
    kept_back = F.when(had > 0, F.array_union("seen", "_listed")).otherwise(F.col("seen"))
    return (
        history.join(listed, on="profile_id", how="left")
        .where(had < n)
        .select(
            *(name for name in history.columns if name != "seen"),
            kept_back.alias("seen"),
            had.alias("had"),
        )
    )


def _filling_up(histories: DataFrame, popular: Fitted, n: int, offered: Offer | None) -> DataFrame:
    """`profile_id, rank, title_id, score` of what is popular, for the places after those that a profile `had`; nulls
    beside one that had none and gets none.
    """
    found = popular.lists(histories, n, offered)
    rank = (F.col("rank") + F.col("had")).alias("rank")
    return (
        histories.select("profile_id", "had")
        .join(found, on="profile_id", how="left")
        .select("profile_id", rank, "title_id", "score", "had")
        .where(F.coalesce(F.col("rank") <= n, F.col("had") == 0))
        .drop("had")
    )


def still_seen(interactions: DataFrame, service: Service) -> DataFrame:
    """The strengths, of which titles that may be watched again do not count as seen."""
    if not service.rewatchable:
        return interactions
    stays = F.col("kind").isin(*service.rewatchable)
    kinds = service.shown.where(stays).select("title_id", F.lit(True).alias("_stays"))
    is_seen = F.col("is_seen") & F.col("_stays").isNull()
    return interactions.join(F.broadcast(kinds), on="title_id", how="left").select(
        "profile_id", "title_id", "strength", is_seen.alias("is_seen")
    )


def of_viewers(history: DataFrame, numbers: DataFrame, viewers: DataFrame | None) -> DataFrame:
    """The histories with `has_liked` and, where viewers are told of, one for each of them with what is known of it.

    Until a profile has liked as many titles as it picked when it was made, its picks count as liked.
    """
    has_liked = F.size("liked") > 0
    if viewers is None:
        return untold(history.select("*", has_liked.alias("has_liked")))
    picked = (
        viewers.select("profile_id", F.explode("onboarding_picks").alias("title_id"))
        .join(F.broadcast(numbers), on="title_id", how="inner")
        .groupBy("profile_id")
        .agg(F.collect_list("title_idx").alias("_picked"))
    )
    nothing = F.array().cast("array<int>")
    told = (
        viewers.join(history, on="profile_id", how="left")
        .join(picked, on="profile_id", how="left")
        .select(
            *(name for name in viewers.columns if name != "onboarding_picks"),
            *(
                F.coalesce(F.col(name), nothing).alias(name)
                for name in ("seen", "liked", "_picked")
            ),
        )
    )
    counted = F.when(
        F.size("liked") < F.size("_picked"), F.array_union("liked", "_picked")
    ).otherwise(F.col("liked"))
    return (
        told.select("*", has_liked.alias("has_liked")).withColumn("liked", counted).drop("_picked")
    )


def popular_around(interactions: DataFrame, numbers: DataFrame, service: Service) -> Fitted:
    """What is popular in the profile's circles, of all titles that may be on a list."""
    # A title that nobody has met stands behind all others, and is on a list that would be short without it.
    none = F.array(F.lit(0.0))
    likes = numbers.join(popular_titles(interactions), on="title_id", how="left").select(
        "title_id", "title_idx", F.coalesce("factors", none).alias("factors")
    )
    return PopularHere(likes, service.circles, service.prior)


def _described(interactions: DataFrame, numbers: DataFrame, said: DataFrame) -> DataFrame:
    """What re-ranking reads of titles: how many like each, and what the catalogue says."""
    liked = F.count_if(F.col("strength") > 0)
    likes = interactions.groupBy("title_id").agg(liked.alias("likes"))
    return (
        numbers.join(likes, on="title_id", how="left")
        .join(said, on="title_id", how="left")
        .na.fill({"likes": 0})
    )


def _unexplained(lists: DataFrame) -> DataFrame:
    none = F.lit(None).cast(ArrayType(REASONS))
    return lists.select(
        "*",
        _no_chance(),
        F.when(F.col("title_id").isNotNull(), "popular").alias("source"),
        F.lit(None).cast("boolean").alias("is_cold"),
        none.alias("because"),
        F.lit(None).cast(SHARED_TYPE).alias("shared"),
        *(F.lit(None).cast("double").alias(name) for name in ("by_others", "for_everybody")),
    )


def _no_chance() -> Column:
    """Nothing was drawn."""
    return F.lit(None).cast("double").alias("propensity")
