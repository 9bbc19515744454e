"""Parties of accounts as of days: the household model over frames.

For each day on which an account streamed, its parties by the weeks up to that day (see `household`). Accounts that did
not stream have no new evidence, and no rows. An account's weeks are gathered into one row and told in Arrow batches:
union-find has no built-in function. Of a day of an account with absurdly many rows (a display in a
shop, a robot) those most used count, in a total order: what counts does not depend on the window.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import to_arrow_schema

from cinelake.integrity.household import features, parties, registered_late
from cinelake.integrity.usage import KEY
from cinelake.tables.integrity import ACCOUNT_PARTIES

# Days up to a day by which its parties are told: five weeks hold five weekends.
WEEKS = 35
USED = ("use_date", "device_id", "profile_id", "network", "connection", "country", "region", "device_kind",
        "device_since", "asn", "plays", "played_ms", "weekend_plays", "hours", "genres")  # fmt: skip
CHANGED = ("changed_on", "what")
LOGGED_IN = ("attempt_date", "device_id", "is_new_device", "asn", "region", "risk", "was_tried")
# Rows of usage, and of log-ins, of one account and day that count: a home of twenty devices has a tenth of it.
MOST_ROWS = 1_000


def account_parties(
    usage: DataFrame,
    log_ins: DataFrame,
    changed: DataFrame,
    signed_up: DataFrame,
    start: date,
    end: date,
    most_rows: int = MOST_ROWS,
) -> DataFrame:
    """Rows of `account_parties` of `[start, end)`; usage and log-ins are read from `WEEKS - 1` days before.

    `log_ins` are rows of `log_in_risks`, `changed` of `account_changes`, `signed_up` of `sign_ups`.
    """
    active = usage.where((F.col("use_date") >= F.lit(start)) & (F.col("use_date") < F.lit(end)))
    who = active.select("account_id").distinct()
    most_used = Window.partitionBy("account_id", "use_date").orderBy(F.desc("played_ms"), *KEY[2:])
    kept = (
        usage.join(who, on="account_id", how="left_semi")
        .select("account_id", *USED, F.row_number().over(most_used).alias("_place"))
        .where(F.col("_place") <= most_rows)
    )
    used = kept.groupBy("account_id").agg(F.collect_list(F.struct(*USED)).alias("usage"))
    riskiest = Window.partitionBy("account_id", "attempt_date").orderBy(F.desc("risk"), "event_id")
    came = (
        log_ins.where("is_success")
        .select("account_id", *LOGGED_IN, F.row_number().over(riskiest).alias("_place"))
        .where(F.col("_place") <= most_rows)
        .groupBy("account_id")
        .agg(F.collect_list(F.struct(*LOGGED_IN)).alias("log_ins"))
    )
    lately = F.col("changed_on").between(
        F.lit(start - timedelta(days=WEEKS - 1)), F.lit(end - timedelta(days=1))
    )
    after = (
        changed.where(lately)
        .groupBy("account_id")
        .agg(F.collect_list(F.struct(*CHANGED)).alias("changed"))
    )
    gathered = used
    for told_of in (came, after, signed_up):
        gathered = gathered.join(told_of, on="account_id", how="left")
    schema = to_arrow_schema(ACCOUNT_PARTIES.schema, timezone="UTC")

    def told(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            rows = [
                row for account in batch.to_pylist() for row in _of_account(account, start, end)
            ]
            yield pa.RecordBatch.from_pylist(rows, schema=schema)

    # No built-in function finds connected parts; see tests/benchmarks/bench_integrity.py for what it costs.
    return gathered.mapInArrow(told, ACCOUNT_PARTIES.schema)


def _of_account(account: Mapping[str, Any], start: date, end: date) -> Iterator[dict[str, Any]]:
    usage, log_ins, changed = account["usage"], account["log_ins"] or [], account["changed"] or []
    for as_of in sorted({row["use_date"] for row in usage if start <= row["use_date"] < end}):
        since = as_of - timedelta(days=WEEKS)
        near = [row for row in usage if since < row["use_date"] <= as_of]
        came = [row for row in log_ins if since < row["attempt_date"] <= as_of]
        known = [row for row in changed if since < row["changed_on"] <= as_of]
        began = (each["day"] for each in account["signed_up_at"] or () if each["told_on"] <= as_of)
        is_late = registered_late(near, min(began, default=None), as_of)
        found = parties(near, came, is_late)
        for place, party in enumerate(found):
            told = features(party, found[0], len(found), as_of, known, is_late) if place > 0 else {}
            yield {
                "account_id": account["account_id"],
                "as_of": as_of,
                "party": party.name,
                "is_home": place == 0,
                "used_today": as_of in party.days,
                "devices": party.devices,
                "profiles": sorted(party.distinct("profile_id")),
                "networks": len(party.distinct("network")),
                "country": party.mostly("country"),
                "region": party.mostly("region"),
                "first_on": min(party.days),
                "last_on": max(party.days),
                "days": len(party.days),
                "played_ms": party.total("played_ms"),
                "features": [{"name": n, "value": float(told[n])} for n in sorted(told)],
            }
