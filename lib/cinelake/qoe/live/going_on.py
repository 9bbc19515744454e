"""What goes on right now: incidents of the batch, continued by alarms that the watch has told of since.

The batch knows of days that are over, and says what holds of them. Alarms of the days after those are merged as the
batch will merge them (qoe/incidents.py): they go on with an incident that is not over, or open one. What is opened has
no cause yet, and may get another id from the batch, which knows more; where hours are not over, state is as of the
newest hour that was heard of.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from cinelake.qoe.incidents import ALARM, Merging, of_day

Row = dict[str, Any]
_HOUR = timedelta(hours=1)


def later(live: DataFrame, rollups: DataFrame) -> DataFrame:
    """Alarms of `qoe_anomalies_live` of the days after the newest of `qoe_rollups`, by which the batch judges."""
    newest = rollups.agg(F.max("cell_date").alias("_newest"))
    is_later = F.col("_newest").isNull() | (F.col("anomaly_date") > F.col("_newest"))
    alarms = live.where("is_alarm").crossJoin(F.broadcast(newest)).where(is_later)
    return alarms.select("anomaly_date", *ALARM)


def going_on(
    known: Sequence[Mapping[str, Any]],
    alarms: Sequence[Mapping[str, Any]],
    now: datetime,
    merging: Merging,
) -> list[Row]:
    """Rows as of `qoe_incidents`, with `is_live`, of the incidents of `alarms`; those with the latest alarms first.

    `known` are the newest rows of incidents that are not closed, `alarms` rows of `later`, `now` the newest hour.
    """
    days: dict[date, list[Mapping[str, Any]]] = {}
    for alarm in alarms:
        days.setdefault(alarm["anomaly_date"], []).append(alarm)
    told: list[Row] = [dict(row) for row in known]
    for day in sorted(days):
        told = of_day(days[day], [row for row in told if row["state"] != "closed"], day, merging)
    quiet = timedelta(hours=merging.closes_after_h)
    first = min((alarm["bucket_at"] for alarm in alarms), default=now)
    found: list[Row] = []
    for row in told:
        if not days or row["last_alarm_at"] < first:
            continue
        # The hour that goes on may still bring an alarm.
        over = row["last_alarm_at"] + _HOUR
        is_closed = now - over >= quiet
        state = "closed" if is_closed else "open" if over >= now else "recovering"
        found.append(
            {"verdict": None, "causes": []}
            | row
            | {"state": state, "closed_at": over if is_closed else None, "is_live": True}
        )
    return sorted(
        found, key=lambda row: (row["last_alarm_at"], row["affected_sessions"]), reverse=True
    )
