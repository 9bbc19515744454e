"""Deliveries are made whole or not at all, one file an hour and source, the truth apart."""

from __future__ import annotations

import base64
import gzip
import json
import os
import signal
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from cinelake.runtime.intake import deliveries
from cinelake.runtime.intake.deliveries import Delivery, DeliveryRefused

SCHEMA = "area string, source string, date string, hour string, text binary"


def table(**columns: Any) -> bytes:
    rows = pa.table(columns)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema) as stream:
        stream.write_table(rows)
    return base64.b64encode(sink.getvalue())


def blocks(spark: SparkSession, rows: Iterable[tuple[Any, ...]]) -> DataFrame:
    return spark.createDataFrame([(*row[:4], bytearray(row[4])) for row in rows], SCHEMA)


ROWS = [
    ("landing", "plays", "2026-01-01", "05", b'{"a":1}\n{"a":2}'),
    ("landing", "plays", "2026-01-01", "05", b'{"a":\xff}'),
    ("landing", "plays", "2026-01-01", "06", b'{"a":4}'),
    ("landing", "titles", "2026-01-02", "00", b'{"t":1}'),
    ("again", "plays", "2026-01-01", "06", b'{"a":4}'),
    ("truth", "counts", "-", "-", table(kind=["late", "late"], records=[1, 2])),
    ("truth", "counts", "-", "-", table(kind=["late"], records=[4])),
    ("whole", "empty", "-", "-", table(kind=pa.array([], pa.string()))),
]
TOTALS = {"counts": lambda frame: frame.groupBy("kind").agg(F.sum("records").alias("records"))}


@pytest.fixture
def delivery(spark: SparkSession, tmp_path: Path) -> Delivery:
    return Delivery(spark, str(tmp_path / "service"))


def landed(delivery: Delivery) -> dict[str, list[list[bytes]]]:
    root = Path(delivery.landing)
    found: dict[str, list[list[bytes]]] = {}
    for path in sorted(root.rglob("*.jsonl.gz")):
        lines = gzip.decompress(path.read_bytes()).splitlines()
        found.setdefault(str(path.parent.relative_to(root)), []).append(sorted(lines))
    return found


def test_blocks_become_one_file_an_hour_and_source(spark: SparkSession, delivery: Delivery) -> None:
    assert delivery.manifest() is None
    delivery.write(blocks(spark, ROWS), TOTALS, {"end": "2026-01-03"}, 0)
    assert landed(delivery) == {
        "plays/date=2026-01-01/hour=05": [[b'{"a":1}', b'{"a":2}', b'{"a":\xff}']],
        "plays/date=2026-01-01/hour=06": [[b'{"a":4}'], [b'{"a":4}']],
        "titles/date=2026-01-02/hour=00": [[b'{"t":1}']],
    }
    assert [tuple(row) for row in delivery.table("counts").collect()] == [("late", 7)]
    assert delivery.table("empty").columns == ["kind"]
    assert delivery.manifest() == {"end": "2026-01-03"}
    assert sorted(p.name for p in Path(delivery.folder).iterdir()) == [
        "delivery.json",
        "landing",
        "truth",
    ]


def test_a_second_delivery_adds_to_truth_and_replaces_what_is_told_whole(
    spark: SparkSession, delivery: Delivery
) -> None:
    for day in (1, 2):
        rows = [
            ("landing", "plays", f"2026-01-0{day}", "05", b"{}"),
            ("truth", "plays", "-", "-", table(day=[day])),
            ("whole", "accounts", "-", "-", table(until=[day])),
        ]
        delivery.write(blocks(spark, rows), {}, {"end": day}, 0)
    assert sorted(row[0] for row in delivery.table("plays").collect()) == [1, 2]
    assert [row[0] for row in delivery.table("accounts").collect()] == [2]
    assert len(landed(delivery)) == 2


def test_a_kill_before_the_end_leaves_nothing_and_one_after_is_made_good(
    spark: SparkSession, delivery: Delivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    class KilledError(Exception):
        pass

    def die(*_: object) -> None:
        raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr(deliveries.Storage, "put", die)
        with pytest.raises(KilledError):
            delivery.write(blocks(spark, ROWS), TOTALS, {"end": "2026-01-03"}, 0)
    assert not Path(delivery.landing).exists()
    assert delivery.manifest() is None
    assert list(Path(delivery.folder).iterdir()) == []

    moved = []
    move = deliveries.Storage.move

    def two_moves(storage: Any, path: str, target: str) -> None:
        if not target.endswith("delivery.json"):
            moved.append(target)
            if len(moved) > 2:
                raise KilledError
        move(storage, path, target)

    with monkeypatch.context() as patch:
        patch.setattr(deliveries.Storage, "move", two_moves)
        with pytest.raises(KilledError):
            delivery.write(blocks(spark, ROWS), TOTALS, {"end": "2026-01-03"}, 0)
    assert len(landed(delivery)) == 2
    assert delivery.manifest() == {"end": "2026-01-03"}
    assert sum(len(lines) for files in landed(delivery).values() for lines in files) == 6


@pytest.mark.parametrize(
    "number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.thorough)]
)
def test_whoever_interrupts_finds_the_folder_as_it_was(
    spark: SparkSession, delivery: Delivery, number: signal.Signals
) -> None:
    def slowly(batches: Iterable[pa.RecordBatch]) -> Iterable[pa.RecordBatch]:
        time.sleep(60)
        return batches

    slow = blocks(spark, ROWS).mapInArrow(slowly, SCHEMA)
    handler = signal.getsignal(number)
    alarm = threading.Timer(2, lambda: os.kill(os.getpid(), number))
    alarm.start()
    with pytest.raises(KeyboardInterrupt):
        delivery.write(slow, TOTALS, {"end": "2026-01-03"}, 0)
    assert signal.getsignal(number) is handler
    assert not Path(delivery.folder).exists() or list(Path(delivery.folder).iterdir()) == []


@pytest.mark.thorough
def test_what_fails_leaves_nothing_behind(spark: SparkSession, delivery: Delivery) -> None:
    broken = [*ROWS, ("truth", "counts", "-", "-", b"no Arrow stream")]
    with pytest.raises(Exception, match="no Arrow stream|Incorrect padding|Invalid|Error"):
        delivery.write(blocks(spark, broken), TOTALS, {"end": "2026-01-03"}, 0)
    assert list(Path(delivery.folder).iterdir()) == []


def test_a_folder_that_holds_something_else_is_refused(delivery: Delivery) -> None:
    Path(delivery.folder).mkdir()
    (Path(delivery.folder) / "thesis.doc").write_text("")
    with pytest.raises(DeliveryRefused, match="not empty"):
        delivery.manifest()


def test_what_was_delivered_is_told(delivery: Delivery) -> None:
    Path(delivery.folder).mkdir()
    (Path(delivery.folder) / "delivery.json").write_text(json.dumps({"end": "x"}))
    assert delivery.manifest() == {"end": "x"}
