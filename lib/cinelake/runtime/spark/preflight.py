"""What is wrong with a cluster is said before any table is touched: another Spark or Delta, no master, no executor, no
write access, executors without the packages or without the lake.

Otherwise each of these shows late and as something else: a lake in a folder that only the driver has is written by
executors into folders of their own, and is read back empty.
"""

from __future__ import annotations

import os
import socket
import sys
import threading
import uuid
from collections.abc import Iterator
from datetime import timedelta
from importlib import metadata
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pyarrow as pa
from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from cinelake import __spark__, __version__
from cinelake.runtime.code_version import package_version
from cinelake.runtime.delta.lake import LakeError
from cinelake.runtime.delta.storage import Storage
from cinelake.runtime.durations import format_duration
from cinelake.runtime.settings import is_local, local_path
from cinelake.runtime.spark.jars import DELTA
from cinelake.runtime.spark.machine import SessionError, first_line

CONNECT_SECONDS = 5.0
DELTA_CATALOG = "org.apache.spark.sql.delta.catalog.DeltaCatalog"
# What Python workers import; of another version they may fail, or compute something else.
PACKAGES = ("numpy", "pandas", "pyarrow", "scipy")
SEEN = "host string, python string, sees boolean, packages string"


def require_master(master: str) -> None:
    """Raises SessionError where no master of a standalone cluster, or API server of Kubernetes, answers.

    Spark itself asks for a minute, and then ends with an error about a stopped context.
    """
    addresses = _addresses(master)
    failures = [failure for failure in map(_refusal, addresses) if failure is not None]
    if addresses and len(failures) == len(addresses):
        raise SessionError(
            f"no Spark master answers at {master} ({'; '.join(failures)}); start it, or correct --master "
            "(spark.master in the --properties-file)"
        )


def require_delta_version(version: str | None, jar: str) -> None:
    """Raises SessionError unless the Delta that the JVM has loaded from `jar` is the pinned one."""
    pinned = DELTA.jars[0].version
    if version != pinned:
        raise SessionError(
            f"Cinelake {__version__} runs with Delta {pinned}, and {jar} is Delta {version or 'of unknown version'}; "
            "take it off --packages, --jars and Spark's jars folder: the pinned one is added by itself (see jars.lock)"
        )


def require_spark_version(version: str) -> None:
    """Raises SessionError unless the JVM's Spark is of the right series."""
    if not version.startswith(f"{__spark__}."):
        raise SessionError(
            f"Cinelake {__version__} runs on Spark {__spark__}, and this session's Spark is {version}; submit with "
            f"a spark-submit of Spark {__spark__}"
        )


def require_write_access(storage: Storage, root: str) -> None:
    """Raises LakeError where the driver may not write at `root`, an object store's prefix or a folder."""
    try:
        storage.remove(_probe(storage, root, "written to see whether it can be"))
    except (OSError, Py4JError) as error:
        raise LakeError(
            f"the lake {root} cannot be written to: {first_line(error)}; give the user of this command write access "
            "there (for an object store: credentials in the environment or from the instance), or correct lake.root"
        ) from error


def require_conditions(storage: Storage, root: str) -> None:
    """Raises LakeError where a store that should let one of many writers make a file lets several (turns.py)."""
    if not storage.takes_conditions(root):
        return
    probe = f"{root.rstrip('/')}/.cinelake-turn-{uuid.uuid4().hex}"
    try:
        made = [storage.put_new(probe, f"{n}") for n in range(2)]
    except Py4JError as error:
        raise LakeError(_no_conditions(root, first_line(error))) from error
    finally:
        storage.remove(probe)
    if made != [True, False]:
        raise LakeError(_no_conditions(root, "a second writer made the same file"))


def _no_conditions(root: str, why: str) -> str:
    return (
        f"the store of {root} does not keep to conditional writes ({why}), by which drivers take turns; use one that "
        "does (Amazon S3 and MinIO do), or set spark.conf.spark.hadoop.fs.s3a.create.conditional.enabled to false and "
        "see to it that one run at a time writes to the lake"
    )


def require_catalog(spark: SparkSession, schema: str) -> None:
    """Raises LakeError where the catalog of `schema`, SCHEMA or CATALOG.SCHEMA, ends with the session."""
    catalog, _, _ = schema.rpartition(".")
    if catalog in ("", "spark_catalog"):
        kept = spark.conf.get("spark.sql.catalogImplementation", None) == "hive"
        others = spark.conf.get("spark.sql.catalog.spark_catalog", None) != DELTA_CATALOG
        if not kept and not others:
            raise LakeError(
                f"lake.catalog = {schema!r} names a schema in a catalog that ends with this session, and its tables "
                "would not be found again; set spark.conf.spark.sql.catalogImplementation to hive, with the metastore "
                "to use (spark.hadoop.hive.metastore.uris, or spark.hadoop.javax.jdo.option.ConnectionURL for one of "
                "its own), or leave lake.catalog away: tables are then found by path"
            )
    elif spark.conf.get(f"spark.sql.catalog.{catalog}", None) is None:
        raise LakeError(
            f"lake.catalog = {schema!r} is in a catalog that this session does not know; set "
            f"spark.conf.spark.sql.catalog.{catalog} to its class, with what it needs, or correct the name"
        )


