"""Similar titles: by what is said of them, by who likes both, and by the factors of a model, blended.

Grain of the result: one row a title and place in its list.

- *content*: the cosine of what the catalogue says, as terms (`genre drama`, `cast A. Name`, words of the synopsis),
  each weighing `ln(titles / titles that have it)` times a weight of its facet (Salton and Buckley 1988). A term that
  most titles have tells little and would pair all of them, so it is left out.
- *watching*: the shrunk cosine of who likes both (models/item_item.py).
- *factors*: the cosine of the factors of the approved model.

The score is their weighted sum; what is unknown of a pair counts 0. So a title that nobody has watched yet has a list,
by its content alone. The shared terms that weigh most are the reasons.
"""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from cinelake.recommend import content
from cinelake.recommend.models.item_item import neighbours
from cinelake.recommend.together import liked_together
from cinelake.recommend.top_n import catalogue, top_n


class Likeness(BaseModel):
    """What counts how much."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    factors: float = Field(0.4, ge=0, description="of the cosine of the model's factors")
    watching: float = Field(0.4, ge=0, description="of who likes both")
    content: float = Field(0.2, ge=0, description="of what the catalogue says")
    facets: dict[str, float] = Field(
        {
            "genre": 1.0, "mood": 1.0, "theme": 1.0, "director": 1.0, "cast": 1.0, "language": 0.5,
            "pace": 0.5, "synopsis": 0.5,
        },
        description="of a facet's terms in the content",
    )  # fmt: skip
    common_share: float = Field(
        0.2, gt=0, le=1, description="share of the titles from which on a term is too common"
    )
    shrinkage: float = Field(10.0, ge=0, description="of who likes both (see models/item_item.py)")
    candidates: int = Field(100, ge=1, le=1000, description="nearest titles by each of the three")
    longest_history: int = Field(1000, ge=2, description="titles of one profile that are taken")


@dataclass(frozen=True)
class Evidence:
    """Titles as they look now, strengths with title numbers, and the model's `title_id, factors`, if there is one."""

    titles: DataFrame
    interactions: DataFrame
    factors: DataFrame | None


def similar_titles(evidence: Evidence, likeness: Likeness, n: int) -> DataFrame:
    """`title_id, rank, similar_id, score, by_factors, by_watching, by_content, shared array<string>`."""
    weighed = terms(evidence.titles, likeness)
    pairs = by_content(weighed, likeness.candidates).select(
        "title_id", "similar_id", F.lit("content").alias("by"), "similarity", "shared"
    )
    unshared = F.array().cast("array<string>").alias("shared")
    others = {"watching": _by_watching(evidence.interactions, likeness)}
    if evidence.factors is not None:
        others["factors"] = _by_factors(evidence.factors, likeness.candidates)
    for name, frame in others.items():
        pairs = pairs.unionByName(
            frame.select("title_id", "similar_id", F.lit(name).alias("by"), "similarity", unshared)
        )
    # Whom the catalogue no longer has, nobody can be shown.
    known = evidence.titles.select("title_id")
    pairs = pairs.join(known, on="title_id", how="left_semi").join(
        known.withColumnRenamed("title_id", "similar_id"), on="similar_id", how="left_semi"
    )
    blended = pairs.groupBy("title_id", "similar_id").agg(
        *(
            F.coalesce(F.max(F.when(F.col("by") == name, F.col("similarity"))), F.lit(0.0)).alias(
                f"by_{name}"
            )
            for name in ("factors", "watching", "content")
        ),
        F.max("shared").alias("shared"),
    )
    score = (
        F.col("by_factors") * likeness.factors
        + F.col("by_watching") * likeness.watching
        + F.col("by_content") * likeness.content
    )
    best = Window.partitionBy("title_id").orderBy(F.desc("score"), "similar_id")
    return (
        blended.select("*", score.alias("score"))
        .where("score > 0")
        .select("*", F.row_number().over(best).alias("rank"))
        .where(F.col("rank") <= n)
        .select(
            *("title_id", "rank", "similar_id", "score", "by_factors", "by_watching", "by_content"),
            "shared",
        )
    )


