"""How many streams an account has at once, exactly, and when they are more than its plan allows.

Method: a sweep (Bentley & Ottmann's idea in one dimension). Every stream becomes +1 at its start and −1 at its end; the
running sum in order of time is the number of streams at each moment. Intervals are half-open, so ends come before
starts at the same moment. All is cut at midnights first: each account and day is then swept alone, a day costs
what it holds, and no window needs another.

Which streams took part in an excess is found without joining intervals to intervals: excesses of a day are numbered as
they begin, a stream carries the numbers that its own two events saw, and takes part in those between. At most as
many streams as are allowed reach into an excess from before, so this costs what it puts out.

What the plan allows may change in the middle: a change is an event of its own, after ends and before starts of the
same moment. An account whose plan nobody knows has peaks and no excess.
"""

from __future__ import annotations

from datetime import date

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

EPOCH = date(1970, 1, 1)
DAY = 86_400_000_000
END, CHANGE, START = -1, 0, 1
ACCOUNT_DAY = ("account_id", "stream_day")
# Streams of one excess that stand in the evidence; they are counted all.
SHOWN = 20


def by_day(intervals: DataFrame, start: date, end: date) -> DataFrame:
    """Intervals cut at midnights, of the days `[start, end)`: with `stream_day` (days since 1970), and `whole_started`
    and `whole_ended`, between which they lasted.
    """
    first, last = _number(start), _number(end) - 1
    days = F.sequence(
        F.greatest(F.floor(F.col("started") / DAY), F.lit(first)),
        F.least(F.floor((F.col("ended") - 1) / DAY), F.lit(last)),
    )
    reaches_in = (F.col("ended") > F.lit(first * DAY)) & (
        F.col("started") < F.lit((last + 1) * DAY)
    )
    cut = intervals.where(reaches_in & (F.col("started") < F.col("ended"))).select(
        "*", F.explode(days).alias("stream_day")
    )
    begins, ends = F.col("stream_day") * DAY, (F.col("stream_day") + 1) * DAY
    return cut.select(
        *(name for name in cut.columns if name not in ("started", "ended")),
        F.greatest("started", begins).alias("started"),
        F.least("ended", ends).alias("ended"),
        F.col("started").alias("whole_started"),
        F.col("ended").alias("whole_ended"),
    )


def peaks(pieces: DataFrame) -> DataFrame:
    """Rows of `stream_peaks` of streams cut by day."""
    events = _events(pieces)
    # Events of one moment may stand in any order: only the state after the last of them lasts.
    in_order = Window.partitionBy(*ACCOUNT_DAY).orderBy("at", "step")
    swept = events.select(
        *ACCOUNT_DAY,
        "at",
        "step",
        F.sum("step").over(in_order.rowsBetween(Window.unboundedPreceding, Window.currentRow)).alias("now"),
        (F.lead("at").over(in_order) - F.col("at")).alias("lasts"),
    )  # fmt: skip
    # By number of streams first, then the greatest: what lies by account and day lies so for both.
    by_number = swept.groupBy(*ACCOUNT_DAY, "now").agg(
        F.min(F.when(F.col("lasts") > 0, F.col("at"))).alias("first"),
        F.sum("lasts").alias("long"),
        F.count_if(F.col("step") == START).alias("starts"),
    )
    lasting = F.when(F.col("long") > 0, F.struct("now", "first", "long"))
    most = by_number.groupBy(*ACCOUNT_DAY).agg(
        F.max(lasting).alias("most"), F.sum("starts").alias("streams")
    )
    return most.select(
        "account_id",
        _date_of("stream_day").alias("stream_date"),
        F.col("streams").cast("int").alias("streams"),
        F.col("most.now").cast("int").alias("peak"),
        F.timestamp_micros("most.first").alias("peak_at"),
        F.greatest(F.floor(F.col("most.long") / 1000), F.lit(1)).alias("peak_ms"),
    )


def excesses(pieces: DataFrame, peaks: DataFrame, accounts: DataFrame) -> DataFrame:
    """Rows of `concurrent_streams` of streams cut by day.

    `peaks` are theirs; `accounts` are change rows with `screens_allowed`. No plan allows less than one stream, so
    days whose peak is 1 are left out before anything is compared.
    """
    crowded = peaks.where(F.col("peak") > 1).select(
        "account_id", F.unix_date("stream_date").cast("bigint").alias("stream_day")
    )
    parts = pieces.join(crowded, on=list(ACCOUNT_DAY), how="left_semi")
    moments = _swept(parts, crowded, accounts)
    excess = _intervals(moments)
    shared = _shares(parts, moments)
    told = excess.join(_evidence(shared), on=[*ACCOUNT_DAY, "number"], how="inner")
    begins, ends = F.col("stream_day") * DAY, (F.col("stream_day") + 1) * DAY
    return told.select(
        "account_id",
        _date_of("stream_day").alias("stream_date"),
        F.timestamp_micros("from").alias("from_at"),
        F.timestamp_micros("until").alias("until_at"),
        F.col("streams").cast("int").alias("streams"),
        "allowed",
        F.floor(F.col("excess") / 1000).alias("excess_ms"),
        *(F.col(name).cast("int").alias(name) for name in ("plays", "devices", "networks", "regions")),
        "evidence",
        ((F.col("from") == begins) & (F.col("from_before") > F.col("allowed"))).alias("comes_from_before"),
        ((F.col("until") == ends) & (F.col("to_after") > F.col("allowed"))).alias("goes_on"),
    )  # fmt: skip


