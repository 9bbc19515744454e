"""`cinelake quality`: how the sessions of a day fared, by each ratio's own name, for all and by network or device."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Annotated, Any

import typer
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from rich.console import Console
from rich.table import Table

from cinelake.qoe.ratios import of_groups, ratios
from cinelake.runtime.arguments import day
from cinelake.runtime.workspace import Workspace
from cinelake.tables.qoe import DIMENSIONS, QOE_SESSIONS

SHOWN = 5


def register(app: typer.Typer, context: Callable[[], Workspace]) -> None:
    """Add the command to `cinelake`."""

    @app.command()
    def quality(
        by: Annotated[
            list[str] | None,
            typer.Option(help=f"Apart by {', '.join(DIMENSIONS)}; more than once."),
        ] = None,
        on: Annotated[
            str | None,
            typer.Option("--day", help="When they began, as 2026-01-31. [the newest day]"),
        ] = None,
        rows: Annotated[
            int, typer.Option(min=1, help="How many groups, those of most sessions.")
        ] = SHOWN,
        json_: Annotated[bool, typer.Option("--json", help="A JSON object a line.")] = False,
    ) -> None:
        """Show how sessions of a day fared, by the ratios of media3, IVS, CMCD, Mux, Brightcove and Conviva."""
        apart = by or []
        if unknown := [name for name in apart if name not in DIMENSIONS]:
            raise typer.BadParameter(f"--by {unknown[0]}: it is one of {', '.join(DIMENSIONS)}")
        lake = context().lake
        sessions = lake.read(QOE_SESSIONS) if lake.exists(QOE_SESSIONS) else None
        newest = None if sessions is None else _newest(sessions)
        if sessions is None or newest is None:
            raise typer.BadParameter("there are no sessions yet; run `cinelake run` first")
        try:
            began = day(on) if on else newest
        except ValueError as error:
            raise typer.BadParameter(f"--day: {error}") from None
        own = sessions.where(F.col("session_date") == F.lit(began))
        found = of_groups(own, []).toArrow().to_pylist()
        if not found[0]["sessions"]:
            raise typer.BadParameter(f"--day {began}: no session began on that day")
        if apart:
            largest = (
                of_groups(own, apart)
                .orderBy(F.desc("sessions"), *map(F.asc_nulls_last, apart))
                .limit(rows)
            )
            found += largest.toArrow().to_pylist()
        if json_:
            for row in found:
                typer.echo(json.dumps({"day": str(began)} | row))
            return
        Console().print(as_table(found, apart, began))


def _newest(sessions: DataFrame) -> date | None:
    (row,) = sessions.agg(F.max("session_date").alias("day")).toArrow().to_pylist()
    found: date | None = row["day"]
    return found


def as_table(found: Sequence[Mapping[str, Any]], by: Sequence[str], on: date) -> Table:
    """A line a ratio, a column a group."""
    table = Table(
        title=f"sessions that began on {on}", title_justify="left", box=None, pad_edge=False
    )
    table.add_column("")
    for row in found:
        told = " ".join(row[name] or "unknown" for name in by if name in row)
        table.add_column(told or "all", justify="right")
    table.add_row("sessions", *(f"{row['sessions']:,}" for row in found))
    for ratio in ratios().values():
        table.add_row(ratio.name, *(said(row[ratio.name], ratio.unit) for row in found))
    return table


def said(value: float | None, unit: str) -> str:
    """A ratio with its unit; of nothing there is none."""
    if value is None:
        return "–"
    return f"{value:.2%}" if unit == "share" else f"{value:,.1f} {unit}"
