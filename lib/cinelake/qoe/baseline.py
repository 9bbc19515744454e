"""What is usual: the share of bad sessions that a cell should have in an hour, from the days before it.

Grain: one row a cell, hour and metric of which the cell had any session.

Method. History is the `days` days before the day of the row; nothing of the day itself enters, so an incident does not
become its own baseline, and every window of days comes to the same. Hours that were bad themselves enter capped, at
`cap` times the rate that was usual then and three sessions. Rates are shrunk (empirical Bayes, as the posterior mean of
a beta prior), in two steps:

1. The cell's level: its rate of the last week towards that of its whole history (trend), that towards its parent's.
2. Its rate at that hour of the day, on weekdays or on weekends and holidays, towards its level times its parent's
   profile of the day.

A parent is the region, else the provider, else the whole service: evenings come by region. A young cell thus begins
with what its parent knows, and on a service's first day with what all others do in the same hour.

`spread` is how much more than by chance sessions of one hour go bad together: the intraclass correlation ρ of a
beta-binomial, by moments, `E[(x − nr)²] = nr(1 − r)(1 + (n − 1)ρ)`, shrunk towards a common value; what the rate is not
known well is added to it.

Every window lies in the hours of one cell and metric, so that they are sorted twice and sent over the network once.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from functools import reduce

from pydantic import BaseModel, ConfigDict, Field
from pyspark.sql import Column, DataFrame, Window, WindowSpec
from pyspark.sql import functions as F

from cinelake.qoe.rollups import ALL
from cinelake.tables.qoe import METRICS

# What of the counts is bad, and of what, by metric.
COUNTED: Mapping[str, tuple[str, str]] = {
    "start_failure": ("start_failures", "attempts"),
    "exit_before_start": ("exits_before_start", "attempts"),
    "slow_start": ("slow_starts", "timed_starts"),
    "stall": ("stalled_hours", "hours"),
    "playback_failure": ("playback_failures", "hours"),
    "dropped_frames": ("choppy_hours", "frame_hours"),
    "low_bitrate": ("poor_hours", "rated_hours"),
}
assert tuple(COUNTED) == METRICS
# The longest history; four of each weekday.
MOST_DAYS = 28
SERIES = ("cell", "metric")
_LEAST_RATE, _MOST_RATE = 1e-4, 0.95
_LEAST_SPREAD, _MOST_SPREAD = 1e-4, 0.3


class Usual(BaseModel):
    """What history is, and how much of it outweighs what is known beforehand."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    days: int = Field(
        MOST_DAYS,
        ge=7,
        le=MOST_DAYS,
        description="days before that are looked at: four of each weekday",
    )
    lately_days: int = Field(7, ge=1, le=28, description="of them, those that tell the level")
    level_sessions: float = Field(
        100,
        gt=0,
        description="sessions of its own at which a cell's level counts as much as its parent's",
    )
    hour_sessions: float = Field(
        60, gt=0, description="sessions at an hour at which that counts as much as the level"
    )
    cap: float = Field(3, ge=1, description="times the usual rate up to which a past hour counts")
    spread: float = Field(
        0.01, gt=0, lt=1, description="correlation of sessions that is taken for granted"
    )
    spread_pairs: float = Field(
        10_000,
        gt=0,
        description="pairs of sessions at which a cell's own correlation counts as much",
    )
    holidays: tuple[date, ...] = Field((), description="days that are like weekends")


def by_metric(rollups: DataFrame, minutes: Mapping[str, Column], usual: Usual) -> DataFrame:
    """Hourly roll-ups, a row a metric: `cell, subset, parent, metric, bucket_at, day, hour, is_free, bad, total, loss`.

    `loss` is what one bad session loses, as `minutes` tells by metric (min).
    """
    is_free = F.weekday("cell_date") >= 5
    if usual.holidays:
        is_free = is_free | F.col("cell_date").isin(*(F.lit(day) for day in usual.holidays))
    parent = (
        F.when(F.col("region").isNotNull(), F.concat(F.lit("region="), "region"))
        .when(F.col("isp").isNotNull(), F.concat(F.lit("isp="), "isp"))
        .otherwise(ALL)
    )
    told = F.array(
        *(
            F.struct(
                F.lit(metric).alias("metric"),
                F.col(bad).alias("bad"),
                # A session that failed in an hour may have no slice in it.
                F.greatest(bad, total).alias("total"),
                F.coalesce(minutes[metric], F.lit(0.0)).alias("loss"),
            )
            for metric, (bad, total) in COUNTED.items()
        )
    )
    return rollups.select(
        "cell",
        "subset",
        parent.alias("parent"),
        "bucket_at",
        F.unix_date("cell_date").alias("day"),
        F.hour("bucket_at").alias("hour"),
        is_free.alias("is_free"),
        F.inline(told),
    ).where("total > 0")


