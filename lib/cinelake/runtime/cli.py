"""The command `cinelake`. Areas add commands of their own in `cinelake/<area>/commands.py`.

The word `then` between commands runs them one after the other in one Spark session: to start one takes longer than
many a command. The first that fails ends it; after one that warns it goes on, and ends with the code of a warning.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from rich.console import Console

import cinelake
from cinelake.runtime.areas import modules
from cinelake.runtime.code_version import code_version
from cinelake.runtime.delta.turns import IN_USE, LakeBusy
from cinelake.runtime.mendable import mendable
from cinelake.runtime.model_commands import model_app
from cinelake.runtime.runs.pipeline import WARNED
from cinelake.runtime.settings import ConfigError, is_local, local_path
from cinelake.runtime.workspace import Workspace
from cinelake.spelling import hint

if TYPE_CHECKING:
    from cinelake.sources.importer import Importer

app = typer.Typer(
    no_args_is_help=True, add_completion=False, rich_markup_mode=None, help=cinelake.__doc__
)
checks_app = typer.Typer(no_args_is_help=True, help="What Great Expectations found.")
ingest_app = typer.Typer(
    no_args_is_help=True, help="Bring data of a known kind into the landing area."
)
mlflow_app = typer.Typer(help="MLflow's pages, and what waits to get there.")
app.add_typer(checks_app, name="checks")
app.add_typer(ingest_app, name="ingest")
app.add_typer(mlflow_app, name="mlflow")

# Stands between commands that share a session.
THEN = "then"
# How text is printed that is not ours, so that brackets and long lines stay as they are.
_AS_IT_IS: dict[str, Any] = {"markup": False, "highlight": False, "soft_wrap": True}

console = Console()
# Messages for people go to stderr, so that stdout holds results alone.
notices = Console(stderr=True)


class _State:
    """The options given before the command."""

    environment: str | None = None
    overrides: tuple[str, ...] = ()
    # Whether a command before this one has settled them.
    settled = False


_workspaces: list[Workspace] = []


def workspace() -> Workspace:
    """The workspace of this command, made at the first call."""
    if not _workspaces:
        from cinelake.runtime.config import load_settings

        _workspaces.append(Workspace(load_settings(_State.environment, _State.overrides)))
    return _workspaces[0]


def _tell_version(asked: bool) -> None:
    if asked:
        typer.echo(code_version())
        raise typer.Exit


@app.callback()
def options(
    env: Annotated[
        str | None, typer.Option(help="Environment: which conf file is laid over base.toml.")
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="a.b=c", help="One setting; may be repeated."),
    ] = None,
    _version: Annotated[
        bool,
        typer.Option(
            "--version",
            help="Print the release and the digest of the code, as runs are entered with, and exit.",
            callback=_tell_version,
            is_eager=True,
        ),
    ] = False,
) -> None:
    """Set what all commands share; of commands joined by `then`, the first says it for all."""
    if not _State.settled:
        _State.environment = env
        _State.overrides = tuple(set_ or ())
    elif env or set_:
        raise typer.BadParameter("--env and --set stand before the first command and hold for all")


@app.command()
def plan(
    format_: Annotated[str, typer.Option("--format", help="text, mermaid or json")] = "text",
    stale: Annotated[
        bool, typer.Option("--stale", help="Say which windows are stale, and why.")
    ] = False,
) -> None:
    """Draw the graph of jobs; with --stale, what `cinelake run` would compute."""
    from cinelake.runtime.runs import graph as drawing

    drawings: dict[str, Callable[[Any], str]] = {
        "text": drawing.as_text,
        "mermaid": drawing.as_mermaid,
        "json": drawing.as_json,
    }
    if format_ not in drawings:
        raise typer.BadParameter(f"--format {format_}: choose one of {', '.join(drawings)}")
    if not stale:
        typer.echo(drawings[format_](workspace().graph))
        return
    pipeline = workspace().pipeline()
    upstream_stale: set[str] = set()
    for name, verdict in pipeline.stale().items():
        waiting = sorted(pipeline.graph.upstream[name] & upstream_stale)
        for reason, windows in verdict.reasons().items():
            typer.echo(f"{name}: {', '.join(map(str, windows))}: {reason}")
        if waiting and not verdict.stale:
            typer.echo(f"{name}: fresh, unless {', '.join(waiting)} changes what it reads")
        if verdict.stale or waiting:
            upstream_stale.add(name)
        if verdict.sealed:
            days = sorted(verdict.sealed)
            typer.echo(
                f"{name}: {len(days)} days up to {days[-1]} are sealed: {verdict.sealed[days[-1]]}"
            )
    if not upstream_stale:
        typer.echo("nothing is stale")


@app.command()
def run(
    start: Annotated[str | None, typer.Option(help="First day to compute, UTC.")] = None,
    end: Annotated[str | None, typer.Option(help="Day after the last to compute.")] = None,
    only: Annotated[
        list[str] | None, typer.Option(help="Run this job alone; may be repeated.")
    ] = None,
    until: Annotated[str | None, typer.Option(help="Run this job and all it builds on.")] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="With dates: leave out what is done already.")
    ] = False,
    mend: Annotated[
        bool,
        typer.Option(
            "--mend",
            help="With dates: compute, too, what was done before and has become stale since, and days left out.",
        ),
    ] = False,
    step: Annotated[
        str | None, typer.Option(help="The most days in one call of a job, such as 7d.")
    ] = None,
    trigger: Annotated[
        str | None,
        typer.Option(help='Only ingest, at this pace, such as "10 seconds", until interrupted.'),
    ] = None,
) -> None:
    """Run the jobs: without dates, exactly the stale windows.

    Exit code 0 when all went well, 1 when a job failed, 2 for wrong arguments, 3 when all jobs did their work and one
    warns of something, 75 when another run holds the lake. The last line is a JSON summary.
    """
    from cinelake.runtime import arguments
    from cinelake.runtime.runs.pipeline import Request, chosen
    from cinelake.runtime.runs.progress import LiveProgress, PlainProgress, closing
    from cinelake.runtime.windows import Window

    if (start is None) != (end is None):
        raise typer.BadParameter("give both --start and --end, or neither")
    # Wrong settings are no wrong arguments.
    graph = workspace().graph
    with _wrong_arguments():
        window = Window(arguments.day(start), arguments.day(end)) if start and end else None
        request = Request(
            window=window,
            only=tuple(only or ()),
            until=until,
            resume=resume,
            mend=mend,
            step=arguments.step(step) if step else None,
            trigger=arguments.trigger(trigger),
        )
        jobs = chosen(graph, request)
    with workspace().writing():
        pipeline = workspace().pipeline()
        workspace().require_secret(jobs)
        if notices.is_terminal:
            with LiveProgress(notices) as live:
                summary = pipeline.run(request, live)
        else:
            summary = pipeline.run(request, PlainProgress(notices))
    closing(notices, summary)
    typer.echo(summary.to_json())
    if summary.exit_code:
        raise typer.Exit(summary.exit_code)


@app.command("await")
def await_(
    day: Annotated[str, typer.Argument(help="The day before which all data are needed, UTC.")],
) -> None:
    """Take in what has landed, unless all data of the days before DAY are in already.

    Exit code 0 when they are, 1 while they are not: for schedulers, which try again, and then it is looked again. A
    source that fails is no reason to wait; its own job says so.
    """
    from cinelake.runtime import arguments
    from cinelake.runtime.job import Ingest
    from cinelake.runtime.runs.pipeline import Request
    from cinelake.runtime.runs.progress import PlainProgress

    with _wrong_arguments():
        needed = arguments.day(day)
    with workspace().writing():
        pipeline = workspace().pipeline()
        if not pipeline.has_data_before(needed):
            sources = [job.name for job in pipeline.graph.order if isinstance(job, Ingest)]
            pipeline.run(Request(only=tuple(sources)), PlainProgress(notices))
    through = pipeline.complete_through
    typer.echo(json.dumps({"complete_through": through.isoformat() if through else None}))
    if not pipeline.has_data_before(needed):
        _fail(
            f"the data are complete through {through or 'no day'}, and all before {needed} are needed: that they are "
            f"in shows when a record comes that was received on {needed} or later; "
            f"look at what lands in {workspace().settings.landing}"
        )


@app.command()
def tables(name: Annotated[str | None, typer.Argument(help="One table, in full.")] = None) -> None:
    """List the tables of the lake, or document one."""
    from cinelake.runtime.describe import table_list, table_page
    from cinelake.tables.catalog import all_tables
    from cinelake.tables.ddl import ddl

    known = all_tables()
    if name is None:
        console.print(table_list(known.values()))
        return
    if name not in known:
        _fail(f"there is no table {name!r}; {hint(name, sorted(known))}")
    graph = workspace().graph
    table = known[name]
    writer = graph.writer.get(name)
    console.print(
        table_page(
            table,
            written_by=[writer.name] if writer else [],
            read_by=graph.readers(name),
            ddl=ddl(table, name),
        )
    )


@app.command()
def config(
    section: Annotated[
        str | None,
        typer.Argument(
            help="Only what is in this section, such as jobs.train_recommender, with its meaning."
        ),
    ] = None,
) -> None:
    """Print every effective setting and where it came from; into a pipe, one a line with tabs between."""
    from rich.table import Table

    here = workspace()
    known = here.settings.origins(here.parameters())
    origins = [o for o in known if section is None or f"{o.key}.".startswith(f"{section}.")]
    if not origins:
        sections = {o.key.rpartition(".")[0] for o in known}
        _fail(
            f"there is no setting {section!r}; {hint(section or '', sorted(sections), 'sections are')}"
        )
    rows = [(o.key, o.value, o.source, *([o.meaning] if section else [])) for o in origins]
    if not console.is_terminal:
        # Whole lines, to be searched and cut.
        for row in rows:
            typer.echo("\t".join(row))
        return
    shown = Table(
        "setting", "value", "from", *(["meaning"] if section else []), box=None, pad_edge=False
    )
    for column in shown.columns:
        column.overflow = "fold"
    for row in rows:
        shown.add_row(*row)
    console.print(shown)


@app.command()
def doctor() -> None:
    """Check everything Cinelake needs, and say what to do about what is missing."""
    from cinelake.runtime.doctor import diagnose

    findings = diagnose(workspace().settings)
    colours = {"ok": "green", "warn": "yellow", "fail": "bold red"}
    for finding in findings:
        console.print(
            f"[{colours[finding.status]}]{finding.status:<5}[/] {finding.name}: {finding.found}",
            highlight=False,
        )
        if finding.status != "ok" and finding.remedy:
            console.print(f"      {finding.remedy}", highlight=False)
    if any(finding.status == "fail" for finding in findings):
        raise typer.Exit(1)


@mlflow_app.callback(invoke_without_command=True)
def mlflow(
    ctx: typer.Context,
    port: Annotated[int, typer.Option(help="Port on this machine.")] = 5000,
) -> None:
    """Open the MLflow pages on the lake's own store; or, with a command, look after what is tracked."""
    if ctx.invoked_subcommand is not None:
        return
    tracking = workspace().tracking
    if tracking.uri.startswith("http"):
        typer.echo(f"MLflow is served at {tracking.uri}")
        return
    _ = tracking.client
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)]
    if tracking.artifact_root:
        command += ["--default-artifact-root", tracking.artifact_root]
    typer.echo(f"MLflow at http://127.0.0.1:{port} (stop with Ctrl-C)")
    # The store's address may hold a password, and who lists processes sees what they were called with.
    told = {"MLFLOW_BACKEND_STORE_URI": tracking.uri, "MLFLOW_DISABLE_TELEMETRY": "true"}
    raise typer.Exit(subprocess.run(command, check=False, env=os.environ | told).returncode)


