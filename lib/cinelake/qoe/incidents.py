"""Incidents: alarms that belong together become one, which goes on from day to day until it is over.

Grain: one row an incident and day on which it was not over when the day began, or on which it began.

Alarms of one hour belong together if their cells may share sessions (no dimension has two values) and have anything
else in common: the metric, the value of a dimension, or that one is the whole service. They belong to an incident that
is not over if they do to one of its members of the last hours; to the oldest, if to several. What belongs to none opens
one. So a fault of one CDN in one region, which shows in the cells of both, of its networks and its points of presence,
in starts as in stalls, is one incident; and it stays one when it comes back within `closes_after_h` hours.

An incident's id is a hash of its founding evidence: hour, cell and metric of its first and strongest alarm. It is
`open` while its last alarm is of the last hour of the day, `recovering` after it, `closed` when it has been quiet for
`closes_after_h` hours, and over from the end of its last alarm on. No data is quiet.

Its day is a function of the alarms of the day and of its rows of the day before: run again, the same comes of it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import StructType

from cinelake.qoe.localisation.search import Verdict
from cinelake.qoe.rollups import ALL, parts_of
from cinelake.tables.qoe import QOE_INCIDENTS, STATES

Row = dict[str, Any]
Kind = tuple[str, ...]
_HOUR = timedelta(hours=1)
# What of an alarm an incident is made of.
ALARM = ("cell", "metric", "bucket_at", "evidence", "affected_sessions", "lost_minutes")
# What the search for causes adds (qoe/causes.py).
FOUND_LATER = ("verdict", "causes")


class Merging(BaseModel):
    """When an incident is over."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    closes_after_h: int = Field(
        3, ge=1, le=24, description="hours without an alarm after which an incident is over"
    )


def incidents(anomalies: DataFrame, before: DataFrame, day: date, merging: Merging) -> DataFrame:
    """The incidents of `day`, without their causes.

    `anomalies` are those of the day, `before` rows of `qoe_incidents` of the day before.
    """
    names = [name for name in QOE_INCIDENTS.names if name not in FOUND_LATER]
    alarms = anomalies.where("is_alarm").select(F.lit(0).alias("_one"), *ALARM)
    open_still = before.where(F.col("state") != "closed").select(F.lit(0).alias("_one"), *names)
    schema = StructType([QOE_INCIDENTS.schema[name] for name in names])
    shape = to_arrow_schema(schema, timezone="UTC")

    # Alarms are few, and which belong together is told one after the other.
    def merge(today: pa.Table, yesterday: pa.Table) -> pa.Table:
        rows = of_day(today.to_pylist(), yesterday.to_pylist(), day, merging)
        return pa.Table.from_pylist(rows, shape)

    both = alarms.groupBy("_one").cogroup(open_still.groupBy("_one"))
    return both.applyInArrow(merge, schema)


def figures(day: date) -> dict[str, Column]:
    """What is told of all rows of `qoe_incidents` of a day; `localised` is the share of those with a cause."""
    states = {state: F.count_if(F.col("state") == state) for state in STATES}
    is_localised = F.coalesce(F.col("verdict") == Verdict.LOCALISED, F.lit(False))
    return {
        "opened": F.count_if(F.to_date("opened_at") == F.lit(day)),
        **states,
        "localised": F.avg(is_localised.cast("double")),
    }


def of_day(
    alarms: Sequence[Mapping[str, Any]],
    before: Sequence[Mapping[str, Any]],
    day: date,
    merging: Merging,
) -> list[Row]:
    """Rows of `qoe_incidents` without causes, in order of their ids; times are naive or aware, all alike."""
    quiet = timedelta(hours=merging.closes_after_h)
    found = [_continued(row) for row in before]
    found.sort(key=lambda row: (row["opened_at"], row["incident_id"]))
    hours: dict[datetime, list[Mapping[str, Any]]] = {}
    for alarm in alarms:
        hours.setdefault(alarm["bucket_at"], []).append(alarm)
    for at in sorted(hours):
        alive = [row for row in found if at - row["last_alarm_at"] <= quiet]
        # In the order of their incidents. What this hour adds is related to nothing else of it.
        recent = [
            (member, row)
            for row in alive
            for member in row["members"].values()
            if member["last_at"] >= at - quiet
        ]
        relatives = _Relatives([member for member, _ in recent])
        for group in _groups(hours[at]):
            firsts = (places[0] for alarm in group for places in relatives.of(alarm) if places)
            oldest = min(firsts, default=None)
            owner = _opened(group[0]) if oldest is None else recent[oldest][1]
            if oldest is None:
                found.append(owner)
            _add(owner, at, group)
    zone = hours[min(hours)][0]["bucket_at"].tzinfo if hours else None
    if found and zone is None:
        zone = found[0]["opened_at"].tzinfo
    ends = datetime.combine(day + timedelta(days=1), time(), zone)
    for row in found:
        over = row["last_alarm_at"] + _HOUR
        row["state_date"] = day
        row["closed_at"] = over if ends - over >= quiet else None
        row["state"] = "closed" if row["closed_at"] else "open" if over >= ends else "recovering"
        row["members"] = [row["members"][key] for key in sorted(row["members"])]
    return sorted(found, key=lambda row: str(row["incident_id"]))


