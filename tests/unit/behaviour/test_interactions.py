"""What was done with a title stands beside the tile that it was done on, whatever the records went through."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from chispa import assert_df_equality
from pyspark.sql import DataFrame, SparkSession
from unit.behaviour.bronze import bronze, keys, landed_line, pseudonym
from unit.behaviour.silver import days, written

from cinelake.behaviour.identity import IdKind
from cinelake.behaviour.interactions import interactions
from cinelake.sources.impressions import IMPRESSIONS_SOURCE
from cinelake.sources.interactions import INTERACTIONS_SOURCE
from cinelake.tables.ingest import BRONZE_IMPRESSIONS, BRONZE_INTERACTIONS

WHO = {"account_id": "a1", "profile_id": "p1", "device_id": "d1"}
SLOT = {"page_id": "g1", "row": 2, "rank": 3}
NOWHERE = {"row": None, "rank": None}
MIDNIGHT = datetime(2020, 5, 3, tzinfo=UTC)
SHOWN = (
    "id string, action string, row int, rank int, row_kind string, is_exploration boolean, was_seen boolean, "
    "acted_at timestamp, shown_at timestamp, seconds_to_action decimal(12,3), seconds_lasted decimal(12,3)"
)


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


TILES = [
    tile("i1", 100, "t1", is_exploration=True),
    # The same title lower down on the page, not in view; and on another page.
    tile("i2", 102, "t1", row=4, rank=0, row_kind="popular", seen=False),
    tile("i3", 50, "t1", page_id="g0", row_kind="genre"),
    # Three hours fast, so dated by receipts, which came in disorder; and a clock that is set back afterwards.
    tile("i4", 10_900, "t4", delay=-10_790),
    tile("i5", 500, "t5"),
    # Shown before midnight.
    tile("i6", -20, "t6"),
    *(tile("i7", 100, "t7", delay=delay) for delay in (1, 900, 1)),
]
ACTS = [
    act("a1", 107.25, "hover", "t1", seconds=1.5),
    # It names no place, so the topmost is taken.
    act("a2", 110, "click", "t1", **NOWHERE),
    # Nothing is known of a tile there, nor of a page.
    act("a3", 111, "details", "t1", rank=7),
    act("a4", 112, "thumbs_up", "t1", page_id=None, **NOWHERE),
    act("a5", 10_904, "click", "t4", delay=-10_799),
    act("a6", 400, "click", "t5"),
    act("a7", 5, "click", "t6"),
    # An act may bear the id of a tile: they are of two sources.
    act("i7", 110, "click", "t7"),
    *3 * [act("a8", 120, "hover", "t7")],
]


@pytest.fixture(scope="module")
def found(spark: SparkSession) -> DataFrame:
    """The rows of 3 May, beside the ids that landed."""
    events = [f"{kind}{n}" for kind in "ia" for n in range(1, 9)]
    names = spark.createDataFrame(
        [(pseudonym(IdKind.EVENT, event), event) for event in events], "event_id string, id string"
    )
    rows = interactions(
        bronze(spark, IMPRESSIONS_SOURCE, TILES),
        bronze(spark, INTERACTIONS_SOURCE, ACTS),
        keys(spark),
        date(2020, 5, 3),
        date(2020, 5, 4),
    )
    return rows.join(names, "event_id", how="left").localCheckpoint()


def assert_rows(rows: DataFrame, expected: list[tuple[Any, ...]], columns: str) -> None:
    shown = rows.select(*(part.split()[0] for part in columns.split(", ")))
    wanted = rows.sparkSession.createDataFrame(expected, columns)
    assert_df_equality(shown, wanted, ignore_row_order=True, ignore_nullable=True)


def test_an_act_stands_beside_the_tile_that_it_was_done_on(found: DataFrame) -> None:
    tile_of_it = ("trending", True, True)
    expected = [
        ("i1", "impression", 2, 3, *tile_of_it, clock(100), clock(100), None, None),
        ("i2", "impression", 4, 0, "popular", False, False, clock(102), clock(102), None, None),
        ("i3", "impression", 2, 3, "genre", False, True, clock(50), clock(50), None, None),
        ("a1", "hover", 2, 3, *tile_of_it, clock(107.25), clock(100), Decimal("7.25"), Decimal("1.5")),
        ("a2", "click", 2, 3, *tile_of_it, clock(110), clock(100), Decimal(10), None),
        ("a3", "details", 2, 7, None, None, None, clock(111), None, None, None),
        ("a4", "thumbs_up", None, None, None, None, None, clock(112), None, None, None),
    ]  # fmt: skip
    assert_rows(found.where("title_id = 't1'"), expected, SHOWN)


def test_a_wrong_clock_tells_how_long_it_took_nevertheless(found: DataFrame) -> None:
    looks = ("click", 2, 3, "trending", False, True)
    expected = [
        ("a5", *looks, clock(105), clock(110), Decimal(4), None),
        ("a6", *looks, clock(400), clock(500), None, None),
        ("a7", *looks, clock(5), clock(-20), Decimal(25), None),
    ]
    assert_rows(found.where("id IN ('a5', 'a6', 'a7')"), expected, SHOWN)


def test_of_copies_the_earliest_receipt_counts_and_no_copy_is_lost(found: DataFrame) -> None:
    expected = [
        ("i7", "impression", [], clock(100)),
        *2 * [("i7", "impression", ["duplicate"], clock(100))],
        ("i7", "click", [], clock(100)),
        ("a8", "hover", [], clock(100)),
        # What is turned away needs no tile.
        *2 * [("a8", "hover", ["duplicate"], None)],
    ]
    columns = "id string, action string, _reasons array<string>, shown_at timestamp"
    assert_rows(found.where("title_id = 't7'"), expected, columns)


def test_ids_stand_under_pseudonyms(found: DataFrame) -> None:
    (row,) = (
        found.where("id = 'a1'")
        .select("account_id", "profile_id", "device_id", "page_id")
        .collect()
    )
    landed = (
        (IdKind.ACCOUNT, "a1"),
        (IdKind.PROFILE, "p1"),
        (IdKind.DEVICE, "d1"),
        (IdKind.PAGE, "g1"),
    )
    assert tuple(row) == tuple(pseudonym(*pair) for pair in landed)


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
        place = slot if luck.random() < 0.7 else slot | NOWHERE
        for _ in range(luck.choice([1, 1, 1, 2])):
            delay = luck.choice([1, 300, 40_000]) - fast
            acts.append(act(f"a{n}", at + fast + 90, "click", f"t{n % 5}", delay=delay, **place))
    first, count = date(2020, 5, 1), 4

    def run(windows: list[tuple[date, date]], tiles: list[str], acts: list[str]) -> Any:
        inputs = {
            BRONZE_IMPRESSIONS: bronze(spark, IMPRESSIONS_SOURCE, tiles).localCheckpoint(),
            BRONZE_INTERACTIONS: bronze(spark, INTERACTIONS_SOURCE, acts).localCheckpoint(),
        }
        good, bad = written("build_interactions", inputs, windows)
        assert len(good) + len(bad) == len(tiles) + len(acts)
        return good

    whole = run([(first, first + timedelta(days=count))], tiles, acts)
    # In another order, and all of it a second time.
    tiles, acts = luck.sample(2 * tiles, 2 * len(tiles)), luck.sample(2 * acts, 2 * len(acts))
    assert run(days(first, count)[::-1], tiles, acts) == whole
