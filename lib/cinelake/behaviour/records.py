"""Records on their way from bronze to silver: which of several with one event id counts.

Of duplicates the earliest receipt counts. Duplicates of one client time can be dated differently, for a clock
that is ahead is corrected from the receipt; but by no more than a day, and the earlier receipt has the
earlier date (see sources/bronze.py). So a record is a duplicate when, in the order of day and receipt, the one
before it with its id lies on the same day or the day before. This needs one day before a window and nothing
after it, and every window, long or short, comes to the same verdict. An id that comes back after more than a
day is another event, of a client that counts wrongly.
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

# Days before a window that must be read to tell its duplicates.
LOOKBACK = 1


def is_duplicate(payload: tuple[str, ...], within: tuple[str, ...] = ()) -> Column:
    """Whether a record repeats an earlier one; `payload` makes the order of equal receipts total.

    `within` names what all copies of a record share, such as its play, where rows already lie by that.
    """
    order = Window.partitionBy(*within, "event_id").orderBy(
        "event_date", "received_at", "event_time", *payload
    )
    previous = F.lag("event_date").over(order)
    return F.coalesce(F.date_diff("event_date", previous) <= LOOKBACK, F.lit(False))


def reasons(**broken: Column) -> Column:
    """The names of what holds, as an array."""
    return F.array_compact(F.array(*(F.when(holds, F.lit(name)) for name, holds in broken.items())))


def within(frame: DataFrame, day: str, start: object, end: object) -> DataFrame:
    """The rows of `start <= day < end`."""
    return frame.where((F.col(day) >= F.lit(start)) & (F.col(day) < F.lit(end)))
