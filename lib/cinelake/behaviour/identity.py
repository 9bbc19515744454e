"""Ids on their way from bronze to silver: every id passes here, and nowhere else.

An id of one kind must come out the same wherever it stands, so that tables join; hence one function for all
kinds. Up to now ids pass unchanged.
"""

from enum import StrEnum

from pyspark.sql import Column
from pyspark.sql import functions as F


class IdKind(StrEnum):
    """What an id identifies; ids of two kinds never join."""

    EVENT = "event"
    ACCOUNT = "account"
    PROFILE = "profile"
    DEVICE = "device"
    PLAY = "play"
    PAGE = "page"
    SEARCH = "search"
    ADDRESS = "address"


def known_as(kind: IdKind, column: str) -> Column:
    """The id in `column` as silver knows it, under the same name."""
    assert kind in IdKind
    return F.col(column).alias(column)
