"""The Spark session: the only place with Spark settings, each with its reason.

Started by us (`cinelake`, tests, notebooks), a session gets everything from here: jars, class path, memory,
settings. Under `spark-submit`, or in a notebook that has a session already, it takes what it is given and
adds only what is missing.

Delta's jars are pinned in `jars.lock`, fetched once through Spark's own Ivy (so its mirrors and settings
apply), checked against their SHA-256, and from then on put on the class path from the cache. Resolving them
anew in every session, as `spark.jars.packages` does, costs more than 5 s a start. An archive of loaded
classes (JEP 350, dynamic class-data sharing) saves as much again; it is valid for one class path and one
JVM, so it is named after both, and without it a session only starts more slowly.

The cache is `$CINELAKE_HOME`, by default `cinelake/` in the user's cache directory.
"""

from __future__ import annotations

import atexit
import fcntl
import hashlib
import logging
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from py4j.protocol import Py4JError
from pyspark import SparkConf, SparkContext
from pyspark.errors import PySparkException
from pyspark.find_spark_home import _find_spark_home
from pyspark.java_gateway import launch_gateway
from pyspark.sql import SparkSession

from cinelake.runtime.config import Settings

log = logging.getLogger(__name__)

JAVA_VERSION = 17
INSTALL_JAVA = (
    f"install it (Debian, Ubuntu: apt install openjdk-{JAVA_VERSION}-jre-headless; "
    f"macOS: brew install openjdk@{JAVA_VERSION}) and point JAVA_HOME at it if another comes first"
)
DELTA_EXTENSION = "io.delta.sql.DeltaSparkSessionExtension"
DELTA_CATALOG = "org.apache.spark.sql.delta.catalog.DeltaCatalog"
UNUSED_SECONDS = 30 * 86400
# Masters whose executors are the driver's own process.
IN_ONE_PROCESS = re.compile(r"local(\[.*\])?")
# One matrix product per task is the parallelism; threads of BLAS beneath it only fight for the same cores.
ONE_BLAS_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"), "1"
)


class SessionError(RuntimeError):
    """No session can be had; the message says what is missing and what to do."""


@dataclass(frozen=True)
class Jar:
    """One pinned artifact."""

    group: str
    artifact: str
    version: str
    sha256: str

    @property
    def coordinate(self) -> str:
        return f"{self.group}:{self.artifact}:{self.version}"

    @property
    def file_name(self) -> str:
        return f"{self.artifact}-{self.version}.jar"


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
    _require_delta(running)
    # Windows are UTC days; a session in another zone would put rows into its neighbours.
    running.conf.set("spark.sql.session.timeZone", "UTC")
    return running


def prepare() -> None:
    """Fetch the jars and make the class archive now, so that no session has to wait for them."""
    require_java()
    class_archive(resolve_jars())


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
        # Rows for a few partitions, such as the days of a window, go to their files without being sorted first.
        # Each open file may hold a row group in memory; from the fifth on a task sorts after all.
        "spark.sql.maxConcurrentOutputFileWriters": "4",
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
    if settings.spark.snapshot_partitions is not None:
        conf["spark.databricks.delta.snapshotPartitions"] = str(settings.spark.snapshot_partitions)
    return conf | settings.spark.conf


def _when_started_by_us(settings: Settings, app_name: str | None) -> dict[str, str]:
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
    return conf | _always(settings, app_name, master)


def _java_options(settings: Settings, archive: Path | None) -> list[str]:
    options = [
        f"-Dlog4j2.configurationFile={_log_settings().as_uri()}",
        # A metastore that somebody turns on keeps its books in the current directory otherwise.
        f"-Dderby.system.home={_scratch()}",
        # The archive is an optimisation: neither its absence nor its age is worth a word on the terminal.
        "-Xlog:cds=off",
        "-Xlog:cds+dynamic=off",
    ]
    if archive is not None:
        options.append(f"-XX:SharedArchiveFile={archive}")
    if settings.spark.quick_jit:
        # The first compiler only. A session of tests starts 40 % sooner and its first Delta write takes half
        # the time; a whole run over 100,000 ratings costs 6 % more CPU, so only tests ask for it.
        options.append("-XX:TieredStopAtLevel=1")
        # Java then reserves 48 MB for compiled code. Hundreds of queries fill that, and Java stops compiling.
        options.append("-XX:ReservedCodeCacheSize=256m")
    return options


