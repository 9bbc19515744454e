"""How well stalls are foreseen on a simulated service: precision at recall .3, beside plain rules and a guess.

The job is rehearsed on heartbeats of three weeks of a default service. It learns from two of them and is judged on the
last days of these, of which it has seen nothing (judging.py); a moment is followed by a stall in its next minute, or is
not. Rivals are what a player shows: the emptiest buffer, and the least throughput for the bitrate; a guess has the base
rate. Asserted: the model is no worse than the better rule beyond noise, foresees at least twice what a guess does, and
its chances are off by half the base rate at most.

Most stalls have no sign a minute before, in the simulator as in life, so precision at recall .1 stands beside.
`CINELAKE_BENCH_ACCOUNTS` (300) makes it smaller or larger.
"""

from __future__ import annotations

import os
from datetime import date, timedelta
from pathlib import Path

import pytest
from benchmarks.bench_qoe_incidents import service
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from cinelake.runtime.intake.deliveries import Delivery
from cinelake.runtime.job import Job
from cinelake.runtime.runs.graph import discover
from cinelake.runtime.runs.rehearsal import rehearse
from cinelake.runtime.tracking.runs import Tracking
from cinelake.runtime.windows import Window
from cinelake.simulate.commands import deliver, new_service
from cinelake.sources.bronze import bronze_rows
from cinelake.sources.heartbeats import HEARTBEATS_SOURCE
from cinelake.sources.playback import PLAYBACK_SOURCE
from cinelake.sources.source import Source
from cinelake.tables.ingest import BRONZE_HEARTBEATS, BRONZE_PLAYBACK
from cinelake.tables.stalls import STALLS

ACCOUNTS = int(os.environ.get("CINELAKE_BENCH_ACCOUNTS", "300"))
START, DAYS = date(2026, 1, 5), 21
JOBS = {
    job.name: job for job in discover(Path(__file__).parents[2] / "jobs") if isinstance(job, Job)
}


def bronze(spark: SparkSession, folder: Path, source: Source, names: list[str]) -> DataFrame:
    """What the source's job makes of what landed, in Parquet, for it is read several times."""
    landed = spark.read.text(str(folder / "landing" / source.name / "*" / "*" / "*")).select(
        "value",
        F.lit("file").alias("file"),
        F.lit(None).cast("bigint").alias("line"),
        F.lit(None).cast("timestamp").alias("landed_by"),
    )
    sound = bronze_rows(landed, source).where("size(_reasons) = 0").select(*names)
    path = str(folder / source.name)
    sound.write.parquet(path)
    return spark.read.parquet(path)


@pytest.mark.timeout(3600)
def test_stalls_are_foreseen_better_than_by_an_empty_buffer(
    spark: SparkSession, tmp_path: Path
) -> None:
    deliver(
        Delivery(spark, str(tmp_path)), new_service(service("default"), ACCOUNTS, START, DAYS), DAYS
    )
    inputs = {
        table: bronze(spark, tmp_path, source, list(table.names))
        for table, source in (
            (BRONZE_PLAYBACK, PLAYBACK_SOURCE),
            (BRONZE_HEARTBEATS, HEARTBEATS_SOURCE),
        )
    }
    last, job = START + timedelta(days=DAYS - 1), JOBS["train_stalls"]
    tracking = Tracking.beside_lake(str(tmp_path))
    tracker = tracking.start("qoe", job.name, Window.of_day(last), "bench")
    rehearse(job, inputs, last, tracker=tracker)
    tracker.finish()
    (version,) = tracking.versions(STALLS)
    found = tracking.report(version).metrics
    print(f"\n{ACCOUNTS} accounts, {int(found['moments']):,} moments; {version.reason}")
    for by in ("model", "buffer_s", "headroom"):
        at_30, at_10 = (found[f"{by}.precision_at_recall_{share}"] for share in (30, 10))
        print(f"  {by:10} precision at recall .3 {at_30:.3f}, at .1 {at_10:.3f}")
    rate, off = found["base_rate"], found["calibration_error"]
    print(f"  base rate {rate:.4f}, calibration error {off:.5f}")
    assert version.approved
    assert found["model.precision_at_recall_30"] >= 2 * rate
    assert off <= rate / 2
