"""Whether this machine can run Cinelake, and what to do where it cannot.

Checks go from the cheap to the dear: the session with its Delta round trip comes last, and only if Java and
the jars are in order, since it would fail for their reasons and say less. Nothing is left behind.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from http.client import HTTPException
from importlib import metadata
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from py4j.protocol import Py4JError
from pyspark import SparkContext
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from cinelake.runtime import machine
from cinelake.runtime.code_version import code_version
from cinelake.runtime.inlets import Inlets
from cinelake.runtime.keys import origin_of_secret
from cinelake.runtime.lake import Lake, LakeError
from cinelake.runtime.machine import SessionError, first_line
from cinelake.runtime.preflight import (
    require_catalog,
    require_conditions,
    require_executors,
    require_write_access,
)
from cinelake.runtime.session import IN_ONE_PROCESS, needed_jars, spark_session
from cinelake.runtime.settings import (
    ConfigError,
    Settings,
    is_local,
    local_path,
    without_password,
)
from cinelake.runtime.storage import Storage

PYTHON = (3, 11)
GIB = 1024**3
# MovieLens 32M needs some 3 GiB with its landing files; below the second bound not even a small run ends.
ENOUGH_DISK, LEAST_DISK = 5 * GIB, GIB // 2
# Python workers and the system need the rest.
HEAP_SHARE = 0.75
SERVER_TIMEOUT_SECONDS = 5


class Status(StrEnum):
    """`warn` may still work; `fail` will not."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True)
class Finding:
    """One check: what was looked at, what was found, and what to do about it."""

    name: str
    status: Status
    found: str
    remedy: str = ""


def diagnose(settings: Settings) -> list[Finding]:
    """Every check, in order; the last ones start a Spark session."""
    findings = [check(settings) for check in CHECKS]
    blocking = [f.name for f in findings if f.status is Status.FAIL and f.name in NEEDED_BY_SESSION]
    if blocking:
        return [
            *findings,
            Finding(
                "Delta", Status.FAIL, "not tried", f"first put in order: {', '.join(blocking)}"
            ),
        ]
    for check in WITH_SESSION:
        finding = check(settings)
        if finding is None:
            continue
        findings.append(finding)
        if finding.name == "Executors" and finding.status is Status.FAIL:
            # To write a table without any would take for ever.
            return findings
    if settings.ingest.kafka.topics and findings[-1].status is Status.OK:
        findings.append(check_kafka(settings))
    return findings


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


def _running_heap() -> int | None:
    """The most that the Java of this driver takes, where it runs already: our settings have come too late for it."""
    if "PYSPARK_GATEWAY_PORT" in os.environ:
        SparkContext._ensure_initialized()
    jvm: Any = SparkContext._jvm
    return None if jvm is None else int(jvm.java.lang.Runtime.getRuntime().maxMemory())


def check_lake(settings: Settings) -> Finding:
    if not settings.lake_is_local:
        return Finding(
            "Lake", Status.OK, f"{settings.lake.root}; access is tried with Delta, below"
        )
    root = local_path(settings.lake.root)
    place = _nearest_existing(root)
    try:
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        return Finding(
            "Lake",
            Status.FAIL,
            f"cannot write in {place}: {error.strerror}",
            f"give {_user()} write access, or set lake.root to another place",
        )
    return Finding("Lake", Status.OK, f"{root}" + ("" if root.exists() else " (not made yet)"))


def check_disk(settings: Settings) -> Finding:
    if not settings.lake_is_local:
        return Finding("Disk", Status.OK, "the lake is not on a disk of this machine")
    place = _nearest_existing(local_path(settings.lake.root))
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
            f"give {_user()} read access to it and to all in it",
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


def check_mlflow(settings: Settings) -> Finding:
    try:
        uri = settings.tracking_uri
    except ConfigError as error:
        return Finding("MLflow", Status.FAIL, "no store", str(error))
    if uri.startswith("sqlite:///"):
        return _checked_sqlite(Path(uri.removeprefix("sqlite:///")))
    if uri.startswith(("http://", "https://")):
        return _checked_server(uri)
    return Finding(
        "MLflow",
        Status.WARN,
        without_password(uri),
        "a store of this kind is not checked; open it with MLflow",
    )


def check_executors(settings: Settings) -> Finding | None:
    """Whether executors come, have what they need, and see what the driver writes; none where Spark is one process."""
    spark = _session(settings)
    if spark is None:
        return None
    master = spark.sparkContext.master or ""
    if IN_ONE_PROCESS.fullmatch(master):
        return None
    try:
        require_executors(spark, _writable(settings), settings.spark.executor_wait)
    except (SessionError, LakeError, PySparkException, Py4JError) as error:
        found = str(error).strip().splitlines()[0]
        return Finding(
            "Executors", Status.FAIL, found, "see the master's page and the bundle's README"
        )
    return Finding(
        "Executors", Status.OK, f"{master}: they run Python, and see what the driver writes"
    )


def _session(settings: Settings) -> SparkSession | None:
    """The session; none where it does not start: `check_delta` needs one as well, and says why."""
    try:
        return spark_session(settings)
    except (SessionError, PySparkException, Py4JError):
        return None


def check_catalog(settings: Settings) -> Finding | None:
    """Whether the catalog that tables are to be named in outlives the session; none where they are found by path."""
    if settings.lake.catalog is None or (spark := _session(settings)) is None:
        return None
    try:
        require_catalog(spark, settings.lake.catalog)
    except LakeError as error:
        return Finding("Catalog", Status.FAIL, str(error))
    return Finding("Catalog", Status.OK, settings.lake.catalog)


