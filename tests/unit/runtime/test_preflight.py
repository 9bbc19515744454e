"""What is wrong with a cluster is said, with what to do about it; executors are looked at in tests/soak."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import cinelake
from cinelake.runtime.delta.lake import LakeError
from cinelake.runtime.delta.lock import lake_lock
from cinelake.runtime.spark import preflight
from cinelake.runtime.spark.jars import DELTA
from cinelake.runtime.spark.machine import SessionError, on_disk


@pytest.fixture
def closed_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


@pytest.fixture
def open_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.mark.parametrize("master", ["spark://127.0.0.1:{}", "k8s://https://127.0.0.1:{}"])
def test_a_master_that_is_not_there_is_named(master: str, closed_port: int) -> None:
    at = master.format(closed_port)
    with pytest.raises(SessionError, match=rf"no Spark master answers at {at} .*correct --master"):
        preflight.require_master(at)


def test_one_master_of_several_is_enough_and_none_is_needed_on_one_machine(
    closed_port: int, open_port: int
) -> None:
    preflight.require_master(f"spark://127.0.0.1:{closed_port},127.0.0.1:{open_port}")
    preflight.require_master("local[2]")
    preflight.require_master("yarn")


def test_another_delta_is_named_with_its_jar() -> None:
    preflight.require_delta_version(DELTA.jars[0].version, "here.jar")
    with pytest.raises(
        SessionError, match=r"runs with Delta 4\.4\.0, and /x\.jar is Delta 3\.2\.0"
    ):
        preflight.require_delta_version("3.2.0", "/x.jar")
    with pytest.raises(SessionError, match="of unknown version"):
        preflight.require_delta_version(None, "/x.jar")


def test_the_series_of_spark_is_the_one_that_delta_is_built_for() -> None:
    assert DELTA.jars[0].artifact == f"delta-spark_{cinelake.__spark__}_2.13"
    preflight.require_spark_version(f"{cinelake.__spark__}.7")
    with pytest.raises(
        SessionError, match=r"runs on Spark 4\.2, and this session's Spark is 4\.20"
    ):
        preflight.require_spark_version("4.20.0")


def test_a_lake_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(
            LakeError, match=r"file/lake cannot be written to: Not a directory .*lake\.root"
        ),
        lake_lock(tmp_path / "file" / "lake"),
    ):
        raise AssertionError("a folder below a file")


def row(**changed: Any) -> dict[str, Any]:
    fine = {"host": "w1", "python": "/v/python", "sees": True, "packages": preflight.versions()}
    return fine | changed


def test_executors_are_judged_by_what_they_see_and_have() -> None:
    preflight._judge([row(), row(host="w2")], "/lake")
    with pytest.raises(LakeError, match=r"executors on w2 do not see the lake /lake.*share"):
        preflight._judge([row(), row(host="w2", sees=False)], "/lake")
    with pytest.raises(
        SessionError, match=r"Python on w2 \(/v/python\) has numpy 1\.0, .*requirements"
    ):
        preflight._judge([row(), row(host="w2", packages="numpy 1.0")], "/lake")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        ("Traceback\nModuleNotFoundError: No module named 'cinelake'", "--py-files cinelake.zip"),
        (
            'java.io.IOException: Cannot run program "/v/python": error=2',
            "cannot start the driver's",
        ),
        ("x\nOSError: disk full\ny", "first small task on the lake /lake: OSError: disk full"),
    ],
)
def test_the_reason_is_found_in_a_trace(error: str, said: str) -> None:
    assert said in preflight._why_no_worker(error, "/lake")


def test_a_module_in_a_zip_becomes_a_file(tmp_path: Path) -> None:
    import zipfile

    archive = tmp_path / "package.zip"
    with zipfile.ZipFile(archive, "w") as opened:
        opened.writestr("area/serving.py", "answer = 42\n")
    found = on_disk(archive / "area" / "serving.py", tmp_path / "out")
    assert found.read_text() == "answer = 42\n"
    assert on_disk(found, tmp_path / "elsewhere") == found
    with pytest.raises(FileNotFoundError):
        on_disk(tmp_path / "nowhere.py", tmp_path / "out")
