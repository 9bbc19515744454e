"""Changes of plan and profiles, and whether they follow a log-in."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

from pyspark.sql import SparkSession
from unit.tables.rows import rows, same

from cinelake.integrity.changes import account_changes, changes
from cinelake.tables.behaviour import ACCOUNTS, PROFILES

SIGNED_UP = datetime(2026, 3, 1, 9)
DAY = date(2026, 3, 20)


def at(day: int, hour: int = 12) -> dict[str, Any]:
    moment = SIGNED_UP.replace(hour=hour) + timedelta(days=day)
    return {"effective_from": moment, "effective_date": moment.date()}


def test_what_came_with_the_sign_up_is_no_change(spark: SparkSession) -> None:
    account = {"account_id": "a", "signed_up_at": SIGNED_UP, "plan": "basic"}
    accounts = rows(
        spark,
        ACCOUNTS,
        account | at(0),
        # A payment that failed, and then a larger plan.
        account | at(7) | {"payment_outcome": "failed"},
        account | at(9) | {"plan": "premium"},
    )
    profiles = rows(
        spark,
        PROFILES,
        {"account_id": "a", "profile_id": "owner"} | at(0, 10),
        {"account_id": "a", "profile_id": "owner", "language": "es"} | at(9),
        {"account_id": "a", "profile_id": "guest"} | at(9, 20),
        # Nobody knows when this account began.
        {"account_id": "b", "profile_id": "other"} | at(3),
    )
    expected = spark.createDataFrame(
        [("a", date(2026, 3, 10), "plan"), ("a", date(2026, 3, 10), "profile")],
        "account_id string, changed_on date, what string",
    )
    found = account_changes(accounts, profiles)
    same(found, expected)


def log_in(day: int, risk: float = 5.0, is_new_device: bool = True) -> dict[str, Any]:
    return {
        "attempt_date": DAY + timedelta(days=day),
        "risk": risk,
        "is_new_device": is_new_device,
    }


def change(day: int, what: str) -> dict[str, Any]:
    return {"changed_on": DAY + timedelta(days=day), "what": what}


def test_a_change_of_plan_or_profile_after_a_strange_log_in_is_told() -> None:
    told = changes([log_in(0), log_in(2, 9.0)], [change(3, "plan")])
    assert told == {
        "plan_changed_after": 1,
        "profile_changed_after": 0,
        "risk_before_change": 2.25,
    }
    assert changes([log_in(0)], [change(0, "profile")])["profile_changed_after"] == 1


def test_a_change_before_a_log_in_or_long_after_is_nobody_s() -> None:
    nothing = dict.fromkeys(changes([], []), 0.0)
    for day in (-1, 7):
        assert changes([log_in(0)], [change(day, "plan"), change(day, "profile")]) == nothing


def test_who_logs_in_again_as_usual_and_changes_something_is_no_stranger() -> None:
    told = changes([log_in(0, risk=-2.0, is_new_device=False)], [change(1, "profile")])
    assert set(told.values()) == {0.0}