def check_store(settings: Settings) -> Finding | None:
    """Whether an object store takes what we write, and lets one of many drivers have a turn; none for a folder."""
    if settings.lake_is_local or (spark := _session(settings)) is None:
        return None
    storage, root = Storage(spark), settings.lake.root
    try:
        require_write_access(storage, root)
        require_conditions(storage, root)
    except LakeError as error:
        return Finding("Store", Status.FAIL, str(error))
    if storage.takes_conditions(root):
        return Finding("Store", Status.OK, f"{root} takes files, and drivers may take turns")
    return Finding("Store", Status.OK, f"{root} takes files")


def check_far_landing(settings: Settings) -> Finding | None:
    """Whether records land where they are said to, when that is no folder of this machine."""
    if is_local(settings.landing) or (spark := _session(settings)) is None:
        return None
    try:
        there = Storage(spark).exists(settings.landing)
    except Py4JError as error:
        found = f"{settings.landing} cannot be read: {first_line(error)}"
        remedy = "give read access there (credentials in the environment or from the instance)"
        return Finding("Records", Status.FAIL, found, remedy)
    if there:
        return Finding("Records", Status.OK, f"{settings.landing} is there")
    remedy = "let records land in it, or correct lake.landing"
    return Finding("Records", Status.WARN, f"{settings.landing} is not there", remedy)


def _writable(settings: Settings) -> str:
    """A place that is there: the lake's, or the nearest folder above that may not be made yet."""
    if settings.lake_is_local:
        return str(_nearest_existing(local_path(settings.lake.root)))
    return settings.lake.root


def check_delta(settings: Settings) -> Finding:
    """Write two rows as a Delta table where the lake is, and read them back."""
    try:
        spark = spark_session(settings)
        place = _writable(settings)
        target = f"{place}/.cinelake-doctor-{os.getpid()}"
        try:
            spark.range(2).write.format("delta").mode("overwrite").save(target)
            rows = spark.read.format("delta").load(target).count()
        finally:
            path = spark._jvm.org.apache.hadoop.fs.Path(target)  # type: ignore[union-attr]
            path.getFileSystem(spark._jsparkSession.sessionState().newHadoopConf()).delete(
                path, True
            )
    except (SessionError, PySparkException, Py4JError) as error:
        return Finding(
            "Delta",
            Status.FAIL,
            str(error).strip().splitlines()[0],
            "if the jars and Java above are in order, check access to lake.root",
        )
    if rows != 2:
        return Finding(
            "Delta", Status.FAIL, f"wrote 2 rows and read {rows}", "check the file system"
        )
    return Finding(
        "Delta", Status.OK, f"Spark {spark.version}: a table written and read back in {place}"
    )


def check_kafka(settings: Settings) -> Finding:
    """Ask the broker for the topic of each source."""
    lake = Lake(spark_session(settings), settings.lake.root)
    topics = settings.ingest.kafka.topics
    try:
        inlets = Inlets(lake, settings.ingest, settings.secrets.kafka_password)
        missing = [name for source, name in topics.items() if inlets.of(source).extent() is None]
    except (ConfigError, LakeError) as error:
        return Finding("Kafka", Status.FAIL, str(error), "see [ingest.kafka] in conf/base.toml")
    if missing:
        return Finding(
            "Kafka",
            Status.WARN,
            f"there is no topic {', '.join(missing)}",
            "correct ingest.kafka.topics, or start the deliverer; nothing comes in before",
        )
    return Finding("Kafka", Status.OK, f"{len(topics)} topics at {settings.ingest.kafka.servers}")


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
# In order; each tells nothing where there is nothing of its kind to be looked at.
WITH_SESSION: tuple[Callable[[Settings], Finding | None], ...] = (
    check_executors,
    check_catalog,
    check_store,
    check_far_landing,
    check_delta,
)
NEEDED_BY_SESSION = {"Python", "Java", "Packages", "Jars", "Lake"}


def machine_memory() -> int:
    """Bytes that this process may use: the machine's, or its container's share."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = Path("/sys/fs/cgroup/memory.max")
    if limit.is_file():
        text = limit.read_text(encoding="ascii").strip()
        if text.isdigit():
            return min(total, int(text))
    return total


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


def _checked_sqlite(path: Path) -> Finding:
    if not path.exists():
        return Finding("MLflow", Status.OK, f"SQLite at {path} (not made yet)")
    try:
        connection = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)
        try:
            connection.execute("SELECT count(*) FROM experiments")
        finally:
            connection.close()
    except sqlite3.Error as error:
        return Finding(
            "MLflow",
            Status.FAIL,
            f"{path} is not an MLflow store: {error}",
            "move the file away, or set mlflow.tracking_uri to another store",
        )
    return Finding("MLflow", Status.OK, f"SQLite at {path}")


def _checked_server(uri: str) -> Finding:
    try:
        with urllib.request.urlopen(f"{uri.rstrip('/')}/health", timeout=SERVER_TIMEOUT_SECONDS):
            return Finding("MLflow", Status.OK, f"server at {uri}")
    except urllib.error.HTTPError as error:
        # A server that wants credentials, or a proxy in front of it, answers all the same.
        return Finding(
            "MLflow",
            Status.WARN,
            f"{uri} answers {error.code} {error.reason}",
            "check credentials (secrets.mlflow_token) and the server's --allowed-hosts",
        )
    # The second where the address has a port that is none, or another kind of server answers.
    except (OSError, HTTPException) as error:
        return Finding(
            "MLflow",
            Status.FAIL,
            f"{uri} does not answer: {getattr(error, 'reason', error)}",
            "start the server, correct mlflow.tracking_uri, or unset it to use SQLite beside the lake",
        )


def _nearest_existing(path: Path) -> Path:
    while not path.exists():
        path = path.parent
    return path


def _user() -> str:
    return os.environ.get("USER") or f"user {os.getuid()}"
