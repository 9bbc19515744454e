"""Credential stuffing: log-ins from one network operator that fail at unusually many accounts on a day.

A robot that tries leaked passwords fails once or twice at each account, so no account sees a burst; the network does.
Failing accounts are counted, not failures, for one person who forgot a password fails often at one account. The bound
is that of a Poisson count: the mean of the days before, and several of its standard deviations.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

FAILED = ("wrong_password", "locked")
# Days before a day by which it is told what is usual.
USUAL_DAYS = 28


@dataclass(frozen=True)
class BurstRules:
    """Fewest failing accounts, smallest share of attempts that fail, and how many deviations above the usual."""

    accounts: int = 5
    failing: float = 0.6
    deviations: float = 4.0


def bursts(log_ins: DataFrame, start: date, end: date, rules: BurstRules) -> DataFrame:
    """Rows of `log_in_bursts` of `[start, end)`; log-ins are read from `USUAL_DAYS` before. Unknown networks are
    none.
    """
    tries = log_ins.where((F.col("event") == "log_in") & F.col("asn").isNotNull())
    failed = F.col("outcome").isin(*FAILED)
    by_device = tries.groupBy("asn", "attempt_date", "device_id").agg(
        F.count("*").alias("attempts"),
        F.count_if(failed).alias("failures"),
        F.collect_set(F.when(failed, F.col("account_id"))).alias("failed_at"),
        F.min(F.when(failed, F.col("attempted_at"))).alias("first_at"),
        F.max(F.when(failed, F.col("attempted_at"))).alias("last_at"),
    )
    days = by_device.groupBy("asn", "attempt_date").agg(
        F.sum("attempts").alias("attempts"),
        F.sum("failures").alias("failures"),
        F.size(F.array_distinct(F.flatten(F.collect_list("failed_at"))))
        .cast("bigint")
        .alias("accounts"),
        F.count_if(F.col("failures") > 0).alias("devices"),
        F.count_if(F.size("failed_at") > 1).alias("shared_devices"),
        F.min("first_at").alias("first_at"),
        F.max("last_at").alias("last_at"),
    )
    past = days.select(
        "asn", F.col("attempt_date").alias("_before"), F.col("accounts").alias("_accounts")
    )
    today = days.where(
        (F.col("attempt_date") >= F.lit(start)) & (F.col("attempt_date") < F.lit(end))
    )
    gap = F.date_diff(F.col("attempt_date"), F.col("_before"))
    usual = (
        today.join(past, on="asn", how="left")
        .groupBy("asn", "attempt_date")
        # Days without a log-in count nothing, and are days all the same.
        .agg(
            (
                F.sum(F.when(gap.between(1, USUAL_DAYS), F.col("_accounts")).otherwise(0))
                / USUAL_DAYS
            ).alias("usual_accounts")
        )
    )
    bound = F.col("usual_accounts") + rules.deviations * F.sqrt(F.col("usual_accounts") + 1)
    is_burst = (
        (F.col("accounts") >= rules.accounts)
        & (F.col("failures") >= rules.failing * F.col("attempts"))
        & (F.col("accounts") > bound)
    )
    return (
        today.join(usual, on=["asn", "attempt_date"], how="inner")
        .where(is_burst)
        .withColumnRenamed("attempt_date", "burst_date")
    )
