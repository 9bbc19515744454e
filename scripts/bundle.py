"""Make the deployment bundle `dist/cinelake-<version>/`: what spark-submit needs, and nothing else.

    jobs/  conf/      as in the checkout
    cinelake.zip      the package, for --py-files (which takes no wheel)
    jars.lock         Delta's jars with their checksums, and kafka.lock those for topics
    requirements.lock what the Python of driver and workers must have installed
    LICENSE

The same checkout always gives the same bytes: files in order, no clock. Only `*.py`, `*.toml`, `*.conf` and
the package's own data travel; caches and editors' files do not.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "lib" / "cinelake"
# The earliest moment that a zip can hold. Times say nothing about content and would change the bytes.
EPOCH = (1980, 1, 1, 0, 0, 0)
EPOCH_SECONDS = 315532800
TRAVELS = {".py", ".typed", ".lock", ".properties", ".toml", ".conf", ".json"}
LOOSE_FILES = ("requirements.lock", "LICENSE")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=ROOT / "dist", help="where the bundle goes")
    target = build(parser.parse_args().out)
    print(f"{target}")
    print("Submit a job from there, for example:")
    print(
        "  spark-submit --properties-file conf/spark/local.conf --py-files cinelake.zip "
        "jobs/AREA/JOB.py --start 2024-01-01 --end 2024-01-02"
    )


def build(out: Path) -> Path:
    """Make the bundle in `out`, in place of an older one of the same version."""
    target = out / f"cinelake-{version()}"
    if target.exists():
        shutil.rmtree(target)
    target.mkdir(parents=True)
    write_zip(target / "cinelake.zip")
    for folder in ("jobs", "conf"):
        for path in travelling(ROOT / folder):
            copy(path, target / path.relative_to(ROOT))
    copy(PACKAGE / "runtime" / "jars.lock", target / "jars.lock")
    copy(PACKAGE / "runtime" / "kafka.lock", target / "kafka.lock")
    for name in LOOSE_FILES:
        copy(ROOT / name, target / name)
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


def travelling(folder: Path) -> Iterator[Path]:
    """The files of `folder` that belong into a bundle, in an order that does not depend on the disk."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.suffix in TRAVELS and "__pycache__" not in path.parts:
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
