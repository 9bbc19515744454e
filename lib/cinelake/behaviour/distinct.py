"""Distinct counts that add up: HyperLogLog sketches which are the same in whatever order rows come.

Spark's own sketches (DataSketches) keep an estimator that depends on the order of updates, so the same rows would
give other bytes; equal rows must give equal tables. This is the plain sketch of Flajolet, Fusy, Gandouet and Meunier
("HyperLogLog: the analysis of a near-optimal cardinality estimation algorithm", AofA 2007), kept sparse: of the
2^10 buckets those that were met, each packed with its greatest rank. The standard error is 1.04 / sqrt(1024), 3.3 %;
below 2.5 buckets' worth the empty buckets are counted instead, as in the paper.
"""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

_BUCKETS_LOG2 = 10
_BUCKETS = 1 << _BUCKETS_LOG2
# Ranks are below 64, in the low bits.
_RANK_BITS = 6
# Bias of the harmonic mean for 128 buckets and more.
_ALPHA = 0.7213 / (1 + 1.079 / _BUCKETS)


def sketched(frame: DataFrame, by: Sequence[str], value: str, name: str) -> DataFrame:
    """`by…, name array<int>`: a sketch of the distinct values of each group; nulls are no value."""
    hashed = F.xxhash64(value)
    # The high bits choose the bucket, the leading zeros of the others are the rank.
    bucket = F.shiftrightunsigned(hashed, 64 - _BUCKETS_LOG2).cast("int")
    rest = F.shiftleft(hashed, _BUCKETS_LOG2)
    # `bin` writes a long without leading zeros; nothing but zeros counts as all of them.
    zeros = F.when(rest == 0, F.lit(64 - _BUCKETS_LOG2)).otherwise(64 - F.length(F.bin(rest)))
    met = frame.select(
        *by,
        F.when(F.col(value).isNotNull(), bucket).alias("_bucket"),
        (zeros + 1).cast("int").alias("_rank"),
    )
    return _greatest(met, by, name)


def merged(frame: DataFrame, by: Sequence[str], name: str) -> DataFrame:
    """Sketches added up: `by…, name`."""
    met = frame.select(*by, F.explode_outer(name).alias("_packed")).select(
        *by,
        F.shiftright("_packed", _RANK_BITS).alias("_bucket"),
        F.col("_packed").bitwiseAND((1 << _RANK_BITS) - 1).alias("_rank"),
    )
    return _greatest(met, by, name)


def estimate(sketch: str) -> Column:
    """How many distinct values a sketch has seen, as a whole number."""
    empty = F.lit(_BUCKETS) - F.size(sketch)
    weights = F.aggregate(
        sketch,
        F.lit(0.0),
        lambda total, packed: (
            total + F.pow(F.lit(2.0), -packed.bitwiseAND((1 << _RANK_BITS) - 1).cast("double"))
        ),
    )
    raw = F.lit(_ALPHA * _BUCKETS * _BUCKETS) / (weights + empty)
    few = F.lit(float(_BUCKETS)) * F.log(F.lit(float(_BUCKETS)) / empty)
    return F.round(F.when((raw <= 2.5 * _BUCKETS) & (empty > 0), few).otherwise(raw)).cast("bigint")


def _greatest(met: DataFrame, by: Sequence[str], name: str) -> DataFrame:
    packed = F.shiftleft("_bucket", _RANK_BITS).bitwiseOR(F.col("_rank"))
    by_bucket = met.groupBy(*by, "_bucket").agg(F.max("_rank").alias("_rank"))
    # The group whose bucket is null packs to null, which no list holds.
    return by_bucket.groupBy(*by).agg(F.array_sort(F.collect_list(packed)).alias(name))
