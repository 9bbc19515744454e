"""Viewing sessions: what became of each play attempt, from the player's events and its heartbeats.

Grain: one row a play attempt, that is, a press of play, whether or not a first frame followed (a *play* counts
from the first frame). It belongs to the day of its first record and holds what happened on that day and on the
next. A play id that comes back after a whole day of silence is another attempt; what a play reports on its
third day belongs to no session, so that one day after a window is enough to close all sessions in it.

Method. Events are put in the order of the player's own numbers, for a wrong clock cannot change those. What the
player is doing after an event follows media3's PlaybackStats: joining, playing, paused, seeking, rebuffering,
ended. Before a picture is shown a player is joining, paused or not; a jump counts until it is done; else a
pause holds until it is resumed, and buffering while paused counts to it. Time watched is the sum of the
stretches in which it plays, if all events from the first to the last are there and none was dated by its
receipt; otherwise it is what the heartbeats counted, and what the picture moved on after the last of them.
Stretches of the title seen twice are found by laying all stretches played along the title: what they sum to
beyond their union was seen again.

A session that nothing ended is `abandoned` if the player stood paused when it was last heard of, else `lost`;
it ends a grace after the last sign of life.

Caveats: a stretch is as long as its positions say, so playback at another speed than 1 counts by media time for
what was seen and by the clock for what was watched. Between two heartbeats only events tell of pauses.
"""

from __future__ import annotations

from datetime import date

from pyspark.sql import Column, DataFrame, Window, WindowSpec
from pyspark.sql import functions as F

from cinelake.behaviour.accounting import Accounts
from cinelake.behaviour.records import is_duplicate, within
from cinelake.sources.heartbeats import HEARTBEATS_SOURCE
from cinelake.sources.playback import PLAYBACK_SOURCE

# Days of records to read around those on which sessions start: one before, to see that they did not start
# earlier, and one after, to see how they end.
BEFORE, AFTER = 1, 1

# What a heartbeat must say for a session.
BEAT_COLUMNS = ("play_id", "sequence", "state", "position_s", "played_s")
WHO = ("account_id", "profile_id", "device_id", "title_id", "episode_id")
WHERE = ("device_model", "app_version", "connection", "ip", "asn", "isp", "country", "region")
ENTRY = ("entry", "row", "rank", "page_id")

_JOINING, _PLAYING, _PAUSED, _SEEKING = "joining", "playing", "paused", "seeking"
_REBUFFERING, _ENDED = "rebuffering", "ended"
# What the player does after an event, if it is not paused; after the others it goes on with what it did. A pause holds
# until it is resumed, whatever happens meanwhile.
_AFTER = {
    "attempt": _JOINING,
    "first_frame": _PLAYING,
    "seek": _SEEKING,
    "skip_intro": _SEEKING,
    "seek_done": _PLAYING,
    "rebuffer_start": _REBUFFERING,
    "rebuffer_end": _PLAYING,
    "error": _ENDED,
    "stop": _ENDED,
    "end": _ENDED,
}
_LAST_WORDS = ("stop", "end", "error")


def sessions(
    playback: DataFrame,
    heartbeats: DataFrame,
    start: date,
    end: date,
    grace_s: int,
    accounts: Accounts | None = None,
) -> DataFrame:
    """The attempts that start in `[start, end)`, times as microseconds and lengths as milliseconds.

    `playback` and `heartbeats` are typed records from `BEFORE` days before to `AFTER` days after, duplicates
    among them. An attempt of which only heartbeats came has no title. `own_events` and `own_heartbeats` are those
    of the accounts' days, by default of `[start, end)`.
    """
    accounts = accounts or Accounts(start, end)
    events, beats = _events(playback, accounts), _beats_by_day(heartbeats, accounts)
    rows = events.unionByName(beats, allowMissingColumns=True)
    stretches = _stretches(_begun(rows, start, end, accounts))
    return _closed(_summed(stretches, accounts), grace_s)


