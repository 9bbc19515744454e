"""`kill -9` at random moments of `cinelake run`, then a rerun: the tables of an undisturbed run."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path

from pyspark.sql import SparkSession
from soak.conftest import AT_REST, FIRST, OF_ALL_AREAS, Service, differing, of_days

# Half of them of runs on films, half on the simulated service.
KILLS = int(os.environ.get("KILLS", "20"))
SEED = int(os.environ.get("SEED", "1"))
# A lake is killed so often in a row before it may run to its end: each run goes on where the one before was killed.
IN_A_ROW = 5
# Ratings of films come from no device, so the tables of other areas may well be empty.
OF_FILMS = {
    "ratings", "titles", "profile_index", "recommendations", "similar_titles", "home_pages"
}  # fmt: skip


def test_a_killed_run_leaves_nothing_that_a_rerun_does_not_heal(
    spark: SparkSession, undisturbed: tuple[Service, float], tmp_path: Path
) -> None:
    reference, seconds = undisturbed
    expected = reference.content(spark)
    assert {name for name, rows in expected.items() if rows} >= OF_FILMS, sorted(expected)
    assert len(expected["quarantine"]) == 4

    def another(n: int) -> Service:
        service = Service(tmp_path / f"lake-{n}")
        service.copy_landing(reference)
        return service

    heal(spark, another, ["run"], expected, seconds, kills=KILLS // 2)


def test_a_killed_run_of_all_areas_leaves_nothing_that_a_rerun_does_not_heal(
    spark: SparkSession, simulated_days: tuple[Service, float], tmp_path: Path
) -> None:
    reference, seconds = simulated_days
    expected = reference.content(spark)
    assert {name for name, rows in expected.items() if rows} >= OF_ALL_AREAS, sorted(expected)

    def another(n: int) -> Service:
        return Service(tmp_path / f"lake-{n}", reference.settings)

    heal(spark, another, of_days(FIRST), expected, seconds, kills=KILLS - KILLS // 2)


def heal(
    spark: SparkSession,
    another: Callable[[int], Service],
    words: list[str],
    expected: dict[str, list[str]],
    seconds: float,
    *,
    kills: int,
) -> None:
    """Kill the command on one lake after the other, and let each then come to its end."""
    chance = random.Random(SEED)
    done, lakes = 0, 0
    while done < kills:
        lakes += 1
        service = another(lakes)
        for _ in range(min(IN_A_ROW, kills - done)):
            # The first seconds only start Java; most kills fall where tables are written.
            moment = chance.uniform(0.1, 0.5) * seconds
            if not service.killed_after(moment, *words):
                # It came to its end before, and only a kill counts.
                break
            done += 1
            print(f"kill {done} after {moment:.1f} s", flush=True)
        assert service.run(*words)["status"] == "succeeded"
        found = service.content(spark)
        apart = differing(expected, found)
        assert not apart, {
            name: (len(expected.get(name, [])), len(found.get(name, []))) for name in apart
        }
        again = service.run(*words)
        assert not [name for name, job in again["jobs"].items() if job["changed"]], again
        # Days that are asked for are computed in any case.
        if "--start" not in words:
            assert {job["status"] for job in again["jobs"].values()} == AT_REST, again
