"""`cinelake report`: the page that people read. Areas add their parts in `cinelake/<area>/report.py`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from cinelake.report.page import Section, as_html
from cinelake.runtime.areas import modules
from cinelake.runtime.runs.staleness import data_through
from cinelake.runtime.workspace import Workspace
from cinelake.tables.system import JOB_RUNS


def register(app: typer.Typer, context: Callable[[], Workspace]) -> None:
    """Add the command to `cinelake`."""

    @app.command()
    def report(
        out: Annotated[Path, typer.Option(help="The file to write.", dir_okay=False)] = Path(
            "report.html"
        ),
    ) -> None:
        """Write one page of HTML: what is watched, how good the models are, how the pipeline and its data do."""
        workspace = context()
        if not workspace.lake.exists(JOB_RUNS):
            raise typer.BadParameter("nothing has run in this lake yet; run `cinelake run` first")
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(page(workspace), "utf-8")
        typer.echo(f"report: {out}")


def page(workspace: Workspace) -> str:
    """The page, from what the lake holds now."""
    sections: list[Section] = []
    for module in modules("report"):
        sections += module.sections(workspace)
    tables = [table.name for table in workspace.graph.tables]
    through = data_through(workspace.ledger.books(), tables)
    lead = f"Data received through {through:%Y-%m-%d %H:%M} UTC." if through else "No data yet."
    return as_html("Cinelake", lead, sections)
