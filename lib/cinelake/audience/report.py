"""Clusters of tastes as people see them: a map of each population, and what marks each cluster."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cinelake.audience.asked import clusters, newest, with_names
from cinelake.audience.clustering import of_frames
from cinelake.audience.pictures import cluster_map
from cinelake.audience.portraits import MARKET, NEIGHBOUR, TITLE
from cinelake.report.page import Cell, Grid, Part, Picture, Section
from cinelake.runtime.workspace import Workspace
from cinelake.tables.audience import CLUSTER_PORTRAITS, CLUSTER_STATES, TASTE_CLUSTERS
from cinelake.tables.behaviour import TITLES

Row = Mapping[str, Any]
Poles = Sequence[tuple[Sequence[str], Sequence[str]]]
HABITS = ("daypart", "device", "format")
TOLD = 3
UNTOLD: Poles = (((), ()), ((), ()))


def sections(workspace: Workspace) -> Iterator[Section]:
    """The clusters of the newest day."""
    lake = workspace.lake
    if not lake.exists(CLUSTER_STATES):
        return
    rows = [row for row in clusters(lake.read(CLUSTER_STATES)) if row["component"] is not None]
    if not rows:
        return
    marks = with_names(newest(lake.read(CLUSTER_PORTRAITS)), lake.read(TITLES))
    poles: dict[str, Poles] = {}
    for version in workspace.tracking.versions(TASTE_CLUSTERS):
        if version.version == rows[0]["model_version"]:
            read = workspace.tracking.read_frame
            known = of_frames(read(version, "terms"), read(version, "numbers"))
            poles = {name: population.poles() for name, population in known.items()}
    yield taste_clusters(rows, marks, poles)


def taste_clusters(
    rows: Sequence[Row], marks: Sequence[Row], poles: Mapping[str, Poles]
) -> Section:
    """Rows of `cluster_states` of one day, without what ended, and of its portraits, with names of titles."""
    parts: list[Part] = []
    names = {row["cluster_id"]: row["name"] for row in rows}
    for population in dict.fromkeys(row["population"] for row in rows):
        own = [row for row in rows if row["population"] == population]
        if len(own) > 1:
            parts.append(
                Picture(
                    cluster_map(own, poles.get(population, UNTOLD)),
                    f"The clusters of {population}s: what lies near each other watches alike. The area tells of "
                    "members; at the axes stands what is watched more towards that side.",
                )
            )
    parts.append(
        Grid(
            (
                "name",
                "members",
                "share",
                "since",
                "genres",
                "themes",
                "habits",
                "markets",
                "titles",
                "neighbours",
            ),
            [
                _line(row, [m for m in marks if m["cluster_id"] == row["cluster_id"]], names)
                for row in rows
            ],
            "What members have more of than others of their population, beyond chance; not what is most popular. "
            "`cinelake clusters show NAME` tells more.",
        )
    )
    return Section(
        "Taste clusters",
        f"Groups of viewers with similar tastes at the end of {rows[0]['as_of']}. They keep their names day by day.",
        parts,
    )


def _line(
    row: Row, marks: Sequence[Row], names: Mapping[str, str]
) -> tuple[str | int | float | Cell | None, ...]:
    def first(*aspects: str) -> str:
        own = sorted(
            (m for m in marks if m["aspect"] in aspects and m["z"] >= 1),
            key=lambda m: (aspects.index(m["aspect"]), m["rank"]),
        )
        limit = 1 if len(aspects) > 1 else TOLD
        kept = [m for m in own if m["rank"] <= limit]
        return ", ".join(
            (m["name"] or m["term"]) if m["aspect"] == TITLE else m["term"] for m in kept
        )

    near = sorted((m for m in marks if m["aspect"] == NEIGHBOUR), key=lambda m: m["rank"])
    now = f", now {row['reads_as']}" if row.get("reads_as") else ""
    name = (
        row["name"]
        if row["event"] in ("kept", "born")
        else Cell(f"{row['name']} ({row['event']}{now})", "warn")
    )
    return (
        name, row["members"], f"{row['member_share']:.0%}", str(row["born_on"]), first("genre"), first("theme"),
        first(*HABITS), first(MARKET), first(TITLE), "; ".join(names[m["term"]] for m in near if m["term"] in names),
    )  # fmt: skip
