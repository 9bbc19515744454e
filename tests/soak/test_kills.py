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
# Ratings of films come from no device, so the tables of other areas may well be empty.
FILLED = {"ratings", "titles", "profile_index", "recommendations", "similar_titles", "home_pages"}


def test_a_killed_run_leaves_nothing_that_a_rerun_does_not_heal(
    spark: SparkSession, undisturbed: tuple[Service, float], tmp_path: Path
) -> None:
    reference, seconds = undisturbed
    expected = reference.content(spark)
    assert {name for name, rows in expected.items() if rows} >= FILLED, sorted(expected)
    assert len(expected["quarantine"]) == 4
    chance = random.Random(SEED)
    kills, lakes = 0, 0
    while kills < KILLS:
        lakes += 1
        service = Service(tmp_path / f"lake-{lakes}")
        service.copy_landing(reference)
        for _ in range(min(IN_A_ROW, KILLS - kills)):
            # The first seconds only start Java; most kills fall where tables are written.
            moment = chance.uniform(0.1, 0.5) * seconds
            if not service.killed_after(moment, "run"):
                # It came to its end before, and only a kill counts.
                break
            kills += 1
            print(f"kill {kills} after {moment:.1f} s", flush=True)
        assert service.run("run")["status"] == "succeeded"
        found = service.content(spark)
        differing = [name for name in expected if found.get(name) != expected[name]]
        print(f"lake {lakes}: {differing or 'equal'}", flush=True)
        assert not differing, {
            name: (len(expected[name]), len(found.get(name, []))) for name in differing
        }
        again = service.run("run")
        at_rest = {"up to date", "nothing landed"}
        assert {job["status"] for job in again["jobs"].values()} == at_rest, again
