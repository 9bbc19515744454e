"""`cinelake incidents` and `cinelake incident`: what is worse than it should be, since when, whom it hits, and why."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from pyspark.sql import functions as F
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from cinelake.paragraphs import paragraph
from cinelake.qoe import detect_command
from cinelake.qoe.live import commands as live_commands
from cinelake.qoe.live.foreseen import at_risk_now
from cinelake.qoe.live.going_on import going_on, later
from cinelake.qoe.live.settings import configured
from cinelake.qoe.maintenance import commands as maintenance_commands
from cinelake.qoe.pictures import METRIC_NAMES, picture, title
from cinelake.qoe.quality import commands as quality_commands
from cinelake.qoe.shown import advised, around, change, latest, newest, struck
from cinelake.qoe.stalls.moments import CELL
from cinelake.qoe.struck import WITHOUT_LOSS
from cinelake.runtime.workspace import Workspace
from cinelake.tables.mitigation import QOE_MITIGATIONS
from cinelake.tables.qoe import HOUR, QOE_ANOMALIES, QOE_INCIDENTS, QOE_ROLLUPS, STATES
from cinelake.tables.quality_live import QOE_ANOMALIES_LIVE, QOE_CELLS_LIVE, QOE_MOMENTS_LIVE
from cinelake.tables.stalls import QOE_STALL_RISKS

SHOWN_ADVICE, DRAWN_CELLS, SHOWN_RISKS = 8, 12, 5


def register(app: typer.Typer, context: Callable[[], Workspace]) -> None:
    """Add the commands to `cinelake`."""
    detect_command.register(app)
    quality_commands.register(app, context)
    live_commands.register(app, context)
    maintenance_commands.register(app, context)

    @app.command()
    def incidents(
        all_: Annotated[
            bool, typer.Option("--all", help="Those that are closed, too, when others are there.")
        ] = False,
        rows: Annotated[int, typer.Option(min=1, help="How many, those of the last alarms.")] = 20,
        json_: Annotated[bool, typer.Option("--json", help="A JSON object a line.")] = False,
    ) -> None:
        """Show incidents of streaming quality: those that go on; without any, the last that are over.

        Where the watch has told of alarms since the batch's newest day, those are in it, marked as live. Below them
        stands how many sessions are likely to stall in the next minute, and where, as far as the watch knows.
        """
        lake = context().lake
        if not lake.exists(QOE_INCIDENTS) and not lake.exists(QOE_ANOMALIES_LIVE):
            # As in a lake of ratings alone: that is no fault.
            typer.echo(
                "No incident has been opened yet; `cinelake run` looks for them in what players report."
            )
            return
        own = lake.read(QOE_INCIDENTS)
        wanted = STATES if all_ else STATES[:2]
        live = [row for row in told_live(context()) if row["state"] in wanted]
        ids = {row["incident_id"] for row in live}
        found = newest(own, wanted, rows).toArrow().to_pylist()
        found = [*live, *(row for row in found if row["incident_id"] not in ids)][:rows]
        goes_on = bool(found)
        if not found and not all_:
            found = newest(own, STATES, rows).toArrow().to_pylist()
        if json_:
            for row in found:
                typer.echo(json.dumps(row, default=str))
            return
        console = Console()
        if not goes_on:
            console.print(Text("No incident goes on." if found else "There has been no incident."))
        if found:
            console.print(as_list(found))
        console.print(as_warning(about_to_stall(context())))

    @app.command()
    def incident(
        incident_id: Annotated[str, typer.Argument(help="An id, or how it begins.")],
        out: Annotated[
            Path | None, typer.Option(help="Where the picture goes. [incident-ID.png]")
        ] = None,
    ) -> None:
        """Show one incident, and draw it: the metric beside what is usual, the cells struck, its course."""
        lake = context().lake
        if not lake.exists(QOE_INCIDENTS):
            raise typer.BadParameter(
                "incidents have not been looked for yet; run `cinelake run` first"
            )
        own = latest(lake.read(QOE_INCIDENTS))
        found = (
            own.where(F.col("incident_id").startswith(incident_id)).limit(2).toArrow().to_pylist()
        )
        if len(found) != 1:
            which = "more than one incident begins" if found else "no incident begins"
            raise typer.BadParameter(
                f"{which} with {incident_id!r}; `cinelake incidents --all` shows their ids, of which "
                "those that are live wait for the batch"
            )
        (row,) = found
        target = out or Path(f"incident-{row['incident_id']}.png")
        if not target.parent.is_dir():
            raise typer.BadParameter(f"--out: there is no folder {target.parent}; make it first")
        picture(row, course(context(), row)).savefig(target, dpi=120)
        console = Console()
        console.print(as_text(row))
        told = advised(lake.read(QOE_MITIGATIONS)).where(F.col("incident_id") == row["incident_id"])
        best = told.orderBy("place").limit(SHOWN_ADVICE).toArrow().to_pylist()
        console.print(as_advice(best, row["metric"]))
        console.print(Text(f"picture: {target}"))


def told_live(workspace: Workspace) -> list[dict[str, Any]]:
    """Incidents with alarms of which the batch does not know yet, as `going_on` tells them."""
    lake, merging = workspace.lake, configured(workspace.settings.jobs).merging
    if not lake.exists(QOE_ANOMALIES_LIVE):
        return []
    alarms = later(lake.read(QOE_ANOMALIES_LIVE), lake.read(QOE_ROLLUPS)).toArrow().to_pylist()
    if not alarms:
        return []
    heard = lake.read(QOE_CELLS_LIVE).where(F.col("width") == HOUR).agg(F.max("bucket_at"))
    (now,) = heard.toArrow().to_pydict().popitem()[1]
    known = latest(lake.read(QOE_INCIDENTS)).where(F.col("state") != "closed")
    return going_on(known.toArrow().to_pylist(), alarms, now, merging)


def about_to_stall(workspace: Workspace) -> list[dict[str, Any]]:
    """Cells with the sessions that are likely to stall, as `at_risk_now` tells them."""
    lake = workspace.lake
    if not lake.exists(QOE_MOMENTS_LIVE):
        return []
    told = at_risk_now(lake.read(QOE_STALL_RISKS), lake.read(QOE_MOMENTS_LIVE))
    found: list[dict[str, Any]] = told.toArrow().to_pylist()
    return found


def course(workspace: Workspace, incident: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What is drawn: rows of `around` for the cell with the strongest evidence, and up to eleven more."""
    lake, usual = workspace.lake, configured(workspace.settings.jobs).usual
    own = incident["cell"]
    most = (
        struck(lake.read(QOE_ANOMALIES), incident).limit(DRAWN_CELLS).toArrow()["cell"].to_pylist()
    )
    cells = [own, *(cell for cell in most if cell != own)][:DRAWN_CELLS]
    found: list[dict[str, Any]] = (
        around(lake.read(QOE_ROLLUPS), incident, cells, usual).toArrow().to_pylist()
    )
    return found


