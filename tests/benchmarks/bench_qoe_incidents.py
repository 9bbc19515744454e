"""How well incidents are found, against what the simulator knows.

- On the default service: of the incidents that touch 200 sessions or more, nine in ten have an alarm within two hours
  of their onset; of those found, seven in ten are blamed on exactly what was struck; and there is at most one false
  incident a day. Of fewer than five such incidents nothing can be said, and it fails.
- On a service in which nothing happens: at most one incident a day. Work that providers announce is in the calendar.

An incident is true if any of its cells points at one of the simulator's, while that went on: it has part of what that
strikes, or is the whole service. One of the simulator's is found by an alarm in such a cell. The first
week only makes history. `CINELAKE_BENCH_ACCOUNTS` (3000) and `CINELAKE_BENCH_DAYS` (35) make it smaller or larger; what
touches 200 sessions in an hour or two needs a service of some size. `CINELAKE_BENCH_SEED` (7) makes another one.
"""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.dataset as ds
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from cinelake.behaviour.identity import IdKind
from cinelake.qoe.anomalies import Alarming, anomalies
from cinelake.qoe.causes import Search, history, with_causes
from cinelake.qoe.cells import Bearable, cells
from cinelake.qoe.heard import BEAT_COLUMNS
from cinelake.qoe.incidents import Merging, incidents
from cinelake.qoe.maintenance.commands import announced
from cinelake.qoe.rollups import SUBSETS, parts_of, rollups
from cinelake.qoe.sessions import qoe_sessions
from cinelake.qoe.usual import Usual
from cinelake.runtime.intake.deliveries import Delivery
from cinelake.runtime.runs.rehearsal import REHEARSAL_KEYS
from cinelake.simulate.commands import deliver, new_service
from cinelake.simulate.profile import settings_of
from cinelake.simulate.settings import Settings
from cinelake.sources.bronze import bronze_rows, payload
from cinelake.sources.heartbeats import HEARTBEATS_SOURCE
from cinelake.sources.playback import PLAYBACK_SOURCE
from cinelake.sources.source import Source
from cinelake.tables.maintenance import QOE_MAINTENANCE
from cinelake.tables.qoe import HOUR, QOE_CELLS, QOE_INCIDENTS, QOE_ROLLUPS, QOE_SESSIONS

ACCOUNTS = int(os.environ.get("CINELAKE_BENCH_ACCOUNTS", "3000"))
DAYS = int(os.environ.get("CINELAKE_BENCH_DAYS", "35"))
SEED = int(os.environ.get("CINELAKE_BENCH_SEED", "7"))
START, WARM_UP = date(2026, 1, 5), 7
TOUCHED, BUCKETS = 200, 2
GREAT, NAMED = 5, 0.7
STRUCK = {
    "cdn": "cdn",
    "region": "region",
    "isp": "isp",
    "model": "device_model",
    "app_version": "app_version",
}
CONF = Path(__file__).parents[2] / "conf" / "simulate"


@dataclass(frozen=True)
class Found:
    """What was made of a service, and what is true of it."""

    alarms: pd.DataFrame
    incidents: pd.DataFrame
    truth: pd.DataFrame


def service(profile: str) -> Settings:
    content = tomllib.loads((CONF / f"{profile}.toml").read_text("utf-8"))
    # Nobody has left before there is anybody to see it.
    world = {**content.get("world", {}), "reference": START.isoformat()}
    return settings_of({**content, "world": world, "seed": SEED}, profile)


def records(spark: SparkSession, folder: Path, source: Source, *names: str) -> DataFrame:
    landed = spark.read.text(str(folder / "landing" / source.name / "*" / "*" / "*")).select(
        "value",
        F.lit("file").alias("file"),
        F.lit(None).cast("bigint").alias("line"),
        F.lit(None).cast("timestamp").alias("landed_by"),
    )
    return payload(bronze_rows(landed, source).where("size(_reasons) = 0"), source, *names)


