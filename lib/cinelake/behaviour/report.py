"""What is watched: the part of the report that a programme planner reads first.

Genres overlap, so their hours add up to more than what was watched. Seasons are told as indices: of all watching in
a weekday or month, a genre's share, divided by its share over all days. 1 is as usual; amounts of viewing, which
change for other reasons, do not enter (the index of seasonal decomposition, on shares).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from cinelake.behaviour.distinct import estimate, merged
from cinelake.behaviour.history import latest
from cinelake.behaviour.rollups import TENTHS, completion_curves, trends
from cinelake.report.page import (
    AMOUNTS,
    AROUND_ONE,
    COLD,
    INK,
    QUIET,
    WARM,
    Cards,
    Grid,
    Part,
    Picture,
    Section,
)
from cinelake.runtime.delta.lake import Lake
from cinelake.runtime.workspace import Workspace
from cinelake.tables.behaviour import TITLES
from cinelake.tables.features import PROFILE_DAYS, TITLE_DAYS
from cinelake.tables.tastes import GENRE_HOURS

DEVICES = ("tv", "console", "laptop", "tablet", "phone", "unknown")
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_GENRES, _TITLES = 12, 10
# A week against the four weeks before it; half a start a day keeps what is hardly watched from rising.
_LATELY_DAYS, _BEFORE_DAYS, _FLOOR = 7, 28, 0.5
# A month that the data only touches has no season.
_LEAST_DAYS = 14
# Of the colours around 1, those too dark for dark letters.
_DARK = 0.75


def sections(workspace: Workspace) -> Iterator[Section]:
    """Watching by genre, device, hour and season; titles; and how people find them."""
    lake = workspace.lake
    hours = lake.read(GENRE_HOURS)
    if hours.isEmpty():
        return
    yield programme_types(hours)
    yield titles(lake)
    yield habits(lake.read(PROFILE_DAYS))


def programme_types(hours: DataFrame) -> Section:
    """Watch time by genre × device × hour, and the seasons of genres."""
    genres = [row["genre"] for row in _few(top_genres(hours, _GENRES))]
    kept = hours.where(F.col("genre").isin(genres))
    by_hour = _few(
        kept.groupBy("genre", "device_kind", "local_hour").agg(F.sum("seconds_watched").alias("s"))
    )
    parts: list[Part] = [
        Picture(
            _by_device_and_hour(by_hour, genres),
            "Hours watched, by genre (most watched first), kind of device and hour on the viewers' clocks. Each kind "
            "of device has its own scale, so that its day shows; the number is its share of all watching.",
        )
    ]
    weekday = _few(seasonal_index(kept, F.col("local_weekday"), "period"))
    parts.append(
        Picture(
            _index_map(weekday, genres, list(range(1, 8)), WEEKDAYS),
            "Weekdays: a genre's share of the day's watching, against its share of all watching. Above 1 (red) it "
            "has its day.",
        )
    )
    whole = kept.groupBy(F.trunc("play_date", "month").alias("month")).agg(
        F.count_distinct("play_date").alias("days")
    )
    months = [r["month"] for r in _few(whole.where(F.col("days") >= _LEAST_DAYS).orderBy("month"))]
    if len(months) > 1:
        by_month = _few(seasonal_index(kept, F.trunc("play_date", "month"), "period"))
        named = [f"{month:%b %y}" for month in months]
        parts.append(Picture(_index_map(by_month, genres, months, named), "Months, told likewise."))
    return Section(
        "Programme types",
        "What is watched when, and on what. A title counts whole in each of its genres.",
        parts,
    )


def titles(lake: Lake) -> Section:
    """The most watched titles, those that rise, and where viewers drop off."""
    days = lake.read(TITLE_DAYS)
    last = days.agg(F.date_add(F.max("play_date"), 1).alias("as_of")).first()
    assert last is not None
    most = _called(most_watched(days, _TITLES), lake)
    watched = [
        (row["name"], row["hours"], row["starts"], row["viewers"], 100 * row["finished"])
        for row in _few(most.orderBy(F.desc("hours"), "title_id"))
    ]
    rising = trends(days, last["as_of"], _LATELY_DAYS, _BEFORE_DAYS, _FLOOR)
    first = rising.orderBy(F.desc("trend"), "title_id").limit(_TITLES)
    risen = [
        (row["name"], row["starts"], row["starts_before"], row["trend"])
        for row in _few(_called(first, lake).orderBy(F.desc("trend"), "title_id"))
    ]
    kind = F.when(F.col("watched_id") == F.col("title_id"), "films").otherwise("episodes")
    curves = _few(completion_curves(days.select("*", kind.alias("kind")), ["kind"]).orderBy("kind"))
    return Section(
        "Titles",
        "Viewers are profiles, counted by a sketch (give or take 3 %).",
        [
            Grid(("most watched", "hours", "starts", "viewers", "% finished"), watched),
            Grid(
                (
                    "rising",
                    f"starts in {_LATELY_DAYS} days",
                    f"in the {_BEFORE_DAYS} before",
                    "trend",
                ),
                risen,
                f"Starts a day in the last {_LATELY_DAYS} days against the {_BEFORE_DAYS} days before them, with "
                f"{_FLOOR} added to both.",
            ),
            Picture(
                _curves(curves),
                "Completion: of the starts, how many came at least so far; where the curve falls, viewers drop off.",
            ),
        ],
    )


def habits(days: DataFrame) -> Section:
    """How people find what they watch."""
    counted = ("starts", "finished", "binged", "browse_sessions", "exits", "searches",
               "zero_result_searches", "played_searches")  # fmt: skip
    (told,) = _few(
        days.agg(
            F.count_distinct("profile_id").alias("profiles"),
            *(F.sum(name).alias(name) for name in counted),
            *((F.sum(name) / 3600).alias(name) for name in ("seconds_watched", "seconds_browsing")),
        )
    )
    by_profile = days.groupBy("profile_id").agg((F.sum("seconds_watched") / 3600).alias("hours"))
    octave = F.floor(F.log2(F.greatest("hours", F.lit(0.25)))).alias("octave")
    spread = _few(by_profile.groupBy(octave).count())
    cards = Cards(
        [
            (f"{told['profiles']:,}", "profiles were active"),
            (f"{told['seconds_watched']:,.0f} h", "watched"),
            (_percent(told["finished"], told["starts"]), "of starts seen to the end"),
            (_percent(told["binged"], told["starts"]), "of starts followed another episode"),
            (_percent(told["exits"], told["browse_sessions"]), "of browsing ended without a play"),
            (_percent(told["zero_result_searches"], told["searches"]), "of searches found nothing"),
            (_percent(told["played_searches"], told["searches"]), "of searches ended in a play"),
            (f"{told['seconds_browsing']:,.0f} h", "spent browsing"),
        ]
    )
    caption = "Profiles by how long they watched, over all days. Each bar covers twice the hours of the one before."
    return Section(
        "Habits", "How people find what they watch.", [cards, Picture(_octaves(spread), caption)]
    )


def top_genres(hours: DataFrame, n: int) -> DataFrame:
    """The n genres that were watched longest: `genre, seconds`."""
    summed = hours.groupBy("genre").agg(F.sum("seconds_watched").alias("seconds"))
    return summed.orderBy(F.desc("seconds"), "genre").limit(n)


def seasonal_index(hours: DataFrame, period: Column, name: str) -> DataFrame:
    """`genre, name, index double`: a genre's share of a period's watching, by its share of all watching."""
    cells = hours.groupBy("genre", period.alias(name)).agg(
        F.sum("seconds_watched").cast("double").alias("seconds")
    )
    of_period = F.sum("seconds").over(Window.partitionBy(name))
    of_genre = F.sum("seconds").over(Window.partitionBy("genre"))
    of_all = F.sum("seconds").over(Window.partitionBy(F.lit(0)))
    usual = of_genre / F.when(of_all > 0, of_all)
    share = F.col("seconds") / F.when(of_period > 0, of_period)
    return cells.select("genre", name, (share / F.when(usual > 0, usual)).alias("index"))


def most_watched(days: DataFrame, n: int) -> DataFrame:
    """The n titles that were watched longest: `title_id, hours, starts, viewers, finished` (a share)."""
    summed = days.groupBy("title_id").agg(
        (F.sum("seconds_watched") / 3600).cast("double").alias("hours"),
        F.sum("starts").alias("starts"),
        (F.sum("finished") / F.when(F.sum("starts") > 0, F.sum("starts"))).alias("finished"),
    )
    most = summed.orderBy(F.desc("hours"), "title_id").limit(n)
    sketches = merged(days.join(most, "title_id", "left_semi"), ["title_id"], "viewers_sketch")
    viewers = sketches.select("title_id", estimate("viewers_sketch").alias("viewers"))
    return most.join(viewers, on="title_id")


def _called(rows: DataFrame, lake: Lake) -> DataFrame:
    """Rows of titles with the newest name of each."""
    names = latest(lake.read(TITLES), ["title_id"], "name")
    called = F.coalesce("name", F.concat(F.lit("title "), "title_id")).alias("name")
    return rows.join(names, on="title_id", how="left").select(*rows.columns, called)


def _few(frame: DataFrame) -> list[dict[str, Any]]:
    """Rows that are few by construction, on the driver."""
    rows: list[dict[str, Any]] = frame.toArrow().to_pylist()
    return rows


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.0f} %" if whole else "none"


def _bare(axes: Axes) -> None:
    axes.spines[["top", "right", "left", "bottom"]].set_visible(False)
    axes.tick_params(length=0, labelsize=9, colors=INK)


def _by_device_and_hour(rows: Sequence[dict[str, Any]], genres: Sequence[str]) -> Figure:
    devices = [d for d in DEVICES if any(row["device_kind"] == d for row in rows)]
    hours = {d: np.zeros((len(genres), 24)) for d in devices}
    for row in rows:
        place = genres.index(row["genre"]), row["local_hour"]
        hours[row["device_kind"]][place] += float(row["s"]) / 3600
    figure = Figure(figsize=(11, 1 + 0.28 * len(genres)), layout="constrained")
    axes = figure.subplots(1, len(devices), sharey=True, squeeze=False)[0]
    everything = sum(table.sum() for table in hours.values())
    axes[0].invert_yaxis()
    for each, device in zip(axes, devices, strict=True):
        each.pcolormesh(hours[device], cmap=AMOUNTS, rasterized=False)
        share = 100 * hours[device].sum() / everything if everything else 0
        each.set_title(f"{device}  {share:.0f} %", loc="left", fontsize=10, color=INK)
        each.set_xticks([0.5, 6.5, 12.5, 18.5], ["0", "6", "12", "18"])
        each.set_yticks(np.arange(len(genres)) + 0.5, genres)
        _bare(each)
    return figure


def _index_map(
    rows: Sequence[dict[str, Any]], genres: Sequence[str], periods: Sequence[Any], names: Sequence[str]
) -> Figure:  # fmt: skip
    table = np.full((len(genres), len(periods)), np.nan)
    for row in rows:
        if row["period"] in periods:
            table[genres.index(row["genre"]), periods.index(row["period"])] = row["index"]
    figure = Figure(figsize=(11, 0.8 + 0.28 * len(genres)), layout="constrained")
    axes = figure.subplots()
    # Around 1, and half of it means as much as twice of it.
    around = np.log2(np.clip(table, 0.5, 2))
    axes.imshow(around, cmap=AROUND_ONE, vmin=-1, vmax=1, aspect="auto")
    for (down, across), value in np.ndenumerate(table):
        if not np.isnan(value):
            ink = "white" if abs(around[down, across]) > _DARK else INK
            axes.text(
                across, down, f"{value:.2f}", ha="center", va="center", fontsize=8.5, color=ink
            )
    axes.set_xticks(range(len(periods)), names)
    axes.set_yticks(range(len(genres)), genres)
    _bare(axes)
    return figure


def _curves(curves: Sequence[dict[str, Any]]) -> Figure:
    figure = Figure(figsize=(11, 3.2), layout="constrained")
    axes = figure.subplots()
    tenths = [10 * step for step in range(TENTHS + 1)]
    for row, colour in zip(curves, (COLD, WARM), strict=False):
        if row["measured"]:
            label = f"{row['kind']} ({row['measured']:,} starts)"
            axes.plot(
                tenths, [100, *(100 * r for r in row["reached"])], "o-", color=colour, label=label
            )
    axes.set_ylim(0, 102)
    axes.set_xlabel("% of the title")
    axes.set_ylabel("% of starts")
    axes.grid(axis="y", color=QUIET, lw=0.5)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(colors=INK, labelsize=9)
    axes.legend(frameon=False)
    return figure


def _octaves(rows: Sequence[dict[str, Any]]) -> Figure:
    figure = Figure(figsize=(11, 2.6), layout="constrained")
    axes = figure.subplots()
    counts = {row["octave"]: row["count"] for row in rows}
    octaves = list(range(min(counts, default=0), max(counts, default=0) + 1))
    axes.bar(
        range(len(octaves)), [counts.get(octave, 0) for octave in octaves], color=COLD, width=0.85
    )
    names = [f"{2.0**octave:g} to {2.0 ** (octave + 1):g}" for octave in octaves]
    axes.set_xticks(range(len(octaves)), [f"below {2.0 ** (octaves[0] + 1):g}", *names[1:]])
    axes.set_xlabel("hours watched")
    axes.set_ylabel("profiles")
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(colors=INK, labelsize=9)
    return figure
