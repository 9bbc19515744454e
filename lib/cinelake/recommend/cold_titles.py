"""Factors of titles that nobody has liked yet, from what the catalogue says of them.

A ridge regression from the terms of a title (content.py) to its factors, learnt on the titles that a model knows
(Gantner et al. 2010, "Learning attribute-to-feature mappings for cold-start recommendations"):

    yᵢ = b₀ + Σ bₜ + εᵢ over the terms t of title i,   minimising  Σᵢ wᵢ |εᵢ|² + λ Σₜ |bₜ / vₜ|²

- `vₜ` is the weight of the term's facet: how far its terms move a title, before anything is known of them.
- `wᵢ = nᵢ / (nᵢ + h)` for a title that `nᵢ` profiles like. Its factors err by what its content does not tell, which is
  alike for all, and by what few likes leave open, which shrinks with their number (Fay and Herriot 1979).
- `λ` is a setting, or chosen by generalised cross-validation (Golub, Heath and Wahba 1979): how far the regression
  without a title would miss that title, in closed form.

What is predicted is shorter than what is known, by all that content does not tell, so such titles are seldom the best
of all and might never be listed, nor ever be liked. A title that nobody can have liked yet, because it is *new*, is
therefore stretched towards the length of those that were new lately (new_titles.py; where few were, that of all), by
`(length / |y|)ᵉ` with an `e` between 0, the best guess, and 1, a title as long as others. One that has been there for
long stays as it is predicted: that nobody likes it tells something, too.

The sums over titles are those of a sparse matrix on the driver, which is catalogue-sized. There is an unknown a term,
so only the terms of most titles take part. What comes of it is a frame of terms, and applying it is a join.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import scipy.linalg
from pydantic import BaseModel, ConfigDict, Field, field_validator
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F
from scipy.sparse import csr_array, diags_array

from cinelake.persisted import persisted
from cinelake.recommend import content, new_titles
from cinelake.recommend.scoring import Matrix, matrix
from cinelake.recommend.search import of_tag

# What all titles share stands under this; no term is empty.
INTERCEPT = ""
# Tags of a version: how its content was learnt, and how long the factors of new titles are.
CONTENT, NEW_LENGTH = "content", "content.new_length"
# Penalties that are tried, in titles of the mean weight. The strongest comes first: of equals it is taken.
PENALTIES = np.geomspace(1e4, 1e-2, 61)


class ContentRecipe(BaseModel):
    """Which terms tell a title's factors, and how much they are believed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    facets: dict[str, float] = Field(
        {
            "genre": 2.0, "mood": 1.0, "theme": 1.0, "director": 0.25, "cast": 0.25, "language": 1.0,
            "pace": 1.0, "maturity": 2.0, "synopsis": 0.25,
        },
        description="of a facet's terms: how far they move a title before anything is known of them",
    )  # fmt: skip
    titles_at_least: int = Field(2, ge=1, description="titles that have a term, for it to count")
    terms_at_most: int = Field(
        2000,
        ge=1,
        le=10_000,
        description="the terms of most titles; memory and time grow with their square and cube",
    )
    half_known: float = Field(2.0, ge=0, description="likes at which a title weighs half")
    penalty: float | None = Field(
        None, gt=0, description="λ (titles of mean weight); none: by generalised cross-validation"
    )
    new_days: int = Field(
        28,
        ge=0,
        description="age at training up to which a title is new, if nobody likes it (days)",
    )
    fades_in_days: float = Field(
        30.0, gt=0, description="what being new adds falls to a third in so long (days)"
    )
    exploration: float = Field(
        1.0, ge=0, le=1, description="how far new titles are stretched to the length of known ones"
    )

    @field_validator("facets")
    @classmethod
    def _facets_are_known(cls, facets: dict[str, float]) -> dict[str, float]:
        strangers = sorted(set(facets) - set(content.FACETS))
        if strangers:
            raise ValueError(
                f"there is no facet {strangers[0]!r}; there are {', '.join(content.FACETS)}"
            )
        return facets

    def learn(
        self, titles: DataFrame, interactions: DataFrame, said: DataFrame, trained_through: date
    ) -> Learnt:
        """Learn from `title_id, title_idx, factors`, the strengths that these were fitted to, and what the catalogue
        says of titles, as it looks now.
        """
        found = self.fit(titles, likes_of(interactions), said)
        new = new_titles.length(titles, interactions, said, trained_through, self.new_days)
        return replace(found, new_length=new)

    def fit(self, factors: DataFrame, likes: DataFrame, titles: DataFrame) -> Learnt:
        """The same from `title_id, factors` and `title_id, likes`, without what is new.

        Where no term is told of enough titles, only what all of them share is learnt.
        """
        place = F.row_number().over(Window.orderBy("title_id")) - 1
        known = factors.join(likes, on="title_id", how="inner").select(
            "title_id", "factors", "likes", place.alias("row")
        )
        facets = [name for name, weight in self.facets.items() if weight]
        with persisted(known) as rows:
            told = content.terms(titles, facets).join(
                F.broadcast(rows.select("title_id", "row")), on="title_id", how="inner"
            )
            with persisted(told) as pairs:
                kept = self._kept(pairs)
                vocabulary = kept.toArrow().sort_by("column").column("term").to_pylist()
                filled = pairs.join(F.broadcast(kept), on="term", how="inner")
                cells = filled.select("row", "column").toArrow()
            learnt = rows.select("row", "factors", "likes").toArrow().sort_by("row")
        weight = np.array([self.facets[term.partition(" ")[0]] for term in vocabulary])
        row, column = (cells.column(name).to_numpy() for name in ("row", "column"))
        design = csr_array((weight[column], (row, column)), shape=(len(learnt), len(vocabulary)))
        targets = matrix(learnt.column("factors").combine_chunks(), None).astype(np.float64)
        liked = learnt.column("likes").to_numpy().astype(np.float64)
        found = ridge(design, targets, liked / (liked + self.half_known), self.penalty)
        added = np.vstack([found.intercept, weight[:, None] * found.coefficients])
        table = pa.table({"term": [INTERCEPT, *vocabulary], "factors": list(added)})
        return Learnt(self, factors.sparkSession.createDataFrame(table), found.penalty)

    def listable(
        self,
        known: DataFrame,
        learnt: DataFrame,
        titles: DataFrame,
        trained_through: date,
        new_length: float | None = None,
    ) -> DataFrame:
        """The titles that lists may hold, as `with_cold_titles` tells them, for a model trained through that day.

        `titles` is the catalogue as it looks now, with the columns `content.SAID`.
        """
        return with_cold_titles(
            known,
            learnt,
            titles,
            is_new=self.is_new(trained_through),
            exploration=self.exploration,
            new_length=new_length,
        )

    def is_new(self, trained_through: date) -> Column:
        """Whether a title is, by its `release_date`."""
        return F.col("release_date") > F.lit(trained_through - timedelta(days=self.new_days))

    def _kept(self, pairs: DataFrame) -> DataFrame:
        """`term, column`: the terms that take part, in columns of the matrix."""
        commonest = Window.orderBy(F.desc("titles"), "term")
        return (
            pairs.groupBy("term")
            .agg(F.count(F.lit(1)).alias("titles"))
            .where(F.col("titles") >= self.titles_at_least)
            .select("term", (F.row_number().over(commonest) - 1).alias("column"))
            .where(F.col("column") < self.terms_at_most)
        )


