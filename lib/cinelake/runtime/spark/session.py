"""The Spark session: the only place with Spark settings, each with its reason.

Started by us (`cinelake`, tests, notebooks), a session gets everything from here: jars, class path, memory,
settings. Under `spark-submit`, or in a notebook that has a session already, it takes what it is given and
adds only what is missing.
"""

from __future__ import annotations

import os
import re
import shlex
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from py4j.protocol import Py4JError
from pyspark import SparkConf, SparkContext
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from cinelake.runtime.settings import Settings
from cinelake.runtime.spark.class_archive import class_archive
from cinelake.runtime.spark.jars import DELTA, KAFKA, S3, Lock
from cinelake.runtime.spark.java_names import remember_names
from cinelake.runtime.spark.machine import (
    SessionError,
    first_line,
    log_settings,
    require_java,
    scratch,
)
from cinelake.runtime.spark.preflight import (
    DELTA_CATALOG,
    require_delta_version,
    require_master,
    require_spark_version,
)

DELTA_EXTENSION = "io.delta.sql.DeltaSparkSessionExtension"
KAFKA_SOURCE = "org.apache.spark.sql.kafka010.KafkaSourceProvider"
S3_FILES = "org.apache.hadoop.fs.s3a.S3AFileSystem"
ROCKSDB = "org.apache.spark.sql.execution.streaming.state.RocksDBStateStoreProvider"
# Masters whose executors are the driver's own process.
IN_ONE_PROCESS = re.compile(r"local(\[.*\])?")
# One matrix product per task is the parallelism; threads of BLAS beneath it only fight for the same cores.
ONE_BLAS_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"), "1"
)


def spark_session(settings: Settings, app_name: str | None = None) -> SparkSession:
    """The one session of this process, started if there is none.

    Raises `SessionError` when Java or the jars cannot be had, or when a session that was started elsewhere
    lacks Delta.
    """
    _use_utc()
    # Workers start under whichever python3 comes first on the PATH otherwise.
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    running = SparkSession.getActiveSession()
    if running is None and "PYSPARK_GATEWAY_PORT" in os.environ:
        return _under_submit(settings, app_name)
    if running is None:
        return _start(settings, app_name)
    require_spark_version(running.version)
    _require_delta(running)
    # Windows are UTC days; a session in another zone would put rows into its neighbours.
    running.conf.set("spark.sql.session.timeZone", "UTC")
    remember_names(running._jvm)
    return running


def prepare() -> None:
    """Fetch the jars and make the class archive now, so that no session has to wait for them."""
    require_java()
    class_archive(DELTA.resolve())


# Spark's settings by the one of ours that sets them.
SET_BY = {
    "spark.sql.shuffle.partitions": "spark.shuffle_partitions",
    "spark.databricks.delta.snapshotPartitions": "spark.snapshot_partitions",
    "spark.sql.codegen.wholeStage": "spark.few_rows",
    "spark.sql.codegen.factoryMode": "spark.few_rows",
    "spark.sql.adaptive.enabled": "spark.few_rows",
    "spark.sql.ui.explainMode": "spark.few_rows",
}
OF_THE_DRIVER = ("spark.driver.", "spark.submit.", "spark.master")

# --- settings -----------------------------------------------------------------------------------


def _always(settings: Settings, app_name: str | None, master: str) -> dict[str, str]:
    """Settings that every session needs, whoever starts it."""
    conf = {
        "spark.app.name": app_name or settings.spark.app_name,
        "spark.master": master,
        "spark.sql.extensions": DELTA_EXTENSION,
        "spark.sql.catalog.spark_catalog": DELTA_CATALOG,
        # Windows are UTC days, wherever the machine stands.
        "spark.sql.session.timeZone": "UTC",
        # Python workers turn timestamps into local time unless they, too, live in UTC.
        "spark.executorEnv.TZ": "UTC",
        # ALS needs checkpoints, or its lineage overflows the stack; without a directory it skips them
        # silently. The files are of no use once the frames are gone.
        "spark.checkpoint.dir": _checkpoint_dir(settings, master),
        "spark.cleaner.referenceTracking.cleanCheckpoints": "true",
        # Frames are cached for the length of one publication; to compress them costs more than to compute them.
        "spark.sql.inMemoryColumnarStorage.compressed": "false",
        # Delta keeps a VARIANT whole, and only the files in which rows wait for their audit would have its fields laid
        # out as columns of their own: to write those and to put them together again takes twice the time.
        "spark.sql.variant.inferShreddingSchema": "false",
        # Rows for a few partitions, such as the days of a window, go to their files without being sorted first.
        # Each open file may hold a row group in memory; from the fifth on a task sorts after all.
        "spark.sql.maxConcurrentOutputFileWriters": "4",
        # What streams remember outgrows the memory of Java: RocksDB keeps it on disk, and checkpoints what changed.
        "spark.sql.streaming.stateStore.providerClass": ROCKSDB,
        # Spark makes its warehouse in the current directory otherwise.
        "spark.sql.warehouse.dir": _warehouse(settings),
        # PySpark otherwise looks at Python's stack for each column that is named, which is most of what it costs
        # to build a plan: 1,500 columns take 3.9 s with and 1.6 without. Python's own traces say where, too.
        "spark.python.sql.dataFrameDebugging.enabled": "false",
        # Its bar overwrites our own lines of progress.
        "spark.ui.showConsoleProgress": "false",
        **{f"spark.executorEnv.{name}": value for name, value in ONE_BLAS_THREAD.items()},
    }
    if settings.spark.shuffle_partitions is not None:
        conf["spark.sql.shuffle.partitions"] = str(settings.spark.shuffle_partitions)
    if settings.spark.few_rows:
        # Java written for a query is compiled twice, by Janino and by the JVM: never worth it for a few rows.
        conf["spark.sql.codegen.wholeStage"] = "false"
        conf["spark.sql.codegen.factoryMode"] = "NO_CODEGEN"
        # Nor is it worth it to plan anew after each step what the sizes of its rows may change: of a day of all jobs,
        # it makes half as many Spark jobs again, and a seventh of the time.
        conf["spark.sql.adaptive.enabled"] = "false"
        # Spark writes each plan out for its web page; at length, that takes a tenth of a query with many columns.
        conf["spark.sql.ui.explainMode"] = "simple"
    if settings.spark.snapshot_partitions is not None:
        conf["spark.databricks.delta.snapshotPartitions"] = str(settings.spark.snapshot_partitions)
    return conf | settings.spark.conf


