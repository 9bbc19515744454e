"""A clustering is worth what it foretells of days that it has not seen."""

from __future__ import annotations

from math import log

import pytest
from pyspark.sql import DataFrame, SparkSession

from cinelake.audience.usefulness import gains, lead, means


def genres(spark: SparkSession, *told: tuple[str, str]) -> DataFrame:
    rows = [(profile, "genre", genre) for profile, genre in told]
    frame = spark.createDataFrame(rows, "profile_id string, aspect string, term string")
    return frame.selectExpr("*", "CAST(1 AS DECIMAL(26,6)) AS weight")


@pytest.mark.thorough
def test_clusters_that_foretell_genres_gain_and_those_of_chance_do_not(spark: SparkSession) -> None:
    crime, comedy = [f"c{n}" for n in range(5)], [f"k{n}" for n in range(5)]
    before = genres(spark, *((p, "Crime") for p in crime), *((p, "Comedy") for p in comedy))
    # One watches nothing any more; a genre that nobody watched before tells nothing.
    after = genres(
        spark, *((p, "Crime") for p in crime[1:]), *((p, "Comedy") for p in comedy), ("c1", "War")
    )
    labels = spark.createDataFrame(
        [(p, [n // 5, n % 2]) for n, p in enumerate([*crime, *comedy])],
        "profile_id string, labels array<int>",
    )
    gained = gains(labels, before, after, [0, 1]).localCheckpoint()
    found = means(gained)
    # Five members and five like everybody: 7.5 of 10 in place of half.
    own = {row.profile_id: row.gain for row in gained.where("candidate = 0").collect()}
    assert own.pop("c1") == pytest.approx(0.5 * log(0.75 / 0.5))
    assert set(own) == {*crime[2:], *comedy}
    assert own["k0"] == pytest.approx(log(0.75 / 0.5))
    assert found[0].profiles == 9
    assert abs(found[1].mean) < 0.05
    paired = lead(gained, 0, 1)
    assert paired.mean == pytest.approx(found[0].mean - found[1].mean)
    assert paired.mean - 1.96 * paired.error > 0


def test_of_nothing_watched_nothing_is_gained(spark: SparkSession) -> None:
    labels = spark.createDataFrame([("a", [0])], "profile_id string, labels array<int>")
    nothing = genres(spark, ("a", "Crime")).where("false")
    gained = gains(labels, nothing, nothing, [0])
    assert means(gained) == {}
    assert lead(gained, 0, 1).profiles == 0