def once(heartbeats: DataFrame) -> DataFrame:
    """Each heartbeat once, as numbers: by hashing, for there are too many of them to sort.

    Of copies the earliest receipt counts; a copy differs from its original in nothing but the date, where a
    clock that is ahead was corrected, and there the earliest receipt has the earliest date.
    """
    return (
        heartbeats.select(
            "play_id",
            F.xxhash64("event_id").alias("_event"),
            F.unix_micros("event_time").alias("at"),
            F.unix_micros("received_at").alias("_received"),
            F.col("sequence"),
            (F.col("state") == _PAUSED).alias("_paused"),
            _milliseconds("position_s").alias("position"),
            # No more than a day, lest absurd times sum to no number.
            F.least(
                F.greatest(F.coalesce(_milliseconds("played_s"), F.lit(0)), F.lit(0)),
                F.lit(86_400_000),
            ).alias("played"),
        )
        .groupBy("play_id", "_event")
        .agg(
            F.min("at").alias("at"),
            *(
                F.min_by(name, "_received").alias(name)
                for name in ("sequence", "_paused", "position", "played")
            ),
        )
    )


def _beats_by_day(heartbeats: DataFrame, accounts: Accounts) -> DataFrame:
    """One row a play and day with what its heartbeats sum to."""
    # As many as come less as many as are left: to count copies one by one would cost a column more in the shuffle.
    come = accounts.tell(HEARTBEATS_SOURCE, heartbeats, duplicate=accounts.own("event_date"))
    left = once(come).select("*", F.to_date(F.timestamp_micros("at")).alias("day"))
    return (
        accounts.tell(HEARTBEATS_SOURCE, left, duplicate=-accounts.own("day"))
        .groupBy("play_id", "day")
        .agg(
            F.min("at").alias("first_beat"),
            F.max("at").alias("last_beat"),
            F.max(F.when(F.col("_paused"), F.col("at"))).alias("last_paused_beat"),
            F.max_by("position", "sequence").alias("beat_position"),
            F.max("position").alias("beat_furthest"),
            F.sum("played").alias("beat_played"),
            F.count("*").alias("beats"),
        )
    )


def _events(playback: DataFrame, accounts: Accounts) -> DataFrame:
    """Each event once."""
    lying = playback.repartition("play_id")
    is_copy = is_duplicate(PLAYBACK_SOURCE.names, within=("play_id",))
    marked = lying.select("*", is_copy.alias("_is_duplicate"))
    is_own_copy = accounts.own("event_date", F.col("_is_duplicate"))
    counted = accounts.tell(PLAYBACK_SOURCE, marked, duplicate=is_own_copy)
    return counted.where(~F.col("_is_duplicate")).select(
        "play_id",
        F.col("event_date").alias("day"),
        "event_id",
        "event",
        "sequence",
        F.unix_micros("event_time").alias("at"),
        _milliseconds("position_s").alias("position"),
        _milliseconds("to_position_s").alias("to_position"),
        F.col("clock_ahead_ms").isNotNull().alias("is_corrected"),
        "error_code",
        F.struct(*WHO, *WHERE).alias("who"),
        F.struct(*ENTRY).alias("entered"),
    )


def _in_order() -> WindowSpec:
    """The rows of a play from first to last; what its heartbeats of a day sum to stands before that day's events."""
    return Window.partitionBy("play_id").orderBy(
        "day", F.col("event_id").isNotNull(), F.asc_nulls_last("sequence"), "at", "event_id"
    )


def _begun(rows: DataFrame, start: date, end: date, accounts: Accounts) -> DataFrame:
    """Rows with `session_date`, and each event beside the next one of its session."""
    in_order = _in_order()
    so_far = in_order.rowsBetween(Window.unboundedPreceding, Window.currentRow)
    # There is at most one row of heartbeats between two events of one session.
    next_rows = in_order.rowsBetween(1, 2)
    gap = F.date_diff("day", F.lag("day").over(in_order))
    starts = F.coalesce(gap > 1, F.lit(True))
    dated = rows.select("*", F.when(starts, F.col("day")).alias("_begins")).select(
        "*", F.max("_begins").over(so_far).alias("session_date")
    )
    is_event = F.col("event_id").isNotNull()
    following = F.first_value(
        F.when(is_event, F.struct("at", "position", "day")), F.lit(True)
    ).over(next_rows)
    told = dated.select(
        "*",
        _state(so_far).alias("state"),
        F.when(is_event, following).alias("_next"),
        F.when(is_event, F.row_number().over(in_order)).alias("place"),
    )
    is_kept = F.date_diff("day", "session_date") <= AFTER
    is_next = F.date_diff("_next.day", "session_date") <= AFTER
    late_events = accounts.own("day", ~is_kept & is_event)
    late_beats = accounts.own("day", F.when(~is_kept, F.coalesce("beats", F.lit(0))))
    counted = accounts.tell(PLAYBACK_SOURCE, told, third_day=late_events)
    counted = accounts.tell(HEARTBEATS_SOURCE, counted, third_day=late_beats)
    return within(counted.where(is_kept), "session_date", start, end).select(
        *(name for name in told.columns if not name.startswith("_")),
        F.when(is_next, F.col("_next.at")).alias("next_at"),
        F.when(is_next, F.col("_next.position")).alias("next_position"),
    )


