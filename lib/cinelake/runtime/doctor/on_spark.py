"""What only a Spark session can tell: executors, catalog, store, far landing areas, a Delta round trip, topics.

Each check tells nothing where there is nothing of its kind to be looked at.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from cinelake.runtime.delta.lake import Lake, LakeError
from cinelake.runtime.delta.storage import Storage
from cinelake.runtime.doctor.finding import Finding, Status, nearest_existing
from cinelake.runtime.intake.inlets import Inlets
from cinelake.runtime.settings import ConfigError, Settings, is_local, local_path
from cinelake.runtime.spark.machine import SessionError, first_line
from cinelake.runtime.spark.preflight import (
    require_catalog,
    require_conditions,
    require_executors,
    require_write_access,
)
from cinelake.runtime.spark.session import IN_ONE_PROCESS


def check_executors(spark: SparkSession, settings: Settings) -> Finding | None:
    """Whether executors come, have what they need, and see what the driver writes; none where Spark is one process."""
    master = spark.sparkContext.master or ""
    if IN_ONE_PROCESS.fullmatch(master):
        return None
    try:
        require_executors(spark, _writable(settings), settings.spark.executor_wait)
    except (SessionError, LakeError, PySparkException, Py4JError) as error:
        remedy = "see the master's page and the bundle's README"
        return Finding("Executors", Status.FAIL, first_line(error), remedy)
    return Finding(
        "Executors", Status.OK, f"{master}: they run Python, and see what the driver writes"
    )


def check_catalog(spark: SparkSession, settings: Settings) -> Finding | None:
    """Whether the catalog that tables are to be named in outlives the session; none where they are found by path."""
    if settings.lake.catalog is None:
        return None
    try:
        require_catalog(spark, settings.lake.catalog)
    except LakeError as error:
        return Finding("Catalog", Status.FAIL, str(error))
    return Finding("Catalog", Status.OK, settings.lake.catalog)


def check_store(spark: SparkSession, settings: Settings) -> Finding | None:
    """Whether an object store takes what we write, and lets one of many drivers have a turn; none for a folder."""
    if settings.lake_is_local:
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


def check_far_landing(spark: SparkSession, settings: Settings) -> Finding | None:
    """Whether records land where they are said to, when that is no folder of this machine."""
    if is_local(settings.landing):
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


def check_delta(spark: SparkSession, settings: Settings) -> Finding:
    """Write two rows as a Delta table where the lake is, and read them back."""
    place = _writable(settings)
    target = f"{place}/.cinelake-doctor-{os.getpid()}"
    try:
        try:
            spark.range(2).write.format("delta").mode("overwrite").save(target)
            rows = spark.read.format("delta").load(target).count()
        finally:
            Storage(spark).remove(target)
    except (PySparkException, Py4JError) as error:
        remedy = "if the jars and Java above are in order, check access to lake.root"
        return Finding("Delta", Status.FAIL, first_line(error), remedy)
    if rows != 2:
        return Finding(
            "Delta", Status.FAIL, f"wrote 2 rows and read {rows}", "check the file system"
        )
    return Finding(
        "Delta", Status.OK, f"Spark {spark.version}: a table written and read back in {place}"
    )


def check_kafka(spark: SparkSession, settings: Settings) -> Finding | None:
    """Ask the broker for the topic of each source; none where records come as files."""
    topics = settings.ingest.kafka.topics
    if not topics:
        return None
    lake = Lake(spark, settings.lake.root)
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


def _writable(settings: Settings) -> str:
    """A place that is there: the lake's, or the nearest folder above that may not be made yet."""
    if settings.lake_is_local:
        return str(nearest_existing(local_path(settings.lake.root)))
    return settings.lake.root


CHECKS: tuple[Callable[[SparkSession, Settings], Finding | None], ...] = (
    check_executors,
    check_catalog,
    check_store,
    check_far_landing,
    check_delta,
    check_kafka,
)


def findings_on(spark: SparkSession, settings: Settings) -> Iterator[Finding]:
    """What they find, in order, as far as a session has what they need."""
    for check in CHECKS:
        finding = check(spark, settings)
        if finding is None:
            continue
        yield finding
        # To write a table without executors would take for ever, and there is nothing to ask of topics without tables.
        if finding.name in ("Executors", "Delta") and finding.status is Status.FAIL:
            return
