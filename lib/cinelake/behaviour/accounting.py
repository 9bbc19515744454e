"""What becomes of the records of a window, told while rows pass, so that whoever runs the job can draw a balance.

A session, an episode or a change row stands for many records or for none, so rows in and rows out do not show
whether any was lost. The functions of this package say of the rows in their hands how many records each stands
for, and what became of these: `kept`, or a reason. What they say of one source adds up, be it negative.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Protocol

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from cinelake.sources.source import Source


class AccountFor(Protocol):
    """Adds up `fates`, numbers of records of `source` by what became of them, over the rows of `frame` as they pass.

    Returns the frame to go on with.
    """

    def __call__(self, source: Source, frame: DataFrame, /, **fates: Column) -> DataFrame: ...


def nobody_asks(source: Source, frame: DataFrame, /, **fates: Column) -> DataFrame:  # noqa: ARG001
    """Where no books are kept."""
    return frame


@dataclass(frozen=True)
class Accounts:
    """The days whose records are to be accounted for, `[start, end)`, and to whom."""

    start: date
    end: date
    tell: AccountFor = nobody_asks

    def own(self, day: str, records: Column | None = None) -> Column:
        """How many `records` of `day` a row stands for, if it is one of these; a condition stands for one record."""
        is_own = (F.col(day) >= F.lit(self.start)) & (F.col(day) < F.lit(self.end))
        number = F.lit(1) if records is None else records
        return F.when(is_own, F.coalesce(number.cast("bigint"), F.lit(0))).otherwise(0)
