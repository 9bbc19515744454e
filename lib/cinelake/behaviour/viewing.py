"""Viewing sessions in their surroundings: the title, the device, the viewer's own time, the sitting.

Grain: that of `sessions.sessions`, one row a play attempt.

How a title, a device or an account looks is taken from the end of the session's day, not from its start: a
catalogue corrects itself, and a client whose clock is slow plays before its account exists. Local time is
that of the account's time zone, which may not be where the viewer is.

Finished, a rule per kind: the title was over, or its credits were reached, or, where the catalogue knows no
credits, a share of its length that is set for films and for episodes.

Binge position counts the episodes of one series that a profile began before in one sitting. A sitting is broken
by a gap between the end of one and the start of the next, or by four hours from start to start; it looks back
twenty hours at most, so that it needs one day of sessions before a window, whatever the window.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from cinelake.behaviour import sessions as attempts
from cinelake.behaviour.accounting import AccountFor, Accounts, nobody_asks
from cinelake.behaviour.history import EFFECTIVE_FROM, as_of
from cinelake.behaviour.identity import IdKind, known_as
from cinelake.behaviour.records import reasons, within
from cinelake.behaviour.surroundings import end_of, with_surroundings
from cinelake.sources.heartbeats import HEARTBEATS_SOURCE
from cinelake.sources.playback import PLAYBACK_SOURCE
from cinelake.tables.viewing import SECONDS

# One day of earlier sessions, to tell how many episodes of a sitting came before midnight.
BEFORE, AFTER = attempts.BEFORE + 1, attempts.AFTER
_HOUR = 3600 * 1_000_000
_LONGEST_STEP, _LONGEST_SITTING = 4 * _HOUR, 20 * _HOUR


@dataclass(frozen=True)
class Rules:
    """What ends a session, what counts as finished, and what breaks a sitting."""

    grace_s: int
    sitting_gap_s: int
    film_finished: float
    episode_finished: float


@dataclass(frozen=True)
class Surroundings:
    """The change rows of accounts, devices and titles, as their tables hold them."""

    accounts: DataFrame
    devices: DataFrame
    titles: DataFrame


def viewing_sessions(
    playback: DataFrame,
    heartbeats: DataFrame,
    around: Surroundings,
    keys: DataFrame,
    start: date,
    end: date,
    rules: Rules,
    tell: AccountFor = nobody_asks,
) -> DataFrame:
    """The sessions that start in `[start, end)`, with `_reasons`.

    `no_playback`: only heartbeats of the attempt are there, so nobody knows who watched what. Typed records
    are read from `BEFORE` days before to `AFTER` days after.
    """
    # A sitting that goes on after midnight has sessions before the window.
    day_before = start - timedelta(days=1)
    accounts = Accounts(start, end, tell)
    summed = attempts.sessions(playback, heartbeats, day_before, end, rules.grace_s, accounts)
    named = _named(summed, keys)
    placed = _placed(named, around)
    judged = placed.select("*", *_judged(rules))
    found = _in_sittings(judged, rules)
    is_somebodys = F.size("_reasons") == 0
    told = tell(PLAYBACK_SOURCE, found, kept=F.col("own_events"))
    told = tell(
        HEARTBEATS_SOURCE,
        told,
        kept=F.when(is_somebodys, F.col("own_heartbeats")),
        no_playback=F.when(~is_somebodys, F.col("own_heartbeats")),
    )
    return within(told.drop("own_events", "own_heartbeats"), "session_date", start, end)


def was_pressed() -> Column:
    """Whether somebody pressed play; an episode that followed by itself nobody pressed."""
    return F.coalesce(F.col("entry") != "autoplay", F.lit(True))


def _named(summed: DataFrame, keys: DataFrame) -> DataFrame:
    """Sessions under the names and ids that silver knows."""
    flat = summed.select(
        "*", "who.*", "entered.entry", "entered.row", "entered.rank", "entered.page_id"
    )
    return flat.select(
        known_as(IdKind.PLAY, "play_id", keys),
        "session_date",
        known_as(IdKind.ACCOUNT, "account_id", keys),
        known_as(IdKind.PROFILE, "profile_id", keys),
        known_as(IdKind.DEVICE, "device_id", keys),
        "title_id",
        "episode_id",
        F.when(F.col("episode_id").isNull(), "film").otherwise("episode").alias("kind"),
        F.timestamp_micros("started").alias("started_at"),
        F.timestamp_micros("first_frame").alias("first_frame_at"),
        F.timestamp_micros(F.greatest("last_event", "last_beat")).alias("last_seen_at"),
        F.timestamp_micros("ended").alias("ended_at"),
        "close_reason",
        "error_code",
        _seconds("watched").alias("seconds_watched"),
        _seconds("stood_paused").alias("seconds_paused"),
        *(F.col(name).cast("int").alias(name) for name in ("pauses", "seeks_forward", "seeks_back")),
        "went_back_to_s",
        _seconds("seen_again").alias("seconds_rewatched"),
        "skipped_intro",
        "skipped_credits",
        (F.col("start_position") / 1000).alias("start_position_s"),
        (F.col("end_position") / 1000).alias("end_position_s"),
        (F.col("furthest") / 1000).alias("furthest_position_s"),
        "device_model",
        "app_version",
        "entry",
        F.col("row").alias("entry_row"),
        F.col("rank").alias("entry_rank"),
        known_as(IdKind.PAGE, "page_id", keys),
        "connection",
        known_as(IdKind.IP, "ip", keys),
        *("asn", "isp", "country", "region"),
        F.col("events").cast("int").alias("events"),
        F.col("beats").cast("int").alias("heartbeats"),
        "is_by_events",
        *("own_events", "own_heartbeats"),
        reasons(no_playback=F.col("who").isNull()).alias("_reasons"),
    )  # fmt: skip


def _seconds(milliseconds: str) -> Column:
    exact = F.coalesce(F.col(milliseconds), F.lit(0)).cast("decimal(15,0)")
    return (exact * F.lit(0.001).cast("decimal(4,3)")).cast(SECONDS)


def _placed(named: DataFrame, around: Surroundings) -> DataFrame:
    """Sessions beside title, device and local time, as these stood when the session's day ended."""
    frame = named.select("*", F.coalesce("episode_id", "title_id").alias("_watched_id"))
    titles = around.titles.select(
        F.col("title_id").alias("_watched_id"), EFFECTIVE_FROM, "runtime_s", "credits_start_s"
    )
    at_day_end = end_of("session_date").alias("_at")
    seen = as_of(frame.select("*", at_day_end), titles, on=("_watched_id",), at="_at")
    return with_surroundings(
        seen.drop(EFFECTIVE_FROM, "_at", "_watched_id"),
        around.accounts,
        around.devices,
        "session_date",
    )


