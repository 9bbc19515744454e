"""What daily sums come to on a day: tastes, habits and hours of profiles, and what becomes of titles.

Each roll-up adds up the days before `as_of`, each faded by `2^(-age / half-life)`; without a half-life all days count
alike. Faded numbers are cut to six places before they are added, so that the sum is the same in any order; shares of
such sums are floating point.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

# Places of a faded sum: exact, and far more than there is sense in.
FADED = "decimal(26,6)"
TENTHS = 10


def fade(day: str, as_of: date, half_life_days: float | None) -> Column:
    """What a day column counts: 1 on the day before `as_of`, half of that a half-life earlier."""
    if half_life_days is None:
        return F.lit(1.0)
    age = F.date_diff(F.lit(as_of), day) - 1
    return F.pow(F.lit(2.0), -age / F.lit(half_life_days))


def taste_shares(taste_days: DataFrame, as_of: date, half_life_days: float | None) -> DataFrame:
    """`profile_id, facet, value, share double`: of a profile's watching, in each facet, what each value has.

    Values overlap (a title has several genres), so shares are of the sum over values and add up to 1.
    """
    summed = _faded(
        taste_days, ["profile_id", "facet", "value"], "play_date", as_of, half_life_days, "seconds_watched"
    )  # fmt: skip
    return _shares(summed, ["profile_id", "facet"], "seconds_watched")


def hour_shares(watch_hours: DataFrame, as_of: date, half_life_days: float | None) -> DataFrame:
    """`profile_id, device_kind, local_weekday, local_hour, share double`: when, and on what, a profile starts."""
    cell = ["profile_id", "device_kind", "local_weekday", "local_hour"]
    summed = _faded(watch_hours, cell, "play_date", as_of, half_life_days, "starts")
    return _shares(summed, ["profile_id"], "starts")


def habits(profile_days: DataFrame, as_of: date, half_life_days: float | None) -> DataFrame:
    """One row a profile of how it uses the service; a rate of nothing is null.

    `finish_rate`, `binge_rate`: of starts. `exit_rate`: of browse sessions. `zero_result_rate`, `search_play_rate`:
    of searches. `searches_per_browse`; `browse_s_per_start`: seconds of browsing a start.
    """
    counted = ("starts", "finished", "binged", "browse_sessions", "seconds_browsing", "exits",
               "searches", "zero_result_searches", "played_searches")  # fmt: skip
    summed = _faded(profile_days, ["profile_id"], "profile_date", as_of, half_life_days, *counted)
    return summed.select(
        "profile_id",
        _rate("finished", "starts").alias("finish_rate"),
        _rate("binged", "starts").alias("binge_rate"),
        _rate("exits", "browse_sessions").alias("exit_rate"),
        _rate("searches", "browse_sessions").alias("searches_per_browse"),
        _rate("seconds_browsing", "starts").alias("browse_s_per_start"),
        _rate("zero_result_searches", "searches").alias("zero_result_rate"),
        _rate("played_searches", "searches").alias("search_play_rate"),
    )


def novelty_appetite(title_signals: DataFrame, as_of: date) -> DataFrame:
    """`profile_id, titles bigint, novelty_appetite double`: how readily a profile turns to what it does not know.

    Of the days and titles on which it played, the share that was its first with that title. All days count alike:
    a title is new only once.
    """
    played = title_signals.where((F.col("signal_date") < F.lit(as_of)) & (F.col("plays") > 0))
    by_title = played.groupBy("profile_id", "title_id").agg(F.count("*").alias("days"))
    return by_title.groupBy("profile_id").agg(
        F.count("*").alias("titles"), (F.count("*") / F.sum("days")).alias("novelty_appetite")
    )


def trends(
    title_days: DataFrame, as_of: date, lately_days: int, before_days: int, floor: float
) -> DataFrame:
    """`title_id, starts, starts_before, trend double`: starts a day lately against those of the days before them.

    `floor` starts a day are added on both sides, so that a title which nobody watched does not rise without bound
    (additive smoothing). Above 1 a title rises.
    """
    age = F.date_diff(F.lit(as_of), "play_date")
    counted = title_days.where(age.between(1, lately_days + before_days)).groupBy("title_id")
    summed = counted.agg(
        F.coalesce(F.sum(F.when(age <= lately_days, F.col("starts"))), F.lit(0)).alias("starts"),
        F.coalesce(F.sum(F.when(age > lately_days, F.col("starts"))), F.lit(0)).alias("starts_before"),
    )  # fmt: skip
    now, then = F.col("starts") / lately_days, F.col("starts_before") / before_days
    return summed.select("*", ((now + floor) / (then + floor)).alias("trend"))


def completion_curves(title_days: DataFrame, by: Sequence[str]) -> DataFrame:
    """`by…, measured bigint, reached array<double>, drop_off int` of the days given.

    `reached[i]`: of the starts, the share that came at least to the (i + 1)th tenth. `drop_off`: the tenth, from 1,
    before whose end most starts were lost; the first such.
    """
    tenths = [F.sum(F.get("reached", F.lit(i))).alias(f"_{i}") for i in range(TENTHS)]
    summed = title_days.groupBy(*by).agg(F.sum("measured").alias("measured"), *tenths)
    known = F.when(F.col("measured") > 0, F.col("measured"))
    curve = [F.col(f"_{i}") / known for i in range(TENTHS)]
    lost = [before - after for before, after in zip([F.lit(1.0), *curve], curve, strict=False)]
    falls = F.array(*lost)
    return summed.select(
        *by,
        "measured",
        F.array(*curve).alias("reached"),
        F.when(known.isNotNull(), F.array_position(falls, F.array_max(falls)).cast("int")).alias("drop_off"),
    )  # fmt: skip


def _faded(
    days: DataFrame, by: Sequence[str], day: str, as_of: date, half_life_days: float | None, *names: str
) -> DataFrame:  # fmt: skip
    weight = fade(day, as_of, half_life_days)
    sums = [F.sum((F.col(name) * weight).cast(FADED)).alias(name) for name in names]
    return days.where(F.col(day) < F.lit(as_of)).groupBy(*by).agg(*sums)


def _shares(summed: DataFrame, of: Sequence[str], name: str) -> DataFrame:
    whole = F.sum(name).over(Window.partitionBy(*of))
    kept = [column for column in summed.columns if column != name]
    return summed.select(*kept, _rate(F.col(name), whole).alias("share")).where("share > 0")


def _rate(part: str | Column, whole: str | Column) -> Column:
    whole = F.col(whole) if isinstance(whole, str) else whole
    part = F.col(part) if isinstance(part, str) else part
    return part.cast("double") / F.when(whole > 0, whole).cast("double")
