"""What it costs to take in a ratings file of five million lines.

Compared in one run, on a folder in the layout of ml-25m that is generated for it:

- plain: Spark reads ratings.csv with a schema and writes it as Delta, knowing nothing of duplicates, unknown
  titles, scales, receipts or schemas.
- ingest: `cinelake ingest movielens`, from the folder to landing files, every line read and every reject counted.
  Target: at most 1.5 times plain.
- bronze: `cinelake run --only ingest_ratings`, the job that takes in whatever any source lands: each line becomes a
  VARIANT, is judged, hashed, audited, and published into one folder a month. Reported.

`CINELAKE_BENCH_ROWS` makes the file smaller or larger.
"""

from __future__ import annotations

import itertools
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from benchmarks.conftest import in_turn
from conftest import Silent
from pyspark.sql import SparkSession

from cinelake.runtime.intake.landing import import_folder, importers
from cinelake.runtime.runs.pipeline import Request
from cinelake.runtime.settings import Settings
from cinelake.runtime.workspace import Workspace

ROWS = int(os.environ.get("CINELAKE_BENCH_ROWS", "5000000"))
MOVIES = 32_000
FIRST, LAST = 822_873_600, 1_574_208_000  # 29 January 1996 to 20 November 2019
JOBS = Path(__file__).parents[2] / "jobs"
SCHEMA = "userId INT, movieId INT, rating DOUBLE, timestamp BIGINT"


def write_ml_25m(folder: Path, rows: int) -> None:
    """A folder like ml-25m: users in order with their movies in order, a long tail, sessions over 24 years."""
    dice = np.random.default_rng(25)
    users = rows // 154
    counts = dice.multinomial(round(rows * 1.12), dice.dirichlet(np.full(users, 0.8)))
    user = np.repeat(np.arange(1, users + 1, dtype=np.int64), counts)
    popularity = 1 / (np.arange(MOVIES) + 200.0)
    movie = dice.choice(MOVIES, size=len(user), p=popularity / popularity.sum())
    pairs = np.unique(user << 32 | movie)
    pairs = np.sort(dice.choice(pairs, min(rows, len(pairs)), replace=False))
    user, movie = pairs >> 32, (pairs & 0xFFFFFFFF) * 4 + 1
    begun = dice.integers(FIRST, LAST, users + 1)
    time = begun[user] + dice.exponential(200_000, len(user)).astype(np.int64)
    stars = dice.integers(1, 11, len(user)) / 2
    folder.mkdir()
    with (folder / "ratings.csv").open("w") as stream:
        stream.write("userId,movieId,rating,timestamp\n")
        columns = (column.tolist() for column in (user, movie, stars, time))
        stream.writelines(f"{u},{m},{s},{t}\n" for u, m, s, t in zip(*columns, strict=True))
    with (folder / "movies.csv").open("w") as stream:
        stream.write("movieId,title,genres\n")
        stream.writelines(
            f'{n * 4 + 1},"Film No. {n}, The ({1930 + n % 90})",Drama|Comedy\n'
            for n in range(MOVIES)
        )
    (folder / "tags.csv").write_text("userId,movieId,tag,timestamp\n1,1,classic,1147880044\n")
    (folder / "links.csv").write_text("movieId,imdbId,tmdbId\n1,0114709,862\n")


@pytest.mark.timeout(1800)
def test_importing_costs_little_more_than_plain_reading(
    spark: SparkSession, tmp_path: Path
) -> None:
    folder = tmp_path / "ml-25m"
    write_ml_25m(folder, ROWS)
    movielens = importers()["movielens"]
    numbers = itertools.count()
    landing = tmp_path / "landing"
    taken_in: list[int | None] = []

    def plain() -> None:
        ratings = spark.read.csv(str(folder / "ratings.csv"), header=True, schema=SCHEMA)
        ratings.write.format("delta").save(str(tmp_path / f"plain-{next(numbers)}"))

    def importing() -> None:
        shutil.rmtree(landing, ignore_errors=True)
        report = import_folder(movielens, folder, landing)
        assert report.rejections == 0

    def bronze() -> None:
        lake = {"root": str(tmp_path / f"lake-{next(numbers)}"), "landing": str(landing)}
        workspace = Workspace(Settings.model_validate({"lake": lake}), spark, JOBS)
        request = Request(only=("ingest_ratings",))
        summary = workspace.pipeline(workspace.graph).run(request, Silent())
        assert summary.succeeded, summary.to_json()
        (report,) = summary.reports
        taken_in.append(report.rows_out)

    timings = in_turn(plain, importing, bronze, repetitions=3)
    reading, imported, ingested = timings
    ratio = imported.median / reading.median
    whole = (imported.median + ingested.median) / reading.median
    print(f"\n{ROWS:,} ratings, {(folder / 'ratings.csv').stat().st_size / 1e6:.0f} MB of csv")
    print(f"  plain Spark, csv to Delta     {reading}")
    print(f"  ingest, csv to landing files  {imported}: {ratio:.2f} times plain (target 1.5)")
    print(f"  bronze, landing to Delta      {ingested}")
    print(f"  ingest and bronze             {whole:.2f} times plain")
    lines = len((folder / "ratings.csv").read_bytes().splitlines()) - 1
    assert set(taken_in) == {lines}
    assert ratio <= 1.5
