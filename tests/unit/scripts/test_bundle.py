from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import bundle

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def bundled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bundle.build(tmp_path_factory.mktemp("dist"))


def contents(target: Path) -> dict[str, tuple[bytes, float]]:
    files = (path for path in sorted(target.rglob("*")) if path.is_file())
    return {str(p.relative_to(target)): (p.read_bytes(), p.stat().st_mtime) for p in files}


def test_two_builds_have_the_same_bytes(bundled: Path, tmp_path: Path) -> None:
    again = bundle.build(tmp_path)
    os.utime(ROOT / "lib" / "cinelake" / "py.typed")
    later = bundle.build(tmp_path / "later")
    assert contents(bundled) == contents(again) == contents(later)


def test_the_bundle_holds_what_a_cluster_needs(bundled: Path) -> None:
    names = set(contents(bundled))
    assert {"cinelake.zip", "jars.lock", "kafka.lock", "requirements.lock", "LICENSE"} <= names
    assert {"conf/base.toml", "conf/cluster.toml", "conf/spark/standalone.conf"} <= names
    jobs = {str(path.relative_to(ROOT)) for path in (ROOT / "jobs").rglob("*.py")}
    assert {name for name in names if name.startswith("jobs/")} == jobs
    assert not [name for name in names if "__pycache__" in name]


def test_the_zip_holds_the_package_and_its_data_only(bundled: Path) -> None:
    with zipfile.ZipFile(bundled / "cinelake.zip") as archive:
        names = archive.namelist()
    assert {
        "cinelake/__init__.py",
        "cinelake/runtime/jars.lock",
        "cinelake/runtime/log4j2.properties",
    } <= {*names}
    assert all(name.startswith("cinelake/") for name in names)
    assert names == sorted(names)


def test_the_package_works_from_the_zip(bundled: Path, tmp_path: Path) -> None:
    code = (
        "import cinelake; from cinelake.runtime import config, jars, machine; "
        "print(cinelake.__file__, len(jars.DELTA.jars), machine.log_settings().is_file())"
    )
    env = {**os.environ, "PYTHONPATH": str(bundled / "cinelake.zip")}
    run = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=env,
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.split() == [f"{bundled}/cinelake.zip/cinelake/__init__.py", "8", "True"]


def test_a_job_in_the_bundle_finds_the_conf_beside_it(bundled: Path, tmp_path: Path) -> None:
    job = bundled / "jobs" / "probe" / "find_conf.py"
    job.parent.mkdir()
    job.write_text("from cinelake.runtime.config import find_conf_dir\nprint(find_conf_dir({}))\n")
    env = {**os.environ, "PYTHONPATH": str(bundled / "cinelake.zip")}
    run = subprocess.run(
        [sys.executable, str(job)],
        cwd=tmp_path,
        env=env,
        capture_output=True,
        text=True,
        check=True,
    )
    job.unlink()
    job.parent.rmdir()
    assert run.stdout.strip() == str(bundled / "conf")
