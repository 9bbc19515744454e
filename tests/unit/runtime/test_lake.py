"""Jobs that run side by side share a lake, and take turns at its tables."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from cinelake.runtime import lake as module
from cinelake.runtime.lake import Lake
from cinelake.tables.contract import Table
from cinelake.tables.system import QUARANTINE


def test_a_table_that_several_jobs_need_first_is_made_once(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow_lock() -> threading._RLock:
        time.sleep(0.05)
        return threading.RLock()

    made: list[str] = []

    def slow_make(_: Lake, table: Table) -> None:
        made.append(table.name)
        time.sleep(0.05)

    monkeypatch.setattr(module, "RLock", slow_lock)
    monkeypatch.setattr(Lake, "exists", lambda *_: False)
    monkeypatch.setattr(Lake, "_make", slow_make)
    lake, together = Lake(spark, str(tmp_path)), threading.Barrier(4)

    def need(_: int) -> None:
        together.wait(timeout=30)
        lake.create(QUARANTINE)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(need, range(4)))
    assert made == ["quarantine"]
