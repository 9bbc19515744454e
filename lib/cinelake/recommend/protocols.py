"""Ways to hold something out: what a model may be trained on, and what it is tested on.

`temporal`, a global cut in time, is the only one that asks what production asks (holdout.py). The other two are those
of published tables, and let a model learn from the future: `random` holds out a share of each title's profiles (as
Microsoft Recommenders does), `leave_last_out` the last title of each profile.

What a profile did with a title lies on one side as a whole, whatever the days.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from cinelake.recommend.holdout import Holdout, before, temporal_holdouts, within

_PAIR = ("profile_id", "title_id")


@dataclass(frozen=True)
class Split:
    """Rows of `title_signals` to train on and to test on, and the days up to which each is looked at."""

    train: DataFrame
    test: DataFrame
    train_until: date
    test_until: date

    @classmethod
    def at(cls, signals: DataFrame, holdout: Holdout) -> Split:
        """The days before a cut, and those after it."""
        return cls(before(signals, holdout), within(signals, holdout), holdout.cut, holdout.end)


def temporal(signals: DataFrame, share: float, seed: int) -> Split | None:  # noqa: ARG001
    """A global cut, from which on at least `share` of the signals lies; None where all are of one day."""
    found = temporal_holdouts(signals, share)
    return Split.at(signals, found[0]) if found else None


def random(signals: DataFrame, share: float, seed: int) -> Split | None:
    """`share` of each title's profiles, rounded, drawn by a hash with the seed."""
    pairs = signals.select(*_PAIR).distinct()
    of_title = Window.partitionBy("title_id")
    drawn = of_title.orderBy(F.xxhash64(F.lit(seed), *_PAIR), "profile_id")
    wanted = F.round(F.count(F.lit(1)).over(of_title) * F.lit(share))
    return _apart(signals, pairs.select(*_PAIR, F.row_number().over(drawn) <= wanted))


def leave_last_out(signals: DataFrame, share: float, seed: int) -> Split | None:  # noqa: ARG001
    """The title that each profile came to last; of those of one moment the one that comes last by a hash."""
    came = F.coalesce(F.min("rated_at"), F.min("signal_date").cast("timestamp"))
    pairs = signals.groupBy(*_PAIR).agg(came.alias("_came"))
    newest = Window.partitionBy("profile_id").orderBy(
        F.desc("_came"), F.desc(F.xxhash64(*_PAIR)), "title_id"
    )
    return _apart(signals, pairs.select(*_PAIR, F.row_number().over(newest) == 1))


PROTOCOLS: dict[str, Callable[[DataFrame, float, int], Split | None]] = {
    "temporal": temporal,
    "random": random,
    "leave-last-out": leave_last_out,
}


def _apart(signals: DataFrame, marked: DataFrame) -> Split | None:
    """`marked` holds each pair and whether it is held out."""
    mark: Column = F.col("_is_held_out")
    told = signals.join(marked.toDF(*_PAIR, "_is_held_out"), on=list(_PAIR), how="inner")
    last = signals.agg(F.max("signal_date")).first()
    if last is None or last[0] is None:
        return None
    end = last[0] + timedelta(days=1)
    train, test = (told.where(held).select(*signals.columns) for held in (~mark, mark))
    return Split(train, test, end, end)
