"""A real S3 server on this machine: MinIO, one process on loopback, with a folder and credentials of its own."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from pyarrow import fs
from soak.conftest import Service

from cinelake.runtime.spark.machine import cache_dir, locked

LOCK = Path(__file__).with_name("minio.lock")
START_SECONDS, BUILD_SECONDS = 60, 3600
BUCKET = "films"


def minio() -> Path:
    """The server's program, built once; skips the test where it cannot be had."""
    pin = next(
        line
        for line in LOCK.read_text(encoding="utf-8").splitlines()
        if line and not line.startswith("#")
    )
    module, version = pin.split()
    program = cache_dir() / "minio" / version / "minio"
    with locked("minio"):
        if not program.exists():
            _build(f"{module}@{version}", program.parent)
    return program


def _build(module: str, folder: Path) -> None:
    go = shutil.which("go")
    if go is None:
        pytest.skip(f"a lake on S3 is not tried: there is no Go on the PATH to build {module} with")
    print(f"building {module} (once, some minutes)", flush=True)
    built = subprocess.run(
        [go, "install", "-trimpath", "-ldflags", "-s -w", module],
        env=os.environ | {"GOBIN": str(folder)},
        capture_output=True,
        text=True,
        timeout=BUILD_SECONDS,
        check=False,
    )
    if built.returncode != 0:
        pytest.skip(f"a lake on S3 is not tried: {module} cannot be built: {built.stderr[-300:]}")


@dataclass(frozen=True)
class ObjectStore:
    """A running server with one bucket; `home` holds its files and its log."""

    home: Path
    address: str
    key: str
    secret: str

    @property
    def files(self) -> fs.S3FileSystem:
        """The store without Spark, Hadoop and Cinelake."""
        return fs.S3FileSystem(
            access_key=self.key,
            secret_key=self.secret,
            endpoint_override=self.address,
            scheme="http",
            region="us-east-1",
            allow_bucket_creation=True,
        )

    @property
    def env(self) -> dict[str, str]:
        """Where credentials come from, and nowhere else."""
        return {"AWS_ACCESS_KEY_ID": self.key, "AWS_SECRET_ACCESS_KEY": self.secret}

    def objects(self, folder: str) -> list[str]:
        """The objects under a folder, which begins with the bucket."""
        selector = fs.FileSelector(folder, recursive=True, allow_not_found=True)
        found = self.files.get_file_info(selector)
        return sorted(
            i.path.removeprefix(f"{folder}/") for i in found if i.type == fs.FileType.File
        )

    def service(self, name: str, beside: Path) -> StoredService:
        """A lake in the bucket, with MLflow's files in the folder `beside`."""
        s3a = "spark.conf.spark.hadoop.fs.s3a"
        settings = {
            "lake.root": f"s3a://{BUCKET}/{name}",
            f"{s3a}.endpoint": f"http://{self.address}",
            f"{s3a}.endpoint.region": "us-east-1",
            f"{s3a}.path.style.access": "true",
            "mlflow.tracking_uri": f"sqlite:///{beside / 'mlflow.db'}",
            "mlflow.artifact_root": (beside / "artefacts").as_uri(),
        }
        return StoredService(beside / "copy", settings, self.env, self, name)


@dataclass(frozen=True)
class StoredService(Service):
    """A lake in a store; `root` is where a copy of it is made to be looked at."""

    store: ObjectStore | None = None
    name: str = ""

    @property
    def place(self) -> str:
        return f"{BUCKET}/{self.name}"

    def land(self, other: Service) -> None:
        """Start from the landing files of a lake in a folder."""
        assert self.store is not None
        fs.copy_files(
            str(other.root / "landing"),
            f"{self.place}/landing",
            destination_filesystem=self.store.files,
        )

    def fetch(self) -> None:
        """Copy the lake as it is now into `root`."""
        assert self.store is not None
        shutil.rmtree(self.root, ignore_errors=True)
        fs.copy_files(self.place, str(self.root), source_filesystem=self.store.files)

    def paths(self, folder: str = "") -> list[str]:
        """The objects under a folder of the lake."""
        assert self.store is not None
        return self.store.objects(f"{self.place}/{folder}".rstrip("/"))


@contextmanager
def object_store(home: Path) -> Iterator[ObjectStore]:
    """A running server, which ends with the block."""
    store = ObjectStore(
        home, f"127.0.0.1:{_free_port()}", secrets.token_hex(10), secrets.token_hex(20)
    )
    command = [str(minio()), "server", "--address", store.address]
    command += ["--console-address", f"127.0.0.1:{_free_port()}", str(home / "data")]
    quiet = {"MINIO_BROWSER": "off", "MINIO_UPDATE": "off"}
    root = {"MINIO_ROOT_USER": store.key, "MINIO_ROOT_PASSWORD": store.secret}
    with (home / "minio.log").open("wb") as said:
        process = subprocess.Popen(
            command, env=os.environ | quiet | root, stdout=said, stderr=subprocess.STDOUT
        )
    try:
        _await_bucket(store, process)
        yield store
    finally:
        process.kill()
        process.wait()


def _await_bucket(store: ObjectStore, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        try:
            store.files.create_dir(BUCKET)
        except OSError:
            time.sleep(0.5)
        else:
            return
    raise RuntimeError(f"the S3 server did not start:\n{(store.home / 'minio.log').read_text()}")


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])
