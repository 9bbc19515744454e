"""Differences of time within what one client tells.

Silver dates an event by the client's clock, or by the receipt if that clock was ahead (sources/bronze.py). Between
two receipts lies what the network took; so how long something took is told by the client's own clock, whatever
time it shows: its error is in both times and falls out.
"""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F

from cinelake.tables.viewing import SECONDS


def by_client() -> Column:
    """When a bronze record happened by the client's own clock (µs), wrong as it may be."""
    ahead = F.coalesce("clock_ahead_ms", F.lit(0)) * 1000
    return F.unix_micros("event_time") + ahead


def seconds_between(earlier: Column, later: Column) -> Column:
    """Time between two moments in µs, as exact seconds; null if the later one is the earlier one."""
    exact = (later - earlier).cast("decimal(18,0)") * F.lit("0.000001").cast("decimal(7,6)")
    return F.when(later >= earlier, exact.cast(SECONDS))
