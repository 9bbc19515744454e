"""Who lists are made for.

Grain of the result: one row per active profile. What its account or the catalogue of devices does not say is null, and
who reads it decides what that means (eligibility.py: nothing is shown).
"""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from cinelake.behaviour.history import latest

# A profile whose market, kind or device nobody knows.
UNKNOWN = "unknown"


def viewers(profiles: DataFrame, accounts: DataFrame, devices: DataFrame) -> DataFrame:
    """`profile_id, kind, age_limit int, onboarding_picks array<string>, market, device_kind`, from the newest
    change rows of profiles, accounts and devices.

    The device is the one with which the account was first seen last: what a new household just plugged in.
    """
    people = latest(
        profiles, ["profile_id"],
        "account_id", "kind", "maturity_limit", "onboarding_picks", "status",
    ).where("status = 'active'")  # fmt: skip
    contracts = latest(accounts, ["account_id"], "market")
    known = latest(devices, ["device_id", "account_id"], "kind", "first_seen_at")
    newest = known.groupBy("account_id").agg(
        F.max_by("kind", F.struct("first_seen_at", "device_id")).alias("device_kind")
    )
    return (
        people.join(contracts, on="account_id", how="left")
        .join(newest, on="account_id", how="left")
        .select(
            "profile_id",
            "kind",
            F.col("maturity_limit").alias("age_limit"),
            "onboarding_picks",
            "market",
            "device_kind",
        )
    )


def untold(profiles: DataFrame) -> DataFrame:
    """The rows with what nobody knows of a profile where a service tells of none."""
    unknown = {"kind": "string", "market": "string", "device_kind": "string", "age_limit": "int"}
    return profiles.select("*", *(F.lit(None).cast(of).alias(name) for name, of in unknown.items()))
