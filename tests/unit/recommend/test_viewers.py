"""Lists are made for active profiles, with what is known of them by now."""

from __future__ import annotations

from datetime import datetime

from pyspark.sql import SparkSession
from unit.tables.rows import rows, same

from cinelake.recommend.viewers import untold, viewers
from cinelake.tables.behaviour import ACCOUNTS, DEVICES, PROFILES

EARLY, LATE = datetime(2026, 3, 1), datetime(2026, 3, 2)


def test_each_active_profile_stands_beside_its_market_and_newest_device(
    spark: SparkSession,
) -> None:
    active = {"kind": "adult", "status": "active"}
    profiles = rows(
        spark,
        PROFILES,
        {"profile_id": "ann", "account_id": "a", "effective_from": EARLY, **active},
        {
            "profile_id": "ann",
            "account_id": "a",
            "effective_from": LATE,
            "maturity_limit": 16,
            "onboarding_picks": ["up"],
            **active,
        },
        {"profile_id": "bob", "account_id": "nobody told of", **active},
        {"profile_id": "eve", "account_id": "a", "kind": "adult", "status": "deleted"},
    )
    accounts = rows(
        spark,
        ACCOUNTS,
        {"account_id": "a", "market": "DE", "effective_from": EARLY},
        {"account_id": "a", "market": "FR", "effective_from": LATE},
    )
    devices = rows(
        spark,
        DEVICES,
        {"device_id": "1", "account_id": "a", "kind": "tv", "first_seen_at": LATE},
        {"device_id": "2", "account_id": "a", "kind": "phone", "first_seen_at": EARLY},
    )
    expected = spark.createDataFrame(
        [
            ("ann", "adult", 16, ["up"], "FR", "tv"),
            ("bob", "adult", None, None, None, None),
        ],
        "profile_id string, kind string, age_limit int, onboarding_picks array<string>, market string, "
        "device_kind string",
    )

    same(viewers(profiles, accounts, devices), expected)


def test_where_nobody_tells_of_profiles_all_about_them_is_unknown(spark: SparkSession) -> None:
    expected = spark.createDataFrame(
        [("ann", None, None, None, None)],
        "profile_id string, kind string, market string, device_kind string, age_limit int",
    )

    same(untold(spark.createDataFrame([("ann",)], "profile_id string")), expected)
