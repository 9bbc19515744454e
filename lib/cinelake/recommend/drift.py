"""How far the data has moved, what came of yesterday's lists, and how much lists change from day to day.

Grain of the result: one value per measure of `RECOMMENDER_HEALTH`, for one day. What is an alarm, health.py says.

- `signal_strength_psi`, `signal_kind_psi`: the population stability index (Siddiqi 2006, "Credit Risk Scorecards";
  below .1 he sees no shift, from .25 on a large one) between the signals of the week that the day ends and those of
  the weeks before, over fixed buckets of what a day of signals counts, and over the strongest kind of each. A bucket
  counts half a signal more than it holds, so that an empty one does not make it infinite.
- `new_title_share`: of the week's signals, the share on titles that had none before. No model knows them.
- `hit_rate`, `recall`: of the profiles with a list of the day before who liked something on the day that they had not
  known, how many found a title at the top of it, and what share of what they liked stood there.
- `overlap`: the share of the titles at the top of a list that stood there the day before, over profiles with both.

Each comes with how many profiles it is told of, and not how many signals, for signals of one profile are alike.

Caveat: a hit shows that a list met a taste, not that the title was played because of it. Shares are summed as
decimals, so that a mean is the same in whatever order they come.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import reduce
from math import fsum, log
from operator import add
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from cinelake.recommend.strengths import Weights, score_of_day, strengths

Row = dict[str, Any]
WEEK = timedelta(days=7)
# Lower bounds of buckets of scores: dislikes, what was left, what was looked at, parts of a title, all of it, more.
SCORES = (-1.0, 0.0, 0.25, 0.5, 0.75, 1.0, 1.5)
_SHARE = "decimal(20,9)"
_PAIR = ["profile_id", "title_id"]


@dataclass(frozen=True)
class Value:
    """How much of a measure there was, and of how many profiles it is told; none where it cannot be."""

    measure: str
    value: float | None
    counted: int


def measured(
    signals: DataFrame, lists: DataFrame, weights: Weights, day: date, *, top: int, weeks: int
) -> list[Value]:
    """All measures of one day.

    `signals` are rows of `title_signals` up to the day, `lists` those of `recommendations` of the day and the one
    before, of which the `top` places count; `weeks` are how many the newest week is compared with.
    """
    return [
        *moved(signals, weights, weeks, day),
        *_realised(signals, lists, weights, top, day),
        _overlap(lists, top, day),
    ]


def population_stability(before: Mapping[Any, int], lately: Mapping[Any, int]) -> float:
    """The index of two counts over the same buckets."""
    buckets = sorted(before.keys() | lately.keys())

    def shares(counts: Mapping[Any, int]) -> list[float]:
        filled = [counts.get(bucket, 0) + 0.5 for bucket in buckets]
        return [one / sum(filled) for one in filled]

    pairs = zip(shares(before), shares(lately), strict=True)
    return fsum((new - old) * log(new / old) for old, new in pairs)


def moved(signals: DataFrame, weights: Weights, weeks: int, day: date) -> Iterator[Value]:
    """How far the data of the week that the day ends is from that of the weeks before."""
    since = day + timedelta(days=1) - WEEK
    is_lately = F.col("signal_date") >= F.lit(since)
    told = signals.where(F.col("signal_date") <= F.lit(day))
    recent = told.where(F.col("signal_date") >= F.lit(since - weeks * WEEK)).select(
        "profile_id",
        is_lately.alias("lately"),
        _bucket(score_of_day(weights)).alias("strength"),
        _kind().alias("kind"),
    )
    counts = _rows(recent.groupBy("lately", "strength", "kind").agg(F.count(F.lit(1)).alias("n")))
    profiles = {
        row["lately"]: row["n"]
        for row in _rows(recent.groupBy("lately").agg(F.count_distinct("profile_id").alias("n")))
    }
    counted = min(profiles.get(False, 0), profiles.get(True, 0))
    for what in ("strength", "kind"):
        periods: dict[bool, Counter[Any]] = {False: Counter(), True: Counter()}
        for row in counts:
            periods[row["lately"]][row[what]] += row["n"]
        shift = population_stability(periods[False], periods[True]) if counted else None
        yield Value(f"signal_{what}_psi", shift, counted)
    by_title = told.groupBy("title_id").agg(
        F.min("signal_date").alias("first"), F.count_if(is_lately).alias("n")
    )
    of_new = F.sum(F.when(F.col("first") >= F.lit(since), F.col("n")).otherwise(0))
    (sums,) = _rows(by_title.agg(F.sum("n").alias("all"), of_new.alias("new")))
    yield Value("new_title_share", sums["new"] / sums["all"] if counted else None, counted)


def _bucket(score: Column) -> Column:
    """In how many of the buckets' lower bounds a score is or lies above."""
    return reduce(add, ((score >= F.lit(bound)).cast("int") for bound in SCORES))