def terms(titles: DataFrame, likeness: Likeness) -> DataFrame:
    """`title_id, term, weight`, the weights of a title of length 1; terms that most titles have are left out."""
    told = content.terms(titles, [name for name, weight in likeness.facets.items() if weight])
    total = told.agg(F.count_distinct("title_id").alias("_titles"))
    frequency = told.groupBy("term").agg(F.count(F.lit(1)).alias("_having"))
    counted = told.join(frequency, on="term", how="inner").crossJoin(F.broadcast(total))
    rare = counted.where(
        (F.col("_having") <= F.col("_titles") * F.lit(likeness.common_share))
        | (F.col("_having") == 1)
    )
    weights = F.create_map(*(F.lit(part) for pair in likeness.facets.items() for part in pair))
    weight = F.log(F.col("_titles") / F.col("_having")) * weights[content.facet(F.col("term"))]
    own = Window.partitionBy("title_id")
    length = F.sqrt(F.sum(F.col("_weight") * F.col("_weight")).over(own))
    return (
        rare.select("title_id", "term", weight.alias("_weight"))
        .where("_weight > 0")
        .select("title_id", "term", (F.col("_weight") / length).alias("weight"))
    )


def by_content(weighed: DataFrame, n: int) -> DataFrame:
    """`title_id, similar_id, similarity, shared`: the `n` nearest of each, and the terms that they share."""
    other = weighed.select(
        F.col("title_id").alias("similar_id"), "term", F.col("weight").alias("_other")
    )
    pairs = weighed.join(other, on="term", how="inner").where("title_id <> similar_id")
    product = F.col("weight") * F.col("_other")
    shared = F.sort_array(F.collect_list(F.struct(product.alias("product"), "term")), asc=False)
    summed = pairs.groupBy("title_id", "similar_id").agg(
        F.sum(product).alias("similarity"), F.slice(shared, 1, 3)["term"].alias("shared")
    )
    return _nearest(summed, n)


def _by_watching(interactions: DataFrame, likeness: Likeness) -> DataFrame:
    wanted = interactions.where("strength > 0")
    near = neighbours(
        liked_together(wanted, likeness.longest_history), likeness.shrinkage, likeness.candidates
    )
    ids = wanted.select("title_id", "title_idx").distinct()
    theirs = ids.select(
        F.col("title_id").alias("similar_id"), F.col("title_idx").alias("neighbour_idx")
    )
    return near.join(ids, on="title_idx", how="inner").join(theirs, on="neighbour_idx", how="inner")


def _by_factors(factors: DataFrame, n: int) -> DataFrame:
    """Titles take the place of profiles: the best titles for a title are those whose factors point its way."""
    length = F.sqrt(F.aggregate("factors", F.lit(0.0), lambda total, x: total + x * x))
    place = F.row_number().over(Window.orderBy("title_id")) - 1
    pointing = (
        factors.where(length > 0)
        .select(
            "title_id",
            F.transform("factors", lambda x: (x / length).cast("float")).alias("factors"),
        )
        .select("title_id", place.alias("title_idx"), "factors")
        .localCheckpoint()
    )
    asking = pointing.select(
        F.col("title_id").alias("profile_id"), "factors", F.array("title_idx").alias("seen")
    )
    found = top_n(asking, catalogue(pointing), n)
    return found.select(
        F.col("profile_id").alias("title_id"),
        F.col("title_id").alias("similar_id"),
        F.greatest("score", F.lit(0.0)).alias("similarity"),
    )


def _nearest(pairs: DataFrame, n: int) -> DataFrame:
    best = Window.partitionBy("title_id").orderBy(F.desc("similarity"), "similar_id")
    placed = pairs.select("*", F.row_number().over(best).alias("_place"))
    return placed.where(F.col("_place") <= n).drop("_place")


def newest(lists: DataFrame) -> DataFrame | None:
    """Of rows of `similar_titles` the newest lists; None where there are none."""
    made = lists.agg(F.max("as_of")).first()
    if made is None or made[0] is None:
        return None
    return lists.where(F.col("as_of") == F.lit(made[0]))
