"""Lists as a terminal shows them. Names stand as texts: one in square brackets is no markup."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table as Grid
from rich.text import Text


def popularity(listed: Sequence[Mapping[str, Any]]) -> RenderableType:
    """What is popular, with its shares of starts."""
    grid = Grid()
    for heading in ("", "title", "share of starts"):
        grid.add_column(heading, justify="left" if heading == "title" else "right")
    for row in listed:
        cells = (str(row["place"]), _name(row), f"{row['score']:.2%}")
        grid.add_row(*(Text(cell) for cell in cells))
    return grid


def alike(title: Mapping[str, Any], listed: Sequence[Mapping[str, Any]]) -> RenderableType:
    """A title, and those like it with the reasons."""
    grid = Grid()
    for heading in ("", "title", "score", "model", "watched by the same", "content", "both"):
        grid.add_column(heading, justify="left" if heading in ("title", "both") else "right")
    for row in listed:
        numbers = (
            f"{row[name]:.3f}" for name in ("score", "by_factors", "by_watching", "by_content")
        )
        cells = (str(row["place"]), _name(row), *numbers, ", ".join(row["shared"]))
        grid.add_row(*(Text(cell) for cell in cells))
    since = (
        f"as of {listed[0]['as_of']}" if listed else "has no list yet: it is new, or like no other"
    )
    return Group(Text(f"{_name(title)}, {since}"), grid if listed else Text(""))


def side_by_side(
    profile: str,
    recent: Sequence[dict[str, Any]],
    listed: Sequence[dict[str, Any]],
    why_none: str = "",
) -> RenderableType:
    """What a profile played or rated lately beside its list, or why it has none."""
    newest_first = list(recent)[::-1]
    grid = Grid()
    headings = ["played or rated lately", "how, day", "", "recommended"]
    # What is popular is so because of nothing in the history.
    if any(row["because"] for row in listed):
        headings.append("because of")
    for heading in headings:
        grid.add_column(heading, justify="right" if heading == "" else "left")
    for place in range(max(len(newest_first), len(listed))):
        left, right = ("", ""), ("", "", "")
        if place < len(newest_first):
            left = (_name(newest_first[place]), newest_first[place]["note"])
        if place < len(listed):
            right = (str(listed[place]["place"]), _name(listed[place]), _because(listed[place]))
        # Text, for a title in square brackets is no markup.
        grid.add_row(*(Text(cell) for cell in (*left, *right)[: len(headings)]))
    origin = _origin(listed) if listed else f"No list: {why_none}."
    return Group(Text(f"Profile {profile}"), grid, Text(origin))


def _because(row: Mapping[str, Any]) -> str:
    """The reasons, each with what it adds and what it shares with the title, and what they add up to.

    Lists of old do not tell of what is shared, nor of what else is added.
    """
    names = row["because"] or ()
    shared = row["shared"] or [()] * len(names)
    told = [
        f"{name} {added:.2f}" + (f" ({', '.join(both)})" if both else "")
        for name, added, both in zip(names, row["contributions"] or (), shared, strict=True)
    ]
    if row["for_everybody"] is None:
        return "; ".join(told)
    beside = {"others": row["by_others"], "everybody": row["for_everybody"]}
    told += [f"{name} {added:.2f}" for name, added in beside.items() if added]
    return f"{'; '.join(told)}; = {row['score']:.2f}"


def _name(row: Mapping[str, Any]) -> str:
    year = f" ({row['release_year']})" if row["release_year"] else ""
    return f"{row['name']}{year}" if row["name"] else f"title {row['title_id']}"


def _origin(listed: Sequence[dict[str, Any]]) -> str:
    first = listed[0]
    if first["note"] == "popular":
        return f"Popular titles as of {first['as_of']}: no approved model has a title for this profile."
    basis = " from the titles picked at first" if first["note"] == "picks" else ""
    filled = [row["place"] for row in listed if row["note"] == "popular"]
    rest = f"; from place {min(filled)} on popular titles, for it has no more" if filled else ""
    return f"From version {first['model_version']}{basis}, as of {first['as_of']}{rest}."
