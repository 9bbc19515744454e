"""What a player is doing after each event: the states of media3's PlaybackStats.

Grain: one row an event. Source: `PlaybackStatsListener` and `PlaybackStats` of media3 (androidx.media3.exoplayer.
analytics). As there, a jump counts until it is done, paused or not, and buffering while paused is a state of its own.
In two things its order of precedence is not kept, for times here are of the viewer: there a jump goes before all else;
here what has ended stays ended, and before the first frame a player is joining, whatever else it does. The join time
of a start with a jump in it is known to neither.

- `joining`: JOINING_FOREGROUND. `playing`: PLAYING. `paused`: PAUSED. `paused_buffering`: PAUSED_BUFFERING.
- `seeking`: SEEKING, and the buffering that a jump causes, which media3 counts to it until the player is ready. A
  rebuffer whose cause the player says to be a seek belongs there, too: what is left is connection-induced.
- `rebuffering`: BUFFERING. `ended`: ENDED, STOPPED, FAILED and ABANDONED, which `outcome` tells apart.

media3's states of advertisements, of suppression and of joining in the background no event of the source tells.
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window, WindowSpec
from pyspark.sql import functions as F

JOINING, PLAYING, PAUSED, PAUSED_BUFFERING = "joining", "playing", "paused", "paused_buffering"
SEEKING, REBUFFERING, ENDED = "seeking", "rebuffering", "ended"
LAST_WORDS = ("stop", "end", "error")
# A first frame can be lost on the way; what only a player does that has shown one says the same.
SHOWS_PICTURE = ("first_frame", "rebuffer_start", "rebuffer_end", "seek_done")
JUMPS = ("seek", "skip_intro")


def with_states(rows: DataFrame, session: tuple[str, ...], order: tuple[Column, ...]) -> DataFrame:
    """Rows with `state`, `state_before` and `bitrate_before`.

    `rows` hold `event string, cause string, bitrate_kbps int` in a total `order` within a `session`; rows without an
    event keep the state of the one before. `state_before` is null on the first row.
    """
    lying = Window.partitionBy(*session).orderBy(*order)
    so_far = lying.rowsBetween(Window.unboundedPreceding, Window.currentRow)
    before = lying.rowsBetween(Window.unboundedPreceding, -1)
    told = rows.select(
        "*",
        _state(so_far).alias("state"),
        F.last_value("bitrate_kbps", F.lit(True)).over(before).alias("bitrate_before"),
    )
    return told.select("*", F.lag("state").over(lying).alias("state_before"))


def _state(so_far: WindowSpec) -> Column:
    event = F.col("event")
    has_ended = _ever(event.isin(*LAST_WORDS), so_far)
    has_begun = _ever(event.isin(*SHOWS_PICTURE), so_far)
    is_paused = _switch(event == "pause", event == "resume", so_far)
    jumps = _switch(event.isin(*JUMPS), event == "seek_done", so_far)
    # A jump that is done leaves no buffering behind: the player was ready.
    runs_dry = event == "rebuffer_start"
    has_enough = event.isin("rebuffer_end", "seek_done")
    buffers = _switch(runs_dry, has_enough, so_far)
    by_seek = _switch(runs_dry & (F.col("cause") == "seek"), runs_dry | has_enough, so_far)
    return (
        F.when(has_ended, ENDED)
        .when(~has_begun, JOINING)
        .when(jumps | (buffers & by_seek), SEEKING)
        .when(buffers & is_paused, PAUSED_BUFFERING)
        .when(buffers, REBUFFERING)
        .when(is_paused, PAUSED)
        .otherwise(PLAYING)
    )


def _ever(happens: Column, so_far: WindowSpec) -> Column:
    return F.coalesce(F.bool_or(happens).over(so_far), F.lit(False))


def _switch(on: Column, off: Column, so_far: WindowSpec) -> Column:
    """Whether what some events turn on and others off is on; `on` goes first where both hold."""
    told = F.when(on, F.lit(True)).when(off, F.lit(False))
    return F.coalesce(F.last_value(told, F.lit(True)).over(so_far), F.lit(False))
