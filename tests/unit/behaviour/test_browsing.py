"""Browsing lasts from the first tile or search to the press of play, or to the last sign of it."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from chispa import assert_df_equality
from pyspark.sql import DataFrame, SparkSession
from unit.behaviour.silver import JOBS, days, silver, written

from cinelake.behaviour.browsing import browse_sessions
from cinelake.tables.behaviour import ACCOUNTS, DEVICES
from cinelake.tables.browsing import INTERACTIONS, SEARCHES
from cinelake.tables.contract import Table
from cinelake.tables.viewing import VIEWING_SESSIONS

MIDNIGHT = datetime(2020, 5, 3, tzinfo=UTC)
DAY = 86_400
GAP_S = 1800


def clock(seconds: float) -> datetime:
    """Seconds after midnight of 3 May."""
    return MIDNIGHT + timedelta(seconds=seconds)


class Signs:
    """What profiles did, from a few words each; times are seconds after midnight of 3 May."""

    def __init__(self) -> None:
        self.interactions: list[dict[str, Any]] = []
        self.searches: list[dict[str, Any]] = []
        self.plays: list[dict[str, Any]] = []

    def tile(
        self, who: str, at: float, page: str | None, title: str = "t1", seen: bool = True,
        action: str = "impression",
    ) -> None:  # fmt: skip
        self.interactions.append(self._who(who) | {
            "event_id": f"e{len(self.interactions)}", "action": action, "title_id": title, "page_id": page,
            "was_seen": seen, "acted_at": clock(at), "action_date": clock(at).date(),
        })  # fmt: skip

    def search(self, who: str, at: float, until: float, search: str) -> None:
        self.searches.append(self._who(who) | {
            "search_id": search, "search_date": clock(at).date(),
            "started_at": clock(at), "ended_at": clock(until),
        })  # fmt: skip

    def play(self, who: str, at: float, play: str, entry: str | None, **more: Any) -> None:
        self.plays.append(self._who(who) | {
            "play_id": play, "session_date": clock(at).date(), "title_id": "t9", "entry": entry,
            "started_at": clock(at),
        } | more)  # fmt: skip

    def _who(self, who: str) -> dict[str, Any]:
        """`p1/d1` is a profile on a device; a device is of the profile's account."""
        profile, _, device = who.partition("/")
        return {"account_id": "a1", "profile_id": profile, "device_id": device or None}

    def frames(self, spark: SparkSession) -> dict[Table, DataFrame]:
        told: list[tuple[Table, list[dict[str, Any]]]] = [
            (INTERACTIONS, self.interactions),
            (SEARCHES, self.searches),
            (VIEWING_SESSIONS, self.plays),
            (ACCOUNTS, [{"account_id": "a1", "effective_from": MIDNIGHT, "effective_date": MIDNIGHT.date(),
                         "time_zone": "Asia/Tokyo"}]),
            (DEVICES, [{"device_id": "d1", "account_id": "a1", "effective_from": MIDNIGHT,
                        "effective_date": MIDNIGHT.date(), "kind": "tv"}]),
        ]  # fmt: skip
        return {table: silver(spark, table, rows) for table, rows in told}


def scenes() -> Signs:
    s = Signs()
    # Looks at tiles, hovers, searches, and plays what the search found.
    for at, title, seen in ((100, "t1", True), (170, "t1", True), (171, "t2", False)):
        s.tile("p1/d1", at, "g1", title, seen)
    s.tile("p1/d1", 175, "g1", action="hover")
    s.search("p1/d1", 180, 190, "q1")
    s.play("p1/d1", 200.5, "v1", "search")
    # After the play it begins anew; an episode that follows by itself is no sign; then nothing, so it was an exit.
    s.tile("p1/d1", 210, "g2")
    s.play("p1/d1", 215, "v2", "autoplay")
    s.tile("p1/d1", 230, "g3", "t3")
    # A second more than the gap later; and a play that is too late for it.
    s.tile("p1/d1", 230 + GAP_S + 1, "g4")
    s.play("p1/d1", 230 + 2 * GAP_S + 3, "v3", "home", entry_row=1, entry_rank=2)
    # Another device at the same time, and one that does not say which it is.
    s.tile("p1/d2", 101, "g5")
    s.play("p1/d2", 111, "v4", "home", entry_row=1, entry_rank=2)
    s.tile("p1", 102, "g6")
    # Across midnight, in and out of the day.
    s.tile("p2/d1", -30, "g7")
    s.tile("p2/d1", 30, "g7")
    s.tile("p2/d1", DAY - 30, "g8")
    s.play("p2/d1", DAY + 30, "v5", None, episode_id="s1")
    # No browsing: a press from a notification, and a thumb after it.
    s.play("p3/d1", 500, "v6", "deep_link")
    s.tile("p3/d1", 600, None, action="thumbs_up")
    return s


