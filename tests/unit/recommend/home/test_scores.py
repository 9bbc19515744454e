"""A page is judged by what its profile started then, and by how soon that is looked at on it."""

from __future__ import annotations

import math
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from pyspark.sql import SparkSession
from unit.tables.rows import rows, same

from cinelake.recommend.home.attention import Attention
from cinelake.recommend.home.compose import Grid
from cinelake.recommend.home.scores import (
    CONTEXT,
    LEADS,
    as_pages,
    below_own_rows,
    by_profile,
    judged,
    played,
    with_leads,
)
from cinelake.tables.home import STOPPING_POINTS
from cinelake.tables.viewing import VIEWING_SESSIONS

DAY, DAILY = date(2026, 2, 10), timedelta(days=1)


def play(title: str, day: date, local: date, hour: int, **more: Any) -> dict[str, Any]:
    """A play on a television, on a day by UTC, and on one by the viewer's clock."""
    told = {
        "profile_id": "p", "title_id": title, "session_date": day, "local_date": local, "local_hour": hour,
        "device_kind": "tv", "first_frame_at": datetime(day.year, day.month, day.day),
    }  # fmt: skip
    return told | more


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

    stops = rows(
        spark, STOPPING_POINTS, stop("heat", 0), stop("heat", 9), stop("up", 0), stop("jaws", 1)
    )
    sessions = rows(spark, VIEWING_SESSIONS, play("heat", DAY, DAY, 20), play("up", DAY, DAY, 20),
                    play("up", DAY, DAY, 21), play("up", DAY, DAY, 3), play("gone", DAY, DAY, 3, first_frame_at=None),
                    play("jaws", DAY - DAILY, DAY - DAILY, 20))  # fmt: skip
    expected = spark.createDataFrame(
        [("p", "tv", "evening", "heat", False), ("p", "tv", "evening", "up", True), ("p", "tv", "night", "up", True)],
        "profile_id string, device_class string, daypart string, title_id string, is_new boolean",
    )  # fmt: skip
    same(played(sessions, stops, DAY), expected)


def test_a_page_is_judged_by_the_day_that_it_is_for_on_the_viewers_clock(
    spark: SparkSession,
) -> None:
    new_york = [play("monday", DAY, DAY - DAILY, 21), play("tuesday", DAY + DAILY, DAY, 21)]
    # That morning the page was not made yet, and knows of it.
    tokyo = [play("morning", DAY - DAILY, DAY, 7), play("evening", DAY, DAY, 20)]
    sessions = rows(spark, VIEWING_SESSIONS, *new_york, *tokyo)
    found = played(sessions, rows(spark, STOPPING_POINTS), DAY).select("title_id")
    same(found, spark.createDataFrame([("tuesday",), ("evening",)], "title_id string"))


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


def test_lists_stand_below_the_rows_that_hold_what_was_begun(spark: SparkSession) -> None:
    lists = spark.createDataFrame(
        [(who, rank, f"t{rank}") for who in "pq" for rank in range(1, 7)],
        "profile_id string, rank int, title_id string",
    )
    page = spark.createDataFrame(
        [
            ("p", "tv", "evening", 0, 0, "x", "picks"), ("p", "tv", "evening", 1, 0, "begun", "continue_watching"),
            ("p", "tv", "evening", 1, 1, "t2", "continue_watching"), ("q", "tv", "evening", 0, 0, "x", "picks"),
        ],
        "profile_id string, device_class string, daypart string, row int, position int, title_id string, "
        "row_kind string",
    )  # fmt: skip
    found = below_own_rows(lists, page, Grid(rows=3, titles=2), ["continue_watching"])
    expected = spark.createDataFrame(
        [
            ("p", 0, 0, "begun"), ("p", 0, 1, "t2"), ("p", 1, 0, "t1"), ("p", 2, 0, "t3"), ("p", 2, 1, "t4"),
            *(("q", (rank - 1) // 2, (rank - 1) % 2, f"t{rank}") for rank in range(1, 7)),
        ],
        "profile_id string, row int, position int, title_id string",
    )  # fmt: skip
    same(found.where("device_class = 'tv' AND daypart = 'evening'"), expected)
    # In circumstances in which the page has no such row the list has all.
    assert found.where("device_class = 'phone' AND daypart = 'night'").count() == 2 * 6


def test_a_lead_is_of_the_same_profile(spark: SparkSession) -> None:
    told = spark.createDataFrame(
        [
            (0, "p", "page", 0.5, 0.4, None, None), (0, "p", "list", 0.4, 0.5, None, None),
            (0, "q", "page", 1.0, 1.0, 1.0, 0.5), (0, "q", "list", 0.0, 0.5, 0.5, 0.5),
        ],
        "fold int, profile_id string, model string, recall_all double, ndcg_all double, recall_new double, "
        "ndcg_new double",
    )  # fmt: skip
    found = {r.profile_id: r for r in with_leads(told, "page").where("model = 'list'").collect()}
    assert [found["p"][lead] for lead in LEADS] == [pytest.approx(0.1), pytest.approx(-0.1), None, None]  # fmt: skip
    assert [found["q"][lead] for lead in LEADS] == [1.0, 0.5, 0.5, 0.0]


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
