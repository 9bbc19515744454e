"""In which circumstances a home page is looked at: on what, at which part of the day, on what kind of day.

- *device class*: how big the screen is and how far away. Televisions and consoles are `tv`, telephones `phone`, tablets
  and laptops `computer`; a device that nobody knows is `unknown`.
- *daypart*: the quarter of the day by the viewer's clock (behaviour/tastes.py).
- *weekday* and *month*, by the viewer's clock; the night belongs to the day before it, for who watches at one o'clock
  on a Saturday is still at the Friday evening.
- *holiday*: public holidays of the market, and what lies between two of them where few working days do: from Christmas
  to the New Year families are at home, too. From the `holidays` library; a market that it does not know has none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache

import holidays
from pyspark.sql import Column
from pyspark.sql import functions as F

DEVICE_CLASSES = ("tv", "phone", "computer")
UNKNOWN = "unknown"
DAYPARTS = ("night", "morning", "afternoon", "evening")
# Kinds of device (tables/viewing.py) of each class.
CLASS_OF: Mapping[str, str] = {
    "tv": "tv",
    "console": "tv",
    "phone": "phone",
    "tablet": "computer",
    "laptop": "computer",
}
# Hours that end a night; as in `daypart`.
NIGHT_ENDS = 6
# Working days between two public holidays that are taken off, too.
BRIDGED = 4
SATURDAY = 5


@dataclass(frozen=True, order=True)
class Circumstances:
    """Where and when a page is for; `day` is the day that the viewer would call it."""

    device_class: str
    daypart: str
    day: date


def device_class(kind: str) -> Column:
    """`device_class` of a column of kinds of device; never null."""
    found = F.lit(UNKNOWN)
    for device, of_class in CLASS_OF.items():
        found = F.when(F.col(kind) == device, of_class).otherwise(found)
    return found.alias("device_class")


def page_day(local_date: str, local_hour: str) -> Column:
    """`page_day`: the day that an hour belongs to, of which the night comes last."""
    return (
        F.when(F.col(local_hour) < NIGHT_ENDS, F.date_sub(local_date, 1))
        .otherwise(F.col(local_date))
        .alias("page_day")
    )


def holidays_of(markets: Iterable[str], first: date, last: date) -> dict[str, set[date]]:
    """By market, the days of `[first, last]` on which families are at home."""
    return {market: _festive(market, first, last) for market in markets}


def _festive(market: str, first: date, last: date) -> set[date]:
    margin = timedelta(days=2 * BRIDGED)
    calendar, day = _calendar(market), first - margin
    found: set[date] = set()
    since: list[date] = []
    while day <= last + margin:
        since.append(day)
        if day in calendar:
            working = [one for one in since[1:-1] if one.weekday() < SATURDAY]
            found |= set(since) if since[0] in calendar and len(working) <= BRIDGED else {day}
            since = [day]
        day += timedelta(days=1)
    return {one for one in found if first <= one <= last}


@cache
def _calendar(market: str) -> holidays.HolidayBase:
    try:
        return holidays.country_holidays(market)
    except NotImplementedError:
        return holidays.HolidayBase()
