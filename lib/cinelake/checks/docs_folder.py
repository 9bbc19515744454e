"""The folder that Data Docs are written into: an earlier site in it goes, and anything else in it stays.

Apart from `docs`, for to know this refusal nobody needs Great Expectations.
"""

from __future__ import annotations

import shutil
from pathlib import Path

# Stands in the head of each of our pages.
GENERATOR = '<meta name="generator" content="cinelake">'


class DocsError(RuntimeError):
    """The pages cannot be written where they were asked for."""


def clear(out_dir: Path) -> None:
    """Remove earlier pages; raises DocsError when the folder holds anything else."""
    if not out_dir.exists() or not any(out_dir.iterdir()):
        return
    start = out_dir / "index.html"
    if not start.exists() or GENERATOR not in start.read_text("utf-8"):
        raise DocsError(
            f"{out_dir} holds other files; name a new folder, or one with earlier pages"
        )
    shutil.rmtree(out_dir)
