"""Quality of sessions: one row a play attempt, from the player's events and its heartbeats.

Grain and bounds of an attempt are those of `behaviour.sessions`: it belongs to the day of its first record and holds
what happened on that day and on the next; a play id that comes back after a whole day of silence is another attempt.

Method. The states between events are media3's (qoe/states.py). Time in them counts if all events from the first to the
last are there, in time as in number, and none was dated by its receipt; otherwise playing and rebuffering are what the
heartbeats counted. Dropped frames and throughput only heartbeats tell. Playing and rebuffering are cut into slices of
five minutes, so that cells can tell when, and not only in which session; what belongs to a clock hour of the session
stands in the first slice of that hour, so that sessions can be counted by the hour, and slices still add up.

What should not be is told in `oddities`:

- `bitrate_in_another_unit`: a bitrate no picture has; it counts as not known.
- `clock_corrected`: the client's clock was ahead of the collector's; events were dated by their receipt.
- `clock_went_back`: an event is dated before the one whose number precedes it; its stretch counts as none.
- `events_after_end`: the player told of changes after it had ended; they count for nothing.
- `heartbeats_after_end`: it still lived more than two heartbeats after it had ended.
- `more_time_than_passed`: it played and stalled for longer than it lived. Such a session is not sound, and counts in
  cells as an attempt only: a counter was reset, or counts in another unit.
- `negative_count`: a heartbeat told of fewer rebuffers or dropped frames than none; how many is not known.
- `negative_time`: a heartbeat told of less than no time; it counts as none.
- `no_attempt`: the press of play is missing; the join time is not known.
- `pause_without_end`: the event that ended a pause or a jump is lost, so that it would last for longer than heartbeats
  leave room for; it is cut to that.

A first frame before its attempt has no join time, nor has one before which the viewer jumped: as with media3, what was
waited for then is not what was pressed for. A session without last words ends a grace after its last sign
of life; without a first frame it is an exit before start, as nobody told of an error.
"""

from __future__ import annotations

from datetime import date

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from cinelake.behaviour.identity import IdKind, known_as
from cinelake.behaviour.records import reasons, within
from cinelake.qoe import heard
from cinelake.qoe.heard import SLICE_MS, slice_of
from cinelake.qoe.score import score
from cinelake.qoe.states import (
    ENDED,
    JOINING,
    JUMPS,
    LAST_WORDS,
    PAUSED,
    PAUSED_BUFFERING,
    PLAYING,
    REBUFFERING,
    SEEKING,
    SHOWS_PICTURE,
    with_states,
)
from cinelake.tables.qoe import DIMENSIONS, SLICE

# Days of records to read around those on which sessions start.
BEFORE, AFTER = 1, 1
SESSION = ("play_id", "session_date")
# Two heartbeats that were on their way, and what clocks are apart.
LATE_BEATS_MS = 75_000
# What clocks and rounding may add to the time that passed.
SLACK_MS = 60_000
_HOUR_SLICES = 3_600_000 // SLICE_MS


def qoe_sessions(
    playback: DataFrame,
    heartbeats: DataFrame,
    keys: DataFrame,
    start: date,
    end: date,
    grace_s: int,
) -> DataFrame:
    """The attempts that start in `[start, end)`; those of which only heartbeats came have no place in it.

    `playback` and `heartbeats` are typed records from `BEFORE` days before to `AFTER` days after, duplicates among
    them.
    """
    rows = heard.events(playback).unionByName(heard.beats(heartbeats), allowMissingColumns=True)
    told = with_states(_begun(rows, start, end), SESSION, _order())
    pieces = _pieces(told)
    summed = _chosen(_by_slice(pieces))
    return _judged(_by_session(summed), keys, grace_s)


def _order() -> tuple[Column, ...]:
    """From first to last; what heartbeats of a day sum to stands before that day's events."""
    return (
        F.col("day"),
        F.col("event_id").isNotNull(),
        F.asc_nulls_last("sequence"),
        F.col("at"),
        F.col("event_id"),
        F.col("slice"),
    )


