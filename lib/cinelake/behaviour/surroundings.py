"""What stood around something that a viewer did: the kind of the device, and the time on the viewer's own clock.

Device and account are taken as they stood when the day ended, for a client
whose clock is slow acts before its account exists. Local time is that of the account's time zone, which may not be
where the viewer is; without a known zone UTC counts.
"""

from __future__ import annotations

from zoneinfo import available_timezones

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from cinelake.behaviour.history import EFFECTIVE_FROM, as_of

# What tells one account, and one device, from another; under the pseudonyms of silver.
ACCOUNT, DEVICE = ("account_id",), ("device_id", "account_id")


def end_of(day: str) -> Column:
    """The last moment of a day column."""
    return F.expr(f"CAST({day} AS TIMESTAMP) + INTERVAL '1' DAY - INTERVAL '1' MICROSECOND")


def with_surroundings(
    frame: DataFrame, accounts: DataFrame, devices: DataFrame, day: str
) -> DataFrame:
    """Rows with `device_kind`, `time_zone` and the local time of their `started_at`; `day` is their UTC day.

    `accounts` and `devices` are the change rows, as their tables hold them.
    """
    # Spark fails on a zone that it does not know; such a one counts as none.
    is_known = F.col("time_zone").isin(*sorted(available_timezones()))
    zones = accounts.select(
        *ACCOUNT, EFFECTIVE_FROM, F.when(is_known, F.col("time_zone")).alias("time_zone")
    )
    kinds = devices.select(*DEVICE, EFFECTIVE_FROM, F.col("kind").alias("device_kind"))
    placed = frame.select("*", end_of(day).alias("_at"))
    for changes, key in ((kinds, DEVICE), (zones, ACCOUNT)):
        placed = as_of(placed, changes, on=key, at="_at").drop(EFFECTIVE_FROM)
    local = F.from_utc_timestamp("started_at", F.coalesce("time_zone", F.lit("UTC")))
    return placed.drop("_at").select(
        "*",
        local.cast("date").alias("local_date"),
        F.hour(local).alias("local_hour"),
        (F.weekday(local) + 1).alias("local_weekday"),
    )
