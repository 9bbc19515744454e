"""Clusters as they may leave the lake: aggregates alone, of many households each.

What is told of fewer households than the least is left out (k-anonymity: Samarati and Sweeney 1998), and counts are of
households, not of profiles or plays, for a household may be many of these. Two ways round that are closed:

- *Complement*: who knows the size of a cluster and how many of it have something knows how many have it not; a row is
  told only if those are none, or as many as the least.
- *Difference*: of one cluster that is left out, its size follows from a total; then the smallest other one of its
  population goes, too.

Shares are rounded to whole percents, lifts to tenths, and households down to tens, lest the files of two days tell of
the one who came between them. No profile, household or pseudonym is among what is told.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from cinelake.audience.portraits import NEIGHBOUR, TITLE

Row = Mapping[str, Any]
ROUNDED = 10


class Export(BaseModel):
    """What may leave the lake, as the configuration has it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    least_households: int = Field(
        50, ge=2, description="of which anything that leaves the lake has to be true, at least"
    )


def exported(states: Sequence[Row], portraits: Sequence[Row], least: int) -> dict[str, Any]:
    """What may be told of the clusters of a day: `as_of, least_households, left_out, clusters`.

    `portraits` are rows with `name`. Raises ValueError where `least` would tell of single households.
    """
    if least < 2:
        raise ValueError(f"a least of {least} would tell of single households; give 2 or more")
    live = [row for row in states if row["component"] is not None]
    told = _large(live, least)
    names = {row["cluster_id"]: row["name"] for row in told}
    clusters = [
        {
            "cluster_id": row["cluster_id"],
            "name": row["name"],
            "population": row["population"],
            "born_on": row["born_on"].isoformat(),
            "households": row["households"] // ROUNDED * ROUNDED,
            "marks": [
                _mark(mark, names)
                for mark in sorted(portraits, key=lambda m: (m["aspect"], m["rank"]))
                if mark["cluster_id"] == row["cluster_id"] and _may_be_told(mark, row, names, least)
            ],
        }
        for row in told
    ]
    days = sorted({row["as_of"].isoformat() for row in live})
    return {
        "as_of": days[-1] if days else None,
        "least_households": least,
        "left_out": len(live) - len(told),
        "clusters": clusters,
    }


def _large(live: Sequence[Row], least: int) -> list[Row]:
    kept: list[Row] = []
    for population in sorted({row["population"] for row in live}):
        own = [row for row in live if row["population"] == population]
        large = sorted(
            (row for row in own if row["households"] >= least),
            key=lambda row: (-row["households"], row["cluster_id"]),
        )
        if len(own) - len(large) == 1:
            large = large[:-1]
        kept += large
    return kept


def _may_be_told(mark: Row, cluster: Row, names: Mapping[str, str], least: int) -> bool:
    if mark["aspect"] == NEIGHBOUR:
        return mark["term"] in names
    others = cluster["households"] - mark["households"]
    return bool(mark["households"] >= least and (others <= 0 or others >= least))


def _mark(mark: Row, names: Mapping[str, str]) -> dict[str, Any]:
    term = mark["term"]
    if mark["aspect"] == NEIGHBOUR:
        return {"aspect": NEIGHBOUR, "term": names[term], "cluster_id": term}
    told = {
        "aspect": mark["aspect"],
        "term": term,
        "share": round(mark["share"], 2),
        "lift": round(mark["lift"], 1),
    }
    return told | ({"name": mark["name"]} if mark["aspect"] == TITLE and mark["name"] else {})
