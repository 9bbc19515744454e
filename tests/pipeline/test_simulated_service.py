"""A whole delivery of the simulated service: the same whatever the parallelism, and its truth fits what landed."""

from __future__ import annotations

import base64
import gzip
import json
import re
from collections import Counter
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from cinelake.runtime.intake.deliveries import Delivery
from cinelake.simulate.calendar import midnight
from cinelake.simulate.commands import day, deliver, new_service
from cinelake.simulate.delivery.shipment import Window
from cinelake.simulate.service import Order, account_blocks
from cinelake.simulate.settings import Settings
from cinelake.simulate.trace import DAY

pytestmark = pytest.mark.thorough

ACCOUNTS = 24
START = day("2026-01-05")
# Few accounts must do for every kind of fault and misuse.
SETTINGS = Settings.model_validate(
    {
        "world": {"titles": 120, "markets": ["US", "DE"], "reference": START},
        "abuse": {"ex_partner": 0.2, "friends": 0.2, "resale": 0.1, "piracy": 0.05},
        "player": {"incidents_a_day": 8.0},
        "delivery": {
            "duplicate_share": 0.02,
            "late_share": 0.02,
            "malformed_share": 0.01,
            "wrong_type_share": 0.01,
            "unknown_field_share": 0.01,
            "missing_stop_share": 0.2,
            "silent_hour_share": 0.03,
            "repeated_file_share": 0.03,
        },
    }
)


@dataclass(frozen=True)
class Service:
    """Two days one by one in different numbers of tasks, and what one process makes of them in one go."""

    folder: Path
    landed: int
    lines: dict[str, list[bytes]]  # by source/date/hour, sorted
    at_once: dict[str, list[bytes]]
    truth_at_once: dict[str, list[dict[str, Any]]]

    def records(self, source: str) -> list[dict[str, Any]]:
        """The records of a source that can be read."""
        read = []
        for line in chain(
            *(those for at, those in self.lines.items() if at.startswith(f"{source}/"))
        ):
            try:
                record = json.loads(line)
            except ValueError:
                continue
            if isinstance(record, dict) and "event_id" in record:
                read.append(record)
        return read

    def truth(self, table: str) -> list[dict[str, Any]]:
        return rows_of(pq.read_table(self.folder / "truth" / table))


