"""Log-ins and log-outs: one row each attempt, under pseudonyms, duplicates set apart.

Of the address stay its pseudonym and its network (system, operator, kind of connection); of the place the country,
the region and a cell of one degree, which is about as good as look-ups of addresses are.
"""

from __future__ import annotations

from datetime import date

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from cinelake.behaviour.identity import IdKind, cell, known_as
from cinelake.behaviour.records import is_duplicate, reasons, within
from cinelake.sources.bronze import payload
from cinelake.sources.log_ins import LOG_INS_SOURCE


def log_ins(bronze: DataFrame, keys: DataFrame, start: date, end: date) -> DataFrame:
    """The attempts of `[start, end)` with `_reasons`; bronze is read from `records.LOOKBACK` days before."""
    typed = payload(bronze, LOG_INS_SOURCE)
    marked = typed.select("*", is_duplicate(LOG_INS_SOURCE.names).alias("_is_duplicate"))
    return within(marked, "event_date", start, end).select(
        known_as(IdKind.EVENT, "event_id", keys),
        known_as(IdKind.ACCOUNT, "account_id", keys),
        known_as(IdKind.PROFILE, "profile_id", keys),
        known_as(IdKind.DEVICE, "device_id", keys),
        F.col("event_time").alias("attempted_at"),
        F.col("event_date").alias("attempt_date"),
        "event",
        "outcome",
        "method",
        known_as(IdKind.IP, "ip", keys),
        "asn",
        "isp",
        "connection",
        "country",
        "region",
        cell("latitude", "longitude").alias("cell"),
        "accuracy_km",
        "is_new_device",
        reasons(duplicate=F.col("_is_duplicate")).alias("_reasons"),
    )
