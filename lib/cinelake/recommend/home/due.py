"""Which profiles get a new page when a day ends, and which page is in force.

Popularity, trends, how new titles are and how long ago something was begun move every day, and with them the scores of
every page: a page that was made yesterday never equals that of today, whatever its profile did. So what decides is not
whether a page would be another, but whether somebody is likely to see it. A profile is *due*

- if it was lively: in the last days it watched something, looked at a page, judged a title, or was changed;
- if its page in force holds a title that may no longer be shown to it, as when a licence has ended;
- if it is its turn: every profile's comes once in so many days, on a day that its id gives, so that those who stay away
  are spread evenly over the days;
- if its newest page is older than that, or was made by other settings or models: as on the first day, after days on
  which nobody made pages, when editors or engineers have decided something else, be it what held before, and when
  another version of a model counts.

The pages of the others stay in force, and are not written again. As of any day a profile's newest page counts, if it is
not older than a turn is long (`in_force`). What a day writes are whole pages, each a function of what was known then,
so it is the same whether the others are made or not; and whoever reads pages leaves out what may no longer be shown.
"""

from __future__ import annotations

from datetime import date, timedelta
from functools import reduce

from pydantic import BaseModel, ConfigDict, Field
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from cinelake.recommend.home.planning import Told
from cinelake.recommend.service import Records, Service

# Days that no reader looks back beyond, whatever a job was told.
LONGEST_TURN = 28


class Turns(BaseModel):
    """How often pages are made."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    lively_days: int = Field(
        3,
        ge=1,
        le=365,
        description="days after it did something for which a profile gets a new page each day",
    )
    turn_days: int = Field(
        7,
        ge=1,
        le=LONGEST_TURN,
        description="days after which any profile gets a new page; 1: all of them each day",
    )


def lively(told: Told, until: date, days: int) -> DataFrame:
    """`profile_id` of those that did something, or were changed, in the days before `until`; each once."""
    first = until - timedelta(days=days)
    records = told.records
    changed = records.profiles.select("profile_id", "account_id", "effective_date")
    of_accounts = records.accounts.select("account_id", F.col("effective_date").alias("_day"))
    moved = changed.join(of_accounts, on="account_id", how="inner")
    frames = (
        (told.signals, "signal_date"),
        (told.stops, "play_date"),
        (told.exposures, "shown_date"),
        (changed, "effective_date"),
        (moved, "_day"),
    )
    inside = [
        frame.where((F.col(at) >= F.lit(first)) & (F.col(at) < F.lit(until))).select("profile_id")
        for frame, at in frames
    ]
    return reduce(DataFrame.union, inside).distinct()


def outdated(pages: DataFrame, records: Records, service: Service, until: date) -> DataFrame:
    """`profile_id` of those whose page in force holds what may no longer be shown to them when the day before `until`
    ends; each once. `pages` are rows of `home_pages` of days before it, `records` those in force then.

    Asked is only of titles of which something was decided, or ended, since such a page can have been made; a profile
    that was changed itself is lively.
    """
    first, last = until - timedelta(days=LONGEST_TURN + 1), until - timedelta(days=1)
    is_new = F.col("effective_date") >= F.lit(first)
    ended = F.col("available_until").cast("date").between(F.lit(first), F.lit(until))
    touched = records.titles.where(is_new).select("title_id")
    touched = touched.union(
        records.availability.where(is_new | F.coalesce(ended, F.lit(False))).select("title_id")
    )
    held = (
        in_force(pages, last)
        .join(F.broadcast(touched.distinct()), on="title_id", how="left_semi")
        .select("profile_id", "title_id")
        .distinct()
    )
    gone = held.join(service.still_shown(held), on=["profile_id", "title_id"], how="left_anti")
    return gone.select("profile_id").distinct()


def due(
    profiles: DataFrame, lively: DataFrame, pages: DataFrame, day: date, settings: str, turns: Turns
) -> DataFrame:
    """The rows of `profiles` with `is_due`, whether they get a new page when `day` ends; `pages` are the rows of
    `home_pages` of days before it, `settings` those by which the new ones are made.
    """
    length = F.lit(turns.turn_days)
    turn = F.pmod(F.xxhash64("profile_id"), length) == day.toordinal() % turns.turn_days
    age = F.date_diff(F.lit(day), "as_of")
    # Only the newest page is in force, so one before it by the same settings is none.
    still_good = (
        pages.where(age.between(1, turns.turn_days - 1))
        .groupBy("profile_id")
        .agg(F.max_by("settings", "as_of").alias("settings"))
        .where(F.col("settings") == settings)
        .select("profile_id", F.lit(True).alias("_has_page"))
    )
    awake = lively.select("profile_id", F.lit(True).alias("_is_lively"))
    told = profiles.join(awake, on="profile_id", how="left").join(
        still_good, on="profile_id", how="left"
    )
    stays = F.col("_is_lively").isNull() & F.col("_has_page").isNotNull() & ~turn
    return told.select(*profiles.columns, (~stays).alias("is_due"))


def in_force(pages: DataFrame, day: date) -> DataFrame:
    """Of rows of `home_pages` the page of each profile that counts after `day` has ended."""
    age = F.date_diff(F.lit(day), "as_of")
    known = pages.where(age.between(0, LONGEST_TURN - 1))
    newest = known.groupBy("profile_id").agg(F.max("as_of").alias("as_of"))
    return known.join(newest, on=["profile_id", "as_of"], how="left_semi")


def newest_day(pages: DataFrame) -> date:
    """After which pages were made last; the first there is where none were."""
    found = pages.agg(F.max("as_of")).first()
    return date.min if found is None or found[0] is None else date.fromisoformat(str(found[0]))
