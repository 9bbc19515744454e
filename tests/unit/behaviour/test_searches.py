"""What is typed on one visit to the search page becomes one search, with what came of it."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from chispa import assert_df_equality
from pyspark.sql import DataFrame, SparkSession
from unit.behaviour.bronze import bronze, keys, landed_line, pseudonym
from unit.behaviour.silver import days, silver, written
from unit.behaviour.told import Told

from cinelake.behaviour.identity import IdKind
from cinelake.behaviour.searches import Lives, searches
from cinelake.sources.searches import SEARCHES_SOURCE
from cinelake.tables.behaviour import ACCOUNTS, DEVICES
from cinelake.tables.ingest import BRONZE_SEARCHES
from cinelake.tables.viewing import VIEWING_SESSIONS

MIDNIGHT = datetime(2020, 5, 3, tzinfo=UTC)
DAY = 86_400
ACCOUNT, PROFILE, DEVICE = (
    pseudonym(kind, text)
    for kind, text in ((IdKind.ACCOUNT, "a1"), (IdKind.PROFILE, "p1"), (IdKind.DEVICE, "d1"))
)


def clock(seconds: float) -> datetime:
    """Seconds after midnight of 3 May."""
    return MIDNIGHT + timedelta(seconds=seconds)


def typed(
    search: str, number: int, at: float, query: str, results: int = 5, *, delay: float = 1, **more: Any
) -> str:  # fmt: skip
    """A snapshot; `more` may name what was clicked."""
    times = {"event_time": clock(at), "received_at": clock(at + delay)}
    payload = {
        "account_id": "a1", "profile_id": "p1", "device_id": "d1", "search_id": search, "snapshot": number,
        "query": query, "results": results,
    }  # fmt: skip
    texts = {name: time.isoformat() for name, time in times.items()}
    return landed_line(f"{search}-{number}-{query}", "3", **(payload | texts | more))


def play(play_id: str, at: float, title: str, **more: Any) -> dict[str, Any]:
    return {
        "play_id": play_id, "profile_id": PROFILE, "title_id": title, "entry": "search",
        "started_at": clock(at), "session_date": clock(at).date(),
    } | more  # fmt: skip


def click(title: str, rank: int) -> dict[str, Any]:
    return {"clicked_title_id": title, "clicked_rank": rank}


SNAPSHOTS = [
    # Mistyped, taken back, and found; the snapshots came in disorder, one of them twice.
    typed("q1", 3, 109, "Har", 4, **click("t1", 2)),
    typed("q1", 0, 100, "Ha", 9),
    typed("q1", 1, 103, "Hab", 0),
    typed("q1", 1, 103, "Hab", 0, delay=800),
    typed("q1", 2, 106, "Ha", 9),
    # Begun anew twice, and taken back letter by letter, which is one change.
    typed("q2", 0, 200, "news", 0),
    typed("q2", 1, 205, "casts", 3, is_zero_results=False),
    typed("q2", 2, 206, "cast", 3),
    typed("q2", 3, 207, "cas", 3),
    typed("q2", 4, 209, "glass", 0, is_zero_results=True),
    # Three hours fast: dated by receipts. What was chosen was played too late.
    typed("q3", 0, 11_100, "al", delay=-10_795),
    typed("q3", 1, 11_104, "ali", delay=-10_760, **click("t3", 0)),
    # Across midnight, played on another device.
    typed("q4", 0, DAY - 5, "br"),
    typed("q4", 1, DAY + 5, "bra", **click("t4", 1)),
    # Of the day before.
    typed("q5", 0, -5, "br"),
    typed("q5", 1, 5, "bra"),
    # An id that comes back after two hours.
    typed("q6", 0, 400, "a"),
    typed("q6", 0, 7600, "b"),
]
PLAYS = [
    # Not pressed, or not what was chosen, or somebody else; and then the one.
    play("v0", 110, "t1", entry="autoplay"),
    play("v1", 111, "t9"),
    play("v2", 112, "t1", profile_id="another"),
    play("v3", 113, "t1", entry=None),
    play("v4", 114, "t1"),
    play("v5", 345 + 601, "t3"),
    play("v6", DAY + 20, "t4", device_id="another"),
]


@pytest.fixture(scope="module")
def beside(spark: SparkSession) -> Lives:
    since = {"effective_from": MIDNIGHT, "effective_date": MIDNIGHT.date(), "account_id": ACCOUNT}
    return Lives(
        silver(spark, VIEWING_SESSIONS, PLAYS),
        silver(spark, ACCOUNTS, [since | {"time_zone": "Asia/Tokyo"}]),
        silver(spark, DEVICES, [since | {"device_id": DEVICE, "kind": "tv"}]),
    )


@pytest.fixture(scope="module")
def found(spark: SparkSession, beside: Lives) -> DataFrame:
    """The searches of 3 May, beside the ids that landed."""
    landed = spark.createDataFrame(
        [(pseudonym(IdKind.SEARCH, f"q{n}"), f"q{n}") for n in range(1, 7)],
        "search_id string, id string",
    )
    start = MIDNIGHT.date()
    told = Told()
    rows = searches(
        bronze(spark, SEARCHES_SOURCE, SNAPSHOTS),
        beside, keys(spark), start, start + timedelta(days=1), 600, told,
    )  # fmt: skip
    made = rows.join(landed, "search_id", how="left").localCheckpoint()
    # All but one of the day before and one of the day after; of q1 one came twice.
    assert told.fates() == {("searches", "kept"): len(SNAPSHOTS) - 3, ("searches", "duplicate"): 1}
    return made


def assert_rows(rows: DataFrame, expected: list[tuple[Any, ...]], columns: str) -> None:
    shown = rows.select(*(part.split()[0] for part in columns.split(", ")))
    wanted = rows.sparkSession.createDataFrame(expected, columns)
    assert_df_equality(shown, wanted, ignore_row_order=True, ignore_nullable=True)


def test_a_search_is_what_was_typed_last_and_how_it_came_to_that(found: DataFrame) -> None:
    expected = [
        ("q1", clock(100), "Har", 4, 1, 5, 4, False, True),
        ("q2", clock(200), "glass", 5, 3, 13, 0, True, True),
        ("q3", clock(305), "ali", 2, 0, 3, 5, False, False),
        ("q4", clock(DAY - 5), "bra", 2, 0, 3, 5, False, False),
        ("q6", clock(400), "a", 1, 0, 1, 5, False, False),
        ("q6", clock(7600), "b", 1, 0, 1, 5, False, False),
    ]
    columns = (
        "id string, started_at timestamp, query string, snapshots int, refinements int, keystrokes int, "
        "results int, is_zero_results boolean, had_zero_results boolean"
    )
    assert_rows(found, expected, columns)


def test_what_was_chosen_counts_as_played_if_its_profile_pressed_play_soon(
    found: DataFrame,
) -> None:
    expected = [
        ("q1", "t1", 2, clock(109), Decimal(9), True, "v3"),
        ("q2", None, None, None, None, False, None),
        # It took four seconds, whatever the network made of it.
        ("q3", "t3", 0, clock(344), Decimal(4), False, None),
        ("q4", "t4", 1, clock(DAY + 5), Decimal(10), True, "v6"),
    ]
    columns = (
        "id string, clicked_title_id string, clicked_rank int, clicked_at timestamp, "
        "seconds_to_click decimal(12,3), is_played boolean, play_id string"
    )
    assert_rows(found.where("id <> 'q6'"), expected, columns)


def test_it_stands_under_pseudonyms_beside_the_device_and_the_time_of_the_viewer(
    found: DataFrame,
) -> None:
    expected = [
        ("q4", ACCOUNT, PROFILE, DEVICE, "tv", date(2020, 5, 3), date(2020, 5, 4), 8, 1),
    ]
    columns = (
        "id string, account_id string, profile_id string, device_id string, device_kind string, search_date date, "
        "local_date date, local_hour int, local_weekday int"
    )
    assert_rows(found.where("id = 'q4'"), expected, columns)


@pytest.mark.thorough
def test_any_windows_and_any_arrival_give_the_same_rows(spark: SparkSession, beside: Lives) -> None:
    luck = random.Random(3)
    snapshots: list[str] = []
    pressed = list(PLAYS)
    for n in range(60):
        begun = luck.choice([-1, 0, 1]) * DAY + luck.choice([-20, 3000, 50_000])
        fast = luck.choice([0, 0, 30_000])
        for number in range(luck.randint(1, 6)):
            at = begun + 10 * number + luck.choice([0, 0, 0, 5000])
            more = click(f"t{n % 5}", number) if luck.random() < 0.3 else {}
            for _ in range(luck.choice([1, 1, 1, 2, 3])):
                delay = luck.choice([1, 900, 45_000]) - fast
                text = "abc"[: luck.randint(0, 3)] + str(number)
                snapshots.append(
                    typed(f"r{n}", number, at + fast, text, number, delay=delay, **more)
                )
        pressed.append(play(f"w{n}", begun + luck.randint(0, 900), f"t{n % 5}"))
    # One that is never done.
    snapshots += [typed("endless", n, 1800 * n - DAY, "a" * (n % 9)) for n in range(144)]
    first, count = date(2020, 5, 1), 5

    def run(windows: list[tuple[date, date]], lines: list[str], plays: list[Any]) -> list[str]:
        inputs = {
            BRONZE_SEARCHES: bronze(spark, SEARCHES_SOURCE, lines).localCheckpoint(),
            VIEWING_SESSIONS: silver(spark, VIEWING_SESSIONS, plays),
            ACCOUNTS: beside.accounts,
            DEVICES: beside.devices,
        }
        good, bad = written("build_searches", inputs, windows)
        assert not bad
        return good

    whole = run([(first, first + timedelta(days=count))], snapshots, pressed)
    luck.shuffle(snapshots)
    luck.shuffle(pressed)
    assert run(days(first, count)[::-1], snapshots, pressed) == whole
