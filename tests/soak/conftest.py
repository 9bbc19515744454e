"""Runs of the real command in processes of their own, on small MovieLens folders and a small simulated service."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import Row, SparkSession
from pyspark.sql import functions as F

from cinelake.runtime.delta.lake import Lake
from cinelake.tables.catalog import all_tables
from cinelake.tables.contract import Kind, Table
from cinelake.tables.system import JOB_RUNS, QUARANTINE

PROJECT = Path(__file__).parents[2]
# Lakes are compared by their pseudonyms, and each would make a secret of its own.
ONE_SECRET = {"CINELAKE_SECRETS__PSEUDONYM_KEY": "a secret for tests that compare lakes"}

# Streams append, `insert_missing` merges, all others replace; none needs a model.
SOME_JOBS = ["run", "--until", "index_ids"]
FILLED = {"bronze_ratings", "ratings", "titles", "title_signals", "profile_index"}
AT_REST = {"up to date", "nothing landed"}

# What MovieLens knows nothing of: devices, players, pages, log-ins, misuse. As little as will do: of misuse and of what
# goes wrong on the way there is more than anywhere.
SIMULATED = """
[world]
titles = 60
markets = ["DE"]

[abuse]
ex_partner = 0.25
friends = 0.25
resale = 0.25
stuffing = 0.25

[player]
heartbeat_s = 60
cdns = ["aurora", "borealis"]
cdn_shares = [0.6, 0.4]

# A day on which hardly anything starts.
[[player.incidents]]
kind = "start_failure"
start = 2026-01-05T08:00:00Z
hours = 12
ramp_minutes = 5
severity = 0.95
cdn = "aurora"

[delivery]
duplicate_share = 0.02
late_share = 0.02
malformed_share = 0.01
wrong_type_share = 0.01
missing_stop_share = 0.2
repeated_file_share = 0.03
"""
ACCOUNTS = 8
# From a Saturday on, with the Monday, for it is then that models are trained; then the day after. One more has landed.
FIRST, MORE, LANDED = ("2026-01-03", "2026-01-06"), ("2026-01-06", "2026-01-07"), 5
OF_ALL_AREAS = {
    "account_parties", "browse_sessions", "cluster_members", "cluster_portraits", "delivery_health", "devices",
    "home_pages", "home_scores", "impossible_journeys", "integrity_cases", "integrity_signals", "interactions",
    "log_in_risks", "profile_days", "qoe_cells", "qoe_rollups", "qoe_sessions", "quarantine", "recommendations",
    "recommender_health", "searches", "shown_tiles", "similar_titles", "stopping_points", "taste_days",
    "title_audiences", "title_exposures", "title_signals", "usage_days", "viewing_sessions", "watch_hours",
}  # fmt: skip
# What suits years and thousands says nothing of three days of eight accounts.
FOR_FEW = {
    "jobs.train_clusters.clusters.numbers": "[2,3]",
    "jobs.train_clusters.clusters.bootstraps": "2",
    "jobs.train_clusters.clusters.days_held_out": "1",
    "jobs.train_integrity_outliers.least_parties": "10",
    "jobs.judge_home.days": "1",
}


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in the ml-latest layout: 80 people, 120 films in four tastes, two years, and a few faults."""
    chance = random.Random(7)
    path = tmp_path_factory.mktemp("data") / "ml-latest-small"
    path.mkdir()
    films = [
        f"{n},Film {n} ({1990 + n % 30}),{['Drama', 'Comedy', 'Horror', 'Sci-Fi'][n % 4]}"
        for n in range(1, 121)
    ]
    (path / "movies.csv").write_text(
        "movieId,title,genres\n" + "\n".join(films) + "\n", encoding="utf-8"
    )
    ratings = ["userId,movieId,rating,timestamp"]
    for user in range(1, 81):
        of_taste = [film for film in range(1, 121) if film % 4 == user % 4]
        others = [film for film in range(1, 121) if film % 4 != user % 4]
        for film in sorted(chance.sample(of_taste, 20) + chance.sample(others, 10)):
            liked = film % 4 == user % 4
            rating = chance.choice([4.0, 4.5, 5.0] if liked else [1.0, 2.0, 3.0, 4.0])
            ratings.append(f"{user},{film},{rating},{1500000000 + chance.randrange(730 * 86400)}")
    ratings += ["1,2", "2,3,9.5,1500000000", "3,99999,4.0,1500000000", "４,5,4.0,1500000000"]
    (path / "ratings.csv").write_text("\n".join(ratings) + "\n", encoding="utf-8")
    (path / "tags.csv").write_text(
        "userId,movieId,tag,timestamp\n1,4,dark,1500000100\n2,8,slow,1500000200\n", encoding="utf-8"
    )
    (path / "links.csv").write_text("movieId,imdbId,tmdbId\n1,0000001,1\n", encoding="utf-8")
    return path


