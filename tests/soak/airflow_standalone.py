"""Airflow as its operators run it: scheduler, API server and DAG processor, as processes of their own."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.error import URLError

import airflow_day
from airflow_day import Airflow

SECONDS_TO_START = 300


@dataclass(frozen=True)
class Standalone:
    """A running Airflow, asked by its command line."""

    airflow: Airflow
    env: dict[str, str]

    def ask(self, *words: str) -> str:
        """What a command writes; AssertionError with all that it said where it fails."""
        ended = subprocess.run(
            [str(airflow_day.AIRFLOW), *words],
            env=self.env, cwd=self.airflow.home, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert ended.returncode == 0, f"airflow {' '.join(words)}: {ended.stdout}{ended.stderr}"
        return ended.stdout

    def states(self, begin: str) -> dict[str, str]:
        """The state of each run of the day's DAG whose id begins so."""
        out = self.ask("dags", "list-runs", "cinelake", "--output", "json")
        # Warnings stand before it.
        runs: list[dict[str, Any]] = json.loads(out.strip().splitlines()[-1])
        return {run["run_id"]: run["state"] for run in runs if run["run_id"].startswith(begin)}

    def await_runs(self, begin: str, seconds: float) -> dict[str, str]:
        """As `states`, once none of these runs has anything to do."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            states = self.states(begin)
            if states and not {"queued", "running"} & set(states.values()):
                return states
            time.sleep(10)
        raise AssertionError(f"after {seconds:.0f} s: {self.states(begin)}")


@contextmanager
def standing(airflow: Airflow) -> Iterator[Standalone]:
    """`airflow standalone` in the home of `airflow`, on a port of its own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        at = f"http://localhost:{free.getsockname()[1]}"
    env = airflow.env | {
        "AIRFLOW__API__PORT": at.rpartition(":")[2],
        "AIRFLOW__API__BASE_URL": at,
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{at}/execution/",
    }
    log = airflow.home / "standalone.log"
    with log.open("wb") as out:
        # In a group of its own, for it starts the parts.
        process = subprocess.Popen(
            [str(airflow_day.AIRFLOW), "standalone"],
            env=env, cwd=airflow.home, stdout=out, stderr=out, start_new_session=True,
        )  # fmt: skip
    try:
        until = time.monotonic() + SECONDS_TO_START
        while not _answers(f"{at}/api/v2/monitor/health"):
            assert process.poll() is None, log.read_text()[-3000:]
            assert time.monotonic() < until, log.read_text()[-3000:]
            time.sleep(1)
        yield Standalone(airflow, env)
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=5):
            return True
    except (URLError, OSError):
        return False