def with_baseline(rows: DataFrame, usual: Usual) -> DataFrame:
    """Rows of `by_metric` with `rate double, spread double, known double` (sessions in history).

    Rows reach back twice `usual.days` before the first that is to be judged, for history is capped by its own. `rate`
    is null where nothing is known at all.
    """
    is_whole, is_parent = F.col("cell") == ALL, F.col("cell") == F.col("parent")
    nothing = F.lit(None).cast("double")
    first = rows.where(is_whole).select(
        "*", nothing.alias("prior"), F.lit(1.0).alias("profile"), nothing.alias("now")
    )
    service = _rated(first, usual)
    of_service = service.select(
        "metric",
        "bucket_at",
        F.col("level").alias("prior"),
        F.try_divide("rate", "level").alias("profile"),
        (F.col("bad") / F.col("total")).alias("now"),
    )
    beside = rows.where(~is_whole).join(
        F.broadcast(of_service), on=["metric", "bucket_at"], how="left"
    )
    parents = _rated(beside.where(is_parent), usual)
    of_parents = parents.select(
        F.col("cell").alias("parent"),
        "metric",
        "bucket_at",
        F.col("level").alias("_prior"),
        F.try_divide("rate", "level").alias("_profile"),
    )
    below = beside.where(~is_parent).join(
        F.broadcast(of_parents), on=["parent", "metric", "bucket_at"], how="left"
    )
    own = [name for name in beside.columns if name not in {"prior", "profile"}]
    rest = _rated(
        below.select(
            *own,
            F.coalesce("_prior", "prior").alias("prior"),
            F.coalesce("_profile", "profile").alias("profile"),
        ),
        usual,
    )
    names = [*rows.columns, "rate", "spread", "known"]
    return reduce(DataFrame.unionByName, (f.select(*names) for f in (service, parents, rest)))


def _rated(rows: DataFrame, usual: Usual) -> DataFrame:
    """Rows with `level, rate, spread, known`; they hold `prior, profile, now`, null where nobody knows."""
    prior, now = F.col("prior"), F.col("now")
    w = usual.level_sessions

    def sums(days: int, *by: str, **columns: Column) -> list[Column]:
        # What lies so many days back is what there was up to yesterday less what there was before: frames that only
        # grow are summed row by row, those that move are summed anew for each day.
        ordered = Window.partitionBy(*SERIES, *by).orderBy("day")
        told = ordered.rangeBetween(Window.unboundedPreceding, -1)
        gone = ordered.rangeBetween(Window.unboundedPreceding, -days - 1)

        def up_to(window: WindowSpec, column: Column) -> Column:
            return F.coalesce(F.sum(column.cast("double")).over(window), F.lit(0.0))

        return [
            (up_to(told, column) - up_to(gone, column)).alias(name)
            for name, column in columns.items()
        ]

    bad, total = F.col("bad").cast("double"), F.col("total").cast("double")
    seen = rows.select("*", *sums(usual.days, _bad=bad, _total=total))
    was_usual = _bounded(
        _shrunk(F.col("_bad"), F.col("_total"), F.coalesce(prior, now), w) * F.col("profile")
    )
    capped = seen.select("*", was_usual.alias("_usual")).select(
        "*",
        F.coalesce(F.least(bad, usual.cap * F.col("_usual") * total + 3), bad).alias("_capped"),
    )
    off = F.pow(F.col("_capped") - total * F.col("_usual"), F.lit(2.0))
    varies = total * F.col("_usual") * (1 - F.col("_usual"))
    summed = capped.select(
        "*",
        *sums(usual.days, _long=F.col("_capped"), _over=off - varies, _pairs=varies * (total - 1)),
        *sums(usual.lately_days, _late=F.col("_capped"), _late_total=total),
    )  # fmt: skip
    long = _shrunk(F.col("_long"), F.col("_total"), prior, w)
    level = _bounded(_shrunk(F.col("_late"), F.col("_late_total"), long, w))
    leveled = summed.select(
        "*",
        level.alias("level"),
        *sums(usual.days, "hour", "is_free", _hour=F.col("_capped"), _hour_total=total),
    )
    expected = F.col("level") * F.col("profile")
    rate = _shrunk(F.col("_hour"), F.col("_hour_total"), expected, usual.hour_sessions)
    # Sums are divided, and not quotients summed: an hour in which hardly anything is usual would outweigh all others.
    pairs = usual.spread_pairs * F.coalesce(F.col("level") * (1 - F.col("level")), F.lit(1.0))
    spread = (F.col("_over") + usual.spread * pairs) / (F.col("_pairs") + pairs)
    held = F.greatest(F.least(spread, F.lit(_MOST_SPREAD)), F.lit(_LEAST_SPREAD))
    return leveled.select(
        *rows.columns,
        F.col("_total").alias("known"),
        "level",
        F.coalesce(_bounded(rate), _bounded(now)).alias("rate"),
        (held + 1 / (F.col("_total") + w)).alias("spread"),
    )


def _shrunk(bad: Column, total: Column, prior: Column, weight: float) -> Column:
    """The rate of bad ones among all and `weight` more at the prior's; without a prior that of them alone."""
    alone = F.try_divide(bad, total)
    return F.coalesce((bad + weight * prior) / (total + weight), alone)


def _bounded(rate: Column) -> Column:
    """A rate that nothing divides by zero with; null stays null."""
    held = F.greatest(F.least(rate, F.lit(_MOST_RATE)), F.lit(_LEAST_RATE))
    return F.when(rate.isNotNull(), held)
