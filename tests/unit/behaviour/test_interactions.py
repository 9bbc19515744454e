"""What was done with a title stands beside the tile that it was done on, whatever the records went through."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from chispa import assert_df_equality
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F
from unit.behaviour.bronze import bronze, keys, landed_line, pseudonym

from cinelake.behaviour.identity import IdKind
from cinelake.behaviour.interactions import interactions
from cinelake.runtime.graph import discover
from cinelake.runtime.job import Job, Rehearsed, rehearse
from cinelake.sources.impressions import IMPRESSIONS_SOURCE
from cinelake.sources.interactions import INTERACTIONS_SOURCE
from cinelake.tables.browsing import INTERACTIONS
from cinelake.tables.ingest import BRONZE_IMPRESSIONS, BRONZE_INTERACTIONS

JOBS = {
    job.name: job for job in discover(Path(__file__).parents[3] / "jobs") if isinstance(job, Job)
}
WHO = {"account_id": "a1", "profile_id": "p1", "device_id": "d1"}
SLOT = {"page_id": "g1", "row": 2, "rank": 3}
MIDNIGHT = datetime(2020, 5, 3, tzinfo=UTC)


def clock(seconds: float) -> datetime:
    """Seconds after midnight of 3 May."""
    return MIDNIGHT + timedelta(seconds=seconds)


def line(event: str, at: float, *, delay: float = 1, **payload: Any) -> str:
    times = {"event_time": clock(at), "received_at": clock(at + delay)}
    return landed_line(event, "3", **(WHO | payload | {k: t.isoformat() for k, t in times.items()}))


def tile(event: str, at: float, title: str, **more: Any) -> str:
    looks = {"row_kind": "trending", "artwork": "face", "is_exploration": False, "seen": True}
    return line(event, at, title_id=title, **(SLOT | looks | more))


def act(event: str, at: float, action: str, title: str, **more: Any) -> str:
    return line(event, at, action=action, title_id=title, **(SLOT | more))


def made(spark: SparkSession, tiles: list[str], acts: list[str]) -> DataFrame:
    """The rows of 3 May, under the ids that landed."""
    events = [f"e{n}" for n in range(9)]
    landed = spark.createDataFrame(
        [(pseudonym(IdKind.EVENT, event), event) for event in events], "event_id string, id string"
    )
    rows = interactions(
        bronze(spark, IMPRESSIONS_SOURCE, tiles),
        bronze(spark, INTERACTIONS_SOURCE, acts),
        keys(spark),
        date(2020, 5, 3),
        date(2020, 5, 4),
    )
    return rows.join(landed, "event_id", how="left")


def test_an_act_stands_beside_the_tile_that_it_was_done_on(spark: SparkSession) -> None:
    tiles = [
        tile("e1", 100, "t1", is_exploration=True),
        # The same title lower down on the page, not in view, and on another page.
        tile("e2", 102, "t1", row=4, rank=0, row_kind="popular", seen=False),
        tile("e3", 50, "t1", page_id="g0", row_kind="genre"),
    ]
    acts = [
        act("e4", 107.25, "hover", "t1", seconds=1.5),
        # It names no place, so the topmost is taken.
        act("e5", 110, "click", "t1", row=None, rank=None),
        # Nothing is known of a tile there, nor of a page.
        act("e6", 111, "details", "t1", rank=7),
        act("e7", 112, "thumbs_up", "t1", page_id=None, row=None, rank=None),
    ]
    columns = (
        "id string, action string, row int, rank int, row_kind string, is_exploration boolean, was_seen boolean, "
        "shown_at timestamp, seconds_to_action decimal(12,3), seconds_lasted decimal(12,3)"
    )
    shown, none = clock(100), (None, None, None, None)
    expected = [
        ("e1", "impression", 2, 3, "trending", True, True, shown, None, None),
        ("e2", "impression", 4, 0, "popular", False, False, clock(102), None, None),
        ("e3", "impression", 2, 3, "genre", False, True, clock(50), None, None),
        ("e4", "hover", 2, 3, "trending", True, True, shown, Decimal("7.250"), Decimal("1.5")),
        ("e5", "click", 2, 3, "trending", True, True, shown, Decimal(10), None),
        ("e6", "details", 2, 7, *none, None, None),
        ("e7", "thumbs_up", None, None, *none, None, None),
    ]
    assert_df_equality(
        made(spark, tiles, acts).select(*(part.split()[0] for part in columns.split(", "))),
        spark.createDataFrame(expected, columns),
        ignore_row_order=True,
        ignore_nullable=True,
    )


def test_a_wrong_clock_tells_how_long_it_took_nevertheless(spark: SparkSession) -> None:
    # Three hours fast: dated by receipts that came in disorder. And a clock that was set back.
    tiles = [tile("e1", 10_900, "t1", delay=-10_790), tile("e2", 500, "t2")]
    acts = [
        act("e3", 10_904, "click", "t1", delay=-10_799),
        act("e4", 400, "click", "t2"),
    ]
    rows = made(spark, tiles, acts).where("action = 'click'")
    assert_df_equality(
        rows.select("id", "acted_at", "shown_at", "seconds_to_action"),
        spark.createDataFrame(
            [("e3", clock(105), clock(110), Decimal(4)), ("e4", clock(400), clock(500), None)],
            "id string, acted_at timestamp, shown_at timestamp, seconds_to_action decimal(12,3)",
        ),
        ignore_row_order=True,
        ignore_nullable=True,
    )


def test_of_copies_the_earliest_receipt_counts_and_no_copy_is_lost(spark: SparkSession) -> None:
    tiles = [tile("e1", 100, "t1"), tile("e1", 100, "t1", delay=900), tile("e1", 100, "t1")]
    # An act may bear the id of a tile: they are of two sources.
    acts = [act("e1", 110, "click", "t1"), *3 * [act("e2", 120, "hover", "t1")]]
    rows = made(spark, tiles, acts).select("id", "action", "_reasons", "row_kind")
    again = ["duplicate"]
    expected = [
        ("e1", "impression", [], "trending"),
        *2 * [("e1", "impression", again, "trending")],
        ("e1", "click", [], "trending"),
        ("e2", "hover", [], "trending"),
        # What is turned away needs no tile.
        *2 * [("e2", "hover", again, None)],
    ]
    assert_df_equality(
        rows,
        spark.createDataFrame(expected, rows.schema),
        ignore_row_order=True,
        ignore_nullable=True,
    )


def test_ids_stand_under_pseudonyms(spark: SparkSession) -> None:
    (row,) = made(spark, [tile("e1", 100, "t1")], []).collect()
    found = row.account_id, row.profile_id, row.device_id, row.page_id
    kinds = (
        (IdKind.ACCOUNT, "a1"),
        (IdKind.PROFILE, "p1"),
        (IdKind.DEVICE, "d1"),
        (IdKind.PAGE, "g1"),
    )
    assert found == tuple(pseudonym(*pair) for pair in kinds)


@pytest.mark.thorough
def test_any_windows_and_any_arrival_give_the_same_rows(spark: SparkSession) -> None:
    luck = random.Random(5)
    tiles, acts = [], []
    for n in range(120):
        # Pages over three days, some across midnight, some by fast clocks, a third of all delivered twice or thrice.
        at = luck.choice([-86_400, 0, 86_400]) + luck.choice([-60, 3000, 40_000])
        fast = luck.choice([0, 0, 20_000])
        slot = {"page_id": f"g{n // 4}", "row": n % 2, "rank": n % 3}
        for _ in range(luck.choice([1, 1, 1, 1, 2, 3])):
            delay = luck.choice([1, 900, 40_000]) - fast
            tiles.append(tile(f"i{n}", at + fast, f"t{n % 5}", delay=delay, **slot))
        named = (
            slot if luck.random() < 0.7 else {"page_id": slot["page_id"], "row": None, "rank": None}
        )
        for _ in range(luck.choice([1, 1, 1, 2])):
            delay = luck.choice([1, 300, 40_000]) - fast
            acts.append(act(f"a{n}", at + fast + 90, "click", f"t{n % 5}", delay=delay, **named))
    first, last = date(2020, 5, 1), date(2020, 5, 6)
    one = timedelta(days=1)
    days = [(first + n * one, first + (n + 1) * one) for n in range(5)]

    def run(windows: list[tuple[date, date]], tiles: list[str], acts: list[str]) -> list[list[str]]:
        inputs = {
            BRONZE_IMPRESSIONS: bronze(spark, IMPRESSIONS_SOURCE, tiles).localCheckpoint(),
            BRONZE_INTERACTIONS: bronze(spark, INTERACTIONS_SOURCE, acts).localCheckpoint(),
        }
        found = [rehearse(JOBS["build_interactions"], inputs, *window) for window in windows]
        return [_texts(found), sorted(str(row) for out in found for row in _rejected(out))]

    whole = run([(first, last)], tiles, acts)
    assert len(whole[0]) + len(whole[1]) == len(tiles) + len(acts)
    luck.shuffle(tiles)
    luck.shuffle(acts)
    assert run(days, tiles, acts) == whole
    # All of it delivered a second time changes nothing but the count of copies.
    assert run([(first, last)], tiles * 2, acts * 2)[0] == whole[0]


def _texts(found: list[Rehearsed]) -> list[str]:
    as_text = F.to_json(F.struct(*INTERACTIONS.names)).alias("text")
    return sorted(row.text for out in found for row in out[INTERACTIONS].select(as_text).collect())


def _rejected(out: Rehearsed) -> list[Row]:
    return out.quarantined(INTERACTIONS).collect()
