"""What a session needs of this machine: a Java, a cache that outlives sessions, and a directory that does not.

The cache is `$CINELAKE_HOME`, by default `cinelake/` in the user's cache directory.
"""

from __future__ import annotations

import atexit
import fcntl
import os
import re
import shutil
import subprocess
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path

JAVA_VERSION = 17
INSTALL_JAVA = (
    f"install it (Debian, Ubuntu: apt install openjdk-{JAVA_VERSION}-jre-headless; "
    f"macOS: brew install openjdk@{JAVA_VERSION}) and point JAVA_HOME at it if another comes first"
)


class SessionError(RuntimeError):
    """No session can be had; the message says what is missing and what to do."""


def java() -> Path:
    """The `java` that Spark will start; raises SessionError when there is none."""
    home = os.environ.get("JAVA_HOME")
    if home:
        path = Path(home) / "bin" / "java"
        if not path.is_file():
            raise SessionError(
                f"JAVA_HOME={home} has no bin/java; point it at a Java {JAVA_VERSION} or unset it"
            )
        return path
    found = shutil.which("java")
    if found is None:
        raise SessionError(
            f"there is no Java on the PATH, and Spark needs Java {JAVA_VERSION}; {INSTALL_JAVA}"
        )
    return Path(found)


def java_version(path: Path) -> int | None:
    """The feature release (17, 21…) of a `java`; None if it does not say."""
    release = path.resolve().parent.parent / "release"
    # Every JDK and JRE says it in this file; asking the JVM itself takes a tenth of a second.
    if release.is_file():
        text = release.read_text(encoding="utf-8", errors="replace")
    else:
        asked = subprocess.run([path, "-version"], capture_output=True, text=True, check=False)
        text = asked.stderr
    found = re.search(r'(?:JAVA_VERSION=|version )"(?:1\.)?(\d+)', text)
    return int(found[1]) if found else None


def require_java() -> None:
    """Raises SessionError unless the Java that Spark will start can run it."""
    path = java()
    version = java_version(path)
    if version is not None and version < JAVA_VERSION:
        raise SessionError(
            f"{path} is Java {version}, and Spark needs Java {JAVA_VERSION}; {INSTALL_JAVA}"
        )


def cache_dir() -> Path:
    """Where jars and class archives are kept between sessions."""
    home = os.environ.get("CINELAKE_HOME")
    if home:
        return Path(home).absolute()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache").absolute() / "cinelake"


_scratch_dir: Path | None = None


def scratch() -> Path:
    """A directory that ends with this process."""
    global _scratch_dir  # noqa: PLW0603 - one per process, as is the session
    if _scratch_dir is None:
        _scratch_dir = Path(tempfile.mkdtemp(prefix="cinelake-"))
        atexit.register(shutil.rmtree, _scratch_dir, ignore_errors=True)
    return _scratch_dir


def log_settings() -> Path:
    # The package may be a zip, and Java wants a file.
    text = resources.files(__package__).joinpath("log4j2.properties").read_bytes()
    path = scratch() / "log4j2.properties"
    if not path.exists():
        path.write_bytes(text)
    return path


def on_disk(module: Path, folder: Path) -> Path:
    """The file of a module: itself, or a copy in `folder` where the package is a zip.

    Raises FileNotFoundError where it is in neither.
    """
    if module.is_file():
        return module
    for archive in module.parents:
        if archive.is_file() and zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as opened:
                folder.mkdir(parents=True, exist_ok=True)
                copy = folder / module.name
                copy.write_bytes(opened.read(module.relative_to(archive).as_posix()))
            return copy
    raise FileNotFoundError(f"{module} is no file, and in no zip")


@contextmanager
def locked(name: str) -> Iterator[None]:
    directory = cache_dir() / name
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / ".lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def first_line(error: BaseException) -> str:
    java_error = getattr(error, "java_exception", None)
    text = str(java_error) if java_error is not None else str(error)
    return text.strip().splitlines()[0] if text.strip() else type(error).__name__
