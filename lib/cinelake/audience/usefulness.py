"""What a clustering is worth: how much better the next week's genres are told by cluster than for everybody alike.

Clusters are made from the days before a cut. A profile's next genres `q` are foretold by the mean genre shares `p` of
its cluster before the cut, against those of the population, `p₀`. Its *gain* is Σ q log(p/p₀), in nats a title; the
exponential of the mean gain is the *lift*, by how much likelier what was watched had become. Nothing of the days that
judge goes into clusters or shares. Cluster shares are shrunk towards the population's, so that no genre is impossible.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from cinelake.audience.features import shares

# Members like everybody that are added to a cluster's own.
PRIOR = 5.0
_EXACT = "decimal(26,12)"


@dataclass(frozen=True)
class Gain:
    """Mean gain over profiles (nats a title), with its standard error."""

    mean: float
    error: float
    profiles: int

    def __str__(self) -> str:
        return f"{self.mean:.3f} ± {1.96 * self.error:.3f}"


def gains(
    labels: DataFrame, before: DataFrame, after: DataFrame, which: Sequence[int]
) -> DataFrame:
    """`candidate int, profile_id, gain double` for these places among the labels, of all profiles with genres after.

    `before` and `after` are cells of the days before and after the cut.
    """
    past, future = _genres(before), _genres(after)
    whole = past.agg(F.count_distinct("profile_id").cast("double").alias("_profiles"))
    usual = (
        past.groupBy("term").agg(F.sum("share").alias("_sum"))
        .crossJoin(whole)
        .select("term", (F.col("_sum").cast("double") / F.col("_profiles")).alias("usual"))
    )  # fmt: skip
    each = [
        F.struct(F.lit(place).alias("candidate"), F.col("labels")[place].alias("cluster"))
        for place in which
    ]
    placed = labels.select("profile_id", F.inline(F.array(*each)))
    sizes = (
        placed.join(past.select("profile_id").distinct(), on="profile_id", how="left_semi")
        .groupBy("candidate", "cluster")
        .agg(F.count(F.lit(1)).alias("_members"))
    )
    of_cluster = (
        placed.join(past, on="profile_id", how="inner")
        .groupBy("candidate", "cluster", "term")
        .agg(F.sum("share").cast("double").alias("_own"))
    )
    told = (
        sizes.crossJoin(usual)
        .join(of_cluster, on=["candidate", "cluster", "term"], how="left")
        .select(
            "candidate",
            "cluster",
            "term",
            F.log(
                (F.coalesce("_own", F.lit(0.0)) + PRIOR * F.col("usual"))
                / ((F.col("_members") + PRIOR) * F.col("usual"))
            ).alias("_log"),
        )
    )
    # A genre that nobody watched before tells nothing of clusters.
    return (
        placed.join(future, on="profile_id", how="inner")
        .join(F.broadcast(told), on=["candidate", "cluster", "term"], how="inner")
        .groupBy("candidate", "profile_id")
        .agg(F.sum(F.col("share").cast("double") * F.col("_log")).alias("gain"))
    )


def means(gained: DataFrame) -> dict[int, Gain]:
    """By candidate."""
    rows = gained.groupBy("candidate").agg(*_moments(F.col("gain"))).toArrow().to_pylist()
    return {row["candidate"]: _gain(row) for row in rows}


def lead(gained: DataFrame, one: int, other: int) -> Gain:
    """How much more one gains than the other, profile by profile."""
    own = gained.where(F.col("candidate") == one).select("profile_id", "gain")
    theirs = gained.where(F.col("candidate") == other).select(
        "profile_id", F.col("gain").alias("_theirs")
    )
    paired = own.join(theirs, on="profile_id", how="inner")
    (row,) = paired.agg(*_moments(F.col("gain") - F.col("_theirs"))).toArrow().to_pylist()
    return _gain(row)


def _moments(value: Column) -> tuple[Column, ...]:
    return (
        F.avg(value).alias("mean"),
        F.stddev_samp(value).alias("deviation"),
        F.count(value).alias("profiles"),
    )


def _gain(row: Mapping[str, Any]) -> Gain:
    n = row["profiles"]
    return Gain(row["mean"] or 0.0, (row["deviation"] or 0.0) / sqrt(n) if n else 0.0, n)


def _genres(cells: DataFrame) -> DataFrame:
    own = shares(cells.where("aspect = 'genre'"))
    return own.select("profile_id", "term", F.col("share").cast(_EXACT).alias("share"))
