"""Which sessions are about to stall, and how many in each cell, as records come in.

What a play tells of each of its heartbeats is told anew from all its records whenever something of it is heard, as its
session is (step.py), and kept; what is around it, how its cells and its device fared before, is then added up from all
that is kept. So after any records the rows of `qoe_stall_risks_live` are those that the batch will make of the same
records by the same version of the model (stalls/moments.py, stalls/risks.py).

A day of a play is told only by a batch that has its day before and its day after as well, which is so whenever
something of that day is heard. Caveats: a stall of the first minute of a day that came in after the last heartbeats of
the day before is not seen beside those; and what comes late of one day is not told on to the devices of the next,
until something of the same hour is heard. The batch knows better.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from cinelake.behaviour.identity import IdKind, known_as
from cinelake.qoe.heard import SLICE_MS
from cinelake.qoe.live.heard import beats_of, events_of
from cinelake.qoe.live.step import in_hours
from cinelake.qoe.stalls.moments import (
    CELL,
    FEATURES,
    OWN,
    bucket_at,
    features,
    own_moments,
    with_surroundings,
)
from cinelake.qoe.stalls.risks import added_up
from cinelake.qoe.stalls.trees import Boosted, with_chance
from cinelake.tables.quality_live import QOE_MOMENTS_LIVE

_NAMED = ("cdn", "pop", "isp", "region", "device_model", "is_playing", "is_stalled", "stalls")


@dataclass(frozen=True)
class Foresight:
    """An approved model: its trees, from which chance on a session is at risk, and its version."""

    trees: Boosted
    threshold: float
    version: int


def heard_moments(batch: DataFrame, keys: DataFrame) -> DataFrame:
    """`qoe_moments_live` without chances, of the days of plays that a micro-batch has all of that is needed of.

    `batch` are rows of `gathered`.
    """
    day = F.col("first_day")
    ends, begins = (
        batch.select("play_id", told.alias("day")) for told in (F.date_add(day, 1), day)
    )
    own = own_moments(beats_of(batch), events_of(batch))
    return own.join(ends.intersect(begins), on=["play_id", "day"], how="left_semi").select(
        known_as(IdKind.PLAY, "play_id", keys),
        F.xxhash64("event_id").alias("beat"),
        F.timestamp_millis("at").alias("told_at"),
        bucket_at("bucket").alias("bucket_at"),
        F.col("day").alias("moment_date"),
        *_NAMED,
        *(F.col(name).cast("double").alias(name) for name in OWN),
    )


def foreseen(
    known: DataFrame, new: DataFrame, wanted: Sequence[datetime], foresight: Foresight | None
) -> DataFrame:
    """Rows of `qoe_moments_live` of the `wanted` hours, and their `day, bucket`.

    `known` are such rows from the day before these hours on, of which those of plays and days that are `new`, which are
    rows of `heard_moments`, hold no more.
    """
    own = ["play_id", "moment_date"]
    kept = known.join(new.select(*own).distinct(), on=own, how="left_anti")
    every = (
        kept.select(*new.columns)
        .unionByName(new)
        .select(
            "*",
            F.col("moment_date").alias("day"),
            F.floor(F.unix_millis("bucket_at") / SLICE_MS).alias("bucket"),
        )
    )
    around = with_surroundings(every.where(in_hours(F.col("bucket_at"), wanted)), every)
    if foresight is None:
        none = {"chance": "double", "at_risk": "boolean", "model_version": "int"}
        return around.select(
            *every.columns, *(F.lit(None).cast(of).alias(name) for name, of in none.items())
        )
    # As the model takes them, and beside them as they were told.
    asked = around.where("is_playing").select("play_id", "beat", *features())
    scored = with_chance(asked, foresight.trees).drop(*FEATURES)
    at_risk = F.col("chance") >= foresight.threshold
    return around.join(scored, on=["play_id", "beat"], how="left").select(
        *every.columns,
        "chance",
        at_risk.alias("at_risk"),
        F.when(F.col("chance").isNotNull(), F.lit(foresight.version)).alias("model_version"),
    )


def live_risks(told: DataFrame, foresight: Foresight) -> DataFrame:
    """Rows of `qoe_stall_risks` of rows of `foreseen`."""
    return added_up(told.where("chance IS NOT NULL"), foresight.threshold, foresight.version)


def at_risk_now(risks: DataFrame, moments: DataFrame) -> DataFrame:
    """Of the newest five minutes that were heard of: `CELL, bucket_at, sessions, at_risk`, most at risk first.

    `risks` are rows of `qoe_stall_risks`: of days that these tell of nothing is said live. A session counts by the
    newest of its moments, `moments` being `qoe_moments_live`.
    """
    said = risks.agg(F.max("risk_date").alias("_said"))
    later = moments.where("chance IS NOT NULL").crossJoin(F.broadcast(said))
    open_ = later.where(F.col("_said").isNull() | (F.col("moment_date") > F.col("_said")))
    newest = open_.agg(F.max("bucket_at").alias("bucket_at"))
    last = F.struct("told_at", "beat")
    sessions = (
        open_.join(F.broadcast(newest), on="bucket_at", how="left_semi")
        .groupBy("play_id", "bucket_at")
        .agg(
            F.max_by("at_risk", last).alias("at_risk"),
            *(F.max_by(name, last).alias(name) for name in CELL),
        )
    )
    return (
        sessions.groupBy(*CELL, "bucket_at")
        .agg(F.count("*").alias("sessions"), F.count_if("at_risk").alias("at_risk"))
        .orderBy(F.desc("at_risk"), F.desc("sessions"), *CELL)
    )


assert set(OWN) < set(QOE_MOMENTS_LIVE.names)
