"""A real Kafka broker on this machine: one Java process in KRaft mode, with a folder of its own."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from pyspark.find_spark_home import _find_spark_home

from cinelake.runtime.spark.jars import Lock
from cinelake.runtime.spark.machine import java

JARS = Lock.read("the broker", Path(__file__).with_name("broker.lock"))
START_SECONDS = 60
PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={logs}
num.partitions=3
offsets.topic.replication.factor=1
"""
# Sends the lines of landing files to topics, as a collector would: in a session of its own, which has Kafka's jars.
SENDER = """
import json, sys
from cinelake.runtime.settings import Settings
from cinelake.runtime.spark.session import spark_session
servers, folders = sys.argv[1], json.loads(sys.argv[2])
settings = Settings.model_validate({
    "lake": {"root": "/nowhere"},
    "spark": {"master": "local[2]", "driver_memory": "1g", "few_rows": True},
    "ingest": {"kafka": {"servers": servers, "topics": {"playback": "any"}}},
})
spark = spark_session(settings)
for topic, files in folders.items():
    lines = spark.read.text(files).where("trim(value) <> ''")
    lines.write.format("kafka").option("kafka.bootstrap.servers", servers).option("topic", topic).save()
"""


@contextmanager
def broker(folder: Path) -> Iterator[str]:
    """A running broker; gives its address."""
    port, controller = _free_port(), _free_port()
    properties = folder / "server.properties"
    properties.write_text(
        PROPERTIES.format(port=port, controller=controller, logs=folder / "logs"), encoding="utf-8"
    )
    scala = next((Path(_find_spark_home()) / "jars").glob("scala-library-*.jar"))
    jars = os.pathsep.join(map(str, [*JARS.resolve(), scala]))
    run = [str(java()), "-Xmx512m", "-cp", jars]
    cluster = "4L6g3nShT-eMCtK--X86sw"
    subprocess.run(
        [*run, "kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(properties)],
        check=True,
        capture_output=True,
    )
    with (folder / "broker.log").open("wb") as said:
        process = subprocess.Popen(
            [*run, "kafka.Kafka", str(properties)], stdout=said, stderr=subprocess.STDOUT
        )
    try:
        _wait_for(port, process)
        yield f"127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def send(servers: str, files: Mapping[str, list[Path]]) -> None:
    """Send the lines of files, by topic; returns when the broker has them."""
    folders = json.dumps({topic: list(map(str, paths)) for topic, paths in files.items()})
    subprocess.run([sys.executable, "-c", SENDER, servers, folders], check=True)


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        with socket.socket() as knock:
            if knock.connect_ex(("127.0.0.1", port)) == 0:
                return
        if process.poll() is not None:
            break
        time.sleep(0.2)
    raise RuntimeError("the broker did not start; see broker.log in its folder")