def _judged(rules: Rules) -> list[Column]:
    """How much was seen, and whether that is all."""
    length = F.when(F.col("runtime_s") > 0, F.col("runtime_s"))
    share = F.least(F.col("furthest_position_s") / length, F.lit(1.0))
    wanted = F.when(F.col("kind") == "film", rules.film_finished).otherwise(rules.episode_finished)
    reached = F.coalesce(
        F.col("furthest_position_s") >= F.col("credits_start_s"), share >= wanted, F.lit(False)
    )
    began = F.col("first_frame_at").isNotNull()
    return [
        share.alias("completion"),
        ((F.col("close_reason") == "end") | (began & reached)).alias("is_finished"),
    ]


def _in_sittings(sessions: DataFrame, rules: Rules) -> DataFrame:
    """Sessions with their place in a run of episodes."""
    began, ended = F.unix_micros("started_at"), F.unix_micros("ended_at")
    is_episode = (F.col("kind") == "episode") & F.col("first_frame_at").isNotNull()
    of_series = Window.partitionBy("profile_id", "title_id", "_is_episode").orderBy(
        "started_at", "play_id"
    )
    rows = sessions.select("*", is_episode.alias("_is_episode"), began.alias("_began"))
    goes_on = (began - F.lag(ended).over(of_series) <= rules.sitting_gap_s * 1_000_000) & (
        began - F.lag("_began").over(of_series) <= _LONGEST_STEP
    )
    is_other = F.lag("episode_id").over(of_series) != F.col("episode_id")
    marked = rows.select(
        "*",
        F.coalesce(goes_on, F.lit(False)).alias("_goes_on"),
        F.coalesce(goes_on & is_other, F.lit(False)).cast("int").alias("_step"),
    )
    until_now = of_series.rowsBetween(Window.unboundedPreceding, Window.currentRow)
    sat = marked.select("*", F.count_if(~F.col("_goes_on")).over(until_now).alias("_sitting"))
    lately = (
        Window.partitionBy("profile_id", "title_id", "_is_episode", "_sitting")
        .orderBy("_began")
        .rangeBetween(-_LONGEST_SITTING, Window.currentRow)
    )
    position = F.when(F.col("_is_episode"), F.sum("_step").over(lately)).otherwise(0)
    return sat.select("*", position.cast("int").alias("binge_position")).drop(
        "_is_episode", "_began", "_goes_on", "_step", "_sitting", "credits_start_s"
    )
