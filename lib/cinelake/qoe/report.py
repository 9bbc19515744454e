"""Streaming quality in the report: how sessions fare from day to day, and the incidents that cost most."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any

from matplotlib.figure import Figure
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from cinelake.qoe.cells import quantile
from cinelake.qoe.commands import course, where
from cinelake.qoe.pictures import METRIC_NAMES, picture
from cinelake.qoe.quality.commands import said
from cinelake.qoe.ratios import of_groups, ratios
from cinelake.qoe.rollups import ALL
from cinelake.qoe.shown import advised, change, latest
from cinelake.report.page import COLD, QUIET, Cards, Cell, Grid, Part, Picture, Section
from cinelake.runtime.workspace import Workspace
from cinelake.tables.mitigation import QOE_MITIGATIONS, VERDICTS
from cinelake.tables.qoe import (
    BITRATE_EDGES_KBPS,
    DAY,
    JOIN_EDGES_MS,
    QOE_INCIDENTS,
    QOE_ROLLUPS,
    QOE_SESSIONS,
)

SHOWN, DRAWN = 12, 2
TONES = {"open": "bad", "recovering": "warn", "closed": ""}


def sections(workspace: Workspace) -> Iterator[Section]:
    """Quality by day; then incidents, where they have been looked for."""
    lake = workspace.lake
    rollups = lake.read(QOE_ROLLUPS)
    days = by_day(rollups).toArrow().to_pylist()
    if not days:
        return
    began = lake.read(QOE_SESSIONS).where(F.col("session_date") == F.lit(days[-1]["day"]))
    (named,) = of_groups(began, []).toArrow().to_pylist()
    yield quality(days, named)
    own = latest(lake.read(QOE_INCIDENTS))
    worst = own.orderBy(F.desc("affected_sessions"), "incident_id").limit(SHOWN)
    found = worst.toArrow().to_pylist()
    drawn = [(row, course(workspace, row)) for row in found[:DRAWN]]
    best = advised(lake.read(QOE_MITIGATIONS)).where(
        (F.col("place") == 1) & (F.col("verdict") == VERDICTS[0])
    )
    ids = [row["incident_id"] for row in found]
    helps = best.where(F.col("incident_id").isin(*ids)).toArrow().to_pylist()
    yield incidents(found, drawn, {row["incident_id"]: row for row in helps})


def by_day(rollups: DataFrame) -> DataFrame:
    """The whole service, a row a day, in order; a ratio of nothing is null."""
    whole = rollups.where((F.col("width") == DAY) & (F.col("cell") == ALL))
    return whole.select(
        F.col("cell_date").alias("day"),
        "attempts",
        F.try_divide("start_failures", "attempts").alias("vsf"),
        F.try_divide("exits_before_start", "attempts").alias("ebvs"),
        F.try_divide("playback_failures", "starts").alias("vpf"),
        F.try_divide("stall_ms", F.col("play_ms") + F.col("stall_ms")).alias("cirr"),
        F.try_divide(F.try_divide("bits", "bitrate_ms"), F.lit(1000)).alias("mbps"),
        (quantile("join_buckets", JOIN_EDGES_MS, 0.5) / 1000).alias("join_s"),
        (quantile("join_buckets", JOIN_EDGES_MS, 0.95) / 1000).alias("slow_join_s"),
        quantile("bitrate_buckets", BITRATE_EDGES_KBPS, 0.05).alias("low_kbps"),
    ).orderBy("day")


def quality(days: Sequence[Mapping[str, Any]], named: Mapping[str, Any]) -> Section:
    """How sessions fare by day; and those of the last day by each ratio's own name."""
    last = days[-1]

    def share(name: str) -> str:
        return "–" if last[name] is None else f"{last[name]:.2%}"

    seconds = "–" if last["join_s"] is None else f"{last['join_s']:.1f} s"
    rate = "–" if last["mbps"] is None else f"{last['mbps']:.1f} Mbit/s"
    cards = Cards(
        [
            (f"{last['attempts']:,}", f"play attempts on {last['day']}"),
            (seconds, "video start time, half of starts within"),
            (share("vsf"), "of attempts failed to start (VSF)"),
            (share("ebvs"), "of attempts left before the start (EBVS)"),
            (share("vpf"), "of plays failed (VPF)"),
            (share("cirr"), "of the time stalled by the network (CIRR)"),
            (rate, "mean bitrate, by time"),
        ]
    )
    caption = "By day, UTC. Start times are upper edges of buckets that grow by half."
    return Section(
        "Streaming quality",
        "How sessions fare, over the whole service.",
        [cards, Picture(_days(days), caption), _named(named, last["day"])],
    )