def _begun(rows: DataFrame, start: date, end: date) -> DataFrame:
    """Rows with `session_date`, of sessions that start in the window."""
    in_order = Window.partitionBy("play_id").orderBy(*_order())
    so_far = in_order.rowsBetween(Window.unboundedPreceding, Window.currentRow)
    gap = F.date_diff("day", F.lag("day").over(in_order))
    begins = F.when(F.coalesce(gap > 1, F.lit(True)), F.col("day"))
    dated = rows.select("*", begins.alias("_begins")).select(
        "*", F.max("_begins").over(so_far).alias("session_date")
    )
    kept = dated.where(F.date_diff("day", "session_date") <= AFTER)
    return within(kept, "session_date", start, end).drop("_begins")


def _pieces(rows: DataFrame) -> DataFrame:
    """Rows cut at the borders of slices: `slice`, `ms` in it, and `place` on the first piece of an event only."""
    in_order = Window.partitionBy(*SESSION).orderBy(*_order())
    so_far = in_order.rowsBetween(Window.unboundedPreceding, Window.currentRow)
    # Stretches never overlap, whatever a clock does.
    clocked = rows.select(
        "*", F.max("at").over(so_far).alias("clock"), F.row_number().over(in_order).alias("_row")
    )
    follows = F.date_diff("next_day", "session_date") <= AFTER
    until = F.greatest(F.when(follows, F.col("next_at")), "clock")
    first, lasts = slice_of("clock"), F.col("state").isin(PLAYING, REBUFFERING)
    last = F.when(lasts & (F.col("until") > F.col("clock")), slice_of(F.col("until") - 1))
    cut = (
        clocked.select("*", F.when(F.col("event_id").isNotNull(), until).alias("until"))
        .select("*", F.sequence(first, F.greatest(last, first)).alias("_slices"))
        .select("*", F.explode_outer("_slices").alias("_slice"))
    )
    is_first = (F.col("_slice") == first) & F.col("event_id").isNotNull()
    inside = F.least("until", (F.col("_slice") + 1) * SLICE_MS) - F.greatest(
        F.col("clock"), F.col("_slice") * SLICE_MS
    )
    lasted = F.when(lasts, inside).otherwise(F.when(is_first, F.col("until") - F.col("clock")))
    is_beat = F.col("event_id").isNull()
    return cut.select(
        *(name for name in rows.columns if name != "slice"),
        "clock",
        F.when(is_beat, F.col("slice")).otherwise(F.col("_slice")).alias("slice"),
        F.when(~is_beat, lasted).alias("ms"),
        F.when(is_first, F.col("_row")).alias("place"),
    )


def _measures() -> dict[str, tuple[str, Column]]:
    """By name: how it merges (sum, min or max), and what it is of a piece."""
    event, place, state, ms = F.col("event"), F.col("place"), F.col("state"), F.col("ms")
    is_event = place.isNotNull()
    at = F.when(is_event, F.col("at"))

    def time(*states: str) -> Column:
        return F.when(state.isin(*states), ms)

    def times(holds: Column) -> Column:
        return F.when(is_event & holds, 1)

    # What does the ending belongs to the session; what comes after it does not.
    was_over = F.coalesce(F.col("state_before") == ENDED, F.lit(False))
    words = F.struct(-place, "event", "at", "error_code")
    switch, bitrate = event == "quality_switch", F.col("bitrate_kbps")
    rate = F.coalesce("bitrate_kbps", "bitrate_before")
    is_new_stall = (state == REBUFFERING) & ~F.coalesce(
        F.col("state_before") == REBUFFERING, F.lit(False)
    )
    sums = {
        "play_ms": time(PLAYING),
        "pause_ms": time(PAUSED, PAUSED_BUFFERING),
        "seek_ms": time(SEEKING),
        "stall_ms": time(REBUFFERING),
        "stalls": times(is_new_stall),
        "seeks": times((event == "seek") & ~was_over),
        "pauses": times((event == "pause") & ~was_over),
        "switches_up": times(switch & (bitrate > F.col("bitrate_before"))),
        "switches_down": times(switch & (bitrate < F.col("bitrate_before"))),
        "bits": F.when(rate.isNotNull(), rate * time(PLAYING)),
        "bitrate_ms": F.when(rate.isNotNull(), time(PLAYING)),
        "early_jumps": times(event.isin(*JUMPS) & (state == JOINING)),
        "odd_events": times(F.col("has_odd_bitrate")),
        "events": times(F.lit(True)),
        "numbered": times(F.col("sequence").isNotNull()),
        "after_end": times(was_over),
        "went_back": times(F.col("at") < F.col("clock")),
        "corrected": times(F.col("is_corrected")),
        "shown": times(event.isin(*SHOWS_PICTURE)),
        **{name: F.col(name) for name in (
            "beats", "stalled_beats", "odd_beats", "negative_beats", "miscounted_beats", "beat_play_ms",
            "beat_stall_ms", "beat_stalls", "beat_bits", "beat_bitrate_ms", "dropped_frames", "frames_ms",
            "throughput_kbps", "throughput_beats")},
    }  # fmt: skip
    least = {
        "who": F.when(is_event, F.struct("place", "where")),
        "attempt_at": F.when(event == "attempt", at),
        "first_frame_at": F.when(event == "first_frame", at),
        "first_event": at,
        "first_beat": F.col("first_beat"),
        "first_number": F.when(is_event, F.col("sequence")),
    }
    most = {
        "last_words": F.when(is_event & event.isin(*LAST_WORDS), words),
        "last_number": F.when(is_event, F.col("sequence")),
        "last_event": F.when(~was_over, at),
        "last_beat": F.col("last_beat"),
    }
    return (
        {name: ("sum", F.coalesce(what.cast("bigint"), F.lit(0))) for name, what in sums.items()}
        | {name: ("min", what) for name, what in least.items()}
        | {name: ("max", what) for name, what in most.items()}
    )


