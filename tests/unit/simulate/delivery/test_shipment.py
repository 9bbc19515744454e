"""What becomes of records on their way: everything lands once, but for what the truth counts."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from cinelake.simulate.delivery.settings import DeliverySettings
from cinelake.simulate.delivery.shipment import (
    AGAIN,
    LANDING,
    Shipment,
    Window,
    deliver,
    source_word,
    uncommon_hours,
)
from cinelake.simulate.trace import DAY, HOUR, Records, ids

SEED = 7
UNCOMMON = ("silent_hour", "repeated_file")
START = 1_767_225_600_000_000
ROWS = 4000
FAULTLESS = DeliverySettings(
    **{name: 0 for name in DeliverySettings.model_fields if name.endswith("_share")}
)
ALL = Window(START - 10 * DAY, START + 20 * DAY)


def records(source: str = "heartbeats", rows: int = ROWS) -> Records:
    every = np.arange(rows)
    payload = {
        "device_id": ids(SEED, "device", every % 50),
        "event": pa.array(np.where(every % 20 == 0, "stop", "seek")),
        "position_s": pa.array(every * 0.5),
    }
    return Records(source, every // 100, START + every * (2 * DAY // rows), every, payload)


def lines(shipment: Shipment, area: str = LANDING) -> list[bytes]:
    blocks = shipment.blocks.to_pylist()
    return [line for b in blocks if b["area"] == area for line in b["text"].split(b"\n")]


def counts(shipment: Shipment) -> Counter[str]:
    found: Counter[str] = Counter()
    for row in shipment.counts.to_pylist():
        found[row["kind"]] += row["records"]
    return found


def sent(window: Window = ALL, given: Records | None = None, **settings: Any) -> Shipment:
    wanted = FAULTLESS.model_copy(update=settings)
    return deliver(given or records(), 1, window, wanted, SEED)


def test_without_faults_every_record_lands_once_in_its_hour_of_receipt() -> None:
    shipment = sent()
    read = [json.loads(line) for line in lines(shipment)]
    assert len(read) == ROWS
    assert len({record["event_id"] for record in read}) == ROWS
    assert all(record["received_at"] > record["event_time"] for record in read)
    assert shipment.faults.num_rows == 0
    assert counts(shipment) == {"landed": ROWS}
    for block in shipment.blocks.to_pylist():
        for line in block["text"].split(b"\n"):
            assert json.loads(line)["received_at"][:13] == f"{block['date']}T{block['hour']}"


def test_any_split_gives_the_same_lines() -> None:
    given, settings = records(), DeliverySettings()
    whole = lines(deliver(given, 1, ALL, settings, SEED))
    parts = [given.take(np.arange(n, ROWS, 3)) for n in range(3)]
    split = [line for part in parts for line in lines(deliver(part, 1, ALL, settings, SEED))]
    assert sorted(split) == sorted(whole)


def test_windows_that_follow_each_other_hold_every_line_once() -> None:
    settings = DeliverySettings(offline_share=0.1, silent_hour_share=0.2, late_share=0.1)
    whole = lines(deliver(records(), 1, ALL, settings, SEED))
    edges = [ALL.start, START + HOUR, START + DAY, START + 3 * DAY, ALL.end]
    parts = [
        line
        for start, end in pairwise(edges)
        for line in lines(deliver(records(), 1, Window(start, end), settings, SEED))
    ]
    assert sorted(parts) == sorted(whole)


def test_duplicates_carry_the_same_event_id_and_another_receipt() -> None:
    shipment = sent(duplicate_share=0.1)
    read = [json.loads(line) for line in lines(shipment)]
    seen = Counter(record["event_id"] for record in read)
    twice = {event for event, times in seen.items() if times == 2}
    assert counts(shipment)["duplicate"] == len(twice) == pytest.approx(400, rel=0.2)
    assert set(shipment.faults["event_id"].to_pylist()) == twice
    assert len({(r["event_id"], r["received_at"]) for r in read}) == len(read)


def test_damaged_lines_are_damaged_as_the_truth_says() -> None:
    share = 0.05
    shipment = sent(
        malformed_share=share,
        wrong_type_share=share,
        absurd_value_share=share,
        unknown_field_share=share,
    )
    kinds = dict(
        zip(
            shipment.faults["event_id"].to_pylist(),
            shipment.faults["kind"].to_pylist(),
            strict=True,
        )
    )
    arrived = lines(shipment)
    assert len(arrived) == ROWS
    readable = {}
    for line in arrived:
        try:
            record = json.loads(line)
        except (ValueError, UnicodeDecodeError):
            continue
        if isinstance(record, dict) and "event_id" in record:
            readable[record["event_id"]] = record
    assert len(arrived) - len(readable) >= 0.9 * counts(shipment)["malformed"] > 100
    for event, kind in kinds.items():
        record = readable.get(event, {})
        if kind == "wrong_type":
            types = {name: type(value) for name, value in record.items()}
            good = types["position_s"] in (int, float) and types["device_id"] is str
            assert not good or types["event"] is not str
        elif kind == "unknown_field":
            assert set(record) & {"experiment", "_debug"}
        elif kind == "absurd_value":
            assert record["position_s"] in (-1, -987_654_321, 2_147_483_647)


def test_stops_go_missing_and_the_truth_names_them() -> None:
    shipment = sent(given=records("playback"), missing_stop_share=0.5)
    missing = counts(shipment)["missing_stop"]
    assert missing == shipment.faults.num_rows == pytest.approx(100, rel=0.3)
    assert len(lines(shipment)) == ROWS - missing


def test_nothing_is_received_in_a_silent_hour_and_nothing_is_lost() -> None:
    shipment = sent(silent_hour_share=0.4)
    hours = {(b["date"], b["hour"]) for b in shipment.blocks.to_pylist()}
    assert len(hours) < 40
    assert len(lines(shipment)) == ROWS
    assert counts(shipment)["silent_hour"] > 1000


def test_a_file_that_is_delivered_twice_lands_twice() -> None:
    shipment = sent(repeated_file_share=0.2)
    again = lines(shipment, AGAIN)
    assert set(again) < set(lines(shipment))
    assert counts(shipment) == {"landed": ROWS + len(again), "repeated_file": len(again)}
    assert again


def test_a_wrong_clock_is_the_device_s_and_no_receipt_moves() -> None:
    right = {json.loads(line)["event_id"]: json.loads(line) for line in lines(sent())}
    shipment = sent(skewed_share=0.3, absurd_clock_share=0.1)
    wrong = [json.loads(line) for line in lines(shipment)]
    moved = {r["device_id"] for r in wrong if r["event_time"] != right[r["event_id"]]["event_time"]}
    still = {r["device_id"] for r in wrong if r["event_time"] == right[r["event_id"]]["event_time"]}
    assert moved
    assert not moved & still
    assert all(r["received_at"] == right[r["event_id"]]["received_at"] for r in wrong)
    found = counts(shipment)
    assert found["skewed_clock"] + found["absurd_clock"] == sum(
        r["device_id"] in moved for r in wrong
    )


def test_an_offline_client_sends_everything_when_it_is_back() -> None:
    shipment = sent(offline_share=0.5)
    late = [row for row in shipment.faults.to_pylist() if row["kind"] == "offline"]
    assert counts(shipment)["offline"] == len(late) > 100
    waits = [(row["received_at"] - row["happened_at"]).total_seconds() for row in late]
    assert 600 < max(waits) < 49 * 3600
    assert len(lines(shipment)) == ROWS


def test_what_is_received_after_something_later_of_its_account_is_out_of_order() -> None:
    given = records(rows=400)
    # Ten records of an account at each moment, half a second apart from the next.
    given = replace(given, happened=START + np.arange(400) % 100 // 10 * 500_000)
    shipment = sent(given=given, late_share=0.02)
    read = [json.loads(line) for line in lines(shipment)]
    number = {event: n for n, event in enumerate(event_ids(given))}
    overtaken = 0
    for one in read:
        overtaken += any(
            number[one["event_id"]] // 100 == number[other["event_id"]] // 100
            and other["event_time"] > one["event_time"]
            and other["received_at"] < one["received_at"]
            for other in read
        )
    assert counts(shipment)["out_of_order"] == overtaken > 40


def event_ids(given: Records) -> list[str]:
    source = np.array(source_word(given.source))
    found: list[str] = ids(SEED, "event", source, given.account, given.order).to_pylist()
    return found


def test_the_truth_names_hours_without_files_and_those_whose_file_comes_twice() -> None:
    settings = FAULTLESS.model_copy(update={"silent_hour_share": 0.2, "repeated_file_share": 0.2})
    window = Window(START, START + 2 * DAY)
    shipment = deliver(records(), 1, window, settings, SEED)
    told = uncommon_hours(["heartbeats"], window, settings, SEED).to_pylist()
    hours = {
        kind: {r["hour_at"].strftime("%F %H") for r in told if r["kind"] == kind}
        for kind in UNCOMMON
    }
    landed = shipment.blocks.to_pylist()
    filled = {
        area: {f"{b['date']} {b['hour']}" for b in landed if b["area"] == area}
        for area in (LANDING, AGAIN)
    }
    assert hours["silent_hour"]
    assert not hours["silent_hour"] & filled[LANDING]
    assert hours["repeated_file"] & filled[LANDING] == filled[AGAIN]