@pytest.fixture(scope="module")
def service(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Service:
    delivery = Delivery(spark, str(tmp_path_factory.mktemp("service")))
    landed = 0
    for days, tasks in ((1, 3), (2, 5)):
        plan = new_service(SETTINGS, ACCOUNTS, START, days)
        landed += deliver(delivery, plan, 1, tasks)["landed"]
    found: dict[str, list[bytes]] = {}
    root = Path(delivery.landing)
    for path in root.rglob("*.jsonl.gz"):
        where = str(path.parent.relative_to(root))
        found.setdefault(where, []).extend(gzip.decompress(path.read_bytes()).splitlines())
    return Service(Path(delivery.folder), landed, in_order(found), *at_once())


def at_once() -> tuple[dict[str, list[bytes]], dict[str, list[dict[str, Any]]]]:
    begin = midnight(START)
    order = Order(SETTINGS, ACCOUNTS, begin, Window(begin, begin + 2 * DAY))
    found: dict[str, list[bytes]] = {}
    truth: dict[str, list[dict[str, Any]]] = {}
    for batch in account_blocks(order, np.arange(-1, ACCOUNTS)):
        for block in batch.to_pylist():
            if block["area"] in {"landing", "again"}:
                where = f"{block['source']}/date={block['date']}/hour={block['hour']}"
                found.setdefault(where, []).extend(block["text"].splitlines())
            else:
                with pa.ipc.open_stream(base64.b64decode(block["text"])) as stream:
                    truth.setdefault(block["source"], []).extend(rows_of(stream.read_all()))
    counts: Counter[tuple[Any, ...]] = Counter()
    for row in truth["fault_counts"]:
        counts[row["source"], row["date"], row["kind"]] += row["records"]
    names = ("source", "date", "kind", "records")
    truth["fault_counts"] = [dict(zip(names, (*key, n), strict=True)) for key, n in counts.items()]
    return in_order(found), truth


def rows_of(table: pa.Table) -> list[dict[str, Any]]:
    """With times as microseconds: Parquet and Arrow name zone and unit differently."""
    for place, field in enumerate(table.schema):
        if pa.types.is_timestamp(field.type):
            moments = table.column(place).cast(pa.timestamp("us", field.type.tz))
            table = table.set_column(place, field.name, moments.cast(pa.int64()))
    rows: list[dict[str, Any]] = table.to_pylist()
    return rows


def in_order(found: dict[str, list[bytes]]) -> dict[str, list[bytes]]:
    return {where: sorted(those) for where, those in sorted(found.items())}


def is_whole(name: Any) -> bool:
    """Whether this is an id; of damaged records ids may be cut, or of a wrong type."""
    return isinstance(name, str) and re.fullmatch(r"[a-z]-[0-9a-f]{16}", name) is not None


def test_days_one_by_one_and_any_parallelism_deliver_the_same_bytes(service: Service) -> None:
    assert service.lines == service.at_once
    assert {path.name for path in (service.folder / "truth").iterdir()} == set(
        service.truth_at_once
    )
    for table, rows in service.truth_at_once.items():
        assert sorted(map(repr, service.truth(table))) == sorted(map(repr, rows)), table


def test_the_truth_counts_every_line(service: Service) -> None:
    landed: Counter[str] = Counter()
    for where, those in service.lines.items():
        landed[where.partition("/")[0]] += len(those)
    told: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    for row in service.truth("fault_counts"):
        kinds[row["kind"]] += row["records"]
        if row["kind"] == "landed":
            told[row["source"]] += row["records"]
    assert landed == told
    assert landed.total() == service.landed
    assert kinds.keys() >= {
        "duplicate", "late", "malformed", "wrong_type", "unknown_field", "missing_stop",
        "silent_hour", "repeated_file", "out_of_order", "across_midnight",
    }  # fmt: skip


def test_no_play_is_an_orphan_either_way(service: Service) -> None:
    landed = {record["play_id"] for record in service.records("playback")}
    landed = {play for play in landed if is_whole(play)}
    told = {row["play_id"] for row in service.truth("plays")}
    assert landed == told
    struck = {name for row in service.truth("plays") for name in row["incident_ids"]}
    assert struck
    assert struck <= {row["incident_id"] for row in service.truth("incidents")}


def test_what_the_truth_says_of_records_holds(service: Service) -> None:
    seen = Counter(
        record["event_id"]
        for source in {where.partition("/")[0] for where in service.lines}
        for record in service.records(source)
    )
    by_kind: dict[str, set[str]] = {}
    for row in service.truth("faults"):
        by_kind.setdefault(row["kind"], set()).add(row["event_id"])
    for kind in ("late", "wrong_type", "unknown_field", "offline"):
        assert by_kind.get(kind, set()) <= seen.keys(), kind
    assert not by_kind["missing_stop"] & seen.keys()
    assert {event for event in by_kind["duplicate"] if seen[event] < 2} <= by_kind["malformed"]


@pytest.mark.parametrize("table", ["accounts", "viewers", "abuse", "confounders"])
def test_whomever_the_truth_speaks_of_landed(service: Service, table: str) -> None:
    text = b"\n".join(line for those in service.lines.values() for line in those)
    rows = service.truth(table)
    assert rows
    orphans = {row["account_id"] for row in rows if row["account_id"].encode() not in text}
    assert not orphans


def test_whoever_landed_is_in_the_truth(service: Service) -> None:
    told = {row["account_id"] for row in service.truth("accounts")}
    titles = {row["title_id"] for row in service.truth("titles")}
    for source in ("accounts", "impressions", "log_ins", "playback", "heartbeats", "ratings"):
        for record in service.records(source):
            account, title = record.get("account_id"), record.get("title_id")
            assert account in told or not is_whole(account), source
            assert title in titles or not is_whole(title), source
