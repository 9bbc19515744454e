"""Make the deployment bundle `dist/cinelake-<version>/`: what spark-submit needs, and nothing else.

    VERSION           the release and the digest of its code, as every run is entered with
    README.md         how to run it, for whoever has nothing else
    jobs/  conf/      as in the checkout
    run_cinelake.py   the command `cinelake`, for spark-submit
    cinelake.zip      the package, for --py-files (which takes no wheel)
    schemas/          what records of each source look like
    plan.json         the graph of jobs, for schedulers
    jars.lock         Delta's jars with their checksums; kafka.lock those for topics, s3.lock for S3
    requirements.lock what the Python of driver and workers must have installed
    SHA256SUMS        of all these
    LICENSE

The same checkout always gives the same bytes: files in order, no clock. Only files of the kinds named below travel;
caches and editors' files do not.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

from cinelake.runtime.code_version import files_of, versioned

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "lib" / "cinelake"
# The earliest moment that a zip can hold. Times say nothing about content and would change the bytes.
EPOCH = (1980, 1, 1, 0, 0, 0)
EPOCH_SECONDS = 315532800
TRAVELS = {".py", ".typed", ".lock", ".properties", ".toml", ".conf", ".json", ".yaml"}
TRAVELS_BY_NAME = {"Dockerfile"}
# Files that only the bundle has.
BUNDLED = ROOT / "scripts" / "bundled"
LOOSE_FILES = ("requirements.lock", "LICENSE")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=ROOT / "dist", help="where the bundle goes")
    print(build(parser.parse_args().out, plan()))
    print("Its README.md says how to submit from there.")


def plan() -> str:
    """What `cinelake plan --format json` says of this checkout."""
    command = [sys.executable, str(BUNDLED / "run_cinelake.py"), "plan", "--format", "json"]
    here = os.environ | {"CINELAKE_CONF": str(ROOT / "conf"), "PYTHONPATH": str(ROOT / "lib")}
    return subprocess.run(command, env=here, stdout=subprocess.PIPE, text=True, check=True).stdout


def build(out: Path, planned: str) -> Path:
    """Make the bundle in `out`, with the plan of its jobs, in place of an older one of the same version."""
    target = out / f"cinelake-{version()}"
    if target.exists():
        shutil.rmtree(target)
    target.mkdir(parents=True)
    write_zip(target / "cinelake.zip")
    for folder in ("jobs", "conf"):
        for path in travelling(ROOT / folder):
            copy(path, target / path.relative_to(ROOT))
    for path in travelling(PACKAGE / "sources" / "schemas"):
        copy(path, target / "schemas" / path.name)
    for lock in ("jars.lock", "kafka.lock", "s3.lock"):
        copy(PACKAGE / "runtime" / "spark" / lock, target / lock)
    for name in LOOSE_FILES:
        copy(ROOT / name, target / name)
    copy(BUNDLED / "run_cinelake.py", target / "run_cinelake.py")
    readme = (BUNDLED / "README.md").read_text(encoding="utf-8")
    for word, meaning in {
        "RELEASE": version(),
        "SPARK": pin("pyspark"),
        "DELTA": pin("delta-spark"),
    }.items():
        readme = re.sub(rf"\b{word}\b", meaning, readme)
    (target / "README.md").write_text(readme, encoding="utf-8")
    (target / "plan.json").write_text(planned, encoding="utf-8")
    code = {**files_of(PACKAGE), **files_of(ROOT / "jobs")}
    (target / "VERSION").write_text(versioned(code) + "\n", encoding="utf-8")
    (target / "SHA256SUMS").write_text(sums(target), encoding="utf-8")
    for path in (target, *target.rglob("*")):
        os.utime(path, (EPOCH_SECONDS, EPOCH_SECONDS))
    return target


def version() -> str:
    """The package's version, read without importing it and all of Spark."""
    found = re.search(
        r'^__version__ = "(.+)"$', (PACKAGE / "__init__.py").read_text(encoding="utf-8"), re.M
    )
    if found is None:
        raise SystemExit(f"{PACKAGE / '__init__.py'} has no __version__")
    return found[1]


def pin(package: str) -> str:
    """The version of a package that the lock names."""
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    found = re.search(rf"^{re.escape(package)}(?:\[.+\])?==(\S+)", lock, re.M)
    if found is None:
        raise SystemExit(f"requirements.lock does not pin {package}")
    return found[1]


def sums(folder: Path) -> str:
    """The checksums of all files of `folder`, as `sha256sum` writes and checks them."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return "".join(
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(folder).as_posix()}\n"
        for path in files
    )


def travelling(folder: Path) -> Iterator[Path]:
    """The files of `folder` that belong into a bundle, in an order that does not depend on the disk."""
    for path in sorted(folder.rglob("*")):
        travels = path.suffix in TRAVELS or path.name in TRAVELS_BY_NAME
        if path.is_file() and travels and "__pycache__" not in path.parts:
            yield path


def write_zip(target: Path) -> None:
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for path in travelling(PACKAGE):
            entry = zipfile.ZipInfo(path.relative_to(PACKAGE.parent).as_posix(), EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            # Unix, a plain file, readable by all; the defaults differ between systems.
            entry.create_system = 3
            entry.external_attr = 0o100644 << 16
            archive.writestr(entry, path.read_bytes())


def copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(source.read_bytes())


if __name__ == "__main__":
    main()
