"""The jars that Spark does not ship: pinned, fetched once, checked.

Delta's, which every session needs, are pinned in `jars.lock`, Kafka's in `kafka.lock`, for sessions that read
topics, and those for S3 in `s3.lock`, for sessions whose lake or landing area is there. A lock's jars are fetched
together, once, through Spark's own Ivy (so its mirrors and settings apply), checked against their SHA-256, and from
then on put on the class path from the cache. Resolving them anew in every session, as `spark.jars.packages` does, costs
more than 5 s a start.
"""

from __future__ import annotations

import hashlib
import logging
import shlex
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from py4j.protocol import Py4JError
from pyspark import SparkConf
from pyspark.java_gateway import launch_gateway

from cinelake.runtime.spark.machine import (
    SessionError,
    cache_dir,
    first_line,
    locked,
    log_settings,
)

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Jar:
    """One pinned artifact."""

    group: str
    artifact: str
    version: str
    sha256: str

    @classmethod
    def at(cls, coordinate: str, sha256: str) -> Jar:
        """The artifact at `group:artifact:version`."""
        group, artifact, version = coordinate.split(":")
        return cls(group, artifact, version, sha256)

    @property
    def coordinate(self) -> str:
        return f"{self.group}:{self.artifact}:{self.version}"

    @property
    def file_name(self) -> str:
        return f"{self.artifact}-{self.version}.jar"


@dataclass(frozen=True)
class Lock:
    """Pinned jars that are needed together, in the order of the class path."""

    whose: str
    jars: tuple[Jar, ...]

    @classmethod
    def read(cls, whose: str, file: Traversable) -> Lock:
        """The lock that `file` spells out: lines of `group:artifact:version sha256`, and comments."""
        lines = file.read_text(encoding="utf-8").splitlines()
        pins = [line.split() for line in lines if line.strip() and not line.startswith("#")]
        return cls(whose, tuple(Jar.at(*pin) for pin in pins))

    @property
    def directory(self) -> Path:
        """The directory of exactly these pins: another version of Cinelake has another."""
        pins = "\n".join(f"{jar.coordinate} {jar.sha256}" for jar in self.jars)
        return cache_dir() / "jars" / hashlib.sha256(pins.encode()).hexdigest()[:16]

    def damaged(self, directory: Path) -> list[str]:
        """The jars that are missing from `directory` or differ from their checksum, with which it is."""
        problems = []
        for jar in self.jars:
            path = directory / jar.file_name
            if not path.is_file():
                problems.append(f"{jar.file_name} is missing")
            elif _sha256(path) != jar.sha256:
                problems.append(f"{jar.file_name} does not match its checksum")
        return problems

    def resolve(self, conf: Mapping[str, str] | None = None) -> tuple[Path, ...]:
        """The paths of the jars, fetched and checked if this machine has not got them yet.

        `conf` may carry Ivy's settings (`spark.jars.ivySettings`, `spark.jars.repositories`). Several processes
        may ask at once: one fetches, the others wait. The directory appears whole or not at all, and its
        presence is the proof of a passed check; `cinelake doctor` checks again. Raises SessionError when they
        cannot be had.
        """
        directory = self.directory
        if not directory.is_dir():
            with locked("jars"):
                if not directory.is_dir():
                    _fetch(self, directory, conf or {})
        return tuple(directory / jar.file_name for jar in self.jars)


_HERE = resources.files(__package__)
DELTA = Lock.read("Delta", _HERE / "jars.lock")
KAFKA = Lock.read("Kafka", _HERE / "kafka.lock")
S3 = Lock.read("S3", _HERE / "s3.lock")


def _fetch(lock: Lock, directory: Path, conf: Mapping[str, str]) -> None:
    log.warning("fetching %s's jars into %s (once)", lock.whose, directory)
    directory.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix="fetching-", dir=directory.parent))
    try:
        for jar, path in zip(lock.jars, _ivy(lock, conf, work / "ivy"), strict=True):
            target = work / "jars" / jar.file_name
            target.parent.mkdir(exist_ok=True)
            path.rename(target)
        problems = lock.damaged(work / "jars")
        if problems:
            raise SessionError(
                f"fetched jars are not the pinned ones: {'; '.join(problems)}; "
                "if a mirror is configured (spark.jars.repositories, spark.jars.ivySettings), check it"
            )
        (work / "jars").rename(directory)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _ivy(lock: Lock, conf: Mapping[str, str], cache: Path) -> list[Path]:
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
                ",".join(jar.coordinate for jar in lock.jars),
                conf.get("spark.jars.repositories", ""),
                str(cache),
                jvm.scala.Option.apply(settings_file),
            ).mkString("\n")
        except Py4JError as error:
            raise SessionError(
                f"{lock.whose}'s jars could not be fetched from {where}: {first_line(error)}; check the network, "
                "or name a mirror with --set spark.conf.spark.jars.repositories=… "
                "(or spark.conf.spark.jars.ivySettings=FILE)"
            ) from error
    by_name = {path.name: path for path in map(Path, found.split("\n"))}
    return [by_name[f"{jar.group}_{jar.file_name}"] for jar in lock.jars]


@contextmanager
def _bare_gateway() -> Iterator[Any]:
    """A JVM with Spark's classes and no session, which ends with the block."""
    conf = SparkConf(loadDefaults=False)
    conf.set(
        "spark.driver.extraJavaOptions",
        shlex.join([f"-Dlog4j2.configurationFile={log_settings().as_uri()}"]),
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


def _sha256(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
