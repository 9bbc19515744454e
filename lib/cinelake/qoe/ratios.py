"""The ratios of streaming quality under the names of those who define them.

"Rebuffering ratio" alone has five definitions, so sessions hold numerators and denominators, and each ratio is made of
their sums: a ratio of sums, over any rows of `qoe_sessions`, not a mean of ratios. Of sessions whose times cannot be
(`is_sound`) no time counts, as in cells (qoe/cells.py), but how they ended does, and what single heartbeats told.

Sources:

- media3: `PlaybackStats.getRebufferTimeRatio`, rebuffering ÷ (playing + waiting), where waiting is joining, buffering
  and seeking, of playbacks that never came to a picture, too; `getFatalErrorRatio`, playbacks with a fatal error ÷
  playbacks.
- AWS IVS: the sample "QoS dashboard from player SDK", buffering ÷ (playing + buffering), whatever set it off.
- CMCD (CTA-5004): requests that carry `bs` (the buffer ran dry since the last request) ÷ requests. Heartbeats stand in
  for requests, of which a player tells nobody else: they come at regular times, too, and tell of the time between.
- Mux: "Rebuffer percentage", rebuffering ÷ the time that the viewer asked for picture, joining (in vain, too) and seeks
  included and pauses not; "Playback failure percentage", views that failed, before or after the first frame ÷ views.
- Brightcove: "stall seconds per hour viewed".
- Conviva: CIRR, connection-induced rebuffering ÷ (playing + it), without what seeks cause; VSF and EBVS of attempts,
  VPF of plays, that is of attempts that came to a picture; VST, the mean of press of play to first frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F


@dataclass(frozen=True)
class Ratio:
    """What is summed over what, of each session; `unit` is of the quotient."""

    name: str
    over: Column
    under: Column
    unit: str = "share"

    def column(self) -> Column:
        """The ratio of the sums, as an aggregate; null of nothing."""
        under = F.sum(self.under)
        return (F.sum(self.over) / F.when(under > 0, under)).alias(self.name)


def ratios() -> dict[str, Ratio]:
    """All named variants, for rows of `qoe_sessions`."""
    play, stall, seek = _sound("play_ms"), _sound("stall_ms"), _sound("seek_ms")
    join = _sound("join_ms")
    # Who left or failed before a picture waited in vain, and waited.
    joining = F.coalesce(join, _sound("wait_ms"), F.lit(0))
    outcome, one = F.col("outcome"), F.lit(1)
    failed_start = (outcome == "start_failure").cast("int")
    failed = (outcome == "playback_failure").cast("int")
    left = (outcome == "exit_before_start").cast("int")
    began = outcome.isin("played", "playback_failure").cast("int")
    known = F.when(join.isNotNull(), 1).otherwise(0)
    listed = (
        Ratio("media3_rebuffer_ratio", stall, play + joining + seek + stall),
        Ratio("ivs_buffering_ratio", stall + seek, play + stall + seek),
        Ratio("cmcd_buffer_starvation_ratio", F.col("stalled_beats"), F.col("beats")),
        Ratio("mux_rebuffer_share", stall, joining + play + seek + stall),
        Ratio("brightcove_stall_s_per_hour", stall * 3600 / 1000, play / 1000, "s/h"),
        Ratio("conviva_cirr", stall, play + stall),
        Ratio("conviva_vsf", failed_start, one),
        Ratio("conviva_ebvs", left, one),
        Ratio("conviva_vpf", failed, began),
        Ratio("conviva_vst_s", join / 1000, known, "s"),
        Ratio("media3_fatal_error_ratio", failed_start + failed, one),
        Ratio("mux_playback_failure_share", failed_start + failed, one),
        Ratio("mean_bitrate_kbps", _sound("bits"), _sound("bitrate_ms"), "kbit/s"),
        Ratio("mean_throughput_kbps", F.col("throughput_kbps"), F.col("throughput_beats"), "kbit/s"),
        Ratio("dropped_frames_a_minute", _sound("dropped_frames") * 60_000, _sound("frames_ms"), "1/min"),
    )  # fmt: skip
    return {ratio.name: ratio for ratio in listed}


def _sound(name: str) -> Column:
    """What is told of a session whose times can be; null of others."""
    return F.when(F.col("is_sound"), F.col(name))


def of_groups(sessions: DataFrame, by: Sequence[str]) -> DataFrame:
    """How many `sessions` there are and all ratios, by columns of `qoe_sessions`; without any, one row of all."""
    told = (ratio.column() for ratio in ratios().values())
    return sessions.groupBy(*by).agg(F.count(F.lit(1)).alias("sessions"), *told)
