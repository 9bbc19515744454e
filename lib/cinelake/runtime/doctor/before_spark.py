"""What can be told of this machine and the configuration without a Spark session."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from pyspark import SparkContext

from cinelake.runtime.code_version import code_version
from cinelake.runtime.doctor.finding import Finding, Status, nearest_existing, user
from cinelake.runtime.doctor.mlflow_store import check_mlflow
from cinelake.runtime.keys import origin_of_secret
from cinelake.runtime.settings import ConfigError, Settings, is_local, local_path
from cinelake.runtime.spark import machine
from cinelake.runtime.spark.machine import SessionError
from cinelake.runtime.spark.session import needed_jars

PYTHON = (3, 11)
GIB = 1024**3
# MovieLens 32M needs some 3 GiB with its landing files; below the second bound not even a small run ends.
ENOUGH_DISK, LEAST_DISK = 5 * GIB, GIB // 2
# Python workers and the system need the rest.
HEAP_SHARE = 0.75


def check_code(_: Settings) -> Finding:
    return Finding("Cinelake", Status.OK, code_version())


def check_python(_: Settings) -> Finding:
    found = f"Python {sys.version.split()[0]} ({sys.executable})"
    if sys.version_info[:2] == PYTHON:
        return Finding("Python", Status.OK, found)
    wanted = ".".join(map(str, PYTHON))
    return Finding(
        "Python", Status.FAIL, found, f"install Python {wanted} and run `make setup` with it"
    )


def check_java(_: Settings) -> Finding:
    try:
        path = machine.java()
    except SessionError as error:
        return Finding("Java", Status.FAIL, "none", str(error))
    version = machine.java_version(path)
    found = f"Java {version or 'of unknown version'} ({path})"
    if version == machine.JAVA_VERSION:
        return Finding("Java", Status.OK, found)
    if version is not None and version < machine.JAVA_VERSION:
        return Finding("Java", Status.FAIL, found, machine.INSTALL_JAVA)
    return Finding(
        "Java", Status.WARN, found, f"Cinelake is tested with Java {machine.JAVA_VERSION} only"
    )


def check_packages(_: Settings) -> Finding:
    try:
        wanted = metadata.requires("cinelake") or []
    except metadata.PackageNotFoundError:
        return Finding(
            "Packages",
            Status.WARN,
            "Cinelake runs from a zip, whose pins cannot be compared",
            "make sure that workers and driver have the packages of requirements.lock",
        )
    return _compared([Requirement(line) for line in wanted], _installed)


def check_jars(settings: Settings) -> Finding:
    found = []
    for lock in needed_jars(settings):
        directory = lock.directory
        if not directory.is_dir():
            where = f"{lock.whose}'s are not yet in {directory}"
            return Finding("Jars", Status.WARN, where, "the first session fetches them")
        problems = lock.damaged(directory)
        if problems:
            remedy = f"delete {directory}; the next session fetches them again"
            return Finding("Jars", Status.FAIL, "; ".join(problems), remedy)
        found.append(f"{len(lock.jars)} of {lock.whose} with their checksums in {directory}")
    return Finding("Jars", Status.OK, "; ".join(found))


def check_memory(settings: Settings) -> Finding:
    running = _running_heap()
    if running is None:
        wanted = settings.spark.driver_memory
        heap = int(wanted[:-1]) * 1024 ** ("kmgt".index(wanted[-1]) + 1)
        return _judged_memory(heap, machine_memory(), "set spark.driver_memory to at most")
    return _judged_memory(running, machine_memory(), "give spark-submit --driver-memory of at most")


def check_lake(settings: Settings) -> Finding:
    if not settings.lake_is_local:
        return Finding(
            "Lake", Status.OK, f"{settings.lake.root}; access is tried with Delta, below"
        )
    root = local_path(settings.lake.root)
    place = nearest_existing(root)
    try:
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        return Finding(
            "Lake",
            Status.FAIL,
            f"cannot write in {place}: {error.strerror}",
            f"give {user()} write access, or set lake.root to another place",
        )
    return Finding("Lake", Status.OK, f"{root}" + ("" if root.exists() else " (not made yet)"))


def check_disk(settings: Settings) -> Finding:
    if not settings.lake_is_local:
        return Finding("Disk", Status.OK, "the lake is not on a disk of this machine")
    place = nearest_existing(local_path(settings.lake.root))
    return _judged_disk(shutil.disk_usage(place).free, place)


def check_landing(settings: Settings) -> Finding:
    if not is_local(settings.landing):
        return Finding("Landing", Status.OK, f"{settings.landing}; looked for below")
    place = local_path(settings.landing)
    if place.is_dir():
        if os.access(place, os.R_OK | os.X_OK):
            return Finding("Landing", Status.OK, str(place))
        return Finding(
            "Landing",
            Status.FAIL,
            f"{place} cannot be read",
            f"give {user()} read access to it and to all in it",
        )
    if settings.lake.landing is None:
        return Finding("Landing", Status.OK, f"{place} (not made yet)")
    return Finding(
        "Landing",
        Status.WARN,
        f"{place} is not there",
        "let records land in it, or correct lake.landing",
    )


def check_secret(settings: Settings) -> Finding:
    try:
        return Finding("Secret", Status.OK, origin_of_secret(settings))
    except ConfigError as error:
        return Finding("Secret", Status.FAIL, "none that will do", str(error))


def machine_memory() -> int:
    """Bytes that this process may use: the machine's, or its container's share."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = Path("/sys/fs/cgroup/memory.max")
    if limit.is_file():
        text = limit.read_text(encoding="ascii").strip()
        if text.isdigit():
            return min(total, int(text))
    return total


