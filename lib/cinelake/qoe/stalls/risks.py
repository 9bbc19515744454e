"""What the prediction says of cells: how many stalls it expects in each, and how many came.

Grain: one row a CDN, point of presence, provider, region and five minutes. Expected and come stalls side by side say
where it will be bad, and whether the model still holds.
"""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from cinelake.qoe.stalls.moments import CELL, bucket_at
from cinelake.qoe.stalls.trees import Boosted, with_chance
from cinelake.tables.stalls import QOE_STALL_RISKS


def risks(moments: DataFrame, trees: Boosted, threshold: float, version: int) -> DataFrame:
    """Rows of `qoe_stall_risks`."""
    return added_up(with_chance(moments, trees), threshold, version)


def added_up(told: DataFrame, threshold: float, version: int) -> DataFrame:
    """The same of moments with their `chance`."""
    at_risk = F.col("chance") >= threshold
    return (
        told.groupBy("day", "bucket", *CELL)
        .agg(
            F.count("*").alias("moments"),
            # A chance is rounded before it is added, so that sums do not depend on the order.
            F.sum(F.round(F.col("chance") * 1_000_000).cast("bigint")).alias("expected_ppm"),
            F.count_if(at_risk).alias("at_risk"),
            F.count_if("stalls").alias("stalled"),
            F.count_if(at_risk & F.col("stalls")).alias("foreseen"),
        )
        .select(
            "*",
            bucket_at("bucket").alias("bucket_at"),
            F.col("day").alias("risk_date"),
            F.lit(version).alias("model_version"),
        )
        .select(*QOE_STALL_RISKS.names)
    )
