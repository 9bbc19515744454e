"""Run one day of a lake's jobs in Airflow on this machine, in an AIRFLOW_HOME of its own: what `make airflow` does.

The home gets the DAG, a schedule for one machine, Airflow's database (SQLite) and the pools. Nothing of Cinelake is
imported, here or by Airflow: spark-submit runs the jobs of the bundle.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
AIRFLOW = ROOT / ".airflow" / "venv" / "bin" / "airflow"
# A few rows a job: the light compiler, and a driver that leaves room for Airflow.
LIGHT = {
    "spark.driver.memory": "2g",
    "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--bundle", type=Path, required=True, help="what `make bundle` made")
    parser.add_argument("--lake", type=Path, required=True, help="folder of the lake")
    parser.add_argument("--landing", type=Path, required=True, help="where records have landed")
    parser.add_argument("--env", default="trial", help="Cinelake's environment")
    parser.add_argument(
        "--day",
        type=date.fromisoformat,
        help="day to compute; default: the last but one that landed",
    )
    options = parser.parse_args()
    day = options.day or last_but_one(options.landing)
    home = Airflow(ROOT / ".airflow" / "home", options.bundle.resolve(), day, options.env)
    home.make([f"lake.root={options.lake.resolve()}", f"lake.landing={options.landing.resolve()}"])
    ended = home.run_day(day)
    print(
        f"Airflow's pages: {' '.join(home.shown())} {AIRFLOW} standalone",
        file=sys.stderr,
        flush=True,
    )
    sys.exit(ended)


def last_but_one(landing: Path) -> date:
    """The newest day of which all has landed, for sure: one more has begun."""
    days = sorted({path.name.removeprefix("date=") for path in landing.glob("*/date=*")})
    if len(days) < 2:
        raise SystemExit(f"{landing} holds {len(days)} days; land two at least, or give --day")
    return date.fromisoformat(days[-2])


class Airflow:
    """An AIRFLOW_HOME with Cinelake's DAGs, for one machine."""

    def __init__(self, home: Path, bundle: Path, start: date, environment: str = "trial") -> None:
        self.home, self.bundle, self.start, self.environment = home, bundle, start, environment
        # Where spark-submit and the packages of jobs are: not in Airflow's environment.
        self.jobs_bin = Path(sys.prefix) / "bin"

    def make(self, settings: Sequence[str], conf: Mapping[str, str] = LIGHT) -> None:
        """Write DAGs and schedule, and make database and pools; what is there already is brought up to date."""
        dags = self.home / "dags"
        dags.mkdir(parents=True, exist_ok=True)
        for name in ("cinelake_dag.py", "cinelake_plan.py"):
            shutil.copy(self.bundle / "conf" / "airflow" / name, dags / name)
        shipped = (self.bundle / "conf" / "airflow" / "schedule.toml").read_text(encoding="utf-8")
        own = {
            "bundle": json.dumps(str(self.bundle)),
            "environment": json.dumps(self.environment),
            "spark_conf": '"conf/spark/local.conf"',
            "set": json.dumps(list(settings)),
            "start": self.start.isoformat(),
            # Who unpauses it in Airflow's pages means the days to come, and not each since those of a trial.
            "catchup": "false",
            # Attempts one after the other, for somebody watches.
            "first_delay_minutes": "0.05",
        }
        for key, value in own.items():
            shipped = re.sub(rf"(?m)^{key} = .*$", lambda _, k=key, v=value: f"{k} = {v}", shipped)
        lines = "\n".join(f"{json.dumps(key)} = {json.dumps(value)}" for key, value in conf.items())
        schedule = shipped.replace("[conf]\n", f"[conf]\n{lines}\n")
        (self.home / "schedule.toml").write_text(schedule, encoding="utf-8")
        self.airflow("db", "migrate", quiet=True)
        for pool in tomllib.loads(schedule)["pools"].values():
            self.airflow(
                "pools", "set", pool, "1", "a lake in a folder takes one writer", quiet=True
            )

    def run_day(self, day: date) -> int:
        """Run the DAG for one day, without a scheduler; returns 0 when all went well."""
        # The interval of a run that is asked for by hand is the one that ended last, and the day's ends on the next.
        asked = f"{day + timedelta(days=1)}T23:59:59+00:00"
        return self.airflow("dags", "test", "cinelake", asked).returncode

    def airflow(self, *words: str, quiet: bool = False) -> subprocess.CompletedProcess[str]:
        """Run a command of Airflow; a quiet one is heard only where it fails, and then ends all."""
        ended = subprocess.run(
            [str(AIRFLOW), *words],
            cwd=self.home,
            env=self.env,
            text=True,
            check=False,
            stdout=subprocess.PIPE if quiet else None,
            stderr=subprocess.STDOUT if quiet else None,
        )
        if quiet and ended.returncode:
            raise SystemExit(f"airflow {' '.join(words)} failed:\n{ended.stdout[-3000:]}")
        return ended

    @property
    def env(self) -> dict[str, str]:
        """The environment of Airflow and of what it submits."""
        hidden = ("AIRFLOW", "PYTHON", "SPARK_", "PYSPARK_", "VIRTUAL_ENV", "CINELAKE_CONF")
        rest = {k: v for k, v in os.environ.items() if not k.startswith(hidden)}
        return rest | self._own()

    def shown(self) -> list[str]:
        """The same for a shell, as words before a command."""
        return [f"{key}='{value}'" for key, value in self._own().items()]

    def _own(self) -> dict[str, str]:
        return {
            "AIRFLOW_HOME": str(self.home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(self.home / "dags"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW_CINELAKE": str(self.home / "schedule.toml"),
            "AIRFLOW_CONN_SPARK_DEFAULT": json.dumps({"conn_type": "spark", "host": "local[2]"}),
            "PYSPARK_PYTHON": str(self.jobs_bin / "python"),
            # Airflow starts its own parts by name.
            "PATH": os.pathsep.join([str(self.jobs_bin), str(AIRFLOW.parent), os.environ["PATH"]]),
        }


if __name__ == "__main__":
    main()
