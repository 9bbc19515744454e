"""How good a session was, in one number from 0 to 100.

Curves of the parts, after Mux's viewer experience score (docs.mux.com, "Understanding the viewer experience score"):

- startup: `100·8 / (8 + s)`, s seconds to the first frame. Half at eight seconds.
- smoothness: the mean of `100 / √(1 + (n/2)²)`, n connection-induced rebuffers, and `100·e^(−10·share)`, share of
  rebuffering in playing and rebuffering time.
- picture: `100·log₂(kbit/s ÷ 200) / log₂(16,000 ÷ 200)`, within 0 and 100, of the time-weighted mean bitrate. It is as
  much of an eye's gain as a doubling of the rate brings each time.

A session that played has `.3 startup + .5 smoothness + .2 picture`; the weight of a part that nobody knows goes to the
others in proportion. A playback failure halves it. An exit before the start has half of the startup's curve at the
time that was waited. A start failure has 0.
"""

from __future__ import annotations

import math

from pyspark.sql import Column
from pyspark.sql import functions as F

STARTUP_S = 8.0
LEAST_KBPS, MOST_KBPS = 200.0, 16_000.0
WEIGHTS = (0.3, 0.5, 0.2)


def startup(ms: Column) -> Column:
    """Of a time to the first frame (ms); null stays null."""
    return 100 * STARTUP_S / (STARTUP_S + ms / 1000)


def smoothness(stalls: Column, stall_ms: Column, play_ms: Column) -> Column:
    """Of rebuffers; null of no time."""
    time = play_ms + stall_ms
    share = stall_ms / F.when(time > 0, time)
    by_count = 100 / F.sqrt(1 + F.pow(stalls / 2, F.lit(2.0)))
    return (by_count + 100 * F.exp(-10 * share)) / 2


def picture(bits: Column, bitrate_ms: Column) -> Column:
    """Of bitrates (kbit/s × ms, over ms); null where none is known."""
    rate = bits / F.when(bitrate_ms > 0, bitrate_ms)
    octaves = F.log2(rate / LEAST_KBPS) / math.log2(MOST_KBPS / LEAST_KBPS)
    return F.when(rate.isNotNull(), 100 * F.greatest(F.lit(0.0), F.least(octaves, F.lit(1.0))))


def score() -> Column:
    """Of a row of `qoe_sessions`; null where nothing is known, or its times cannot be."""
    parts = (
        startup(F.col("join_ms")),
        smoothness(F.col("stalls"), F.col("stall_ms"), F.col("play_ms")),
        picture(F.col("bits"), F.col("bitrate_ms")),
    )
    zero = F.lit(0.0)
    known = [
        F.when(part.isNotNull(), weight).otherwise(0.0)
        for part, weight in zip(parts, WEIGHTS, strict=True)
    ]
    weight = known[0] + known[1] + known[2]
    total = sum((F.coalesce(part * w, zero) for part, w in zip(parts, WEIGHTS, strict=True)), zero)
    played = F.when(F.col("is_sound") & (weight > 0), total / weight)
    outcome = F.col("outcome")
    return (
        F.when(outcome == "start_failure", 0.0)
        .when(outcome == "exit_before_start", startup(F.col("wait_ms")) / 2)
        .when(outcome == "playback_failure", played / 2)
        .otherwise(played)
    )  # fmt: skip
