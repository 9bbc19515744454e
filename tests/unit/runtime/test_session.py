from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pyspark.sql.functions as F
import pytest
from pyspark.sql import SparkSession

from cinelake.runtime import session
from cinelake.runtime.config import Settings
from cinelake.runtime.session import Jar, SessionError

# What `jars.lock` lists in these tests, so that none of them needs the network.
LOCKED = (
    Jar(
        "org.one",
        "first",
        "1.0",
        "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    ),
    Jar(
        "org.two",
        "second",
        "2.0",
        "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    ),
)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CINELAKE_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(session, "pinned_jars", lambda: LOCKED)
    return tmp_path / "home"


class FakeIvy:
    """Stands for the one thing in a resolution that needs the network, and counts how often it is asked."""

    def __init__(self, content: str = "test") -> None:
        self.content = content
        self.asked = 0

    def __call__(self, conf: object, cache: Path) -> list[Path]:
        self.asked += 1
        cache.mkdir(parents=True)
        paths = [cache / jar.file_name for jar in LOCKED]
        for path in paths:
            path.write_text(self.content)
        return paths


def fake_java(directory: Path, version: str | None) -> Path:
    binary = directory / "bin" / "java"
    binary.parent.mkdir(parents=True)
    binary.write_text("#!/bin/sh\necho 'openjdk version \"11.0.2\"' >&2\n")
    binary.chmod(0o755)
    if version is not None:
        (directory / "release").write_text(f'IMPLEMENTOR="x"\nJAVA_VERSION="{version}"\n')
    return binary


def test_jars_are_fetched_once(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ivy = FakeIvy()
    monkeypatch.setattr(session, "_ivy", ivy)
    first = session.resolve_jars()
    assert session.resolve_jars() == first
    assert ivy.asked == 1
    assert [path.name for path in first] == ["first-1.0.jar", "second-2.0.jar"]
    assert all(path.read_text() == "test" for path in first)


def test_a_jar_that_is_not_the_pinned_one_is_not_kept(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "_ivy", FakeIvy("tampered"))
    with pytest.raises(SessionError, match=r"first-1\.0\.jar does not match its checksum"):
        session.resolve_jars()
    assert [path.name for path in (home / "jars").iterdir()] == [".lock"]


def test_a_damaged_or_missing_jar_is_found(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "_ivy", FakeIvy())
    first, second = session.resolve_jars()
    assert session.damaged_jars(first.parent) == []
    first.unlink()
    second.write_text("overwritten")
    assert session.damaged_jars(first.parent) == [
        "first-1.0.jar is missing",
        "second-2.0.jar does not match its checksum",
    ]


RACER = """
import sys, time
from pathlib import Path
from cinelake.runtime import session
from cinelake.runtime.session import Jar

def slow_ivy(conf, cache):
    print("asked")
    time.sleep(1)
    cache.mkdir(parents=True)
    (cache / "a-1.jar").write_text("test")
    return [cache / "a-1.jar"]

session.pinned_jars = lambda: (Jar("g", "a", "1", sys.argv[1]),)
session._ivy = slow_ivy
assert session.resolve_jars()[0].read_text() == "test"
"""


def test_of_two_processes_one_fetches_and_the_other_waits(tmp_path: Path) -> None:
    env = {**os.environ, "CINELAKE_HOME": str(tmp_path)}
    command = [sys.executable, "-c", RACER, LOCKED[0].sha256]
    racers = [subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True) for _ in "ab"]
    printed = [racer.communicate(timeout=60)[0] for racer in racers]
    assert [racer.returncode for racer in racers] == [0, 0]
    assert sorted(printed) == ["", "asked\n"]


def test_the_pins_name_eight_jars_and_fit_the_installed_delta_and_spark() -> None:
    import delta
    import pyspark

    pins = {jar.artifact: jar for jar in session.pinned_jars()}
    assert len(pins) == 8
    spark_line = ".".join(pyspark.__version__.split(".")[:2])
    assert f"delta-spark_{spark_line}_2.13" in pins
    assert pins["delta-storage"].version == delta.__version__
    assert all(len(jar.sha256) == 64 for jar in pins.values())


def test_an_archive_that_cannot_be_made_only_costs_time(
    home: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(session, "_ivy", FakeIvy())
    jars = session.resolve_jars()
    runs = []

    def failing(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        runs.append(command)
        return subprocess.CompletedProcess(command, 1, "", "the disk is full")

    monkeypatch.setattr(session.subprocess, "run", failing)
    assert session.class_archive(jars) is None
    assert "sessions start more slowly" in caplog.text
    # It is not tried again at each start; what went wrong is kept.
    assert session.class_archive(jars) is None
    assert len(runs) == 1
    assert next((home / "classes").glob("*.failed")).read_text() == "the disk is full"


def test_an_archive_belongs_to_one_class_path(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "_ivy", FakeIvy())
    jars = session.resolve_jars()
    before = session.archive_path(jars)
    assert session.archive_path(jars) == before
    jars[0].write_text("another jar of that name")
    assert session.archive_path(jars) != before


def test_archives_that_nobody_uses_any_more_are_deleted(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "_ivy", FakeIvy())
    jars = session.resolve_jars()
    old, used = (home / "classes" / name for name in ("old.jsa", "used.jsa"))
    old.parent.mkdir()
    for path in (old, used):
        path.touch()
    os.utime(old, (0, 0))

    def making(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        Path(command[-1]).touch()
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(session.subprocess, "run", making)
    made = session.class_archive(jars)
    assert {path.name for path in old.parent.glob("*.jsa")} == {
        "used.jsa",
        made.name if made else "",
    }


def test_no_java_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SessionError, match="no Java on the PATH.*openjdk-17-jre-headless"):
        session.require_java()
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(SessionError, match=r"JAVA_HOME=.* has no bin/java"):
        session.require_java()


@pytest.mark.parametrize(("version", "found"), [("1.8.0_392", 8), ("17.0.15", 17), ("21", 21)])
def test_the_java_version_is_read_from_its_release_file(
    tmp_path: Path, version: str, found: int
) -> None:
    assert session.java_version(fake_java(tmp_path / "java", version)) == found


def test_an_old_java_is_named_with_its_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Without a release file the binary itself is asked.
    fake_java(tmp_path / "java", None)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "java"))
    with pytest.raises(SessionError, match="is Java 11, and Spark needs Java 17; install it"):
        session.require_java()


def test_settings_of_a_cluster_do_not_point_into_this_machine(tmp_path: Path) -> None:
    settings = Settings.model_validate(
        {"lake": {"root": "s3a://bucket/lake"}, "spark": {"conf": {"spark.x": "1"}}}
    )
    conf = session._always(settings, None, "spark://host:7077")
    assert conf["spark.checkpoint.dir"] == "s3a://bucket/lake/staging/checkpoints"
    assert conf["spark.x"] == "1"
    assert "spark.sql.shuffle.partitions" not in conf


def test_the_session_knows_delta_and_lives_in_utc(spark: SparkSession) -> None:
    assert spark.conf.get("spark.sql.extensions") == session.DELTA_EXTENSION
    stamp = spark.sql("SELECT timestamp'2024-03-01 00:00:00Z' AS t").first()
    assert stamp is not None
    assert stamp.t == datetime(2024, 3, 1)


def test_python_workers_run_this_interpreter_in_utc_with_one_blas_thread(
    spark: SparkSession,
) -> None:
    def report(batches):  # type: ignore[no-untyped-def]
        import pyarrow as pa

        for batch in batches:
            names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "TZ")
            found = {name: os.environ.get(name) for name in names} | {"python": sys.executable}
            yield pa.RecordBatch.from_pydict({"v": [json.dumps(found)] * batch.num_rows})

    row = spark.range(1).mapInArrow(report, "v string").first()
    assert row is not None
    assert json.loads(row.v) == {
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
        "TZ": "UTC",
        "python": sys.executable,
    }


def test_a_second_call_returns_the_session_there_is(
    spark: SparkSession, settings: Settings
) -> None:
    assert session.spark_session(settings) is spark


def test_a_session_without_delta_is_refused_with_what_to_pass(
    spark: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Conf:
        def get(self, key: str, default: str) -> str:
            return default

    class Foreign:
        conf = Conf()

    with pytest.raises(SessionError) as refused:
        session._require_delta(Foreign())  # type: ignore[arg-type]
    message = str(refused.value)
    assert f"--conf spark.sql.extensions={session.DELTA_EXTENSION}" in message
    assert f"--conf spark.sql.catalog.spark_catalog={session.DELTA_CATALOG}" in message
    assert "io.delta:delta-spark_4.2_2.13:4.4.0" in message


def test_nothing_is_left_in_the_current_directory(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = set(Path.cwd().iterdir())
    target = tmp_path / "table"
    spark.range(3).select(F.col("id")).write.format("delta").save(str(target))
    spark.sql("CREATE OR REPLACE TEMP VIEW v AS SELECT 1")
    assert set(Path.cwd().iterdir()) == before
