"""The jars that Spark does not ship: pinned, fetched once, checked.

They are pinned in `jars.lock`, fetched once through Spark's own Ivy (so its mirrors and settings apply), checked
against their SHA-256, and from then on put on the class path from the cache. Resolving them anew in every session,
as `spark.jars.packages` does, costs more than 5 s a start.
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
from pathlib import Path
from typing import Any

from py4j.protocol import Py4JError
from pyspark import SparkConf
from pyspark.java_gateway import launch_gateway

from cinelake.runtime.machine import (
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

    @property
    def coordinate(self) -> str:
        return f"{self.group}:{self.artifact}:{self.version}"

    @property
    def file_name(self) -> str:
        return f"{self.artifact}-{self.version}.jar"


def pinned_jars() -> tuple[Jar, ...]:
    """What `jars.lock` lists, in the order of the class path."""
    text = resources.files(__package__).joinpath("jars.lock").read_text(encoding="utf-8")
    lines = [
        line.split() for line in text.splitlines() if line.strip() and not line.startswith("#")
    ]
    pins = [(*coordinate.split(":"), sha256) for coordinate, sha256 in lines]
    return tuple(Jar(group, artifact, version, sha256) for group, artifact, version, sha256 in pins)


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
        with locked("jars"):
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
                f"Delta's jars could not be fetched from {where}: {first_line(error)}; check the network, "
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