def _merged(how: str, what: Column | str) -> Column:
    merges = {"sum": F.sum, "min": F.min, "max": F.max}
    return merges[how](what)


def _by_slice(pieces: DataFrame) -> DataFrame:
    measures = _measures()
    return pieces.groupBy(*SESSION, "slice").agg(
        *(_merged(how, what).alias(name) for name, (how, what) in measures.items())
    )


def _chosen(slices: DataFrame) -> DataFrame:
    """Slices with times from events where all of those are there, else from heartbeats; and what their hour sums to."""
    whole = Window.partitionBy(*SESSION)
    events = F.sum("events").over(whole)
    has_all = (
        F.max("last_words").over(whole).isNotNull()
        & (events == F.sum("numbered").over(whole))
        & (F.min("first_number").over(whole) == 0)
        # The number is whatever the client sent; one more than the greatest integer is none.
        & (events - 1 == F.max("last_number").over(whole))
        & (F.sum(F.col("went_back") + F.col("corrected") + F.col("after_end")).over(whole) == 0)
    )
    known = slices.select("*", F.coalesce(has_all, F.lit(False)).alias("is_by_events"))
    by_events = F.col("is_by_events")
    own = {
        name: F.when(by_events, F.col(name)).otherwise(F.col(f"beat_{name}")).alias(name)
        for name in ("play_ms", "stall_ms", "stalls", "bits", "bitrate_ms")
    }
    chosen = known.select(
        *(name for name in known.columns if name not in own and not name.startswith("beat_")),
        *own.values(),
        F.col("beat_play_ms").alias("beat_play_ms"),
    )
    hour = Window.partitionBy(*SESSION, F.floor(F.col("slice") / _HOUR_SLICES))
    active = F.when(_is_active(), F.col("slice"))
    opens = F.col("slice") == F.min(active).over(hour)
    return chosen.select(
        "*",
        *(
            F.when(opens, F.sum(of).over(hour)).otherwise(0).alias(name)
            for name, of in (
                ("hour_ms", F.col("play_ms") + F.col("stall_ms")),
                ("hour_stall_ms", F.col("stall_ms")),
                ("hour_dropped_frames", F.col("dropped_frames")),
                ("hour_frames_ms", F.col("frames_ms")),
                ("hour_bits", F.col("bits")),
                ("hour_bitrate_ms", F.col("bitrate_ms")),
            )
        ),
    )


def _is_active() -> Column:
    return F.col("play_ms") + F.col("stall_ms") > 0


