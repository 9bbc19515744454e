"""A lake that lasts as long as a block: a folder's data goes the way of all data, and is gone when its use is."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from pydantic import SecretStr
from rich.console import Console

from cinelake.runtime.intake.landing import import_folder, importers
from cinelake.runtime.runs.pipeline import Request
from cinelake.runtime.runs.progress import PlainProgress
from cinelake.runtime.settings import Settings, local_path
from cinelake.runtime.workspace import Workspace
from cinelake.sources.importer import ImportFailed
from cinelake.tables.contract import Table

# What is drawn at random is drawn by pseudonyms, so a folder has to have the same each time. They need to hide nobody,
# for they go with the lake.
SECRET = SecretStr("of lakes that are gone when their use is")


@contextmanager
def passing_lake(
    workspace: Workspace, importer: str, folder: Path, tables: Sequence[Table], notices: Console
) -> Iterator[Workspace]:
    """A lake of `folder` alone, with `tables` and all that they are made of.

    Raises ImportFailed where the folder cannot be read, or what it holds makes a job fail.
    """
    with tempfile.TemporaryDirectory(prefix="cinelake-") as root:
        settings = passing(workspace.settings, Path(root) / "lake")
        own = Workspace(settings, workspace.spark, workspace.jobs_folder)
        import_folder(importers()[importer], folder, local_path(settings.landing))
        graph = own.graph
        makers = {graph.writer[table.name].name for table in tables}
        jobs = {job.name for maker in makers for job in graph.select((), maker)}
        with own.writing():
            summary = own.pipeline().run(Request(only=tuple(sorted(jobs))), PlainProgress(notices))
        if not summary.succeeded:
            raise ImportFailed(f"a job failed on what {folder} holds; see above")
        yield own


def passing(settings: Settings, root: Path) -> Settings:
    """The same settings for a lake that goes, with ids that are the same in each of them."""
    secrets = settings.secrets.model_copy(update={"pseudonym_key": SECRET})
    return settings.with_lake(str(root)).model_copy(update={"secrets": secrets})
