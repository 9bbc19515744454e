"""Lineage by configuration alone: with OpenLineage's listener on the class path, a run tells what it read and wrote."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from cinelake.runtime.spark.jars import Lock

from .conftest import ONE_SECRET, PROJECT

JARS = Lock.read("OpenLineage", Path(__file__).with_name("openlineage.lock"))


def configuration(jar: Path, events: Path) -> dict[str, str]:
    """What README says to put under `[spark.conf]`."""
    return {
        "spark.driver.extraClassPath": str(jar),
        "spark.extraListeners": "io.openlineage.spark.agent.OpenLineageSparkListener",
        "spark.openlineage.namespace": "cinelake",
        "spark.openlineage.transport.type": "file",
        "spark.openlineage.transport.location": str(events),
    }


def names(events: list[dict[str, Any]], side: str) -> set[str]:
    """The tables on a side of the events: the last part of their path."""
    return {each["name"].rpartition("/")[2] for event in events for each in event.get(side, [])}


def test_a_run_tells_openlineage_what_it_read_and_wrote(folder: Path, tmp_path: Path) -> None:
    (jar,) = JARS.resolve()
    events = tmp_path / "events.ndjson"
    settings = [f"--set=spark.conf.{k}={v}" for k, v in configuration(jar, events).items()]
    command = [
        str(Path(sys.executable).with_name("cinelake")),
        "--env",
        "trial",
    ]
    command += [
        *settings,
        f"--set=lake.root={tmp_path / 'lake'}",
        "ingest",
        "movielens",
        str(folder),
    ]
    command += ["then", "run", "--until", "build_title_genres"]
    done = subprocess.run(
        command, cwd=PROJECT, env=os.environ | ONE_SECRET, capture_output=True, text=True, check=False
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    told = [json.loads(line) for line in events.read_text("utf-8").splitlines()]
    assert {event["job"]["namespace"] for event in told} == {"cinelake"}
    complete = [event for event in told if event["eventType"] == "COMPLETE"]
    assert {"titles", "title_genres"} <= names(complete, "outputs")
    assert "titles" in names(complete, "inputs")