@dataclass(frozen=True)
class Learnt:
    """What each term adds to the factors of a title, `terms (term, factors array<double>)`, and the penalty of it; and
    how long the factors of new titles are, where that was found.
    """

    recipe: ContentRecipe
    terms: DataFrame
    penalty: float
    new_length: float | None = None

    @property
    def tags(self) -> dict[str, str]:
        """What `listable_of` reads of a version beside its frames."""
        told = {CONTENT: self.recipe.model_dump_json()}
        return told if self.new_length is None else told | {NEW_LENGTH: repr(self.new_length)}


@dataclass(frozen=True)
class Line:
    """A regression's intercept `(rank)`, coefficients `(terms, rank)`, and the penalty that they were found with."""

    intercept: Matrix
    coefficients: Matrix
    penalty: float


def ridge(design: csr_array, targets: Matrix, weights: Matrix, penalty: float | None) -> Line:
    """The weighted ridge regression of `targets (titles, rank)` on `design (titles, terms)`; the intercept is free.

    Without a penalty, of `PENALTIES` the one that generalised cross-validation finds best is taken.
    """
    titles = len(targets)
    # So that the penalty does not depend on how much is known of the titles on the whole.
    weights = weights / weights.mean()
    weighed = diags_array(weights) @ design
    mean, centre = weighed.sum(axis=0) / titles, weights @ targets / titles
    gram = (design.T @ weighed).toarray() - titles * np.outer(mean, mean)
    right = weighed.T @ targets - titles * np.outer(mean, centre)
    # In the directions of the eigenvectors every penalty is a division.
    values, vectors = scipy.linalg.eigh(gram)
    values, turned = np.maximum(values, 0.0), vectors.T @ right
    if penalty is None:
        total = float(weights @ (targets**2).sum(axis=1)) - titles * float(centre @ centre)
        penalty = _cross_validated(values, (turned**2).sum(axis=1), total, titles)
    coefficients = vectors @ (turned / (values + penalty)[:, None])
    return Line(centre - mean @ coefficients, coefficients, penalty)


def _cross_validated(values: Matrix, explained: Matrix, total: float, titles: int) -> float:
    """The penalty with the least `RSS / (titles − degrees of freedom)²`."""
    damped = values[None, :] + PENALTIES[:, None]
    missed = total - (explained * (2 / damped - values / damped**2)).sum(axis=1)
    free = titles - 1 - (values / damped).sum(axis=1)
    missed_without = np.divide(missed, free**2, out=np.full(len(free), np.inf), where=free > 0)
    return float(PENALTIES[np.argmin(missed_without)])


