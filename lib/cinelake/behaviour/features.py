"""Daily sums of what profiles do with titles.

Grain: a day each; see the tables in `tables/features.py`. Counts are integers and seconds decimals, and what is no
sum is a greatest value, so that the days of any period add up to the same in any order.

A play counts from its first frame on: a press of play that came to nothing says nothing about the title.
"""

from __future__ import annotations

from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from cinelake.tables.features import SECONDS

# What is done with a title and says something about it; a tile that was shown or passed over is counted elsewhere.
ACTS = {
    "click": "clicks",
    "details": "details",
    "hover": "hovers",
    "thumbs_up": "thumbs_up",
    "thumbs_down": "thumbs_down",
    "add_my_list": "added_to_list",
    "remove_my_list": "removed_from_list",
    "not_interested": "not_interested",
}
_MINUTE_S = 60
UNKNOWN = "unknown"


def title_signals(sessions: DataFrame, interactions: DataFrame, ratings: DataFrame) -> DataFrame:
    """What each profile told of each title on each day: plays, acts, and the last rating."""
    who = ("profile_id", "title_id")
    played = sessions.where(_has_started()).select(
        *who,
        F.col("session_date").alias("signal_date"),
        "seconds_watched",
        "seconds_rewatched",
        "completion",
        "is_finished",
    )
    done = interactions.where(F.col("action").isin(*ACTS)).select(
        *who, F.col("action_date").alias("signal_date"), "action"
    )
    # Of ratings given in the same instant the higher one counts, whatever their order.
    rated = ratings.select(
        *who,
        F.col("rating_date").alias("signal_date"),
        F.struct("rated_at", "rating").alias("judgement"),
    )
    told = reduce(
        lambda one, other: one.unionByName(other, allowMissingColumns=True), (played, done, rated)
    )
    summed = told.groupBy(*who, "signal_date").agg(
        F.count("is_finished").alias("plays"),
        _seconds("seconds_watched"),
        _seconds("seconds_rewatched"),
        F.count_if("is_finished").alias("finished"),
        F.max("completion").alias("completion"),
        *(F.count_if(F.col("action") == act).alias(name) for act, name in ACTS.items()),
        F.max("judgement").alias("judgement"),
    )
    return summed.select("*", "judgement.rating", "judgement.rated_at").drop("judgement")


def title_days(sessions: DataFrame) -> DataFrame:
    """How each film or episode was watched on each day."""
    key = ("watched_id", "title_id", "play_date")
    started = _has_started()
    plays = sessions.select(
        F.coalesce("episode_id", "title_id").alias("watched_id"),
        "title_id",
        F.col("session_date").alias("play_date"),
        F.when(started, F.col("profile_id")).alias("viewer"),
        started.alias("started"),
        "seconds_watched",
        "seconds_rewatched",
        (started & F.col("is_finished")).alias("finished"),
        F.when(started, F.col("completion")).alias("completion"),
        "went_back_to_s",
    )
    summed = plays.groupBy(*key).agg(
        F.count("*").alias("attempts"),
        F.count_if("started").alias("starts"),
        F.count_distinct("viewer").alias("viewers"),
        _seconds("seconds_watched"),
        _seconds("seconds_rewatched"),
        F.count_if("finished").alias("finished"),
        # A tenth as a fraction: .1 * 3 is more than .3.
        F.array(*(F.count_if(F.col("completion") * 10 >= step) for step in range(1, 11))).alias(
            "reached"
        ),
        F.count("completion").alias("measured"),
    )
    back = plays.select(*key, F.explode("went_back_to_s").alias("second")).select(
        *key, F.floor(F.col("second") / _MINUTE_S).cast("int").alias("minute")
    )
    by_minute = back.groupBy(*key, "minute").agg(F.count("*").alias("times"))
    hot = by_minute.groupBy(*key).agg(
        F.array_sort(F.collect_list(F.struct("minute", "times"))).alias("went_back_to")
    )
    none = F.array().cast("array<struct<minute:int,times:bigint>>")
    return summed.join(hot, on=list(key), how="left").select(
        *summed.columns, F.coalesce("went_back_to", none).alias("went_back_to")
    )


def watch_hours(sessions: DataFrame) -> DataFrame:
    """When, and on what, each profile started to watch."""
    key = ("profile_id", "play_date", "device_kind", "local_weekday", "local_hour")
    return (
        sessions.where(_has_started())
        .select(
            "profile_id",
            F.col("session_date").alias("play_date"),
            F.coalesce("device_kind", F.lit(UNKNOWN)).alias("device_kind"),
            "local_weekday",
            "local_hour",
            "seconds_watched",
            (F.col("binge_position") > 0).alias("binged"),
        )
        .groupBy(*key)
        .agg(
            F.count("*").alias("starts"),
            _seconds("seconds_watched"),
            F.count_if("binged").alias("binged"),
        )
    )


def _has_started() -> Column:
    return F.col("first_frame_at").isNotNull()


def _seconds(name: str) -> Column:
    return F.coalesce(F.sum(name), F.lit(0)).cast(SECONDS).alias(name)
