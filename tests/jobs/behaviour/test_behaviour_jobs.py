"""The behaviour jobs read what they declare, and give the same rows for one window or many."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from unit.behaviour.bronze import bronze, landed_line, pseudonym

from cinelake.behaviour.identity import IdKind
from cinelake.runtime.job import Job
from cinelake.runtime.runs.graph import discover
from cinelake.runtime.runs.rehearsal import rehearse
from cinelake.sources.ratings import RATINGS_SOURCE
from cinelake.sources.tags import TAGS_SOURCE
from cinelake.sources.titles import TITLES_SOURCE
from cinelake.tables.behaviour import RATINGS, TITLE_GENRES, TITLE_TAGS, TITLES
from cinelake.tables.contract import Table
from cinelake.tables.ingest import BRONZE_RATINGS, BRONZE_TAGS, BRONZE_TITLES

JOBS = {
    job.name: job for job in discover(Path(__file__).parents[3] / "jobs") if isinstance(job, Job)
}
START, END = date(2020, 5, 2), date(2020, 5, 5)
ALIEN = {"title_id": "t1", "name": "Alien", "release_year": 1979, "genres": ["Horror", "Sci-Fi"]}
RATED = {"profile_id": "p1", "title_id": "t1", "rating": 4.0}
TAGGED = {"profile_id": "p1", "title_id": "t1", "tag": "cat"}


@pytest.fixture(scope="module")
def inputs(spark: SparkSession) -> dict[Table, DataFrame]:
    titles = bronze(
        spark,
        TITLES_SOURCE,
        [
            landed_line("c1", "2 00:00", **ALIEN),
            landed_line("c2", "3 00:00", **ALIEN),
            landed_line("c3", "4 00:00", **(ALIEN | {"genres": ["Horror"]})),
            landed_line("c1", "2 00:00", "4 00:00", **ALIEN),
        ],
    )
    ratings = bronze(
        spark,
        RATINGS_SOURCE,
        [
            landed_line("r1", "2 10:00", **RATED),
            landed_line("r1", "2 10:00", "3 10:00", **RATED),
            # Dated 3 and 4 May by the receipt; one event.
            landed_line("r2", "4 02:00", "3 23:00", **RATED),
            landed_line("r2", "4 02:00", "4 09:00", **RATED),
            landed_line("r3", "4 10:00", **(RATED | {"title_id": "t9"})),
        ],
    )
    tags = bronze(
        spark,
        TAGS_SOURCE,
        [landed_line("g1", "2 10:00", **TAGGED), landed_line("g1", "2 10:00", "3 10:00", **TAGGED)],
    )
    nothing = spark.createDataFrame([], TITLES.schema)
    told = {BRONZE_TITLES: titles, TITLES: nothing}
    changes = rehearse(JOBS["build_titles"], told, START, END)[TITLES]
    return {
        BRONZE_TITLES: titles,
        BRONZE_RATINGS: ratings,
        BRONZE_TAGS: tags,
        TITLES: changes.localCheckpoint(),
    }


EXPECTED: dict[str, tuple[Table, list[tuple[Any, ...]], list[str]]] = {
    "build_titles": (TITLES, [("2020-05-02", "t1"), ("2020-05-04", "t1")], ["duplicate"]),
    "build_title_genres": (
        TITLE_GENRES,
        [("2020-05-02", "Horror"), ("2020-05-02", "Sci-Fi"), ("2020-05-04", "Horror")],
        [],
    ),
    "build_ratings": (
        RATINGS,
        [
            ("2020-05-02", pseudonym(IdKind.EVENT, "r1")),
            ("2020-05-03", pseudonym(IdKind.EVENT, "r2")),
        ],
        ["duplicate", "duplicate", "unknown_title"],
    ),
    "build_title_tags": (
        TITLE_TAGS,
        [("2020-05-02", pseudonym(IdKind.EVENT, "g1"))],
        ["duplicate"],
    ),
}
SHOWN = {TITLES: "title_id", TITLE_GENRES: "genre", RATINGS: "event_id", TITLE_TAGS: "event_id"}


@pytest.mark.parametrize(
    ("name", "step"),
    # The last two have no memory beyond what the first two share with them.
    [
        pytest.param("build_titles", 1, marks=pytest.mark.thorough),
        ("build_titles", 3),
        pytest.param("build_ratings", 1, marks=pytest.mark.thorough),
        ("build_ratings", 3),
        ("build_title_genres", 3),
        ("build_title_tags", 3),
    ],
)
def test_the_job_gives_the_same_rows_for_one_window_or_daily_ones(
    inputs: dict[Table, DataFrame], name: str, step: int
) -> None:
    table, rows, reasons = EXPECTED[name]
    wanted = {reading.source: inputs[reading.source] for reading in JOBS[name].reads}
    found: list[tuple[Any, ...]] = []
    turned_away: list[str] = []
    for day in reversed(range(0, 3, step)):
        start = START + timedelta(days=day)
        out = rehearse(JOBS[name], wanted, start, start + timedelta(days=step))
        assert table.window is not None
        shown = out[table].select(F.col(table.window).cast("string"), SHOWN[table])
        found += map(tuple, shown.collect())
        turned_away += [row.reasons[0] for row in out.quarantined(table).collect()]
    assert sorted(found) == rows
    assert sorted(turned_away) == reasons
