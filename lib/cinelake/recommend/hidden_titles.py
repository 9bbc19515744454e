"""How good lists are at titles that nobody has liked yet: measured on titles hidden from training.

A share of the titles, drawn by a hash, is hidden: the model of lists is fitted without anything that anybody did with
them, as if they came on the day of the training, and is kept and taken up as a version is (keeping.py). So they get
their factors from their content, and what being new is worth, as any new title does, and lists are made over the whole
catalogue, where they compete with all others. What a profile liked of the hidden titles, on whatever day, is what its
list should hold, for the model has seen none of it. Only profiles that like some other title are asked: of others
nothing is known.

Recall is set against that of a list drawn *at random* from the same titles, those that the profile has not seen:
`k / unseen titles`; *lift* is the ratio of the two means. How many places hidden titles take is up to the exploration
that is asked for, and more places find more; so there is also what the same lists would find with their hidden titles
*shuffled*, exchanged for any other hidden ones. A title of which the catalogue says nothing known has no factors, so
all of them miss it.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

from pydantic import BaseModel, ConfigDict, Field
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from cinelake.persisted import persisted
from cinelake.recommend import evaluation
from cinelake.recommend.cold_titles import ContentRecipe
from cinelake.recommend.evaluation import named
from cinelake.recommend.fold_in import FoldedIn
from cinelake.recommend.keeping import kept, known_by
from cinelake.recommend.lists import histories, numbered
from cinelake.recommend.model import Fitted
from cinelake.recommend.models.hybrid import HybridRecipe
from cinelake.recommend.search import Setting
from cinelake.recommend.strengths import Weights

# What the metrics begin with, and what stands for the model in lists.
NAME = "cold_titles"
MEASURES = ("recall", "random_recall", "shuffled_recall")


class Hiding(BaseModel):
    """Which titles are hidden, and what is asked of them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    share: float = Field(0.1, ge=0, lt=1, description="share of the titles; 0: nothing is measured")
    seed: int = Field(7, description="of the draw")
    k: int = Field(50, ge=1, le=500, description="length of the lists")

    def is_hidden(self) -> Column:
        """By the id alone, so that a title stays on its side while the catalogue grows."""
        drawn = F.pmod(F.xxhash64(F.lit(self.seed), "title_id"), F.lit(10_000))
        return drawn < self.share * 10_000


def measured(
    known: DataFrame,
    titles: DataFrame,
    recipe: HybridRecipe,
    content: ContentRecipe,
    hiding: Hiding,
    through: date,
) -> dict[str, float]:
    """Metrics by name; none where nobody likes a hidden title and another.

    `known` are strengths with `profile_idx, title_idx`, materialised by the caller; `titles` is what the catalogue says
    of them now, and `through` the day of the training.
    """
    is_liked = F.col("strength") > 0
    with persisted(known.where(~hiding.is_hidden())) as train:
        asked = train.where(is_liked).select("profile_id")
        wanted = known.where(hiding.is_hidden() & is_liked).join(
            asked, on="profile_id", how="left_semi"
        )
        if wanted.isEmpty():
            return {}
        released = F.when(hiding.is_hidden(), F.lit(through)).otherwise(F.col("release_date"))
        said = titles.withColumn("release_date", released)
        version = kept(recipe.fit(train), train, content, said, through)
        tags = {**Setting(recipe, Weights()).tags, **version.tags}
        taken_up = known_by(tags, version.frames.__getitem__, said, through)

        def listing(numbered_titles: DataFrame) -> Fitted:
            of_fit = numbered_titles.where(~F.col("is_cold"))
            return FoldedIn(numbered_titles, taken_up.fold, of_fit=of_fit)

        listable = taken_up.titles.withColumn("is_hidden", hiding.is_hidden())
        with persisted(listable) as catalogue:
            found = judged(train, wanted, listing, catalogue, hiding.k)
    told = found | {"penalty": version.penalty}
    return {f"{NAME}.{name}": value for name, value in told.items()}


