"""A service of two tastes for tests: adults watch crime at night or comedies by day, kids watch family films."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from unit.tables.rows import rows

from cinelake.audience.cells import Told
from cinelake.tables.behaviour import ACCOUNTS, PROFILES, TITLES
from cinelake.tables.contract import Table
from cinelake.tables.features import PROFILE_DAYS, TITLE_SIGNALS, WATCH_HOURS

MONDAY = date(2026, 3, 16)
LONG_AGO = datetime(2026, 1, 1)
GENRES = ("Crime", "Comedy", "Family")
Inputs = dict[Table, DataFrame]


def change(**told: Any) -> dict[str, Any]:
    return {"effective_from": LONG_AGO, "effective_date": LONG_AGO.date()} | told


def title(number: int) -> dict[str, Any]:
    genre = GENRES[number % 3]
    return change(
        title_id=f"t{number:02}", name=f"{genre} {number}", kind="film", genres=[genre],
        moods=["Tense" if genre == "Crime" else "Light"],
    )  # fmt: skip


def group_of(number: int) -> int:
    """Every third profile is a kid; of the others every other watches comedies."""
    return 2 if number % 3 == 2 else number % 2


def profile(number: int) -> dict[str, Any]:
    kind = "kid" if group_of(number) == 2 else "adult"
    return change(
        profile_id=f"p{number:02}", account_id=f"a{number // 3}", kind=kind, status="active"
    )


def watched(number: int, days: Sequence[int], titles: int = 6) -> list[dict[str, Any]]:
    """What a profile plays: titles of its genre, on these days before Monday."""
    own = [3 * ((number * 7 + n * 3) % 10) + group_of(number) for n in range(titles)]
    return [
        {
            "profile_id": f"p{number:02}", "title_id": f"t{one:02}",
            "signal_date": MONDAY - timedelta(days=days[n % len(days)]), "plays": 1, "finished": 1, "completion": 1.0,
        }
        for n, one in enumerate(dict.fromkeys(own))
    ]  # fmt: skip


def hour(number: int, ago: int) -> dict[str, Any]:
    late = group_of(number) == 0
    return {
        "profile_id": f"p{number:02}", "play_date": MONDAY - timedelta(days=ago), "starts": 4,
        "device_kind": "phone" if late else "tv", "local_weekday": 2, "local_hour": 1 if late else 13,
    }  # fmt: skip


def service(spark: SparkSession, people: int = 24) -> Inputs:
    """Rows of the tables of `Told`."""
    numbers = range(people)
    told: dict[Table, list[dict[str, Any]]] = {
        TITLE_SIGNALS: [row for n in numbers for row in watched(n, (30, 20, 12, 3, 2))],
        WATCH_HOURS: [hour(n, 20) for n in numbers],
        PROFILE_DAYS: [
            {"profile_id": f"p{n:02}", "profile_date": MONDAY - timedelta(days=20), "starts": 4, "finished": 2 + n % 2}
            for n in numbers
        ],
        TITLES: [title(n) for n in range(30)],
        PROFILES: [profile(n) for n in numbers],
        ACCOUNTS: [change(account_id=f"a{n}", market="DE", status="active") for n in range(people // 3)],
    }  # fmt: skip
    return {table: rows(spark, table, *own).localCheckpoint() for table, own in told.items()}


def told_of(inputs: Inputs) -> Told:
    """The same as the audience reads it."""
    tables = (TITLE_SIGNALS, WATCH_HOURS, PROFILE_DAYS, TITLES, PROFILES, ACCOUNTS)
    return Told(*(inputs[table] for table in tables))
