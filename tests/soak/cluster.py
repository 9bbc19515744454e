"""A real standalone cluster on this machine: a master and two workers, as processes of their own on loopback, and a
Python that has all of the lock's packages and not this one.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pyspark.find_spark_home import _find_spark_home
from soak.conftest import ONE_SECRET

START_SECONDS = 180
# Many short queries: the light compiler.
LIGHT_JAVA = "-XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=256m -XX:+UseSerialGC"
SPARK_HOME = Path(_find_spark_home())
# What editable installs leave in site-packages: with it the source tree would be found after all.
OURS = re.compile(r"__editable__.*cinelake.*|cinelake-.*", re.I)


@dataclass(frozen=True)
class Cluster:
    """A running cluster, and what is submitted to it."""

    master: str
    python: Path
    log: Path

    def submit(
        self, bundle: Path, words: Sequence[str], *, at: Path, spark: Sequence[str] = ()
    ) -> subprocess.CompletedProcess[str]:
        """Run spark-submit of the bundle's files to its end, from the folder `at`; `words` begin with the program."""
        program, *rest = words
        command = [
            str(SPARK_HOME / "bin" / "spark-submit"),
            "--master", self.master,
            "--properties-file", str(bundle / "conf" / "spark" / "standalone.conf"),
            "--py-files", str(bundle / "cinelake.zip"),
            # A third of a laptop rather than a node of a cluster.
            "--conf", "spark.driver.memory=1g",
            "--conf", "spark.executor.cores=1",
            "--conf", "spark.executor.memory=1g",
            "--conf", "spark.sql.shuffle.partitions=2",
            "--conf", "spark.dynamicAllocation.minExecutors=2",
            "--conf", "spark.dynamicAllocation.initialExecutors=2",
            "--conf", "spark.driver.host=127.0.0.1",
            "--conf", "spark.driver.bindAddress=127.0.0.1",
            "--conf", "spark.ui.enabled=false",
            "--driver-java-options", LIGHT_JAVA,
            "--conf", f"spark.executor.extraJavaOptions={LIGHT_JAVA}",
            *spark,
            str(bundle / program), *rest,
        ]  # fmt: skip
        return subprocess.run(
            command, cwd=at, env=self.env, capture_output=True, text=True, timeout=3600, check=False
        )

    @property
    def env(self) -> dict[str, str]:
        """The surroundings of somebody who has the bundle and nothing else of ours."""
        return away() | ONE_SECRET | {"PYSPARK_PYTHON": str(self.python)}


@contextmanager
def standalone(folder: Path, workers: int = 2) -> Iterator[Cluster]:
    """A cluster with its files in `folder`, which ends with the block."""
    log = folder / "cluster.log"
    port = "0"
    started: list[subprocess.Popen[bytes]] = []
    try:
        started.append(
            _spawn(log, "master.Master", "--host", "127.0.0.1", "--port", port, "--webui-port", "0")
        )
        master = _waited_for(log, r"Starting Spark master at (spark://\S+)", 1)[0]
        for n in range(workers):
            work = folder / f"worker-{n}"
            started.append(
                _spawn(
                    log, "worker.Worker", "--host", "127.0.0.1", "--cores", "2", "--memory", "3g",
                    "--webui-port", "0", "--work-dir", str(work), master,
                )
            )  # fmt: skip
        _waited_for(log, r"(Registering worker) 127", workers)
        yield Cluster(master, bare_python(folder / "venv"), log)
    finally:
        for process in reversed(started):
            process.terminate()
        for process in reversed(started):
            process.wait(timeout=60)


def bare_python(folder: Path) -> Path:
    """A Python with the packages of this one, less Cinelake."""
    here = Path(sys.prefix) / "lib" / f"python3.{sys.version_info.minor}" / "site-packages"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    there = folder / here.relative_to(sys.prefix)
    for package in here.iterdir():
        if not OURS.fullmatch(package.name):
            (there / package.name).symlink_to(package)
    python = folder / "bin" / "python"
    found = subprocess.run(
        [str(python), "-c", "import pyspark, cinelake"],
        cwd=folder,
        env=away(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert "No module named 'cinelake'" in found.stderr, "the source tree is within reach"
    return python


def away() -> dict[str, str]:
    """This environment, less all that leads to the source tree."""
    hidden = ("CINELAKE_", "PYTHON", "SPARK_", "PYSPARK_", "VIRTUAL_ENV")
    return {k: v for k, v in os.environ.items() if not k.startswith(hidden)}


def _spawn(log: Path, name: str, *arguments: str) -> subprocess.Popen[bytes]:
    with log.open("ab") as out:
        return subprocess.Popen(
            [
                str(SPARK_HOME / "bin" / "spark-class"),
                f"org.apache.spark.deploy.{name}",
                *arguments,
            ],
            stdout=out,
            stderr=out,
            # Workers take their daemon's heap from here; both only talk.
            env=away() | {"SPARK_DAEMON_MEMORY": "256m", "SPARK_LOCAL_IP": "127.0.0.1"},
        )


def _waited_for(log: Path, pattern: str, times: int) -> list[str]:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        found = re.findall(pattern, log.read_text(errors="replace") if log.exists() else "")
        if len(found) >= times:
            return found
        time.sleep(0.2)
    raise AssertionError(f"the cluster did not start:\n{log.read_text(errors='replace')[-3000:]}")
