"""`cinelake clusters`: which groups of viewers there are, what marks one, and what of them may leave the lake."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError
from rich.console import Console, Group, RenderableType
from rich.table import Table as Grid
from rich.text import Text

from cinelake.audience.asked import clusters, found, newest, portrait, with_names
from cinelake.audience.export import Export, exported
from cinelake.audience.portraits import NEIGHBOUR
from cinelake.runtime.settings import ConfigError
from cinelake.runtime.workspace import Workspace
from cinelake.tables.audience import CLUSTER_PORTRAITS, CLUSTER_STATES
from cinelake.tables.behaviour import TITLES

Row = dict[str, Any]
# The job whose settings say what may leave the lake.
JOB = "assign_clusters"
NONE_YET = (
    "there are no clusters yet: run `cinelake run`; the first are found on the first Monday after somebody watched "
    "something"
)


def register(app: typer.Typer, context: Callable[[], Workspace]) -> None:
    """Add the commands to `cinelake`."""
    group = typer.Typer(no_args_is_help=False)
    app.add_typer(group, name="clusters")

    def known() -> list[Row]:
        lake = context().lake
        return clusters(lake.read(CLUSTER_STATES)) if lake.exists(CLUSTER_STATES) else []

    def there() -> list[Row]:
        rows = known()
        if not rows:
            raise typer.BadParameter(NONE_YET)
        return rows

    @group.callback(invoke_without_command=True)
    def of_all(asked: typer.Context) -> None:
        """List the groups of viewers with similar tastes, as they are on the newest day."""
        if asked.invoked_subcommand is None:
            rows = known()
            Console().print(listed(rows) if rows else NONE_YET)

    @group.command()
    def show(
        cluster: Annotated[str, typer.Argument(help="Its id, the beginning of it, or its name.")],
        terms: Annotated[int, typer.Option(min=1, help="How many terms of each aspect.")] = 5,
    ) -> None:
        """Show what marks one group: what it watches, when, on what, and which groups are like it."""
        rows = there()
        matches = found(rows, cluster)
        if not matches:
            known = ", ".join(f"{row['cluster_id']} {row['name']!r}" for row in rows)
            raise typer.BadParameter(f"no cluster is called {cluster!r}; there are {known}")
        if len(matches) > 1:
            known = ", ".join(f"{row['cluster_id']} {row['name']!r}" for row in matches)
            raise typer.BadParameter(f"{cluster!r} fits several clusters: {known}")
        lake = context().lake
        own = portrait(
            lake.read(CLUSTER_PORTRAITS), lake.read(TITLES), matches[0]["cluster_id"], terms
        )
        Console().print(shown(matches[0], own, rows))

    @group.command()
    def export(
        file: Annotated[Path, typer.Argument(help="Where to, as JSON.", dir_okay=False)],
        least: Annotated[
            int | None,
            typer.Option(
                help="Households of which anything that is told has to be true: as many as conf asks "
                "([jobs.assign_clusters] export.least_households), or more."
            ),
        ] = None,
    ) -> None:
        """Write what of the groups may leave the lake: aggregates of many households, and nobody's id."""
        least = asked_households(least, context().settings.jobs)
        rows, lake = there(), context().lake
        marks = with_names(newest(lake.read(CLUSTER_PORTRAITS)), lake.read(TITLES))
        told = exported(rows, marks, least)
        file.write_text(json.dumps(told, indent=2, ensure_ascii=False) + "\n", "utf-8")
        number = len(told["clusters"])
        Console().print(
            f"{number} clusters in {file}; {told['left_out']} are left out, being smaller than {least} households or "
            "to be told from one that is"
        )


def asked_households(asked: int | None, jobs: Mapping[str, Mapping[str, Any]]) -> int:
    """How many households an export has to tell of, by the `jobs` of the configuration and a flag, which may ask for
    more.

    Raises BadParameter where it asks for fewer, ConfigError where the setting is none.
    """
    try:
        set_to = Export.model_validate(jobs.get(JOB, {}).get("export", {})).least_households
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(map(str, ("export", *first["loc"])))
        raise ConfigError(f"[jobs.{JOB}] {name} = {first['input']!r}: {first['msg']}") from error
    if asked is not None and asked < set_to:
        raise typer.BadParameter(
            f"--least {asked} is below the {set_to} households of which whatever leaves the lake has to be true; give "
            f"{set_to} or more, or set export.least_households in [jobs.{JOB}] of conf/"
        )
    return set_to if asked is None else asked


def listed(rows: Sequence[Row]) -> RenderableType:
    """The clusters of a day as a table."""
    grid = Grid(title=f"Clusters of tastes at the end of {rows[0]['as_of']}", title_justify="left")
    for heading in ("id", "name", "members", "share", "since", "event", "churn"):
        grid.add_column(
            heading, justify="right" if heading in ("members", "share", "churn") else "left"
        )
    for row in rows:
        grid.add_row(
            row["cluster_id"],
            Text(row["name"]),
            f"{row['members']:,}",
            f"{row['member_share']:.0%}",
            str(row["born_on"]),
            _event(row, rows),
            "" if row["churn"] is None else f"{row['churn']:.0%}",
        )
    return grid


def _event(row: Row, rows: Sequence[Row]) -> str:
    names = {each["cluster_id"]: each["name"] for each in rows}
    related = ", ".join(names.get(other, other) for other in row["related"])
    if row.get("reads_as"):
        return f"{row['event']}, now {row['reads_as']}"
    word = {"split": " from ", "merged": " into "}.get(row["event"], " ")
    return f"{row['event']}{word}{related}" if related else row["event"]


def shown(cluster: Row, portrait: Sequence[Row], rows: Sequence[Row]) -> RenderableType:
    """One cluster in full."""
    names = {row["cluster_id"]: row["name"] for row in rows}
    drift = "" if cluster["drift"] is None else f", drift {cluster['drift']:.2f}"
    lines: list[RenderableType] = [
        Text(cluster["name"], style="bold"),
        Text(
            f"{cluster['cluster_id']}, {cluster['population']}s, {cluster['members']:,} members in "
            f"{cluster['households']:,} households ({cluster['member_share']:.0%}), since {cluster['born_on']}, "
            f"{_event(cluster, rows)}{drift}",
            style="dim",
        ),
    ]
    for aspect in dict.fromkeys(row["aspect"] for row in portrait):
        own = [row for row in portrait if row["aspect"] == aspect]
        if aspect == NEIGHBOUR:
            said = [f"{names.get(row['term'], row['term'])} ({row['share']:.2f})" for row in own]
        else:
            said = [
                f"{row['name'] or row['term']} ({row['share']:.0%}, ×{row['lift']:.1f})"
                for row in own
            ]
        lines.append(Text(f"  {aspect:<10} {', '.join(said)}"))
    lines.append(
        Text(
            "Shares are of what members watch, of titles: of members; × is against the others.",
            style="dim",
        )
    )
    return Group(*lines)
