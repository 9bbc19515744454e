"""What a MovieLens folder lands, the ingest jobs take into bronze, or turn away with file and line."""

from __future__ import annotations

from pathlib import Path

import pytest
from pyspark.sql import DataFrame, SparkSession
from unit.sources.folders import CSV

from cinelake.runtime.intake.landing import import_folder, importers
from cinelake.runtime.job import Ingest
from cinelake.runtime.runs.graph import discover
from cinelake.runtime.runs.rehearsal import rehearse

JOBS = {
    job.source.name: job
    for job in discover(Path(__file__).parents[3] / "jobs")
    if isinstance(job, Ingest)
}
CONTENT = CSV | {
    "ratings.csv": b"userId,movieId,rating,timestamp\n"
    b"1,1,4.0,964982703\n1,1,4.0,964982703\n1,99,4.0,964982703\n7,3,5.0,1147880044\n1,2\n"
}


@pytest.fixture(scope="module")
def landing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ml")
    for name, content in CONTENT.items():
        (folder / name).write_bytes(content)
    root = tmp_path_factory.mktemp("landing")
    import_folder(importers()["movielens"], folder, root)
    return root


def landed(spark: SparkSession, landing: Path, source: str) -> DataFrame:
    return spark.read.text(str(landing / source)).selectExpr(
        "value",
        "_metadata.file_path AS file",
        "CAST(NULL AS BIGINT) AS line",
        "CAST(NULL AS TIMESTAMP) AS landed_by",
    )


@pytest.mark.parametrize(
    ("source", "bronze", "rejected"), [("ratings", 2, 3), ("titles", 4, 0), ("tags", 3, 0)]
)
def test_landed_is_bronze_and_quarantined(
    spark: SparkSession, landing: Path, source: str, bronze: int, rejected: int
) -> None:
    job = JOBS[source]
    out = rehearse(job, landed(spark, landing, source))
    assert (out[job.target].count(), out.quarantined(job.target).count()) == (bronze, rejected)


def test_what_was_rejected_says_why_and_shows_the_line(spark: SparkSession, landing: Path) -> None:
    out = rehearse(JOBS["ratings"], landed(spark, landing, "ratings"))
    rows = out.quarantined(JOBS["ratings"].target).collect()
    # The contract's own complaints follow the deliverer's.
    assert sorted((row.raw, row.reasons[0]) for row in rows) == [
        ("1,1,4.0,964982703", "duplicate"),
        ("1,2", "malformed_line: 2 fields instead of 4"),
        ("1,99,4.0,964982703", "unknown_title"),
    ]
