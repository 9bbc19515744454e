"""What is heard of a play: its events, each once and beside the next, and its heartbeats, summed by slice of time.

Times are whole milliseconds since 1970, cut off: so the stretches between them add up exactly.
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from cinelake.behaviour.records import is_duplicate
from cinelake.sources.playback import PLAYBACK_SOURCE
from cinelake.tables.qoe import DIMENSIONS, FIVE_MINUTES

SLICE_MS = FIVE_MINUTES * 60_000
# What a heartbeat must say for quality.
BEAT_COLUMNS = (
    "play_id",
    "state",
    "bitrate_kbps",
    "throughput_kbps",
    "dropped_frames",
    "played_s",
    "rebuffers",
    "rebuffer_s",
)
# No picture is sent with less, nor with more: 8K with a wide range of colours takes some 200,000 kbit/s. What lies
# outside is in another unit, and nobody knows in which.
BITRATES_KBPS = (32, 200_000)
# Nor does a network carry more, or a device hold more of a picture than an hour.
THROUGHPUTS_KBPS = (0, 100_000_000)
BUFFERS_S = (0, 3600)
# Heartbeats come every half minute or so; the time that one tells of is no longer than this.
LONGEST_BEAT_MS = 600_000
# Nor are there more frames than this to drop in a second.
MOST_FRAMES_A_S = 240


def events(playback: DataFrame) -> DataFrame:
    """Each event once, beside `next_at` and `next_day` of the one that follows in its play.

    The order is that of the player's own numbers, for a wrong clock cannot change those.
    """
    lying = playback.repartition("play_id")
    copies = is_duplicate(PLAYBACK_SOURCE.names, within=("play_id",)).alias("_is_copy")
    once = lying.select("*", copies).where(~F.col("_is_copy"))
    told = once.select(
        "play_id",
        F.col("event_date").alias("day"),
        "event_id",
        "event",
        "sequence",
        _ms("event_time").alias("at"),
        plausible("bitrate_kbps").alias("bitrate_kbps"),
        is_odd("bitrate_kbps").alias("has_odd_bitrate"),
        "cause",
        "error_code",
        F.col("clock_ahead_ms").isNotNull().alias("is_corrected"),
        F.struct(
            *(F.col(name).cast("string").alias(name) for name in (*DIMENSIONS, "country"))
        ).alias("where"),
    )
    following = Window.partitionBy("play_id").orderBy(
        "day", F.asc_nulls_last("sequence"), "at", "event_id"
    )
    return told.select(
        "*",
        F.lead("at").over(following).alias("next_at"),
        F.lead("day").over(following).alias("next_day"),
    )


def beats(heartbeats: DataFrame) -> DataFrame:
    """One row a play, day and slice with what its heartbeats sum to, copies apart: the earliest receipt counts.

    What a device does not measure is null, and counts in no denominator.
    """
    names = (
        "stands", "bitrate", "odd", "throughput", "dropped", "played", "rebuffers", "stalled", "negative",
        "miscounted",
    )  # fmt: skip
    is_negative = F.least("played_s", "rebuffer_s") < 0
    is_miscounted = F.least("rebuffers", "dropped_frames") < 0
    once = (
        heartbeats.select(
            "play_id",
            F.xxhash64("event_id").alias("_event"),
            _ms("event_time").alias("at"),
            F.unix_micros("received_at").alias("_received"),
            (F.col("state") == "rebuffering").alias("stands"),
            plausible("bitrate_kbps").alias("bitrate"),
            is_odd("bitrate_kbps").alias("odd"),
            within_bounds("throughput_kbps", THROUGHPUTS_KBPS).alias("throughput"),
            F.col("dropped_frames").alias("dropped"),
            _bounded("played_s").alias("played"),
            F.when(F.col("rebuffers") >= 0, F.col("rebuffers")).alias("rebuffers"),
            _bounded("rebuffer_s").alias("stalled"),
            F.coalesce(is_negative, F.lit(False)).alias("negative"),
            F.coalesce(is_miscounted, F.lit(False)).alias("miscounted"),
        )
        .groupBy("play_id", "_event")
        .agg(F.min("at").alias("at"), *(F.min_by(name, "_received").alias(name) for name in names))
    )
    played = F.coalesce("played", F.lit(0))
    # A counter that was reset, or never was, tells of fewer frames than none, or of more than there are.
    dropped = F.when(
        F.col("dropped").between(0, MOST_FRAMES_A_S * (played / 1000 + 1)),
        F.col("dropped").cast("bigint"),
    )
    was_stalled = F.col("stands") | (F.coalesce("rebuffers", F.lit(0)) > 0)
    return (
        once.select("*", slice_of("at").alias("slice"), F.to_date(F.timestamp_millis("at")).alias("day"))
        .groupBy("play_id", "day", "slice")
        .agg(
            F.min("at").alias("first_beat"),
            F.max("at").alias("last_beat"),
            F.count("*").alias("beats"),
            F.count_if(was_stalled).alias("stalled_beats"),
            F.count_if("odd").alias("odd_beats"),
            F.count_if("negative").alias("negative_beats"),
            F.count_if("miscounted").alias("miscounted_beats"),
            F.sum(played).alias("beat_play_ms"),
            F.sum(F.coalesce("stalled", F.lit(0))).alias("beat_stall_ms"),
            F.sum(F.coalesce("rebuffers", F.lit(0)).cast("bigint")).alias("beat_stalls"),
            F.sum(F.coalesce(F.col("bitrate") * played, F.lit(0))).alias("beat_bits"),
            F.sum(F.when(F.col("bitrate").isNotNull(), played).otherwise(0)).alias("beat_bitrate_ms"),
            F.sum(F.coalesce(dropped, F.lit(0))).alias("dropped_frames"),
            F.sum(F.when(dropped.isNotNull(), played).otherwise(0)).alias("frames_ms"),
            F.sum(F.coalesce("throughput", F.lit(0)).cast("bigint")).alias("throughput_kbps"),
            F.count("throughput").alias("throughput_beats"),
        )
    )  # fmt: skip


def slice_of(at: str | Column) -> Column:
    """The number of the slice that a time lies in."""
    return F.floor((F.col(at) if isinstance(at, str) else at) / SLICE_MS)


def plausible(bitrate: str) -> Column:
    """A bitrate (kbit/s), or null where no picture has such."""
    return F.when(F.col(bitrate).between(*BITRATES_KBPS), F.col(bitrate).cast("bigint"))


def within_bounds(name: str, bounds: tuple[float, float]) -> Column:
    """What a device tells, or null where it cannot be."""
    return F.when(F.col(name).between(*bounds), F.col(name))


def is_odd(bitrate: str) -> Column:
    """Whether a bitrate was told that no picture has."""
    return F.coalesce(~F.col(bitrate).between(*BITRATES_KBPS), F.lit(False))


def _ms(time: str) -> Column:
    return F.unix_millis(time)


def _bounded(seconds: str) -> Column:
    """Milliseconds of a length that a heartbeat tells; null stays null."""
    ms = F.round(F.col(seconds) * 1000)
    return F.when(
        F.col(seconds).isNotNull(),
        F.greatest(F.least(ms, F.lit(float(LONGEST_BEAT_MS))), F.lit(0.0)).cast("bigint"),
    )