@mlflow_app.command("flush")
def mlflow_flush() -> None:
    """Deliver what was logged while MLflow was away; what cannot be delivered goes on waiting.

    Exit code 1 when MLflow refuses a run; it says which, and why.
    """
    waiting = workspace().waiting
    delivered, refused = workspace().tracking.deliver_all(waiting)
    typer.echo(f"{delivered} runs delivered" if delivered or refused else "nothing waits")
    if refused:
        told = "\n".join(f"  {each}" for each in refused)
        _fail(
            f"MLflow refuses {len(refused)}, which go on waiting:\n{told}\n"
            f"mend what it says, or remove them from {waiting.folder}"
        )


@app.command()
def reset(source: Annotated[str, typer.Argument(help="A source, such as ratings.")]) -> None:
    """Forget what was ingested from a source: its checkpoint and its bronze table together.

    The next run reads the landing files again.
    """
    from cinelake.runtime.job import Ingest
    from cinelake.runtime.runs import upkeep

    jobs = {job.source.name: job for job in workspace().graph.jobs if isinstance(job, Ingest)}
    if source not in jobs:
        _fail(f"there is no source {source!r}; {hint(source, sorted(jobs))}")
    with workspace().writing():
        upkeep.reset(workspace().context(), jobs[source])
    typer.echo(
        f"source {source}: checkpoint and table {jobs[source].target.name} are gone; `cinelake run` reads again"
    )