def _state(so_far: WindowSpec) -> Column:
    """What the player does after a row. A session begins anew, for windows need not know the one before."""
    begins, event = F.col("_begins").isNotNull(), F.col("event")
    after = F.when(begins, F.lit(_JOINING))
    for told, state in _AFTER.items():
        after = F.when(event == told, F.lit(state)).otherwise(after)
    does = F.last_value(after, F.lit(True)).over(so_far)
    pauses = F.when(event == "pause", F.lit(True)).when(begins | (event == "resume"), F.lit(False))
    is_paused = F.last_value(pauses, F.lit(True)).over(so_far)
    return F.when(is_paused & does.isin(_PLAYING, _REBUFFERING), F.lit(_PAUSED)).otherwise(does)


def _stretches(rows: DataFrame) -> DataFrame:
    """Rows with how long the state after them lasted, and how much of the title played in it was seen before."""
    plays = F.col("state") == _PLAYING
    began = F.coalesce(F.when(F.col("event") == "seek_done", F.col("to_position")), "position")
    lasted = F.greatest(F.col("next_at") - F.col("at"), F.lit(0)) / 1000
    measured = rows.select(
        "*",
        F.when(F.col("next_at").isNotNull(), lasted.cast("bigint")).alias("lasted"),
        F.when(plays & (F.col("next_position") > began), began).alias("seen_from"),
        F.when(plays & (F.col("next_position") > began), F.col("next_position")).alias("seen_to"),
    )
    along = Window.partitionBy("play_id", "session_date").orderBy(
        F.asc_nulls_last("seen_from"), "seen_to", "place"
    )
    reached = F.max("seen_to").over(along.rowsBetween(Window.unboundedPreceding, -1))
    again = F.when(reached > F.col("seen_from"), F.least(reached, "seen_to") - F.col("seen_from"))
    return measured.select("*", again.alias("seen_again"))


