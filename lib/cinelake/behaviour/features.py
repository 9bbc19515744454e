"""Daily sums of what profiles do with titles.

Grain: a day each; see the tables in `tables/features.py`. Counts are integers and seconds decimals, and what is no
sum is a greatest value, so that the days of any period add up to the same in any order.

A play counts from its first frame on: a press of play that came to nothing says nothing about the title.
"""

from __future__ import annotations

from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from cinelake.behaviour.distinct import sketched
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
    played = sessions.where(has_started()).select(
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
        sum_of_seconds("seconds_watched"),
        sum_of_seconds("seconds_rewatched"),
        F.count_if("is_finished").alias("finished"),
        F.max("completion").alias("completion"),
        *(F.count_if(F.col("action") == act).alias(name) for act, name in ACTS.items()),
        F.max("judgement").alias("judgement"),
    )
    return summed.select("*", "judgement.rating", "judgement.rated_at").drop("judgement")


def title_days(sessions: DataFrame) -> DataFrame:
    """How each film or episode was watched on each day."""
    key = ("watched_id", "title_id", "play_date")
    started = has_started()
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
        sum_of_seconds("seconds_watched"),
        sum_of_seconds("seconds_rewatched"),
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
    watched_by = sketched(plays, key, "viewer", "viewers_sketch")
    return (
        summed.join(hot, on=list(key), how="left")
        .join(watched_by, on=list(key))
        .select(
            *summed.columns,
            "viewers_sketch",
            F.coalesce("went_back_to", none).alias("went_back_to"),
        )
    )


def watch_hours(sessions: DataFrame) -> DataFrame:
    """When, and on what, each profile started to watch."""
    key = ("profile_id", "play_date", "device_kind", "local_weekday", "local_hour")
    return (
        sessions.where(has_started())
        .select(
            "profile_id",
            F.col("session_date").alias("play_date"),
            known("device_kind"),
            "local_weekday",
            "local_hour",
            "seconds_watched",
            (F.col("binge_position") > 0).alias("binged"),
        )
        .groupBy(*key)
        .agg(
            F.count("*").alias("starts"),
            sum_of_seconds("seconds_watched"),
            F.count_if("binged").alias("binged"),
        )
    )


def profile_days(sessions: DataFrame, browsing: DataFrame, searches: DataFrame) -> DataFrame:
    """How much each profile watched, browsed and searched on each day, and what came of it."""
    watched = sessions.where(has_started()).select(
        "profile_id",
        F.col("session_date").alias("profile_date"),
        "seconds_watched",
        "is_finished",
        (F.col("binge_position") > 0).alias("is_binged"),
    )
    browsed = browsing.select(
        "profile_id",
        F.col("session_date").alias("profile_date"),
        "seconds_browsing",
        (F.col("outcome") == "exit").alias("is_exit"),
    )
    sought = searches.select(
        "profile_id",
        F.col("search_date").alias("profile_date"),
        "is_zero_results",
        F.col("clicked_title_id").isNotNull().alias("is_clicked"),
        "is_played",
        "refinements",
        "keystrokes",
    )
    return (
        watched.unionByName(browsed, allowMissingColumns=True)
        .unionByName(sought, allowMissingColumns=True)
        .groupBy("profile_id", "profile_date")
        .agg(
            F.count("is_finished").alias("starts"),
            sum_of_seconds("seconds_watched"),
            F.count_if("is_finished").alias("finished"),
            F.count_if("is_binged").alias("binged"),
            F.count("is_exit").alias("browse_sessions"),
            sum_of_seconds("seconds_browsing"),
            F.count_if("is_exit").alias("exits"),
            F.count("is_played").alias("searches"),
            F.count_if("is_zero_results").alias("zero_result_searches"),
            F.count_if("is_clicked").alias("clicked_searches"),
            F.count_if("is_played").alias("played_searches"),
            F.coalesce(F.sum("refinements"), F.lit(0)).cast("bigint").alias("refinements"),
            F.coalesce(F.sum("keystrokes"), F.lit(0)).cast("bigint").alias("keystrokes"),
        )
    )


def has_started() -> Column:
    """Whether a session came to a first frame."""
    return F.col("first_frame_at").isNotNull()


def known(name: str) -> Column:
    """A column, or `unknown` where it is null."""
    return F.coalesce(name, F.lit(UNKNOWN)).alias(name)


def sum_of_seconds(name: str) -> Column:
    """The exact sum of a column of seconds, under its name."""
    return F.coalesce(F.sum(name), F.lit(0)).cast(SECONDS).alias(name)
