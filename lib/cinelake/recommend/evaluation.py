"""How good ranked lists are: accuracy per profile, and what the lists as a whole show.

Unsampled: every title of the catalogue competes in the lists that are judged (Krichene and Rendle
2020, "On sampled metrics for item recommendation").

Per profile with `R` relevant titles, of which the list holds those at ranks `r₁ < r₂ < …` up to
`k`:

- precision@k = hits / k; recall@k = hits / R
- average precision@k = Σᵢ (i / rᵢ) / min(k, R), whose mean is MAP@k. Some divide by R instead
  (Microsoft Recommenders' MAP@k); this is `average_precision * least(k, relevant) / relevant`.
- nDCG@k = Σᵢ 1 / log₂(rᵢ + 1), divided by the same sum for a perfect list of min(k, R) hits
  (Järvelin and Kekäläinen 2002, binary gain)

Of all lists of a model together: catalogue coverage (share of titles recommended to anyone),
average popularity (how many likes a recommended title had in training), and the Gini index of
exposure over the whole catalogue: 0 where all titles are shown equally often, 1 where one title
takes it all.

Intervals are percentile intervals of a Poisson bootstrap over profiles (Chamandy et al. 2012): a
profile's weights come from a hash of its id, so they are the same for every model, which makes
differences between models paired, and the same in every run.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

MEASURES = ("ndcg", "recall", "precision", "average_precision")
RESAMPLES = 400
# Cumulative probabilities of a Poisson variable of mean 1, as far as anything is left above.
POISSON = tuple(sum(math.exp(-1) / math.factorial(i) for i in range(n + 1)) for n in range(12))
UNIT = 2**53


def per_profile(lists: DataFrame, relevant: DataFrame, k: int, models: Sequence[str]) -> DataFrame:
    """One row per fold, profile with relevant titles, and model.

    `lists` holds `model, fold, profile_id, rank, title_id`, `relevant` holds `fold, profile_id,
    title_id`. A profile without a list counts as zero for that model.
    """
    wanted = relevant.groupBy("fold", "profile_id").agg(F.count(F.lit(1)).alias("relevant"))
    hits = (
        lists.where(F.col("rank") <= k)
        .join(relevant, on=["fold", "profile_id", "title_id"], how="inner")
        .groupBy("model", "fold", "profile_id")
        .agg(F.array_sort(F.collect_list("rank")).alias("hits"))
    )
    everyone = wanted.withColumn("model", F.explode(F.array(*[F.lit(name) for name in models])))
    judged = everyone.join(hits, on=["model", "fold", "profile_id"], how="left").withColumn(
        "hits", F.coalesce("hits", F.array().cast("array<int>"))
    )
    perfect = F.least(F.lit(k), F.col("relevant"))
    precisions = F.transform("hits", lambda rank, i: (i + F.lit(1)) / rank)
    return judged.select(
        "model",
        "fold",
        "profile_id",
        "relevant",
        (_sum(F.transform("hits", _discount)) / _ideal(perfect, k)).alias("ndcg"),
        (F.size("hits") / F.col("relevant")).alias("recall"),
        (F.size("hits") / F.lit(k)).alias("precision"),
        (_sum(precisions) / perfect).alias("average_precision"),
    )


def intervals(judged: DataFrame, measures: Sequence[str] = MEASURES) -> DataFrame:
    """Mean of each measure over the rows of `per_profile`, with a 95 % interval.

    One row per model and measure: `model, measure, profiles, mean, low, high`.
    """
    long = judged.select(
        "model", "fold", "profile_id", F.explode(_pairs(measures)).alias("pair")
    ).select("model", "fold", "profile_id", "pair.measure", "pair.value")
    means = long.groupBy("model", "measure").agg(
        F.count(F.lit(1)).alias("profiles"), F.avg("value").alias("mean")
    )
    bounds = (
        _resampled(long, ["model", "measure"])
        .groupBy("model", "measure")
        .agg(F.percentile("resampled", F.array(F.lit(0.025), F.lit(0.975))).alias("bounds"))
    )
    return means.join(bounds, on=["model", "measure"], how="inner").select(
        "model",
        "measure",
        "profiles",
        "mean",
        F.col("bounds")[0].alias("low"),
        F.col("bounds")[1].alias("high"),
    )


def with_lead(judged: DataFrame, model: str, measure: str) -> DataFrame:
    """Add `lead`: how far `model` is ahead of the row's model on the same profile."""
    same_profile = Window.partitionBy("fold", "profile_id")
    own = F.max(F.when(F.col("model") == model, F.col(measure))).over(same_profile)
    return judged.withColumn("lead", own - F.col(measure))


