"""Searches: what was typed on one visit to the search page, what it found, and what came of it.

Grain: one row an episode, that is, the snapshots of one search id in one run (runs.py): an id that comes back after
an hour of silence is another visit.

Snapshots are put in the order of the client's own numbers. From one text to the next, a viewer types on, takes back
or types something else. The last two are refinements (the reformulations of Huang and Efthimiadis, "Analyzing and
Evaluating Query Reformulation Strategies in Web Search Logs", CIKM 2009, without their kinds); taking back letter
by letter is one. Keystrokes are the Levenshtein distances from text to text: no viewer can have done with fewer.

A chosen title counts as played when its profile pressed play on it from the beginning of the search until a while
after the click, no later than on the next day; not by autoplay, which nobody pressed.

Caveats: a client that tells of finished texts only, and not as they are typed, has refinements but hardly any
keystrokes to speak of. A play in two such times counts for both searches. Only the first 200 letters of a text are
compared.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from cinelake.behaviour import runs
from cinelake.behaviour.accounting import AccountFor, Accounts, nobody_asks
from cinelake.behaviour.clocks import by_client, seconds_between
from cinelake.behaviour.identity import IdKind, known_as
from cinelake.behaviour.records import LOOKBACK, is_duplicate, within
from cinelake.behaviour.surroundings import with_surroundings
from cinelake.behaviour.viewing import was_pressed
from cinelake.sources.bronze import payload
from cinelake.sources.searches import SEARCHES_SOURCE

# Days of records to read around those on which episodes begin; before, also for duplicates.
BEFORE, AFTER = runs.BEFORE + LOOKBACK, runs.AFTER
# The day after an episode's beginning is the last on which what it chose counts as played.
PLAYED_AFTER = 1
SILENCE_S = 3600
# The cost of a distance grows with the square.
_COMPARED = 200


@dataclass(frozen=True)
class Lives:
    """Silver beside the searches: viewing sessions, and the change rows of accounts and devices."""

    plays: DataFrame
    accounts: DataFrame
    devices: DataFrame


def searches(
    bronze: DataFrame,
    beside: Lives,
    keys: DataFrame,
    start: date,
    end: date,
    played_within_s: int,
    tell: AccountFor = nobody_asks,
) -> DataFrame:
    """The episodes that begin in `[start, end)`.

    Bronze is read from `BEFORE` days before to `AFTER` days after, plays to `PLAYED_AFTER` days after.
    """
    accounts = Accounts(start, end, tell)
    episodes = _summed(_steps(_snapshots(bronze, accounts)), accounts)
    counted = tell(SEARCHES_SOURCE, episodes, kept=F.col("own_snapshots"))
    own = within(counted, "search_date", start, end)
    played = _with_plays(_named(own, keys), beside.plays, played_within_s)
    return with_surroundings(played, beside.accounts, beside.devices, "search_date")


def _snapshots(bronze: DataFrame, accounts: Accounts) -> DataFrame:
    """Each snapshot once, in its episode."""
    lying = payload(bronze, SEARCHES_SOURCE).repartition("search_id")
    is_copy = is_duplicate(SEARCHES_SOURCE.names, within=("search_id",))
    marked = lying.select("*", is_copy.alias("_is_duplicate"))
    is_own_copy = accounts.own("event_date", F.col("_is_duplicate"))
    counted = accounts.tell(SEARCHES_SOURCE, marked, duplicate=is_own_copy)
    at = F.unix_micros("event_time")
    signs = counted.where(~F.col("_is_duplicate")).select(
        "*",
        at.alias("at"),
        at.alias("until"),
        by_client().alias("by_client"),
        F.lit(False).alias("is_last"),
        F.coalesce("is_zero_results", F.col("results") == 0).alias("is_zero"),
    )
    order = ("at", "snapshot", "event_id", "event_date")
    return runs.in_runs(signs, ("search_id",), order, SILENCE_S)


def _steps(snapshots: DataFrame) -> DataFrame:
    """Snapshots with what led to each from the one before."""
    in_order = Window.partitionBy("search_id", "begun").orderBy(
        "snapshot", "at", "event_id", "event_date"
    )
    typed = snapshots.select("*", F.left(F.lower(F.trim("query")), F.lit(_COMPARED)).alias("text"))
    before, text = F.lag("text").over(in_order), F.col("text")
    compared = typed.select(
        "*",
        F.row_number().over(in_order).alias("place"),
        text.startswith(before).alias("_goes_on"),
        (before.startswith(text) & (before != text)).alias("_takes_back"),
        F.coalesce(F.levenshtein(before, text), F.length("text")).alias("keys"),
    )
    goes_on_taking_back = F.col("_takes_back") & F.lag("_takes_back").over(in_order)
    return compared.select(
        "*",
        (~F.col("_goes_on") & ~F.coalesce(goes_on_taking_back, F.lit(False))).alias("is_refined"),
    )


def _summed(steps: DataFrame, accounts: Accounts) -> DataFrame:
    """One row an episode."""
    place = F.col("place")
    is_click = F.col("clicked_title_id").isNotNull()
    click = F.struct("clicked_title_id", "clicked_rank", "at", "by_client")
    who = F.struct("account_id", "profile_id", "device_id")
    return (
        steps.groupBy("search_id", "begun")
        .agg(
            F.min_by(who, place).alias("who"),
            F.max("at").alias("ended"),
            F.max_by(F.struct("query", "results", "is_zero"), place).alias("last"),
            F.count("*").cast("int").alias("snapshots"),
            F.sum(accounts.own("event_date")).alias("own_snapshots"),
            F.count_if("is_refined").cast("int").alias("refinements"),
            F.sum("keys").cast("int").alias("keystrokes"),
            F.bool_or("is_zero").alias("had_zero_results"),
            F.max_by(click, F.when(is_click, place)).alias("click"),
            F.min("by_client").alias("first_by_client"),
        )
        .select("*", F.timestamp_micros("begun.at").alias("started_at"))
        .select("*", F.to_date("started_at").alias("search_date"))
    )


def _named(episodes: DataFrame, keys: DataFrame) -> DataFrame:
    """Episodes under the names and ids that silver knows."""
    flat = episodes.select("*", "who.*")
    return flat.select(
        known_as(IdKind.SEARCH, "search_id", keys),
        "search_date",
        known_as(IdKind.ACCOUNT, "account_id", keys),
        known_as(IdKind.PROFILE, "profile_id", keys),
        known_as(IdKind.DEVICE, "device_id", keys),
        "started_at",
        F.timestamp_micros("ended").alias("ended_at"),
        "last.query",
        *("snapshots", "refinements", "keystrokes", "last.results"),
        F.col("last.is_zero").alias("is_zero_results"),
        "had_zero_results",
        "click.clicked_title_id",
        "click.clicked_rank",
        F.timestamp_micros("click.at").alias("clicked_at"),
        seconds_between(F.col("first_by_client"), F.col("click.by_client")).alias(
            "seconds_to_click"
        ),
    )


def _with_plays(episodes: DataFrame, plays: DataFrame, within_s: int) -> DataFrame:
    """Episodes beside the first play of what was chosen."""
    pressed = plays.where(was_pressed()).select(
        F.col("profile_id").alias("_by"),
        F.col("title_id").alias("_of"),
        F.col("session_date").alias("_on"),
        F.col("started_at").alias("_at"),
        "play_id",
    )
    until = F.unix_micros("clicked_at") + within_s * 1_000_000
    is_soon = (F.col("_at") >= F.col("started_at")) & (F.unix_micros("_at") <= until)
    is_in_reach = F.date_diff("_on", "search_date").between(0, PLAYED_AFTER)
    is_chosen = (F.col("profile_id") == F.col("_by")) & (F.col("clicked_title_id") == F.col("_of"))
    first = Window.partitionBy("search_id", "started_at").orderBy("_at", "play_id")
    return (
        episodes.join(pressed, [is_chosen, is_soon, is_in_reach], how="left")
        .select("*", F.row_number().over(first).alias("_nth"))
        .where(F.col("_nth") == 1)
        .select(*episodes.columns, "play_id", F.col("play_id").isNotNull().alias("is_played"))
    )
