"""What each device of an account did on a day, where: the daily partial that households are told from.

Grain: that of `usage_days`. Numbers are integers and bit masks, so that days add up exactly in any order. A play counts
from its first frame. The hours that a play touched end at midnight: what it does on the next day is told nowhere.
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from cinelake.integrity.networks import network, or_unknown

KEY = ("account_id", "use_date", "device_id", "profile_id", "network", "connection", "country", "region")  # fmt: skip
SATURDAY = 6


def usage_days(sessions: DataFrame, devices: DataFrame) -> DataFrame:
    """Rows of `usage_days` of viewing sessions; `devices` are change rows, as their table holds them."""
    since = devices.groupBy("account_id", "device_id").agg(
        F.to_date(F.min("first_seen_at")).alias("device_since")
    )
    plays = sessions.where(F.col("first_frame_at").isNotNull()).select(
        "account_id",
        F.col("session_date").alias("use_date"),
        "device_id",
        "profile_id",
        network(),
        *(or_unknown(name) for name in ("connection", "country", "region", "device_kind")),
        "asn",
        "seconds_watched",
        "is_finished",
        (F.col("entry") == "deep_link").alias("unasked"),
        F.coalesce("episode_id", "title_id").alias("title"),
        "local_weekday",
        "started_at",
        _hours().alias("hours"),
    )
    summed = plays.groupBy(*KEY).agg(
        F.min("device_kind").alias("device_kind"),
        F.min("asn").alias("asn"),
        F.count("*").alias("plays"),
        F.sum((F.col("seconds_watched") * 1000).cast("bigint")).alias("played_ms"),
        F.count_if("is_finished").alias("finished"),
        F.count_if(F.coalesce("unasked", F.lit(False))).alias("unasked"),
        F.count_distinct("title").alias("titles"),
        F.count_if(F.col("local_weekday") >= SATURDAY).alias("weekend_plays"),
        F.bit_or("hours").alias("hours"),
        F.min("started_at").alias("first_at"),
        F.max("started_at").alias("last_at"),
    )
    return summed.join(since, on=["account_id", "device_id"], how="left")


def _hours() -> Column:
    """Bit h for every hour h of the day from the start to the end of a play, or to midnight."""
    ends_later = F.to_date("ended_at") > F.col("session_date")
    last = F.when(ends_later, 23).otherwise(F.hour("ended_at"))
    below = F.lit(1).cast("bigint")
    return F.call_function("shiftleft", below, last + 1) - F.call_function(
        "shiftleft", below, F.hour("started_at")
    )