def kept(frame: DataFrame, path: Path) -> DataFrame:
    frame.write.parquet(str(path))
    return frame.sparkSession.read.parquet(str(path))


def truth_of(folder: Path) -> pd.DataFrame:
    told = ds.dataset(folder / "truth" / "incidents").to_table().to_pandas()
    plays = ds.dataset(folder / "truth" / "plays").to_table(columns=["incident_ids"]).to_pandas()
    touched = plays["incident_ids"].explode().dropna().value_counts()
    times = {name: pd.to_datetime(told[name], utc=True) for name in ("started_at", "ended_at")}
    return told.assign(touched=told["incident_id"].map(touched).fillna(0).astype(int), **times)


def calendar(spark: SparkSession, truth: pd.DataFrame) -> DataFrame:
    own = truth[truth["kind"] == "maintenance"].to_dict("records")
    told = [
        announced(f"isp={row['isp']}", row["started_at"].isoformat(), row["ended_at"].isoformat(), "work", "them")
        for row in own
    ]  # fmt: skip
    rows = [tuple(row[name] for name in QOE_MAINTENANCE.names) for row in told]
    return spark.createDataFrame(rows, QOE_MAINTENANCE.schema)


def found(spark: SparkSession, folder: Path, settings: Settings) -> Found:
    delivery = Delivery(spark, str(folder))
    deliver(delivery, new_service(settings, ACCOUNTS, START, DAYS), DAYS)
    end = START + timedelta(days=DAYS)
    sessions = qoe_sessions(
        records(spark, folder, PLAYBACK_SOURCE), records(spark, folder, HEARTBEATS_SOURCE, *BEAT_COLUMNS),
        REHEARSAL_KEYS.frame(spark, IdKind), START, end, 60,
    )  # fmt: skip
    lived = kept(sessions.select(*QOE_SESSIONS.names), folder / "sessions")
    leaves = kept(
        cells(lived, START, end, Bearable(), [HOUR]).select(*QOE_CELLS.names), folder / "cells"
    )
    rolled = kept(rollups(leaves, SUBSETS, 5).select(*QOE_ROLLUPS.names), folder / "rollups")
    truth = truth_of(folder)
    first = START + timedelta(days=WARM_UP)
    odd = kept(
        anomalies(rolled, first, end, Usual(), Alarming(), calendar(spark, truth)),
        folder / "anomalies",
    )
    states: list[pd.DataFrame] = []
    before = spark.createDataFrame([], QOE_INCIDENTS.schema)
    for number in range(WARM_UP, DAYS):
        day = START + timedelta(days=number)
        made = incidents(odd.where(F.col("anomaly_date") == F.lit(day)), before, day, Merging())
        told = with_causes(made, before, history(leaves, day, 14), day, Search())
        before = kept(told.select(*QOE_INCIDENTS.names), folder / f"incidents-{day}")
        states.append(before.toPandas())
    newest = pd.concat(states).sort_values("state_date").groupby("incident_id").tail(1)
    alarms = odd.where("is_alarm").toPandas()
    alarms["bucket_at"] = pd.to_datetime(alarms["bucket_at"], utc=True)
    return Found(alarms, newest, truth)


def may_be(cell: str, struck: dict[str, Any]) -> bool:
    """Whether a cell may hold sessions that an incident of the simulator strikes."""
    parts = parts_of(cell)
    wanted = {mine: struck[name] for name, mine in STRUCK.items() if isinstance(struck[name], str)}
    return all(parts.get(name, value) == value for name, value in wanted.items())


def points_at(cell: str, struck: dict[str, Any]) -> bool:
    """Whether a cell says something of what an incident strikes: it has part of it, or is the whole service."""
    wanted = {mine for name, mine in STRUCK.items() if isinstance(struck[name], str)}
    parts = parts_of(cell)
    return may_be(cell, struck) and (not parts or not wanted or not wanted.isdisjoint(parts))