def _running_heap() -> int | None:
    """The most that the Java of this driver takes, where it runs already: our settings have come too late for it."""
    if "PYSPARK_GATEWAY_PORT" in os.environ:
        SparkContext._ensure_initialized()
    jvm: Any = SparkContext._jvm
    return None if jvm is None else int(jvm.java.lang.Runtime.getRuntime().maxMemory())


def _judged_memory(heap: int, total: int, remedy: str) -> Finding:
    found = f"{total / GIB:.1f} GiB, of which the driver's Java takes {heap / GIB:.1f}"
    fitting = f"{remedy} {max(1, int(total * HEAP_SHARE / GIB))}g"
    if heap >= total:
        return Finding("Memory", Status.FAIL, found, fitting)
    if heap > total * HEAP_SHARE:
        return Finding("Memory", Status.WARN, found, f"{fitting}; Python workers need room, too")
    return Finding("Memory", Status.OK, found)


def _judged_disk(free: int, place: Path) -> Finding:
    found = f"{free / GIB:.1f} GiB free at {place}"
    if free < LEAST_DISK:
        return Finding("Disk", Status.FAIL, found, "free some, or set lake.root to another disk")
    if free < ENOUGH_DISK:
        return Finding("Disk", Status.WARN, found, "enough for small data sets only")
    return Finding("Disk", Status.OK, found)


def _compared(wanted: list[Requirement], installed: Callable[[str], str | None]) -> Finding:
    applicable = [r for r in wanted if r.marker is None or r.marker.evaluate({"extra": ""})]
    problems = []
    for requirement in applicable:
        version = installed(requirement.name)
        if version is None:
            problems.append(f"{requirement.name} is missing")
        elif not requirement.specifier.contains(version, prereleases=True):
            problems.append(f"{requirement.name} is {version}, not {requirement.specifier}")
    # It puts a second pyspark/ without jars over the first.
    if installed("pyspark-client") is not None:
        problems.append("pyspark-client is installed and overwrites pyspark")
    if problems:
        return Finding("Packages", Status.FAIL, "; ".join(problems), "run `make clean setup`")
    return Finding("Packages", Status.OK, f"{len(applicable)} as pinned")


def _installed(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


# From the cheap to the dear.
CHECKS: tuple[Callable[[Settings], Finding], ...] = (
    check_code,
    check_python,
    check_java,
    check_packages,
    check_jars,
    check_memory,
    check_lake,
    check_disk,
    check_landing,
    check_secret,
    check_mlflow,
)
NEEDED_BY_SESSION = {"Python", "Java", "Packages", "Jars", "Lake"}
