"""`kill -9` at random moments of `cinelake run`, then a rerun: the tables of an undisturbed run."""

from __future__ import annotations

import os
import random
from pathlib import Path

from pyspark.sql import SparkSession
from soak.conftest import Service

KILLS = int(os.environ.get("KILLS", "20"))
SEED = int(os.environ.get("SEED", "1"))


def test_a_killed_run_leaves_nothing_that_a_rerun_does_not_heal(
    spark: SparkSession, undisturbed: tuple[Service, float], tmp_path: Path
) -> None:
    reference, seconds = undisturbed
    expected = reference.content(spark)
    assert all(rows for name, rows in expected.items() if name != "quarantine")
    assert len(expected["quarantine"]) == 4
    chance = random.Random(SEED)
    for kill in range(KILLS):
        service = Service(tmp_path / f"lake-{kill}")
        service.copy_landing(reference)
        # The first seconds only start Java; most kills fall where tables are written.
        moment = chance.uniform(0.15, 1.0) * seconds
        alive = service.killed_after(moment, "run")
        assert service.run("run")["status"] == "succeeded"
        found = service.content(spark)
        differing = [name for name in expected if found.get(name) != expected[name]]
        print(
            f"kill {kill + 1} after {moment:.1f} s ({'running' if alive else 'just ended'}): {differing or 'equal'}",
            flush=True,
        )
        assert not differing, {
            name: (len(expected[name]), len(found.get(name, []))) for name in differing
        }
        again = service.run("run")
        at_rest = {"up to date", "nothing landed"}
        assert {job["status"] for job in again["jobs"].values()} == at_rest, again
