"""An incident in one picture: the metric beside what is usual, the cells that it struck, and how it went."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from numpy.typing import NDArray

from cinelake.report.page import COLD, INK, QUIET, WARM

_HOUR = timedelta(hours=1)
_MOST_LIFT = 30.0
METRIC_NAMES = {
    "start_failure": "attempts that failed to start",
    "exit_before_start": "attempts left before the first frame",
    "slow_start": "starts that took too long",
    "stall": "sessions that stalled for long in an hour",
    "playback_failure": "sessions that failed while playing",
    "dropped_frames": "sessions with jerking pictures",
    "low_bitrate": "sessions with a blurred picture",
}


def picture(incident: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> Figure:
    """The picture of a row of `qoe_incidents`; `rows` as `shown.around` tells them, cells in their order."""
    cells = list(dict.fromkeys(row["cell"] for row in rows))
    height = 6.2 + 0.28 * max(len(cells), 1)
    figure = Figure(figsize=(11, height), layout="constrained")
    shares = [2.4, 0.28 * max(len(cells), 1) + 0.5, 1.6]
    series, heat, line = figure.subplots(3, 1, sharex=True, height_ratios=shares)
    figure.suptitle(title(incident), fontsize=12, ha="left", x=0.01)
    own = [row for row in rows if row["cell"] == incident["cell"]]
    _series(series, incident, own)
    _heat(figure, heat, cells, rows)
    _timeline(line, incident)
    line.xaxis_date()
    line.set_xlabel("UTC")
    return figure


def title(incident: Mapping[str, Any]) -> str:
    """What happened, where, to how many."""
    blamed = [cause["cause"] for cause in incident["causes"] if cause["is_blamed"]]
    where = " and ".join(blamed) if blamed else f"{incident['cell']} (cause not told apart)"
    return (
        f"{METRIC_NAMES[incident['metric']]}: {where}\n"
        f"{incident['incident_id']}, {incident['state']}, since {incident['opened_at']:%Y-%m-%d %H:%M} UTC, "
        f"{incident['affected_sessions']:,.0f} sessions affected beyond what is usual, "
        f"{incident['lost_minutes']:,.0f} viewer minutes lost"
    )


def _days(times: Sequence[datetime]) -> NDArray[np.float64]:
    """Times as matplotlib knows them, in days since 1970."""
    # What the lake tells is UTC, whether it says so or not.
    aware = (at if at.tzinfo else at.replace(tzinfo=UTC) for at in times)
    return np.array([at.timestamp() / 86_400 for at in aware], dtype=np.float64)


def _series(axes: Axes, incident: Mapping[str, Any], own: Sequence[Mapping[str, Any]]) -> None:
    told = [row for row in own if row["total"] > 0]
    at = [row["bucket_at"] for row in told]
    # An hour's share stands in its middle, over its cells in the map.
    times = _days(at) + 0.5 / 24
    rate = [100 * row["bad"] / row["total"] for row in told]
    usual, low, high = (
        100 * np.array([math.nan if row[name] is None else row[name] for row in told])
        for name in ("usual", "low", "high")
    )
    axes.fill_between(times, low, high, color=QUIET, alpha=0.5, label="usual at this hour, ±3σ")
    axes.plot(times, usual, color=INK, lw=0.8, ls="--")
    axes.plot(times, rate, color=WARM, marker="o", ms=3, lw=1.5, label=incident["cell"])
    axes.set_ylabel("% of sessions")
    axes.set_ylim(bottom=0)
    axes.legend(loc="upper left", frameon=False, fontsize=8)
    start, end = _days([incident["opened_at"], incident["last_alarm_at"] + _HOUR])
    axes.axvspan(start, end, color=WARM, alpha=0.08)


def _heat(
    figure: Figure, axes: Axes, cells: Sequence[str], rows: Sequence[Mapping[str, Any]]
) -> None:
    hours = _hours([row["bucket_at"] for row in rows])
    lifts = np.full((len(cells), len(hours)), math.nan)
    place = {at: number for number, at in enumerate(hours)}
    for row in rows:
        # Of what nothing is known nothing is usual, and nothing is drawn.
        if row["total"] and row["usual"] is not None:
            # Half a session more on both sides, so that nothing divides by nothing.
            expected = row["usual"] * row["total"]
            lift = (row["bad"] + 0.5) / (expected + 0.5)
            lifts[cells.index(row["cell"]), place[row["bucket_at"]]] = lift
    axes.set_yticks(np.arange(len(cells)) + 0.5, cells, fontsize=7)
    if not hours:
        return
    edges = _days([*hours, hours[-1] + _HOUR])
    norm = LogNorm(1 / _MOST_LIFT, _MOST_LIFT)
    mesh = axes.pcolormesh(edges, np.arange(len(cells) + 1), lifts, cmap="RdBu_r", norm=norm)
    axes.invert_yaxis()
    figure.colorbar(mesh, ax=axes, label="times usual", shrink=0.9)


def _hours(times: Sequence[datetime]) -> list[datetime]:
    if not times:
        return []
    first, last = min(times), max(times)
    return [first + n * _HOUR for n in range(int((last - first) / _HOUR) + 1)]


def _timeline(axes: Axes, incident: Mapping[str, Any]) -> None:
    line = incident["timeline"]
    times = _days([hour["bucket_at"] for hour in line])
    affected = [hour["affected_sessions"] for hour in line]
    axes.bar(times, affected, width=1 / 24, align="edge", color=COLD)
    axes.set_ylabel("sessions affected")
    axes.margins(y=0.2)
    marks = {"opened": "opened_at", "peak": "peak_at", "over": "closed_at"}
    for name, column in marks.items():
        if incident[column] is not None:
            at = _days([incident[column]])[0]
            axes.axvline(at, color=INK, lw=0.8, ls=":")
            # The peak may be the hour after the first: its name stands below the other's.
            axes.annotate(
                name,
                (at, 1),
                xycoords=("data", "axes fraction"),
                xytext=(2, 0),
                textcoords="offset points",
                fontsize=8,
                va="top" if name == "peak" else "bottom",
            )
