"""Nothing of people leaves bronze in a simulated lake, and what is planted anywhere is found, without being shown."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest
import typer
from conftest import Silent, make_settings
from pydantic import SecretStr
from pyspark.sql import SparkSession
from typer.testing import CliRunner

from cinelake.privacy.commands import register, scan
from cinelake.runtime.delta.commits import Note
from cinelake.runtime.intake.deliveries import Delivery
from cinelake.runtime.runs.graph import Graph
from cinelake.runtime.runs.pipeline import Request
from cinelake.runtime.windows import Window
from cinelake.runtime.workspace import Workspace
from cinelake.simulate.commands import day, deliver, new_service
from cinelake.simulate.settings import Settings
from cinelake.sources.accounts import ACCOUNTS_SOURCE
from cinelake.sources.bronze import payload
from cinelake.sources.log_ins import LOG_INS_SOURCE
from cinelake.tables.ingest import BRONZE_ACCOUNTS, BRONZE_LOG_INS
from cinelake.tables.recommend import TITLE_INDEX

JOBS_FOLDER = Path(__file__).parents[2] / "jobs"
START = day("2026-01-05")
SIMULATED = Settings.model_validate(
    {"world": {"titles": 120, "markets": ["US", "DE"], "reference": START}}
)
SOURCES = ("accounts", "profiles", "devices", "titles", "log_ins", "ratings")
NOTE = Note(run="planted", job="planted", code="0", action="append")


@pytest.fixture(scope="module")
def workspace(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    root = tmp_path_factory.mktemp("leaks")
    delivery = Delivery(spark, str(root / "service"))
    deliver(delivery, new_service(SIMULATED, 20, START, 3), 3, 2)
    settings = make_settings(root / "lake")
    secret = SecretStr("known to all who read tests, " * 2)
    settings = settings.model_copy(
        update={
            "lake": settings.lake.model_copy(update={"landing": delivery.landing}),
            "secrets": settings.secrets.model_copy(update={"pseudonym_key": secret}),
        }
    )
    workspace = Workspace(settings, spark, JOBS_FOLDER)
    names = {f"ingest_{source}" for source in SOURCES} | {f"build_{s}" for s in SOURCES}
    graph = Graph(tuple(job for job in workspace.graph.jobs if job.name in names))
    summary = workspace.pipeline(graph).run(Request(), Silent())
    assert summary.succeeded
    return workspace


def one(workspace: Workspace, what: str) -> str:
    """Something personal, as bronze holds it."""
    table, source = (
        (BRONZE_LOG_INS, LOG_INS_SOURCE) if what == "ip" else (BRONZE_ACCOUNTS, ACCOUNTS_SOURCE)
    )
    told = payload(workspace.lake.read(table), source, what)
    row = told.where(f"{what} IS NOT NULL").orderBy(what).first()
    assert row is not None
    return str(row[what])


@pytest.mark.thorough
@pytest.mark.timeout(900)
def test_a_simulated_lake_is_clean_and_each_planted_value_is_found(
    workspace: Workspace, tmp_path: Path
) -> None:
    log = tmp_path / "run.log"
    log.write_text("2026-01-05 all went well\n")
    assert scan(workspace, [str(tmp_path)]) == []

    mail, holder, account = (one(workspace, what) for what in ("mail", "name", "account_id"))
    log.write_text(f"2026-01-05 refused <{one(workspace, 'ip')}>:443, try again\n")
    tags = {"asked": f"for {mail}, by telephone"}
    window = Window(date(2026, 1, 5), date(2026, 1, 6))
    workspace.tracking.start("planted", "planted", window, "planted", tags).finish()
    lake = workspace.lake
    lake.create(TITLE_INDEX)
    # By its contract the table keeps no statistics of texts; somebody has changed that.
    lake.spark.sql(
        f"ALTER TABLE {lake.identifier(TITLE_INDEX)} "
        "SET TBLPROPERTIES ('delta.dataSkippingStatsColumns' = 'title_id')"
    )
    rows = [(holder, 900001, START), (f"title of {account}", 900002, START)]
    lake.append(TITLE_INDEX, lake.spark.createDataFrame(rows, TITLE_INDEX.schema), NOTE)

    app = typer.Typer()
    app.callback()(lambda: None)
    register(app, lambda: workspace)
    answer = CliRunner().invoke(app, ["leaks", "--logs", str(tmp_path)])
    assert answer.exit_code == 1, answer.output
    for value in (mail, holder, account):
        assert value not in answer.output
    found = json.loads(answer.stdout.strip().splitlines()[-1])["leaks"]
    assert {(find["place"], find["kind"]) for find in found} == {
        ("title_index.title_id", "name"),
        ("title_index.title_id", "account id"),
        ("title_index: Delta log", "name"),
        ("title_index: Delta log", "account id"),
        ("MLflow planted: tags", "mail address"),
        (str(tmp_path), "IP address"),
    }
