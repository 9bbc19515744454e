"""The causes of many incidents at once, in Spark."""

from __future__ import annotations

import pandas as pd
import pyarrow as pa
import pytest
from chispa import assert_df_equality
from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from unit.qoe.planted import DIMENSIONS, leaves

from cinelake.qoe.localisation.search import COUNTS, Verdict, cause_of
from cinelake.qoe.localisation.settings import Scan
from cinelake.qoe.localisation.step import _largest, causes, in_turn

BRISK = (("cdn", "brisk"),)
TV_EAST = (("isp", "east"), ("device", "tv"))
TV = (("device", "tv"),)


def incidents(spark: SparkSession) -> DataFrame:
    frames = {
        "i1": leaves({BRISK: 6.0}, seed=1),
        "i2": leaves({TV_EAST: 6.0}, seed=2),
        "i3": leaves({(): 4.0}, seed=3),
        "i4": leaves(seed=4).assign(past_bad=0, past_total=0),
    }
    named = [frame.assign(incident_id=name) for name, frame in frames.items()]
    return spark.createDataFrame(pd.concat(named))


def test_each_incident_has_a_verdict_and_its_causes(spark: SparkSession) -> None:
    found = causes(incidents(spark), DIMENSIONS)
    told = found.where("rank = 0 or is_cause").select(
        "incident_id", "rank", "verdict", F.to_json("attributes").alias("attributes"), "covered"
    )
    expected = spark.createDataFrame(
        [
            ("i1", 0, "localised", "{}", 1.0),
            ("i1", 1, "localised", '{"cdn":"brisk"}', 1.0),
            ("i2", 0, "localised", "{}", 1.0),
            ("i2", 1, "localised", '{"device":"tv","isp":"east"}', 1.0),
            # All rose, and of this one nobody knows how it was before.
            ("i3", 0, "everywhere", "{}", 1.0),
            ("i4", 0, "no_history", "{}", 1.0),
        ],
        told.schema,
    )
    assert_df_equality(told, expected, ignore_row_order=True, ignore_nullable=True)


def test_what_is_bad_in_another_way_is_sought_beside_what_is_blamed() -> None:
    """Starts of a CDN, stalls of it and of a device, and exits where nothing has risen."""
    starts, stalls = leaves({BRISK: 6.0}, seed=1), leaves({BRISK: 5.0, TV: 6.0}, seed=2)
    found = in_turn([starts, stalls, leaves(seed=3)], DIMENSIONS, Scan())
    told = [[cause.attributes for cause in each.causes] for each in found]
    assert told == [[dict(BRISK)], [dict(TV)], []]
    assert found[2].verdict is Verdict.NO_RISE
    # As many as may be blamed are those of all.
    one = in_turn([starts, stalls], DIMENSIONS, Scan(causes=1))
    assert [len(each.causes) for each in one] == [1]


@pytest.mark.parametrize("other", [2.0, 3.0, 6.0])
def test_one_fault_that_is_bad_in_two_ways_is_blamed_once(other: float) -> None:
    twice = [
        in_turn([leaves({TV_EAST: 6.0}, seed=s), leaves({TV_EAST: other}, seed=s + 99)], DIMENSIONS, Scan())
        for s in range(40)
    ]  # fmt: skip
    told = [[cause.attributes for each in found for cause in each.causes] for found in twice]
    assert told.count([dict(TV_EAST)]) >= 39


def test_turns_of_an_incident_are_told_together(spark: SparkSession) -> None:
    starts, stalls = leaves({BRISK: 6.0}, seed=1), leaves({TV: 6.0}, seed=2)
    both = pd.concat([stalls.assign(turn=4), starts.assign(turn=0)]).assign(incident_id="i")
    rows = causes(spark.createDataFrame(both), DIMENSIONS).orderBy("rank").toArrow().to_pylist()
    assert [(row["turn"], row["is_cause"], row["attributes"]) for row in rows[:3]] == [
        (0, False, []),
        (0, True, list(BRISK)),
        (4, True, list(TV)),
    ]
    assert [row["turn"] for row in rows[3:]] == [0] * (Scan().ranked - 1)
    assert {(row["verdict"], row["covered"]) for row in rows} == {("localised", 1.0)}


