"""Accounts, profiles, devices, availability and log-ins: the same rows in any order of arrival and any windows."""

from __future__ import annotations

import random
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from unit.behaviour.bronze import bronze, landed_line, pseudonym

from cinelake.behaviour.identity import IdKind
from cinelake.runtime.job import Job
from cinelake.runtime.runs.graph import discover
from cinelake.runtime.runs.rehearsal import rehearse
from cinelake.sources.catalog import all_sources
from cinelake.tables.behaviour import ACCOUNTS, AVAILABILITY, DEVICES, LOG_INS, PROFILES
from cinelake.tables.contract import Table
from cinelake.tables.ingest import (
    BRONZE_ACCOUNTS,
    BRONZE_AVAILABILITY,
    BRONZE_DEVICES,
    BRONZE_LOG_INS,
    BRONZE_PROFILES,
)

JOBS = {
    job.name: job for job in discover(Path(__file__).parents[3] / "jobs") if isinstance(job, Job)
}
START, MIDDLE, END = date(2020, 5, 2), date(2020, 5, 3), date(2020, 5, 5)
A, P, D = (
    pseudonym(kind, text)
    for kind, text in ((IdKind.ACCOUNT, "a-1"), (IdKind.PROFILE, "p-1"), (IdKind.DEVICE, "d-1"))
)

ACCOUNT = {
    "account_id": "a-1",
    "change": "sign_up",
    "market": "DE",
    "plan": "basic",
    "screens_allowed": 1,
    "status": "active",
    "signed_up_at": "2020-05-02T00:00:00Z",
    "name": "Ada Byron",
    "mail": "ada@example.org",
}
PROFILE = {
    "profile_id": "p-1",
    "account_id": "a-1",
    "name": "Ada",
    "kind": "adult",
    "status": "active",
}
DEVICE = {"device_id": "d-1", "account_id": "a-1", "kind": "tv", "os": "7"}
AVAILABLE = {"title_id": "t-1", "market": "DE", "available_from": "2020-06-01T00:00:00Z"}
LOG_IN = {
    "account_id": "a-1",
    "device_id": "d-1",
    "event": "log_in",
    "outcome": "success",
    "ip": "198.51.100.7",
    "asn": 64500,
    "user_agent": "Cinelake/7",
    "latitude": 52.674,
    "longitude": 13.272,
}
Case = tuple[Table, Table, list[str], list[str], list[tuple[Any, ...]], list[str]]
CASES: dict[str, Case] = {
    "build_accounts": (
        BRONZE_ACCOUNTS,
        ACCOUNTS,
        [
            landed_line("e1", "2 10:00", **ACCOUNT),
            # A new mail address is a change of nothing that silver knows.
            landed_line(
                "e2", "3 09:00", **(ACCOUNT | {"change": "contact", "mail": "b@example.org"})
            ),
            landed_line("e3", "3 10:00", **(ACCOUNT | {"plan": "premium", "screens_allowed": 4})),
            landed_line(
                "e3", "3 10:00", "3 11:00", **(ACCOUNT | {"plan": "premium", "screens_allowed": 4})
            ),
            # Told of one moment twice: the later receipt counts.
            landed_line("e4", "4 10:00", "4 11:00", **(ACCOUNT | {"status": "past_due"})),
            landed_line("e5", "4 10:00", "4 12:00", **(ACCOUNT | {"status": "cancelled"})),
        ],
        ["account_id", "effective_date", "plan", "status"],
        [
            (A, date(2020, 5, 2), "basic", "active"),
            (A, date(2020, 5, 3), "premium", "active"),
            (A, date(2020, 5, 4), "basic", "cancelled"),
        ],
        ["duplicate", "superseded"],
    ),
    "build_profiles": (
        BRONZE_PROFILES,
        PROFILES,
        [
            landed_line("e1", "2 10:00", **PROFILE),
            landed_line("e2", "3 10:00", **(PROFILE | {"name": "Countess"})),
            landed_line("e3", "4 10:00", **(PROFILE | {"status": "deleted"})),
        ],
        ["profile_id", "account_id", "effective_date", "status"],
        [(P, A, date(2020, 5, 2), "active"), (P, A, date(2020, 5, 4), "deleted")],
        [],
    ),
    "build_devices": (
        BRONZE_DEVICES,
        DEVICES,
        [
            landed_line("e1", "2 10:00", **DEVICE),
            landed_line("e2", "3 10:00", **(DEVICE | {"account_id": "a-2"})),
            landed_line("e3", "4 10:00", **DEVICE),
        ],
        ["device_id", "account_id", "effective_date", "os"],
        [
            (D, A, date(2020, 5, 2), "7"),
            (D, pseudonym(IdKind.ACCOUNT, "a-2"), date(2020, 5, 3), "7"),
        ],
        [],
    ),
    "build_availability": (
        BRONZE_AVAILABILITY,
        AVAILABILITY,
        [
            landed_line("e1", "2 10:00", **AVAILABLE),
            landed_line("e2", "3 10:00", **AVAILABLE),
            landed_line(
                "e3", "4 10:00", **(AVAILABLE | {"available_from": "2020-07-01T00:00:00Z"})
            ),
        ],
        ["title_id", "market", "effective_date"],
        [("t-1", "DE", date(2020, 5, 2)), ("t-1", "DE", date(2020, 5, 4))],
        [],
    ),
    "build_log_ins": (
        BRONZE_LOG_INS,
        LOG_INS,
        [
            landed_line("e1", "2 23:50", **LOG_IN),
            landed_line("e1", "2 23:50", "3 00:10", **LOG_IN),
            landed_line("e2", "3 10:00", **(LOG_IN | {"ip": None, "latitude": None})),
        ],
        ["event_id", "account_id", "device_id", "ip", "cell"],
        [
            (
                pseudonym(IdKind.EVENT, "e1"),
                A,
                D,
                pseudonym(IdKind.IP, "198.51.100.7"),
                "831f1dfffffffff",
            ),
            (pseudonym(IdKind.EVENT, "e2"), A, D, None, None),
        ],
        ["duplicate"],
    ),
}


# Change rows are all made in one place, so one of these stands for the others on ordinary days.
ALIKE = "build_availability"


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[] if name == ALIKE else [pytest.mark.thorough]) for name in CASES],
)
def test_the_rows_are_those_in_any_order_of_arrival_and_any_windows(
    spark: SparkSession, name: str
) -> None:
    source, table, lines, shown, expected, reasons = CASES[name]
    told = all_sources()[source.name.removeprefix("bronze_")]
    nothing = spark.createDataFrame([], table.schema)
    reads_itself = any(reading.source == table for reading in JOBS[name].reads)

    def run(arrived: list[str], before: DataFrame, start: date, end: date) -> Any:
        inputs = {source: bronze(spark, told, arrived)}
        return rehearse(JOBS[name], inputs | ({table: before} if reads_itself else {}), start, end)

    whole = run(lines, nothing, START, END)
    rows = whole[table].localCheckpoint()
    assert sorted(map(tuple, rows.select(*shown).collect()), key=str) == sorted(expected, key=str)
    assert sorted(row.reasons[0] for row in whole.quarantined(table).collect()) == reasons

    shuffled = random.Random(3).sample(lines, len(lines))
    first = run(shuffled, nothing, START, MIDDLE)[table].localCheckpoint()
    daily = first.union(run(shuffled, first, MIDDLE, END)[table])
    as_text = F.to_json(F.struct(*table.names))
    assert sorted(daily.select(as_text).collect()) == sorted(rows.select(as_text).collect())
