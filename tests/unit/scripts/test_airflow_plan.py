"""Tasks for Airflow follow from the plan; Airflow itself is in tests/soak."""

from __future__ import annotations

import json
import sys
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from cinelake.runtime.job import Ingest, Job
from cinelake.runtime.runs.graph import Graph, as_json, discover
from cinelake.runtime.windows import Cadence

ROOT = Path(__file__).parents[3]
sys.path.insert(0, str(ROOT / "conf" / "airflow"))

import cinelake_plan as planning  # noqa: E402 - it is no package: Airflow finds it beside the DAG

GRAPH = Graph(tuple(discover(ROOT / "jobs")))


def scheduled(folder: Path, plan: str) -> planning.Schedule:
    """The schedule that is shipped, with a bundle of nothing but this plan."""
    (folder / "plan.json").write_text(plan)
    shipped = (ROOT / "conf" / "airflow" / "schedule.toml").read_text(encoding="utf-8")
    (folder / "schedule.toml").write_text(shipped.replace('bundle = "../.."', 'bundle = "."'))
    return planning.Schedule.read(folder / "schedule.toml")


def plan_of(**changed: Any) -> str:
    job = {"name": "j", "area": "a", "kind": "job", "cadence": "daily", "description": "Do."}
    return json.dumps({"jobs": [job | {"reads": [], "writes": ["t"], "upstream": []} | changed]})


def test_the_edges_are_those_of_the_graph(tmp_path: Path) -> None:
    schedule = scheduled(tmp_path, as_json(GRAPH))
    tasks = schedule.tasks() + schedule.maintenance()
    assert {task.name for task in tasks} == {job.name for job in GRAPH.jobs}
    expected = {(before, after) for after, ups in GRAPH.upstream.items() for before in ups}
    assert planning.edges(tasks) == expected
    assert {(t.name, w) for t in tasks for w in t.writes} == {
        (job.name, written.name) for job in GRAPH.jobs for written in job.writes
    }


def test_every_windowed_job_waits_for_all_sources(tmp_path: Path) -> None:
    tasks = scheduled(tmp_path, as_json(GRAPH)).tasks()
    waiting = set(planning.first_of_day(tasks))
    for task in tasks:
        if not task.takes_in:
            waiting |= {task.name} if waiting & {*task.upstream} else set()
    assert waiting == {job.name for job in GRAPH.jobs if isinstance(job, Job)}


def test_a_day_is_awaited_after_all_sources_however_they_ended(tmp_path: Path) -> None:
    schedule = scheduled(tmp_path, as_json(GRAPH))
    tasks = {task.name: task for task in schedule.daily()}
    taking_in = {job.name for job in GRAPH.jobs if isinstance(job, Ingest)}
    landed = tasks.pop("all_landed")
    assert (set(landed.upstream), landed.rule) == (taking_in, "all_done")
    assert landed.application == f"{tmp_path.resolve()}/run_cinelake.py"
    assert landed.arguments == ("--env", "cluster", "await", "{{ data_interval_end | ds }}")
    assert landed.is_due(date(2026, 1, 6))
    waiting = {name for name, task in tasks.items() if "all_landed" in task.upstream}
    assert waiting == set(planning.first_of_day(schedule.tasks()))
    for name, task in tasks.items():
        # A source that failed still stops whoever reads it, and nobody else.
        assert {*task.upstream} - {"all_landed"} == GRAPH.upstream[name]
        assert task.rule == "none_failed"


def test_a_run_begins_when_its_day_has_landed(tmp_path: Path) -> None:
    run = scheduled(tmp_path, as_json(GRAPH))["run"]
    minute, hour, *rest = run["schedule"].split()
    assert (minute, rest) == ("0", ["*", "*", "*"])
    # Files of an hour land after it.
    assert 2 <= int(hour) < 24


def test_a_task_is_due_when_its_job_is(tmp_path: Path) -> None:
    tasks = {task.name: task for task in scheduled(tmp_path, as_json(GRAPH)).tasks()}
    days = [date(2026, 1, 1) + timedelta(days=n) for n in range(366)]
    for job in GRAPH.jobs:
        if isinstance(job, Ingest):
            expected = days
        elif isinstance(job, Job):
            asked = Cadence.MONTHLY if job.cadence is Cadence.ON_DEMAND else job.cadence
            expected = [day for day in days if asked.is_due(day)]
        else:
            continue
        assert [day for day in days if tasks[job.name].is_due(day)] == expected, job.name
    assert tasks["search_recipe"].due == "monthly"
    assert {name for name, task in tasks.items() if task.due == "weekly"} >= {"train_recommender"}


def test_a_windowed_job_is_given_the_interval_and_an_ingest_job_no_dates(tmp_path: Path) -> None:
    shared = ("--env", "cluster", "--lenient")
    (windowed,) = scheduled(tmp_path, plan_of()).tasks()
    assert windowed.arguments == (
        *shared, "--start", "{{ data_interval_start | ds }}", "--end", "{{ data_interval_end | ds }}",
        "--resume", "--mend",
    )  # fmt: skip
    assert windowed.application == f"{tmp_path.resolve()}/jobs/a/j.py"
    (taking_in,) = scheduled(tmp_path, plan_of(kind="ingest", cadence="always")).tasks()
    assert taking_in.arguments == shared


def test_maintenance_has_nights_of_its_own(tmp_path: Path) -> None:
    schedule = scheduled(tmp_path, plan_of(kind="maintenance", cadence="on demand"))
    assert schedule.tasks() == []
    (task,) = schedule.maintenance()
    assert (task.due, task.arguments) == ("daily", ("--env", "cluster", "--lenient"))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"cadence": "hourly"}, r"job j is due 'hourly', for which there is no calendar"),
        ({"kind": "dream"}, r"job j is of kind 'dream'"),
    ],
)
def test_what_no_task_can_be_made_of_is_refused(
    tmp_path: Path, changed: dict[str, str], said: str
) -> None:
    with pytest.raises(planning.PlanError, match=said):
        scheduled(tmp_path, plan_of(**changed)).tasks()


def test_a_bundle_that_is_not_there_is_named(tmp_path: Path) -> None:
    (tmp_path / "schedule.toml").write_text('bundle = "gone"')
    with pytest.raises(planning.PlanError, match=r"'gone' has no plan\.json.*make bundle"):
        planning.Schedule.read(tmp_path / "schedule.toml")
    with pytest.raises(planning.PlanError, match=r"none\.toml cannot be read"):
        planning.Schedule.read(tmp_path / "none.toml")