def test_rows_are_those_of_the_search_however_leaves_are_split(spark: SparkSession) -> None:
    """Counts of a leaf in two rows, on many partitions, null for nothing: nothing changes, to the last bit."""
    frame = leaves({BRISK: 6.0}, seed=1)
    whole = spark.createDataFrame(frame.assign(incident_id=7))
    parts = [
        lambda count: F.least(F.lit(1), count),
        lambda count: F.nullif(F.greatest(F.lit(0), count - 1), F.lit(0)),
    ]
    ones, rest = (
        whole.select("incident_id", *DIMENSIONS, *(part(F.col(n)).alias(n) for n in COUNTS))
        for part in parts
    )
    split = ones.unionByName(rest).repartition(5, "device")
    rows = causes(split, DIMENSIONS).orderBy("rank").toArrow().to_pylist()
    found = cause_of(frame, DIMENSIONS)
    assert [row["rank"] for row in rows] == list(range(len(found.ranked) + 1))
    for row, candidate in zip(rows, (found.whole, *found.ranked), strict=True):
        assert row["incident_id"] == 7
        assert row["is_cause"] == (candidate in found.causes)
        assert {name: row[name] for name in vars(candidate)} == {
            **vars(candidate),
            "attributes": sorted(candidate.attributes.items()),
        }


def test_of_too_many_leaves_the_largest_are_searched(spark: SparkSession) -> None:
    frame = leaves({BRISK: 6.0}, seed=1)
    largest = frame.sort_values("total", ascending=False).head(20)
    (row,) = (
        causes(spark.createDataFrame(frame.assign(incident_id="i")), DIMENSIONS, most_leaves=20)
        .where("rank = 0")
        .toArrow()
        .to_pylist()
    )
    assert row["total"] == largest["total"].sum()
    assert row["covered"] == largest["total"].sum() / frame["total"].sum()


@given(
    totals=st.lists(st.integers(0, 5), min_size=1, max_size=40),
    most=st.integers(1, 50),
    size=st.integers(1, 9),
)
def test_the_largest_leaves_are_kept_however_they_come(
    totals: list[int], most: int, size: int
) -> None:
    table = pa.table({"cdn": [f"c{n:02}" for n in range(len(totals))], "total": totals})
    expected = sorted(
        zip(totals, table["cdn"].to_pylist(), strict=True), key=lambda t: (-t[0], t[1])
    )

    found, covered = _largest(iter(table.to_batches(max_chunksize=size)), ["cdn"], most)

    assert set(found["cdn"].to_pylist()) == {name for _, name in expected[:most]}
    told = sum(total for total, _ in expected[:most])
    assert covered == (told / sum(totals) if any(totals) else None)


def test_what_nobody_tells_of_is_no_cause(spark: SparkSession) -> None:
    """A dimension without any attribute, and one that is missing where it is bad."""
    frame = leaves({BRISK: 6.0}, seed=1).assign(incident_id="i")
    frame.loc[frame["cdn"] == "brisk", "cdn"] = None
    untold = spark.createDataFrame(frame).withColumn("asn", F.lit(None).cast("string"))
    rows = causes(untold, [*DIMENSIONS, "asn"]).toArrow().to_pylist()
    named = {name for row in rows for name, _ in row["attributes"]}
    assert named <= set(DIMENSIONS)
    assert not any(row["is_cause"] and "cdn" in dict(row["attributes"]) for row in rows)


def test_nobody_there_is_a_verdict_too(spark: SparkSession) -> None:
    empty = spark.createDataFrame(leaves().assign(incident_id="i", bad=0, total=0))
    (row,) = causes(empty, DIMENSIONS).toArrow().to_pylist()
    assert (row["verdict"], row["rank"], row["covered"]) == ("no_viewers", 0, None)


def test_causes_are_sought_in_some_dimension(spark: SparkSession) -> None:
    with pytest.raises(ValueError, match="at least one dimension"):
        causes(spark.createDataFrame(leaves().assign(incident_id="i")), [])