def as_list(rows: Sequence[Mapping[str, Any]]) -> RenderableType:
    """Incidents, a paragraph each."""
    return Group(*map(_paragraph, rows))


def as_warning(cells: Sequence[Mapping[str, Any]]) -> RenderableType:
    """Rows of `at_risk_now`: how many sessions are about to stall, and in which cells most; nothing where none is."""
    at_risk = sum(row["at_risk"] for row in cells)
    if not at_risk:
        return Group()
    sessions = sum(row["sessions"] for row in cells)
    heading = (
        f"about to stall, {cells[0]['bucket_at']:%Y-%m-%d %H:%M} UTC: {at_risk:,} of {sessions:,} sessions that play, "
        "by their last heartbeats"
    )
    most = [row for row in cells if row["at_risk"]][:SHOWN_RISKS]
    lines = [
        f"  {row['at_risk']:,} of {row['sessions']:,}: {', '.join(row[name] for name in CELL)}"
        for row in most
    ]
    return Group(*map(Text, (heading, *lines)))


def _paragraph(row: Mapping[str, Any]) -> RenderableType:
    hours = (row["last_alarm_at"] - row["opened_at"]).total_seconds() / 3600 + 1
    state = f"live, {row['state']}" if row.get("is_live") else row["state"]
    return paragraph(
        row["incident_id"],
        f"  {state}, since {row['opened_at']:%Y-%m-%d %H:%M} UTC, {hours:.0f} "
        + ("hour" if hours == 1 else "hours"),
        f"{METRIC_NAMES[row['metric']]}: {where(row)}",
        f"{row['affected_sessions']:,.0f} sessions affected, {row['lost_minutes']:,.0f} viewer minutes lost",
    )


def where(row: Mapping[str, Any]) -> str:
    """Where the fault lies, or where most evidence is, if that cannot be told."""
    blamed = [cause["cause"] for cause in row["causes"] if cause["is_blamed"]]
    return ", ".join(blamed) or f"{row['cell']}?"


def as_text(row: Mapping[str, Any]) -> RenderableType:
    """One incident with its candidates for the cause."""
    table = Table(title="where the fault lies", title_justify="left", box=None, pad_edge=False)
    table.add_column("")
    # The one column that must not be cut.
    table.add_column("combination", overflow="fold", min_width=28)
    for name in ("bad", "of", "usually", "× usual", "× siblings", "explains"):
        table.add_column(name, justify="right")
    for cause in row["causes"]:
        table.add_row(
            "→" if cause["is_blamed"] else "",
            cause["cause"] + _otherwise(cause["metric"], row["metric"]),
            f"{cause['bad']:,}",
            f"{cause['total']:,}",
            f"{cause['expected']:,.1f}",
            f"{cause['lift']:.1f}",
            "" if cause["contrast"] is None else f"{cause['contrast']:.1f}",
            "" if cause["explained"] is None else f"{cause['explained']:.0%}",
        )
    said = Text(
        f"verdict: {row['verdict'] or 'not searched'}; {row['alarms']:,} alarms in {len(row['members'])} cells"
    )
    return Group(Text(title(row), style="bold"), said, table)  # fmt: skip


def _otherwise(metric: str, own: str) -> str:
    """How a combination is bad, if not as the incident is."""
    return "" if metric == own else f", {METRIC_NAMES[metric]}"


def as_advice(rows: Sequence[Mapping[str, Any]], metric: str) -> RenderableType:
    """What would have helped against an incident of this metric, best first."""
    if metric in WITHOUT_LOSS:
        return Text(
            f"no advice: it is told of minutes lost, and {METRIC_NAMES[metric]} are seen to the end"
        )
    if not rows:
        return Text("no advice: the struck had no alternative that anybody else had")
    heading = Text("what would have helped (advice; nothing is applied)")
    return Group(heading, *map(_advised, rows))


def _advised(row: Mapping[str, Any]) -> RenderableType:
    least, load = row["least_saved_minutes"], row["load"]
    saved = f"{row['saved_minutes']:,.0f} of {row['lost_minutes']:,.0f} lost minutes saved"
    alike = f"{row['overlap']:.0%} of {row['struck']:,} sessions struck have their like by {row['alike_by']}"
    carried = (
        f"; it would have carried {load:.1f} struck sessions to each of its own"
        if load is not None
        else ""
    )
    return paragraph(
        change(row),
        f": {row['verdict'].replace('_', ' ')}",
        saved + ("" if least is None else f", {least:,.0f} at least"),
        alike + carried,
    )