def _warehouse(settings: Settings) -> str:
    # Tables found by path never touch the warehouse, yet Spark creates the directory.
    if settings.lake.catalog is None:
        return str(_scratch() / "warehouse")
    return f"{settings.lake.root}/warehouse"


def _checkpoint_dir(settings: Settings, master: str) -> str:
    # Executors must see it; on one machine a directory that ends with the process will do.
    if master.startswith("local"):
        return str(_scratch() / "checkpoints")
    return f"{settings.lake.root}/staging/checkpoints"


# --- three ways to a session --------------------------------------------------------------------


def _start(settings: Settings, app_name: str | None) -> SparkSession:
    require_java()
    conf = _when_started_by_us(settings, app_name)
    jars = resolve_jars(conf)
    archive = class_archive(jars)
    # On the class path rather than in spark.jars: copying and serving them to itself costs local mode 2 s.
    conf["spark.driver.extraClassPath"] = os.pathsep.join(
        [*map(str, jars), *filter(None, [conf.get("spark.driver.extraClassPath")])]
    )
    if not IN_ONE_PROCESS.fullmatch(conf["spark.master"]):
        # Executors are other processes and have to be sent them.
        conf["spark.jars"] = ",".join([*map(str, jars), *filter(None, [conf.get("spark.jars")])])
    options = shlex.join(_java_options(settings, archive))
    conf["spark.driver.extraJavaOptions"] = " ".join(
        filter(None, [options, conf.get("spark.driver.extraJavaOptions")])
    )
    return _create(conf)


def _under_submit(settings: Settings, app_name: str | None) -> SparkSession:
    # Until Python is connected to the JVM of spark-submit, SparkConf knows nothing of what was given.
    SparkContext._ensure_initialized()
    jvm: Any = SparkContext._jvm
    given = SparkConf()
    master = given.get("spark.master", None) or settings.spark.master or "local[*]"
    ours = _always(settings, app_name, master)
    conf = {key: value for key, value in ours.items() if not given.contains(key)}
    extensions = given.get("spark.sql.extensions", "") or ""
    if DELTA_EXTENSION not in extensions:
        conf["spark.sql.extensions"] = ",".join(filter(None, [extensions, DELTA_EXTENSION]))
    conf |= _missing_jars(given, jvm)
    return _create(conf)


def _create(conf: Mapping[str, str]) -> SparkSession:
    builder = SparkSession.builder.config(map=dict(conf))
    try:
        spark = builder.getOrCreate()
    except (PySparkException, Py4JError) as error:
        raise SessionError(
            f"Spark did not start: {_first_line(error)}; `cinelake doctor` checks what it needs"
        ) from error
    _require_delta(spark)
    return spark


def _missing_jars(given: SparkConf, jvm: Any) -> dict[str, str]:
    """Delta's jars for a submitted application that came without them.

    The JVM is running already, so the driver's class loader takes them directly, and `spark.jars` sends
    them to the executors.
    """
    loader = jvm.java.lang.Thread.currentThread().getContextClassLoader()
    try:
        loader.loadClass(DELTA_EXTENSION)
    except Py4JError:
        jars = resolve_jars(dict(given.getAll()))
    else:
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
            f"{','.join(jar.coordinate for jar in pinned_jars())}"
        )


# --- jars ---------------------------------------------------------------------------------------


def pinned_jars() -> tuple[Jar, ...]:
    """What `jars.lock` lists, in the order of the class path."""
    text = resources.files(__package__).joinpath("jars.lock").read_text(encoding="utf-8")
    lines = [
        line.split() for line in text.splitlines() if line.strip() and not line.startswith("#")
    ]
    pins = [(*coordinate.split(":"), sha256) for coordinate, sha256 in lines]
    return tuple(Jar(group, artifact, version, sha256) for group, artifact, version, sha256 in pins)


def cache_dir() -> Path:
    """Where jars and class archives are kept between sessions."""
    home = os.environ.get("CINELAKE_HOME")
    if home:
        return Path(home).absolute()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache").absolute() / "cinelake"


