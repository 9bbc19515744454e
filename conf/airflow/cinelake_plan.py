"""From the plan of jobs, as `cinelake plan --format json` has it, to the tasks of a scheduler.

The standard library is all that it needs: neither Cinelake nor Airflow is imported, so that the one can be upgraded
without the other, and tests need neither.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

# Airflow fills them in: the interval of a run is the day that it computes, and its end is not included.
START, END = "{{ data_interval_start | ds }}", "{{ data_interval_end | ds }}"
ALWAYS, DAILY, WEEKLY, MONTHLY = "always", "daily", "weekly", "monthly"
CALENDAR = {ALWAYS, DAILY, WEEKLY, MONTHLY}
# The task between sources and days: no job, but what sees to it that a day has come in to its end.
LANDED = "all_landed"


class PlanError(ValueError):
    """The plan or the schedule says something that no task can be made of; the message says what."""


@dataclass(frozen=True)
class Task:
    """One job as a task: what is submitted, when it is due, and what it waits for."""

    name: str
    description: str
    application: str
    arguments: tuple[str, ...]
    due: str
    training: bool
    upstream: tuple[str, ...]
    # Names of the tables and models that it writes: an asset each.
    writes: tuple[str, ...]
    takes_in: bool
    # Airflow's trigger rule. A weekly job that was skipped stops nobody; one that failed stops what builds on it, and
    # nothing else.
    rule: str = "none_failed"

    def is_due(self, day: date) -> bool:
        """Whether the run of `day` computes it: weekly is on Mondays, monthly on the first, as for Cinelake itself."""
        match self.due:
            case "weekly":
                return day.weekday() == 0
            case "monthly":
                return day.day == 1
        return True


@dataclass(frozen=True)
class Schedule:
    """`schedule.toml`, and the bundle that it names."""

    values: Mapping[str, Any]
    bundle: Path

    @classmethod
    def read(cls, path: Path) -> Schedule:
        """Raises PlanError where the file or its bundle is not there, or is no TOML."""
        try:
            values = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, tomllib.TOMLDecodeError) as error:
            raise PlanError(f"{path} cannot be read: {error}") from error
        bundle = (path.parent / values["bundle"]).resolve()
        if not (bundle / "plan.json").is_file():
            raise PlanError(
                f"{path}: bundle = {values['bundle']!r} has no plan.json; name the folder that `make bundle` makes"
            )
        return cls(values, bundle)

    def __getitem__(self, name: str) -> Any:
        return self.values[name]

    def tasks(self) -> list[Task]:
        """The tasks of a day's run, each after those it builds on."""
        return [self._task(job) for job in self._jobs() if job["kind"] != "maintenance"]

    def daily(self) -> list[Task]:
        """The tasks of a day's run and, between its sources and what builds on no other, the one that awaits the data.

        One source that fails must not stop those that do not read it, so it comes after all of them, however they
        ended. Tried again, it takes in what has landed since: a source's own task, once it is done, does not.
        """
        tasks = self.tasks()
        landed = Task(
            name=LANDED,
            description="Take in what has landed until the data of the day are complete.",
            application=str(self.bundle / "run_cinelake.py"),
            arguments=("--env", self["environment"], *self._settings(), "await", END),
            due=ALWAYS,
            training=False,
            upstream=tuple(task.name for task in tasks if task.takes_in),
            writes=(),
            takes_in=False,
            rule="all_done",
        )
        waiting = first_of_day(tasks)
        return [landed] + [
            replace(task, upstream=(*task.upstream, LANDED)) if task.name in waiting else task
            for task in tasks
        ]

    def maintenance(self) -> list[Task]:
        """The tasks of a night's maintenance; none where the plan has none."""
        return [self._task(job) for job in self._jobs() if job["kind"] == "maintenance"]

    def _jobs(self) -> Sequence[Mapping[str, Any]]:
        plan = json.loads((self.bundle / "plan.json").read_text(encoding="utf-8"))
        return plan["jobs"]  # type: ignore[no-any-return]

    def _settings(self) -> list[str]:
        return [word for setting in self["set"] for word in ("--set", setting)]

    def _task(self, job: Mapping[str, Any]) -> Task:
        arguments = ["--env", self["environment"], "--lenient", *self._settings()]
        match job["kind"]:
            case "ingest":
                due = ALWAYS
            case "maintenance":
                due = DAILY
            case "job":
                due = self["due"].get(job["cadence"], job["cadence"])
                arguments += ["--start", START, "--end", END, "--resume", "--mend"]
            case kind:
                raise PlanError(
                    f"job {job['name']} is of kind {kind!r}, for which there is no task"
                )
        if due not in CALENDAR:
            raise PlanError(
                f"job {job['name']} is due {due!r}, for which there is no calendar; name one of {sorted(CALENDAR)} "
                "in [due] of schedule.toml"
            )
        return Task(
            name=job["name"],
            description=job["description"],
            application=str(self.bundle / "jobs" / job["area"] / f"{job['name']}.py"),
            arguments=tuple(arguments),
            due=due,
            training=due in (WEEKLY, MONTHLY),
            upstream=tuple(job["upstream"]),
            writes=tuple(job["writes"]),
            takes_in=job["kind"] == "ingest",
        )


def edges(tasks: Sequence[Task]) -> set[tuple[str, str]]:
    """`(before, after)` for each two jobs of which one builds on the other."""
    return {(before, task.name) for task in tasks for before in task.upstream}


def first_of_day(tasks: Sequence[Task]) -> list[str]:
    """The windowed jobs that build on no other: how far the data is complete is known once all sources are in, so they
    wait for all of them, and with them every other.
    """
    windowed = {task.name for task in tasks if not task.takes_in}
    return [
        task.name for task in tasks if task.name in windowed and not windowed & {*task.upstream}
    ]