def goes_on(at: datetime, struck: dict[str, Any]) -> bool:
    # The last stalls of an hour are told in it, and effects end with the sessions.
    hour = pd.Timedelta("1h")
    begins = pd.Timestamp(at).tz_localize("UTC") if at.tzinfo is None else pd.Timestamp(at)
    return bool(begins + hour > struck["started_at"] and begins < struck["ended_at"] + hour)


def false_ones(made: Found) -> list[dict[str, Any]]:
    real = made.truth[~made.truth["is_confounder"]].to_dict("records")

    def is_true(row: dict[str, Any]) -> bool:
        return any(
            any(goes_on(line["bucket_at"], one) for line in row["timeline"])
            and any(points_at(member["cell"], one) for member in row["members"])
            for one in real
        )

    return [row for row in made.incidents.to_dict("records") if not is_true(row)]


def delay(one: dict[str, Any], alarms: pd.DataFrame) -> float:
    """Hours from the onset's to that of the first alarm that points at it; infinite without one."""
    onset = one["started_at"].floor("h")
    own = alarms[(alarms["bucket_at"] >= onset) & (alarms["bucket_at"] < one["ended_at"])]
    times = [
        at for at, cell in zip(own["bucket_at"], own["cell"], strict=True) if points_at(cell, one)
    ]
    return (min(times) - onset) / pd.Timedelta("1h") if times else float("inf")


def blames(one: dict[str, Any], made: Found) -> bool:
    """Whether an incident of its time blames just what it strikes."""
    wanted = {mine: one[name] for name, mine in STRUCK.items() if isinstance(one[name], str)}
    own = (row for row in made.incidents.to_dict("records")
           if any(goes_on(line["bucket_at"], one) for line in row["timeline"]))  # fmt: skip
    return any(
        c["is_blamed"] and parts_of(c["cause"]) == wanted for row in own for c in row["causes"]
    )


@pytest.mark.timeout(7200)
def test_great_incidents_are_found_within_two_hours_and_few_are_false(
    spark: SparkSession, tmp_path: Path
) -> None:
    made = found(spark, tmp_path, service("default"))
    since = pd.Timestamp(START + timedelta(days=WARM_UP), tz="UTC")
    until = pd.Timestamp(START + timedelta(days=DAYS), tz="UTC") - pd.Timedelta("2h")
    real = made.truth[~made.truth["is_confounder"] & made.truth["started_at"].between(since, until)]
    great = real[real["touched"] >= TOUCHED].to_dict("records")
    delays = [delay(one, made.alarms) for one in great]
    told = [
        blames(one, made) for one, after in zip(great, delays, strict=True) if after < float("inf")
    ]
    false = false_ones(made)
    recall = sum(after < BUCKETS for after in delays) / max(len(great), 1)
    a_day = len(false) / (DAYS - WARM_UP)
    print(
        f"\n{ACCOUNTS:,} accounts, {DAYS - WARM_UP} days: {len(made.incidents)} incidents, {a_day:.2f} false a day"
    )
    print(
        f"  {len(great)} touch {TOUCHED} sessions or more: {recall:.0%} with an alarm within {BUCKETS} hours"
    )
    print(f"  of those found, {sum(told)} of {len(told)} are blamed on exactly what was struck")
    for one, after in zip(great, delays, strict=True):
        where = ", ".join(f"{name} {one[name]}" for name in STRUCK if isinstance(one[name], str))
        print(
            f"    {one['kind']}, {where}: severity {one['severity']:.2f}, {one['touched']} touched, {after:.0f} h"
        )
    assert a_day <= 1
    assert len(great) >= GREAT, "give it more accounts, or more days"
    assert recall >= 0.9
    assert sum(told) >= NAMED * len(told)


@pytest.mark.timeout(7200)
def test_where_nothing_happens_hardly_anything_is_opened(
    spark: SparkSession, tmp_path: Path
) -> None:
    made = found(spark, tmp_path, service("quiet"))
    a_day = len(made.incidents) / (DAYS - WARM_UP)
    print(f"\nquiet, {ACCOUNTS:,} accounts, {DAYS - WARM_UP} days: {a_day:.2f} incidents a day")
    assert a_day <= 1