def jars_dir() -> Path:
    """The directory of exactly these pins: another version of Cinelake has another."""
    pins = "\n".join(f"{jar.coordinate} {jar.sha256}" for jar in pinned_jars())
    return cache_dir() / "jars" / hashlib.sha256(pins.encode()).hexdigest()[:16]


def damaged_jars(directory: Path) -> list[str]:
    """The pinned jars that are missing from `directory` or differ from their checksum, with which it is."""
    problems = []
    for jar in pinned_jars():
        path = directory / jar.file_name
        if not path.is_file():
            problems.append(f"{jar.file_name} is missing")
        elif _sha256(path) != jar.sha256:
            problems.append(f"{jar.file_name} does not match its checksum")
    return problems


def resolve_jars(conf: Mapping[str, str] | None = None) -> tuple[Path, ...]:
    """The paths of the pinned jars, fetched and checked if this machine has not got them yet.

    `conf` may carry Ivy's settings (`spark.jars.ivySettings`, `spark.jars.repositories`). Several processes
    may ask at once: one fetches, the others wait. The directory appears whole or not at all, and its
    presence is the proof of a passed check; `cinelake doctor` checks again.
    """
    directory = jars_dir()
    if not directory.is_dir():
        with _locked("jars"):
            if not directory.is_dir():
                _fetch_jars(directory, conf or {})
    return tuple(directory / jar.file_name for jar in pinned_jars())


def _fetch_jars(directory: Path, conf: Mapping[str, str]) -> None:
    log.warning("fetching Delta's jars into %s (once)", directory)
    directory.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix="fetching-", dir=directory.parent))
    try:
        for jar, path in zip(pinned_jars(), _ivy(conf, work / "ivy"), strict=True):
            target = work / "jars" / jar.file_name
            target.parent.mkdir(exist_ok=True)
            path.rename(target)
        problems = damaged_jars(work / "jars")
        if problems:
            raise SessionError(
                f"fetched jars are not the pinned ones: {'; '.join(problems)}; "
                "if a mirror is configured (spark.jars.repositories, spark.jars.ivySettings), check it"
            )
        (work / "jars").rename(directory)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _ivy(conf: Mapping[str, str], cache: Path) -> list[Path]:
    """Fetch each pinned artifact, alone, through Spark's Ivy in a JVM of its own."""
    if conf.get("spark.jars.repositories"):
        where = conf["spark.jars.repositories"]
    else:
        where = "the default Maven repositories"
    with _bare_gateway() as jvm:
        settings_file = conf.get("spark.jars.ivySettings")
        try:
            found = jvm.org.apache.spark.util.DependencyUtils.resolveMavenDependencies(
                False,
                "",
                ",".join(jar.coordinate for jar in pinned_jars()),
                conf.get("spark.jars.repositories", ""),
                str(cache),
                jvm.scala.Option.apply(settings_file),
            ).mkString("\n")
        except Py4JError as error:
            raise SessionError(
                f"Delta's jars could not be fetched from {where}: {_first_line(error)}; check the network, "
                "or name a mirror with --set spark.conf.spark.jars.repositories=… "
                "(or spark.conf.spark.jars.ivySettings=FILE)"
            ) from error
    by_artifact = {path.name.partition("_")[2]: path for path in map(Path, found.split("\n"))}
    return [by_artifact[jar.file_name] for jar in pinned_jars()]


@contextmanager
def _bare_gateway() -> Iterator[Any]:
    """A JVM with Spark's classes and no session, which ends with the block."""
    conf = SparkConf(loadDefaults=False)
    conf.set(
        "spark.driver.extraJavaOptions",
        shlex.join([f"-Dlog4j2.configurationFile={_log_settings().as_uri()}"]),
    )
    # Ivy reports on standard output, which is the caller's.
    with tempfile.TemporaryFile() as report:
        gateway = launch_gateway(conf, {"stdout": report, "stderr": report})  # type: ignore[no-untyped-call]
        try:
            yield gateway.jvm
        finally:
            gateway.shutdown()
            gateway.proc.stdin.close()
            gateway.proc.wait(timeout=30)


