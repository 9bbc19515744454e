"""From a simulated scene to cases, beside the truth: what the benchmark of account integrity measures and fits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pandas as pd
from benchmarks.integrity_scene import Scene, stored
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import StructType

from cinelake.runtime.job import Job
from cinelake.runtime.runs.graph import discover
from cinelake.runtime.runs.rehearsal import rehearse
from cinelake.tables.contract import Table
from cinelake.tables.integrity import (
    ACCOUNT_PARTIES,
    ALLOW_LIST,
    CONCURRENT_STREAMS,
    IMPOSSIBLE_JOURNEYS,
    INTEGRITY_CASES,
    INTEGRITY_SIGNALS,
    LOG_IN_BURSTS,
    LOG_IN_RISKS,
    PLACE_DAYS,
    STREAM_PEAKS,
    USAGE_DAYS,
    VERDICTS,
)

JOBS = {
    job.name: job for job in discover(Path(__file__).parents[2] / "jobs") if isinstance(job, Job)
}
# Jobs that make what suspects are told from, in order, and what each writes.
EVIDENCE: tuple[tuple[str, tuple[Table, ...]], ...] = (
    ("sum_usage_days", (USAGE_DAYS,)),
    ("find_concurrent_streams", (STREAM_PEAKS, CONCURRENT_STREAMS)),
    ("sum_place_days", (PLACE_DAYS,)),
    ("find_impossible_journeys", (IMPOSSIBLE_JOURNEYS,)),
    ("find_log_in_bursts", (LOG_IN_BURSTS,)),
    ("judge_log_ins", (LOG_IN_RISKS,)),
    ("tell_parties", (ACCOUNT_PARTIES,)),
)
JUDGEMENT: tuple[tuple[str, tuple[Table, ...]], ...] = (
    ("raise_signals", (INTEGRITY_SIGNALS,)),
    ("open_cases", (INTEGRITY_CASES,)),
)
# The simulator's numbers of offenders → the kind of case that should find them.
OFFENDERS = {
    1: "sharing",
    2: "sharing",
    3: "sharing",
    4: "takeover",
    5: "takeover",
    6: "screens",
    7: "playback",
}


def evidence_of(
    spark: SparkSession, scene: Scene, folder: Path, start: date, end: date, parties_from: date
) -> dict[Table, DataFrame]:
    """All tables up to parties, kept in Parquet under `folder`."""
    tables = stored(spark, scene, folder / "silver")
    for name, written in EVIDENCE:
        since = parties_from if name == "tell_parties" else start
        _made(spark, tables, folder, name, written, since, end)
    return tables


def cases_of(
    spark: SparkSession, tables: dict[Table, DataFrame], folder: Path, start: date, end: date
) -> pd.DataFrame:
    """The states of all cases."""
    made = dict(tables)
    for table in (VERDICTS, ALLOW_LIST):
        made[table] = spark.createDataFrame([], StructType.fromJson(table.schema.jsonValue()))
    for name, written in JUDGEMENT:
        _made(spark, made, folder, name, written, start, end)
    return made[INTEGRITY_CASES].toPandas()


def _made(
    spark: SparkSession,
    tables: dict[Table, DataFrame],
    folder: Path,
    name: str,
    written: tuple[Table, ...],
    start: date,
    end: date,
) -> None:
    paths = {table: folder / table.name for table in written}
    if not all((path / "_SUCCESS").exists() for path in paths.values()):
        inputs = {r.source: tables[r.source] for r in JOBS[name].reads if r.source in tables}
        found = rehearse(JOBS[name], inputs, start, end)
        for table, path in paths.items():
            found[table].write.mode("overwrite").parquet(str(path))
    for table, path in paths.items():
        tables[table] = spark.read.schema(table.schema).parquet(str(path))


@dataclass(frozen=True)
class Truth:
    """Who misused an account in the scene, by kind of case, and what merely looks like it."""

    misuse: Mapping[str, set[str]]
    # Kind → account → day of an offender's first play.
    first: Mapping[str, dict[str, date]]
    confounders: Mapping[str, set[str]]
    accounts: set[str]

    @property
    def guilty(self) -> set[str]:
        return set().union(*self.misuse.values())


def truth_of(scene: Scene, start: date, end: date) -> Truth:
    """What went on in `[start, end)`; misuse counts where an offender pressed play."""
    plays = scene.tables["viewing_sessions"]
    days = plays.started_at.dt.date
    bad = plays[(plays.offender > 0) & (days >= start) & (days < end)]
    kinds = bad.offender.map(OFFENDERS)
    first = {
        kind: bad[kinds == kind].groupby("account_id").started_at.min().dt.date.to_dict()
        for kind in sorted(set(OFFENDERS.values()))
    }
    misuse = {kind: set(own) for kind, own in first.items()}
    told = scene.truth["confounders"]
    until = told.until_at.dt.date
    there = told[(told.from_at.dt.date < end) & (until.isna() | (until >= start))]
    confounders = {kind: set(own.account_id) for kind, own in there.groupby("kind")}
    return Truth(misuse, first, confounders, set(plays.account_id))


def labels(scene: Scene) -> pd.Series:
    """(account, device) → what most of its plays are, by the truth."""
    plays = scene.tables["viewing_sessions"]
    kinds = plays.offender.map(OFFENDERS).fillna("honest")
    told: pd.Series = kinds.groupby([plays.account_id, plays.device_id]).agg(
        lambda own: own.value_counts().index[0]
    )
    return told


def examples(parties: DataFrame, scene: Scene, days: int = 4) -> pd.DataFrame:
    """What `scripts/fit_integrity_prior.py` fits to: `account_id, subject, label, features`.

    Of each party apart from a home so many of the days on which it streamed, spread evenly; what most of its devices'
    plays are is its label. Parties of bars and of pirates are neither honest nor sharers, and are left out.
    """
    rows = parties.where("NOT is_home AND used_today").orderBy("as_of").toPandas()
    whose = labels(scene)
    rows["label"] = [
        whose.loc[[(account, device) for device in devices]].value_counts().index[0]
        for account, devices in zip(rows.account_id, rows.devices, strict=True)
    ]
    rows = rows[rows.label.isin(["honest", "sharing", "takeover"])]
    place = rows.groupby(["account_id", "party"]).cumcount()
    count = rows.groupby(["account_id", "party"]).party.transform("size")
    spread = (place + 1) * days // count > place * days // count
    kept = rows[spread | (count <= days)]
    features = [list(row) for row in kept.features]
    told = kept.rename(columns={"party": "subject"})[["account_id", "subject", "label"]]
    return told.assign(features=features)
