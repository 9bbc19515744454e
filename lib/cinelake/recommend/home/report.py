"""Home pages as people see them, and what changes them: screens, hours and seasons."""

from __future__ import annotations

from calendar import month_name
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from itertools import groupby
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from pyspark.sql import functions as F

from cinelake.behaviour.history import latest
from cinelake.recommend.asked import busiest
from cinelake.recommend.home.commands import named
from cinelake.recommend.home.due import in_force, newest_day
from cinelake.recommend.home.logit import Logit
from cinelake.recommend.home.planning import SAID
from cinelake.recommend.home.worth import AT, title_terms
from cinelake.report.page import AROUND_ONE, Cell, Grid, Part, Picture, Section, Shelves
from cinelake.runtime.workspace import Workspace
from cinelake.tables.behaviour import TITLES
from cinelake.tables.features import TITLE_SIGNALS
from cinelake.tables.home import HOME_PAGES, HOME_RANKER, HOME_SCORES

PROFILES = 3
# Of the first of them others are shown beside, in each of which one thing is another, to see what that changes.
SHOWN, BESIDE = ("tv", "evening"), (("tv", "morning"), ("phone", "evening"))
ROWS, TITLES_A_ROW = 8, 9
GENRE = "genre "
# Kinds of row whose titles are put in order by who goes on with them.
OF_VISITS = ("continue_watching",)


def sections(workspace: Workspace) -> Iterator[Section]:
    """Pages of those who watch most, as they are in force after the newest day."""
    lake = workspace.lake
    pages = lake.read(HOME_PAGES)
    newest = in_force(pages, newest_day(pages))
    people = newest.select("profile_id").distinct()
    signals = lake.read(TITLE_SIGNALS).join(people, on="profile_id", how="left_semi")
    known = [row["profile_id"] for row in busiest(signals, PROFILES).toArrow().to_pylist()]
    if not known:
        return
    rows = newest.where(F.col("profile_id").isin(known) & (F.col("row") < ROWS))
    rows = rows.orderBy("row", "position")
    told = named(rows.toArrow().to_pylist(), lake.read(TITLES))
    wanted = sorted({tile["title_id"] for tile in told})
    of_wanted = lake.read(TITLES).where(F.col("title_id").isin(wanted))
    said = (
        latest(of_wanted, ["title_id"], *SAID)
        .select("title_id", F.get("genres", F.lit(0)).alias("genre"), title_terms())
        .toArrow()
        .to_pylist()
    )
    group = {row["title_id"]: row["genre"] or "" for row in said}
    terms = {row["title_id"]: row["terms"] or () for row in said}
    # What is told of is what these pages were made with, not a newer version that may not be approved.
    behind = {tile["ranker_version"] for tile in told} - {None}
    versions = {v.version: v for v in workspace.tracking.versions(HOME_RANKER)} if behind else {}
    used = versions.get(max(behind, default=0))
    logit = Logit.of_frame(workspace.tracking.read_frame(used, "weights")) if used else None
    yield home_pages(told, known, group, logit, terms)
    scores = lake.read(HOME_SCORES).toArrow().to_pylist() if lake.exists(HOME_SCORES) else []
    if scores:
        yield home_scores(scores)


def home_pages(
    tiles: Sequence[Mapping[str, Any]],
    profiles: Sequence[str],
    group: Mapping[str, str],
    logit: Logit | None,
    terms: Mapping[str, Sequence[str]],
) -> Section:
    """Rows of `home_pages` with names, in order, of these profiles; titles have the colour of their group, and terms
    that circumstances do something to (worth.py).
    """
    shown = [(profile, *SHOWN) for profile in profiles]
    shown[1:1] = [(profiles[0], *other) for other in BESIDE]
    parts: list[Part] = []
    for at, which in enumerate(shown):
        own = [tile for tile in tiles if _is_of(tile, *which)]
        parts.append(_shelves(f"Profile {which[0][:8]}, {which[1]}, {which[2]}", own, group))
        if at == len(BESIDE) and logit is not None:
            first = [tile for tile in tiles if _is_of(tile, *shown[0])]
            parts += _another_month(first, group, logit, terms)
    figure = None if logit is None else circumstances(logit)
    if figure is not None:
        parts.append(
            Picture(
                figure,
                "What the ranker behind these pages learned of genres: how much likelier (red) or less likely (blue) "
                "a title of the genre is chosen then, beside all else that is known of it.",
            )
        )
    return Section(
        "Home pages",
        "Pages of those who watch most, as they were made last. Colours are genres.",
        parts,
    )


def _is_of(tile: Mapping[str, Any], profile: str, device: str, daypart: str) -> bool:
    found = tile["profile_id"], tile["device_class"], tile["daypart"]
    return found == (profile, device, daypart)


def _shelves(name: str, page: Sequence[Mapping[str, Any]], group: Mapping[str, str]) -> Shelves:
    rows = sorted({(tile["row"], tile["row_text"]) for tile in page})
    return Shelves(
        name,
        [
            (
                text,
                [
                    (tile["name"], group.get(tile["title_id"], ""))
                    for tile in page
                    if tile["row"] == row
                ][:TITLES_A_ROW],
            )
            for row, text in rows
        ],
    )


