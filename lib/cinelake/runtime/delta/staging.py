"""The staging area of a lake: rows that are computed once, while they wait for their audit or for who needs them next.

What a run stages is its own, below the run's name, and is taken away by it or, where it was killed, by the next
maintenance. Spark's checkpoints stand there, too, on a cluster, where executors share no other folder.
"""

from __future__ import annotations

from datetime import datetime

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import StructType

from cinelake.runtime.delta.storage import Storage

# On a cluster Spark's own stand in the staging area, and belong to live sessions.
CHECKPOINTS_OF_SPARK = "checkpoints"
# What is staged below this name is for more than one run, and whoever staged it takes it away.
KEPT = "kept"


class Staging:
    """Frames as Parquet files below `ROOT/staging`, by name."""

    def __init__(self, spark: SparkSession, storage: Storage, root: str) -> None:
        self._spark = spark
        self._storage = storage
        self._folder = f"{root}/staging"

    def put(self, frame: DataFrame, name: str) -> DataFrame:
        """Compute `frame` once into files, and read it from there; what had the name before is gone."""
        path = f"{self._folder}/{name}"
        # Staging is read back at once and deleted: speed counts, size does not.
        frame.write.mode("overwrite").option("compression", "lz4").parquet(path)
        return self._spark.read.schema(frame.schema).parquet(path)

    def get(self, name: str, schema: StructType) -> DataFrame | None:
        """What was put there before; None where nothing was, or not to the end."""
        path = f"{self._folder}/{name}"
        if not self._storage.exists(f"{path}/_SUCCESS"):
            return None
        return self._spark.read.schema(schema).parquet(path)

    def remove(self, name: str) -> None:
        self._storage.remove(f"{self._folder}/{name}")

    def of_runs(self) -> list[str]:
        """The folders that runs made, each for itself."""
        names = self._storage.names(self._folder)
        return [name for name in names if name not in (CHECKPOINTS_OF_SPARK, KEPT)]

    def checkpoints_of_spark(self) -> dict[str, datetime]:
        """Of each session on a cluster the name of its folder, with when it last wrote there."""
        folder = f"{self._folder}/{CHECKPOINTS_OF_SPARK}"
        return {
            f"{CHECKPOINTS_OF_SPARK}/{name}": self._storage.modified(f"{folder}/{name}")
            for name in self._storage.names(folder)
        }
