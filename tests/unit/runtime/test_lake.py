"""Jobs that run side by side share a lake and take turns at its tables; streams follow them and mend their rows."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from pyspark.sql.types import DateType, LongType, StringType

from cinelake.runtime.delta import lake as module
from cinelake.runtime.delta.commits import Note
from cinelake.runtime.delta.lake import Lake
from cinelake.runtime.delta.staging import KEPT
from cinelake.tables.contract import Column, Kind, Layer, Partition, Table
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


COUNTS = Table(
    name="counts",
    area="test",
    layer=Layer.GOLD,
    kind=Kind.LIVE,
    grain="one thing and day",
    columns=(
        Column("thing", StringType(), "What", required=True),
        Column("day", DateType(), "When", required=True),
        Column("number", LongType(), "How often", required=True),
    ),
    key=("thing", "day"),
    window="day",
    partition=Partition.DAY,
)
NOTE = Note(run="r", job="test", code="0", action="live")
FIRST, SECOND = date(2020, 5, 1), date(2020, 5, 2)


@pytest.mark.thorough
def test_what_a_stream_says_again_takes_the_place_of_what_it_said(
    spark: SparkSession, tmp_path: Path
) -> None:
    lake = Lake(spark, str(tmp_path))

    def say(*rows: tuple[str, date, int, bool]) -> None:
        frame = spark.createDataFrame(rows, "thing string, day date, number long, gone boolean")
        lake.upsert(COUNTS, frame, NOTE, days=sorted({row[1] for row in rows}), gone="gone")

    say(("a", FIRST, 1, False), ("b", FIRST, 1, False), ("c", SECOND, 1, False))
    # One is mended, one was wrong, one was never said, and one is new; said twice, it is as once.
    for _ in range(2):
        say(
            ("a", FIRST, 2, False),
            ("b", FIRST, 0, True),
            ("d", FIRST, 0, True),
            ("e", FIRST, 5, False),
        )
    found = lake.read(COUNTS).orderBy("thing").collect()
    assert [tuple(row) for row in found] == [("a", FIRST, 2), ("c", SECOND, 1), ("e", FIRST, 5)]


@pytest.mark.thorough
def test_a_followed_table_tells_what_is_there_and_what_comes_once(
    spark: SparkSession, tmp_path: Path
) -> None:
    lake, heard = Lake(spark, str(tmp_path)), list[tuple[str, int]]()

    def listen() -> None:
        def take(batch: object, _: int) -> None:
            heard.extend((row["thing"], row["number"]) for row in batch.collect())  # type: ignore[attr-defined]

        rows = lake.follow(COUNTS)
        lake.stream(rows, f"{lake.root}/check", {"availableNow": True}, take).awaitTermination()

    listen()
    assert heard == []
    for number in (1, 2):
        frame = spark.createDataFrame([("a", FIRST, number)], COUNTS.schema)
        lake.append(COUNTS, frame, NOTE)
        listen()
    # Retention and mending are no news.
    lake.expire(COUNTS, SECOND, NOTE)
    listen()
    assert heard == [("a", 1), ("a", 2)]


def test_what_was_staged_is_found_again_only_if_it_is_whole(
    spark: SparkSession, tmp_path: Path
) -> None:
    lake = Lake(spark, str(tmp_path))
    assert lake.staging.get("x/1", COUNTS.schema) is None
    lake.staging.put(spark.createDataFrame([("a", FIRST, 1)], COUNTS.schema), "x/1")
    found = lake.staging.get("x/1", COUNTS.schema)
    assert found is not None
    assert [row["number"] for row in found.collect()] == [1]
    (tmp_path / "staging" / "x" / "1" / "_SUCCESS").unlink()
    assert lake.staging.get("x/1", COUNTS.schema) is None


def test_what_is_staged_for_more_than_one_run_is_nothing_that_a_run_left(
    spark: SparkSession, tmp_path: Path
) -> None:
    lake = Lake(spark, str(tmp_path))
    one = spark.createDataFrame([("a", FIRST, 1)], COUNTS.schema)
    lake.staging.put(one, "x/1")
    lake.staging.put(one, f"{KEPT}/watch/2026-01-01/3")
    assert lake.staging.of_runs() == ["x"]
    assert lake.staging.get(f"{KEPT}/watch/2026-01-01/3", COUNTS.schema) is not None
    lake.staging.remove(f"{KEPT}/watch/2026-01-01")
    assert lake.staging.get(f"{KEPT}/watch/2026-01-01/3", COUNTS.schema) is None
