"""The vector of a profile: its factors of the recommender's model, and how its shares of terms differ from others'.

Grain: one row per profile that watched or rated. A *block* is an aspect of cells.py, or `factors`. The share of a term
is shrunk towards what is usual in the population, as if the profile had watched `prior` more titles (plays) like
everybody (Dirichlet prior): who has watched little differs little. A profile of which nothing is told in an aspect
differs in nothing there, nor one whom the model does not know in its factors, so that no value is ever missing.

Factors are brought to length 1: their length tells how much somebody watched, their direction what. A term takes part
that enough profiles of the population have, the commonest of each aspect first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field, field_validator
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from cinelake.audience.cells import ASPECTS

Matrix = np.ndarray[Any, Any]
FACTORS = "factors"
BLOCKS = (FACTORS, *ASPECTS)


class FeatureRecipe(BaseModel):
    """What a vector is made of, and what its blocks weigh."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    weights: dict[str, float] = Field(
        {
            FACTORS: 2.0, "genre": 1.0, "mood": 0.5, "theme": 0.5, "language": 0.1, "format": 0.1, "daypart": 0.1,
            "device": 0.1, "finishing": 0.05, "binging": 0.05, "novelty": 0.05,
        },
        description="share of the variance that a block brings, whatever its length; what is watched before how, for "
        "clusters are of tastes",
    )  # fmt: skip
    prior: float = Field(
        2.0, gt=0, description="titles (plays) like everybody's that are added to a profile's own"
    )
    half_life_days: float | None = Field(
        180, gt=0, description="age at which what was watched counts half (days); none: never fades"
    )
    profiles_at_least: int = Field(
        5, ge=1, description="profiles that have a term, for it to count"
    )
    terms_at_most: int = Field(60, ge=1, le=1000, description="terms of an aspect, the commonest")
    explained: float = Field(
        0.9, gt=0, le=1, description="share of the variance that the reduced vector keeps"
    )
    dimensions: int = Field(20, ge=1, le=200, description="numbers of the reduced vector, at most")

    @field_validator("weights")
    @classmethod
    def _blocks_are_known(cls, weights: dict[str, float]) -> dict[str, float]:
        strangers = sorted(set(weights) - set(BLOCKS))
        if strangers:
            raise ValueError(f"there is no block {strangers[0]!r}; there are {', '.join(BLOCKS)}")
        if any(weight < 0 for weight in weights.values()) or not any(weights.values()):
            raise ValueError("weights are not below 0, and one at least is above")
        return weights


@dataclass(frozen=True)
class Vocabulary:
    """Terms of a population in the order of their columns: `aspect` as its place among ASPECTS, `usual` the mean share
    in the population, `rank` the length of factors (0: none).
    """

    terms: tuple[tuple[str, str], ...]
    usual: Matrix
    rank: int

    @property
    def aspect(self) -> Matrix:
        return np.array([ASPECTS.index(aspect) for aspect, _ in self.terms], np.int64)

    @property
    def names(self) -> list[str]:
        """Of all numbers of a vector."""
        return [f"{FACTORS} {n}" for n in range(self.rank)] + [" ".join(t) for t in self.terms]

    @property
    def blocks(self) -> list[str]:
        """The block of each number of a vector."""
        return [FACTORS] * self.rank + [aspect for aspect, _ in self.terms]


def vocabulary(cells: DataFrame, recipe: FeatureRecipe) -> DataFrame:
    """`aspect, term, usual double` of the profiles of `cells`: the terms that take part."""
    wanted = [aspect for aspect in ASPECTS if recipe.weights.get(aspect)]
    own = cells.where(F.col("aspect").isin(wanted))
    told = own.groupBy("aspect").agg(F.count_distinct("profile_id").alias("_profiles"))
    counted = (
        shares(own)
        .groupBy("aspect", "term")
        # Decimals: the same sum in any order.
        .agg(
            F.count(F.lit(1)).alias("_with"),
            F.sum(F.col("share").cast("decimal(26,12)")).alias("_sum"),
        )
        .join(told, on="aspect", how="inner")
    )
    commonest = Window.partitionBy("aspect").orderBy(F.desc("_with"), "term")
    return (
        counted.where(F.col("_with") >= recipe.profiles_at_least)
        .select("*", F.row_number().over(commonest).alias("_place"))
        .where(F.col("_place") <= recipe.terms_at_most)
        .select(
            "aspect", "term", (F.col("_sum") / F.col("_profiles")).cast("double").alias("usual")
        )
    )


def shares(cells: DataFrame) -> DataFrame:
    """The cells with `share double`, of a profile's weight in the aspect; what overlaps is shared out."""
    whole = F.sum("weight").over(Window.partitionBy("profile_id", "aspect"))
    return cells.select("*", (F.col("weight").cast("double") / whole.cast("double")).alias("share"))