@app.command()
def rebuild(
    name: Annotated[str, typer.Argument(help="A table that a job writes.")],
    even_sealed: Annotated[
        bool,
        typer.Option("--even-sealed", help="Lose the days whose inputs retention has taken."),
    ] = False,
) -> None:
    """Drop a table and forget its windows, so that the next run computes it from scratch."""
    from cinelake.runtime.job import Job
    from cinelake.runtime.runs import upkeep

    writer = workspace().graph.writer.get(name)
    if not isinstance(writer, Job):
        _fail(
            f"no windowed job writes {name!r}; a bronze table is renewed by `cinelake reset SOURCE`"
        )
    with workspace().writing():
        dropped = upkeep.rebuild(workspace().context(), writer, even_sealed=even_sealed)
    typer.echo(
        f"dropped {', '.join(dropped)}; `cinelake run` computes every window of {writer.name} again"
    )


@checks_app.command("docs")
def checks_docs(
    out: Annotated[Path, typer.Option(help="Folder for the pages.")] = Path("data-docs"),
) -> None:
    """Build Great Expectations' Data Docs from the stored validations."""
    from cinelake.checks import docs
    from cinelake.tables.system import CHECK_RESULTS

    lake = workspace().lake
    if not lake.exists(CHECK_RESULTS):
        _fail("no validation is stored yet; run `cinelake run` first")
    kept = docs.newest(lake.read(CHECK_RESULTS)).collect()
    page = docs.build((docs.Validation(**row.asDict()) for row in kept), out)
    typer.echo(f"Data Docs: {page}")


