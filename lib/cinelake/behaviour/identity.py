"""Ids on their way from bronze to silver: every id passes here, and nowhere else.

Method: a pseudonym is the first 128 bits, in hex, of HMAC-SHA-256 (RFC 2104, whose section 5 allows the cut) of the
id under the key of its kind. An id of one kind comes out the same wherever it stands, so that tables join; ids of
two kinds never do. Spark has no HMAC, and a key as a literal would show in every plan; so the two hashes are nested
by hand over keys that stand, already padded, in a frame of one row (`run.keys(IdKind)`).

Names, mail and postal addresses, telephone numbers and what a client calls itself stop at bronze: no column of
silver holds them. Of a place stay the region and its cell (places.py), of an IP address its pseudonym.

Caveat: a pseudonym is still about one person. It hides who that is from those without the key, not from those who
know what the person watched.
"""

from __future__ import annotations

from enum import StrEnum

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

# Hex digits; half of the hash, which no two ids share by chance.
LENGTH = 32


class IdKind(StrEnum):
    """What an id identifies; ids of two kinds never join."""

    ACCOUNT = "account"
    PROFILE = "profile"
    DEVICE = "device"
    EVENT = "event"
    PLAY = "play"
    PAGE = "page"
    SEARCH = "search"
    IP = "ip"


def known_as(kind: IdKind, column: str, keys: DataFrame) -> Column:
    """The id in `column` as silver knows it, under the same name; null stays null."""
    # A subquery, and no join: it leaves the estimates of sizes alone, and Spark computes it once for all ids.
    row = keys.select(F.struct(*keys.columns)).scalar()
    inner = F.unhex(_sha256(row[kind]["inner"], F.col(column).cast("binary")))
    return F.left(_sha256(row[kind]["outer"], inner), F.lit(LENGTH)).alias(column)


def _sha256(pad: Column, text: Column) -> Column:
    return F.sha2(F.concat(pad, text), 256)
