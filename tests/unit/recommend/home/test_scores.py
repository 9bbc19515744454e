"""A page is judged by what its profile started then, and by how soon that is looked at on it."""

from __future__ import annotations

import math
from datetime import date, timedelta
from typing import Any

import pytest
from pyspark.sql import SparkSession
from unit.tables.rows import rows, same

from cinelake.recommend.home.attention import Attention
from cinelake.recommend.home.compose import Grid
from cinelake.recommend.home.scores import CONTEXT, as_pages, by_profile, judged, played
from cinelake.tables.home import STOPPING_POINTS

DAY = date(2026, 2, 10)


def test_what_was_played_before_is_not_new(spark: SparkSession) -> None:
    def stop(title: str, ago: int, daypart: str = "evening") -> dict[str, Any]:
        day = DAY - timedelta(days=ago)
        return {
            "profile_id": "p",
            "title_id": title,
            "play_date": day,
            "device_class": "tv",
            "daypart": daypart,
        }

    stops = rows(spark, STOPPING_POINTS, stop("heat", 0), stop("heat", 9), stop("up", 0), stop("up", 0, "night"),
                 stop("jaws", 1))  # fmt: skip
    expected = spark.createDataFrame(
        [("p", "tv", "evening", "heat", False), ("p", "tv", "evening", "up", True), ("p", "tv", "night", "up", True)],
        "profile_id string, device_class string, daypart string, title_id string, is_new boolean",
    )  # fmt: skip
    same(played(stops, DAY), expected)


def test_lists_are_cut_into_rows_for_all_circumstances(spark: SparkSession) -> None:
    lists = spark.createDataFrame(
        [("p", rank, f"t{rank}") for rank in range(1, 6)],
        "profile_id string, rank int, title_id string",
    )
    found = as_pages(lists, Grid(rows=2, titles=2))
    assert found.count() == 4 * 3 * 4
    at_night = found.where("device_class = 'tv' AND daypart = 'night'").select(
        "row", "position", "title_id"
    )
    expected = [(0, 0, "t1"), (0, 1, "t2"), (1, 0, "t3"), (1, 1, "t4")]
    assert sorted(tuple(row) for row in at_night.collect()) == expected


def test_recall_and_ndcg_are_by_their_definitions(spark: SparkSession) -> None:
    context = f"{CONTEXT[0]} string, {CONTEXT[1]} string, {CONTEXT[2]} string"
    evening, morning = ("p", "tv", "evening"), ("p", "tv", "morning")
    # In a row attention falls slowly, from row to row fast: 0.0, 0.1, 0.2, 1.0 …
    page = spark.createDataFrame(
        [
            (*evening, 0, 0, "heat"),
            (*evening, 0, 1, "up"),
            (*evening, 1, 0, "jaws"),
            (*evening, 0, 2, "coco"),
        ],
        f"{context}, row int, position int, title_id string",
    )
    wanted = spark.createDataFrame(
        [
            (*evening, "heat", False), (*evening, "jaws", True), (*evening, "gone", True), (*evening, "up", True),
            # Nothing is shown then, and nothing new was started.
            (*morning, "heat", False),
        ],
        f"{context}, title_id string, is_new boolean",
    )  # fmt: skip
    attention = Attention({"tv": (1.0, 0.1)}, "a test")
    found = {row.daypart: row for row in judged({"page": page}, wanted, attention).collect()}
    ideal = sum(1 / math.log2(place + 1) for place in (1, 2, 3))
    assert found["evening"].recall_all == pytest.approx(3 / 4)
    assert found["evening"].recall_new == pytest.approx(2 / 3)
    assert found["evening"].ndcg_new == pytest.approx((1 / math.log2(3) + 1 / math.log2(5)) / ideal)
    whole = sum(1 / math.log2(place + 1) for place in (1, 2, 3, 4))
    by_place = 1 + 1 / math.log2(3) + 1 / math.log2(5)
    assert found["evening"].ndcg_all == pytest.approx(by_place / whole)
    assert found["morning"].recall_all == found["morning"].ndcg_all == 0
    assert (found["morning"].recall_new, found["morning"].ndcg_new) == (None, None)
    (mean,) = by_profile(judged({"page": page}, wanted, attention)).collect()
    assert mean.recall_all == pytest.approx(3 / 8)
    assert mean.recall_new == pytest.approx(2 / 3)
