"""From long vectors to short ones: blocks of equal say, then principal components, then directions.

Each block of a vector is scaled as a whole, so that its variance is what the recipe gives it, as in multiple factor
analysis (Escofier and Pagès 1994); within a block numbers keep their proportions, so that a rare term does not get the
say of a common one. Of the principal components (MLlib's PCA) as many are kept as explain the wanted share.

At last vectors are brought to length 1, for distances are to tell how tastes differ and not how much is known of
them: k-means on such vectors is spherical k-means (Dhillon and Modha 2001).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pyspark.ml.feature import PCA
from pyspark.ml.functions import array_to_vector
from pyspark.ml.stat import Summarizer
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from cinelake.audience.features import FeatureRecipe, Matrix, Vocabulary

# Less variance than this is rounding.
NOTHING = 1e-12


@dataclass(frozen=True)
class Reduction:
    """`mean (n)` and `scale (n)` of a vector's numbers, `ways (n, d)`, and the share of variance that each of the `d`
    explains.
    """

    mean: Matrix
    scale: Matrix
    ways: Matrix
    explained: Matrix

    def of(self, vectors: Matrix) -> Matrix:
        """`(profiles, d)`, of length 1; a profile that differs from the mean in nothing stays at 0."""
        short = ((vectors - self.mean) * self.scale) @ self.ways
        length = np.linalg.norm(short, axis=1, keepdims=True)
        found: Matrix = short / np.where(length > NOTHING, length, 1.0)
        return found

    @property
    def is_empty(self) -> bool:
        """Whether all profiles are the same."""
        return not self.ways.size


def fit(vectors: DataFrame, known: Vocabulary, recipe: FeatureRecipe) -> Reduction:
    """Fit to `vector array<double>`, which the caller has materialised."""
    size = len(known.names)
    if not size:
        # Nothing is told often enough to take part; MLlib refuses vectors of no numbers.
        return Reduction(np.zeros(0), np.zeros(0), np.zeros((0, 0)), np.zeros(0))
    points = vectors.select(array_to_vector(F.col("vector")).alias("features"))
    told = points.select(
        Summarizer.metrics("mean", "variance", "count").summary(F.col("features")).alias("s")
    ).select("s.*")
    (row,) = told.take(1)
    mean = np.array(row["mean"].toArray()) if row["count"] else np.zeros(size)
    variance = np.array(row["variance"].toArray()) if row["count"] > 1 else np.zeros(size)
    scale = scales(variance, known.blocks, recipe)
    if not (scale**2 * variance).sum() > NOTHING:
        return Reduction(mean, scale, np.zeros((size, 0)), np.zeros(0))
    scaled = vectors.select(
        array_to_vector(
            F.zip_with(
                F.col("vector"), F.array(*(F.lit(float(s)) for s in scale)), lambda x, s: x * s
            )
        ).alias("features")
    )
    most = min(recipe.dimensions, size)
    made = PCA(k=most, inputCol="features", outputCol="short").fit(scaled)
    explained = np.array(made.explainedVariance.toArray())
    ways = np.array(made.pc.toArray())
    # The sign of a component is nobody's choice: the largest number is made positive.
    largest = np.abs(ways).argmax(axis=0)
    ways = ways * np.sign(ways[largest, np.arange(ways.shape[1])])
    enough = int(np.searchsorted(np.cumsum(explained), recipe.explained - NOTHING)) + 1
    kept = min(enough, int((explained > NOTHING).sum()))
    return Reduction(mean, scale, ways[:, :kept], explained[:kept])


def scales(variance: Matrix, blocks: list[str], recipe: FeatureRecipe) -> Matrix:
    """What each number is multiplied by, so that a block has the variance that it is to have."""
    named = np.array(blocks)
    found = np.zeros(len(blocks))
    for block in dict.fromkeys(blocks):
        own = named == block
        whole = variance[own].sum()
        if whole > NOTHING:
            found[own] = np.sqrt(recipe.weights.get(block, 0.0) / whole)
    return found