@pytest.fixture(scope="module")
def found(spark: SparkSession) -> DataFrame:
    frames = scenes().frames(spark)
    start = MIDNIGHT.date()
    tables = (INTERACTIONS, SEARCHES, VIEWING_SESSIONS, ACCOUNTS, DEVICES)
    inputs = (frames[table] for table in tables)
    return browse_sessions(*inputs, start, start + timedelta(days=1), GAP_S).localCheckpoint()


def test_a_session_ends_with_a_play_or_with_its_last_sign(found: DataFrame) -> None:
    expected = [
        ("p1", "d1", clock(100), Decimal("100.5"), 1, 1, 1, 1, "play", "v1", "t9", None, "search", None),
        ("p1", "d1", clock(210), Decimal(20), 2, 2, 0, 0, "exit", None, None, None, None, None),
        ("p1", "d1", clock(231 + GAP_S), Decimal(0), 1, 1, 0, 0, "exit", None, None, None, None, None),
        ("p1", "d2", clock(101), Decimal(10), 1, 1, 0, 0, "play", "v4", "t9", None, "home", 1),
        ("p1", None, clock(102), Decimal(0), 1, 1, 0, 0, "exit", None, None, None, None, None),
        ("p2", "d1", clock(DAY - 30), Decimal(60), 1, 1, 0, 0, "play", "v5", "t9", "s1", None, None),
    ]  # fmt: skip
    columns = (
        "profile_id string, device_id string, started_at timestamp, seconds_browsing decimal(12,3), page_views int, "
        "titles_seen int, acts int, searches int, outcome string, play_id string, title_id string, "
        "episode_id string, entry string, entry_row int"
    )
    assert_df_equality(
        found.select(*(part.split()[0] for part in columns.split(", "))),
        found.sparkSession.createDataFrame(expected, columns),
        ignore_row_order=True,
        ignore_nullable=True,
    )


def test_it_knows_the_device_and_the_time_of_the_viewer(found: DataFrame) -> None:
    rows = found.where("profile_id = 'p2' OR device_id = 'd2'")
    columns = (
        "device_kind string, local_date date, local_hour int, local_weekday int, session_date date"
    )
    # 3 May 2020 was a Sunday; Tokyo is nine hours ahead.
    expected = [
        ("tv", date(2020, 5, 4), 8, 1, date(2020, 5, 3)),
        (None, date(2020, 5, 3), 9, 7, date(2020, 5, 3)),
    ]
    assert_df_equality(
        rows.select(*(part.split()[0] for part in columns.split(", "))),
        found.sparkSession.createDataFrame(expected, columns),
        ignore_row_order=True,
        ignore_nullable=True,
    )


@pytest.mark.thorough
def test_any_windows_and_any_arrival_give_the_same_rows(spark: SparkSession) -> None:
    luck = random.Random(11)
    signs = Signs()
    for n in range(250):
        at = luck.uniform(-DAY, 3 * DAY)
        who = luck.choice(["p1/d1", "p1/d2", "p2/d1", "p2"])
        kind = luck.random()
        if kind < 0.7:
            signs.tile(who, at, f"g{n // 2}", f"t{n % 7}")
        elif kind < 0.85:
            signs.search(who, at, at + luck.choice([5, 60_000]), f"q{n}")
        else:
            signs.play(who, at, f"v{n}", luck.choice(["home", "autoplay", None]))
    # One that never falls silent, and one at whole half days, each for days.
    for n in range(-72, 216):
        signs.tile("p3/d1", 1200 * n + 7, f"k{n}")
    for n in range(-8, 24):
        signs.tile("p4/d1", 10_800 * n, f"m{n}")
    first, count = date(2020, 5, 1), 5
    params = JOBS["build_browse_sessions"].params(gap_s=14_400)  # type: ignore[call-arg]

    def run(windows: list[tuple[date, date]]) -> list[str]:
        frames = {table: frame.localCheckpoint() for table, frame in signs.frames(spark).items()}
        good, bad = written("build_browse_sessions", frames, windows, params)
        assert not bad
        return good

    whole = run([(first, first + timedelta(days=count))])
    for rows in (signs.interactions, signs.searches, signs.plays):
        luck.shuffle(rows)
    assert run(days(first, count)[::-1]) == whole
    # It is cut at noon and at midnight, once twelve hours are over.
    cuts = sorted(row.partition('"started_at":"')[2][:16] for row in whole if '"p4"' in row)
    assert cuts[:4] == [
        "2020-05-02T00:00",
        "2020-05-02T12:00",
        "2020-05-03T00:00",
        "2020-05-03T12:00",
    ]
