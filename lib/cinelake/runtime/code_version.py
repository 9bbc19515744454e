"""Which code ran: the release, and a digest of what decides rows.

A release is many commits, and two checkouts of one release may compute different rows. So the digest is of the
package's modules and its data, and of the job files beside `conf/`: these do no more than to read, to call and to
write, but what they call, and with which parameters, is in no other place. It is the same in a checkout, of an
installed package, and in `cinelake.zip`.

It is told, and decides nothing: a window becomes stale when a job's `version=` is raised, not when a comment is mended.
"""

from __future__ import annotations

import hashlib
import os
import sys
import zipfile
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from zipimport import zipimporter

import cinelake
from cinelake.runtime.config import find_conf_dir
from cinelake.runtime.settings import ConfigError

# Files that decide rows: modules, schemas of sources, weights that were measured.
DECIDES = (".py", ".json")


@cache
def code_version() -> str:
    """The release and the digest of package and jobs: what ledger, commits and MLflow say of a run."""
    jobs = _jobs_folder()
    return versioned({**_package(), **(files_of(jobs) if jobs else {})})


@cache
def package_version() -> str:
    """The release and the digest of the package alone, which is all that executors have."""
    return versioned(_package())


def versioned(files: Mapping[str, bytes]) -> str:
    """The version of the code that consists of these files."""
    digest = hashlib.sha256()
    for name, content in sorted(files.items()):
        # Of the content's digest, so that no other cut between name and content gives the same.
        digest.update(f"{name}\0{hashlib.sha256(content).hexdigest()}\n".encode())
    return f"{cinelake.__version__}+{digest.hexdigest()[:12]}"


def files_of(folder: Path) -> dict[str, bytes]:
    """What decides rows below `folder`, by names that begin with the folder's own."""
    found = {}
    # Not rglob, which asks every path for its kind: whatever writes waits for this.
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name != "__pycache__"]
        within = Path(place).relative_to(folder.parent).as_posix()
        for name in filter(_decides, names):
            found[f"{within}/{name}"] = Path(place, name).read_bytes()
    return found


def _package() -> dict[str, bytes]:
    loader = cinelake.__loader__
    if not isinstance(loader, zipimporter):
        return files_of(Path(cinelake.__path__[0]))
    with zipfile.ZipFile(loader.archive) as archive:
        return {name: archive.read(name) for name in _ours(archive.namelist())}


def _ours(names: Iterable[str]) -> Iterable[str]:
    return (name for name in names if name.startswith("cinelake/") and _decides(name))


def _decides(name: str) -> bool:
    return name.endswith(DECIDES)


def _jobs_folder() -> Path | None:
    """The jobs that go with what is running; none where the package is used without any, as by a library's user."""
    main = getattr(sys.modules.get("__main__"), "__file__", None)
    if main and (beside := Path(main).resolve().parent.parent).name == "jobs":
        return beside
    try:
        jobs = find_conf_dir().parent / "jobs"
    except ConfigError:
        return None
    return jobs if jobs.is_dir() else None
