"""Logistic regressions with named weights: the chance of something as `1 / (1 + exp(−(b + Σ wᵢ xᵢ)))`.

Fitted by MLlib with a ridge penalty; what comes of a fit is a few names and numbers, so that it can be read, kept as
a table, and applied as a column or as sums of vectors. A feature is a number by name, or a *term*: an array of
strings of a row, each 1 where it stands. Weights shrink alike whatever a feature's spread, so that what was seldom
seen stays near nothing (a normal prior); numbers come in units in which they vary by about one. Terms that are there
to be told apart from others, and not for what they say, can be left nearly free: what all parts of a whole have in
common would else be shared out among the parts, for so the weights are smaller.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Self

from pyspark.ml.classification import LogisticRegression
from pyspark.ml.feature import CountVectorizerModel, ElementwiseProduct, VectorAssembler
from pyspark.ml.linalg import Vectors
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from cinelake.labels import OneSided

ITERATIONS = 100
# So many times its width is the prior of terms that are left nearly free.
WIDER = 10.0
# No feature has an empty name.
INTERCEPT = ""


@dataclass(frozen=True)
class Logit:
    """`intercept` is the logarithm of the odds where all features are 0; `weights` are by feature or term."""

    intercept: float
    weights: Mapping[str, float]

    def odds(self, *features: str) -> Column:
        """Logarithm of the odds of a row, from columns of these names; others count nothing."""
        told = (F.col(name) * F.lit(self.weights[name]) for name in features)
        return reduce(add, told, F.lit(self.intercept))

    def chance(self, *features: str) -> Column:
        """From 0 to 1."""
        return 1 / (1 + F.exp(-self.odds(*features)))

    def to_json(self) -> str:
        return json.dumps({"intercept": self.intercept, "weights": dict(self.weights)})

    @classmethod
    def of_json(cls, text: str) -> Self:
        told = json.loads(text)
        return cls(told["intercept"], told["weights"])

    def frame(self, spark: SparkSession) -> DataFrame:
        """`name, weight double`, the intercept under `INTERCEPT`: what is registered of a fit."""
        rows = [(INTERCEPT, self.intercept), *self.weights.items()]
        return spark.createDataFrame(rows, "name string, weight double")

    @classmethod
    def of_frame(cls, frame: DataFrame) -> Self:
        rows = frame.select("name", "weight").toArrow().to_pylist()
        weights = {row["name"]: row["weight"] for row in rows}
        return cls(weights.pop(INTERCEPT), weights)


@dataclass(frozen=True)
class Penalty:
    """How strongly weights are drawn to 0, in rows: as if so many had spoken against them."""

    rows: float
    # A term of fewer rows is none.
    rows_of_a_term: int = 1
    # Which terms are nearly free of it.
    spares: Callable[[str], bool] | None = None


def fit(
    examples: DataFrame,
    numbers: Sequence[str],
    label: str,
    penalty: Penalty,
    *,
    terms: str | None = None,
    weight: str | None = None,
    rows: str | None = None,
) -> Logit:
    """Fit to rows with `numbers` double (none null), `label boolean`, `terms array<string>` and `weight double`.

    `rows` is a column that says how many alike each stands for; without it, one. The caller has materialised them.
    Raises OneSided where all labels are the same.
    """
    counted = F.lit(1.0) if weight is None else F.col(weight)
    told = examples.select(
        *(F.col(name).cast("double").alias(name) for name in numbers),
        *([terms] if terms else []),
        F.col(label).cast("double").alias("label"),
        counted.alias("counts"),
        (F.lit(1) if rows is None else F.col(rows)).alias("rows"),
    )
    chosen = F.sum(F.col("label") * F.col("counts"))
    total = told.agg(F.sum("counts"), F.sum("label"), F.count("*"), chosen).first()
    if total is None or not total[1] or total[1] == total[2]:
        raise OneSided(f"of {total[2] if total else 0} examples all have the same {label!r}")
    columns, names = list(numbers), list(numbers)
    units = [1.0] * len(names)
    if terms and (vocabulary := _often(told, terms, penalty.rows_of_a_term)):
        widths = [WIDER if penalty.spares and penalty.spares(term) else 1.0 for term in vocabulary]
        counter = CountVectorizerModel.from_vocabulary(vocabulary, terms, "_counted").setBinary(
            True
        )
        scaler = ElementwiseProduct(
            scalingVec=Vectors.dense(widths), inputCol="_counted", outputCol="_terms"
        )
        told = scaler.transform(counter.transform(told))
        columns.append("_terms")
        names, units = names + vocabulary, units + widths
    if not columns:
        return Logit(math.log(total[3] / (total[0] - total[3])), {})
    assembled = VectorAssembler(inputCols=columns, outputCol="features").transform(told)
    # MLlib weighs the penalty against the mean loss of a row.
    regression = LogisticRegression(
        regParam=penalty.rows / total[0],
        standardization=False,
        weightCol="counts",
        maxIter=ITERATIONS,
    )
    fitted = regression.fit(assembled.select("features", "label", "counts"))
    weights = (fitted.coefficients.toArray() * units).tolist()
    return Logit(float(fitted.intercept), dict(zip(names, weights, strict=True)))


def _often(told: DataFrame, terms: str, least: int) -> list[str]:
    """The terms of so many `rows` or more, in order."""
    each = told.select("rows", F.explode(F.array_distinct(terms)).alias("term"))
    often = each.groupBy("term").agg(F.sum("rows").alias("rows")).where(F.col("rows") >= least)
    return sorted(often.select("term").toArrow().column("term").to_pylist())
