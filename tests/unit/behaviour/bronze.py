"""Bronze rows for tests, from a few words each."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from cinelake.behaviour.identity import LENGTH, IdKind
from cinelake.runtime.runs.rehearsal import REHEARSAL_KEYS
from cinelake.sources.bronze import bronze_rows
from cinelake.sources.source import Source


def moment(text: str) -> datetime:
    """`1 10:30` or `1` → that time on that day of May 2020."""
    day, _, clock = text.partition(" ")
    hour, _, minute = (clock or "12:00").partition(":")
    return datetime(2020, 5, int(day), int(hour), int(minute), tzinfo=UTC)


def landed_line(event: str, at: str, received: str | None = None, /, **payload: Any) -> str:
    """A landed record."""
    times = {"event_time": moment(at), "received_at": moment(received or at)}
    envelope = {"event_id": event, "schema_version": 1}
    return json.dumps(envelope | {k: t.isoformat() for k, t in times.items()} | payload)


def bronze(spark: SparkSession, source: Source, lines: Iterable[str]) -> DataFrame:
    """What ingestion makes of the lines; all of them must be good."""
    return judged_lines(spark, source, lines).drop("_reasons", "_raw", "_origin")


def judged_lines(spark: SparkSession, source: Source, lines: Iterable[str]) -> DataFrame:
    """The same of any lines, with the `_reasons` that speak against each."""
    landed = spark.createDataFrame(
        [(line, "file", None, None) for line in lines],
        "value string, file string, line bigint, landed_by timestamp",
    )
    return bronze_rows(landed, source)


def keys(spark: SparkSession) -> DataFrame:
    """The keys of rehearsals."""
    return REHEARSAL_KEYS.frame(spark, IdKind)


def pseudonym(kind: IdKind, text: str) -> str:
    """What an id becomes in tests."""
    return REHEARSAL_KEYS.hmac(kind, text)[:LENGTH]
