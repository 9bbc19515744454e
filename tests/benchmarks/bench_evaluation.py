"""What it costs to judge the lists of 100,000 profiles, a hundred titles each, out of 5,000.

All measures at 10 and 100, with intervals, coverage and Gini index, against a query by hand in Spark SQL that gives the
mean nDCG@100 and nothing else, from the same rows. Both say the same nDCG. The target is twice its time; it is missed,
for half of what it takes brings lists to Python, and more than four times is a defect.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from benchmarks.conftest import in_turn
from pyspark.sql import Column, SparkSession
from pyspark.sql import functions as F

from cinelake.recommend import evaluation
from cinelake.recommend.measures import MEASURES

PROFILES, TITLES, LENGTH, RELEVANT, LIKED = 100_000, 5_000, 100, 12, 30
KS = (10, 100)

BY_HAND = """
WITH hits AS (
  SELECT profile_id, sum(1 / log2(rank + 1)) AS gain
  FROM lists JOIN wanted USING (profile_id, title_idx) GROUP BY profile_id
), ideal AS (
  SELECT profile_id, aggregate(sequence(1, least(count(*), 100)), 0D, (s, r) -> s + 1 / log2(r + 1)) AS best
  FROM wanted GROUP BY profile_id
)
SELECT avg(coalesce(gain, 0) / best) AS ndcg FROM ideal LEFT JOIN hits USING (profile_id)
"""


@pytest.mark.timeout(3600)
def test_all_measures_cost_at_most_twice_a_query_for_one(
    spark: SparkSession, tmp_path: Path
) -> None:
    # A stride through the titles: a hundred different ones for each profile, in an order of its own.
    profiles = spark.range(0, PROFILES, numPartitions=8)
    name = F.concat(F.lit("p"), F.col("id")).alias("profile_id")
    of = F.abs(F.xxhash64("id"))

    def title(place: str, salt: int) -> Column:
        stride = F.pmod(F.xxhash64("id", F.lit(salt)), F.lit(TITLES // 2 - 1)) * 2 + 1
        return F.pmod(of + F.col(place) * stride, F.lit(TITLES)).cast("int")

    def some(count: int) -> Column:
        return F.explode(F.sequence(F.lit(1), F.lit(count))).alias("rank")

    listed = profiles.select("id", name, some(LENGTH))
    listed.select(
        F.lit("als").alias("model"), "profile_id", "rank", title("rank", 1).alias("title_idx")
    ).write.parquet(str(tmp_path / "lists"))
    profiles.select("id", name, some(RELEVANT)).select(
        "profile_id", title("rank", 2).alias("title_idx")
    ).distinct().write.parquet(str(tmp_path / "wanted"))
    profiles.select("id", name, some(LIKED)).select(
        "profile_id", title("rank", 3).alias("title_idx")
    ).groupBy("profile_id").agg(F.collect_set("title_idx").alias("liked")).write.parquet(
        str(tmp_path / "liked")
    )
    lists, wanted, liked = (
        spark.read.parquet(str(tmp_path / name)) for name in ("lists", "wanted", "liked")
    )
    lists.createOrReplaceTempView("lists")
    wanted.createOrReplaceTempView("wanted")
    catalogue = spark.range(TITLES).select(
        F.col("id").cast("int").alias("title_idx"),
        (TITLES / (F.col("id") + 10)).cast("bigint").alias("likes"),
        F.array(
            F.concat(F.lit("g"), F.col("id") % 19), F.concat(F.lit("g"), F.col("id") % 17)
        ).alias("genres"),
    )
    traits = evaluation.traits(catalogue, PROFILES)
    found = {}

    def ours() -> None:
        gathered = wanted.groupBy("profile_id").agg(
            F.count(F.lit(1)).cast("int").alias("relevant"),
            F.collect_list("title_idx").alias("wanted"),
        )
        truths = gathered.join(liked, on="profile_id", how="inner")
        judged = evaluation.per_profile(lists, truths, traits, KS, ["als"]).select(
            F.lit(1).alias("fold"), "*"
        )
        measures = [evaluation.named(measure, k) for k in KS for measure in MEASURES]
        rows = evaluation.intervals(judged.localCheckpoint(), measures).collect()
        found["ours"] = {row.measure: row for row in rows}
        found["shown"] = evaluation.shown(lists, catalogue, 100).collect()

    def by_hand() -> None:
        found["by hand"] = spark.sql(BY_HAND).first().ndcg

    mine, rival = in_turn(ours, by_hand, repetitions=3)
    ratio = mine.median / rival.median
    print(
        f"\n{PROFILES:,} profiles × {LENGTH}: all measures {mine}, nDCG by hand {rival}, ratio {ratio:.2f}"
    )
    assert found["ours"]["ndcg_at_100"].mean == pytest.approx(found["by hand"], abs=1e-9)
    assert len(found["ours"]) == len(KS) * len(MEASURES)
    assert ratio <= 4
    if ratio > 2:
        pytest.xfail(f"{ratio:.2f} times, where the target is 2")
