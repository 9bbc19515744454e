"""A tile is chosen when its profile pressed play on it, and every slot of a page view counts once."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

from pyspark.sql import SparkSession
from unit.tables.rows import DAY, NOON, rows, same

from cinelake.recommend.home.tiles import shown_tiles, title_exposures
from cinelake.tables.behaviour import ACCOUNTS, DEVICES
from cinelake.tables.browsing import INTERACTIONS
from cinelake.tables.home import SHOWN_TILES, TITLE_EXPOSURES
from cinelake.tables.viewing import VIEWING_SESSIONS

NEXT = DAY + timedelta(days=1)
LONG_AGO = datetime(2020, 1, 1)
BEFORE_DAWN = NOON - timedelta(hours=11)


def tile(event: str, page: str, row: int, rank: int, title: str, **more: Any) -> dict[str, Any]:
    told = {
        "event_id": event, "action_date": DAY, "account_id": "a1", "profile_id": "p1", "device_id": "d1",
        "action": "impression", "title_id": title, "page_id": page, "row": row, "rank": rank,
        "acted_at": NOON, "shown_at": NOON,
    }  # fmt: skip
    return told | more


def press(page: str, row: int, rank: int, title: str, **more: Any) -> dict[str, Any]:
    told = {
        "play_id": f"{page}{row}{rank}{more}", "profile_id": "p1", "title_id": title, "kind": "film",
        "entry": "home", "entry_row": row, "entry_rank": rank, "page_id": page,
    }  # fmt: skip
    return told | more


def test_tiles_have_their_page_their_circumstances_and_what_became_of_them(
    spark: SparkSession,
) -> None:
    late = NOON + timedelta(hours=1)
    shown = rows(
        spark,
        INTERACTIONS,
        tile("1", "A", 0, 0, "heat", row_kind="trending", was_seen=True),
        # Drawn again later, with another title: what was there first counts.
        tile("9", "A", 0, 0, "jaws", acted_at=late),
        tile("2", "A", 1, 0, "up", is_exploration=True, was_seen=False, acted_at=late),
        # Another page view, that began earlier: it comes first.
        tile("3", "B", 0, 0, "heat", acted_at=BEFORE_DAWN, device_id="d2"),
        # What is done with a tile is no tile.
        tile("4", "B", 0, 0, "heat", action="click"),
        # Not of this day.
        tile("5", "C", 0, 0, "heat", action_date=NEXT, acted_at=NOON + timedelta(days=1)),
    )
    plays = rows(
        spark,
        VIEWING_SESSIONS,
        press("A", 1, 0, "up", session_date=NEXT),
        press("A", 1, 0, "up"),
        # Of another title than was shown there, of another profile, and one that followed by itself.
        press("A", 0, 0, "jaws"),
        press("B", 0, 0, "heat", profile_id="p2"),
        press("B", 0, 0, "heat", entry="autoplay"),
    )
    accounts = rows(
        spark,
        ACCOUNTS,
        {"account_id": "a1", "effective_from": LONG_AGO, "time_zone": "Europe/Berlin"},
    )
    devices = rows(
        spark, DEVICES,
        {"account_id": "a1", "device_id": "d1", "effective_from": LONG_AGO, "kind": "console"},
    )  # fmt: skip
    common = {"profile_id": "p1", "shown_date": DAY}
    before = {"device_class": "unknown", "daypart": "night", "page_day": DAY - timedelta(days=1)}
    noon = {"device_class": "tv", "daypart": "afternoon", "page_day": DAY, "shown_at": NOON}
    expected = rows(
        spark,
        SHOWN_TILES,
        common | before
        | {"page": 1, "row": 0, "rank": 0, "title_id": "heat", "shown_at": BEFORE_DAWN, "was_seen": True},
        common | noon
        | {"page": 2, "row": 0, "rank": 0, "title_id": "heat", "row_kind": "trending", "was_seen": True},
        common | noon
        | {"page": 2, "row": 1, "rank": 0, "title_id": "up", "is_exploration": True, "is_chosen": True},
    )  # fmt: skip
    same(shown_tiles(shown, plays, accounts, devices, DAY, NEXT), expected)


def test_exposures_count_page_views_on_which_a_title_came_into_view(spark: SparkSession) -> None:
    def seen(page: int, row: int, title: str, **more: Any) -> dict[str, Any]:
        told = {"profile_id": "p1", "shown_date": DAY, "page": page, "row": row, "title_id": title}
        return told | {"was_seen": True} | more

    tiles = rows(
        spark,
        SHOWN_TILES,
        # Twice on one page.
        seen(1, 0, "heat"),
        seen(1, 3, "heat", is_chosen=True),
        seen(2, 0, "heat"),
        # Chosen, so it was seen, whatever the app says.
        seen(2, 1, "up", was_seen=False, is_chosen=True),
        seen(2, 2, "jaws", was_seen=False),
        seen(1, 0, "up", shown_date=date(2020, 5, 9)),
    )
    expected = rows(
        spark,
        TITLE_EXPOSURES,
        {"profile_id": "p1", "title_id": "heat", "shown_date": DAY, "pages": 2, "chosen": 1},
        {"profile_id": "p1", "title_id": "up", "shown_date": DAY, "pages": 1, "chosen": 1},
        {"profile_id": "p1", "title_id": "up", "shown_date": date(2020, 5, 9), "pages": 1},
    )
    same(title_exposures(tiles), expected)