def _kind() -> Column:
    """The strongest kind of signal of a row."""
    judged = F.col("thumbs_up") + F.col("thumbs_down") + F.col("not_interested") > 0
    listed = F.col("added_to_list") + F.col("removed_from_list") > 0
    return (
        F.when(F.col("rating").isNotNull(), "rated")
        .when(F.col("finished") > 0, "finished")
        .when(F.col("plays") > 0, "played")
        .when(judged, "judged")
        .when(listed, "listed")
        .otherwise("looked at")
    )


def _realised(
    signals: DataFrame, lists: DataFrame, weights: Weights, top: int, day: date
) -> Iterator[Value]:
    """What of the day's likes the lists of the day before held."""
    yesterday, until = day - timedelta(days=1), day + timedelta(days=1)
    shown = lists.where((F.col("as_of") == F.lit(yesterday)) & (F.col("rank") <= top)).select(_PAIR)
    today = strengths(signals.where(F.col("signal_date") == F.lit(day)), weights, until)
    liked = today.where("strength > 0").select(_PAIR).join(shown, on="profile_id", how="left_semi")
    earlier = signals.where(F.col("signal_date") < F.lit(day))
    known = strengths(earlier.join(liked, on=_PAIR, how="left_semi"), weights, day).where("is_seen")
    found = (
        liked.join(known, on=_PAIR, how="left_anti")
        .join(shown.select("*", F.lit(1).alias("hit")), on=_PAIR, how="left")
        .groupBy("profile_id")
        .agg(F.count("hit").alias("hits"), F.count(F.lit(1)).alias("liked"))
    )
    (sums,) = _rows(
        found.agg(
            F.count(F.lit(1)).alias("profiles"),
            F.count_if(F.col("hits") > 0).alias("hit"),
            F.sum((F.col("hits") / F.col("liked")).cast(_SHARE)).alias("recalled"),
        )
    )
    profiles = sums["profiles"]
    yield Value("hit_rate", sums["hit"] / profiles if profiles else None, profiles)
    yield Value("recall", float(sums["recalled"]) / profiles if profiles else None, profiles)


def _overlap(lists: DataFrame, top: int, day: date) -> Value:
    """How much of a list was there the day before; of lists of two lengths, as a share of the longer one."""
    is_today = F.col("as_of") == F.lit(day)
    titles = (
        lists.where(F.col("rank") <= top)
        .groupBy(_PAIR)
        .agg(F.count_if(is_today).alias("today"), F.count_if(~is_today).alias("yesterday"))
    )
    is_both = (F.col("today") > 0) & (F.col("yesterday") > 0)
    profiles = titles.groupBy("profile_id").agg(
        F.sum("today").alias("today"),
        F.sum("yesterday").alias("yesterday"),
        F.count_if(is_both).alias("same"),
    )
    share = F.col("same") / F.greatest("today", "yesterday")
    (sums,) = _rows(
        profiles.where("today > 0 AND yesterday > 0").agg(
            F.count(F.lit(1)).alias("profiles"), F.sum(share.cast(_SHARE)).alias("kept")
        )
    )
    counted = sums["profiles"]
    return Value("overlap", float(sums["kept"]) / counted if counted else None, counted)


def _rows(small: DataFrame) -> list[Row]:
    rows: list[Row] = small.toArrow().to_pylist()
    return rows
