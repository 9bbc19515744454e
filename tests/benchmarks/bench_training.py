"""Training time against data size: ALS of rank 64 on 1 to 20 million interactions.

Ours against `implicit` on the same interactions, with the same rank and number of iterations. What is timed of ours is
a fit on strengths that lie materialised, with the factors of all titles brought into being; of `implicit`, its fit on a
CSR matrix in memory with two threads: three steps of conjugate gradients a profile, as it comes, where MLlib solves the
equations exactly. Profiles have 100 titles each in the middle, titles are liked by Zipf's law.

Prints the time of each size and the exponent of growth, the slope of the times against the sizes on logarithmic scales.
Target: at most 1.1.
"""

from __future__ import annotations

import time

import numpy as np
import pytest
from implicit.cpu.als import AlternatingLeastSquares
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from scipy.sparse import csr_matrix
from threadpoolctl import threadpool_limits

from cinelake.persisted import persisted
from cinelake.recommend.models.als import AlsRecipe

SIZES = (1_000_000, 4_000_000, 20_000_000)
TITLES, OF_A_PROFILE, CORES = 20_000, 100, 2
# Each iteration costs the same.
RECIPE = AlsRecipe(iterations=3)


def interactions(spark: SparkSession, size: int) -> DataFrame:
    """`size` pairs, drawn by a hash: the same in every run; a pair drawn twice is one."""
    number = F.col("id")
    # Inverse of a power law on (0, 1): few titles have most of the likes.
    uniform = (F.xxhash64(number) % F.lit(1 << 30) + F.lit(1 << 30)) / F.lit(float(1 << 31))
    title = F.floor(F.pow(uniform, F.lit(2.5)) * TITLES).cast("int")
    profile = (number % F.lit(size // OF_A_PROFILE)).cast("int")
    return (
        spark.range(size, numPartitions=4 * CORES)
        .select(profile.alias("profile_idx"), title.alias("title_idx"))
        .distinct()
        .select(
            F.col("profile_idx").cast("string").alias("profile_id"),
            "profile_idx",
            F.col("title_idx").cast("string").alias("title_id"),
            "title_idx",
            F.lit(1.0).cast("float").alias("strength"),
            F.lit(True).alias("is_seen"),
        )
    )


@pytest.mark.timeout(7200)
def test_training_time_grows_with_the_data(spark: SparkSession) -> None:
    own, theirs, counts = [], [], []
    for size in SIZES:
        with persisted(interactions(spark, size)) as known:
            counts.append(known.count())
            start = time.perf_counter()
            fitted = RECIPE.fit(known)
            fitted.of_titles.write.format("noop").mode("overwrite").save()
            own.append(time.perf_counter() - start)
            pairs = known.select("profile_idx", "title_idx").toArrow()
        rows, columns = (pairs.column(name).to_numpy() for name in ("profile_idx", "title_idx"))
        liked = csr_matrix((np.ones(len(rows), np.float32), (rows, columns)))
        rival = AlternatingLeastSquares(
            factors=RECIPE.rank,
            alpha=1 + RECIPE.alpha,
            regularization=RECIPE.reg_param,
            iterations=RECIPE.iterations,
            num_threads=CORES,
            random_state=RECIPE.seed,
        )
        start = time.perf_counter()
        # As its documentation asks: its own threads do the work.
        with threadpool_limits(limits=1, user_api="blas"):
            rival.fit(liked, show_progress=False)
        theirs.append(time.perf_counter() - start)
        print(
            f"\n{counts[-1]:,} interactions, rank {RECIPE.rank}, {RECIPE.iterations} iterations: "
            f"ours {own[-1]:.1f} s, implicit {theirs[-1]:.1f} s, ratio {own[-1] / theirs[-1]:.2f}"
        )
    grown = np.polyfit(np.log(counts), np.log(own), 1)[0]
    rivals = np.polyfit(np.log(counts), np.log(theirs), 1)[0]
    print(f"growth exponent: ours {grown:.2f} (limit 1.1), implicit {rivals:.2f}")
    assert grown <= 1.1