def listable_of(
    tags: Mapping[str, str],
    frame: Callable[[str], DataFrame],
    titles: DataFrame,
    trained_through: date,
) -> DataFrame:
    """`ContentRecipe.listable` for a registered version: its tags, and its frames by name.

    Raises UnknownSetting where a version is of other features.
    """
    recipe, length = of_tag(ContentRecipe, tags, CONTENT), tags.get(NEW_LENGTH)
    return recipe.listable(
        frame("titles"),
        frame("content"),
        titles,
        trained_through,
        float(length) if length else None,
    )


def likes_of(strengths: DataFrame) -> DataFrame:
    """`title_id, likes`: how many profiles like each title that anybody likes."""
    return strengths.where("strength > 0").groupBy("title_id").agg(F.count(F.lit(1)).alias("likes"))


def factors_by_content(learnt: DataFrame, titles: DataFrame) -> DataFrame:
    """`title_id, factors array<double>` of the titles that have a term of `learnt (term, factors)`."""
    shared = learnt.where(F.col("term") == INTERCEPT).select(F.col("factors").alias("_shared"))
    told = content.terms(titles, content.FACETS).join(F.broadcast(learnt), on="term", how="inner")
    # In the order of the terms, so that the sum is the same in each run.
    added = F.sort_array(F.collect_list(F.struct("term", "factors")))
    return (
        told.groupBy("title_id")
        .agg(added.alias("_added"))
        .crossJoin(F.broadcast(shared))
        .select(
            "title_id",
            F.aggregate(
                "_added",
                F.col("_shared"),
                lambda total, term: F.zip_with(total, term["factors"], lambda x, y: x + y),
            ).alias("factors"),
        )
    )


def with_cold_titles(
    known: DataFrame,
    learnt: DataFrame,
    titles: DataFrame,
    *,
    is_new: Column,
    exploration: float,
    new_length: float | None = None,
) -> DataFrame:
    """`title_id, factors array<float>, is_cold, is_new`: what a model knows, and what the catalogue has besides.

    `is_new` is told by the columns of `titles`; where nothing says how long new titles are, they are as long as the
    known ones, by their mean square. A title without a term of `learnt` is left out.
    """
    predicted = unknown(known, learnt, titles, is_new)
    of_all = F.sqrt(F.avg(_square(F.col("factors"))))
    usual = known.agg((of_all if new_length is None else F.lit(new_length)).alias("_usual"))
    own = F.sqrt(_square(F.col("factors")))
    stretch = F.when(F.col("is_new") & (own > 0), F.pow(F.col("_usual") / own, F.lit(exploration)))
    scaled = F.transform("factors", lambda x: x * F.coalesce(stretch, F.lit(1.0)))
    stretched = predicted.crossJoin(F.broadcast(usual)).withColumn("factors", scaled)
    return with_predicted(known, stretched)


def unknown(
    known: DataFrame, learnt: DataFrame, titles: DataFrame, is_new: Column, *more: Column
) -> DataFrame:
    """`title_id, factors array<double>, is_new` of titles that are not `known`, as content predicts, and what `more`
    tells by the columns of `titles`.
    """
    others = titles.join(known, on="title_id", how="left_anti")
    said = others.select("title_id", F.coalesce(is_new, F.lit(False)).alias("is_new"), *more)
    return factors_by_content(learnt, others).join(said, on="title_id", how="inner")


def with_predicted(known: DataFrame, predicted: DataFrame) -> DataFrame:
    """`title_id, factors array<float>, is_cold, is_new` of titles that are known, and of those that are not."""
    cold = predicted.select(
        # In single precision, as the model keeps its own.
        "title_id",
        F.col("factors").cast("array<float>").alias("factors"),
        F.lit(True).alias("is_cold"),
        "is_new",
    )
    no = F.lit(False)
    warm = known.select(
        "title_id",
        F.col("factors").cast("array<float>"),
        no.alias("is_cold"),
        no.alias("is_new"),
    )
    return warm.unionByName(cold)


def _square(factors: Column) -> Column:
    return F.aggregate(factors, F.lit(0.0), lambda total, x: total + x * x)


def counts(listable: DataFrame, titles: DataFrame) -> dict[str, float]:
    """How many titles of the catalogue are cold, new, and without factors, so that no personal list holds them."""
    whole = content.whole(titles).select("title_id")
    both = whole.join(listable, on="title_id", how="left")
    counted = both.agg(
        F.count_if("is_cold").alias("cold_titles"),
        F.count_if("is_new").alias("new_titles"),
        F.count_if(F.col("is_cold").isNull()).alias("titles_without_factors"),
    )
    (found,) = counted.toArrow().to_pylist()
    return {name: float(count) for name, count in found.items()}
