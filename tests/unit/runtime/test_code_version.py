"""A run says which code it was: of what decides rows, wherever that lies."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import bundle
from cinelake.runtime.code_version import code_version, files_of, package_version, versioned

ROOT = Path(__file__).parents[3]


def said_by(package: Path, beside: Path) -> list[str]:
    """What a Python says that has the package at `package`, and the jobs of `beside`."""
    code = (
        "import cinelake, cinelake.runtime.code_version as version; "
        "print(cinelake.__file__, version.code_version(), version.package_version())"
    )
    env = os.environ | {"PYTHONPATH": str(package), "CINELAKE_CONF": str(beside / "conf")}
    run = subprocess.run(
        [sys.executable, "-c", code], env=env, stdout=subprocess.PIPE, text=True, check=True
    )
    return run.stdout.split()


def test_a_checkout_an_installed_package_and_the_zip_say_the_same(tmp_path: Path) -> None:
    built = bundle.build(tmp_path, "{}")
    # As pip does, which leaves compiled files there, too.
    shutil.copytree(ROOT / "lib" / "cinelake", tmp_path / "site" / "cinelake")
    compiled = tmp_path / "site" / "cinelake" / "__pycache__"
    compiled.mkdir(exist_ok=True)
    (compiled / "left_over.py").touch()

    expected = [code_version(), package_version()]
    where, *zipped = said_by(built / "cinelake.zip", built)
    assert (where, zipped) == (f"{built}/cinelake.zip/cinelake/__init__.py", expected)
    where, *installed = said_by(tmp_path / "site", ROOT)
    assert (where, installed) == (f"{tmp_path}/site/cinelake/__init__.py", expected)
    assert (built / "VERSION").read_text(encoding="utf-8") == f"{code_version()}\n"


def test_the_version_is_of_what_decides_rows_and_of_nothing_else(tmp_path: Path) -> None:
    jobs = tmp_path / "jobs"
    (jobs / "area").mkdir(parents=True)
    module = jobs / "area" / "count.py"
    module.write_text("ONE = 1")
    (jobs / "weights.json").write_text("{}")
    first = versioned(files_of(jobs))
    assert first.startswith("0.1.0+")
    assert len(first) == len("0.1.0+") + 12

    (jobs / "README.md").write_text("Words.")
    (jobs / "area" / "__pycache__").mkdir()
    (jobs / "area" / "__pycache__" / "count.cpython-311.pyc").touch()
    assert versioned(files_of(jobs)) == first

    module.write_text("ONE = 2")
    assert versioned(files_of(jobs)) != first
    module.write_text("ONE = 1")
    assert versioned(files_of(jobs)) == first
    module.rename(jobs / "area" / "counts.py")
    assert versioned(files_of(jobs)) != first
