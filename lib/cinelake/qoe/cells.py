"""Cells: what sessions of one CDN, point of presence, network, region, device, app and connection did in a while.

Grain: one row a combination of all dimensions and bucket of 5 minutes, an hour or a day. All measures are whole
numbers that sum over sessions and their slices, so that the hour is the sum of its five minutes, and any roll-up the
sum of its cells. Quantiles come from fixed logarithmic buckets, which add up, too.

A press of play counts in the bucket of the press, a fatal error in that of the error, and all else in the slices in
which it happened; a film that is watched for two hours is thus in all of their cells. Where sessions are counted by
the hour, each counts once an hour, in the first slice of it.

A metric that a device does not tell counts in no denominator. A session whose times cannot be (`is_sound`) counts as
an attempt, and with no time. What is not told of where it stood is 'unknown'.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date

from pydantic import BaseModel, ConfigDict, Field
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from cinelake.behaviour.records import within
from cinelake.tables.qoe import (
    BITRATE_EDGES_KBPS,
    COUNTS,
    DAY,
    DIMENSIONS,
    FIVE_MINUTES,
    HOUR,
    JOIN_EDGES_MS,
    SLICE,
)

UNKNOWN = "unknown"
WIDTHS = (FIVE_MINUTES, HOUR, DAY)
BUCKETS = {"join_buckets": len(JOIN_EDGES_MS) + 1, "bitrate_buckets": len(BITRATE_EDGES_KBPS) + 1}
# Of a session, what reaches into the next day.
BEFORE = 1
PRESS, FAILURE, LIFE = range(3)


class Bearable(BaseModel):
    """What a viewer puts up with; what is beyond is bad."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    join_ms: int = Field(
        8000, gt=0, description="video start time; half of Mux's startup score is lost there (ms)"
    )
    stall_share: float = Field(
        0.03, gt=0, lt=1, description="of an hour's playing and stalling: a minute in half an hour"
    )
    stall_ms: int = Field(
        10_000, ge=0, description="and at least so long in the hour, for one hiccup is none (ms)"
    )
    bitrate_kbps: int = Field(
        1100,
        gt=0,
        description="of an hour, on average: what YouTube asks for 480p; below, a TV shows a blur",
    )
    dropped_frames_a_minute: float = Field(
        120, gt=0, description="two a second: motion is seen to jerk"
    )


def cells(
    sessions: DataFrame,
    start: date,
    end: date,
    bearable: Bearable,
    widths: Sequence[int] = WIDTHS,
) -> DataFrame:
    """The cells of `[start, end)` of these widths, from sessions that began up to a day before."""
    told = _contributions(sessions, bearable)
    at = F.col("at")
    # A day before the window is read, and counts only where it reaches into it.
    inside = within(told.select("*", F.to_date(at).alias("cell_date")), "cell_date", start, end)
    if len(widths) > 1:
        wide = inside.withColumn("width", F.explode(F.array(*(F.lit(width) for width in widths))))
    else:
        wide = inside.withColumn("width", F.lit(widths[0]))
    seconds = F.col("width") * 60
    bucket = F.timestamp_seconds(F.floor(F.unix_seconds(at) / seconds) * seconds)
    by = ("width", "bucket_at", "cell_date", *DIMENSIONS)
    return _summed(
        wide.withColumn("bucket_at", bucket),
        by,
        lambda name, slot: F.when(F.col(f"_{name}") == slot, 1).otherwise(0).cast("bigint"),
    )


def added_up(cells: DataFrame, by: Sequence[str | Column]) -> DataFrame:
    """Counts and buckets of cells, summed by other columns."""
    return _summed(cells, by, lambda name, slot: F.get(name, F.lit(slot)))


def _summed(
    frame: DataFrame, by: Sequence[str | Column], in_slot: Callable[[str, int], Column]
) -> DataFrame:
    slots = [
        F.sum(in_slot(name, slot)).alias(f"_{name}_{slot}")
        for name, size in BUCKETS.items()
        for slot in range(size)
    ]
    added = frame.groupBy(*by).agg(*(F.sum(name).alias(name) for name in COUNTS), *slots)
    return added.select(
        *added.columns[: -sum(BUCKETS.values())],
        *(
            F.array(*(F.col(f"_{name}_{slot}") for slot in range(size))).alias(name)
            for name, size in BUCKETS.items()
        ),
    )