def _summed(rows: DataFrame, accounts: Accounts) -> DataFrame:
    """One row a session, with what its events and its heartbeats say, side by side."""
    event, place, state = F.col("event"), F.col("place"), F.col("state")
    jump = F.col("to_position") - F.col("position")
    is_seek, pressed = event == "seek", F.when(event == "attempt", place)
    words = F.struct("place", "event", "at", "position", "error_code")
    is_open = F.col("event").isNotNull() & F.col("lasted").isNull()
    return rows.groupBy("play_id", "session_date").agg(
        F.min_by("who", "place").alias("who"),
        F.min_by("entered", pressed).alias("entered"),
        F.min_by("position", pressed).alias("start_position"),
        F.least(F.min("at"), F.min("first_beat")).alias("started"),
        F.min(F.when(event == "first_frame", F.col("at"))).alias("first_frame"),
        F.max(F.when(event.isin(*_LAST_WORDS), words)).alias("last_words"),
        F.max_by("state", "place").alias("last_state"),
        F.max_by("position", "place").alias("last_position"),
        F.max("at").alias("last_event"),
        F.max("last_beat").alias("last_beat"),
        F.max("last_paused_beat").alias("last_paused_beat"),
        F.max_by("beat_position", F.when(F.col("beats") > 0, F.col("day"))).alias("beat_position"),
        F.greatest(F.max("position"), F.max("beat_furthest")).alias("furthest"),
        F.sum(F.when(state == _PLAYING, F.col("lasted"))).alias("played_by_events"),
        F.sum("beat_played").alias("played_by_beats"),
        F.sum(F.when(state == _PAUSED, F.col("lasted"))).alias("paused"),
        F.max(F.when((state == _PAUSED) & is_open, F.col("at"))).alias("paused_since"),
        F.count_if(event == "pause").alias("pauses"),
        F.count_if(is_seek & (jump > 0)).alias("seeks_forward"),
        F.count_if(is_seek & (jump < 0)).alias("seeks_back"),
        F.array_sort(
            F.collect_list(F.when(is_seek & (jump < 0), F.col("to_position") / 1000))
        ).alias("went_back_to_s"),
        F.sum("seen_again").alias("seen_again"),
        (F.count_if(event == "skip_intro") > 0).alias("skipped_intro"),
        (F.count_if(event == "skip_credits") > 0).alias("skipped_credits"),
        F.count("event").alias("events"),
        F.coalesce(F.sum("beats"), F.lit(0)).alias("beats"),
        F.sum(accounts.own("day", event.isNotNull())).alias("own_events"),
        F.sum(accounts.own("day", F.coalesce("beats", F.lit(0)))).alias("own_heartbeats"),
        F.count("sequence").alias("numbered"),
        F.max("sequence").alias("last_number"),
        F.coalesce(F.bool_or("is_corrected"), F.lit(False)).alias("is_corrected"),
    )


def _closed(summed: DataFrame, grace_s: int) -> DataFrame:
    """Sessions with their end, and what events and heartbeats come to together."""
    words = F.col("last_words")
    is_told = F.coalesce((F.col("last_state") == _ENDED) & words.isNotNull(), F.lit(False))
    last_sign = F.greatest("last_event", "last_beat")
    beat_was_later = F.coalesce(
        F.col("last_beat") > F.col("last_event"), F.col("last_event").isNull()
    )
    stood_paused = F.when(
        beat_was_later, F.col("last_paused_beat") == F.col("last_beat")
    ).otherwise(F.col("last_state") == _PAUSED)
    has_all_events = (
        is_told
        & (F.col("numbered") == F.col("events"))
        # The number is whatever the client sent; one more than the greatest integer is none.
        & (F.col("events") - 1 == F.col("last_number"))
        & ~F.col("is_corrected")
    )
    moved_on = F.least(
        words["position"] - F.col("beat_position"),
        ((words["at"] - F.col("last_beat")) / 1000).cast("bigint"),
    )
    played_after = F.when(
        is_told & F.coalesce(F.col("last_paused_beat") < F.col("last_beat"), F.lit(True)), moved_on
    )
    by_beats = F.col("played_by_beats") + F.greatest(F.coalesce(played_after, F.lit(0)), F.lit(0))
    watched = F.when(has_all_events, F.col("played_by_events")).otherwise(
        F.coalesce(by_beats, F.col("played_by_events"))
    )
    left_paused = F.greatest(last_sign - F.col("paused_since"), F.lit(0)) / 1000
    paused = F.coalesce("paused", F.lit(0)) + F.coalesce(left_paused.cast("bigint"), F.lit(0))
    return summed.select(
        "*",
        F.when(is_told, words["event"])
        .when(F.coalesce(stood_paused, F.lit(False)), F.lit("abandoned"))
        .otherwise(F.lit("lost"))
        .alias("close_reason"),
        F.when(is_told, F.greatest(words["at"], "started"))
        .otherwise(last_sign + grace_s * 1_000_000)
        .alias("ended"),
        F.when(is_told, words["error_code"]).alias("error_code"),
        F.when(is_told, words["position"])
        .when(beat_was_later, F.col("beat_position"))
        .otherwise(F.col("last_position"))
        .alias("end_position"),
        F.coalesce(watched, F.lit(0)).alias("watched"),
        paused.alias("stood_paused"),
        F.coalesce(has_all_events, F.lit(False)).alias("is_by_events"),
    )


def _milliseconds(seconds: str) -> Column:
    # What is no time at all, for its size, is none.
    return F.round(F.col(seconds) * 1000).try_cast("bigint")