def when_started_by_us(settings: Settings, app_name: str | None) -> dict[str, str]:
    """What spark-submit's command line would otherwise decide."""
    master = settings.spark.master or "local[*]"
    conf = {
        "spark.driver.memory": settings.spark.driver_memory,
        "spark.ui.enabled": str(settings.spark.ui).lower(),
    }
    if master.startswith("local"):
        # Everything is in this machine: a host name that does not resolve, or a port open to the network,
        # has no place in it.
        conf["spark.driver.host"] = "localhost"
        conf["spark.driver.bindAddress"] = "127.0.0.1"
        # A month of hourly folders is listed by as many tasks otherwise: seconds a source for what takes a moment.
        conf["spark.sql.sources.parallelPartitionDiscovery.parallelism"] = "8"
    if IN_ONE_PROCESS.fullmatch(master):
        # Hadoop's own forks a `chmod` for every file and folder that it makes, which takes longer than to write a
        # small file: of 3,900 landing files, 20 s of 28 on two cores.
        conf["spark.hadoop.fs.file.impl"] = "com.globalmentor.apache.hadoop.fs.BareLocalFileSystem"
        conf["spark.python.daemon.module"] = "cinelake.runtime.spark.python_daemon"
        # By the network, Java waits for an answer to a task's head before it sends the rest: 40 ms for each task.
        conf["spark.python.unix.domain.socket.enabled"] = "true"
    return conf | _always(settings, app_name, master)


def java_options(settings: Settings, archive: Path | None) -> list[str]:
    options = [
        f"-Dlog4j2.configurationFile={log_settings().as_uri()}",
        # A metastore that somebody turns on keeps its books in the current directory otherwise.
        f"-Dderby.system.home={scratch()}",
        # The archive is an optimisation: neither its absence nor its age is worth a word on the terminal.
        "-Xlog:cds=off",
        "-Xlog:cds+dynamic=off",
    ]
    if archive is not None:
        options.append(f"-XX:SharedArchiveFile={archive}")
    if settings.spark.few_rows:
        # The first compiler only: the thorough one takes more CPU than hundreds of short queries, and never earns it
        # back. A session starts 40 % sooner; a whole run over 100,000 ratings costs 6 % more CPU.
        options.append("-XX:TieredStopAtLevel=1")
        # Java then reserves 48 MB for compiled code. Hundreds of queries fill that, and Java stops compiling.
        options.append("-XX:ReservedCodeCacheSize=256m")
        # Threads of the concurrent collector work all the time, for pauses that nobody minds here.
        options.append("-XX:+UseParallelGC")
    return options


def _warehouse(settings: Settings) -> str:
    # Tables found by path never touch the warehouse, yet Spark creates the directory.
    if settings.lake.catalog is None:
        return str(scratch() / "warehouse")
    return f"{settings.lake.root}/warehouse"


def _checkpoint_dir(settings: Settings, master: str) -> str:
    # Executors must see it; on one machine a directory that ends with the process will do.
    if master.startswith("local"):
        return str(scratch() / "checkpoints")
    return f"{settings.lake.root}/staging/checkpoints"


# --- three ways to a session --------------------------------------------------------------------


