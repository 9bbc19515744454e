from __future__ import annotations

import http.server
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from packaging.requirements import Requirement
from pyspark.sql import SparkSession

from cinelake.runtime import doctor
from cinelake.runtime.doctor import before_spark, on_spark
from cinelake.runtime.doctor.before_spark import GIB
from cinelake.runtime.doctor.finding import Finding, Status
from cinelake.runtime.doctor.mlflow_store import check_mlflow
from cinelake.runtime.settings import Settings
from cinelake.runtime.spark import machine
from cinelake.runtime.spark.jars import Jar, Lock
from cinelake.runtime.spark.machine import SessionError


def with_(settings: Settings, **sections: dict[str, object]) -> Settings:
    """`settings` with some values replaced."""
    data = settings.model_dump()
    for name, values in sections.items():
        data[name] |= values
    return Settings.model_validate(data)


def test_this_machine_is_fit_and_nothing_is_left_behind(
    spark: SparkSession, settings: Settings, tmp_path: Path
) -> None:
    settings = with_(settings, lake={"development_key": True})
    findings = doctor.diagnose(settings)
    bad = [finding for finding in findings if finding.status is Status.FAIL]
    assert bad == []
    assert [f.name for f in findings] == [
        "Cinelake", "Python", "Java", "Packages", "Jars", "Memory", "Lake", "Disk", "Landing", "Secret", "MLflow",
        "Delta",
    ]  # fmt: skip
    assert list(tmp_path.iterdir()) == []


def test_a_secret_that_is_missing_or_short_is_said_and_none_is_made(
    settings: Settings, tmp_path: Path
) -> None:
    missing = before_spark.check_secret(settings)
    assert missing.status is Status.FAIL
    assert "CINELAKE_SECRETS__PSEUDONYM_KEY" in missing.remedy
    short = before_spark.check_secret(with_(settings, secrets={"pseudonym_key": "short"}))
    assert (short.status, "short" in short.found) == (Status.FAIL, False)
    given = before_spark.check_secret(
        with_(settings, secrets={"pseudonym_key": "known to all " * 4})
    )
    assert (given.status, given.found) == (Status.OK, "secrets.pseudonym_key")
    trying = before_spark.check_secret(with_(settings, lake={"development_key": True}))
    assert trying.status is Status.OK
    assert trying.found == f"{tmp_path / 'lake.key'}, for development (not made yet)"
    assert list(tmp_path.iterdir()) == []


def test_a_landing_area_that_is_not_there_is_said_where_one_was_named(
    settings: Settings, tmp_path: Path
) -> None:
    assert before_spark.check_landing(settings).status is Status.OK
    named = with_(settings, lake={"landing": str(tmp_path / "landnig")})
    assert before_spark.check_landing(named) == Finding(
        "Landing",
        Status.WARN,
        f"{tmp_path / 'landnig'} is not there",
        "let records land in it, or correct lake.landing",
    )
    (tmp_path / "landnig").mkdir()
    assert before_spark.check_landing(named).status is Status.OK


def test_a_landing_area_that_may_not_be_read_is_said(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Root, as whom tests may run, may read whatever its mode is.
    monkeypatch.setattr(before_spark.os, "access", lambda *_: False)
    finding = before_spark.check_landing(with_(settings, lake={"landing": str(tmp_path)}))
    assert (finding.status, finding.found) == (Status.FAIL, f"{tmp_path} cannot be read")


def test_without_java_no_session_is_tried(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "nowhere"))
    monkeypatch.setattr(doctor, "spark_session", None)
    findings = {finding.name: finding for finding in doctor.diagnose(settings)}
    assert findings["Java"].status is Status.FAIL
    assert "has no bin/java" in findings["Java"].remedy
    assert findings["Spark"] == Finding(
        "Spark", Status.FAIL, "not tried", "first put in order: Java"
    )


@pytest.mark.parametrize(
    ("version", "status"), [(11, Status.FAIL), (17, Status.OK), (21, Status.WARN)]
)
def test_only_the_tested_java_is_ok(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, version: int, status: Status
) -> None:
    monkeypatch.setattr(machine, "java_version", lambda path: version)
    finding = before_spark.check_java(settings)
    assert finding.status is status
    assert f"Java {version}" in finding.found