def _events(pieces: DataFrame) -> DataFrame:
    both = F.array(
        F.struct(F.col("started").alias("at"), F.lit(START).alias("step")),
        F.struct(F.col("ended").alias("at"), F.lit(END).alias("step")),
    )
    return pieces.select(*ACCOUNT_DAY, F.explode(both).alias("event")).select(
        *ACCOUNT_DAY, "event.*"
    )


def _allowances(days: DataFrame, accounts: DataFrame) -> DataFrame:
    """`account_id, stream_day, at, allowed` for these days: what holds as each begins, and every change in it."""
    begins = F.col("stream_day") * DAY
    changes = accounts.select(
        "account_id",
        F.unix_micros("effective_from").alias("at"),
        F.col("screens_allowed").alias("allowed"),
    )
    beside = days.join(changes, on="account_id", how="inner").where(F.col("at") < begins + DAY)
    holds = beside.where(F.col("at") <= begins).groupBy(*ACCOUNT_DAY)
    at_first = holds.agg(F.max_by("allowed", "at").alias("allowed")).select(
        *ACCOUNT_DAY, begins.alias("at"), "allowed"
    )
    return at_first.unionByName(beside.where(F.col("at") > begins))


def _swept(parts: DataFrame, days: DataFrame, accounts: DataFrame) -> DataFrame:
    """Moments at which anything changes, with what holds from each to the next, and numbers of excesses."""
    steps = _events(parts).select("*", F.lit(None).cast("int").alias("allowed"))
    changes = _allowances(days, accounts).select(
        *ACCOUNT_DAY, "at", F.lit(CHANGE).alias("step"), "allowed"
    )
    moments = steps.unionByName(changes).groupBy(*ACCOUNT_DAY, "at").agg(
        F.sum("step").alias("step"), F.max("allowed").alias("change")
    )  # fmt: skip
    in_order = Window.partitionBy(*ACCOUNT_DAY).orderBy("at")
    so_far = in_order.rowsBetween(Window.unboundedPreceding, Window.currentRow)
    now = moments.select(
        *ACCOUNT_DAY,
        "at",
        F.lead("at").over(in_order).alias("next"),
        F.sum("step").over(so_far).alias("now"),
        F.last_value("change", F.lit(True)).over(so_far).alias("allowed"),
    )
    exceeds = F.coalesce(F.col("now") > F.col("allowed"), F.lit(False))
    marked = now.select("*", exceeds.alias("exceeds"))
    begins = F.col("exceeds") & ~F.coalesce(F.lag("exceeds").over(in_order), F.lit(False))
    numbered = marked.select("*", begins.alias("begins"))
    return numbered.select("*", F.count_if("begins").over(so_far).alias("number"))


def _intervals(moments: DataFrame) -> DataFrame:
    """`account_id, stream_day, number, from, until, streams, allowed, excess` of each longest excess."""
    lasts = F.col("next") - F.col("at")
    return (
        moments.where("exceeds")
        .groupBy(*ACCOUNT_DAY, "number")
        .agg(
            F.min("at").alias("from"),
            F.max("next").alias("until"),
            F.max("now").alias("streams"),
            F.min("allowed").alias("allowed"),
            F.sum((F.col("now") - F.col("allowed")) * lasts).alias("excess"),
        )
    )


def _shares(parts: DataFrame, moments: DataFrame) -> DataFrame:
    """Streams beside the number of each excess in which they took part."""
    at_start = moments.select(
        *ACCOUNT_DAY,
        F.col("at").alias("started"),
        (F.col("number") + F.when(F.col("exceeds"), 0).otherwise(1)).alias("_first"),
    )
    at_end = moments.select(
        *ACCOUNT_DAY,
        F.col("at").alias("ended"),
        # What begins at the moment of the end begins without it.
        (F.col("number") - F.when(F.col("begins"), 1).otherwise(0)).alias("_last"),
    )
    placed = parts.join(at_start, on=[*ACCOUNT_DAY, "started"], how="inner").join(
        at_end, on=[*ACCOUNT_DAY, "ended"], how="inner"
    )
    numbers = F.explode(F.sequence("_first", "_last"))
    return placed.where(F.col("_first") <= F.col("_last")).select("*", numbers.alias("number"))


def _evidence(shared: DataFrame) -> DataFrame:
    """What took part in each excess: counts, and the first streams."""
    by_time = Window.partitionBy(*ACCOUNT_DAY, "number").orderBy("whole_started", "play_id")
    placed = shared.select("*", F.row_number().over(by_time).alias("_place"))
    shown = F.struct(
        "play_id", "device_id", "network", "country", "region",
        F.timestamp_micros("whole_started").alias("from_at"),
        F.timestamp_micros("whole_ended").alias("until_at"),
    )  # fmt: skip
    first = F.when(F.col("_place") <= SHOWN, F.struct(F.col("_place"), shown.alias("shown")))
    begins, ends = F.col("stream_day") * DAY, (F.col("stream_day") + 1) * DAY
    return placed.groupBy(*ACCOUNT_DAY, "number").agg(
        F.count("*").alias("plays"),
        F.count_distinct("device_id").alias("devices"),
        F.count_distinct("network").alias("networks"),
        F.count_distinct(F.concat_ws("|", "country", "region")).alias("regions"),
        F.transform(F.array_sort(F.collect_list(first)), lambda each: each["shown"]).alias("evidence"),
        F.count_if(F.col("whole_started") < begins).alias("from_before"),
        F.count_if(F.col("whole_ended") > ends).alias("to_after"),
    )  # fmt: skip


def _date_of(number: str) -> Column:
    return F.date_from_unix_date(F.col(number).cast("int"))


def _number(day: date) -> int:
    return (day - EPOCH).days
