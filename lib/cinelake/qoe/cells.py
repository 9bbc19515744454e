"""Cells: what sessions of one CDN, point of presence, network, region, device, app and connection did in a while.

Grain: one row a combination of all dimensions and bucket of 5 minutes, an hour or a day. All measures are whole
numbers that sum over sessions and their slices, so that the hour is the sum of its five minutes, and any roll-up the
sum of its cells. Quantiles come from fixed logarithmic buckets, which add up, too.

A press of play counts in the bucket of the press, a fatal error in that of the error, and all else in the slices in
which it happened; a film that is watched for two hours is thus in all of their cells. Where sessions are counted by
the hour, each counts once an hour, in the first slice of it.

Whether a session was bad in an hour is a share of what it played in it, so of an hour that goes on nobody knows: one
hiccup is much of the first minutes, and little of the hour. Where it is asked for before the hour is over, a session is
bad only if it stays so, whatever it plays until the hour ends.

A metric that a device does not tell counts in no denominator. A session whose times cannot be (`is_sound`) counts as
an attempt, and with no time. What is not told of where it stood is 'unknown'.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from functools import reduce
from itertools import pairwise

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
)

UNKNOWN = "unknown"
WIDTHS = (FIVE_MINUTES, HOUR, DAY)
BUCKETS = {"join_buckets": len(JOIN_EDGES_MS) + 1, "bitrate_buckets": len(BITRATE_EDGES_KBPS) + 1}
SLOTS = {name: [f"_{name}_{slot}" for slot in range(size)] for name, size in BUCKETS.items()}
# All that is summed.
_SUMS = (*COUNTS, *(slot for slots in SLOTS.values() for slot in slots))
# Of a session, what reaches into the next day.
BEFORE = 1
_HOUR_MS = HOUR * 60_000


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
    last_sign: Column | None = None,
) -> DataFrame:
    """The cells of `[start, end)` of these widths, from sessions that began up to a day before.

    What is counted of presses, of errors and of slices is summed apart, for each is less than a row that holds all; the
    narrowest buckets first, of which the wider ones are sums.

    `last_sign` is when a session that goes on was last heard of, and null of one that is over, as all are without it.
    """
    where = [F.coalesce(name, F.lit(UNKNOWN)).alias(name) for name in DIMENSIONS]
    told = ("started_at", "ended_at", "outcome", "join_ms", "is_sound", "slices")
    own = [] if last_sign is None else [F.unix_millis(last_sign).alias("last_sign")]
    known = sessions.select(*where, *told, *own)
    signs = ["last_sign"] if own else []
    failed = known.where(F.col("outcome") == "playback_failure")
    left = F.lit(0) if last_sign is None else _left(F.col("of.slice_at"), F.col("last_sign"))
    of = known.where("is_sound").select(*DIMENSIONS, *signs, F.explode("slices").alias("of"))
    lived = of.select(*DIMENSIONS, "of", left.alias("left"))
    narrowest = min(widths)
    parts = (
        (known, F.col("started_at"), _of_press(bearable)),
        (failed, F.col("ended_at"), {"playback_failures": F.lit(1)}),
        (lived, F.col("of.slice_at"), _of_slice(bearable)),
    )
    # Each is counted in one of them.
    assert sorted(name for _, _, counted in parts for name in counted) == sorted(_SUMS)
    narrow = reduce(
        DataFrame.unionByName,
        (
            _part(rows.select("*", at.alias("at")), start, end, narrowest, counted)
            for rows, at, counted in parts
        ),
    )
    wide = narrow.withColumn("width", F.explode(F.array(*(F.lit(width) for width in widths))))
    bucketed = wide.withColumn("bucket_at", _bucket(F.col("bucket_at"), F.col("width")))
    by = ("width", "bucket_at", F.to_date("bucket_at").alias("cell_date"), *DIMENSIONS)
    return _summed(bucketed, by)


def added_up(cells: DataFrame, by: Sequence[str | Column]) -> DataFrame:
    """Counts and buckets of cells, summed by other columns."""
    slots = (
        F.get(name, F.lit(slot)).alias(own)
        for name, names in SLOTS.items()
        for slot, own in enumerate(names)
    )
    return _summed(cells.select("*", *slots), by)


def _part(
    rows: DataFrame, start: date, end: date, width: int, counted: Mapping[str, Column]
) -> DataFrame:
    """`bucket_at`, dimensions, and all counts and slots summed; those that are not `counted` are 0."""
    # A day before the window is read, and counts only where it reaches into it.
    inside = within(rows.withColumn("cell_date", F.to_date("at")), "cell_date", start, end)
    bucket = _bucket(F.col("at"), F.lit(width)).alias("bucket_at")
    added = (
        inside.select(bucket, *DIMENSIONS, *(c.alias(name) for name, c in counted.items()))
        .groupBy("bucket_at", *DIMENSIONS)
        .agg(*(F.sum(name).alias(name) for name in counted))
    )
    sums = (F.col(name) if name in counted else F.lit(0).alias(name) for name in _SUMS)
    return added.select("bucket_at", *DIMENSIONS, *sums)


def _bucket(at: Column, width: Column) -> Column:
    seconds = width * 60
    return F.timestamp_seconds(F.floor(F.unix_seconds(at) / seconds) * seconds)


def _summed(frame: DataFrame, by: Sequence[str | Column]) -> DataFrame:
    added = frame.groupBy(*by).agg(*(F.sum(name).alias(name) for name in _SUMS))
    return added.select(
        *added.columns[: -sum(BUCKETS.values())],
        *(F.array(*names).alias(name) for name, names in SLOTS.items()),
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


def _of_press(bearable: Bearable) -> dict[str, Column]:
    outcome, join = F.col("outcome"), F.col("join_ms")
    began = outcome.isin("played", "playback_failure")
    timed = began & join.isNotNull() & F.col("is_sound")
    is_slow = timed & (join > bearable.join_ms)
    return {
        "attempts": F.lit(1),
        "start_failures": _one(outcome == "start_failure"),
        "exits_before_start": _one(outcome == "exit_before_start"),
        "starts": _one(began),
        "timed_starts": _one(timed),
        "slow_starts": _one(is_slow),
        "join_ms": F.when(timed, join).otherwise(0),
        "slow_join_ms": F.when(is_slow, join).otherwise(0),
        "unsound": _one(~F.col("is_sound")),
        **_in_slots("join_buckets", timed, join, F.lit(1), JOIN_EDGES_MS),
    }


def _of_slice(bearable: Bearable) -> dict[str, Column]:
    of = F.col("of")
    hour, stalled, framed = of["hour_ms"], of["hour_stall_ms"], of["hour_frames_ms"]
    rated, bits = of["hour_bitrate_ms"], of["hour_bits"]
    in_hour, left = hour > 0, F.col("left")
    is_stalled = (stalled >= bearable.stall_ms) & (stalled > bearable.stall_share * (hour + left))
    is_choppy = of["hour_dropped_frames"] * 60_000 > bearable.dropped_frames_a_minute * (
        framed + left
    )
    # What it plays yet may be as sharp as can be.
    is_poor = (bits < bearable.bitrate_kbps * rated) & (left == 0)
    sums = ("play_ms", "stall_ms", "stalls", "bits", "bitrate_ms", "dropped_frames", "frames_ms")
    return {
        "slices": F.lit(1),
        "stalled_slices": _one(of["stall_ms"] > 0),
        "hours": _one(in_hour),
        "stalled_hours": _one(in_hour & is_stalled),
        "stalled_ms": F.when(in_hour & is_stalled, stalled).otherwise(0),
        "frame_hours": _one(in_hour & (framed > 0)),
        "choppy_hours": _one(in_hour & (framed > 0) & is_choppy),
        "rated_hours": _one(in_hour & (rated > 0)),
        "poor_hours": _one(in_hour & (rated > 0) & is_poor),
        **{name: of[name] for name in sums},
        **_in_slots(
            "bitrate_buckets",
            of["bitrate_ms"] > 0,
            of["bits"],
            of["bitrate_ms"],
            BITRATE_EDGES_KBPS,
        ),
    }


def _left(slice_at: Column, last_sign: Column) -> Column:
    """What may be played yet of the hour of a slice (ms)."""
    ends = (F.floor(F.unix_millis(slice_at) / _HOUR_MS) + 1) * _HOUR_MS
    return F.greatest(F.coalesce(ends - last_sign, F.lit(0)), F.lit(0))


def _one(holds: Column) -> Column:
    return F.when(holds, 1).otherwise(0)


def _in_slots(
    name: str, holds: Column, value: Column, unit: Column, edges: Sequence[int]
) -> dict[str, Column]:
    """Of each slot 1 where the value lies in it, by edges in units; in whole numbers, for quotients are not exact."""
    found = {}
    for own, (above, upto) in zip(SLOTS[name], pairwise([None, *edges, None]), strict=True):
        inside = holds
        if above is not None:
            inside = inside & (value > unit * above)
        if upto is not None:
            inside = inside & (value <= unit * upto)
        found[own] = _one(inside)
    return found