def test_another_python_is_named(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(before_spark.sys, "version_info", (3, 12, 1))
    finding = before_spark.check_python(settings)
    assert (finding.status, finding.remedy) == (
        Status.FAIL,
        "install Python 3.11 and run `make setup` with it",
    )


def test_wrong_missing_and_intruding_packages_are_named() -> None:
    versions = {"pandas": "3.0.0", "mlflow": "3.17.2", "pyspark-client": "4.2.0"}
    wanted = ["pandas<3", "mlflow==3.17.2", "pyspark==4.2.0", "pytest>=8; extra == 'dev'"]
    finding = before_spark._compared([Requirement(line) for line in wanted], versions.get)
    assert finding.status is Status.FAIL
    assert finding.found == (
        "pandas is 3.0.0, not <3; pyspark is missing; pyspark-client is installed and overwrites pyspark"
    )


def test_damaged_jars_are_named(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = Lock("Somebody", (Jar("g", "a", "1", "0" * 64),))
    monkeypatch.setattr(before_spark, "needed_jars", lambda _: {lock: "a.Class"})
    monkeypatch.setenv("CINELAKE_HOME", str(tmp_path))
    assert before_spark.check_jars(settings).found == f"Somebody's are not yet in {lock.directory}"
    lock.directory.mkdir(parents=True)
    assert before_spark.check_jars(settings).found == "a-1.jar is missing"


@pytest.mark.parametrize(
    ("heap", "status"),
    [(5 * GIB, Status.OK), (7 * GIB, Status.WARN), (8 * GIB, Status.FAIL)],
)
def test_the_heap_must_leave_room(heap: int, status: Status) -> None:
    finding = before_spark._judged_memory(heap, 8 * GIB, "set spark.driver_memory to at most")
    assert finding.status is status
    assert (status is Status.OK) or finding.remedy.startswith(
        "set spark.driver_memory to at most 6g"
    )


def test_where_java_runs_already_its_own_memory_is_judged_and_no_setting(
    spark: SparkSession, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = with_(settings, spark={"driver_memory": "5120m"})
    monkeypatch.setattr(before_spark, "machine_memory", lambda: 8 * GIB)
    has = spark._jvm.java.lang.Runtime.getRuntime().maxMemory()  # type: ignore[union-attr]
    assert before_spark.check_memory(settings).found == (
        f"8.0 GiB, of which the driver's Java takes {has / GIB:.1f}"
    )
    monkeypatch.setattr(before_spark, "machine_memory", lambda: has)
    submitted = before_spark.check_memory(settings)
    assert (submitted.status, submitted.remedy[:40]) == (
        Status.FAIL,
        "give spark-submit --driver-memory of at ",
    )
    monkeypatch.setattr(before_spark, "machine_memory", lambda: 8 * GIB)
    monkeypatch.setattr(before_spark, "_running_heap", lambda: None)
    assert (
        before_spark.check_memory(settings).found == "8.0 GiB, of which the driver's Java takes 5.0"
    )


def test_a_catalog_that_ends_with_the_session_is_named(
    spark: SparkSession, settings: Settings
) -> None:
    assert on_spark.check_catalog(spark, settings) is None
    finding = on_spark.check_catalog(spark, with_(settings, lake={"catalog": "unity.films"}))
    assert finding is not None
    assert (finding.name, finding.status) == ("Catalog", Status.FAIL)
    assert "is in a catalog that this session does not know" in finding.found


class Store:
    """An object store; `lax` lets everybody make a file."""

    def __init__(self, *, lax: bool = False, landed: bool = True) -> None:
        self.lax, self.landed = lax, landed
        self.made: set[str] = set()

    def takes_conditions(self, _: str) -> bool:
        return True

    def put(self, path: str, text: str) -> None:
        self.made.add(path)

    def put_new(self, path: str, text: str) -> bool:
        new = self.lax or path not in self.made
        self.made.add(path)
        return new

    def remove(self, path: str) -> None:
        self.made.discard(path)

    def exists(self, _: str) -> bool:
        return self.landed


def test_a_store_is_asked_for_turns_and_for_what_has_landed(
    spark: SparkSession, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (on_spark.check_store(spark, settings), on_spark.check_far_landing(spark, settings)) == (
        None,
        None,
    )
    far = with_(settings, lake={"root": "s3a://films/lake", "landing": "s3a://films/landing"})

    monkeypatch.setattr(on_spark, "Storage", lambda _: Store())
    assert on_spark.check_store(spark, far) == Finding(
        "Store", Status.OK, "s3a://films/lake takes files, and drivers may take turns"
    )
    assert on_spark.check_far_landing(spark, far) == Finding(
        "Records", Status.OK, "s3a://films/landing is there"
    )

    monkeypatch.setattr(on_spark, "Storage", lambda _: Store(lax=True, landed=False))
    store, records = on_spark.check_store(spark, far), on_spark.check_far_landing(spark, far)
    assert store is not None
    assert store.status is Status.FAIL
    assert "does not keep to conditional writes" in store.found
    assert records == Finding(
        "Records",
        Status.WARN,
        "s3a://films/landing is not there",
        "let records land in it, or correct lake.landing",
    )


@pytest.mark.parametrize(
    ("free", "status"), [(50, Status.OK), (2, Status.WARN), (0.1, Status.FAIL)]
)
def test_a_full_disk_is_noticed_before_a_run_is(free: float, status: Status) -> None:
    assert before_spark._judged_disk(int(free * GIB), Path("/data")).status is status


def test_a_cluster_without_executors_is_named_and_nothing_waits_for_them(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise SessionError("no executor came within 10m")

    cluster = SimpleNamespace(sparkContext=SimpleNamespace(master="spark://host:7077"))
    monkeypatch.setattr(on_spark, "require_executors", refuse)
    (finding,) = on_spark.findings_on(cast(SparkSession, cluster), settings)
    assert (finding.name, finding.status) == ("Executors", Status.FAIL)
    assert finding.found == "no executor came within 10m"
    cluster.sparkContext.master = "local[2]"
    assert on_spark.check_executors(cast(SparkSession, cluster), settings) is None


def test_a_session_that_does_not_start_is_tried_once_and_says_why(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = []

    def refuse(given: Settings) -> None:
        tried.append(given)
        raise SessionError("the master is not there; start it")

    monkeypatch.setattr(doctor, "spark_session", refuse)
    # Whatever there is to be looked at, all of it needs the same session.
    far = with_(settings, lake={"catalog": "unity.films", "development_key": True})
    finding = doctor.diagnose(far)[-1]
    assert (finding.name, finding.status) == ("Spark", Status.FAIL)
    assert (finding.found, tried) == ("the master is not there; start it", [far])


def test_a_lake_that_cannot_be_written_is_named(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Root may write anywhere, so the refusal is made by hand.
    def refuse(**_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(before_spark.tempfile, "TemporaryFile", refuse)
    finding = before_spark.check_lake(settings)
    assert finding.status is Status.FAIL
    assert finding.found.endswith("Permission denied")


def test_a_file_that_is_no_mlflow_store_is_named(settings: Settings, tmp_path: Path) -> None:
    assert check_mlflow(settings).found.endswith("(not made yet)")
    store = tmp_path / "mlflow.db"
    located = with_(settings, mlflow={"tracking_uri": f"sqlite:///{store}"})
    store.write_text("something else")
    assert "is not an MLflow store" in check_mlflow(located).found
    store.unlink()
    with sqlite3.connect(store) as connection:
        connection.execute("CREATE TABLE experiments (id INTEGER)")
    assert check_mlflow(located).status is Status.OK


@pytest.fixture
def server() -> Iterator[tuple[str, list[int]]]:
    """A server on this machine that answers with the status it is told."""
    status = [200]

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status[0] if self.path == "/health" else 404)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    running = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=running.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{running.server_port}", status
    running.shutdown()
    running.server_close()


def test_an_mlflow_server_is_asked(settings: Settings, server: tuple[str, list[int]]) -> None:
    uri, status = server
    located = with_(settings, mlflow={"tracking_uri": uri})
    assert check_mlflow(located).status is Status.OK
    status[0] = 403
    assert check_mlflow(located).status is Status.WARN
    gone = with_(settings, mlflow={"tracking_uri": "http://127.0.0.1:1"})
    finding = check_mlflow(gone)
    assert finding.status is Status.FAIL
    assert "does not answer" in finding.found
    no_port = with_(settings, mlflow={"tracking_uri": "http://127.0.0.1:port"})
    said = "http://127.0.0.1:port does not answer: nonnumeric port: 'port'"
    assert check_mlflow(no_port).found == said


def test_a_lake_in_an_object_store_needs_a_server(settings: Settings) -> None:
    stored = with_(settings, lake={"root": "s3a://bucket/lake"})
    finding = check_mlflow(stored)
    assert finding.status is Status.FAIL
    assert "set mlflow.tracking_uri" in finding.remedy
