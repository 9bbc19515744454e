"""`cinelake home`: the page that a profile sees at a moment, on a screen."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Annotated, Any

import typer
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from rich.console import Console, Group, RenderableType
from rich.text import Text

from cinelake.behaviour.history import latest
from cinelake.recommend.asked import busiest, near_ids
from cinelake.recommend.home.context import DAYPARTS, DEVICE_CLASSES
from cinelake.recommend.home.due import in_force, newest_day
from cinelake.recommend.service import Service
from cinelake.runtime.workspace import Workspace
from cinelake.tables.behaviour import TITLES
from cinelake.tables.features import TITLE_SIGNALS
from cinelake.tables.home import HOME_PAGES

HOURS = 24 // len(DAYPARTS)
MOMENT = "%Y-%m-%dT%H:%M"


def register(
    app: typer.Typer,
    context: Callable[[], Workspace],
    pseudonyms: Callable[[Workspace, Sequence[str], str], Mapping[str, str]],
    told: Callable[[Workspace], Callable[[date], Service]],
) -> None:
    """Add the command to `cinelake`; `pseudonyms` leads from ids as people know them to those of the lake, on behalf of
    a command, and `told` describes the service by what is known now.
    """

    @app.command()
    def home(
        profile: Annotated[
            str | None,
            typer.Argument(
                help="A profile's id or its pseudonym; without one, that with most signals."
            ),
        ] = None,
        at: Annotated[
            datetime | None,
            typer.Option(
                formats=[MOMENT, "%Y-%m-%d"],
                help="When, by the viewer's clock; none: the newest evening.",
            ),
        ] = None,
        device: Annotated[str, typer.Option(help=", ".join(DEVICE_CLASSES))] = "tv",
        rows: Annotated[int, typer.Option(min=1, help="How many rows.")] = 12,
        titles: Annotated[int, typer.Option(min=1, help="How many titles of a row.")] = 5,
    ) -> None:
        """Show the home page of a profile as it is at an hour, on a screen."""
        if device not in DEVICE_CLASSES:
            raise typer.BadParameter(f"--device is one of {', '.join(DEVICE_CLASSES)}")
        lake = context().lake
        if not lake.exists(HOME_PAGES):
            raise typer.BadParameter("no page has been made yet; run `cinelake run` first")
        pages = lake.read(HOME_PAGES)
        if profile is None:
            keenest = busiest(_with_pages(lake.read(TITLE_SIGNALS), pages), 1).first()
            if keenest is None:
                raise typer.BadParameter("nobody has a page yet; run `cinelake run` first")
            profile = str(keenest["profile_id"])
            Console().print(Text(f"Profile {profile}"))
        known_as = pseudonyms(context(), [profile], "cinelake home")[profile]
        own = pages.where((F.col("profile_id") == known_as) & (F.col("device_class") == device))
        daypart = DAYPARTS[at.hour // HOURS] if at else "evening"
        found = page_at(own, at, daypart, newest_day(pages), told(context()))
        if not found:
            raise typer.BadParameter(_nothing(pages, own, profile, known_as, at))
        Console().print(as_rows(named(found, lake.read(TITLES)), rows, titles))


def _with_pages(signals: DataFrame, pages: DataFrame) -> DataFrame:
    return signals.join(pages.select("profile_id").distinct(), on="profile_id", how="left_semi")


def page_at(
    pages: DataFrame,
    at: datetime | None,
    daypart: str,
    newest: date,
    told: Callable[[date], Service],
) -> list[dict[str, Any]]:
    """The rows of `home_pages` of the page in force then, in order; none where there is none.

    `newest` is the day after which pages were made last: it counts where no moment is given. What may no longer be
    shown is left out.
    """
    day = newest
    if at is not None:
        # By the viewer's clock the night after a day is early on the next; and a night belongs to the day at whose
        # end its page is made, all else is for the day after.
        day = at.date() - timedelta(days=1)
    counts = in_force(pages.where(F.col("daypart") == daypart), day)
    shown = told(day + timedelta(days=1)).still_shown(counts)
    rows: list[dict[str, Any]] = shown.orderBy("row", "position").toArrow().to_pylist()
    return rows


def named(rows: Sequence[Mapping[str, Any]], titles: DataFrame) -> list[dict[str, Any]]:
    """The rows with `name` and `because_name` of their titles."""
    wanted = sorted({row[name] for row in rows for name in ("title_id", "because") if row[name]})
    told = latest(titles.where(F.col("title_id").isin(wanted)), ["title_id"], "name")
    names = {row["title_id"]: row["name"] for row in told.toArrow().to_pylist()}

    def name_of(title: str | None) -> str | None:
        return title and (names.get(title) or f"title {title}")

    return [
        {**row, "name": name_of(row["title_id"]), "because_name": name_of(row["because"])}
        for row in rows
    ]


def as_rows(page: Sequence[Mapping[str, Any]], rows: int, titles: int) -> RenderableType:
    """A page as a terminal shows it: each row's text, and the first of its titles with what speaks for them."""
    told = f"{page[0]['device_class']}, {page[0]['daypart']}, made at the end of {page[0]['as_of']}"
    if page[0].get("unmet"):
        told += (
            f", without what may not be shown here but is wanted by {', '.join(page[0]['unmet'])}"
        )
    lines: list[RenderableType] = [Text(told, style="dim")]
    for number in range(min(rows, page[-1]["row"] + 1)):
        own = [tile for tile in page if tile["row"] == number]
        lines.append(Text(f"{number + 1:>2} {own[0]['row_text']}", style="bold"))
        shown = [_tile(tile) for tile in own[:titles]]
        more = f"  … {len(own) - titles} more" if len(own) > titles else ""
        lines.append(Text("   " + "  |  ".join(shown) + more))
    return Group(*lines)


def _tile(tile: Mapping[str, Any]) -> str:
    told = [f"like {tile['because_name']}"] if tile["because_name"] else []
    # What the whole row goes out from stands over it.
    if told and tile["because_name"] in tile["row_text"]:
        told = []
    if tile["propensity"] is not None:
        told = ["drawn at random"]
    reason = f" ({told[0]})" if told else ""
    return f"{tile['name']} {tile['score']:.0%}{reason}"


def _nothing(
    pages: DataFrame, own: DataFrame, profile: str, known_as: str, at: datetime | None
) -> str:
    made = own.agg(F.min("as_of"), F.max("as_of")).first()
    if made is not None and made[0] is not None:
        return f"profile {profile!r} has no page for {at}; those it has were made from {made[0]} to {made[1]}"
    near = [row["profile_id"] for row in near_ids(pages, known_as).toArrow().to_pylist()]
    others = f"the nearest are {', '.join(near)}" if profile == known_as else "check the id"
    return f"no profile {profile!r} has a home page; {others}"
