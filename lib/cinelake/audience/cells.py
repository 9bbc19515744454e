"""What profiles watch, when and how, as weights of terms: the ground of features, portraits and names alike.

Grain of the result: one row per profile, aspect and term, such as `genre`, `Crime`. What kinds of titles somebody
watches is told by titles, each counted once however often it was played: thirty episodes of one series say as much of
a taste as one film does. When, on what and how is told by plays.

Titles and days fade with a half-life; faded weights are cut to six places before they are added (rollups.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from cinelake.behaviour.history import latest
from cinelake.behaviour.rollups import FADED, fade
from cinelake.behaviour.tastes import daypart
from cinelake.behaviour.titles import words
from cinelake.tables.behaviour import ACCOUNTS, PROFILES, TITLES
from cinelake.tables.features import PROFILE_DAYS, TITLE_SIGNALS, WATCH_HOURS

# What is told of titles, then of plays.
OF_TITLES = ("genre", "mood", "theme", "language", "format")
ASPECTS = (*OF_TITLES, "daypart", "device", "finishing", "binging", "novelty")
ADULT, KID = "adult", "kid"
POPULATIONS = (ADULT, KID)
UNKNOWN = "unknown"
# The tables of `Told`, in its order.
TOLD = (TITLE_SIGNALS, WATCH_HOURS, PROFILE_DAYS, TITLES, PROFILES, ACCOUNTS)
# From this many stars on, a rating tells that a title was to somebody's taste, played or not.
LIKED_FROM = 3.5


@dataclass(frozen=True)
class Told:
    """Rows of the tables of these names."""

    title_signals: DataFrame
    watch_hours: DataFrame
    profile_days: DataFrame
    titles: DataFrame
    profiles: DataFrame
    accounts: DataFrame

    def before(self, until: date) -> Told:
        """Those of days before `until`."""
        begun = F.col("effective_date") < F.lit(until)
        return Told(
            title_signals=self.title_signals.where(F.col("signal_date") < F.lit(until)),
            watch_hours=self.watch_hours.where(F.col("play_date") < F.lit(until)),
            profile_days=self.profile_days.where(F.col("profile_date") < F.lit(until)),
            titles=self.titles.where(begun),
            profiles=self.profiles.where(begun),
            accounts=self.accounts.where(begun),
        )


def people(told: Told) -> DataFrame:
    """`profile_id, population, household, market` of all who watched something, or liked it, and are not deleted.

    `household` is the account, or the profile where nobody knows one: people are counted by it. Of whom the service
    says nothing, is taken for an adult.
    """
    # Who only looked at tiles has shown no taste yet, and would lie anywhere.
    seen = told.title_signals.where(_tells_taste()).select("profile_id").distinct()
    described = latest(told.profiles, ["profile_id"], "account_id", "kind", "status")
    contracts = latest(told.accounts, ["account_id"], "market")
    return (
        seen.join(described, on="profile_id", how="left")
        .where(F.coalesce(F.col("status") != "deleted", F.lit(True)))
        .join(contracts, on="account_id", how="left")
        .select(
            "profile_id",
            F.when(F.col("kind") == KID, KID).otherwise(ADULT).alias("population"),
            F.coalesce("account_id", "profile_id").alias("household"),
            F.coalesce("market", F.lit(UNKNOWN)).alias("market"),
        )
    )


def cells(told: Told, until: date, half_life_days: float | None) -> DataFrame:
    """`profile_id, aspect, term, weight decimal` of the days before `until`; all weights are above 0."""
    titles = watched(told.title_signals, until, half_life_days)
    parts = [
        _of_titles(titles, told.titles),
        _novelty(titles),
        _of_hours(told.watch_hours, until, half_life_days),
        _of_habits(told.profile_days, until, half_life_days),
    ]
    return reduce(DataFrame.unionByName, parts).where("weight > 0")


def watched(signals: DataFrame, until: date, half_life_days: float | None) -> DataFrame:
    """`profile_id, title_id, days bigint, weight decimal`: titles that a profile played, or rated as liked, before
    `until`; each weighs by the last day of it.
    """
    of_title = (
        signals.where((F.col("signal_date") < F.lit(until)) & _tells_taste())
        .groupBy("profile_id", "title_id")
        .agg(F.count(F.lit(1)).alias("days"), F.max("signal_date").alias("_last"))
    )
    weight = fade("_last", until, half_life_days).cast(FADED).alias("weight")
    return of_title.select("profile_id", "title_id", "days", weight)


def of_titles(signals: DataFrame, titles: DataFrame, until: date) -> DataFrame:
    """The cells of what titles say, of these signals alone, none of them faded."""
    return _of_titles(watched(signals, until, None), titles)


def terms_of_titles(titles: DataFrame) -> DataFrame:
    """`title_id, terms array<struct<aspect, term>>`: what the newest change row says of each title."""
    said = latest(titles, ["title_id"], "genres", "moods", "themes", "language", "kind")
    several = {"genre": "genres", "mood": "moods", "theme": "themes"}
    arrays = [_terms(aspect, F.col(name)) for aspect, name in several.items()]
    arrays += [_terms("language", F.array("language")), _terms("format", F.array("kind"))]
    return said.select("title_id", F.flatten(F.array(*arrays)).alias("terms"))


def _terms(aspect: str, values: Column) -> Column:
    return F.transform(
        words(values),
        lambda value: F.struct(F.lit(aspect).alias("aspect"), value.alias("term")),
    )


def _tells_taste() -> Column:
    return (F.col("plays") > 0) | F.coalesce(F.col("rating") >= LIKED_FROM, F.lit(False))


def _of_titles(watched_titles: DataFrame, titles: DataFrame) -> DataFrame:
    described = watched_titles.join(
        F.broadcast(terms_of_titles(titles)), on="title_id", how="inner"
    ).select("profile_id", "weight", F.inline("terms"))
    return described.groupBy("profile_id", "aspect", "term").agg(
        F.sum("weight").cast(FADED).alias("weight")
    )


def _novelty(watched_titles: DataFrame) -> DataFrame:
    """How readily a profile turns to what it does not know: first days of titles, and days on which it came back."""
    by_profile = watched_titles.groupBy("profile_id").agg(
        F.count(F.lit(1)).alias("_new"), F.sum(F.col("days") - 1).alias("_again")
    )
    return _pair(
        by_profile, "novelty", {"new titles": F.col("_new"), "known titles": F.col("_again")}
    )


def _of_hours(hours: DataFrame, until: date, half_life_days: float | None) -> DataFrame:
    week = F.when(F.col("local_weekday") >= 6, "weekend").otherwise("weekday")
    told = hours.where(F.col("play_date") < F.lit(until)).select(
        "profile_id",
        (F.col("starts") * fade("play_date", until, half_life_days)).cast(FADED).alias("weight"),
        F.inline(
            F.array(
                _term("daypart", F.concat_ws(" ", week, daypart("local_hour"))),
                _term("device", F.col("device_kind")),
            )
        ),
    )
    return told.groupBy("profile_id", "aspect", "term").agg(
        F.sum("weight").cast(FADED).alias("weight")
    )


def _of_habits(days: DataFrame, until: date, half_life_days: float | None) -> DataFrame:
    weight = fade("profile_date", until, half_life_days)
    summed = (
        days.where(F.col("profile_date") < F.lit(until))
        .groupBy("profile_id")
        .agg(
            *(
                F.sum((F.col(name) * weight).cast(FADED)).alias(name)
                for name in ("starts", "finished", "binged")
            )
        )
    )
    starts, finished, binged = (F.col(name) for name in ("starts", "finished", "binged"))
    return _pair(
        summed, "finishing", {"seen to the end": finished, "left": starts - finished}
    ).unionByName(
        _pair(
            summed, "binging", {"episode after episode": binged, "one at a time": starts - binged}
        )
    )


def _pair(summed: DataFrame, aspect: str, terms: dict[str, Column]) -> DataFrame:
    each = [
        F.struct(F.lit(aspect).alias("aspect"), F.lit(term).alias("term"), weight.cast(FADED).alias("weight"))
        for term, weight in terms.items()
    ]  # fmt: skip
    return summed.select("profile_id", F.inline(F.array(*each)))


def _term(aspect: str, value: Column) -> Column:
    return F.struct(F.lit(aspect).alias("aspect"), value.alias("term"))