def _another_month(
    page: Sequence[Mapping[str, Any]],
    group: Mapping[str, str],
    logit: Logit,
    terms: Mapping[str, Sequence[str]],
) -> Iterator[Part]:
    """The page as the month would have it that does most to it; nothing where no other month does anything."""
    if not page:
        return
    now = (page[0]["as_of"] + timedelta(days=1)).month
    months = {int(n.rpartition(" ")[2]) for n in logit.weights if f"{AT}month " in n} - {now}
    others = {month: in_month(page, logit, terms, now, month) for month in sorted(months)}
    moved = {
        month: sum(
            new["title_id"] != old["title_id"]
            for new, old in zip(then, page, strict=True)
            if old["position"] < TITLES_A_ROW
        )
        for month, then in others.items()
    }
    month = max(moved, key=lambda one: moved[one], default=now)
    if moved.get(month):
        name = f"Profile {page[0]['profile_id'][:8]}, {SHOWN[0]}, {SHOWN[1]}, as in {month_name[month]}"
        yield _shelves(name, others[month], group)


def in_month(
    page: Sequence[Mapping[str, Any]],
    logit: Logit,
    terms: Mapping[str, Sequence[str]],
    now: int,
    then: int,
) -> list[Mapping[str, Any]]:
    """The tiles of a page as another month would put them in order. Of rows that stand in the order of what titles are
    worth; others, as what was begun, stay as they are.
    """

    def odds(tile: Mapping[str, Any]) -> float:
        score = min(max(tile["score"], 1e-9), 1 - 1e-9)
        of = terms.get(tile["title_id"], ())
        more = sum(
            logit.weights.get(f"{term}{AT}month {then}", 0.0)
            - logit.weights.get(f"{term}{AT}month {now}", 0.0)
            for term in of
        )
        return float(np.log(score / (1 - score)) + more)

    found: list[Mapping[str, Any]] = []
    for _, own in groupby(page, key=lambda tile: tile["row"]):
        row = list(own)
        # What chance put there stays in its place.
        places = [at for at, tile in enumerate(row) if tile["propensity"] is None]
        scores = [row[at]["score"] for at in places]
        if row[0]["row_kind"] not in OF_VISITS and scores == sorted(scores, reverse=True):
            ordered = sorted((row[at] for at in places), key=odds, reverse=True)
            for at, tile in zip(places, ordered, strict=True):
                row[at] = tile
        found += row
    return found


def home_scores(rows: Sequence[Mapping[str, Any]]) -> Section:
    """Rows of `home_scores`: those of the newest day."""
    day = max(row["day"] for row in rows)
    own = [row for row in rows if row["day"] == day]
    return Section(
        "Home pages beside plainer ones",
        "What profiles went on to play, and whether it stood on their pages: share found, and where it stood (nDCG).",
        [
            Grid(
                ["measure", "policy", "mean", "95 % interval", "the page leads by", "profiles"],
                [
                    [
                        row["measure"],
                        row["policy"],
                        f"{row['mean']:.3f}",
                        f"{row['low']:.3f} to {row['high']:.3f}",
                        _lead(row),
                        row["profiles"],
                    ]
                    for row in sorted(own, key=lambda row: (row["measure"], -row["mean"]))
                ],
                f"Up to {day}. A lead is a mean over the same profiles; what lies beyond noise is coloured.",
            )
        ],
    )


def _lead(row: Mapping[str, Any]) -> Cell:
    if row["lead"] is None:
        return Cell("")
    tone = "good" if row["lead_low"] > 0 else "bad" if row["lead_high"] < 0 else ""
    return Cell(f"{row['lead']:+.3f} ({row['lead_low']:+.3f} to {row['lead_high']:+.3f})", tone)


def circumstances(logit: Logit) -> Figure | None:
    """Factors on the odds by genre and circumstance; None where nothing was learned of any."""
    pairs = {
        tuple(name.removeprefix(GENRE).split(AT)): weight
        for name, weight in logit.weights.items()
        if name.startswith(GENRE) and AT in name
    }
    if not pairs:
        return None
    genres = sorted({genre for genre, _ in pairs})
    then = sorted({at for _, at in pairs})
    values = np.array([[pairs.get((genre, at), 0.0) for at in then] for genre in genres])
    figure = Figure(figsize=(11, 0.28 * len(genres) + 2.2), layout="constrained")
    axes = figure.subplots()
    most = max(float(np.abs(values).max()), 0.1)
    image = axes.imshow(values, cmap=AROUND_ONE, vmin=-most, vmax=most, aspect="auto")
    axes.set_xticks(range(len(then)), then, rotation=60, ha="right", fontsize=8)
    axes.set_yticks(range(len(genres)), genres, fontsize=8)
    figure.colorbar(image, ax=axes, label="log odds", shrink=0.8)
    return figure
