from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cinelake.runtime.spark import jars
from cinelake.runtime.spark.jars import Jar, Lock
from cinelake.runtime.spark.machine import SessionError

# Both hold the text "test".
SHA256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
LOCKED = Lock(
    "Somebody",
    (Jar("org.one", "first", "1.0", SHA256), Jar("org.two", "second", "2.0", SHA256)),
)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CINELAKE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


class FakeIvy:
    """Stands for the one thing in a resolution that needs the network, and counts how often it is asked."""

    def __init__(self, content: str = "test") -> None:
        self.content = content
        self.asked = 0

    def __call__(self, lock: Lock, conf: object, cache: Path) -> list[Path]:
        self.asked += 1
        cache.mkdir(parents=True)
        paths = [cache / jar.file_name for jar in lock.jars]
        for path in paths:
            path.write_text(self.content)
        return paths


def test_jars_are_fetched_once(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ivy = FakeIvy()
    monkeypatch.setattr(jars, "_ivy", ivy)
    first = LOCKED.resolve()
    assert LOCKED.resolve() == first
    assert ivy.asked == 1
    assert [path.name for path in first] == ["first-1.0.jar", "second-2.0.jar"]
    assert all(path.read_text() == "test" for path in first)


def test_a_jar_that_is_not_the_pinned_one_is_not_kept(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jars, "_ivy", FakeIvy("tampered"))
    with pytest.raises(SessionError, match=r"first-1\.0\.jar does not match its checksum"):
        LOCKED.resolve()
    assert [path.name for path in (home / "jars").iterdir()] == [".lock"]


def test_a_damaged_or_missing_jar_is_found(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jars, "_ivy", FakeIvy())
    first, second = LOCKED.resolve()
    assert LOCKED.damaged(first.parent) == []
    first.unlink()
    second.write_text("overwritten")
    assert LOCKED.damaged(first.parent) == [
        "first-1.0.jar is missing",
        "second-2.0.jar does not match its checksum",
    ]


RACER = """
import sys, time
from pathlib import Path
from cinelake.runtime.spark import jars
from cinelake.runtime.spark.jars import Jar, Lock

def slow_ivy(lock, conf, cache):
    print("asked")
    time.sleep(1)
    cache.mkdir(parents=True)
    (cache / "a-1.jar").write_text("test")
    return [cache / "a-1.jar"]

jars._ivy = slow_ivy
assert Lock("Somebody", (Jar("g", "a", "1", sys.argv[1]),)).resolve()[0].read_text() == "test"
"""


def test_of_two_processes_one_fetches_and_the_other_waits(tmp_path: Path) -> None:
    env = {**os.environ, "CINELAKE_HOME": str(tmp_path)}
    command = [sys.executable, "-c", RACER, SHA256]
    racers = [subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True) for _ in "ab"]
    printed = [racer.communicate(timeout=60)[0] for racer in racers]
    assert [racer.returncode for racer in racers] == [0, 0]
    assert sorted(printed) == ["", "asked\n"]


def test_the_pins_name_eight_jars_and_fit_the_installed_delta_and_spark() -> None:
    import delta
    import pyspark

    pins = {jar.artifact: jar for jar in jars.DELTA.jars}
    assert len(pins) == 8
    spark_line = ".".join(pyspark.__version__.split(".")[:2])
    assert f"delta-spark_{spark_line}_2.13" in pins
    assert pins["delta-storage"].version == delta.__version__
    assert all(len(jar.sha256) == 64 for jar in pins.values())


def test_the_pins_of_kafka_fit_the_installed_spark() -> None:
    import pyspark

    pins = {jar.artifact: jar for jar in jars.KAFKA.jars}
    assert pins["spark-sql-kafka-0-10_2.13"].version == pyspark.__version__
    assert pins["spark-token-provider-kafka-0-10_2.13"].version == pyspark.__version__
    assert {"kafka-clients", "commons-pool2"} < set(pins)
    assert all(len(jar.sha256) == 64 for jar in pins.values())