def require_executors(spark: SparkSession, root: str, wait: timedelta) -> None:
    """Raises SessionError unless executors come within `wait`, with this package and the driver's versions of others,
    and LakeError unless they see what the driver writes at `root`.
    """
    storage = Storage(spark)
    probe = _probe(storage, root, "written to see whether executors find it")
    context: Any = spark.sparkContext
    tasks = max(2, context.defaultParallelism)
    late = threading.Event()

    def give_up() -> None:
        late.set()
        context.cancelAllJobs()

    timer = threading.Timer(wait.total_seconds(), give_up)
    timer.daemon = True
    timer.start()
    try:
        if not is_local(root):
            spark.read.text(probe).count()
        path = str(local_path(probe)) if is_local(root) else None
        found = spark.range(0, tasks, 1, tasks).mapInArrow(_Look(path), SEEN).distinct().collect()
    except (PySparkException, Py4JError) as error:
        if late.is_set():
            raise SessionError(
                f"no executor came within {format_duration(wait)}: no worker is alive, or none has "
                "spark.executor.cores and spark.executor.memory free; look at the master's page, ask for less, or wait "
                "longer (spark.executor_wait)"
            ) from error
        raise SessionError(_why_no_worker(str(error), root)) from error
    finally:
        timer.cancel()
        storage.remove(probe)
    _judge([row.asDict() for row in found], root)


def _probe(storage: Storage, root: str, why: str) -> str:
    """Write a file into the staging area under a name of its own; returns where it is."""
    probe = f"{root.rstrip('/')}/staging/probe-{uuid.uuid4().hex}"
    storage.put(probe, why)
    return probe


class _Look:
    """What one task sees of the machine that it runs on."""

    def __init__(self, probe: str | None) -> None:
        self.probe = probe

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for _ in batches:
            pass
        sees = self.probe is None or Path(self.probe).exists()
        row = (socket.gethostname(), sys.executable, sees, versions())
        yield pa.RecordBatch.from_arrays(
            [pa.array([value]) for value in row], names=["host", "python", "sees", "packages"]
        )


def versions() -> str:
    """The versions of what Python workers import, and of Cinelake, of the process that asks."""
    found = [f"cinelake {package_version()}"]
    for name in PACKAGES:
        try:
            found.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            found.append(f"no {name}")
    return ", ".join(found)


def _judge(found: list[dict[str, Any]], root: str) -> None:
    here = versions()
    for seen in sorted(found, key=lambda row: (row["host"], row["python"])):
        if not seen["sees"]:
            raise LakeError(
                f"the executors on {seen['host']} do not see the lake {root}: a folder of the driver's machine is "
                "none of theirs; set lake.root to a folder that all machines share, or to an object store"
            )
        if seen["packages"] != here:
            raise SessionError(
                f"the Python on {seen['host']} ({seen['python']}) has {seen['packages']}, and the driver's has "
                f"{here}; install requirements.lock on both, or ship one environment with spark.archives"
            )


def _why_no_worker(error: str, root: str) -> str:
    if "No module named 'cinelake'" in error:
        return (
            "the executors have no package cinelake; submit with --py-files cinelake.zip, which the bundle has "
            "(`make bundle`)"
        )
    if "PYTHON_VERSION_MISMATCH" in error or "Cannot run program" in error:
        python = os.environ.get("PYSPARK_PYTHON", sys.executable)
        return (
            f"the executors cannot start the driver's Python ({python}): {_line_with_reason(error)}; install Python "
            "and requirements.lock there at the same path, or name another with PYSPARK_PYTHON or "
            "spark.pyspark.python"
        )
    return (
        f"the executors could not do a first small task on the lake {root}: {_line_with_reason(error)}; their logs "
        "say more (the master's page leads to them)"
    )


def _line_with_reason(error: str) -> str:
    """The line of a long trace that says what happened."""
    lines = [line.strip() for line in error.splitlines() if line.strip()]
    for mark in ("Cannot run program", "PYTHON_VERSION_MISMATCH", "Error: ", "Exception: "):
        for line in reversed(lines):
            if mark in line:
                return line[-300:]
    return lines[0][:300] if lines else "no reason was given"


def _addresses(master: str) -> list[tuple[str, int]]:
    if master.startswith("spark://"):
        parts = [urlsplit(f"spark://{part}") for part in master.removeprefix("spark://").split(",")]
        return [(part.hostname or "", part.port or 7077) for part in parts]
    if master.startswith("k8s://"):
        address = master.removeprefix("k8s://")
        part = urlsplit(address if "://" in address else f"https://{address}")
        return [(part.hostname or "", part.port or (80 if part.scheme == "http" else 443))]
    return []


def _refusal(address: tuple[str, int]) -> str | None:
    """Why nobody can be reached at `address`; None where somebody is."""
    try:
        with socket.create_connection(address, timeout=CONNECT_SECONDS):
            return None
    except OSError as error:
        return f"{address[0]}:{address[1]}: {error.strerror or error}"