def judged(
    train: DataFrame,
    wanted: DataFrame,
    listing: Callable[[DataFrame], Fitted],
    catalogue: DataFrame,
    k: int,
) -> dict[str, float]:
    """Recall of what is `wanted (profile_id, title_id)` in lists of `k` for profiles with a history in `train`.

    `catalogue` holds `title_id, is_hidden`, and what `listing` makes a model of once it has `title_idx`, too.
    """
    # What is in no catalogue has no number, so no list holds it.
    numbers = numbered(catalogue)
    model = listing(catalogue.join(numbers, on="title_id", how="inner"))
    known = numbers.select(
        "title_idx", F.lit(0).alias("likes"), F.array().cast("array<string>").alias("genres")
    )
    traits = evaluation.traits(known, 1)
    history = histories(train.drop("title_idx"), numbers).where(F.size("liked") > 0)
    with persisted(history) as asking, persisted(model.lists(asking, k)) as lists:
        told = lists.join(F.broadcast(catalogue), on="title_id", how="inner").join(
            F.broadcast(numbers), on="title_id", how="inner"
        )
        truths = _truths(wanted, asking, numbers)
        chances = _with_chances(truths, told, len(traits), catalogue.where("is_hidden").count(), k)
        each = evaluation.per_profile(
            told.withColumn("model", F.lit(NAME)), chances, traits, [k], [NAME]
        ).withColumn("fold", F.lit(1))
        recall, random, shuffled = (named(name, k) for name in MEASURES)
        rows = evaluation.intervals(each, [recall, random, shuffled]).toArrow().to_pylist()
        found = {row["measure"]: row for row in rows}
        counts = _counts(told, wanted, catalogue).toArrow().to_pylist()[0]
    means = {name: row["mean"] for name, row in found.items()}
    bounds = {f"{recall}.{end}": found[recall][end] for end in ("low", "high")}
    # Where no wanted title has factors, chance finds none either.
    lifts = {
        name: means[recall] / means[by]
        for name, by in (("lift", random), ("lift_over_shuffled", shuffled))
        if means[by]
    }
    measures = means | bounds | lifts | counts | {"profiles": found[recall]["profiles"]}
    # Of no profile that could be asked there is no mean.
    return {name: value for name, value in measures.items() if value is not None}


def _truths(wanted: DataFrame, histories: DataFrame, numbers: DataFrame) -> DataFrame:
    """`profile_id, relevant, wanted, seen, liked`: what lists should hold, and what they are made from."""
    gathered = (
        wanted.select("profile_id", "title_id")
        .join(F.broadcast(numbers), on="title_id", how="left")
        .groupBy("profile_id")
        .agg(
            F.count(F.lit(1)).cast("int").alias("relevant"),
            F.collect_list("title_idx").alias("wanted"),
        )
    )
    return gathered.join(histories, on="profile_id", how="inner")


def _with_chances(
    truths: DataFrame, lists: DataFrame, titles: int, hidden: int, k: int
) -> DataFrame:
    """What is judged, with the recall of lists drawn at random, and of those whose hidden titles are shuffled."""
    placed = lists.groupBy("profile_id").agg(F.count_if("is_hidden").alias("placed"))
    listable = F.size("wanted") / F.col("relevant")
    # Nobody has seen a hidden title, so where one is wanted, and can be listed, there are unseen ones.
    unseen = F.greatest(F.lit(titles) - F.size("seen"), F.lit(1))
    _, random, shuffled = (named(name, k) for name in MEASURES)
    return truths.join(placed, on="profile_id", how="left").select(
        *("profile_id", "relevant", "wanted", "liked"),
        (listable * F.least(F.lit(1.0), F.lit(k) / unseen)).alias(random),
        (listable * F.coalesce("placed", F.lit(0)) / F.lit(max(hidden, 1))).alias(shuffled),
    )


def _counts(lists: DataFrame, wanted: DataFrame, catalogue: DataFrame) -> DataFrame:
    """One row: how many titles are wanted, and without factors, and the share of hidden ones of catalogue and lists."""
    hidden = F.avg(F.col("is_hidden").cast("double"))
    titles = wanted.select("title_id").distinct().join(catalogue, on="title_id", how="left")
    return (
        titles.agg(
            F.count(F.lit(1)).alias("titles"),
            F.count_if(F.col("is_hidden").isNull()).alias("titles_without_factors"),
        )
        .crossJoin(catalogue.agg(hidden.alias("share_of_catalogue")))
        .crossJoin(lists.agg(hidden.alias("share_of_lists")))
    )
