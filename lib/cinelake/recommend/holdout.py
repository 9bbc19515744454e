"""Temporal holdouts: train on everything before a day, test on what came from that day on.

A *global* cut is the only split that asks what production asks: nothing that any profile did later
may inform the model (Meng et al. 2020, "Exploring data splitting strategies for the evaluation of
recommendation models"; Ji et al. 2023, "A critical study on data leakage in recommender system
offline evaluation").

Few profiles may be active on both sides of one cut. So there can be several, each testing on the
block of days between its cut and the one after; a profile counts once per cut.

Relevant is what a profile liked in the test block and had not seen before. Models are told apart by
*warm* profiles alone, those who liked something before the cut: a cold one gets the same popular list
from every model, so it tells nothing apart. How such lists fare is told beside, as that of a group of
its own. Titles that appear only after the cut stay among the relevant, as misses for every model. Both
are counted, not dropped in silence. So do titles that were not on offer to a profile at the cut, where a
service tells of that: whoever came to like one was shown it later, and no list of that day could hold it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

# The group of profiles that are cold.
NEW = "new"


@dataclass(frozen=True)
class Holdout:
    """Train on days before `cut`, test on `cut <= day < end`."""

    cut: date
    end: date


def temporal_holdouts(signals: DataFrame, share: float, folds: int = 1) -> list[Holdout]:
    """The newest `folds` blocks of days, each with about `share` of all signals; newest first.

    A cut is the newest day from which on at least that share is held out. Fewer holdouts come back,
    or none, where there are not enough days: all signals on one day leave nothing to train on.
    """
    if not 0 < share * folds < 1:
        raise ValueError(
            f"{folds} holdouts of {share:.0%} of the signals leave nothing to train on"
        )
    per_day = signals.groupBy("signal_date").agg(F.count(F.lit(1)).alias("n"))
    from_here_on = Window.orderBy(F.col("signal_date").desc()).rowsBetween(
        Window.unboundedPreceding, Window.currentRow
    )
    held_out = per_day.select(
        "signal_date",
        F.sum("n").over(from_here_on).alias("held_out"),
        F.sum("n").over(Window.partitionBy()).alias("total"),
    )
    cuts = [
        F.max(
            F.when(F.col("held_out") >= F.lit(share * fold) * F.col("total"), F.col("signal_date"))
        )
        for fold in range(1, folds + 1)
    ]
    found = held_out.agg(F.min("signal_date"), F.max("signal_date"), *cuts).first()
    if found is None or found[0] is None:
        return []
    oldest, newest, *days = found
    ends = [newest + timedelta(days=1), *days]
    return [Holdout(cut, end) for cut, end in zip(days, ends, strict=False) if oldest < cut < end]


def before(signals: DataFrame, holdout: Holdout) -> DataFrame:
    """The signals a model may be trained on."""
    return signals.where(F.col("signal_date") < F.lit(holdout.cut))


def within(signals: DataFrame, holdout: Holdout) -> DataFrame:
    """The signals it is tested on."""
    return signals.where(
        (F.col("signal_date") >= F.lit(holdout.cut)) & (F.col("signal_date") < F.lit(holdout.end))
    )


def relevant(train: DataFrame, test: DataFrame) -> DataFrame:
    """What a perfect list would hold: `profile_id, title_id` liked in `test` by profiles warm in
    `train`, unseen.

    Both frames are strengths.
    """
    return _liked_anew(train, test).join(_warm(train), on="profile_id", how="left_semi")


def relevant_to_cold(train: DataFrame, test: DataFrame) -> DataFrame:
    """The same of profiles that are cold in `train`."""
    return _liked_anew(train, test).join(_warm(train), on="profile_id", how="left_anti")


def _liked_anew(train: DataFrame, test: DataFrame) -> DataFrame:
    pair = ["profile_id", "title_id"]
    seen = train.where("is_seen").select(pair)
    return test.where("strength > 0").select(pair).join(seen, on=pair, how="left_anti")


def _warm(train: DataFrame) -> DataFrame:
    return train.where("strength > 0").select("profile_id").distinct()


def cold(train: DataFrame, test: DataFrame) -> DataFrame:
    """One row: how many profiles and titles liked in `test` are cold, out of how many; both frames
    are strengths.
    """
    loved = train.where("strength > 0")
    asked = test.where("strength > 0")
    profiles = asked.select("profile_id").distinct()
    titles = asked.select("title_id").distinct()
    warm_profiles = loved.select("profile_id", F.lit(1).alias("warm")).distinct()
    warm_titles = loved.select("title_id", F.lit(1).alias("warm")).distinct()
    count_cold = F.count_if(F.col("warm").isNull())
    return (
        profiles.join(warm_profiles, on="profile_id", how="left")
        .agg(F.count(F.lit(1)).alias("profiles"), count_cold.alias("cold_profiles"))
        .crossJoin(
            titles.join(warm_titles, on="title_id", how="left").agg(
                F.count(F.lit(1)).alias("titles"), count_cold.alias("cold_titles")
            )
        )
    )
