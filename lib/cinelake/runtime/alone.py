"""A job file run by itself: `spark-submit --py-files cinelake.zip jobs/<area>/<job>.py --start … --end …`.

Exit codes: 0 done, 1 failed, 2 wrong arguments, 3 done with a warning, or 0 with `--lenient`, 75 another run holds the
lake. The last line of the output is a JSON summary.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from cinelake.runtime.arguments import day, trigger
from cinelake.runtime.config import load_settings
from cinelake.runtime.delta.turns import IN_USE, LakeBusy
from cinelake.runtime.job import AnyJob, Ingest, Maintenance
from cinelake.runtime.mendable import mendable
from cinelake.runtime.runs.graph import Graph
from cinelake.runtime.runs.pipeline import WARNED, Request
from cinelake.runtime.runs.progress import PlainProgress, closing
from cinelake.runtime.windows import Window
from cinelake.runtime.workspace import Workspace


def run_alone(job: AnyJob, arguments: Sequence[str] | None) -> None:
    """Parse the command line, run the job, print the summary and exit."""
    parser = _parser(job)
    options = parser.parse_args(arguments)
    try:
        settings = load_settings(options.env, options.set, conf_dir=options.conf)
        request = _request(job, options, parser)
        workspace = Workspace(settings)
        with workspace.writing():
            pipeline = workspace.pipeline(Graph.alone(job))
            workspace.require_secret([job])
            console = Console(stderr=True)
            summary = pipeline.run(request, PlainProgress(console))
        closing(console, summary)
        workspace.stop()
    except LakeBusy as error:
        print(f"{job.name}: {error}", file=sys.stderr)  # noqa: T201 - as sys.exit does, which ends with 1
        sys.exit(IN_USE)
    except mendable() as error:
        sys.exit(f"{job.name}: {error}")
    print(summary.to_json())  # noqa: T201 - the summary is the program's output
    sys.stdout.flush()
    if summary.exit_code and not (options.lenient and summary.exit_code == WARNED):
        sys.exit(summary.exit_code)


def _request(job: AnyJob, options: argparse.Namespace, parser: argparse.ArgumentParser) -> Request:
    if isinstance(job, Ingest):
        return Request(trigger=trigger(options.trigger))
    if isinstance(job, Maintenance):
        return Request(only=(job.name,))
    try:
        return Request(
            window=Window(options.start, options.end),
            only=(job.name,),
            resume=options.resume,
            mend=options.mend,
        )
    except ValueError as error:
        parser.error(str(error))


def _parser(job: AnyJob) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=job.name, description=job.description)
    parser.add_argument("--env", help="environment: the conf file laid over base.toml")
    parser.add_argument("--conf", type=Path, help="folder that holds base.toml")
    parser.add_argument(
        "--set", action="append", default=[], metavar="a.b=c", help="one setting; may be repeated"
    )
    parser.add_argument(
        "--lenient",
        action="store_true",
        help="exit with 0, not 3, where the job only warns: for schedulers that know no third way to end",
    )
    if isinstance(job, Ingest):
        parser.add_argument(
            "--trigger", help='"10 seconds" to run for ever at that pace; default: what has landed'
        )
    elif not isinstance(job, Maintenance):
        parser.add_argument("--start", type=day, required=True, help="first day of the window, UTC")
        parser.add_argument(
            "--end", type=day, required=True, help="day after the last of the window"
        )
        parser.add_argument("--resume", action="store_true", help="leave out what is done already")
        parser.add_argument(
            "--mend",
            action="store_true",
            help="compute, too, what was done before and has become stale since, and days left out between",
        )
    return parser