def of_rows(rows: list[Mapping[str, Any]], rank: int) -> Vocabulary:
    """From the rows of `vocabulary`, in a fixed order."""
    ordered = sorted(rows, key=lambda row: (ASPECTS.index(row["aspect"]), row["term"]))
    usual = np.array([row["usual"] for row in ordered], float)
    return Vocabulary(tuple((row["aspect"], row["term"]) for row in ordered), usual, rank)


def told_of(cells: DataFrame, people: DataFrame, factors: DataFrame | None) -> DataFrame:
    """One row a profile of `people`: its columns and `terms array<struct<aspect, term, weight double>>`,
    `factors array<double>`, null where nothing is known.
    """
    each = F.struct("aspect", "term", F.col("weight").cast("double").alias("weight"))
    gathered = (
        cells.select("profile_id", each.alias("_cell"))  # before it is collected: Spark compiles it
        .groupBy("profile_id")
        # In a fixed order, for sums of floats depend on it.
        .agg(F.sort_array(F.collect_list("_cell")).alias("terms"))
    )
    joined = people.join(gathered, on="profile_id", how="left")
    if factors is None:
        return joined.select("*", F.lit(None).cast("array<double>").alias(FACTORS))
    own = factors.select("profile_id", F.col(FACTORS).cast("array<double>").alias(FACTORS))
    return joined.join(own, on="profile_id", how="left")


def vectors(batch: pa.RecordBatch, known: Vocabulary, prior: float) -> Matrix:
    """Vectors `(profiles, numbers)` of rows of `told_of`. Raises ValueError where factors do not fit."""
    rows = batch.num_rows
    return np.hstack(
        [
            _directions(batch.column(FACTORS), known.rank),
            _differences(batch.column("terms"), rows, known, prior),
        ]
    )


def _directions(factors: pa.Array, rank: int) -> Matrix:
    found = np.zeros((len(factors), rank))
    if not rank:
        return found
    is_known = factors.is_valid().to_numpy(zero_copy_only=False)
    own = factors.drop_null()
    lengths = np.unique(own.value_lengths().to_numpy(zero_copy_only=False))
    if len(lengths) and lengths.tolist() != [rank]:
        raise ValueError(
            f"factors of length {', '.join(map(str, lengths))} where the clusters know {rank}; train them again with "
            "`cinelake run --only train_clusters`"
        )
    values = own.flatten().to_numpy(zero_copy_only=False).reshape(-1, rank)
    if not np.isfinite(values).all():
        raise ValueError(
            "factors hold NaN or infinite numbers, from which no taste can be told; train the recommender again with "
            "`cinelake run --only train_recommender`"
        )
    length = np.linalg.norm(values, axis=1, keepdims=True)
    found[is_known] = values / np.where(length > 0, length, 1.0)
    return found


def _differences(terms: pa.Array, rows: int, known: Vocabulary, prior: float) -> Matrix:
    lengths = terms.value_lengths().fill_null(0).to_numpy(zero_copy_only=False)
    row = np.repeat(np.arange(rows), lengths)
    flat = terms.flatten()
    # Terms of other aspects than there are come from an older lake; they count nowhere.
    aspect = _places(flat.field("aspect"), list(ASPECTS))
    term = pa.compute.binary_join_element_wise(flat.field("aspect"), flat.field("term"), " ")
    column = _places(term, [" ".join(each) for each in known.terms])
    weight = flat.field("weight").to_numpy(zero_copy_only=False)
    whole = np.zeros((rows, len(ASPECTS)))
    is_told = aspect >= 0
    np.add.at(whole, (row[is_told], aspect[is_told]), weight[is_told])
    found = np.zeros((rows, len(known.terms)))
    counts = column >= 0
    found[row[counts], column[counts]] = weight[counts]
    of_term = whole[:, known.aspect]
    return (found - of_term * known.usual) / (of_term + prior)


def _places(values: pa.Array, among: list[str]) -> Matrix:
    place = pa.compute.index_in(values, value_set=pa.array(among, pa.string()))
    found: Matrix = place.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    return found


def mapped(told: DataFrame, kept: str, kernel: Any) -> DataFrame:
    """`kept` columns of `told` and what `kernel` (record batch → list of arrays and their DDL) says of each row."""
    columns = [name.strip() for name in kept.split(",")]
    ddl = ", ".join(f"{name} {told.schema[name].dataType.simpleString()}" for name in columns)

    def each(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            if batch.num_rows:
                made = kernel(batch)
                yield pa.RecordBatch.from_arrays(
                    [*(batch.column(name) for name in columns), *made.values()],
                    names=[*columns, *made],
                )

    # Python, because Spark multiplies no matrices on data frames.
    return told.mapInArrow(each, f"{ddl}, {kernel.ddl}")
