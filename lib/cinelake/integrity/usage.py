"""What each device of an account did on a day, where: the daily partial that households are told from.

Grain: that of `usage_days`. Numbers are integers and bit masks, so that days add up exactly in any order. A play counts
from its first frame. The hours that a play touched end at midnight: what it does on the next day is told nowhere. Of
titles their genres alone are kept, as the catalogue told them when the play began: a film or series counts once,
however often it or its episodes were played, and one without genres counts for none.
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from cinelake.behaviour.history import as_of, days_told, earliest_told
from cinelake.behaviour.titles import words
from cinelake.integrity.networks import network, or_unknown

KEY = ("account_id", "use_date", "device_id", "profile_id", "network", "connection", "country", "region")  # fmt: skip
SATURDAY = 6


def usage_days(sessions: DataFrame, devices: DataFrame, titles: DataFrame) -> DataFrame:
    """Rows of `usage_days` of viewing sessions; devices and titles are change rows, as their tables hold them."""
    seen = days_told(devices, ["account_id", "device_id"], "first_seen_at")
    played = sessions.where(F.col("first_frame_at").isNotNull())
    said = titles.select("title_id", "effective_from", F.col("genres").alias("_genres"))
    plays = as_of(played, said, ["title_id"], "started_at").select(
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
        F.struct("title_id", F.coalesce("_genres", F.array()).alias("genres")).alias("film"),
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
        _by_genre(F.collect_set("film")).alias("genres"),
        F.count_if(F.col("local_weekday") >= SATURDAY).alias("weekend_plays"),
        F.bit_or("hours").alias("hours"),
        F.min("started_at").alias("first_at"),
        F.max("started_at").alias("last_at"),
    )
    return summed.join(seen, on=["account_id", "device_id"], how="left").select(
        *summed.columns,
        earliest_told(F.col("first_seen_at"), F.col("use_date")).alias("device_since"),
    )


def _by_genre(films: Column) -> Column:
    """`array<struct<genre, titles>>` in order of genres, of distinct `struct<title_id, genres>`."""
    named = F.flatten(F.transform(films, lambda film: words(film["genres"])))
    return F.transform(
        F.array_sort(F.array_distinct(named)),
        lambda genre: F.struct(
            genre.alias("genre"),
            F.size(F.filter(named, lambda each: each == genre)).cast("bigint").alias("titles"),
        ),
    )


def _hours() -> Column:
    """Bit h for every hour h of the day from the start to the end of a play, or to midnight."""
    ends_later = F.to_date("ended_at") > F.col("session_date")
    last = F.when(ends_later, 23).otherwise(F.hour("ended_at"))
    below = F.lit(1).cast("bigint")
    return F.call_function("shiftleft", below, last + 1) - F.call_function(
        "shiftleft", below, F.hour("started_at")
    )
