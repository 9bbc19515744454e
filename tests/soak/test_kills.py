"""`kill -9` at random moments of `cinelake run`, then a rerun: the tables of an undisturbed run."""

from __future__ import annotations

import os
import random
from pathlib import Path

from pyspark.sql import SparkSession
from soak.conftest import Service

KILLS = int(os.environ.get("KILLS", "20"))
SEED = int(os.environ.get("SEED", "1"))
# A lake is killed so often in a row before it may run to its end: each run goes on where the one before was killed.
IN_A_ROW = 5


def test_a_killed_run_leaves_nothing_that_a_rerun_does_not_heal(
    spark: SparkSession, undisturbed: tuple[Service, float], tmp_path: Path
) -> None:
    reference, seconds = undisturbed
    expected = reference.content(spark)
    assert all(rows for name, rows in expected.items() if name != "quarantine")
    assert len(expected["quarantine"]) == 4
    chance = random.Random(SEED)
    for first in range(0, KILLS, IN_A_ROW):
        service = Service(tmp_path / f"lake-{first}")
        service.copy_landing(reference)
        for kill in range(first, min(first + IN_A_ROW, KILLS)):
            # The first seconds only start Java; most kills fall where tables are written.
            moment = chance.uniform(0.1, 0.6) * seconds
            alive = service.killed_after(moment, "run")
            state = "running" if alive else "just ended"
            print(f"kill {kill + 1} after {moment:.1f} s ({state})", flush=True)
        assert service.run("run")["status"] == "succeeded"
        found = service.content(spark)
        differing = [name for name in expected if found.get(name) != expected[name]]
        print(f"lake killed up to {kill + 1}: {differing or 'equal'}", flush=True)
        assert not differing, {
            name: (len(expected[name]), len(found.get(name, []))) for name in differing
        }
        again = service.run("run")
        at_rest = {"up to date", "nothing landed"}
        assert {job["status"] for job in again["jobs"].values()} == at_rest, again
