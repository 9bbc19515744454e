"""Each kind of model computes what its paper says, and is found by its file alone."""

from __future__ import annotations

import numpy as np
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from cinelake.recommend.lists import histories
from cinelake.recommend.model import Fitted, NothingLiked, kinds
from cinelake.recommend.models.blend import BlendRecipe
from cinelake.recommend.models.ease import EaseRecipe
from cinelake.recommend.models.item_item import ItemItemRecipe
from cinelake.recommend.together import liked_together

LIKED = np.array(
    [[1, 1, 0, 0, 0], [1, 1, 1, 0, 0], [0, 1, 1, 0, 0], [1, 0, 0, 1, 0], [0, 0, 1, 1, 0]], bool
)


@pytest.fixture(scope="module")
def interactions(spark: SparkSession) -> DataFrame:
    """Title 4 is known and liked by nobody; numbers of titles are not in the order of their ids."""
    told = [
        (f"p{p}", p, f"t{t}", 9 - t, 1.0 if LIKED[p, t] else 0.0, True)
        for p in range(5)
        for t in range(5)
        if LIKED[p, t] or (p == 0 and t == 4)
    ]
    schema = "profile_id string, profile_idx int, title_id string, title_idx int, strength float, is_seen boolean"
    return spark.createDataFrame(told, schema).localCheckpoint()


def scores(model: Fitted, interactions: DataFrame) -> dict[tuple[str, str], float]:
    numbers = interactions.select("title_id", "title_idx").distinct()
    listed = model.lists(histories(interactions.drop("title_idx"), numbers), 5)
    return {(row.profile_id, row.title_id): row.score for row in listed.collect()}


def expected(weights: np.ndarray) -> dict[tuple[str, str], float]:
    told = LIKED[:, :4].astype(float) @ weights
    return {(f"p{p}", f"t{t}"): told[p, t] for p in range(5) for t in range(4) if not LIKED[p, t]}


def test_pairs_of_titles_are_counted(interactions: DataFrame) -> None:
    pairs = liked_together(interactions.where("strength > 0"), 100).collect()
    gram = LIKED.astype(int).T @ LIKED
    assert {(9 - row.b, 9 - row.a): row.profiles for row in pairs} == {
        (i, j): gram[i, j] for i in range(5) for j in range(i, 5) if gram[i, j]
    }


def test_of_a_long_history_some_titles_are_taken(spark: SparkSession) -> None:
    rows = spark.createDataFrame(
        [("ann", n) for n in range(101)], "profile_id string, title_idx int"
    )
    alone = liked_together(rows, 5).where("a = b").collect()
    assert sorted(row.a for row in alone) == [0, 25, 50, 75, 100]


def test_ease_is_the_closed_form(interactions: DataFrame) -> None:
    liked = LIKED[:, :4].astype(float)
    inverse = np.linalg.inv(liked.T @ liked + 2.0 * np.eye(4))
    weights = -inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0)
    found = scores(EaseRecipe(penalty=2.0).fit(interactions), interactions)
    assert found == pytest.approx(expected(weights), abs=1e-6)


def test_ease_takes_the_most_liked_titles_where_there_are_too_many(interactions: DataFrame) -> None:
    found = scores(EaseRecipe(penalty=2.0, titles_at_most=3).fit(interactions), interactions)
    assert {title for (_, title), score in found.items() if score == 0} == {"t3"}
    assert all(score for (_, title), score in found.items() if title != "t3")


def test_items_are_near_by_their_shrunk_cosine(interactions: DataFrame) -> None:
    gram = LIKED[:, :4].astype(float).T @ LIKED[:, :4]
    alone = np.sqrt(np.outer(np.diag(gram), np.diag(gram)))
    similar = gram / (alone + 3.0)
    np.fill_diagonal(similar, 0)
    found = scores(ItemItemRecipe(shrinkage=3.0).fit(interactions), interactions)
    assert found == pytest.approx(expected(similar))
    # Of one neighbour only the nearest counts: for t3 that is t0 or t2, and the one with the lower number wins.
    nearest = scores(ItemItemRecipe(shrinkage=3.0, neighbours=1).fit(interactions), interactions)
    assert nearest["p0", "t3"] == 0
    assert nearest["p1", "t3"] == pytest.approx(similar[2, 3])


def test_where_nobody_liked_anything_every_kind_says_so(interactions: DataFrame) -> None:
    nothing = interactions.withColumn("strength", F.lit(0.0).cast("float"))
    for kind, recipe in kinds().items():
        if kind != "popular":
            with pytest.raises(NothingLiked):
                recipe().fit(nothing)


def test_kinds_are_found_by_their_files() -> None:
    assert list(kinds()) == ["als", "blend", "ease", "hybrid", "item_item", "mixture", "popular"]


def test_a_blend_of_unknown_parts_or_of_nothing_is_refused() -> None:
    for weights in ({"als": 0.5, "svd": 0.5}, {"als": 0.0}):
        with pytest.raises(ValueError, match="weights are of als, ease"):
            BlendRecipe(weights=weights)
