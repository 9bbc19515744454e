"""Whatever is held out, each pair of profile and title is on one side, and the sides are what the protocol says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from pyspark.sql import DataFrame, SparkSession
from unit.tables.rows import rows

from cinelake.recommend.protocols import PROTOCOLS, Split, leave_last_out, random
from cinelake.tables.features import TITLE_SIGNALS

FIRST = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def signals(spark: SparkSession) -> DataFrame:
    """Twelve profiles come to eight titles, one a day, and to the first of them twice."""
    told = [
        {
            "profile_id": f"p{p:02}",
            "title_id": f"t{t}",
            "signal_date": (FIRST + timedelta(days=day)).date(),
        }
        for p in range(12)
        for day, t in enumerate([*range(8), 0])
    ]
    return rows(spark, TITLE_SIGNALS, *told).localCheckpoint()


def pairs(frame: DataFrame) -> set[tuple[str, str]]:
    return {(row.profile_id, row.title_id) for row in frame.collect()}


@pytest.mark.parametrize("protocol", ["random", "leave-last-out"])
def test_a_pair_lies_on_one_side(signals: DataFrame, protocol: str) -> None:
    split = PROTOCOLS[protocol](signals, 0.25, 1)
    assert isinstance(split, Split)
    assert pairs(split.train) | pairs(split.test) == pairs(signals)
    assert not pairs(split.train) & pairs(split.test)
    assert split.train.count() + split.test.count() == signals.count()


def test_a_share_of_each_title_is_drawn(signals: DataFrame) -> None:
    drawn = [pairs(random(signals, 0.25, seed).test) for seed in (1, 1, 2)]
    assert all(sum(title == f"t{n}" for _, title in drawn[0]) == 3 for n in range(8))
    assert drawn[0] == drawn[1] != drawn[2]


def test_the_title_that_came_last_is_left_out(signals: DataFrame) -> None:
    assert pairs(leave_last_out(signals, 0, 0).test) == {(f"p{n:02}", "t7") for n in range(12)}


def test_a_cut_in_time_may_have_a_title_on_both_sides(signals: DataFrame) -> None:
    split = PROTOCOLS["temporal"](signals, 0.25, 1)
    assert {title for _, title in pairs(split.test)} == {"t6", "t7", "t0"}
    assert {title for _, title in pairs(split.train)} == {f"t{n}" for n in range(6)}


def test_where_there_is_nothing_nothing_is_held_out(signals: DataFrame) -> None:
    for protocol in PROTOCOLS.values():
        assert protocol(signals.limit(0), 0.25, 1) is None
