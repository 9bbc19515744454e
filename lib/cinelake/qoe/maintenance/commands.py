"""`cinelake maintenance`: announce work, call it off, and list what is announced."""

from __future__ import annotations

import getpass
import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from pyspark.sql import functions as F
from rich.console import Console
from rich.table import Table as Lines

from cinelake.qoe.maintenance.calendar import standing
from cinelake.qoe.rollups import parts_of
from cinelake.runtime.runs.upkeep import append_external
from cinelake.runtime.workspace import Workspace
from cinelake.tables.maintenance import LONGEST_DAYS, QOE_MAINTENANCE
from cinelake.tables.qoe import DIMENSIONS

BY = "cinelake maintenance"
SHOWN = 50


def register(app: typer.Typer, context: Callable[[], Workspace]) -> None:
    """Add the command to `cinelake`."""

    @app.command()
    def maintenance(
        where: Annotated[
            str | None,
            typer.Option(
                help="What is worked at, as 'isp=Lindenglas' or 'cdn=drift|region=Bavaria'."
            ),
        ] = None,
        start: Annotated[
            str | None, typer.Option("--from", help="When it begins, UTC, as 2026-03-11T07:00.")
        ] = None,
        until: Annotated[str | None, typer.Option(help="When it is over, UTC.")] = None,
        why: Annotated[str | None, typer.Option(help="What is done, in words.")] = None,
        cancel: Annotated[str | None, typer.Option(help="Call off the work of this id.")] = None,
    ) -> None:
        """Announce work that mutes alarms, or call it off; without options, list what is announced."""
        given = (where, start, until, why)
        if cancel is not None and any(part is not None for part in given):
            raise typer.BadParameter("--cancel takes an id and nothing else")
        if cancel is not None:
            row = called_off(_rows(context()), cancel)
        elif any(part is not None for part in given):
            if where is None or start is None or until is None or why is None:
                raise typer.BadParameter(
                    "to announce work, give --where, --from, --until and --why"
                )
            work = announced(where, start, until, why, getpass.getuser())
            row = anew(work, _rows(context()))
        else:
            Console().print(_listed(context()))
            return
        told = tuple(row[name] for name in QOE_MAINTENANCE.names)
        frame = context().spark.createDataFrame([told], QOE_MAINTENANCE.schema)
        with context().writing():
            append_external(context().context(), QOE_MAINTENANCE, frame, by=BY)
        done = "called off" if row["is_cancelled"] else "announced"
        typer.echo(f"maintenance {row['maintenance_id']}: {done}; the next `cinelake run` heeds it")


def announced(where: str, start: str, until: str, why: str, by: str) -> dict[str, Any]:
    """The first row of a piece of work. Raises BadParameter, a UsageError, for what makes no sense."""
    parts = parts_of(where)
    unknown = sorted(parts.keys() - set(DIMENSIONS))
    if unknown or not parts or "" in parts.values():
        raise typer.BadParameter(
            f"--where {where!r}: name some of {', '.join(DIMENSIONS)}, as 'cdn=drift|region=Bavaria'"
        )
    begins, ends = _moment("--from", start), _moment("--until", until)
    if not begins < ends:
        raise typer.BadParameter(f"--until {until} is not after --from {start}")
    if (ends - begins).total_seconds() > LONGEST_DAYS * 86_400:
        raise typer.BadParameter(
            f"--until {until}: work lasts {LONGEST_DAYS} days at most; announce the rest apart"
        )
    if not why.strip():
        raise typer.BadParameter("--why is empty; say what is done")
    about = f"{where}|{begins.isoformat()}|{ends.isoformat()}"
    return {
        "maintenance_id": hashlib.sha256(about.encode()).hexdigest()[:12],
        "from_date": begins.date(),
        "number": 1,
        "starts_at": begins,
        "ends_at": ends,
        **{name: parts.get(name) for name in DIMENSIONS},
        "is_cancelled": False,
        "why": why,
        "given_by": by,
    }


def anew(work: dict[str, Any], rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The row that announces `work` after those there are of it; raises BadParameter while it still stands."""
    own = [row for row in rows if row["maintenance_id"] == work["maintenance_id"]]
    newest = max(own, key=_number, default=None)
    if newest is None:
        return work
    if not newest["is_cancelled"]:
        raise typer.BadParameter(
            f"it is announced already, as {work['maintenance_id']}; call that off to announce it anew"
        )
    return work | {"number": newest["number"] + 1}


def called_off(rows: list[dict[str, Any]], id_: str) -> dict[str, Any]:
    """The row that calls a piece of work off; raises BadParameter where there is none, or several begin so."""
    own = [row for row in rows if row["maintenance_id"].startswith(id_)]
    if len({row["maintenance_id"] for row in own}) != 1:
        which = "more than one piece of work begins" if own else "no work begins"
        raise typer.BadParameter(f"--cancel {id_!r}: {which} with that; `{BY}` lists their ids")
    newest = max(own, key=_number)
    if newest["is_cancelled"]:
        raise typer.BadParameter(f"--cancel {id_!r}: it was called off before")
    return newest | {
        "number": newest["number"] + 1,
        "is_cancelled": True,
        "given_by": getpass.getuser(),
    }


def _number(row: dict[str, Any]) -> int:
    return int(row["number"])


def _moment(option: str, text: str) -> datetime:
    try:
        told = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(
            f"{option} {text!r} is no time; write it as 2026-03-11T07:00"
        ) from None
    return told.astimezone(UTC) if told.tzinfo else told.replace(tzinfo=UTC)


def _rows(workspace: Workspace) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = workspace.lake.read(QOE_MAINTENANCE).toArrow().to_pylist()
    return found


def _listed(workspace: Workspace) -> Lines:
    newest = standing(workspace.lake.read(QOE_MAINTENANCE))
    lines = Lines()
    for name in ("id", "where", "from (UTC)", "until", "what"):
        lines.add_column(name)
    for row in newest.orderBy(F.desc("starts_at")).limit(SHOWN).toArrow().to_pylist():
        where = "|".join(f"{name}={row[name]}" for name in DIMENSIONS if row[name])
        times = (f"{row[name]:%Y-%m-%d %H:%M}" for name in ("starts_at", "ends_at"))
        lines.add_row(row["maintenance_id"], where, *times, row["why"])
    return lines
