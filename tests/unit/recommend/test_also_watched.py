"""What people like you also watched is told by how much you belong to whom."""

from __future__ import annotations

import pytest
from pyspark.sql import SparkSession
from unit.tables.rows import rows, same

from cinelake.recommend.also_watched import also_watched
from cinelake.tables.audience import CLUSTER_MEMBERS, CLUSTER_TITLES


@pytest.mark.thorough
def test_titles_are_weighed_by_shares_and_those_seen_are_left_out(spark: SparkSession) -> None:
    both = [{"cluster_id": "a", "share": 0.75}, {"cluster_id": "b", "share": 0.25}]
    members = rows(
        spark, CLUSTER_MEMBERS, {"profile_id": "ann", "shares": both}, {"profile_id": "bob", "shares": both[1:]}
    )  # fmt: skip
    titles = rows(
        spark, CLUSTER_TITLES,
        {"cluster_id": "a", "title_id": "heat", "score": 0.4}, {"cluster_id": "b", "title_id": "heat", "score": 0.4},
        {"cluster_id": "a", "title_id": "jaws", "score": 0.9}, {"cluster_id": "b", "title_id": "up", "score": 0.8},
    )  # fmt: skip
    seen = spark.createDataFrame([("ann", "jaws")], "profile_id string, title_id string")
    expected = spark.createDataFrame(
        [
            ("ann", 1, "heat", 0.4),
            ("ann", 2, "up", 0.2),
            ("bob", 1, "up", 0.2),
            ("bob", 2, "heat", 0.1),
        ],
        "profile_id string, rank int, title_id string, score double",
    )
    same(also_watched(members, titles, 2, seen), expected)