def _by_session(slices: DataFrame) -> DataFrame:
    merges = {name: how for name, (how, _) in _measures().items() if name in slices.columns}
    fields = [
        F.timestamp_millis(F.col("slice") * SLICE_MS).alias("slice_at"),
        *(F.coalesce(name, F.lit(0)).cast("bigint").alias(name) for name in SLICE.names[1:]),
    ]
    # A column before it is collected: what is collected, Spark interprets row by row where it computes it.
    piece = F.when(_is_active(), F.struct(*fields)).alias("_piece")
    return (
        slices.select("*", piece)
        .groupBy(*SESSION, "is_by_events")
        .agg(
            *(_merged(how, name).alias(name) for name, how in merges.items()),
            F.array_sort(F.collect_list("_piece")).alias("slices"),
        )
    )


def _judged(summed: DataFrame, keys: DataFrame, grace_s: int) -> DataFrame:
    """Sessions as silver knows them, with outcome, oddities and score."""
    words = F.col("last_words")
    last_sign = F.greatest("last_event", "last_beat")
    started = F.least("first_event", "first_beat")
    ended = F.greatest(
        F.when(words.isNotNull(), words["at"]).otherwise(last_sign + grace_s * 1000), "started"
    )
    timed = summed.select("*", started.alias("started")).select("*", ended.alias("ended"))
    has_begun = (F.col("shown") > 0) | (F.col("play_ms") > 0)
    is_error = F.coalesce(words["event"] == "error", F.lit(False))
    outcome = (
        F.when(is_error & has_begun, "playback_failure")
        .when(is_error, "start_failure")
        .when(has_begun, "played")
        .otherwise("exit_before_start")
    )
    clock_holds = F.col("corrected") == 0
    join = F.col("first_frame_at") - F.col("attempt_at")
    passed = F.col("ended") - F.col("started") + SLACK_MS
    is_sound = F.col("play_ms") + F.col("stall_ms") <= passed
    # Where events are missing, so may be the one that a pause or a jump ended with; heartbeats know when it played.
    left = F.greatest(
        F.col("ended") - F.col("started") - F.col("play_ms") - F.col("stall_ms"), F.lit(0)
    )
    seek = F.when(F.col("is_by_events"), F.col("seek_ms")).otherwise(F.least("seek_ms", left))
    pause = F.when(F.col("is_by_events"), F.col("pause_ms")).otherwise(
        F.least("pause_ms", left - seek)
    )
    cut = F.col("pause_ms") + F.col("seek_ms") - pause - seek
    oddities = reasons(
        bitrate_in_another_unit=F.col("odd_events") + F.col("odd_beats") > 0,
        clock_corrected=~clock_holds,
        clock_went_back=F.col("went_back") > 0,
        events_after_end=F.col("after_end") > 0,
        heartbeats_after_end=F.col("last_beat") > words["at"] + LATE_BEATS_MS,
        more_time_than_passed=~is_sound,
        negative_count=F.col("miscounted_beats") > 0,
        negative_time=F.col("negative_beats") > 0,
        no_attempt=F.col("attempt_at").isNull(),
        pause_without_end=cut > SLACK_MS,
    )
    facts = timed.select(
        known_as(IdKind.PLAY, "play_id", keys),
        "session_date",
        F.timestamp_millis("started").alias("started_at"),
        F.timestamp_millis("first_frame_at").alias("first_frame_at"),
        F.timestamp_millis("ended").alias("ended_at"),
        outcome.alias("outcome"),
        F.when(is_error, words["error_code"]).alias("error_code"),
        *(F.col("who")["where"][name].alias(name) for name in (*DIMENSIONS, "country")),
        F.when(clock_holds & (join >= 0) & (F.col("early_jumps") == 0), join).alias("join_ms"),
        F.when(~has_begun, F.greatest(words["at"], last_sign) - F.col("started")).alias("wait_ms"),
        "play_ms",
        pause.alias("pause_ms"),
        seek.alias("seek_ms"),
        *("stall_ms", "stalls", "seeks", "pauses"),
        *("switches_up", "switches_down", "bits", "bitrate_ms", "dropped_frames", "frames_ms"),
        *("throughput_kbps", "throughput_beats", "beats", "stalled_beats"),
        (F.col("odd_events") + F.col("odd_beats")).alias("odd_bitrates"),
        "is_by_events",
        oddities.alias("oddities"),
        is_sound.alias("is_sound"),
        F.col("slices").cast(f"array<{SLICE.simpleString()}>").alias("slices"),
        F.col("who").isNotNull().alias("_has_events"),
    )
    told = facts.where("_has_events").drop("_has_events")
    return told.select("*", score().alias("score"))
