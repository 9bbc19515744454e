"""What people ask of the lists that were made: a profile's, a title's, and the names of what is in them.

All are few rows, for a terminal: `place` is where a row stands, `note` is what is said of it.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from cinelake.behaviour.history import latest
from cinelake.recommend.service import Service


def recent_titles(signals: DataFrame, n: int) -> DataFrame:
    """What one profile last played or rated, one row a title and day: `place, title_id, note`."""
    stars = F.concat(F.col("rating").cast("string"), F.lit(" stars"))
    watched = F.when(
        F.col("plays") > 0,
        F.when(
            F.col("completion").isNotNull(),
            F.format_string("%.0f %% seen", F.col("completion") * 100),
        ).otherwise("played"),
    )
    newest = (
        signals.where("plays > 0 OR rating IS NOT NULL")
        .orderBy(F.desc("signal_date"), F.desc_nulls_last("rated_at"), "title_id")
        .limit(n)
    )
    return newest.select(
        F.coalesce("rated_at", F.col("signal_date").cast("timestamp")).alias("place"),
        "title_id",
        F.concat_ws("  ", stars, watched, F.col("signal_date").cast("string")).alias("note"),
    )


def busiest(signals: DataFrame, n: int) -> DataFrame:
    """The n profiles that played and rated most."""
    counted = signals.groupBy("profile_id").agg(
        F.sum(F.col("plays") + F.col("rating").isNotNull().cast("int")).alias("told")
    )
    return counted.where("told > 0").orderBy(F.desc("told"), "profile_id").limit(n)


def newest_list(
    recommendations: DataFrame,
    profile: str,
    n: int,
    told: Callable[[date], Service],
    now: date | None,
) -> DataFrame:
    """The newest list of one profile, without what it may no longer be shown: `place, title_id, note`.

    `told(day)` describes the service as it is known now, with what is on offer when that day begins. Lists are made for
    the day after theirs; where the lake has data up to a later one, `now`, that counts: an offer may have ended since.
    """
    own = recommendations.where(F.col("profile_id") == profile)
    made = own.agg(F.max("as_of")).first()
    newest = own.where(F.col("as_of") == F.lit(made and made[0]))
    if made and made[0]:
        ended = made[0] + timedelta(days=1)
        newest = told(max(ended, now or ended)).still_shown(newest)
    return (
        newest.orderBy("rank")
        .limit(n)
        .select(
            F.col("rank").alias("place"),
            "title_id",
            F.col("source").alias("note"),
            "as_of",
            "model_version",
            F.col("because")["title_id"].alias("because"),
            "shared",
            F.col("because")["contribution"].alias("contributions"),
            *("score", "by_others", "for_everybody"),
        )
    )


def why_none(recommendations: DataFrame, profile: str, service: Service) -> str:
    """Why a profile is shown no list, by what the service offers it."""
    nothing = _nothing_offered(profile, service)
    if nothing is not None:
        return nothing
    if not recommendations.where(F.col("profile_id") == profile).isEmpty():
        return "of its newest list nothing may be shown to it any more; `cinelake run` makes the next one"
    return (
        "either `cinelake run` has not made the day's lists yet, or the profile has seen every title that it may be "
        "shown"
    )


def _nothing_offered(profile: str, service: Service) -> str | None:
    """Why there is no title that a profile may be shown; None where there is one."""
    people, rules = service.viewers, service.rules
    if people is None:
        untold = "nobody has told in which market profiles are, so nothing may be shown to them"
        return untold if rules.market else None
    own = people.where(F.col("profile_id") == profile).select("market", "age_limit").first()
    if own is None:
        return "it is no active profile, and lists are made for these alone"
    if rules.market and own["market"] is None:
        return "nobody has told its market, so nothing may be shown to it"
    if own["age_limit"] is None:
        return "nobody has told up to which age it is shown titles, so nothing may be shown to it"
    titles = service.shown.select(F.lit(profile).alias("profile_id"), "title_id")
    if not service.still_shown(titles).isEmpty():
        return None
    here = f" in {own['market']!r}" if rules.market else ""
    return (
        f"no title is on offer{here} that is known to be meant for ages up to {own['age_limit']}; "
        "`cinelake tables availability` says how titles come on offer"
    )


def _newest(lists: DataFrame, n: int) -> DataFrame:
    """The first `n` rows of the newest of the lists."""
    newest = lists.agg(F.max("as_of").alias("as_of"))
    return lists.join(newest, on="as_of", how="left_semi").where(F.col("rank") <= n)


def called(named: DataFrame, text: str) -> DataFrame:
    """The titles of this id, or of this name in any case: `title_id, name, release_year`."""
    is_it = (F.col("title_id") == text) | (F.lower("name") == text.strip().lower())
    return named.where(is_it).orderBy("release_year", "title_id").limit(10)


def near_names(named: DataFrame, text: str, n: int = 5) -> DataFrame:
    """The names most like what was typed."""
    distance = F.levenshtein(F.lower("name"), F.lit(text.strip().lower()))
    names = named.select("name").distinct()
    return names.orderBy(distance, "name").limit(n)


def newest_similar(similar: DataFrame, title: str, n: int) -> DataFrame:
    """The newest list of one title: `place, title_id` and what speaks for each."""
    own = similar.where(F.col("title_id") == title)
    return _newest(own, n).select(
        F.col("rank").alias("place"),
        F.col("similar_id").alias("title_id"),
        *("score", "by_factors", "by_watching", "by_content", "shared", "as_of"),
    )


def near_ids(signals: DataFrame, profile: str, n: int = 5) -> DataFrame:
    """The profile ids most like what was typed."""
    return (
        signals.select("profile_id")
        .distinct()
        .orderBy(
            F.levenshtein("profile_id", F.lit(profile)),
            F.abs(F.length("profile_id") - len(profile)),
            "profile_id",
        )
        .limit(n)
    )


def in_order(listed: DataFrame, titles: DataFrame) -> list[dict[str, Any]]:
    """A short list with the newest name and year of each title, in order of place."""
    named = latest(titles, ["title_id"], "name", "release_year")
    joined = listed.join(named, on="title_id", how="left")
    rows: list[dict[str, Any]] = joined.orderBy("place", "title_id").toArrow().to_pylist()
    return rows


def with_reasons(rows: list[dict[str, Any]], titles: DataFrame) -> list[dict[str, Any]]:
    """The rows of a list with the names of the titles that are its reasons."""
    wanted = sorted({title for row in rows for title in row["because"] or ()})
    named = latest(titles.where(F.col("title_id").isin(wanted)), ["title_id"], "name")
    names = {row["title_id"]: row["name"] for row in named.toArrow().to_pylist()}
    return [
        row | {"because": [names.get(title, f"title {title}") for title in row["because"] or ()]}
        for row in rows
    ]
