"""Silver rows for tests, from a few words each, and jobs rehearsed over windows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StructField, StructType

from cinelake.runtime.job import Job, JobParams
from cinelake.runtime.runs.graph import discover
from cinelake.runtime.runs.rehearsal import rehearse
from cinelake.tables.contract import Table

JOBS = {
    job.name: job for job in discover(Path(__file__).parents[3] / "jobs") if isinstance(job, Job)
}


def silver(spark: SparkSession, table: Table, rows: Iterable[Mapping[str, Any]]) -> DataFrame:
    """Rows of a table of which only some columns matter; the others are null, required or not."""
    shape = StructType([StructField(column.name, column.type) for column in table.columns])
    told = [tuple(row.get(name) for name in table.names) for row in rows]
    return spark.createDataFrame(told, shape)


def days(first: date, count: int) -> list[tuple[date, date]]:
    """As many windows of a day."""
    moments = [first + timedelta(days=n) for n in range(count + 1)]
    return list(pairwise(moments))


def written(
    name: str,
    inputs: Mapping[Table, DataFrame],
    windows: Iterable[tuple[date, date]],
    params: JobParams | None = None,
) -> tuple[list[str], list[str]]:
    """What a job publishes for these windows, and what it turns away, as sorted texts."""
    (table,) = (target for target in JOBS[name].writes if isinstance(target, Table))
    as_text = F.to_json(F.struct(*table.names)).alias("text")
    good, bad = [], []
    for start, end in windows:
        out = rehearse(JOBS[name], inputs, start, end, params)
        good += [row.text for row in out[table].select(as_text).collect()]
        bad += [str(row) for row in out.quarantined(table).collect()]
    return sorted(good), sorted(bad)
