"""Pictures of how the suite fares: what came by source and day, and where the time of its jobs goes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from cinelake.report.page import AROUND_ONE, COLD, INK, QUIET, WARM

# Beyond thrice and a third of what is usual all looks the same.
FARTHEST = 3.0
SHOWN_JOBS = 25


@dataclass(frozen=True)
class Spent:
    """What a job's run took, for how much of that Spark was at work, and whether it spilled."""

    job: str
    seconds: float
    busy: float
    has_spilled: bool


def deliveries(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """Rows of `DELIVERY_HEALTH` of the measure `records`: each day beside what is usual, alarms marked."""
    sources = sorted({row["source"] for row in rows})
    days = sorted({row["day"] for row in rows})
    ratios = np.full((len(sources), len(days)), np.nan)
    figure = Figure(figsize=(11, 0.9 + 0.3 * len(sources)), layout="constrained")
    axes = figure.subplots()
    for row in rows:
        place = sources.index(row["source"]), days.index(row["day"])
        if row["low"] is not None and row["baseline"]:
            ratios[place] = np.log(max(row["value"], 1.0) / row["baseline"])
        if row["is_alarm"]:
            axes.plot(place[1], place[0], marker="o", ms=7, mfc="none", mec=INK, mew=1.4)
    limit = np.log(FARTHEST)
    colours = mpl.colormaps[AROUND_ONE].with_extremes(bad="#f4f6f8")
    shown = axes.imshow(ratios, cmap=colours, vmin=-limit, vmax=limit, aspect="auto")
    axes.set_yticks(range(len(sources)), sources)
    every = max(1, len(days) // 12)
    axes.set_xticks(range(0, len(days), every), [f"{day:%d %b}" for day in days[::every]])
    axes.tick_params(colors=INK, labelsize=9, length=0)
    axes.spines[:].set_visible(False)
    bar = figure.colorbar(shown, ax=axes, pad=0.01, fraction=0.03)
    bar.set_ticks([-limit, 0.0, limit], labels=["a third", "as usual", "thrice"])
    bar.outline.set_visible(False)
    return figure


def hours(rows: Sequence[Mapping[str, Any]], source: str, first: date, days: int) -> Figure:
    """Rows of `DELIVERY_HOURS` of one source: records by day and hour, on a logarithmic scale; white is none."""
    counts = np.zeros((24, days))
    for row in rows:
        place = (row["event_date"] - first).days
        if row["source"] == source and 0 <= place < days:
            counts[row["hour"], place] = row["records"]
    figure = Figure(figsize=(11, 3.0), layout="constrained")
    axes = figure.subplots()
    axes.imshow(np.ma.masked_equal(np.log1p(counts), 0.0), cmap="YlGnBu", aspect="auto")
    axes.set_title(f"{source}: records by day and hour (UTC)", loc="left", fontsize=10, color=INK)
    axes.set_yticks(range(0, 24, 6), [f"{hour:02d}:00" for hour in range(0, 24, 6)])
    at = range(0, days, max(1, days // 12))
    axes.set_xticks(at, [f"{first + timedelta(days=day):%d %b}" for day in at])
    axes.tick_params(colors=INK, labelsize=9, length=0)
    axes.spines[:].set_visible(False)
    return figure


def costs(jobs: Sequence[Spent]) -> Figure:
    """How long each job's newest run took, and for how much of that Spark was at work."""
    shown = sorted(jobs, key=lambda each: each.seconds)[-SHOWN_JOBS:]
    figure = Figure(figsize=(10, 0.9 + 0.24 * len(shown)), layout="constrained")
    axes = figure.subplots()
    names = [each.job for each in shown]
    axes.barh(
        names, [each.seconds for each in shown], color=QUIET, height=0.7, label="beside Spark"
    )
    busy = [min(each.busy, each.seconds) for each in shown]
    axes.barh(names, busy, color=COLD, height=0.7, label="Spark at work")
    spilled = [(each.seconds, each.job) for each in shown if each.has_spilled]
    for seconds, job in spilled:
        axes.plot([seconds], [job], marker="D", ms=6, color=WARM)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0, labelsize=9, colors=INK)
    axes.set_xlabel("seconds of the newest run" + (" (◆ spilled to disk)" if spilled else ""))
    axes.margins(y=0.01)
    if shown:
        axes.legend(frameon=False, loc="lower right", fontsize=9)
    return figure