def are_related(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two cells with their metrics may show one fault."""
    return _shown_to(one, _kind(other["cell"])) == _shown_to(other, _kind(one["cell"]))


def _kind(cell: str) -> Kind:
    """The dimensions of a cell; the whole service is of a kind of its own."""
    return (ALL,) if cell == ALL else tuple(parts_of(cell))


def _shown_to(alarm: Mapping[str, Any], kind: Kind) -> tuple[str, ...]:
    """What an alarm and one of a cell of this kind have to have alike to be related."""
    if ALL in (alarm["cell"], *kind):
        return ()
    parts = parts_of(alarm["cell"])
    return tuple(parts[name] for name in sorted(parts.keys() & kind)) or (alarm["metric"],)


class _Relatives:
    """Which of some alarms are related to another: looked up, for an hour may have thousands that are to nobody."""

    def __init__(self, alarms: Sequence[Mapping[str, Any]]) -> None:
        self._alarms = alarms
        self._of_kind: dict[Kind, list[int]] = {}
        self._told: dict[tuple[Kind, Kind], dict[tuple[str, ...], list[int]]] = {}
        for place, alarm in enumerate(alarms):
            self._of_kind.setdefault(_kind(alarm["cell"]), []).append(place)

    def of(self, alarm: Mapping[str, Any]) -> Iterator[list[int]]:
        """Their places, in lists of some each, in order; who has used up a list may empty it."""
        asked = _kind(alarm["cell"])
        for kind, places in self._of_kind.items():
            if (kind, asked) not in self._told:
                told: dict[tuple[str, ...], list[int]] = {}
                for place in places:
                    told.setdefault(_shown_to(self._alarms[place], asked), []).append(place)
                self._told[kind, asked] = told
            yield self._told[kind, asked].get(_shown_to(alarm, kind), [])


def _groups(alarms: Sequence[Mapping[str, Any]]) -> Iterator[list[Mapping[str, Any]]]:
    """Alarms of one hour that belong together, the strongest first; groups by their strongest."""
    ordered = sorted(alarms, key=_strongest_first)
    relatives = _Relatives(ordered)
    is_in = [False] * len(ordered)
    for founder, alarm in enumerate(ordered):
        if is_in[founder]:
            continue
        is_in[founder] = True
        group = [alarm]
        for member in group:
            for places in relatives.of(member):
                for place in places:
                    if not is_in[place]:
                        is_in[place] = True
                        group.append(ordered[place])
                places.clear()
        yield sorted(group, key=_strongest_first)


def _strongest_first(alarm: Mapping[str, Any]) -> tuple[float, str, str]:
    return -alarm["evidence"], alarm["cell"], alarm["metric"]


def _opened(founder: Mapping[str, Any]) -> Row:
    at: datetime = founder["bucket_at"]
    evidence = f"{at:%Y-%m-%dT%H}|{founder['cell']}|{founder['metric']}"
    return {
        "incident_id": hashlib.sha256(evidence.encode()).hexdigest()[:12],
        "opened_at": at,
        "peak_at": at,
        "last_alarm_at": at,
        "metric": founder["metric"],
        "cell": founder["cell"],
        "evidence": founder["evidence"],
        "alarms": 0,
        "affected_sessions": 0.0,
        "lost_minutes": 0.0,
        "members": {},
        "timeline": [],
    }


def _continued(row: Mapping[str, Any]) -> Row:
    return {
        **row,
        "members": {(one["cell"], one["metric"]): dict(one) for one in row["members"]},
        "timeline": [dict(one) for one in row["timeline"]],
    }


def _add(incident: Row, at: datetime, group: Sequence[Mapping[str, Any]]) -> None:
    """Enter the alarms of an hour; several groups may come to one incident in one hour."""
    line = incident["timeline"]
    if not line or line[-1]["bucket_at"] != at:
        nothing = {"cells": 0, "evidence": 0.0, "affected_sessions": 0.0, "lost_minutes": 0.0}
        line.append({"bucket_at": at, **nothing})
    now = line[-1]
    now["cells"] += len(group)
    # Cells overlap: the one that most are affected in tells at least how many are.
    for name in ("evidence", "affected_sessions", "lost_minutes"):
        now[name] = max(now[name], *(alarm[name] for alarm in group))
    strongest = group[0]
    if strongest["evidence"] > incident["evidence"]:
        incident |= {name: strongest[name] for name in ("evidence", "cell", "metric")}
    incident["alarms"] += len(group)
    incident["last_alarm_at"] = at
    peak = max(line, key=lambda hour: (hour["affected_sessions"], -hour["bucket_at"].timestamp()))
    incident["peak_at"] = peak["bucket_at"]
    for name in ("affected_sessions", "lost_minutes"):
        incident[name] = sum(hour[name] for hour in line)
    for alarm in group:
        key = alarm["cell"], alarm["metric"]
        incident["members"][key] = {"cell": key[0], "metric": key[1], "last_at": at}