@dataclass(frozen=True)
class Service:
    """A lake, and the command run on it, with settings and surroundings of its own."""

    root: Path
    settings: Mapping[str, str] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)

    def command(self, *words: str, **settings: str) -> subprocess.Popen[str]:
        """Start `cinelake` in a process group of its own."""
        chosen = {
            "lake.root": str(self.root),
            "spark.driver_memory": "2g",
            "spark.shuffle_partitions": "2",
            # What is killed and raced is the same whatever Java makes of the queries, and so it is often.
            "spark.few_rows": "true",
            **self.settings,
            **settings,
        }
        overrides = [word for key, value in chosen.items() for word in ("--set", f"{key}={value}")]
        return subprocess.Popen(
            [str(Path(sys.executable).with_name("cinelake")), *overrides, *words],
            cwd=PROJECT,
            env={**os.environ, **ONE_SECRET, **self.env},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, *words: str, **settings: str) -> dict[str, Any]:
        """Run a command to its end; returns the JSON of its last line."""
        process = self.command(*words, **settings)
        out, err = process.communicate(timeout=1800)
        assert process.returncode == 0, f"{out[-1500:]}\n{err[-3000:]}"
        return json.loads(out.strip().splitlines()[-1])  # type: ignore[no-any-return]

    def killed_after(self, seconds: float, *words: str, **settings: str) -> bool:
        """Start a command and kill it, Java and all, without warning; whether it was still running."""
        process = self.command(*words, **settings)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and process.poll() is None:
            time.sleep(0.02)
        alive = process.poll() is None
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return alive

    def copy_landing(self, other: Service) -> None:
        """Start from the landing files of another lake."""
        shutil.copytree(other.root / "landing", self.root / "landing")

    def content(self, spark: SparkSession) -> dict[str, list[str]]:
        """The rows of every table that jobs write, and what is quarantined, in a form to compare."""
        return content(Lake(spark, str(self.root)))

    def at_rest(self) -> bool:
        """Whether another run of some jobs finds nothing to do."""
        again = self.run(*SOME_JOBS)
        return {job["status"] for job in again["jobs"].values()} <= AT_REST


def content(lake: Lake) -> dict[str, list[str]]:
    """The rows of every table that jobs write, and what is quarantined, in a form to compare."""
    tables = [t for t in all_tables().values() if t.kind is Kind.MANAGED and lake.exists(t)]
    found = {table.name: rows(lake, table) for table in tables}
    published = (
        lake.read(JOB_RUNS)
        .where("status = 'succeeded'")
        .select(F.col("run_id").alias("publication"))
    )
    counted = (
        lake.read(QUARANTINE).join(published, "publication", "left_semi")
        if lake.exists(QUARANTINE)
        else None
    )
    if counted is not None:
        found["quarantine"] = sorted(
            map(str, counted.select("target", "reasons", "file", "line", "raw").collect())
        )
    return found


def rows(lake: Lake, table: Table) -> list[str]:
    """The rows of a table in a form to compare."""
    shown = [
        (
            F.to_json(column.name)
            if column.type.simpleString() == "variant"
            else F.col(column.name)
        ).alias(column.name)
        for column in table.columns
    ]
    return sorted(str(told(row)) for row in lake.read(table).select(*shown).collect())


def told(value: Any) -> Any:
    """A value in a form to compare: doubles, in lists and structures too, are equal to one part in 1e9.

    Sums come out otherwise in their last digit with every way to share the work; the lists are compared at one model
    version.
    """
    match value:
        case float():
            return f"{value:.8e}"
        case Row():
            return {name: told(each) for name, each in value.asDict().items()}
        case list():
            return [told(each) for each in value]
        case dict():
            return {key: told(each) for key, each in value.items()}
    return value


@pytest.fixture(scope="session")
def undisturbed(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Service, float]:
    """A lake computed in peace, and how many seconds the run took.

    UNDISTURBED names the folder of one from before, which saves its minutes to who works at a test.
    """
    kept = os.environ.get("UNDISTURBED")
    if kept is not None:
        return Service(Path(kept) / "lake"), float(os.environ.get("SECONDS_OF_A_RUN", "60"))
    service = Service(tmp_path_factory.mktemp("undisturbed") / "lake")
    landed = service.run("ingest", "movielens", str(folder))
    assert landed["sources"]["ratings"]["rejections"] == 4
    started = time.monotonic()
    assert service.run("run")["status"] == "succeeded"
    return service, time.monotonic() - started


def of_days(days: tuple[str, str]) -> list[str]:
    """The words that compute them."""
    return ["run", "--start", days[0], "--end", days[1]]


@pytest.fixture(scope="session")
def simulated_days(tmp_path_factory: pytest.TempPathFactory) -> tuple[Service, float]:
    """A lake of the simulated service whose `FIRST` days were computed in peace, and how many seconds that took.

    SIMULATED names the folder of one from before.
    """
    kept = os.environ.get("SIMULATED")
    folder = Path(kept) if kept is not None else tmp_path_factory.mktemp("simulated")
    settings = {"lake.landing": str(folder / "service" / "landing"), **FOR_FEW}
    service = Service(folder / "lake", settings)
    if kept is not None:
        return service, float(os.environ.get("SECONDS_OF_A_RUN", "60"))
    (folder / "profile.toml").write_text(SIMULATED, encoding="utf-8")
    words = ["simulate", str(folder / "service"), "--profile", str(folder / "profile.toml")]
    service.run(*words, "--accounts", str(ACCOUNTS), "--start", FIRST[0], "--days", str(LANDED))
    started = time.monotonic()
    assert service.run(*of_days(FIRST))["status"] == "succeeded"
    return service, time.monotonic() - started


@pytest.fixture(scope="session")
def some(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Service:
    """A lake in a folder on which some jobs have run in peace; SOME names the folder of one from before."""
    kept = os.environ.get("SOME")
    if kept is not None:
        return Service(Path(kept) / "lake")
    service = Service(tmp_path_factory.mktemp("some") / "lake")
    service.run("ingest", "movielens", str(folder), "then", *SOME_JOBS)
    return service


@pytest.fixture(scope="session")
def expected(spark: SparkSession, some: Service) -> dict[str, list[str]]:
    """The rows of its tables."""
    found = some.content(spark)
    assert {name for name, rows in found.items() if rows} >= FILLED, sorted(found)
    return found


def differing(expected: dict[str, list[str]], found: dict[str, list[str]]) -> list[str]:
    """The tables that differ."""
    names = [name for name in expected | found if expected.get(name) != found.get(name)]
    print(f"{len(expected)} tables, {sum(map(len, expected.values()))} rows: {names or 'equal'}")
    return names
