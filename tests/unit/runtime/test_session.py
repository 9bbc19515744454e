from __future__ import annotations

import gc
import json
import os
import sys
from datetime import datetime
from pathlib import Path

import pyspark.sql.functions as F
import pytest
from pyspark.sql import SparkSession

from cinelake.runtime.config import load_settings
from cinelake.runtime.settings import Settings
from cinelake.runtime.spark import session
from cinelake.runtime.spark.machine import SessionError


def test_settings_of_a_cluster_do_not_point_into_this_machine(tmp_path: Path) -> None:
    settings = Settings.model_validate(
        {"lake": {"root": "s3a://bucket/lake"}, "spark": {"conf": {"spark.x": "1"}}}
    )
    conf = session._always(settings, None, "spark://host:7077")
    assert conf["spark.checkpoint.dir"] == "s3a://bucket/lake/staging/checkpoints"
    assert conf["spark.x"] == "1"
    assert "spark.sql.shuffle.partitions" not in conf


def test_what_is_set_for_a_run_goes_over_what_spark_submit_was_given() -> None:
    conf = Path(__file__).parents[3] / "conf"
    given = {
        "spark.sql.shuffle.partitions": "200",
        "spark.databricks.delta.snapshotPartitions": "8",
        "spark.sql.adaptive.enabled": "true",
        "spark.driver.memory": "4g",
        "spark.sql.autoBroadcastJoinThreshold": "32m",
    }
    asked = [
        "spark.shuffle_partitions=7",
        "spark.conf.spark.sql.autoBroadcastJoinThreshold=1m",
        "spark.conf.spark.driver.memory=9g",
    ]
    variable = {"CINELAKE_SPARK__FEW_ROWS": "true"}
    settings = load_settings("cluster", asked, env=variable, conf_dir=conf)
    ours = session._always(settings, None, "spark://host:7077")
    got = session.over_given(settings, ours, given)
    assert {name: got.get(name) for name in given} == {
        "spark.sql.shuffle.partitions": "7",
        # conf/cluster.toml says 8, and so does nobody for this run.
        "spark.databricks.delta.snapshotPartitions": None,
        "spark.sql.adaptive.enabled": "false",
        # The driver runs already.
        "spark.driver.memory": None,
        "spark.sql.autoBroadcastJoinThreshold": "1m",
    }
    assert got["spark.sql.session.timeZone"] == "UTC"


@pytest.mark.parametrize(
    ("root", "landing", "lots"),
    [
        ("/data/lake", None, ["Delta"]),
        ("hdfs:///lake", None, ["Delta"]),
        ("s3a://films/lake", None, ["Delta", "S3"]),
        ("/data/lake", "s3a://deliveries", ["Delta", "S3"]),
    ],
)
def test_jars_for_s3_come_with_a_lake_or_a_landing_area_that_is_there(
    root: str, landing: str | None, lots: list[str]
) -> None:
    settings = Settings.model_validate({"lake": {"root": root, "landing": landing}})
    assert [lock.whose for lock in session.needed_jars(settings)] == lots


def test_the_session_knows_delta_and_lives_in_utc(spark: SparkSession) -> None:
    assert spark.conf.get("spark.sql.extensions") == session.DELTA_EXTENSION
    stamp = spark.sql("SELECT timestamp'2024-03-01 00:00:00Z' AS t").first()
    assert stamp is not None
    assert stamp.t == datetime(2024, 3, 1)


def test_python_workers_run_this_interpreter_in_utc_with_one_blas_thread(
    spark: SparkSession,
) -> None:
    def report(batches):  # type: ignore[no-untyped-def]
        import pyarrow as pa

        for batch in batches:
            names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "TZ")
            found = {name: os.environ.get(name) for name in names} | {"python": sys.executable}
            yield pa.RecordBatch.from_pydict({"v": [json.dumps(found)] * batch.num_rows})

    row = spark.range(1).mapInArrow(report, "v string").first()
    assert row is not None
    assert json.loads(row.v) == {
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
        "TZ": "UTC",
        "python": sys.executable,
    }


def test_a_new_worker_has_what_it_needs_and_leaves_without_a_word(
    spark: SparkSession, capfd: pytest.CaptureFixture[str]
) -> None:
    def report(batches):  # type: ignore[no-untyped-def]
        import pyarrow as pa

        def told(number: int) -> dict[str, list[int]]:
            # Objects that were set aside before the fork: none by Spark alone.
            return {"v": [gc.get_freeze_count()] * number}

        for batch in batches:
            yield pa.RecordBatch.from_pydict(told(batch.num_rows))

    set_aside = spark.range(100_000, numPartitions=1).mapInArrow(report, "v long")
    # Cut short: each query ends its worker, so that the next one has a new one.
    for _ in range(2):
        row = set_aside.first()
        assert row is not None
        assert row.v > 10_000
    spark.range(1).mapInArrow(report, "v long").collect()
    assert "BrokenPipe" not in capfd.readouterr().err


def test_a_second_call_returns_the_session_there_is(
    spark: SparkSession, settings: Settings
) -> None:
    assert session.spark_session(settings) is spark


def test_a_session_without_delta_is_refused_with_what_to_pass(
    spark: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Conf:
        def get(self, key: str, default: str) -> str:
            return default

    class Foreign:
        conf = Conf()

    with pytest.raises(SessionError) as refused:
        session._require_delta(Foreign())  # type: ignore[arg-type]
    message = str(refused.value)
    assert f"--conf spark.sql.extensions={session.DELTA_EXTENSION}" in message
    assert f"--conf spark.sql.catalog.spark_catalog={session.DELTA_CATALOG}" in message
    assert "io.delta:delta-spark_4.2_2.13:4.4.0" in message


def test_nothing_is_left_in_the_current_directory(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = set(Path.cwd().iterdir())
    target = tmp_path / "table"
    spark.range(3).select(F.col("id")).write.format("delta").save(str(target))
    spark.sql("CREATE OR REPLACE TEMP VIEW v AS SELECT 1")
    assert set(Path.cwd().iterdir()) == before
