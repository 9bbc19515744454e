"""Hourly roll-ups of a made-up service: two CDNs in two regions, weeks of hours, with chance in them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from cinelake.qoe.rollups import cell_of
from cinelake.tables.qoe import COUNTS, DIMENSIONS, HOUR, QOE_ROLLUPS

FIRST = date(2026, 3, 2)
# What happens to a cell in an hour: (day from 0, hour, cdn, region) → factor on the share of stalled sessions.
Fate = Callable[[int, int, str, str], float]


def rolled(
    spark: SparkSession,
    days: int,
    fate: Fate = lambda *_: 1.0,
    sessions: int = 60,
    stalled: float = 0.03,
    seed: int = 7,
    born: int = 0,
) -> DataFrame:
    """Rows of `qoe_rollups` by the hour; the CDN drift is there only from day `born` on."""
    dice = np.random.default_rng(seed)
    leaves: list[dict[str, Any]] = []
    for day in range(days):
        for hour in range(24):
            at = datetime.combine(FIRST, datetime.min.time()) + timedelta(days=day, hours=hour)
            for cdn in ("aurora", "drift") if day >= born else ("aurora",):
                for region in ("Bavaria", "Tokyo"):
                    evening = 1 + (hour in (20, 21, 22))
                    n = int(dice.poisson(sessions * evening))
                    share = min(stalled * evening * fate(day, hour, cdn, region), 1.0)
                    bad = int(dice.binomial(n, share))
                    leaves.append(
                        {"bucket_at": at, "cdn": cdn, "region": region, "hours": n, "stalled_hours": bad,
                         "stall_ms": 50_000 * bad, "stalled_ms": 40_000 * bad, "play_ms": 1_800_000 * n}
                    )  # fmt: skip
    told = pd.DataFrame(leaves)
    counts = ["hours", "stalled_hours", "stall_ms", "stalled_ms", "play_ms"]
    parts = []
    for by in ([], ["cdn"], ["region"], ["cdn", "region"]):
        summed = told.groupby(["bucket_at", *by], as_index=False)[counts].sum()
        parts.append(summed.assign(subset="+".join(by) or "all"))
    whole = pd.concat(parts, ignore_index=True)
    whole["bucket_at"] = whole["bucket_at"].dt.tz_localize("UTC")
    shape = (
        "bucket_at timestamp, hours long, stalled_hours long, stall_ms long, stalled_ms long, play_ms long, "
        "subset string, cdn string, region string"
    )
    names = [part.split()[0] for part in shape.split(", ")]
    table = pa.Table.from_pandas(whole[names], preserve_index=False)
    # Spark computes columns of rows that it has in its plan while it plans, each time anew, and slowly.
    frame = spark.createDataFrame(table, shape).localCheckpoint()
    nothing = [F.lit(0).cast("bigint").alias(name) for name in COUNTS if name not in counts]
    missing = [
        F.lit(None).cast("string").alias(name)
        for name in DIMENSIONS
        if name not in {"cdn", "region"}
    ]
    filled = frame.select(
        "*",
        *nothing,
        *missing,
        F.lit(HOUR).alias("width"),
        F.to_date("bucket_at").alias("cell_date"),
    )
    slots = (
        F.array().cast("array<bigint>").alias(name) for name in ("join_buckets", "bitrate_buckets")
    )
    whole_rows = filled.select("*", cell_of().alias("cell"), *slots).select(*QOE_ROLLUPS.names)
    return whole_rows.localCheckpoint()
