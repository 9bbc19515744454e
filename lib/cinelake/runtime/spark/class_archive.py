"""The class archive: what Java has loaded and checked once, kept for later sessions (JEP 350).

It saves as much of a session's start as the cache of jars does. It is valid for one class path and one JVM, so it is
named after both, and without it a session only starts more slowly.
"""

from __future__ import annotations

import hashlib
import logging
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from pyspark.find_spark_home import _find_spark_home

from cinelake.runtime.spark.machine import cache_dir, java, locked

log = logging.getLogger(__name__)

UNUSED_SECONDS = 30 * 86400


def archive_path(jars: Sequence[Path]) -> Path:
    """The archive that fits this class path and this JVM; the JVM checks names, sizes and times likewise."""
    spark_jars = sorted((Path(_find_spark_home()) / "jars").glob("*.jar"))
    runtime = java().resolve().parent.parent
    parts = [
        _identity(path)
        for path in (*jars, *spark_jars, runtime / "lib" / "modules", runtime / "release")
    ]
    key = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
    return cache_dir() / "classes" / f"{key}.jsa"


def class_archive(jars: Sequence[Path]) -> Path | None:
    """The class archive, made if there is none; None if it cannot be made, which only costs time."""
    try:
        return _archive(jars)
    except OSError as error:
        log.warning("no class archive (%s); sessions start more slowly", error)
        return None


def _archive(jars: Sequence[Path]) -> Path | None:
    path = archive_path(jars)
    refusal = path.with_suffix(".failed")
    if not path.exists() and not refusal.exists():
        with locked("classes"):
            if not path.exists() and not refusal.exists():
                _forget_unused(path.parent)
                _make_archive(path, refusal, jars)
    if not path.exists():
        return None
    # The time of the last use, by which the unused ones are told.
    os.utime(path)
    return path


def _forget_unused(directory: Path) -> None:
    """Delete archives that nobody has started with for a while: each environment makes one of 200 MB."""
    oldest = time.time() - UNUSED_SECONDS
    for path in [*directory.glob("*.jsa"), *directory.glob("*.failed")]:
        if path.stat().st_mtime < oldest:
            path.unlink(missing_ok=True)


def _make_archive(path: Path, refusal: Path, jars: Sequence[Path]) -> None:
    """Run a small piece of typical work in a JVM that writes down at its end which classes it loaded."""
    log.warning(
        "making an archive of Java classes so that later sessions start faster (once, about 30 s)"
    )
    started = time.monotonic()
    partial = path.with_suffix(f".{os.getpid()}.jsa")
    try:
        child = subprocess.run(
            [
                sys.executable,
                "-m",
                "cinelake.runtime.spark.class_rehearsal",
                str(partial),
                *map(str, jars),
            ],
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
            cwd=path.parent,
            # The package may have been found through a path that only this process knows.
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
    except subprocess.TimeoutExpired:
        log.warning("making the class archive took too long; sessions start more slowly")
        return
    if child.returncode == 0 and partial.exists():
        partial.rename(path)
        log.info("class archive made in %.0f s: %s", time.monotonic() - started, path)
        return
    partial.unlink(missing_ok=True)
    refusal.write_text(child.stdout + child.stderr, encoding="utf-8")
    log.warning("the class archive could not be made; sessions start more slowly (see %s)", refusal)


def _identity(path: Path) -> str:
    status = path.stat()
    return f"{path} {status.st_size} {status.st_mtime_ns}"
