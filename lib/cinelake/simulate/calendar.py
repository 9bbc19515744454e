"""Local time and the year's course: time zones with daylight saving, holidays, seasons.

Zone tables come from the system's tz database (zoneinfo) and are made once a process for 2000 to 2040. Days are
counted from 1970-01-01, weeks from the Monday before it.
"""

from __future__ import annotations

import datetime as dt
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np

from cinelake.simulate.randomness import Bools, Floats, Longs
from cinelake.simulate.trace import DAY, HOUR, SECOND

_FIRST = dt.date(2000, 1, 1)
_LAST = dt.date(2040, 1, 1)
_EPOCH = dt.date(1970, 1, 1)
_FORTNIGHT = 14 * DAY


def day_number(day: dt.date) -> int:
    """Days since 1970-01-01."""
    return (day - _EPOCH).days


def midnight(day: dt.date) -> int:
    """The start of a UTC day in microseconds."""
    return day_number(day) * DAY


def weekday(day: Longs) -> Longs:
    """0 on Mondays."""
    return (day + 3) % 7


@lru_cache(maxsize=64)
def _transitions(zone: str) -> tuple[Longs, Longs]:
    """Moments (µs UTC) from which an offset (µs) holds."""
    place = ZoneInfo(zone)

    def offset(at_us: int) -> int:
        moment = dt.datetime.fromtimestamp(at_us // SECOND, tz=dt.UTC).astimezone(place)
        shift = moment.utcoffset()
        return int(shift.total_seconds()) * SECOND if shift else 0

    moments, offsets = [midnight(_FIRST)], [offset(midnight(_FIRST))]
    quarter, last = HOUR // 4, midnight(_LAST)
    # No zone changes its clocks twice within a fortnight; looking at every day would take seconds a process.
    for end in range(midnight(_FIRST) + _FORTNIGHT, last + _FORTNIGHT, _FORTNIGHT):
        if offset(end) == offsets[-1]:
            continue
        # Changes happen at whole quarters of an hour.
        before, after = (end - _FORTNIGHT) // quarter, end // quarter
        while after - before > 1:
            middle = (before + after) // 2
            if offset(middle * quarter) == offsets[-1]:
                before = middle
            else:
                after = middle
        moments.append(after * quarter)
        offsets.append(offset(after * quarter))
    return np.array(moments, dtype=np.int64), np.array(offsets, dtype=np.int64)


@lru_cache(maxsize=8)
def _table(zones: tuple[str, ...]) -> tuple[Longs, Longs, Longs]:
    """All zones' transitions in one sorted array: (zone, moment) as one number, and the offset."""
    first = midnight(_FIRST)
    keys, offsets = [], []
    for index, zone in enumerate(zones):
        moments, shifts = _transitions(zone)
        keys.append(moments - first + index * _SPAN)
        offsets.append(shifts)
    return np.concatenate(keys), np.concatenate(offsets), np.array([first])


NEVER = 1 << 61  # a moment that does not come
_SPAN = 1 << 52  # longer than the forty years of a table, in µs


def offset(zones: tuple[str, ...], zone: Longs, at_us: Longs) -> Longs:
    """What is to be added to UTC for local time (µs); `zone` indexes `zones`."""
    keys, offsets, first = _table(zones)
    found = np.searchsorted(keys, zone * _SPAN + (at_us - first[0]), side="right") - 1
    shifts: Longs = offsets[found]
    return shifts


def next_change(zones: tuple[str, ...], zone: Longs, at_us: Longs) -> tuple[Longs, Longs]:
    """When clocks are changed next (µs UTC; far away where they never are), and the offset (µs) from then on."""
    keys, offsets, first = _table(zones)
    found = np.searchsorted(keys, zone * _SPAN + (at_us - first[0]), side="right")
    found = np.minimum(found, len(keys) - 1)
    own = keys[found] // _SPAN == zone
    at = np.where(own, keys[found] % _SPAN + first[0], NEVER)
    return at, np.where(own, offsets[found], offset(zones, zone, at_us))


def to_local(zones: tuple[str, ...], zone: Longs, at_us: Longs) -> Longs:
    """Local wall time, as microseconds since 1970-01-01 on the wall."""
    return at_us + offset(zones, zone, at_us)


def to_utc(zones: tuple[str, ...], zone: Longs, local_us: Longs) -> Longs:
    """The moment of a wall time; in the hour that comes twice the later, in the skipped hour an hour on."""
    guess = local_us - offset(zones, zone, local_us)
    return local_us - offset(zones, zone, guess)


# Days (month, day) that begin and end stretches in which families are at home together. Moving feasts are taken at
# their usual time: what matters is that markets differ.
_HOLIDAYS: dict[str, tuple[tuple[int, int, int, int], ...]] = {
    "US": ((12, 20, 12, 31), (1, 1, 1, 2), (11, 22, 11, 29), (7, 2, 7, 6), (2, 14, 2, 17)),
    "GB": ((12, 20, 12, 31), (1, 1, 1, 3), (4, 1, 4, 14), (10, 23, 10, 31), (2, 12, 2, 19)),
    "DE": ((12, 22, 12, 31), (1, 1, 1, 6), (4, 1, 4, 14), (10, 3, 10, 5), (5, 28, 6, 2)),
    "BR": ((12, 20, 12, 31), (1, 1, 1, 12), (2, 12, 2, 18), (7, 5, 7, 28)),
    "IN": ((10, 28, 11, 6), (1, 14, 1, 16), (3, 7, 3, 10), (5, 5, 6, 5), (8, 14, 8, 17)),
    "JP": ((12, 28, 12, 31), (1, 1, 1, 4), (4, 28, 5, 6), (8, 11, 8, 17)),
}


@lru_cache(maxsize=8)
def _year_course(markets: tuple[str, ...]) -> tuple[Bools, Longs, Longs]:
    days = [
        _FIRST + dt.timedelta(days=n) for n in range(day_number(_LAST) - day_number(_FIRST) + 1)
    ]
    month = np.array([day.month for day in days])
    in_month = np.array([day.day for day in days])
    of_year = month * 100 + in_month
    holiday = np.zeros((len(markets), len(days)), dtype=bool)
    for index, market in enumerate(markets):
        for m1, d1, m2, d2 in _HOLIDAYS.get(market, _HOLIDAYS["GB"]):
            holiday[index] |= (of_year >= m1 * 100 + d1) & (of_year <= m2 * 100 + d2)
    return holiday, month, in_month


def is_holiday(markets: tuple[str, ...], market: Longs, day: Longs) -> Bools:
    """Whether schools and most offices of a market are closed on a local day."""
    holiday, _, _ = _year_course(markets)
    closed: Bools = holiday[market, day - day_number(_FIRST)]
    return closed


def month_and_day(day: Longs) -> tuple[Longs, Longs]:
    """Month (1–12) and day of the month of day numbers."""
    _, month, in_month = _year_course(())
    place = day - day_number(_FIRST)
    return month[place], in_month[place]


def winter(day: Longs, southern: Bools) -> Floats:
    """1 in the middle of winter, −1 in the middle of summer."""
    phase = np.cos(2 * np.pi * (day - day_number(dt.date(2026, 1, 15))) / 365.25)
    course: Floats = np.where(southern, -phase, phase)
    return course
