"""How good the recommender is on real ratings, with the settings it ships with.

The model of lists as it is trained, and all kinds as they come beside it. Global temporal: the protocol of the gate, on
one block of the newest 10 % of the ratings, on three of them, and on five of 5 %. Random: a quarter of each title's
ratings held out at random, every held-out rating relevant and every rating in training a like, as in Microsoft's
published table; it leaks the future, and serves only to be set against what others print.

The folder is that of `DATA`, by default MovieLens latest small beside the project; without it nothing is
measured.
"""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from cinelake.behaviour.features import title_signals
from cinelake.persisted import persisted
from cinelake.recommend.gate import CHALLENGER, POPULAR
from cinelake.recommend.holdout import temporal_holdouts
from cinelake.recommend.model import kinds
from cinelake.recommend.models.hybrid import HybridRecipe
from cinelake.recommend.protocols import Split, random
from cinelake.recommend.strengths import LEARNED, Weights
from cinelake.recommend.training import Comparison, compare, rivals
from cinelake.tables.browsing import INTERACTIONS
from cinelake.tables.viewing import VIEWING_SESSIONS

DATA = Path(
    os.environ.get("DATA", Path(__file__).parents[3] / "shared/data/movielens-latest-small")
)
ANY_RATING = Weights(like_from=0.0)
K = 10
# What the model of lists is to reach, over popularity, after the one cut.
GOAL = 1.5
RECIPES = {
    CHALLENGER: HybridRecipe(),
    **rivals([kind for kind in kinds() if kind not in (POPULAR, HybridRecipe.kind)], {}),
}

pytestmark = [
    pytest.mark.timeout(1800),
    pytest.mark.skipif(
        not (DATA / "ratings.csv").exists(),
        reason=f"no ratings.csv in {DATA}; set DATA to a MovieLens folder",
    ),
]


@pytest.fixture(scope="module")
def signals(spark: SparkSession) -> DataFrame:
    read = pd.read_csv(DATA / "ratings.csv", dtype={"userId": str, "movieId": str})
    read["rated_at"] = pd.to_datetime(read["timestamp"], unit="s", utc=True)
    read["profile_idx"] = read["userId"].rank(method="dense").astype("int32") - 1
    read["title_idx"] = read["movieId"].rank(method="dense").astype("int32") - 1
    frame = spark.createDataFrame(
        read[["userId", "movieId", "rating", "rated_at", "profile_idx", "title_idx"]],
        "profile_id string, title_id string, rating double, rated_at timestamp, profile_idx int, title_idx int",
    )
    nothing = (
        spark.createDataFrame([], table.schema) for table in (VIEWING_SESSIONS, INTERACTIONS)
    )
    told = title_signals(*nothing, frame.withColumn("rating_date", F.to_date("rated_at")))
    numbers = frame.select("profile_id", "title_id", "profile_idx", "title_idx").distinct()
    with persisted(told.join(numbers, on=["profile_id", "title_id"], how="inner")) as kept:
        yield kept


@pytest.mark.parametrize(("share", "folds"), [(0.1, 1), (0.05, 5), (0.1, 3)])
def test_the_recommender_beats_popularity_on_the_future_and_after_one_cut_by_half(
    signals: DataFrame, share: float, folds: int
) -> None:
    holdouts = temporal_holdouts(signals, share, folds)
    splits = [Split.at(signals, holdout) for holdout in holdouts]
    learned = dict.fromkeys(RECIPES, LEARNED)
    comparison = compare(splits, RECIPES, weights=Weights(), k=K, learned=learned)

    cuts = ", ".join(str(holdout.cut) for holdout in holdouts)
    tell(f"global temporal, {folds} × {share:.0%}, cuts {cuts}", comparison)
    ndcg = {name: one.mean for name, one in comparison.measured("ndcg").items()}
    times = {name: mean / ndcg[POPULAR] for name, mean in ndcg.items()}
    ratios = ", ".join(
        f"{name} {times[name]:.2f}" for name in sorted(times, key=lambda n: -times[n])
    )
    print(f"  nDCG@{K} over that of popularity: {ratios}")
    assert ndcg[CHALLENGER] > ndcg[POPULAR]
    # No rival is ahead by more than noise.
    assert all(lead.high >= 0 for lead in comparison.measured("lead").values())
    if folds == 1:
        # Where no model gets as far, none is better.
        assert times[CHALLENGER] >= min(GOAL, max(times.values()))


def test_the_recommender_under_the_random_protocol(signals: DataFrame) -> None:
    split = random(signals, 0.25, seed=42)
    assert split is not None
    comparison = compare([split], RECIPES, weights=ANY_RATING, k=K)
    tell("random 75/25 per title, every rating relevant", comparison)
    measured = comparison.measured("ndcg")
    assert measured[CHALLENGER].mean > 1.5 * measured[POPULAR].mean


def tell(protocol: str, comparison: Comparison) -> None:
    print(f"\n{DATA.name}, {protocol}, @{K}")
    # Without genres nobody can be calibrated or diverse.
    told = [row for row in comparison.measures if row["mean"] is not None]
    for row in sorted(told, key=lambda row: (row["measure"], row["model"])):
        mean, low, high = row["mean"], row["low"], row["high"]
        print(
            f"  {row['measure']:18} {row['model']:11} {mean:.4f} [{low:.4f}, {high:.4f}]  {row['profiles']} profiles"
        )
    for rows in (comparison.shown, comparison.cold):
        for row in rows:
            print(
                "  "
                + ", ".join(
                    f"{name} {value:.3f}" if isinstance(value, float) else f"{name} {value}"
                    for name, value in row.items()
                )
            )
