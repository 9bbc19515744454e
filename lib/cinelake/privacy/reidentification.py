"""Whose pseudonym it is. Pseudonyms are keyed hashes and cannot be turned back; so what bronze holds is hashed anew.

Bronze keeps records of people for a month (`tables/ingest.py`). Whoever left no record in that time cannot be found.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from cinelake.behaviour.identity import IdKind, known_as
from cinelake.sources.bronze import payload
from cinelake.sources.source import Source

# What sources call ids of these kinds; of events and plays nobody needs to know more than their account.
KINDS = {
    IdKind.ACCOUNT: "account id",
    IdKind.PROFILE: "profile id",
    IdKind.DEVICE: "device id",
    IdKind.IP: "IP address",
}
# The service's own books name every account, profile and device, and are small; a log-in is rarer than a play, and a
# play rarer than its heartbeats. What is not named here comes last.
FEWEST_FIRST = ("accounts", "profiles", "devices", "log_ins", "ratings", "searches", "playback")


def fields(sources: Iterable[Source], kind: IdKind) -> Iterator[tuple[Source, str]]:
    """The sources and fields that hold ids of `kind`, those of few records first."""
    place = {name: number for number, name in enumerate(FEWEST_FIRST)}
    ordered = sorted(sources, key=lambda source: (place.get(source.name, len(place)), source.name))
    for source in ordered:
        for column in source.columns:
            if column.personal == KINDS[kind]:
                yield source, column.name


def ids_called(
    pseudonym: str, kind: IdKind, bronze: DataFrame, source: Source, field: str, keys: DataFrame
) -> DataFrame:
    """`id string`: the one that `pseudonym` stands for, where a record of `source` holds it; at most one row."""
    told = payload(bronze, source, field).select(F.col(field).alias("id"))
    marked = told.select("id", known_as(kind, "id", keys).alias("_called"))
    return marked.where(F.col("_called") == pseudonym).select("id").limit(1)