# --- class archive ------------------------------------------------------------------------------


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
        with _locked("classes"):
            if not path.exists() and not refusal.exists():
                _forget_unused(path.parent)
                _make_archive(path, refusal)
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


def _make_archive(path: Path, refusal: Path) -> None:
    """Run a small piece of typical work in a JVM that writes down at its end which classes it loaded."""
    log.warning(
        "making an archive of Java classes so that later sessions start faster (once, about 30 s)"
    )
    started = time.monotonic()
    partial = path.with_suffix(f".{os.getpid()}.jsa")
    try:
        child = subprocess.run(
            [sys.executable, "-m", "cinelake.runtime.session", str(partial)],
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


def _rehearse_for_archive(archive: Path) -> None:
    """Load the classes that most sessions load: a Delta table written, replaced, merged into and read."""
    jars = resolve_jars()
    lake = Path(tempfile.mkdtemp(prefix="cinelake-rehearsal-"))
    settings = Settings.model_validate(
        {
            "lake": {"root": str(lake)},
            "spark": {
                "master": "local[2]",
                "driver_memory": "1g",
                "shuffle_partitions": 2,
                "snapshot_partitions": 2,
            },
        }
    )
    conf = _when_started_by_us(settings, None)
    conf["spark.driver.extraClassPath"] = os.pathsep.join(map(str, jars))
    conf["spark.driver.extraJavaOptions"] = shlex.join(
        [*_java_options(settings, None), f"-XX:ArchiveClassesAtExit={archive}"]
    )
    spark = _create(conf)
    proc: Any = spark.sparkContext._gateway.proc  # type: ignore[union-attr]
    _typical_work(spark, str(lake / "table"))
    spark.stop()
    # The archive is written while the JVM ends, and this process must not end before it.
    proc.stdin.close()
    proc.wait(timeout=120)
    shutil.rmtree(lake, ignore_errors=True)


def _typical_work(spark: SparkSession, path: str) -> None:
    rows = spark.range(20).selectExpr(
        "id", "current_date() AS day", "array(cast(id AS string)) AS tags"
    )
    rows.write.format("delta").partitionBy("day").save(path)
    rows.write.format("delta").mode("overwrite").option(
        "replaceWhere", "day = current_date()"
    ).save(path)
    rows.createOrReplaceTempView("incoming")
    spark.sql(
        f"MERGE INTO delta.`{path}` AS old USING incoming AS new ON old.id = new.id AND old.id > 10 "
        "WHEN NOT MATCHED THEN INSERT *"
    )
    read = spark.read.format("delta").load(path)
    read.groupBy("day").count().join(read, "day").orderBy("id").toPandas()
    spark.createDataFrame([(1, "a")], "id int, name string").collect()


# --- surroundings -------------------------------------------------------------------------------


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


def _use_utc() -> None:
    # Timestamps leave Spark as naive datetimes in the zone of this process; with UTC they mean what they say.
    os.environ["TZ"] = "UTC"
    time.tzset()


_scratch_dir: Path | None = None


def _scratch() -> Path:
    """A directory that ends with this process."""
    global _scratch_dir  # noqa: PLW0603 - one per process, as is the session
    if _scratch_dir is None:
        _scratch_dir = Path(tempfile.mkdtemp(prefix="cinelake-"))
        atexit.register(shutil.rmtree, _scratch_dir, ignore_errors=True)
    return _scratch_dir


def _log_settings() -> Path:
    # The package may be a zip, and Java wants a file.
    text = resources.files(__package__).joinpath("log4j2.properties").read_bytes()
    path = _scratch() / "log4j2.properties"
    if not path.exists():
        path.write_bytes(text)
    return path


@contextmanager
def _locked(name: str) -> Iterator[None]:
    directory = cache_dir() / name
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / ".lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _sha256(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _identity(path: Path) -> str:
    status = path.stat()
    return f"{path} {status.st_size} {status.st_mtime_ns}"


def _first_line(error: BaseException) -> str:
    java_error = getattr(error, "java_exception", None)
    text = str(java_error) if java_error is not None else str(error)
    return text.strip().splitlines()[0] if text.strip() else type(error).__name__


if __name__ == "__main__":
    _rehearse_for_archive(Path(sys.argv[1]))
