"""A lake in a notebook: one call to open it, and its sections and few rows as a notebook shows them.

Notebooks build on Cinelake alone. What they draw is drawn by the areas' own pictures, so a notebook and the report
never tell two stories.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from pyspark.sql import DataFrame

from cinelake.report.page import Picture, Section
from cinelake.runtime.config import load_settings
from cinelake.runtime.workspace import Workspace
from cinelake.tables.catalog import all_tables

__all__ = ["few", "open_lake", "pictures", "tables"]


class NoLake(FileNotFoundError):
    """There is no lake where a notebook looks for one."""


def open_lake(root: str) -> Workspace:
    """The lake in the folder `root`, as `conf/` of the environment has it otherwise.

    A path that is not absolute counts from the project's folder. Raises NoLake where no lake is.
    """
    settings = load_settings()
    home = settings.conf_dir.parent if settings.conf_dir else Path.cwd()
    place = Path(root).expanduser()
    place = place if place.is_absolute() else home / place
    if not (place / "tables").is_dir():
        raise NoLake(
            f"there is no lake in {place}; `make run` makes one, and says where (set LAKE to it)"
        )
    return Workspace(settings.with_lake(str(place)))


def few(frame: DataFrame, rows: int = 10) -> pd.DataFrame:
    """The first rows of a frame, to look at."""
    shown: pd.DataFrame = frame.limit(rows).toArrow().to_pandas()
    return shown


def tables(workspace: Workspace) -> pd.DataFrame:
    """What stands in the lake: a row a table, with what one row of it is."""
    lake = workspace.lake
    there = [table for table in all_tables().values() if lake.exists(table)]
    sizes = [lake.size(table) for table in there]
    return pd.DataFrame(
        {
            "table": [table.name for table in there],
            "layer": [str(table.layer) for table in there],
            "area": [table.area for table in there],
            "files": [files for files, _ in sizes],
            "kB": [round(size / 1000) for _, size in sizes],
            "one row is": [table.grain for table in there],
        }
    ).sort_values(["layer", "area", "table"], ignore_index=True)


def pictures(section: Section) -> list[Picture]:
    """The pictures of a section of the report, in order."""
    return [part for part in section.parts if isinstance(part, Picture)]
