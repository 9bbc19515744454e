"""Browse sessions: how long a profile looks around until it presses play or leaves, and what it sees meanwhile.

Grain: one row a run (runs.py) of page views and searches of a profile on a device. It begins with the first of
these after a play or after a gap, and ends with a press of play within the gap of the last of them (`play`), or with
the last of them (`exit`).

A press of play that follows no browsing, as from a notification, is no session. An episode that follows by itself is
neither browsing nor a press. An act outside any page view, as a thumb after a play, is no sign of browsing.

Caveats: tiles that an app loads ahead and nobody sees are signs too, for somebody opened the page. Signs of one page
view in one minute are taken together, so a viewer who comes back to the very same page view within the minute in which
play was pressed there is not seen to begin anew. Times are those of silver; where a client's clock is ahead
they are times of receipt.
"""

from __future__ import annotations

from datetime import date

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from cinelake.behaviour import runs
from cinelake.behaviour.clocks import seconds_between
from cinelake.behaviour.records import within
from cinelake.behaviour.surroundings import with_surroundings
from cinelake.behaviour.viewing import was_pressed

# Days of interactions, searches and plays to read around those on which sessions begin. A search may begin
# almost a day before its last text, which is a sign too.
BEFORE, SEARCHES_BEFORE, AFTER = runs.BEFORE, runs.BEFORE + 1, runs.AFTER

_WHO = ("account_id", "profile_id", "device_id")
_SIGN = (*_WHO, "at", "until", "is_last", "kind", "id")
# At one moment, play comes last.
_ORDER = ("at", "is_last", "kind", "id", "until")
_PLAY = ("play_id", "title_id", "episode_id", "entry", "entry_row", "entry_rank")


def browse_sessions(
    interactions: DataFrame,
    searches: DataFrame,
    plays: DataFrame,
    accounts: DataFrame,
    devices: DataFrame,
    start: date,
    end: date,
    gap_s: int,
) -> DataFrame:
    """The browse sessions that begin in `[start, end)`.

    Silver tables are read from `BEFORE` days before, searches from `SEARCHES_BEFORE`, to `AFTER` days after.
    """
    signs = (
        _page_views(interactions)
        .unionByName(_searches(searches), allowMissingColumns=True)
        .unionByName(_presses(plays), allowMissingColumns=True)
    )
    sessions = _summed(runs.in_runs(signs, _WHO, _ORDER, gap_s))
    own = within(sessions, "session_date", start, end)
    return with_surroundings(own, accounts, devices, "session_date")


def _page_views(interactions: DataFrame) -> DataFrame:
    """One sign a page view and minute: a tenth of the rows, and few enough to be sorted."""
    at, is_tile = F.unix_micros("acted_at"), F.col("action") == "impression"
    seen = F.when(is_tile & F.col("was_seen"), F.col("title_id"))
    return (
        interactions.where(F.col("page_id").isNotNull())
        .groupBy(*_WHO, "page_id", F.date_trunc("minute", "acted_at"))
        .agg(
            F.min(at).alias("at"),
            F.max(at).alias("until"),
            F.collect_set(seen).alias("titles"),
            F.count_if(~is_tile).alias("acts"),
        )
        .select(*_marks("page", F.col("page_id")), "titles", "acts")
    )


def _searches(searches: DataFrame) -> DataFrame:
    """The first and the last text of each search."""
    ends = F.array_distinct(F.array(F.unix_micros("started_at"), F.unix_micros("ended_at")))
    signs = searches.select(*_WHO, "search_id", F.explode(ends).alias("at"))
    return signs.select("*", F.col("at").alias("until")).select(
        *_marks("search", F.col("search_id"))
    )


def _presses(plays: DataFrame) -> DataFrame:
    pressed = plays.where(was_pressed())
    at = F.unix_micros("started_at")
    return pressed.select("*", at.alias("at"), at.alias("until")).select(
        *_marks("play", F.col("play_id")), F.struct(*_PLAY).alias("play")
    )


def _marks(kind: str, identity: Column) -> list[Column]:
    """What every sign has."""
    own = {
        "is_last": F.lit(kind == "play"),
        "kind": F.lit(kind),
        "id": identity,
    }
    return [own.get(name, F.col(name)).alias(name) for name in _SIGN]


def _summed(signs: DataFrame) -> DataFrame:
    """One row a session; runs that are only a press of play are none."""
    kind = F.col("kind")
    began, ended = F.col("begun.at"), F.coalesce("pressed", "last")
    told = F.concat_ws(" ", "profile_id", "device_id", began, "begun.kind", "begun.id")
    return (
        signs.groupBy(*_WHO, "begun")
        .agg(
            F.max("until").alias("last"),
            F.max(F.when(kind == "play", F.col("at"))).alias("pressed"),
            F.size(F.collect_set(F.when(kind == "page", F.col("id")))).alias("page_views"),
            F.size(F.collect_set(F.when(kind == "search", F.col("id")))).alias("searches"),
            F.size(F.array_distinct(F.flatten(F.collect_list("titles")))).alias("titles_seen"),
            F.coalesce(F.sum("acts"), F.lit(0)).cast("int").alias("acts"),
            # A play is the last sign of its session, so there is one at most.
            F.max("play").alias("play"),
        )
        .where((F.col("page_views") > 0) | (F.col("searches") > 0))
        .select(
            F.left(F.sha2(told, 256), F.lit(32)).alias("browse_id"),
            F.to_date(F.timestamp_micros(began)).alias("session_date"),
            *_WHO,
            F.timestamp_micros(began).alias("started_at"),
            F.timestamp_micros(ended).alias("ended_at"),
            seconds_between(began, ended).alias("seconds_browsing"),
            *("page_views", "titles_seen", "acts", "searches"),
            F.when(F.col("pressed").isNull(), "exit").otherwise("play").alias("outcome"),
            *(F.col(f"play.{name}").alias(name) for name in _PLAY),
        )
    )
