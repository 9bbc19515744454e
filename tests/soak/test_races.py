"""Two runs on one lake at once: one waits or is refused, nothing doubles."""

from __future__ import annotations

import time
from pathlib import Path

from pyspark.sql import SparkSession
from soak.conftest import Service


def test_two_runs_at_once_end_in_the_rows_of_one(
    spark: SparkSession, undisturbed: tuple[Service, float], tmp_path: Path
) -> None:
    reference, _ = undisturbed
    service = Service(tmp_path / "lake")
    service.copy_landing(reference)
    patience = {"lake.lock_wait": "10m"}
    both = [service.command("run", **patience) for _ in range(2)]
    ended = [process.communicate(timeout=3600) for process in both]
    assert [process.returncode for process in both] == [0, 0], ended
    assert service.content(spark) == reference.content(spark)


def test_an_impatient_second_run_is_refused_and_told_who_runs(
    undisturbed: tuple[Service, float], tmp_path: Path
) -> None:
    reference, _ = undisturbed
    service = Service(tmp_path / "lake")
    service.copy_landing(reference)
    first = service.command("run")
    while not (service.root / "lake.lock").exists() or not (service.root / "lake.lock").read_text():
        time.sleep(0.1)
    second = service.command("run")
    _, complaint = second.communicate(timeout=120)
    assert second.returncode == 75
    assert f"is in use: process {first.pid}" in complaint
    first.communicate(timeout=1800)
    assert first.returncode == 0
