"""What it costs to simulate a service, beside merely copying what it delivers.

- copy: Spark reads the landing files of a simulated service as text and writes them, gzip: the physical reference.
- simulate: generating and writing them, with the truth. Target: at least a fifth of the copy's lines per second.
- growth: ten times the accounts take at most 12 times as long, and the driver needs no more memory.

`CINELAKE_BENCH_ACCOUNTS` (of the smaller service, 1000) and `CINELAKE_BENCH_DAYS` (3) make it smaller or larger.
Growth is measured on a single day, so that ten thousand accounts take minutes.
"""

from __future__ import annotations

import itertools
import os
import resource
from pathlib import Path

import pytest
from benchmarks.conftest import in_turn
from pyspark.sql import SparkSession

from cinelake.runtime.intake.deliveries import Delivery
from cinelake.simulate.commands import day as day_of
from cinelake.simulate.commands import deliver, new_service
from cinelake.simulate.settings import Settings

ACCOUNTS = int(os.environ.get("CINELAKE_BENCH_ACCOUNTS", "1000"))
DAYS = int(os.environ.get("CINELAKE_BENCH_DAYS", "3"))
START = day_of("2026-01-05")


def simulate(spark: SparkSession, folder: Path, accounts: int, days: int = DAYS) -> int:
    delivery = Delivery(spark, str(folder))
    assert delivery.manifest() is None
    return int(deliver(delivery, new_service(Settings(), accounts, START, days), days)["landed"])


@pytest.mark.timeout(3600)
def test_simulating_costs_at_most_five_copies(spark: SparkSession, tmp_path: Path) -> None:
    numbers = itertools.count()
    lines = simulate(spark, tmp_path / "service", ACCOUNTS)

    def copying() -> None:
        text = spark.read.option("recursiveFileLookup", "true").text(
            str(tmp_path / "service/landing")
        )
        text.write.option("compression", "gzip").text(str(tmp_path / f"copy-{next(numbers)}"))

    def simulating() -> None:
        simulate(spark, tmp_path / f"service-{next(numbers)}", ACCOUNTS)

    copied, simulated = in_turn(copying, simulating, repetitions=3)
    ratio = copied.median / simulated.median
    print(
        f"\n{lines:,} lines of {ACCOUNTS:,} accounts, {DAYS} days"
        f"\n  copied:    {copied}, {lines / copied.median:,.0f} lines/s"
        f"\n  simulated: {simulated}, {lines / simulated.median:,.0f} lines/s, {ratio:.2f} of the copy's"
    )
    assert ratio >= 0.2


@pytest.mark.timeout(3600)
def test_ten_times_the_accounts_take_at_most_twelve_times_as_long(
    spark: SparkSession, tmp_path: Path
) -> None:
    numbers = itertools.count()

    def simulating(accounts: int) -> None:
        simulate(spark, tmp_path / f"service-{next(numbers)}", accounts, days=1)

    [small] = in_turn(lambda: simulating(ACCOUNTS), repetitions=2)
    before = driver_megabytes(spark)
    [large] = in_turn(lambda: simulating(10 * ACCOUNTS), repetitions=1, warm_up=0)
    after = driver_megabytes(spark)
    growth = large.median / small.median
    print(
        f"\n{ACCOUNTS:,} accounts: {small}; {10 * ACCOUNTS:,}: {large}; {growth:.1f} times as long"
        f"\n  driver: Python {before[0]:.0f} → {after[0]:.0f} MB at most, Java {before[1]:.0f} → {after[1]:.0f} MB live"
    )
    assert growth <= 12
    # Nothing but the books of Spark's own tasks may stay.
    assert after[0] < before[0] + 50
    assert after[1] < before[1] + 100


def driver_megabytes(spark: SparkSession) -> tuple[float, float]:
    """Most that the Python driver ever had, and what the Java heap holds after a collection."""
    runtime = spark._jvm.java.lang.Runtime.getRuntime()
    runtime.gc()
    live = (runtime.totalMemory() - runtime.freeMemory()) / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, live
