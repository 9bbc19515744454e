"""How unusual a log-in is for its account: risk by the frequency of features.

Method: Freeman, Jain, Dürmuth, Biggio and Giacinto, "Who Are You? A Statistical Approach to Measuring User
Authenticity" (NDSS 2016), as used by das-group's rba: the product over features of p(x) / p(x | account), here as a sum
of logarithms. What an account has done is the days on which it streamed from a place, operator or kind of connection,
for most devices stay logged in for months and log-ins alone know little. Both are told from the weeks before the
attempt's day, so an attempt is judged alike in any window. p(x | account) is smoothed towards p(x) by a Dirichlet
prior:

    p(x) / p(x | u) = p(x) (n + a) / (c(x) + a p(x))

which is 1 for an account without a past, and (n + a) / a for what it never used.
"""

from __future__ import annotations

from datetime import date

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from cinelake.integrity.networks import or_unknown
from cinelake.integrity.stuffing import FAILED

# Days of use that count, before the day of the attempt.
PAST_DAYS = 28
# For how long a failure in a burst is remembered.
TRIED_DAYS = 7
# Days of use that the prior weighs.
PRIOR_DAYS = 3.0
FEATURES = ("place", "operator", "connection")


def log_in_risks(
    log_ins: DataFrame, usage: DataFrame, bursts: DataFrame, start: date, end: date
) -> DataFrame:
    """Rows of `log_in_risks` of `[start, end)`.

    Log-ins and bursts are read from `TRIED_DAYS` before, usage from `PAST_DAYS` before.
    """
    tries = log_ins.where(F.col("event") == "log_in")
    own = tries.where(
        (F.col("attempt_date") >= F.lit(start)) & (F.col("attempt_date") < F.lit(end))
    )
    attempts = own.select(
        "event_id", "attempt_date", "account_id", "device_id", "attempted_at",
        (F.col("outcome") == "success").alias("is_success"),
        F.coalesce("is_new_device", F.lit(False)).alias("is_new_device"),
        or_unknown("country"), or_unknown("region"), "asn", or_unknown("connection"),
        F.col("outcome").isin(*FAILED).alias("_failed"),
    )  # fmt: skip
    told = _risks(attempts, usage)
    failures = _failures_in_bursts(tries, bursts)
    tried = (
        attempts.select("event_id", "attempt_date", "account_id", "attempted_at")
        .join(failures, on="account_id", how="inner")
        .where(
            (F.col("failed_at") < F.col("attempted_at"))
            & (F.date_diff("attempt_date", "failed_on") <= TRIED_DAYS)
        )
        .select("event_id", "attempt_date", F.lit(True).alias("_tried"))
        .distinct()
    )
    in_burst = bursts.select(
        "asn", F.col("burst_date").alias("attempt_date"), F.lit(True).alias("_burst")
    )
    return (
        attempts.join(told, on=["event_id", "attempt_date"], how="left")
        .join(tried, on=["event_id", "attempt_date"], how="left")
        .join(in_burst, on=["asn", "attempt_date"], how="left")
        .select(
            *(name for name in attempts.columns if not name.startswith("_")),
            F.coalesce("risk", F.lit(0.0)).alias("risk"),
            F.coalesce("unusual", F.array().cast("array<string>")).alias("unusual"),
            F.coalesce("_tried", F.lit(False)).alias("was_tried"),
            (F.coalesce("_burst", F.lit(False)) & F.col("_failed")).alias("in_burst"),
        )
    )


def _failures_in_bursts(tries: DataFrame, bursts: DataFrame) -> DataFrame:
    """`account_id, failed_at, failed_on`: by account and day the first failure that belongs to a burst."""
    of_burst = bursts.select("asn", F.col("burst_date").alias("attempt_date"))
    failed = tries.where(F.col("outcome").isin(*FAILED)).join(
        of_burst, on=["asn", "attempt_date"], how="left_semi"
    )
    return failed.groupBy("account_id", F.col("attempt_date").alias("failed_on")).agg(
        F.min("attempted_at").alias("failed_at")
    )


def _told(frame: DataFrame, *others: str) -> DataFrame:
    """A row for each feature: `others…, feature, value`; one of an unknown value is none."""
    place = F.concat_ws(" ", "country", "region")
    each = F.explode(
        F.array(
            F.struct(F.lit("place").alias("feature"), place.alias("value")),
            F.struct(
                F.lit("operator").alias("feature"), F.col("asn").cast("string").alias("value")
            ),
            F.struct(F.lit("connection").alias("feature"), F.col("connection").alias("value")),
        )
    )
    named = frame.select(*others, each.alias("each")).select(*others, "each.*")
    return named.where(F.col("value").isNotNull() & ~F.col("value").contains("unknown"))


def _risks(attempts: DataFrame, usage: DataFrame) -> DataFrame:
    """`event_id, attempt_date, risk, unusual` of attempts by accounts that have a past."""
    wanted = _told(attempts, "event_id", "attempt_date", "account_id")
    who = attempts.select("account_id").distinct()
    done = _told(usage, "account_id", "use_date").distinct()
    before = F.date_diff("attempt_date", "use_date").between(1, PAST_DAYS)
    # How many accounts used each value on each day, and how many days of use there were in all.
    by_day = done.groupBy("feature", "value", "use_date").agg(F.count("*").alias("used"))
    days = attempts.select("attempt_date").distinct()
    near = days.join(by_day, on=before, how="inner")
    everybody = near.groupBy("attempt_date", "feature", "value").agg(F.sum("used").alias("used"))
    total = everybody.groupBy("attempt_date", "feature").agg(F.sum("used").alias("used_in_all"))
    own = done.join(who, on="account_id", how="left_semi")
    past = wanted.join(
        own.withColumnRenamed("value", "own_value"), on=["account_id", "feature"], how="inner"
    ).where(before)
    counted = past.groupBy("event_id", "attempt_date", "feature", "value").agg(
        F.count("*").alias("n"), F.count_if(F.col("own_value") == F.col("value")).alias("c")
    )
    joined = counted.join(everybody, on=["attempt_date", "feature", "value"], how="left").join(
        total, on=["attempt_date", "feature"], how="inner"
    )
    # What nobody used is as rare as a value can be.
    share = (F.coalesce("used", F.lit(0)) + 1) / (F.col("used_in_all") + 1)
    ratio = share * (F.col("n") + PRIOR_DAYS) / (F.col("c") + PRIOR_DAYS * share)
    # Rounded, and summed as decimals: a sum of doubles depends on the order.
    return joined.groupBy("event_id", "attempt_date").agg(
        F.sum(F.round(F.log(ratio), 6).cast("decimal(20,6)")).cast("double").alias("risk"),
        F.array_sort(F.collect_list(F.when(F.col("c") == 0, F.col("feature")))).alias("unusual"),
    )
