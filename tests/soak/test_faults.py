"""What goes wrong around a run: the disk, the log, the landing area, MLflow, the clock, another scheduler.

Each ends with the right tables, or with words that say what is wrong, which is all that was needed to put it right.
Drivers are killed in test_kills.py, executors in test_standalone.py, drivers on S3 in test_object_store.py.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from soak.conftest import ONE_SECRET, PROJECT, SOME_JOBS, Service, differing

from cinelake.tables.system import JOB_RUNS

DAY_SECONDS = 86_400
# A disk of its own in a namespace of its own, which ends with the process. As much as a number says, in KiB, is free at
# first, and more at each run; the last has room for all.
FILLING = """
set -u
disk=$1 landing=$2 told=$3; shift 3
mount -t tmpfs -o size=256m small "$disk" || exit 9
mkdir "$disk/lake" && cp -r "$landing" "$disk/lake/landing"
for free in 40 400 2000 4000 all; do
  rm -f "$disk/ballast"
  there=$(df --output=avail -k "$disk" | tail -1)
  [ $free = all ] || fallocate -l "$(( there - free ))KiB" "$disk/ballast"
  "$@" >"$told/$free.out" 2>"$told/$free.err"
  echo $? >"$told/$free.code"
done
cp -r "$disk/lake" "$told/lake"
"""
# Even the superuser is held to the rights of files then.
HELD_TO_RIGHTS = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all"]


def copied(some: Service, root: Path) -> Service:
    shutil.copytree(some.root, root)
    return Service(root)


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=900)
    return process.returncode, out, err


def command(root: Path, *words: str) -> list[str]:
    """What Service.command runs, for others to run it."""
    settings = {"lake.root": root, "spark.driver_memory": "2g", "spark.shuffle_partitions": 2}
    overrides = [f"--set={key}={value}" for key, value in settings.items()]
    program = str(Path(sys.executable).with_name("cinelake"))
    return [program, *overrides, "--set=spark.few_rows=true", *words]


def test_a_full_disk_is_said_and_room_is_all_that_it_takes(
    spark: SparkSession, some: Service, expected: dict[str, list[str]], tmp_path: Path
) -> None:
    told, disk = tmp_path / "told", tmp_path / "disk"
    told.mkdir()
    disk.mkdir()
    words = command(disk / "lake", *SOME_JOBS, "--resume")
    apart = ["unshare", "--map-root-user", "--mount", "sh", "-c", FILLING, "sh"]
    done = subprocess.run(
        [*apart, str(disk), str(some.root / "landing"), str(told), *words],
        cwd=PROJECT,
        env=os.environ | ONE_SECRET,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    if done.returncode == 9 or "unshare" in done.stderr:
        pytest.skip(f"a disk of a few MB cannot be mounted here: {done.stderr.strip()}")
    codes = {p.stem: int(p.read_text()) for p in told.glob("*.code")}
    print(codes, flush=True)
    assert codes["all"] == 0, (told / "all.err").read_text()[-3000:]
    full = [name for name, code in codes.items() if code != 0]
    # One before anything is made, and one half-way.
    assert len(full) >= 2
    for name in full:
        assert codes[name] == 1
        # It came to its end in order: libraries may show traces, but the last line is the summary.
        out = (told / f"{name}.out").read_text()
        jobs = json.loads(out.strip().splitlines()[-1])["jobs"].values()
        errors = [job["error"] for job in jobs if job["status"] == "failed"]
        assert errors
        assert all(re.search("No space left|disk is full", error) for error in errors), errors
    healed = Service(told / "lake")
    assert not differing(expected, healed.content(spark))
    assert healed.at_rest()


@pytest.mark.parametrize("left", ["half", "nothing"])
def test_a_commit_that_was_cut_off_is_named_and_the_table_made_anew(
    spark: SparkSession,
    some: Service,
    expected: dict[str, list[str]],
    tmp_path: Path,
    left: str,
) -> None:
    service = copied(some, tmp_path / "lake")
    log = service.root / "tables" / "silver" / "ratings" / "_delta_log"
    newest = max(log.glob("*.json"))
    newest.write_bytes(newest.read_bytes()[: newest.stat().st_size // 2 if left == "half" else 0])
    # What Hadoop and Delta keep beside it, which would be of no use.
    for beside in (log / f".{newest.name}.crc", newest.with_suffix(".crc")):
        beside.unlink(missing_ok=True)

    code, out, err = ended(service.command(*SOME_JOBS))
    assert code == 1
    assert "Traceback" not in err, err[-3000:]
    assert "ratings" in err
    assert newest.name in err or "cinelake fsck" in err, err[-3000:]
    code, out, err = ended(service.command("fsck"))
    assert code == 1
    assert "cannot be read to its end" in err
    assert "`cinelake rebuild ratings`" in err
    code, out, err = ended(service.command("rebuild", "ratings", "then", *SOME_JOBS))
    assert code == 0, f"{out[-1500:]}\n{err[-3000:]}"
    assert not differing(expected, service.content(spark))
    assert service.at_rest()


def test_a_ledger_that_was_cut_off_is_named_before_anything_is_computed_and_does_without_that_commit(
    spark: SparkSession, some: Service, expected: dict[str, list[str]], tmp_path: Path
) -> None:
    service = copied(some, tmp_path / "lake")
    log = next(service.root.glob(f"tables/*/{JOB_RUNS.name}/_delta_log"))
    newest = max(log.glob("*.json"))
    newest.write_bytes(newest.read_bytes()[:100])
    for beside in (log / f".{newest.name}.crc", newest.with_suffix(".crc")):
        beside.unlink(missing_ok=True)
    before = sorted(service.root.rglob("*.parquet"))
    for words in (SOME_JOBS, ["fsck"]):
        code, out, err = ended(service.command(*words))
        assert code == 1, f"{out[-1500:]}\n{err[-3000:]}"
        assert "Traceback" not in out + err, err[-3000:]
        told = " ".join(err.split())
        assert f"the ledger {JOB_RUNS.name} is damaged" in told
        assert newest.name in told
        assert "remove the file" in told
        # It could not do without the ledger, either.
        assert "fsck" not in told
    assert sorted(service.root.rglob("*.parquet")) == before

    # What it says to do, and no more.
    newest.unlink()
    again = service.run(*SOME_JOBS)
    print({name: job["status"] for name, job in again["jobs"].items()}, flush=True)
    # It was a job's, which is done again.
    assert "succeeded" in {job["status"] for job in again["jobs"].values()}
    assert not differing(expected, service.content(spark))
    assert service.at_rest()
    code, out, err = ended(service.command("fsck"))
    assert code == 0, f"{out[-1500:]}\n{err[-3000:]}"


def test_a_landing_area_out_of_reach_is_said_and_taken_in_when_it_is_back(
    spark: SparkSession, some: Service, expected: dict[str, list[str]], tmp_path: Path
) -> None:
    service = Service(tmp_path / "lake")
    service.copy_landing(some)
    landing = service.root / "landing"
    closed = landing / "ratings"
    closed.chmod(0)
    words = command(service.root, *SOME_JOBS)
    try:
        done = subprocess.run(
            [*HELD_TO_RIGHTS, *words],
            cwd=PROJECT,
            env=os.environ | ONE_SECRET,
            capture_output=True,
            text=True,
            timeout=900,
            check=False,
        )
    finally:
        closed.chmod(0o755)
    if "setpriv:" in done.stderr:
        pytest.skip(f"nobody is held to the rights of files here: {done.stderr.strip()}")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr, done.stderr[-3000:]
    jobs = json.loads(done.stdout.strip().splitlines()[-1])["jobs"]
    assert jobs["ingest_ratings"]["status"] == "failed"
    assert str(closed) in jobs["ingest_ratings"]["error"]
    assert jobs["build_titles"]["status"] == "succeeded"
    assert jobs["build_ratings"]["status"] == "skipped"

    service.run(*SOME_JOBS, "--resume")
    assert not differing(expected, service.content(spark))

    # A mount that is gone is no source at which nothing lands.
    away = landing.rename(tmp_path / "away")
    code, out, err = ended(service.command(*SOME_JOBS))
    assert code == 1, err[-3000:]
    assert f"the landing area {landing} is not there" in err
    assert json.loads(out.strip().splitlines()[-1])["jobs"]["ingest_ratings"]["status"] == "failed"
    shutil.rmtree(landing, ignore_errors=True)
    away.rename(landing)
    assert service.at_rest()
    assert not differing(expected, service.content(spark))


def test_tables_are_made_without_mlflow_and_a_warning_says_what_waits(
    spark: SparkSession, some: Service, expected: dict[str, list[str]], tmp_path: Path
) -> None:
    service = Service(tmp_path / "lake")
    service.copy_landing(some)
    # A port at which nobody listens.
    nowhere = {"mlflow.tracking_uri": "http://127.0.0.1:9"}
    code, out, err = ended(service.command(*SOME_JOBS, **nowhere))
    assert code == 3, f"{out[-1500:]}\n{err[-3000:]}"
    assert "is away" in err
    assert not differing(expected, service.content(spark))
    waiting = list((service.root / "tracking").iterdir())
    assert waiting
    service.run("mlflow", "flush", "then", *SOME_JOBS)
    assert list((service.root / "tracking").iterdir()) == []


def test_a_clock_that_is_a_day_off_changes_no_row(
    spark: SparkSession, some: Service, expected: dict[str, list[str]], tmp_path: Path
) -> None:
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("there is no C compiler to make a clock that is off")
    library = tmp_path / "off_clock.so"
    source = Path(__file__).with_name("off_clock.c")
    subprocess.run(
        [compiler, "-shared", "-fPIC", "-o", str(library), str(source), "-ldl"], check=True
    )

    def off(seconds: int) -> Service:
        return Service(
            tmp_path / "lake", env={"LD_PRELOAD": str(library), "OFF_SECONDS": str(seconds)}
        )

    right = off(0)
    right.copy_landing(some)
    # Files are as old as the system says, which may look like a day more to who removes old ones.
    off(DAY_SECONDS).run("run", "--until", "build_titles", "then", "run", "--only", "vacuum_files")
    off(-DAY_SECONDS).run("run", "--until", "build_ratings")
    right.run(*SOME_JOBS)
    started = [
        row.started_at
        for row in spark.read.format("delta")
        .load(str(next(right.root.glob(f"tables/*/{JOB_RUNS.name}"))))
        .orderBy("sequence")
        .collect()
    ]
    span = max(started) - min(started)
    print(f"entries over {span}", flush=True)
    # The clock was really off, and whose entry came last is not said by it.
    assert span.total_seconds() > 1.9 * DAY_SECONDS
    assert max(started) > datetime.now(UTC).replace(tzinfo=None)
    assert started != sorted(started)
    assert not differing(expected, right.content(spark))
    assert right.at_rest()


def test_two_schedulers_that_start_one_window_end_in_the_rows_of_one(
    spark: SparkSession, some: Service, expected: dict[str, list[str]], tmp_path: Path
) -> None:
    service = copied(some, tmp_path / "lake")
    window = ["run", "--only", "build_ratings", "--start", "2019-01-01", "--end", "2019-07-14"]
    both = [service.command(*window, **{"lake.lock_wait": "5m"}) for _ in range(2)]
    codes = [ended(process) for process in both]
    assert [code for code, _, _ in codes] == [0, 0], codes
    assert not differing(expected, service.content(spark))
    assert service.at_rest()
