"""What is usual: the share of bad sessions that a cell should have in an hour, from the days before it.

Grain: one row a cell, hour and metric of which the cell had any session.

Method. History is the `days` days before the day of the row; nothing of the day itself enters, so an incident does not
become its own baseline, and every window of days comes to the same. Hours that were bad themselves enter capped, at
`cap` times the rate that was usual then and three sessions. Rates are shrunk (empirical Bayes, as the posterior mean of
a beta prior), in two steps:

1. The cell's level: its rate of the last week towards that of its whole history (trend), that towards its parent's.
2. Its profile: what went bad at that hour of the day, on weekdays or on weekends and holidays, of what its level of
   each week (`lately_days`, counted back from the day) made expected; towards its parent's profile of the day. Its rate
   is its level times its profile, so that a level that has shifted is usual as soon as it has lasted for a week. Where
   `weekday_sessions` says so, that of the weekday alone, as of Fridays, towards it in turn: of four weeks these are
   four hours, which tell little more than chance where sessions go bad together, so it is for services whose weekdays
   do differ.

A parent is the region, else the provider, else the whole service: evenings come by region. Of more than
`most_parents` regions and providers the largest are parents, by the sessions of the days that are read. A young cell
thus begins with what its parent knows, and on a service's first day with what all others do in the same hour.

`spread` is how much more than by chance sessions of one hour go bad together: the intraclass correlation ρ of a
beta-binomial, by moments, `E[(x − nr)²] = nr(1 − r)(1 + (n − 1)ρ)`, shrunk towards a common value; what the rate is not
known well is added to it. Here, too, `r` is the level of the hour's week times the parent's profile.

All of it is told of the hours of one cell, which are sent over the network once (qoe/history.py): the whole service's
first, then those of parents, by what the service has there, then all others, by what their parents have. What a few
parents have is worked out while the frame is made, and held by every task.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from functools import reduce

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.core.broadcast import Broadcast
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from cinelake.qoe.history import EPOCH, HOURS, Heads, above_children, nobody, rated, whole_cells
from cinelake.qoe.rollups import ALL
from cinelake.qoe.usual import Usual
from cinelake.tables.qoe import HOUR, METRICS

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
PARENTS = ("region", "isp")
# How many histories back a cell is read: its own, and that by which its own is capped. What caps it rests on its
# parent, too, so parents are read one further back, and the whole service another.
_DEEP = 2
DEEPEST = _DEEP + 2
_RATED = (
    "cell string, metric string, day int, hour int, bad bigint, total bigint, "
    "rate double, spread double, known double"
)
_ABOVE = "key bigint, at int, above binary"


def total_of(metric: str) -> Column:
    """Sessions of an hour of which a metric tells; one that failed in an hour may have no slice in it."""
    return F.greatest(*COUNTED[metric])


def by_metric(rollups: DataFrame) -> DataFrame:
    """Hourly roll-ups, a row a metric: `cell, metric, day, hour, bad, total`, days since 1970."""
    told = F.array(
        *(
            F.struct(
                F.lit(metric).alias("metric"),
                F.col(bad).alias("bad"),
                total_of(metric).alias("total"),
            )
            for metric, (bad, _) in COUNTED.items()
        )
    )
    day, hour = F.unix_date("cell_date").alias("day"), F.hour("bucket_at").alias("hour")
    return rollups.select("cell", day, hour, F.inline(told)).where("total > 0")


def with_baseline(rollups: DataFrame, usual: Usual, first: date) -> DataFrame:
    """Rows of `by_metric` from `first` on, with `rate double, spread double, known double` (sessions in history).

    Hourly roll-ups reach back `DEEPEST` times `usual.days` before `first`, for history is capped by its own and by that
    of parents. `rate` is null where nothing is known at all.
    """
    judged = (first - EPOCH).days
    context = rollups.sparkSession.sparkContext

    def told(rows: DataFrame, heads: Broadcast[Heads]) -> DataFrame:
        def each(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            for table in whole_cells(batches):
                yield from rated(table, heads.value, usual, judged)

        # No built-in window sums days of several parts in one pass; what this costs tells bench_qoe.py.
        return rows.mapInArrow(each, _RATED)

    def to_children(rows: DataFrame, heads: Broadcast[Heads], deep: int) -> pa.Table:
        """Of the hours for which those below that are read so deep may ask."""
        asked = F.col("at") >= (judged - deep * usual.days) * HOURS

        def each(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            return (above_children(table, heads.value, usual) for table in whole_cells(batches))

        return rows.mapInArrow(each, _ABOVE).where(asked).toArrow()

    def read(holds: Column, deep: int) -> DataFrame:
        since = F.lit(first - timedelta(days=deep * usual.days))
        return rollups.where(holds & (F.col("cell_date") >= since))

    subset = F.col("subset")
    is_whole, is_parent = subset == ALL, subset.isin(*PARENTS)
    whole, above_whole = _in_order(read(is_whole, DEEPEST), first), context.broadcast(nobody())
    service = to_children(whole, above_whole, DEEPEST - 1)
    # Parents are few. Beside each row of their children what they have would be most of what Spark moves.
    of_parents = read(is_parent, DEEPEST - 1)
    parents, above_parents = _in_order(of_parents, first), context.broadcast(Heads.of(service))
    largest = _in_order(_of_largest(of_parents, usual.most_parents), first)
    own = to_children(largest, above_parents, _DEEP)
    lately = service.filter(pc.field("at") >= (judged - _DEEP * usual.days) * HOURS)
    rest = _in_order(read(~is_whole & ~is_parent, _DEEP), first)
    of_all = (
        (whole, above_whole),
        (parents, above_parents),
        (rest, context.broadcast(Heads.of(lately, own))),
    )
    return reduce(DataFrame.unionByName, (told(rows, heads) for rows, heads in of_all))


def _of_largest(parents: DataFrame, most: int) -> DataFrame:
    """The rows of so many cells with most sessions."""
    sessions = F.sum(F.greatest("attempts", "hours"))
    largest = (
        parents.groupBy("cell")
        .agg(sessions.alias("_sessions"))
        .orderBy(F.desc("_sessions"), "cell")
    )
    return parents.join(F.broadcast(largest.limit(most)), on="cell", how="left_semi")


def _in_order(rollups: DataFrame, first: date) -> DataFrame:
    """`key, parent, at, cell` and metrics of hourly roll-ups, those of a cell together (qoe/history.py)."""
    parent = (
        F.when(F.col("region").isNotNull(), F.concat(F.lit("region="), "region"))
        .when(F.col("isp").isNotNull(), F.concat(F.lit("isp="), "isp"))
        .otherwise(ALL)
    )
    at = F.expr(f"unix_seconds(bucket_at) div {HOUR * 60}").cast("int")
    counts = F.array(
        *(F.shiftleft(bad, 32).bitwiseOR(total_of(metric)) for metric, (bad, _) in COUNTED.items())
    )
    # Names begin alike, and are slow to sort by; one whole number is sorted by its bits. Two of a million names have
    # the same once in forty million times.
    rows = rollups.select(
        F.xxhash64("cell").alias("key"),
        F.xxhash64(parent).alias("parent"),
        at.alias("at"),
        F.when(F.col("cell_date") >= F.lit(first), F.col("cell")).alias("cell"),
        counts.alias("counts"),
    )
    ordered = rows.repartition("key").sortWithinPartitions("key")
    # Always so, but Spark cannot know it: where it says that nothing needs an order, it leaves out sorts that it can.
    return ordered.where(F.spark_partition_id() >= 0)