def by_history(judged: DataFrame, histories: DataFrame, measure: str = "recall") -> DataFrame:
    """Mean of a measure by how much the profiles had liked before: `model, history, profiles,
    mean`.

    `histories` holds `fold, profile_id, liked`.
    """
    liked = F.col("liked")
    bucket = (
        F.when(liked < 10, "1-9")
        .when(liked < 30, "10-29")
        .when(liked < 100, "30-99")
        .otherwise("100+")
    )
    return (
        judged.join(histories, on=["fold", "profile_id"], how="inner")
        .groupBy("model", bucket.alias("history"))
        .agg(F.count(F.lit(1)).alias("profiles"), F.avg(measure).alias("mean"))
    )


def shown(lists: DataFrame, titles: DataFrame, k: int) -> DataFrame:
    """What a model's lists show: one row per model with `coverage, average_popularity, gini`.

    `lists` holds `model, rank, title_id`; `titles` the whole catalogue, as `title_id, likes`.
    """
    exposure = (
        lists.where(F.col("rank") <= k)
        .groupBy("model", "title_id")
        .agg(F.count(F.lit(1)).alias("shown"))
        .join(titles, on="title_id", how="inner")
    )
    size = titles.agg(F.count(F.lit(1)).alias("size"))
    ascending = Window.partitionBy("model").orderBy("shown", "title_id")
    # Titles never shown come first in the order and add nothing to the sum but their places.
    place = (
        F.row_number().over(ascending)
        + F.col("size")
        - F.count(F.lit(1)).over(Window.partitionBy("model"))
    )
    placed = exposure.crossJoin(size).withColumn("place", place)
    total = F.sum("shown")
    n = F.first("size")
    return placed.groupBy("model").agg(
        (F.count(F.lit(1)) / n).alias("coverage"),
        (F.sum(F.col("shown") * F.col("likes")) / total).alias("average_popularity"),
        (F.sum((2 * F.col("place") - F.col("size") - 1) * F.col("shown")) / (n * total)).alias(
            "gini"
        ),
    )


def _sum(numbers: Column) -> Column:
    return F.aggregate(numbers, F.lit(0.0), lambda total, number: total + number)


def _discount(rank: Column) -> Column:
    return F.lit(1.0) / F.log2(rank + F.lit(1))


def _ideal(hits: Column, k: int) -> Column:
    sums = [sum(1 / math.log2(rank + 1) for rank in range(1, n + 1)) for n in range(1, k + 1)]
    return F.element_at(F.array(*[F.lit(value) for value in sums]), hits.cast("int"))


def _pairs(measures: Sequence[str]) -> Column:
    return F.array(
        *[F.struct(F.lit(name).alias("measure"), F.col(name).alias("value")) for name in measures]
    )


def _resampled(long: DataFrame, by: Sequence[str]) -> DataFrame:
    """The weighted means of `value` in each resample, where anybody was drawn."""
    resample = F.explode(F.sequence(F.lit(1), F.lit(RESAMPLES))).alias("resample")
    hashed = F.xxhash64("fold", "profile_id", "resample")
    uniform = F.pmod(hashed, F.lit(UNIT)) / F.lit(float(UNIT))
    drawn = sum((F.when(uniform >= bound, 1).otherwise(0) for bound in POISSON), start=F.lit(0))
    weighted = long.select(*by, "fold", "profile_id", "value", resample).withColumn("weight", drawn)
    return (
        weighted.where("weight > 0")
        .groupBy(*by, "resample")
        .agg((F.sum(F.col("weight") * F.col("value")) / F.sum("weight")).alias("resampled"))
    )