def quantile(buckets: str, edges: Sequence[int], share: float) -> Column:
    """The upper edge of the bucket that a quantile lies in; of the last, its lower edge. Null of nothing.

    As buckets grow by half, it is at most half too much.
    """
    counts = [F.get(buckets, F.lit(slot)) for slot in range(len(edges) + 1)]
    total = sum(counts[1:], counts[0])
    wanted, reached = share * total, F.lit(0)
    found = F.lit(None).cast("bigint")
    steps: list[tuple[Column, int]] = []
    for count, edge in zip(counts, [*edges, edges[-1]], strict=True):
        reached = reached + count
        steps.append((reached >= wanted, edge))
    for holds, edge in reversed(steps):
        found = F.when(holds, F.lit(edge).cast("bigint")).otherwise(found)
    return F.when(total > 0, found)


def _contributions(sessions: DataFrame, bearable: Bearable) -> DataFrame:
    """One row for each slice, and for each press and each error; what a row does not count is 0."""
    where = [F.coalesce(name, F.lit(UNKNOWN)).alias(name) for name in DIMENSIONS]
    # One pass over the sessions: what a row is, is told by its number.
    none = F.lit(None).cast(SLICE)

    def row(what: int, at: Column, of: Column) -> Column:
        return F.struct(F.lit(what).alias("what"), at.alias("at"), of.alias("of"))

    pressed = F.array(row(PRESS, F.col("started_at"), none))
    failed = F.when(
        F.col("outcome") == "playback_failure", F.array(row(FAILURE, F.col("ended_at"), none))
    )
    lived = F.when(
        F.col("is_sound"),
        F.transform("slices", lambda piece: row(LIFE, piece["slice_at"], piece)),
    )
    no_rows = F.array().cast(f"array<struct<what:int,at:timestamp,of:{SLICE.simpleString()}>>")
    rows = F.concat(pressed, F.coalesce(failed, no_rows), F.coalesce(lived, no_rows))
    told = sessions.select(*where, "outcome", "join_ms", "is_sound", F.explode(rows).alias("_row"))
    return told.select("*", "_row.*").select(*DIMENSIONS, "at", *_counted(bearable))


def _counted(bearable: Bearable) -> list[Column]:
    is_press, is_failure = F.col("what") == PRESS, F.col("what") == FAILURE
    outcome, join, of = F.col("outcome"), F.col("join_ms"), F.col("of")
    began = outcome.isin("played", "playback_failure")
    timed = is_press & began & join.isNotNull() & F.col("is_sound")

    def one(holds: Column) -> Column:
        return F.when(holds, 1).otherwise(0).cast("bigint")

    def of_slice(name: str) -> Column:
        return F.coalesce(of[name], F.lit(0))

    hour, stalled, framed = (
        of_slice("hour_ms"),
        of_slice("hour_stall_ms"),
        of_slice("hour_frames_ms"),
    )
    is_stalled = (stalled >= bearable.stall_ms) & (stalled > bearable.stall_share * hour)
    is_choppy = of_slice("hour_dropped_frames") * 60_000 > bearable.dropped_frames_a_minute * framed
    rated, bits = of_slice("hour_bitrate_ms"), of_slice("hour_bits")
    rate = of_slice("bits") / F.when(of_slice("bitrate_ms") > 0, of_slice("bitrate_ms"))
    counts = {
        "attempts": one(is_press),
        "start_failures": one(is_press & (outcome == "start_failure")),
        "exits_before_start": one(is_press & (outcome == "exit_before_start")),
        "starts": one(is_press & began),
        "timed_starts": one(timed),
        "slow_starts": one(timed & (join > bearable.join_ms)),
        "join_ms": F.when(timed, join).otherwise(0),
        "playback_failures": one(is_failure),
        "unsound": one(is_press & ~F.col("is_sound")),
        "slices": one(of.isNotNull()),
        "stalled_slices": one(of_slice("stall_ms") > 0),
        "hours": one(hour > 0),
        "stalled_hours": one((hour > 0) & is_stalled),
        "frame_hours": one((hour > 0) & (framed > 0)),
        "choppy_hours": one((hour > 0) & (framed > 0) & is_choppy),
        "rated_hours": one((hour > 0) & (rated > 0)),
        "poor_hours": one((hour > 0) & (rated > 0) & (bits < bearable.bitrate_kbps * rated)),
    }  # fmt: skip
    plain = [name for name in COUNTS if name not in counts]
    assert set(plain) | set(counts) == set(COUNTS)
    return [
        *(column.alias(name) for name, column in counts.items()),
        *(of_slice(name).alias(name) for name in plain),
        _slot(F.when(timed, join), JOIN_EDGES_MS).alias("_join_buckets"),
        _slot(rate, BITRATE_EDGES_KBPS).alias("_bitrate_buckets"),
    ]


def _slot(value: Column, edges: Sequence[int]) -> Column:
    """The number of the bucket that a value lies in, from 0; null of none."""
    above = [F.when(value > edge, 1).otherwise(0) for edge in edges]
    return F.when(value.isNotNull(), sum(above[1:], above[0]))
