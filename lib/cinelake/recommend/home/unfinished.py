"""What profiles have begun and may go on with: the rest of a film or episode, or the next episode.

A title's newest play tells. A film or last episode that was seen to its end is over, and so is what was stopped within
its credits; of a series the next episode follows, in the order of seasons and episodes as the catalogue has them.
"""

from __future__ import annotations

from datetime import date

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from cinelake.behaviour.features import has_started
from cinelake.behaviour.history import latest
from cinelake.behaviour.tastes import daypart
from cinelake.recommend.home.context import device_class

_CIRCUMSTANCES = ("device_class", "daypart")


def stopping_points(sessions: DataFrame) -> DataFrame:
    """Where each profile stopped last in each title, by day and circumstances: rows of `stopping_points`."""
    last = F.max_by(
        F.struct(
            F.col("ended_at").alias("stopped_at"),
            "episode_id",
            F.col("end_position_s").alias("position_s"),
            "completion",
            "is_finished",
        ),
        F.struct("started_at", "play_id"),
    )
    plays = sessions.where(has_started()).select(
        "*", device_class("device_kind"), daypart("local_hour")
    )
    return (
        plays.groupBy(
            "profile_id", "title_id", F.col("session_date").alias("play_date"), *_CIRCUMSTANCES
        )
        .agg(F.count("*").alias("plays"), last.alias("_last"))
        .select("*", "_last.*")
        .drop("_last")
    )


def episodes_in_order(titles: DataFrame) -> DataFrame:
    """`title_id, episode_id, next_episode_id, progress double` of series, from the catalogue's change rows.

    `progress` is the episode's place among all of its series, as a share; `next_episode_id` is null for the last.
    """
    told = latest(titles, ["title_id"], "kind", "series_id", "season", "episode").where(
        (F.col("kind") == "episode") & F.col("series_id").isNotNull()
    )
    of_series = Window.partitionBy("series_id").orderBy("season", "episode", "title_id")
    place = F.row_number().over(of_series)
    count = F.count("*").over(Window.partitionBy("series_id"))
    return told.select(
        F.col("series_id").alias("title_id"),
        F.col("title_id").alias("episode_id"),
        F.lead("title_id").over(of_series).alias("next_episode_id"),
        (place / count).alias("progress"),
    )


def unfinished(
    points: DataFrame, episodes: DataFrame, moments: DataFrame, keep_days: int
) -> DataFrame:
    """What could be gone on with when a day begins, for `moments (profile_id, day)`, each pair once.

    `profile_id, day, title_id, episode_id, position_s, is_next, days_since, completion, progress, days_played, plays,
    device_class, daypart`: `episode_id` is to be played next (null for a film), from `position_s`; `is_next` says that
    it follows one that is over. `completion` is of what is to be gone on with; `days_played` and `plays` are those of
    the last `keep_days` days, `device_class` and `daypart` those of the last play. What was not played for `keep_days`
    days is given up.
    """
    newest = F.max_by(
        F.struct("stopped_at", "episode_id", "position_s", "completion", "is_finished", "play_date", *_CIRCUMSTANCES),
        F.struct("stopped_at", *_CIRCUMSTANCES),
    )  # fmt: skip
    age = F.date_diff("day", "play_date")
    begun = (
        moments.select("profile_id", "day")
        .join(points, on="profile_id", how="inner")
        .where(age.between(1, keep_days))
        .groupBy("profile_id", "day", "title_id")
        .agg(
            newest.alias("_newest"),
            F.count_distinct("play_date").alias("days_played"),
            F.sum("plays").alias("plays"),
        )
        .select("profile_id", "day", "title_id", "days_played", "plays", "_newest.*")
    )
    known = begun.join(F.broadcast(episodes), on=["title_id", "episode_id"], how="left")
    follows = F.col("is_finished") & F.col("next_episode_id").isNotNull()
    return known.where(~F.col("is_finished") | follows).select(
        "profile_id",
        "day",
        "title_id",
        F.when(follows, F.col("next_episode_id"))
        .otherwise(F.col("episode_id"))
        .alias("episode_id"),
        _unless(follows, "position_s").alias("position_s"),
        follows.alias("is_next"),
        age.alias("days_since"),
        _unless(follows, "completion").alias("completion"),
        F.coalesce("progress", F.lit(0.0)).alias("progress"),
        "days_played",
        "plays",
        *_CIRCUMSTANCES,
    )


def _unless(follows: Column, name: str) -> Column:
    """What is not known of a play counts as its beginning."""
    return F.when(follows, F.lit(0.0)).otherwise(F.coalesce(name, F.lit(0.0)))


def on_day(points: DataFrame, day: date) -> DataFrame:
    """The moments at which a day begins, of all profiles that ever played: `profile_id, day`."""
    return points.select("profile_id").distinct().select("*", F.lit(day).alias("day"))