def _start(settings: Settings, app_name: str | None) -> SparkSession:
    require_java()
    conf = when_started_by_us(settings, app_name)
    require_master(conf["spark.master"])
    jars = [jar for lock in needed_jars(settings) for jar in lock.resolve(conf)]
    archive = class_archive(jars)
    # On the class path rather than in spark.jars: copying and serving them to itself costs local mode 2 s.
    conf["spark.driver.extraClassPath"] = os.pathsep.join(
        [*map(str, jars), *filter(None, [conf.get("spark.driver.extraClassPath")])]
    )
    if not IN_ONE_PROCESS.fullmatch(conf["spark.master"]):
        # Executors are other processes and have to be sent them.
        conf["spark.jars"] = ",".join([*map(str, jars), *filter(None, [conf.get("spark.jars")])])
    options = shlex.join(java_options(settings, archive))
    conf["spark.driver.extraJavaOptions"] = " ".join(
        filter(None, [options, conf.get("spark.driver.extraJavaOptions")])
    )
    return create(conf)


def _under_submit(settings: Settings, app_name: str | None) -> SparkSession:
    # Until Python is connected to the JVM of spark-submit, SparkConf knows nothing of what was given.
    SparkContext._ensure_initialized()
    jvm: Any = SparkContext._jvm
    given = SparkConf()
    master = given.get("spark.master", None) or settings.spark.master or "local[*]"
    require_master(master)
    ours = _always(settings, app_name, master)
    conf = over_given(settings, ours, dict(given.getAll()))
    extensions = given.get("spark.sql.extensions", "") or ""
    if DELTA_EXTENSION not in extensions:
        conf["spark.sql.extensions"] = ",".join(filter(None, [extensions, DELTA_EXTENSION]))
    conf |= _missing_jars(settings, given, jvm)
    return create(conf)


def over_given(
    settings: Settings, ours: Mapping[str, str], given: Mapping[str, str]
) -> dict[str, str]:
    """Of our settings, those that the session gets beside what spark-submit gave.

    What its files and options say stays, but for what somebody set for this very run. A driver that runs already cannot
    have another memory or other options.
    """

    def is_asked_for(name: str) -> bool:
        setting = SET_BY.get(name, f"spark.conf.{name}")
        return settings.asked_for(setting) and not name.startswith(OF_THE_DRIVER)

    return {name: v for name, v in ours.items() if name not in given or is_asked_for(name)}


def create(conf: Mapping[str, str]) -> SparkSession:
    builder = SparkSession.builder.config(map=dict(conf))
    try:
        spark = builder.getOrCreate()
    except (PySparkException, Py4JError) as error:
        raise SessionError(
            f"Spark did not start: {first_line(error)}; `cinelake doctor` checks what it needs"
        ) from error
    require_spark_version(spark.version)
    _require_delta(spark)
    remember_names(spark._jvm)
    return spark


def needed_jars(settings: Settings) -> dict[Lock, str]:
    """The jars that a session needs beside Spark's, each lot with a class that is there when they are."""
    needed = {DELTA: DELTA_EXTENSION}
    if settings.ingest.kafka.topics:
        needed[KAFKA] = KAFKA_SOURCE
    if any(place.startswith("s3a://") for place in (settings.lake.root, settings.landing)):
        needed[S3] = S3_FILES
    return needed


def _missing_jars(settings: Settings, given: SparkConf, jvm: Any) -> dict[str, str]:
    """The jars for a submitted application that came without them.

    The JVM is running already, so the driver's class loader takes them directly, and `spark.jars` sends
    them to the executors.
    """
    loader = jvm.java.lang.Thread.currentThread().getContextClassLoader()
    jars: list[Path] = []
    for lock, name in needed_jars(settings).items():
        try:
            found = loader.loadClass(name)
        except Py4JError:
            jars += lock.resolve(dict(given.getAll()))
        else:
            if lock is DELTA:
                jar = found.getProtectionDomain().getCodeSource().getLocation().toString()
                require_delta_version(found.getPackage().getImplementationVersion(), jar)
    if not jars:
        return {}
    for jar in jars:
        loader.addURL(jvm.java.io.File(str(jar)).toURI().toURL())
    listed = given.get("spark.jars", "") or ""
    return {"spark.jars": ",".join([*filter(None, [listed]), *map(str, jars)])}


def _require_delta(spark: SparkSession) -> None:
    needed = {
        "spark.sql.extensions": DELTA_EXTENSION,
        "spark.sql.catalog.spark_catalog": DELTA_CATALOG,
    }
    missing = [
        f"--conf {key}={value}"
        for key, value in needed.items()
        if value not in (spark.conf.get(key, "") or "")
    ]
    if missing:
        raise SessionError(
            "a Spark session without Delta is running already, and Delta cannot be added to it; "
            f"start it with {' '.join(missing)} and the packages "
            f"{','.join(jar.coordinate for jar in DELTA.jars)}"
        )


def _use_utc() -> None:
    # Timestamps leave Spark as naive datetimes in the zone of this process; with UTC they mean what they say.
    os.environ["TZ"] = "UTC"
    time.tzset()
