"""What of a day of the whole pipeline is no work of Spark's.

A simulated service of 60 accounts delivers twelve days, all jobs run, and then it delivers one more. Of the run that
follows, in the session of the first, it is told in how much of its time no Spark job was at work, for plans were made,
gates asked, commits written, MLflow told: less than 35 %. Jobs run side by side, so that what one does beside Spark
another's work may hide; how much that is of each job's own time is told by job.

Spark's own log of events says when its jobs were at work. `CINELAKE_BENCH_ACCOUNTS` makes the service larger.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from cinelake.runtime.books import Entry
from cinelake.runtime.config import load_settings
from cinelake.runtime.run_history import KINDS
from cinelake.runtime.workspace import Workspace

ACCOUNTS = int(os.environ.get("CINELAKE_BENCH_ACCOUNTS", "60"))
FIRST, DAYS = date(2026, 1, 5), 12
SHOWN = 12
EVENTS = "events"


def computed(root: Path) -> tuple[str, ...]:
    """Where a lake lies of which the last run was a day's. Raises RuntimeError where a job failed."""
    service = root / "service"
    where = (f"lake.root={root / 'lake'}", f"lake.landing={service / 'landing'}")
    simulate = ["simulate", str(service)]
    first = ["--profile", "small", "--accounts", str(ACCOUNTS), "--start", str(FIRST)]
    events = f'spark.conf={{"spark.eventLog.enabled" = "true", "spark.eventLog.dir" = "{(root / EVENTS).as_uri()}"}}'
    (root / EVENTS).mkdir()
    command = [
        str(Path(sys.prefix) / "bin" / "cinelake"), "--env", "trial",
        *(part for setting in (*where, events) for part in ("--set", setting)),
        *simulate, *first, "--days", str(DAYS), "then", "run",
        "then", *simulate, "--append", "--days", "1", "then", "run",
    ]  # fmt: skip
    ended = subprocess.run(command, check=False, stdout=subprocess.DEVNULL)
    # 3: a job warns of something, which is not about costs.
    if ended.returncode not in (0, 3):
        raise RuntimeError(f"the run in {root} ended with {ended.returncode}; nothing is told")
    return where


def beside(entry: Entry) -> float:
    """Seconds of a run in which no Spark job of its own was at work."""
    assert entry.usage is not None
    return max(0.0, entry.seconds - entry.usage.busy_seconds)


def at_work(events: Path) -> list[tuple[float, float]]:
    """When Spark jobs were at work, as seconds of the epoch, in order and without overlaps."""
    told = [
        json.loads(line)
        for file in events.rglob("*")
        if file.is_file() and not file.name.startswith(("appstatus", "."))
        for line in file.read_text().splitlines()
        if line.startswith('{"Event":"SparkListenerJob')
    ]
    begun = {
        event["Job ID"]: event["Submission Time"] / 1e3 for event in told if "Stage IDs" in event
    }
    ended = {
        event["Job ID"]: event["Completion Time"] / 1e3 for event in told if "Job Result" in event
    }
    spans: list[tuple[float, float]] = []
    for start, end in sorted((begun[job], ended[job]) for job in begun.keys() & ended.keys()):
        if spans and start <= spans[-1][1]:
            spans[-1] = (spans[-1][0], max(spans[-1][1], end))
        else:
            spans.append((start, end))
    return spans


def covered(spans: list[tuple[float, float]], start: float, end: float) -> float:
    """Seconds from `start` to `end` that are in `spans`."""
    return sum(max(0.0, min(until, end) - max(since, start)) for since, until in spans)


@pytest.mark.timeout(3600)
def test_little_of_a_day_is_no_work_of_sparks(spark: SparkSession, tmp_path: Path) -> None:
    workspace = Workspace(load_settings("trial", computed(tmp_path)), spark)
    delivered = (tmp_path / "service" / "delivery.json").stat().st_mtime
    runs = [
        (entry.started_at.timestamp(), entry)
        for entry in workspace.ledger.entries()
        if entry.usage is not None and entry.kind in KINDS
        and entry.started_at is not None and entry.started_at.timestamp() > delivered
    ]  # fmt: skip
    first, last = min(at for at, _ in runs), max(at + entry.seconds for at, entry in runs)
    idle = 1 - covered(at_work(tmp_path / EVENTS), first, last) / (last - first)
    whole = sum(entry.seconds for _, entry in runs)
    alone = sum(beside(entry) for _, entry in runs)
    print(
        f"\n{ACCOUNTS} accounts, a day: {len(runs)} runs in {last - first:.1f} s, in {idle:.0%} of which no Spark job "
        f"was at work; of their own time, {whole:.1f} s, runs spent {alone / whole:.0%} beside Spark"
    )
    for _, entry in sorted(runs, key=lambda run: beside(run[1]), reverse=True)[:SHOWN]:
        print(f"  {entry.job:28s} {entry.seconds:5.1f} s, beside Spark {beside(entry):5.1f}")
    assert {"build_viewing_sessions", "compose_home"} <= {entry.job for _, entry in runs}
    assert idle < 0.35
