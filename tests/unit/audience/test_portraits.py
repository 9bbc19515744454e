"""What marks a cluster is what its members have beyond chance, and no vote of heavy viewers."""

from __future__ import annotations

import pytest
from pyspark.sql import DataFrame, SparkSession
from unit.tables.rows import same

from cinelake.audience import portraits

MEMBERS = "profile_id string, population string, household string, market string, cluster_id string"
SEEN = "profile_id string, title_id string"


@pytest.fixture(scope="module")
def members(spark: SparkSession) -> DataFrame:
    """Twelve in a cluster, twelve in another; two to a household."""
    told = [(f"{c}{n}", "adult", f"{c}{n // 2}", "DE", c) for c in "ab" for n in range(12)]
    return spark.createDataFrame(told, MEMBERS).localCheckpoint()


@pytest.fixture(scope="module")
def cells(spark: SparkSession) -> DataFrame:
    """In a everybody watches crime beside drama; in b five dramas, but for one who watched a hundred crime films."""
    told = [(f"a{n}", "genre", genre, 1) for n in range(12) for genre in ("Crime", "Drama")]
    told += [(f"b{n}", "genre", "Drama", 5) for n in range(11)] + [("b11", "genre", "Crime", 100)]
    rows = [(p, a, t, str(w)) for p, a, t, w in told]
    frame = spark.createDataFrame(
        rows, "profile_id string, aspect string, term string, weight string"
    )
    return frame.withColumn("weight", frame["weight"].cast("decimal(26,6)")).localCheckpoint()


@pytest.mark.thorough
def test_a_portrait_holds_what_speaks_for_a_cluster_and_nobody_outvotes_it(
    spark: SparkSession, members: DataFrame, cells: DataFrame
) -> None:
    seen = spark.createDataFrame(
        [(f"a{n}", "heat") for n in range(12)]
        + [(f"{c}{n}", "up") for c in "ab" for n in range(12)],
        SEEN,
    )
    told = portraits.told(cells, seen, members)
    made = portraits.portraits(told, members, n=5, titles=5).localCheckpoint()
    expected = spark.createDataFrame(
        # Crime is half of what members of a watch; the one of b has ten votes, however much it watched.
        [
            ("a", "genre", 1, "Crime", 12, 6, 0.5),
            ("b", "genre", 1, "Drama", 11, 6, 55 / 65),
            # Everybody has seen the other one, and all are in one market.
            ("a", "title", 1, "heat", 12, 6, 1.0),
        ],
        "cluster_id string, aspect string, rank int, term string, profiles bigint, households bigint, share double",
    )
    same(made.where("aspect <> 'market'"), expected)
    assert made.where("aspect = 'market' AND z > 0.5").isEmpty()
    z = {(row.cluster_id, row.term): (row.z, row.lift) for row in made.collect()}
    assert z["a", "heat"][0] > 2
    # Shrunk: ten like everybody, of whom half have seen it, are added on both sides.
    assert z["a", "heat"][1] == pytest.approx((17 / 22) / (5 / 22))


@pytest.mark.thorough
def test_popular_titles_of_a_cluster_are_shrunk_towards_the_populations(
    spark: SparkSession, members: DataFrame
) -> None:
    seen = spark.createDataFrame(
        [(f"a{n}", "heat") for n in range(6)] + [("b0", "heat"), ("b1", "up")], SEEN
    )
    made = portraits.popular(seen, members, 1)
    usual = 7 / 24
    expected = spark.createDataFrame(
        [
            ("a", 1, "heat", 6, (6 + 10 * usual) / 22, (6 + 10 * usual) / 22 / usual),
            ("b", 1, "heat", 1, (1 + 10 * usual) / 22, (1 + 10 * usual) / 22 / usual),
        ],
        "cluster_id string, rank int, title_id string, viewers bigint, score double, lift double",
    )
    rows = {row.cluster_id: row for row in made.collect()}
    for row in expected.collect():
        assert rows[row.cluster_id].asDict() == pytest.approx(row.asDict())


@pytest.mark.thorough
def test_genres_of_a_cluster_are_the_mean_of_its_members(
    members: DataFrame, cells: DataFrame
) -> None:
    told = {row.cluster_id: row.genres for row in portraits.genres(cells, members).collect()}
    assert [(one.term, one.share) for one in told["a"]] == [("Crime", 0.5), ("Drama", 0.5)]
    assert {one.term: one.share for one in told["b"]} == pytest.approx(
        {"Crime": 1 / 12, "Drama": 11 / 12}
    )
