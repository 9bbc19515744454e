"""Streams: what a screen of an account played without a break on a day, from the plays of viewing sessions.

Grain: one stream of a device and day, `[started, ended)`, in microseconds since 1970, UTC.

A play streams from its first frame to its end; one that nothing ended ends a grace after its last heartbeat (see
`behaviour.sessions`). Of the time it stood paused only a limit counts, for a paused player may go on loading, but one
that was left paused over night does not hold a screen. Silver knows how long a play stood paused and not when, so
what is beyond the limit is taken from its end.

A device shows one picture: plays of a device that overlap, or follow each other within the grace of a title switch, are
one stream, whatever became of the stop of the first. They are put together day by day: a device that never stops has a
stream on each day, which begins with the play that reaches into it, however far back a window reads.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from cinelake.integrity.networks import network

SECOND = 1_000_000
SCREEN_DAY = ("account_id", "device_id", "stream_day")


class StreamRules(BaseModel):
    """How long a pause holds a screen, and how long a title switch may take (s)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    pause_limit_s: int = Field(
        300, ge=0, le=86_400, description="how long a paused play holds a screen (s)"
    )
    switch_grace_s: int = Field(
        15, ge=0, le=600, description="how long a device may take from one title to the next (s)"
    )


def intervals(sessions: DataFrame, rules: StreamRules) -> DataFrame:
    """Plays with a picture as `account_id, device_id, play_id, network, country, region, started, ended bigint`.

    A play that comes to nothing, whose end is not after its start, is no interval. None reaches beyond the day after
    its own: a session holds no more, and only the grace after its last heartbeat could.
    """
    held = (F.unix_date("session_date") + 2).cast("bigint") * (86_400 * SECOND)
    paused = F.greatest(F.col("seconds_paused") - rules.pause_limit_s, F.lit(0))
    ended = F.unix_micros("ended_at") - (paused * SECOND).cast("bigint")
    return sessions.select(
        "account_id",
        "device_id",
        "play_id",
        network(),
        "country",
        "region",
        F.unix_micros("first_frame_at").alias("started"),
        F.least(ended, held).alias("ended"),
    ).where(F.col("started") < F.col("ended"))


def streams(pieces: DataFrame, rules: StreamRules) -> DataFrame:
    """Intervals cut by day (see `concurrency.by_day`) put together by device; the columns are the same.

    A stream bears the play, network and place of its first interval.
    """
    # The order is total: no two intervals of a device have the same play.
    whole = ("whole_started", "whole_ended")
    lying = Window.partitionBy(*SCREEN_DAY).orderBy("started", *whole, "play_id")
    reached = F.max("ended").over(lying.rowsBetween(Window.unboundedPreceding, -1))
    begins = F.coalesce(F.col("started") > reached + rules.switch_grace_s * SECOND, F.lit(True))
    marked = pieces.select("*", begins.alias("_begins"))
    so_far = lying.rowsBetween(Window.unboundedPreceding, Window.currentRow)
    numbered = marked.select("*", F.count_if("_begins").over(so_far).alias("_stream"))
    first = F.struct(*whole, "play_id")
    what = F.struct("play_id", "network", "country", "region")
    return (
        numbered.groupBy(*SCREEN_DAY, "_stream")
        .agg(
            F.min_by(what, first).alias("what"),
            F.min("started").alias("started"),
            F.max("ended").alias("ended"),
            F.min("whole_started").alias("whole_started"),
            F.max("whole_ended").alias("whole_ended"),
        )
        .select(*SCREEN_DAY, "what.*", "started", "ended", *whole)
    )
