"""What a file costs that comes weeks late.

On four weeks of a simulated service: landing one hour of playback and heartbeats of the tenth day, held up until
now, costs silver and the daily partials at most twice what an ordinary new day costs. Ingestion is not counted: it
reads what has landed, whenever that is.

`CINELAKE_BENCH_ACCOUNTS` (100) makes the service smaller or larger.
"""

from __future__ import annotations

import os
import shutil
import time
from datetime import date, timedelta
from pathlib import Path

import pytest
from conftest import Silent
from pydantic import SecretStr
from pyspark.sql import SparkSession

from cinelake.runtime.intake.deliveries import Delivery
from cinelake.runtime.job import Ingest
from cinelake.runtime.runs.graph import Graph
from cinelake.runtime.runs.pipeline import Request, Summary
from cinelake.runtime.settings import Settings as Configured
from cinelake.runtime.workspace import Workspace
from cinelake.simulate.commands import day, deliver, new_service
from cinelake.simulate.settings import Settings

ACCOUNTS = int(os.environ.get("CINELAKE_BENCH_ACCOUNTS", "100"))
START, DAYS = day("2026-01-05"), 28
JOBS = Path(__file__).parents[2] / "jobs"
LATE_DAY, LATE_HOUR = START + timedelta(days=9), "hour=20"
# What a record goes through before anything is made of it.
AREAS = ("ingest", "behaviour")


class Service:
    """A lake whose landing files come in portions."""

    def __init__(self, spark: SparkSession, root: Path) -> None:
        self.delivered = root / "service" / "landing"
        delivery = Delivery(spark, str(root / "service"))
        deliver(delivery, new_service(Settings(), ACCOUNTS, START, DAYS + 2), DAYS + 2, 4)
        self.landing = root / "landing"
        settings = Configured.model_validate(
            {"lake": {"root": str(root / "lake"), "landing": str(self.landing)}}
        )
        secret = SecretStr("known to all who read benchmarks, " * 2)
        secrets = settings.secrets.model_copy(update={"pseudonym_key": secret})
        settings = settings.model_copy(update={"secrets": secrets})
        workspace = Workspace(settings, spark, JOBS)
        jobs = tuple(job for job in workspace.graph.jobs if job.area in AREAS)
        self.ingestion = tuple(job.name for job in jobs if isinstance(job, Ingest))
        self.workspace, self.graph = workspace, Graph(jobs)

    def land(self, files: list[Path]) -> None:
        for file in files:
            target = self.landing / file.relative_to(self.delivered)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, target)

    def files(self, first: date, end: date) -> list[Path]:
        days = {f"date={first + timedelta(days=n)}" for n in range((end - first).days)}
        return [f for f in sorted(self.delivered.rglob("*.gz")) if days & set(f.parts)]

    def run(self) -> tuple[Summary, float]:
        """Take in what has landed, then run what is stale; the seconds are those of the latter."""
        taken_in = self._run(Request(only=self.ingestion))
        assert taken_in.succeeded, taken_in.to_json()
        started = time.perf_counter()
        summary = self._run(Request())
        seconds = time.perf_counter() - started
        assert summary.succeeded, summary.to_json()
        return summary, seconds

    def _run(self, request: Request) -> Summary:
        return self.workspace.pipeline(self.graph).run(request, Silent())


@pytest.mark.timeout(3600)
def test_a_late_file_costs_at_most_twice_a_new_day(spark: SparkSession, tmp_path: Path) -> None:
    service = Service(spark, tmp_path)
    end = START + timedelta(days=DAYS)
    whole = service.files(START, end)
    late = [
        file
        for file in whole
        if {f"date={LATE_DAY}", LATE_HOUR} <= set(file.parts)
        and {"playback", "heartbeats"} & set(file.parts)
    ]
    assert len(late) >= 2
    service.land([file for file in whole if file not in set(late)])
    service.run()
    service.land(service.files(end, end + timedelta(days=1)))
    service.run()

    service.land(service.files(end + timedelta(days=1), end + timedelta(days=2)))
    _, of_a_day = service.run()
    service.land(late)
    summary, of_a_file = service.run()
    ratio = of_a_file / of_a_day
    print(
        f"\na new day {of_a_day:.1f} s, a file of the tenth day {of_a_file:.1f} s, ratio {ratio:.2f}"
    )
    # It changed something, or it would prove nothing.
    assert any(r.changed for r in summary.reports if r.job == "build_viewing_sessions")
    assert ratio <= 2
