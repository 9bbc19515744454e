"""Windows: half-open ranges of whole UTC days, and which of them a job is due to compute.

Days are the unit because tables are laid out by day. A job reads more than it writes: its reach says how
far before and after its window, in days. Everything here is arithmetic on dates; there is no clock.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

ONE_DAY = timedelta(days=1)

# A lookback beyond any calendar: everything up to the window.
ALL = 10**6


@dataclass(frozen=True, order=True)
class Window:
    """The days `start <= day < end`.

    Raises ValueError when it would hold no day.
    """

    start: date
    end: date

    def __post_init__(self) -> None:
        if self.end <= self.start:
            raise ValueError(
                f"window [{self.start}, {self.end}) holds no day; its end must lie after its start"
            )

    @classmethod
    def of_day(cls, day: date) -> Window:
        return cls(day, day + ONE_DAY)

    @property
    def days(self) -> list[date]:
        return [self.start + timedelta(days=n) for n in range((self.end - self.start).days)]

    def __contains__(self, day: date) -> bool:
        return self.start <= day < self.end

    def __str__(self) -> str:
        return f"[{self.start}, {self.end})"


@dataclass(frozen=True)
class Reach:
    """How many days before and after its window a job reads.

    A negative `after` stops short of the window's end; `past` reads only what lies before the window.
    """

    before: int = 0
    after: int = 0
    past: bool = False

    def of(self, window: Window) -> tuple[date, date]:
        """The half-open range read for `window`; it may be empty."""
        start = date.min if self.before >= ALL else _shift(window.start, -self.before)
        return start, window.start if self.past else _shift(window.end, self.after)

    def first_affected(self, day: date) -> date:
        """The first one-day window that reads `day`."""
        return _shift(day, 1 if self.past else -self.after)


class Cadence(StrEnum):
    """How often a job is due: every day, every Monday, every first of the month; or never, unless it is named."""

    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"
    ON_DEMAND = "on demand"

    def is_due(self, day: date) -> bool:
        """Whether a job of which there is talk at all is due; who is on demand may be asked for on any day."""
        match self:
            case Cadence.DAILY | Cadence.ON_DEMAND:
                return True
            case Cadence.WEEKLY:
                return day.weekday() == 0
            case Cadence.MONTHLY:
                return day.day == 1

    def newest_due(self, through: date) -> date:
        """The newest due day that ended by `through`, the end of the data."""
        day = through - ONE_DAY
        while not self.is_due(day):
            day -= ONE_DAY
        return day


def contiguous(days: Iterable[date]) -> Iterator[Window]:
    """The fewest windows that hold exactly `days`."""
    ordered = sorted(set(days))
    if not ordered:
        return
    start = previous = ordered[0]
    for day in ordered[1:]:
        if day - previous != ONE_DAY:
            yield Window(start, previous + ONE_DAY)
            start = day
        previous = day
    yield Window(start, previous + ONE_DAY)


def complete_days(data_through: datetime) -> date:
    """The end of the last whole day before `data_through`."""
    return data_through.date()


def _shift(day: date, days: int) -> date:
    try:
        return day + timedelta(days=days)
    except OverflowError:
        return date.min if days < 0 else date.max