def main() -> None:
    """The console script. Errors that a person can mend are shown as one message, not as a trace."""
    for module in modules("commands"):
        module.register(app, workspace)
    app.add_typer(model_app(workspace), name="model")
    _discover_importers()
    try:
        _run_each(sys.argv[1:])
    except mendable() as error:
        notices.print(f"{type(error).__name__}: {error}", style="red", **_AS_IT_IS)
        sys.exit(IN_USE if isinstance(error, LakeBusy) else 1)


def _run_each(arguments: list[str]) -> None:
    warned = False
    commands: list[list[str]] = [[]]
    for argument in arguments:
        if argument == THEN:
            commands.append([])
        else:
            commands[-1].append(argument)
    try:
        for command in commands:
            if len(commands) > 1:
                notices.print(f"\n== cinelake {shlex.join(command)}", style="bold", **_AS_IT_IS)
            try:
                app(command)
            except SystemExit as end:
                warned = warned or end.code == WARNED
                if end.code not in (None, 0, WARNED):
                    raise
            _State.settled = True
    finally:
        _State.settled = False
    if warned:
        sys.exit(WARNED)


def _discover_importers() -> None:
    from cinelake.runtime.intake.landing import importers

    for name, importer in importers().items():
        ingest_app.command(name)(_import_command(importer))


def _import_command(importer: Importer) -> Callable[[Path], None]:
    def bring_in(path: Annotated[Path, typer.Argument(help="The folder to read.")]) -> None:
        from cinelake.runtime.intake.landing import import_folder

        landing = local_path(_folder_to_land_in(workspace().settings.landing))
        report = import_folder(importer, path, landing)
        state = "had been landed before; nothing changed" if report.already_landed else "landed"
        notices.print(f"{path} ({report.layout}) {state}", highlight=False)
        for source, counts in report.sources.items():
            notices.print(
                f"  {source}: {counts.landed:,} records, {counts.rejections:,} of them rejected",
                highlight=False,
            )
            for reason, count in sorted(counts.rejected.items()):
                notices.print(f"    {count:,} {reason}", style="yellow", highlight=False)
        for note in report.notes:
            notices.print(f"  {note}", style="yellow", highlight=False)
        typer.echo(json.dumps(report.to_dict()))

    bring_in.__doc__ = (
        (importer.__doc__ or f"Land a folder of {importer.name}.").strip().splitlines()[0]
    )
    return bring_in


def _folder_to_land_in(landing: str) -> str:
    if is_local(landing):
        return landing
    raise ConfigError(
        f"the landing area {landing} is in a store, and importers write into a folder of this machine: land in one by "
        f"--set lake.landing=/A/FOLDER, and copy what is in it to {landing}, as by `aws s3 sync` or `hdfs dfs -put`"
    )


@contextmanager
def _wrong_arguments() -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def _fail(message: str) -> NoReturn:
    notices.print(message, style="red", **_AS_IT_IS)
    raise typer.Exit(1)