def _named(told: Mapping[str, Any], day: date) -> Grid:
    """Services compare themselves by ratios that go by one name and are of several things."""
    rows = [(ratio.name, said(told[ratio.name], ratio.unit)) for ratio in ratios().values()]
    caption = f"Of the {told['sessions']:,} sessions that began on {day}: ratios of sums."
    return Grid(("ratio, as its makers define it", "of all sessions"), rows, caption)


def incidents(
    found: Sequence[Mapping[str, Any]],
    drawn: Sequence[tuple[Mapping[str, Any], Sequence[Mapping[str, Any]]]],
    helps: Mapping[str, Mapping[str, Any]],
) -> Section:
    """The incidents that most sessions were affected by, what would have helped, and pictures of the first of them.

    `helps` is the best advice by incident, where any would have helped.
    """
    headings = (
        "incident",
        "state",
        "since, UTC",
        "what",
        "where",
        "sessions affected",
        "minutes lost",
        "would have helped",
    )
    rows = [
        (
            row["incident_id"],
            Cell(row["state"], TONES[row["state"]]),
            f"{row['opened_at']:%Y-%m-%d %H:%M}",
            METRIC_NAMES[row["metric"]],
            where(row),
            round(row["affected_sessions"]),
            round(row["lost_minutes"]),
            _help(helps.get(row["incident_id"])),
        )
        for row in found
    ]
    parts: list[Part] = [Grid(headings, rows)] if rows else []
    parts += [Picture(picture(row, beside), _caption(row)) for row, beside in drawn]
    lead = (
        "Those that most sessions were affected by, beyond what is usual. Where cells overlap, the widest counts. What "
        "would have helped is told from sessions that are alike; nothing applies it."
        if rows
        else "There has been no incident."
    )
    return Section("Incidents", lead, parts)  # fmt: skip


def _help(advice: Mapping[str, Any] | None) -> str:
    if advice is None:
        return "–"
    return f"{change(advice)}: {advice['saved_minutes']:,.0f} min of {advice['lost_minutes']:,.0f}"


def _caption(row: Mapping[str, Any]) -> str:
    return (
        f"{row['incident_id']}: on top the metric in the cell with most evidence beside what is usual at that hour; "
        "below, how many times usual it was in the cells that gave alarms; at the bottom, whom it hit by the hour."
    )


def _days(days: Sequence[Mapping[str, Any]]) -> Figure:
    figure = Figure(figsize=(11, 2.6), layout="constrained")
    panels = (
        ("% stalled (CIRR)", "cirr", 100.0),
        ("% failed to start", "vsf", 100.0),
        ("start time, 95 % (s)", "slow_join_s", 1.0),
        ("Mbit/s", "mbps", 1.0),
    )
    at = list(range(len(days)))
    step = max(1, len(days) // 5)
    for axes, (name, column, times) in zip(figure.subplots(1, len(panels)), panels, strict=True):
        values = [float("nan") if row[column] is None else times * row[column] for row in days]
        axes.plot(at, values, color=COLD, marker="o", ms=2.5)
        axes.set_title(name, fontsize=9)
        axes.set_ylim(bottom=0)
        axes.set_xticks(at[::step], [f"{row['day']:%d %b}" for row in days][::step], fontsize=7)
        axes.grid(color=QUIET, alpha=0.4)
    return figure
