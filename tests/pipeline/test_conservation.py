"""What landed is bronze or quarantined, what is bronze is silver or set apart: as many as the simulator says."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from pyspark.sql import functions as F

from cinelake.runtime.delta.lake import Lake
from cinelake.runtime.intake.deliveries import Delivery
from cinelake.runtime.job import Ingest, IngestRun
from cinelake.runtime.runs.conservation import Balance, summed
from cinelake.runtime.runs.graph import discover
from cinelake.runtime.runs.ledger import Ledger
from cinelake.runtime.runs.pipeline import Summary
from cinelake.simulate.commands import day, deliver, new_service
from cinelake.simulate.settings import Settings
from cinelake.sources.bronze import bronze_rows
from cinelake.tables.contract import Table

from .conftest import Service
from .test_bad_files import land, packed
from .test_ingestion import INGEST

JOBS = {job.name: job for job in discover(Path(__file__).parents[2] / "jobs")}
# What a simulated service sends, and the silver table that it is accounted for in.
SILVER = {
    "playback": "viewing_sessions",
    "heartbeats": "viewing_sessions",
    "impressions": "interactions",
    "interactions": "interactions",
    "searches": "searches",
    "ratings": "ratings",
    "log_ins": "log_ins",
    "accounts": "accounts",
    "profiles": "profiles",
    "devices": "devices",
    "titles": "titles",
    "availability": "availability",
}
# What there is one balance of, and the sources in it: tiles and acts become rows of one table.
TOGETHER = ("impressions", "interactions")
ACCOUNTED = {f"bronze_{source}": (source,) for source in SILVER if source not in TOGETHER} | {
    " + ".join(f"bronze_{source}" for source in TOGETHER): TOGETHER
}
BRONZE: dict[str, Table] = {source: JOBS[f"ingest_{source}"].writes[0] for source in SILVER}
START = day("2026-01-05")
# Clocks that are right date every event as the truth does; what is impossible depends on the field that it hits.
SETTINGS = Settings.model_validate(
    {
        "world": {"titles": 120, "markets": ["US", "DE"], "reference": START},
        "delivery": {
            "duplicate_share": 0.3,
            "malformed_share": 0.03,
            "wrong_type_share": 0.03,
            "absurd_value_share": 0.0,
            "absurd_clock_share": 0.0,
            "skewed_share": 0.0,
            "repeated_file_share": 0.0,
        },
    }
)


def balances(summary: Summary) -> dict[str, Balance]:
    """By what they account for."""
    assert summary.succeeded
    return {balance.source: balance for balance in summary.balances}


@pytest.mark.thorough
@pytest.mark.timeout(900)
def test_the_balances_are_the_simulators_counts(service: Service, tmp_path: Path) -> None:
    delivery = Delivery(service.spark, str(tmp_path / "service"))
    deliver(delivery, new_service(SETTINGS, 60, START, 3), 3, 2)
    service.lake = Lake(service.spark, str(service.root), landing=delivery.landing)
    names = {f"ingest_{source}" for source in SILVER} | {
        f"build_{name}" for name in SILVER.values()
    }
    service.jobs = tuple(JOBS[name] for name in names)
    summary = service.run()
    drawn = balances(summary)
    told = Counter[tuple[str, str]]()
    for row in delivery.table("fault_counts").collect():
        told[row["source"], row["kind"]] += row["records"]
    assert all(balance.missing == 0 for balance in drawn.values())
    assert set(drawn) == {f"landing/{source}" for source in SILVER} | set(ACCOUNTED)
    assert summary.data_through is not None
    through = summary.data_through[:10]
    copies = Counter[str]()
    for source, table in BRONZE.items():
        balance = drawn[f"landing/{source}"]
        assert balance.given == told[source, "landed"]
        assert balance.kept == service.lake.read(table).count()
        # A malformed line may by luck be a record still, and lose a piece of its id.
        faults = delivery.table("faults").where(F.col("source") == source)
        hit = faults.where("kind = 'malformed'").select("event_id").distinct()
        is_cut = ~F.col("event_id").rlike(r"\A[a-z]-[0-9a-f]{16}\z")
        bronze = service.lake.read(table)
        lucky = bronze.join(hit, "event_id", "left_semi").count() + bronze.where(is_cut).count()
        bad = told[source, "malformed"] + told[source, "wrong_type"]
        assert bad or source != "playback"
        assert sum(balance.turned_away.values()) == bad - lucky
        repeated = f"kind = 'duplicate' AND happened_at < TIMESTAMP'{through}T00:00:00Z'"
        copies[source] = faults.where(repeated).count()
    end = date.fromisoformat(through)
    for name, sources in ACCOUNTED.items():
        inside = [service.lake.read(BRONZE[source], end=end).count() for source in sources]
        assert drawn[name].given == sum(inside)
        assert {drawn[name].table} == {SILVER[source] for source in sources}
        assert drawn[name].turned_away.get("duplicate", 0) == sum(copies[s] for s in sources), name
    stored = summed(b for entry in Ledger(service.lake).entries() for b in entry.balances)
    assert {balance.source: balance for balance in stored} == drawn
    assert json.loads(summary.to_json())["missing"] == 0
    # Nothing landed since, so there is nothing to draw a balance of.
    assert service.run().balances == []


@pytest.mark.thorough
def test_a_job_that_loses_landed_lines_is_found_out(service: Service) -> None:
    assert isinstance(INGEST, Ingest)
    source = INGEST.source

    def careless(run: IngestRun) -> None:
        run.append(bronze_rows(run.landed.where("value NOT LIKE '%\"b\"%'"), source))

    service.jobs = (replace(INGEST, function=careless),)
    land(service, "one.jsonl.gz", packed("a", "b", "c"))
    (balance,) = service.run().balances
    assert (balance.given, balance.kept, balance.missing) == (3, 2, 1)
