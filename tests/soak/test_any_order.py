"""Whatever comes first, twice or late, and in whatever steps it is computed: the same silver and gold."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

import pytest
from conftest import Silent, make_settings
from pydantic import SecretStr
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from cinelake.runtime.intake.deliveries import Delivery
from cinelake.runtime.job import AnyJob
from cinelake.runtime.runs.graph import Graph
from cinelake.runtime.runs.pipeline import Request, Summary
from cinelake.runtime.windows import Window
from cinelake.runtime.workspace import Workspace
from cinelake.simulate.commands import day, deliver, new_service
from cinelake.simulate.settings import Settings
from cinelake.tables.catalog import all_tables
from cinelake.tables.contract import Kind, Layer, Model

JOBS_FOLDER = Path(__file__).parents[2] / "jobs"
# Four weeks: `DAYS` makes it fewer.
START, DAYS = day("2026-01-05"), int(os.environ.get("DAYS", "28"))
ACCOUNTS = 6
SIMULATED = Settings.model_validate(
    {"world": {"titles": 60, "markets": ["US", "DE"], "reference": START}}
)
# Those whose rows follow from what landed and from nothing else, but for the jobs there that a model is behind: what
# that has learned depends on when.
AREAS = ("ingest", "behaviour", "integrity", "qoe")
# Of a kind each: a stream of records, change rows, and what is given rarely.
LATE = ("playback", "heartbeats", "interactions", "titles", "log_ins")


@dataclass
class Service:
    """A lake whose landing files come as a test wants it."""

    spark: SparkSession
    root: Path
    delivered: Path
    workspace: Workspace = field(init=False)

    def __post_init__(self) -> None:
        settings = make_settings(self.root / "lake")
        secret = SecretStr("known to all who read tests, " * 2)
        settings = settings.model_copy(
            update={
                "lake": settings.lake.model_copy(update={"landing": str(self.root / "landing")}),
                "secrets": settings.secrets.model_copy(update={"pseudonym_key": secret}),
            }
        )
        self.workspace = Workspace(settings, self.spark, JOBS_FOLDER)

    def land(self, files: list[Path], prefix: str = "") -> None:
        """Bring landing files in, under names that begin otherwise."""
        for file in files:
            target = self.root / "landing" / file.relative_to(self.delivered)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, target.with_name(prefix + file.name))

    def run(self, window: Window | None = None) -> Summary:
        graph = following(self.workspace.graph)
        summary = self.workspace.pipeline(graph).run(Request(window=window), Silent())
        assert summary.succeeded, summary.to_json()
        return summary

    def content(self) -> dict[str, list[str]]:
        """Silver and gold, in a form to compare."""
        lake = self.workspace.lake
        tables = [
            table
            for table in all_tables().values()
            if table.kind is Kind.MANAGED and table.layer in (Layer.SILVER, Layer.GOLD)
        ]
        found = {}
        for table in tables:
            doubles = [c.name for c in table.columns if c.type.simpleString() == "double"]
            shown = [
                F.format_string("%.8e", name).alias(name) if name in doubles else F.col(name)
                for name in table.names
            ]
            rows = lake.read(table).select(F.to_json(F.struct(*shown)).alias("row"))
            found[table.name] = sorted(row["row"] for row in rows.toArrow().to_pylist())
        return {name: rows for name, rows in found.items() if rows}


def following(graph: Graph) -> Graph:
    """The jobs of `AREAS` that neither a model nor a job left out is behind."""
    left_out, kept = set[str](), list[AnyJob]()
    for job in graph.order:
        touched = (*job.writes, *(reading.source for reading in job.reads))
        has_model = any(isinstance(one, Model) for one in touched)
        if job.area in AREAS and not has_model and left_out.isdisjoint(job.inputs):
            kept.append(job)
        else:
            left_out.update(output.name for output in job.writes)
    return Graph(tuple(kept))


@pytest.fixture(scope="module")
def delivered(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    delivery = Delivery(spark, str(tmp_path_factory.mktemp("delivered") / "service"))
    deliver(delivery, new_service(SIMULATED, ACCOUNTS, START, DAYS), DAYS, 2)
    return Path(delivery.landing)


@pytest.fixture(scope="module")
def at_once(
    spark: SparkSession, delivered: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, list[str]]:
    """All that was delivered, taken in and computed in one run."""
    service = Service(spark, tmp_path_factory.mktemp("at-once"), delivered)
    service.land(landed(delivered))
    service.run()
    found = service.content()
    assert {"viewing_sessions", "interactions", "searches", "log_ins", "titles"} <= found.keys()
    assert {"title_signals", "title_days", "taste_days", "profile_days"} <= found.keys()
    assert {"qoe_cells", "account_parties"} <= found.keys()
    return found


def landed(delivered: Path) -> list[Path]:
    return sorted(delivered.rglob("*.jsonl.gz"))


def on(files: list[Path], when: date) -> list[Path]:
    return [file for file in files if f"date={when}" in file.parts]


def differing(one: dict[str, list[str]], other: dict[str, list[str]]) -> dict[str, list[str]]:
    """Of each table that differs, some rows that only one has."""
    names = sorted(one.keys() | other.keys())
    apart = {n: sorted(set(one.get(n, [])) ^ set(other.get(n, [])))[:4] for n in names}
    return {name: rows for name, rows in apart.items() if rows or one.get(name) != other.get(name)}


def test_files_in_any_order_twice_or_late_give_the_same_tables(
    spark: SparkSession, delivered: Path, at_once: dict[str, list[str]], tmp_path: Path
) -> None:
    service = Service(spark, tmp_path, delivered)
    files = landed(delivered)
    noon = [f for f in files if "hour=18" in f.parts and f.relative_to(delivered).parts[0] in LATE]
    assert noon
    in_time = [file for file in files if file not in set(noon)]
    last = START + timedelta(days=DAYS - 1)
    # The newest day first, then those before it, half of them twice; last what was held up.
    service.land(on(in_time, last))
    service.run()
    earlier = [file for file in in_time if file not in set(on(in_time, last))]
    service.land(earlier)
    service.land(earlier[::2], "again-of-")
    service.run()
    service.land(noon)
    service.run()
    assert differing(at_once, service.content()) == {}

    # Nothing but copies: their days are looked at, turn out the same, and nothing that builds on them runs.
    service.land(on([f for f in noon if "heartbeats" in f.parts], START), "once-more-")
    summary = service.run()
    ran = {report.job for report in summary.reports if report.windows}
    assert ran == {"build_viewing_sessions", "build_qoe_sessions"}
    assert not any(report.changed for report in summary.reports if report.windows)


def test_days_one_by_one_give_the_tables_of_one_run(
    spark: SparkSession, delivered: Path, at_once: dict[str, list[str]], tmp_path: Path
) -> None:
    service = Service(spark, tmp_path, delivered)
    for n in range(DAYS + 1):
        service.land(on(landed(delivered), START + timedelta(days=n)))
        service.run()
    assert differing(at_once, service.content()) == {}


def test_a_backfill_from_the_last_day_to_the_first_gives_the_tables_of_one_run(
    spark: SparkSession, delivered: Path, at_once: dict[str, list[str]], tmp_path: Path
) -> None:
    service = Service(spark, tmp_path, delivered)
    service.land(landed(delivered))
    # The last day of receipt is not complete, and is refused.
    for n in reversed(range(DAYS - 1)):
        service.run(Window.of_day(START + timedelta(days=n)))
    # What a day computed before its predecessor was there has become stale.
    service.run()
    assert differing(at_once, service.content()) == {}
