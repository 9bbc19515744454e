"""What stands around what viewers do: time zones, kinds of devices, lengths of titles, as change rows.

Grain: one row a record that says something of an account, device or title, from its time on; `as_of` reads them.
Of several records of one moment the one received last counts.
"""

from __future__ import annotations

from zoneinfo import available_timezones

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from cinelake.behaviour.history import EFFECTIVE_FROM
from cinelake.behaviour.identity import IdKind, known_as
from cinelake.sources.accounts import ACCOUNTS_SOURCE
from cinelake.sources.bronze import payload
from cinelake.sources.devices import DEVICES_SOURCE
from cinelake.sources.source import Source
from cinelake.sources.titles import TITLES_SOURCE


def account_zones(bronze: DataFrame) -> DataFrame:
    """`account_id, effective_from, time_zone`; a zone that nobody knows counts as none, for Spark would fail on it."""
    is_known = F.col("time_zone").isin(*sorted(available_timezones()))
    told = _told(bronze, ACCOUNTS_SOURCE, "account_id", "time_zone")
    return told.select(
        known_as(IdKind.ACCOUNT, "account_id"),
        EFFECTIVE_FROM,
        F.when(is_known, F.col("time_zone")).alias("time_zone"),
    )


def device_kinds(bronze: DataFrame) -> DataFrame:
    """`device_id, effective_from, device_kind`."""
    return _told(bronze, DEVICES_SOURCE, "device_id", "kind").select(
        known_as(IdKind.DEVICE, "device_id"), EFFECTIVE_FROM, F.col("kind").alias("device_kind")
    )


def title_lengths(bronze: DataFrame) -> DataFrame:
    """`title_id, effective_from, runtime_s, credits_start_s`."""
    return _told(bronze, TITLES_SOURCE, "title_id", "runtime_s", "credits_start_s")


def _told(bronze: DataFrame, source: Source, key: str, *names: str) -> DataFrame:
    newest: list[Column] = [
        F.max_by(name, F.struct("received_at", "event_id")).alias(name) for name in names
    ]
    return (
        payload(bronze, source, key, *names)
        .groupBy(key, F.col("event_time").alias(EFFECTIVE_FROM))
        .agg(*newest)
    )
