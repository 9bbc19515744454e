"""Frames (user factors, say) among the artefacts of a model: Spark writes and reads them where they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pyspark.sql import DataFrame, SparkSession

from cinelake.runtime.tracking.store import Store, TrackingError
from cinelake.runtime.tracking.versions import FRAMES, ModelVersion

if TYPE_CHECKING:
    from mlflow.entities import LoggedModel

# File systems that Spark's executors reach themselves. A server that hands artefacts through its
# own HTTP interface (mlflow-artifacts:) is not one of them.
SPARK_SCHEMES = frozenset(
    {"", "file", "hdfs", "viewfs", "s3", "s3a", "gs", "abfs", "abfss", "wasbs", "dbfs"}
)


def reached_by_spark(location: str) -> bool:
    """Whether Spark reads and writes files there itself."""
    return urlsplit(location).scheme in SPARK_SCHEMES


def write(store: Store, logged: LoggedModel, frames: Mapping[str, DataFrame]) -> str:
    """Write a logged model's frames; returns where, which is to be its tag `frames`.

    Raises TrackingError where Spark reaches no place for them.
    """
    home = _home(store, logged)
    for name, frame in frames.items():
        frame.write.mode("overwrite").parquet(f"{home}/{name}")
    return home


def read(version: ModelVersion, name: str) -> DataFrame:
    """A frame that was registered with a version. Raises TrackingError where it has none of
    that name.
    """
    home = version.tags.get(FRAMES)
    if home is None:
        raise TrackingError(
            f"{version.name} version {version.version} was registered without frames"
        )
    path = f"{home}/{name}"
    spark = SparkSession.active()
    if not _exists(spark, path):
        raise TrackingError(
            f"{version.name} version {version.version} has no frame {name!r} at {path}; "
            "if the artefacts were removed, delete the version and train again"
        )
    return spark.read.parquet(path)


def _home(store: Store, logged: LoggedModel) -> str:
    """Where Spark writes a logged model's frames."""
    location: str = logged.artifact_location
    if reached_by_spark(location):
        return _for_spark(f"{location}/frames")
    if store.artifact_root and reached_by_spark(store.artifact_root):
        return _for_spark(f"{store.artifact_root}/frames/{logged.model_id}")
    raise TrackingError(
        f"the MLflow server keeps artefacts at {urlsplit(location).scheme}:, which Spark cannot write; set "
        "[mlflow] artifact_root to storage that driver and executors share"
    )


def _for_spark(location: str) -> str:
    return location.replace("s3://", "s3a://", 1) if location.startswith("s3://") else location


def _exists(spark: SparkSession, path: str) -> bool:
    jvm = spark._jvm
    if jvm is None:
        raise TrackingError("the Spark session has no JVM; frames need a classic session")
    target = jvm.org.apache.hadoop.fs.Path(path)
    file_system = target.getFileSystem(spark.sparkContext._jsc.hadoopConfiguration())
    return bool(file_system.exists(target))
