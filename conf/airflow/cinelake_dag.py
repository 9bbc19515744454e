"""The DAGs `cinelake` (every day) and `cinelake_maintenance` (every night), made from the plan in the bundle.

One task a job, submitted by spark-submit; Cinelake itself is not imported. Each run computes the day of its data
interval, and mends what had been computed before and has become stale: so late data, reruns and backfills, in any
order, end with the same tables. Jobs that are due weekly or monthly are skipped on other days. Between the sources and
the days that are computed from them stands `all_landed`, which takes in what lands until the day is complete.

For Airflow 3.3 with its Spark provider. Copy this file and cinelake_plan.py into the DAGs folder; AIRFLOW_CINELAKE says
where the schedule is, by default `schedule.toml` beside this file.
"""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from airflow.providers.apache.spark.operators.spark_submit import SparkSubmitOperator
from airflow.sdk import DAG, Asset, CronDataIntervalTimetable
from airflow.sdk.exceptions import AirflowSkipException

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
from cinelake_plan import Schedule, Task, edges  # noqa: E402 - it lies beside this file, wherever that is

SCHEDULE = Schedule.read(Path(os.environ.get("AIRFLOW_CINELAKE", HERE / "schedule.toml")))


class SubmitWhenDue(SparkSubmitOperator):
    """Submit a job on the days on which it is due, and skip it on all others."""

    def __init__(self, *, job: Task, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.job = job

    def execute(self, context: Any) -> None:
        day = context["data_interval_start"].date()
        if not self.job.is_due(day):
            raise AirflowSkipException(f"{self.job.name} is due {self.job.due}, and not on {day}")
        super().execute(context)


def daily() -> DAG:
    """A run a day, of the days on which its interval begins and ends. `@daily` would make an interval of no length."""
    run = SCHEDULE["run"]
    return joined(dag("cinelake", run["schedule"], run["catchup"]), SCHEDULE.daily())


def nightly() -> DAG:
    """Maintenance looks after all tables, whatever day it is: nights that were missed are not made up for."""
    schedule = SCHEDULE["maintenance"]["schedule"]
    return joined(dag("cinelake_maintenance", schedule, catchup=False), SCHEDULE.maintenance())


def joined(made: DAG, tasks: list[Task]) -> DAG:
    """The DAG with the tasks, each after those it builds on."""
    with made:
        submitted = {task.name: operator(task) for task in tasks}
        for before, after in sorted(edges(tasks)):
            submitted[before].set_downstream(submitted[after])
    return made


def dag(dag_id: str, cron: str, catchup: bool) -> DAG:
    run, retries = SCHEDULE["run"], SCHEDULE["retries"]
    start = run["start"]
    return DAG(
        dag_id,
        schedule=CronDataIntervalTimetable(cron, timezone="UTC"),
        start_date=datetime(start.year, start.month, start.day, tzinfo=UTC),
        catchup=catchup,
        max_active_runs=run["max_active_runs"],
        max_active_tasks=run["max_active_tasks"],
        default_args={
            "owner": "cinelake",
            "retries": retries["times"],
            "retry_delay": timedelta(minutes=retries["first_delay_minutes"]),
            "retry_exponential_backoff": retries["multiplier"],
            "max_retry_delay": timedelta(minutes=retries["longest_delay_minutes"]),
        },
        tags=["cinelake"],
        doc_md=__doc__,
    )


def operator(task: Task) -> SubmitWhenDue:
    pools, hours = SCHEDULE["pools"], SCHEDULE["retries"]
    return SubmitWhenDue(
        job=task,
        task_id=task.name,
        name=task.name,
        conn_id=SCHEDULE["run"]["connection"],
        application=task.application,
        application_args=list(task.arguments),
        py_files=str(SCHEDULE.bundle / "cinelake.zip"),
        properties_file=str(SCHEDULE.bundle / SCHEDULE["spark_conf"]),
        conf=dict(SCHEDULE["conf"]),
        pool=pools["training" if task.training else "daily"],
        execution_timeout=timedelta(
            hours=hours["training_timeout_hours" if task.training else "timeout_hours"]
        ),
        trigger_rule=task.rule,
        # Other teams' DAGs hang on tables, not on our tasks.
        outlets=[
            Asset(name=f"cinelake.{name}", uri=f"cinelake://lake/{name}") for name in task.writes
        ],
        doc_md=task.description,
    )


cinelake = daily()
if SCHEDULE.maintenance():
    cinelake_maintenance = nightly()
