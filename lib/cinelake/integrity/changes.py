"""Changes of plan and profiles: what somebody who came in may do next, and what families do now and then.

Grain of `account_changes`: one account, day and sort of change. An account's first plan, and profiles that were made on
the day on which it signed up, are no changes. Which profile it was and what became of it is not kept: that something
changed soon after somebody logged in with a new device is what counts, and families change things, too, above all when
a new telephone is set up. So the risk of that log-in counts beside it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from cinelake.behaviour.history import days_told, earliest_told

PLAN, PROFILE = "plan", "profile"
# Days after a log-in, its own included, in which a change is put down to it.
SOON = 7


def account_changes(accounts: DataFrame, profiles: DataFrame) -> DataFrame:
    """`account_id, changed_on, what`; both are change rows, as their tables hold them."""
    in_time = Window.partitionBy("account_id").orderBy("effective_from")
    plans = accounts.select(
        "account_id",
        F.col("effective_date").alias("changed_on"),
        (F.col("plan") != F.lag("plan").over(in_time)).alias("_is_changed"),
    ).where("_is_changed")
    # Of accounts of which nothing is known nobody knows which profiles came with the sign-up.
    began = earliest_told(F.col("signed_up_at"), F.col("effective_date"))
    later = profiles.join(sign_ups(accounts), on="account_id", how="inner").where(
        F.col("effective_date") > began
    )
    return (
        plans.select("account_id", "changed_on", F.lit(PLAN).alias("what"))
        .unionByName(
            later.select(
                "account_id",
                F.col("effective_date").alias("changed_on"),
                F.lit(PROFILE).alias("what"),
            )
        )
        .distinct()
    )


def sign_ups(accounts: DataFrame) -> DataFrame:
    """`account_id, signed_up_at` of change rows of accounts: `days_told`."""
    return days_told(accounts, ["account_id"], "signed_up_at")


def changes(
    log_ins: Sequence[Mapping[str, Any]], changed: Sequence[Mapping[str, Any]]
) -> dict[str, float]:
    """What is told of changes of an account after a party's successful log-ins; without either nothing.

    `changed` are the account's rows of `account_changes`.
    """
    new = [row for row in log_ins if row["is_new_device"]]
    # A log-in that is more usual than not speaks for nothing here.
    before = [
        row["risk"]
        for row in log_ins
        if row["risk"] > 0 and any(_follows(row["attempt_date"], each) for each in changed)
    ]

    def after_new(what: str) -> float:
        return float(
            any(
                _follows(row["attempt_date"], each)
                for row in new
                for each in changed
                if each["what"] == what
            )
        )

    return {
        "plan_changed_after": after_new(PLAN),
        "profile_changed_after": after_new(PROFILE),
        "risk_before_change": min(max(before, default=0.0), 12.0) / 4,
    }


def _follows(came_on: date, change: Mapping[str, Any]) -> bool:
    changed_on: date = change["changed_on"]
    return 0 <= (changed_on - came_on).days < SOON
