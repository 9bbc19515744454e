"""The process that makes a class archive: a small piece of typical work in a JVM that notes which classes it loads.

Run by `class_archive`, as a module with the path of the archive to make and those of the jars before Spark's own: an
archive fits no other class path.
"""

from __future__ import annotations

import os
import shlex
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

from cinelake.runtime.settings import Settings
from cinelake.runtime.spark.session import create, java_options, when_started_by_us


def make_archive(archive: Path, jars: Sequence[str]) -> None:
    """Load the classes that most sessions load: a Delta table written, replaced, merged into and read."""
    lake = Path(tempfile.mkdtemp(prefix="cinelake-rehearsal-"))
    settings = Settings.model_validate(
        {
            "lake": {"root": str(lake)},
            "spark": {
                "master": "local[2]",
                "driver_memory": "1g",
                "shuffle_partitions": 2,
                "snapshot_partitions": 2,
            },
        }
    )
    conf = when_started_by_us(settings, None)
    conf["spark.driver.extraClassPath"] = os.pathsep.join(jars)
    conf["spark.driver.extraJavaOptions"] = shlex.join(
        [*java_options(settings, None), f"-XX:ArchiveClassesAtExit={archive}"]
    )
    spark = create(conf)
    proc: Any = spark.sparkContext._gateway.proc  # type: ignore[union-attr]
    _typical_work(spark, str(lake / "table"))
    spark.stop()
    # The archive is written while the JVM ends, and this process must not end before it.
    proc.stdin.close()
    proc.wait(timeout=120)
    shutil.rmtree(lake, ignore_errors=True)


def _typical_work(spark: SparkSession, path: str) -> None:
    rows = spark.range(20).selectExpr(
        "id", "current_date() AS day", "array(cast(id AS string)) AS tags"
    )
    rows.write.format("delta").partitionBy("day").save(path)
    rows.write.format("delta").mode("overwrite").option(
        "replaceWhere", "day = current_date()"
    ).save(path)
    rows.createOrReplaceTempView("incoming")
    spark.sql(
        f"MERGE INTO delta.`{path}` AS old USING incoming AS new ON old.id = new.id AND old.id > 10 "
        "WHEN NOT MATCHED THEN INSERT *"
    )
    read = spark.read.format("delta").load(path)
    read.groupBy("day").count().join(read, "day").orderBy("id").toPandas()
    spark.createDataFrame([(1, "a")], "id int, name string").collect()


if __name__ == "__main__":
    make_archive(Path(sys.argv[1]), sys.argv[2:])
