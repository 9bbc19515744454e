"""How far data moved, and what came of lists, worked out by hand on a few rows."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from math import log
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from unit.tables.rows import rows

from cinelake.recommend.drift import measured, population_stability
from cinelake.recommend.strengths import Weights
from cinelake.tables.features import TITLE_SIGNALS
from cinelake.tables.recommend import RECOMMENDATIONS

DAY = date(2026, 3, 16)
YESTERDAY = DAY - timedelta(days=1)


def _watched(
    profile: str, title: str, days_ago: int = 0, completion: float = 1.0
) -> dict[str, Any]:
    return {
        "profile_id": profile, "title_id": title, "signal_date": DAY - timedelta(days=days_ago),
        "plays": 1, "finished": int(completion == 1.0), "completion": completion,
    }  # fmt: skip


def _list(profile: str, day: date, *titles: str) -> list[dict[str, Any]]:
    return [
        {"as_of": day, "profile_id": profile, "rank": rank, "title_id": title, "source": "history", "score": 1.0}
        for rank, title in enumerate(titles, start=1)
    ]  # fmt: skip


def _values(
    spark: SparkSession,
    signals: Iterable[dict[str, Any]] = (),
    lists: Iterable[dict[str, Any]] = (),
    top: int = 2,
    weeks: int = 2,
) -> dict[str, tuple[float | None, int]]:
    told: DataFrame = rows(spark, TITLE_SIGNALS, *signals)
    shown = rows(spark, RECOMMENDATIONS, *lists)
    found = measured(told, shown, Weights(), DAY, top=top, weeks=weeks)
    return {one.measure: (one.value, one.counted) for one in found}


def test_the_index_is_the_sum_over_buckets_of_half_a_signal_more_each() -> None:
    # 9.5 and 0.5 of 10, against 4.5 and 5.5 of 10.
    by_hand = (0.45 - 0.95) * log(0.45 / 0.95) + (0.55 - 0.05) * log(0.55 / 0.05)
    assert population_stability({"played": 9}, {"played": 4, "rated": 5}) == pytest.approx(by_hand)
    assert population_stability({"played": 9}, {"played": 9}) == 0.0
    assert population_stability({1: 3, 2: 6}, {1: 30, 2: 60}) == pytest.approx(0.0, abs=0.01)


@pytest.mark.thorough
def test_nothing_is_told_of_nothing(spark: SparkSession) -> None:
    found = _values(spark)
    assert len(found) == 6
    assert set(found.values()) == {(None, 0)}


def test_the_week_is_set_against_the_weeks_before_and_nothing_older(spark: SparkSession) -> None:
    hover = {"plays": 0, "finished": 0, "completion": None, "hovers": 1}
    signals = [
        # All watched to the end, but for one who only looked, this week: kinds and strengths both move.
        _watched("ann", "jaws", 6),
        _watched("bob", "heat", 0) | hover,
        _watched("ann", "heat", 7),
        _watched("bob", "jaws", 20),
        # Before the two weeks: counts in neither.
        _watched("cat", "jaws", 21) | hover,
    ]
    by_hand = population_stability({"finished": 2}, {"finished": 1, "looked at": 1})
    found = _values(spark, signals)
    assert found["signal_kind_psi"] == (pytest.approx(by_hand), 2)
    assert found["signal_strength_psi"] == (pytest.approx(by_hand), 2)
    # Both titles were watched before.
    assert found["new_title_share"] == (0.0, 2)


@pytest.mark.thorough
def test_every_kind_of_signal_is_told_from_the_others(spark: SparkSession) -> None:
    nothing = {"plays": 0, "finished": 0, "completion": None}
    kinds: list[dict[str, Any]] = [
        {"rating": 2.0, "rated_at": datetime(2026, 3, 16)}, {}, {"finished": 0, "completion": 0.6},
        nothing | {"thumbs_down": 1}, nothing | {"added_to_list": 1}, nothing | {"details": 1},
    ]  # fmt: skip
    lately = [_watched("ann", f"t{n}") | kind for n, kind in enumerate(kinds)]
    before = [_watched("ann", "t0", 7)]
    by_hand = population_stability(
        {"finished": 1},
        dict.fromkeys(["rated", "finished", "played", "judged", "listed", "looked"], 1),
    )
    assert _values(spark, lately + before)["signal_kind_psi"] == (pytest.approx(by_hand), 1)
    # A play to its end counts 1, rated low or not; a part .6 and the list .5, of one bucket; thumbs down −2, a look 0.
    by_strength = population_stability({1.0: 1}, {1.0: 2, 0.5: 2, -2: 1, 0: 1})
    assert _values(spark, lately + before)["signal_strength_psi"] == (pytest.approx(by_strength), 1)


def test_a_title_is_new_that_had_no_signal_before_the_week(spark: SparkSession) -> None:
    signals = [
        _watched("ann", "new", 6),
        _watched("bob", "new", 0),
        _watched("ann", "old", 3),
        # A year ago is before the week, too.
        _watched("ann", "older", 1),
        _watched("bob", "older", 365),
        _watched("ann", "old", 7),
    ]
    assert _values(spark, signals)["new_title_share"] == (0.5, 1)


@pytest.mark.thorough
def test_what_profiles_came_to_like_is_looked_for_at_the_top_of_yesterdays_lists(
    spark: SparkSession,
) -> None:
    signals = [
        # One of her two new likes was at the top of her list.
        _watched("ann", "jaws"),
        _watched("ann", "heat"),
        # Known before, so no list would hold it.
        _watched("ann", "up"),
        _watched("ann", "up", 200),
        # Watched for a moment: not liked.
        _watched("ann", "alien", completion=0.05),
        # On his list, but below the top.
        _watched("bob", "ran"),
        # Has no list of yesterday; liked nothing today.
        _watched("cat", "jaws"),
        _watched("dan", "jaws", 1),
    ]
    lists = [
        *_list("ann", YESTERDAY, "jaws", "alien"),
        *_list("bob", YESTERDAY, "jaws", "heat", "ran"),
        *_list("cat", DAY, "jaws"),
        *_list("dan", YESTERDAY, "heat"),
    ]
    found = _values(spark, signals, lists)
    assert found["hit_rate"] == (0.5, 2)
    assert found["recall"] == (0.25, 2)


def test_lists_are_set_against_those_of_the_day_before(spark: SparkSession) -> None:
    lists = [
        *_list("ann", YESTERDAY, "jaws", "heat"),
        # The same titles in another order, and one below the top.
        *_list("ann", DAY, "heat", "jaws", "up"),
        *_list("bob", YESTERDAY, "jaws", "heat", "up"),
        *_list("bob", DAY, "up"),
        # On one day only.
        *_list("cat", DAY, "up"),
    ]
    assert _values(spark, lists=lists)["overlap"] == (0.5, 2)
