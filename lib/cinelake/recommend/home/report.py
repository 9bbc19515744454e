"""Home pages as people see them, and what changes them: screens, hours and seasons."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from pyspark.sql import functions as F

from cinelake.behaviour.history import latest
from cinelake.recommend.asked import busiest
from cinelake.recommend.home.commands import named
from cinelake.recommend.home.due import in_force, newest_day
from cinelake.recommend.home.logit import Logit
from cinelake.recommend.home.worth import AT
from cinelake.report.page import AROUND_ONE, Part, Picture, Section, Shelves
from cinelake.runtime.workspace import Workspace
from cinelake.tables.behaviour import TITLES
from cinelake.tables.features import TITLE_SIGNALS
from cinelake.tables.home import HOME_PAGES, HOME_RANKER

PROFILES = 3
# Of the first of them others are shown beside, in each of which one thing is another, to see what that changes.
SHOWN, BESIDE = ("tv", "evening"), (("tv", "morning"), ("phone", "evening"))
ROWS, TITLES_A_ROW = 8, 9
GENRE = "genre "


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
    first = (F.col("row") < ROWS) & (F.col("position") < TITLES_A_ROW)
    rows = newest.where(F.col("profile_id").isin(known) & first).orderBy("row", "position")
    told = named(rows.toArrow().to_pylist(), lake.read(TITLES))
    said = latest(lake.read(TITLES), ["title_id"], "genres").select(
        "title_id", F.get("genres", F.lit(0)).alias("genre")
    )
    wanted = sorted({tile["title_id"] for tile in told})
    genres = said.where(F.col("title_id").isin(wanted)).toArrow().to_pylist()
    group = {row["title_id"]: row["genre"] or "" for row in genres}
    # What is told of is what these pages were made with, not a newer version that may not be approved.
    behind = {tile["ranker_version"] for tile in told} - {None}
    versions = {v.version: v for v in workspace.tracking.versions(HOME_RANKER)} if behind else {}
    used = versions.get(max(behind, default=0))
    logit = Logit.of_frame(workspace.tracking.read_frame(used, "weights")) if used else None
    yield home_pages(told, known, group, logit)


def home_pages(
    tiles: Sequence[Mapping[str, Any]],
    profiles: Sequence[str],
    group: Mapping[str, str],
    logit: Logit | None,
) -> Section:
    """Rows of `home_pages` with names, in order, of these profiles; titles have the colour of their group."""
    shown = [(profile, *SHOWN) for profile in profiles]
    shown[1:1] = [(profiles[0], *other) for other in BESIDE]
    parts: list[Part] = []
    for profile, device, daypart in shown:
        own = [
            tile
            for tile in tiles
            if (tile["profile_id"], tile["device_class"], tile["daypart"])
            == (profile, device, daypart)
        ]
        rows = [
            (
                text,
                [
                    (tile["name"], group.get(tile["title_id"], ""))
                    for tile in own
                    if tile["row"] == row
                ],
            )
            for row, text in sorted({(tile["row"], tile["row_text"]) for tile in own})
        ]
        parts.append(Shelves(f"Profile {profile[:8]}, {device}, {daypart}", rows))
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
