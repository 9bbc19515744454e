"""Changes of plan and profiles, and whether they follow a log-in."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from unit.tables.rows import rows, same

from cinelake.integrity.changes import account_changes, changes, sign_ups
from cinelake.integrity.parties import account_parties
from cinelake.tables.behaviour import ACCOUNTS, PROFILES
from cinelake.tables.integrity import LOG_IN_RISKS, USAGE_DAYS

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


def test_when_an_account_began_is_known_from_the_day_on_which_it_is_told(
    spark: SparkSession,
) -> None:
    accounts = rows(spark, ACCOUNTS, {"account_id": "a", "signed_up_at": SIGNED_UP} | at(10))
    profile = {"account_id": "a", "profile_id": "owner"}
    profiles = rows(spark, PROFILES, profile | at(9), profile | at(10))
    expected = spark.createDataFrame(
        [("a", date(2026, 3, 11))], "account_id string, changed_on date"
    )
    same(account_changes(accounts, profiles), expected)


def test_an_account_is_registered_late_until_the_day_on_which_its_sign_up_is_told(
    spark: SparkSession,
) -> None:
    accounts = rows(spark, ACCOUNTS, {"account_id": "a", "signed_up_at": SIGNED_UP} | at(3))
    registered = {"account_id": "a", "device_since": SIGNED_UP.date(), "plays": 1}
    usage = rows(
        spark,
        USAGE_DAYS,
        *(registered | {"use_date": at(day)["effective_date"]} for day in (2, 3)),
        *(
            registered | {"use_date": at(day)["effective_date"], "device_id": "y", "network": "y"}
            for day in (2, 3)
        ),
    )
    start = SIGNED_UP.date()
    nothing, none = rows(spark, LOG_IN_RISKS), account_changes(accounts, rows(spark, PROFILES))

    def made(first: int, last: int) -> DataFrame:
        days = start + timedelta(days=first), start + timedelta(days=last)
        until = accounts.where(F.col("effective_date") < F.lit(days[1]))
        return account_parties(usage, nothing, none, sign_ups(until), *days).localCheckpoint()

    both = made(2, 4)
    same(both, made(2, 3).unionByName(made(3, 4)))
    told = "as_of", "filter(features, f -> f.name = 'registered_late')[0].value AS is_late"
    expected = spark.createDataFrame(
        [(at(2)["effective_date"], 1.0), (at(3)["effective_date"], 0.0)],
        "as_of date, is_late double",
    )
    same(both.where("NOT is_home").selectExpr(*told), expected)


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
