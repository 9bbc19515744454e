"""Whom incidents struck, and what is held against it: the sessions of an incident's hours, and what each lost.

Grain of `compared`: one row an incident and day, session of its hours, kind of change and fineness of likeness.

A session is of an hour if play was pressed in it, or it played or stalled in it. It is struck if it is of what the
incident blames, or, where nothing is blamed, of the cell with the strongest evidence. It lost, in those hours: the
wait for the picture, connection-induced stalls, and, as alarms count it (qoe/anomalies.py), what a usual start is
watched for a start that failed or was left, half of that for a playback that failed. Pictures that jerk or are blurred
lose nobody any time, so of incidents that show in these most nothing is advised: minutes would tell of something else.

What can be changed are the CDN, the app's version, and the bitrate, by a cap: a session had a cap if its mean bitrate
lay at or under it. Sessions are alike if they share what the incident blames, the change apart, and some of what bears
on loss and the change does not touch: a CDN has points of presence of its own, so those are no likeness; a player that
can load more chooses more, so caps are compared among sessions of like throughput (within a factor of two). Finer
likeness is tried first; where too few are alike, a coarser one, and the advice says which.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce

from pydantic import Field
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from cinelake.qoe.cells import UNKNOWN
from cinelake.qoe.mitigation import Matching, advice, best_first
from cinelake.qoe.rollups import ALL
from cinelake.tables.mitigation import QOE_MITIGATIONS, VERDICTS
from cinelake.tables.qoe import DIMENSIONS

THROUGHPUT = "throughput"
# By change, from the finest to the coarsest.
LIKENESS: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "cdn": (("isp", "region", "connection", "device_model"), ("isp", "region"), ("region",)),
    "app_version": (("device_model", "cdn", "isp", "region"), ("device_model", "region"), ("device_model",)),
    "bitrate_cap": ((THROUGHPUT, "cdn", "isp", "region"), (THROUGHPUT, "cdn", "region"), (THROUGHPUT,)),
}  # fmt: skip
_UNTOUCHED = "untouched"
# Metrics of which no loss is counted.
WITHOUT_LOSS = ("dropped_frames", "low_bitrate")


class Advising(Matching):
    """What may be advised, and on how many sessions that are alike."""

    caps_kbps: tuple[int, ...] = Field(
        (1500, 3000, 6000),
        description="caps that are weighed: about what SD, 720p and 1080p take (kbit/s)",
    )
    watched_ms: int = Field(
        1_800_000, gt=0, description="what a start is watched that came to nothing (ms)"
    )


def mitigations(incidents: DataFrame, sessions: DataFrame, advising: Advising) -> DataFrame:
    """Rows of `qoe_mitigations` for rows of `qoe_incidents` with alarms on their day; none of metrics without loss.

    `sessions` are rows of `qoe_sessions` of those days and of the day before.
    """
    matching = Matching(**advising.model_dump(exclude={"caps_kbps", "watched_ms"}))
    losing = incidents.where(~F.col("metric").isin(*WITHOUT_LOSS))
    told = advice(compared(losing, sessions, advising), "value", ["stratum"], matching)
    key = F.split("incident_id", r"\|")
    parts = told.where(F.col("alternative") != _UNTOUCHED).select(
        key[0].alias("incident_id"),
        key[1].cast("date").alias("state_date"),
        key[2].alias("change"),
        key[3].alias("alike_by"),
        key[4].cast("int").alias("_coarse"),
        *(name for name in told.columns if name not in {"incident_id", "change", "place"}),
    )
    is_told = (F.col("verdict") != "little_overlap").cast("int")
    own = Window.partitionBy("incident_id", "state_date", "change", "alternative")
    # The finest that tells anything; where none does, the one of which most have their like.
    chosen = F.row_number().over(
        own.orderBy(-is_told, F.when(is_told == 1, F.col("_coarse")), F.desc("overlap"), "_coarse")
    )
    kept = parts.select("*", chosen.alias("_chosen")).where(F.col("_chosen") == 1)
    order = best_first(Window.partitionBy("incident_id", "state_date"), "change", "alternative")
    return kept.select("*", F.row_number().over(order).alias("place")).select(
        *QOE_MITIGATIONS.names
    )


def figures() -> dict[str, Column]:
    """How many rows of `qoe_mitigations` have each verdict."""
    return {verdict: F.count_if(F.col("verdict") == verdict) for verdict in VERDICTS}


def compared(incidents: DataFrame, sessions: DataFrame, advising: Advising) -> DataFrame:
    """`incident_id` (id, day, change, likeness, its place, number of the cap), `is_struck, value, stratum, lost_ms`."""
    beside = _beside(incidents, sessions, advising)
    rows = F.array(
        *(
            F.struct(
                F.concat_ws(
                    "|", "incident_id", F.col("state_date").cast("string"), F.lit(change),
                    F.lit("+".join(alike)), F.lit(place), F.lit(number),
                ).alias("incident_id"),
                value.alias("value"),
                _stratum(change, alike).alias("stratum"),
            )
            for change, values in _values(advising).items()
            # One is under several caps, each of which is held against what is over it.
            for number, value in enumerate(values)
            for place, alike in enumerate(LIKENESS[change])
        )
    )  # fmt: skip
    return beside.select("is_struck", "lost_ms", F.inline(rows)).select(
        "incident_id", "is_struck", "value", "stratum", "lost_ms"
    )


def _values(advising: Advising) -> dict[str, list[Column]]:
    """What each session had, by change; of a cap whether it lay under it."""
    rate = F.col("bits") / F.nullif(F.col("bitrate_ms"), F.lit(0))
    caps = [
        F.when(rate <= cap, str(cap)).when(rate > cap, _UNTOUCHED) for cap in advising.caps_kbps
    ]
    return {"cdn": [F.col("cdn")], "app_version": [F.col("app_version")], "bitrate_cap": caps}


def _stratum(change: str, alike: tuple[str, ...]) -> Column:
    """What sessions are alike by; null where any of it is not known."""
    parts = [F.col(name).cast("string") for name in alike]
    return F.concat(
        F.col(f"_like_{change}").cast("string"), *(F.concat(F.lit("|"), p) for p in parts)
    )


def _beside(incidents: DataFrame, sessions: DataFrame, advising: Advising) -> DataFrame:
    """Each session beside the incidents in whose hours it was, with what it lost there."""
    hours = F.filter(
        F.transform("timeline", lambda line: line["bucket_at"]),
        lambda at: F.to_date(at) == F.col("state_date"),
    )
    blamed = F.transform(
        F.filter("causes", lambda cause: cause["is_blamed"]), lambda cause: cause["cause"]
    )
    named = F.when(F.size(blamed) > 0, blamed).otherwise(F.array("cell"))
    told = incidents.select(
        "incident_id",
        "state_date",
        hours.alias("_hours"),
        F.transform(named, _attributes).alias("_causes"),
    ).where(F.size("_hours") > 0)
    in_hours = F.array_contains("_hours", F.date_trunc("hour", "started_at"))
    pieces = F.filter(
        "slices",
        lambda piece: F.array_contains("_hours", F.date_trunc("hour", piece["slice_at"])),
    )
    # Incidents of a day are few, and most sessions are in none of their hours.
    met = sessions.where("is_sound").join(
        F.broadcast(told), on=in_hours | (F.size(pieces) > 0), how="inner"
    )
    fails_here = F.array_contains("_hours", F.date_trunc("hour", "ended_at"))
    stalled = F.aggregate(pieces, F.lit(0).cast("bigint"), lambda sum, p: sum + p["stall_ms"])
    outcome = F.col("outcome")
    lost = (
        stalled
        + F.when(in_hours, F.coalesce("join_ms", "wait_ms", F.lit(0))).otherwise(0)
        + F.when(
            in_hours & outcome.isin("start_failure", "exit_before_start"), advising.watched_ms
        ).otherwise(0)
        + F.when(fails_here & (outcome == "playback_failure"), advising.watched_ms // 2).otherwise(
            0
        )
    )
    mean = F.col("throughput_kbps") / F.nullif(F.col("throughput_beats"), F.lit(0))
    return met.select(
        "incident_id",
        "state_date",
        *DIMENSIONS,
        "bits",
        "bitrate_ms",
        F.floor(F.log2(F.nullif(mean, F.lit(0.0)))).alias(THROUGHPUT),
        lost.alias("lost_ms"),
        _is_of("").alias("is_struck"),
        *(_is_of(change).alias(f"_like_{change}") for change in LIKENESS),
    )


def _attributes(cause: Column) -> Column:
    """A combination as a struct of all dimensions; of those that it does not name null."""
    parts = F.str_to_map(F.when(cause != ALL, cause), F.lit(r"\|"), F.lit("="))
    return F.struct(*(F.try_element_at(parts, F.lit(name)).alias(name) for name in DIMENSIONS))


def _is_of(change: str) -> Column:
    """Whether a session is of any cause, but for the dimension that is changed."""

    def holds(cause: Column) -> Column:
        each = (
            cause[name].isNull() | (cause[name] == F.coalesce(F.col(name), F.lit(UNKNOWN)))
            for name in DIMENSIONS
            if name != change
        )
        return reduce(Column.__and__, each)

    return F.exists("_causes", holds)
