"""A job file runs alone on real executor processes, from the bundle, far from the source tree."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import date, datetime
from pathlib import Path

import pytest
from pyspark.sql import Row, SparkSession
from pyspark.sql import functions as F

from bundle import build
from cinelake.runtime.delta.commits import Note
from cinelake.runtime.delta.lake import Lake
from cinelake.runtime.runs.books import DayEntry
from cinelake.runtime.runs.context import new_entry
from cinelake.runtime.runs.digest import Digest
from cinelake.runtime.runs.ledger import Ledger
from cinelake.tables.behaviour import TITLE_GENRES, TITLES

DAY = date(2020, 5, 2)


@pytest.mark.timeout(420)
def test_a_job_runs_by_spark_submit_on_a_cluster_of_processes(
    spark: SparkSession, tmp_path: Path
) -> None:
    bundle = build(tmp_path / "dist", planned="{}")
    root = tmp_path / "lake"
    titles_in(Lake(spark, str(root)))
    command = [
        str(Path(sys.prefix) / "bin" / "spark-submit"),
        "--master", "local-cluster[2,1,1024]",
        "--conf", "spark.ui.enabled=false",
        # Two executors for two rows: the light compiler, and no more partitions than processes.
        "--driver-java-options", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
        "--conf", "spark.executor.extraJavaOptions=-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
        "--py-files", "cinelake.zip",
        "jobs/behaviour/build_title_genres.py",
        "--start", "2020-05-02", "--end", "2020-05-03",
        "--set", f"lake.root={root}",
        "--set", "spark.shuffle_partitions=2",
        "--set", "spark.snapshot_partitions=2",
        "--set", "spark.few_rows=true",
    ]  # fmt: skip
    # Run from the bundle, with the package hidden: what is not in the bundle is not there.
    away = {
        k: v
        for k, v in os.environ.items()
        if not k.startswith(("CINELAKE_", "PYTHONPATH", "SPARK_"))
    }
    away |= {"PYTHONSAFEPATH": "1", "PYTHONNOUSERSITE": "1", "PYSPARK_PYTHON": sys.executable}
    ended = subprocess.run(
        command, cwd=bundle, env=away, capture_output=True, text=True, timeout=400, check=False
    )
    assert ended.returncode == 0, ended.stderr[-4000:]
    summary = json.loads(ended.stdout.strip().splitlines()[-1])
    assert summary["status"] == "succeeded"
    assert summary["jobs"]["build_title_genres"]["rows_out"] == 2
    stored = Lake(spark, str(root)).read(TITLE_GENRES).select("title_id", "genre").collect()
    assert sorted(stored) == [
        Row(title_id="t1", genre="Horror"),
        Row(title_id="t1", genre="Sci-Fi"),
    ]


def titles_in(lake: Lake) -> None:
    """One title in the lake, and in the ledger that it is there."""
    moment = datetime(2020, 5, 2)
    values = {
        "title_id": F.lit("t1"),
        "effective_from": F.lit(moment),
        "effective_date": F.lit(DAY),
        "name": F.lit("Alien"),
        "genres": F.array(F.lit("Horror"), F.lit("Sci-Fi")),
    }
    row = lake.spark.range(1).select(
        *(values.get(c.name, F.lit(None)).cast(c.type).alias(c.name) for c in TITLES.columns)
    )
    receipt = lake.append(TITLES, row, Note(run="r", job="build_titles", code="0", action="append"))
    assert receipt.version is not None
    days = (DayEntry(DAY, "", {"titles": Digest(1, 1, 1)}),)
    Ledger(lake).record(
        new_entry("build_titles", "job", days=days, output_versions={"titles": receipt.version})
    )
