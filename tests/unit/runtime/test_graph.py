"""The graph is derived from what job files declare."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql.types import DateType

from cinelake.runtime.job import (
    Cadence,
    Job,
    JobParams,
    Maintenance,
    Reading,
    history,
    job,
    maintenance,
)
from cinelake.runtime.runs.graph import Graph, GraphError, as_json, as_mermaid, as_text, discover
from cinelake.runtime.runs.side_by_side import predecessors
from cinelake.tables.contract import Column, Kind, Layer, Table


def table(name: str, kind: Kind = Kind.MANAGED) -> Table:
    day = Column("day", DateType(), "day", required=True)
    return Table(
        name, "toy", Layer.SILVER, "One row a day.", (day,), ("day",), window="day", kind=kind
    )


def made(name: str, reads: list[Table | Reading], writes: list[Table], **how: Any) -> Job:
    def function(run: object) -> None:
        """Do nothing."""

    function.__name__ = name
    return job(reads=reads, writes=writes, params=JobParams, **how)(function)


GIVEN, A, B, C = table("given", Kind.EXTERNAL), table("a"), table("b"), table("c")


def test_jobs_come_after_what_they_read() -> None:
    graph = Graph(
        (made("last", [B, A], [C]), made("middle", [A], [B]), made("first", [GIVEN], [A]))
    )
    assert [job.name for job in graph.order] == ["first", "middle", "last"]
    assert graph.upstream == {"first": set(), "middle": {"first"}, "last": {"first", "middle"}}


def test_a_cycle_is_refused_with_its_path() -> None:
    with pytest.raises(GraphError, match=r"cycle: (one → two → one|two → one → two)"):
        Graph((made("one", [B], [A]), made("two", [A], [B])))


def test_an_input_that_nobody_writes_is_refused() -> None:
    with pytest.raises(GraphError, match="job 'lonely' reads 'a', which no job writes"):
        Graph((made("lonely", [A], [B]),))


def test_two_writers_of_a_table_are_refused() -> None:
    with pytest.raises(GraphError, match="'a' is written by both 'one' and 'two'"):
        Graph((made("one", [GIVEN], [A]), made("two", [GIVEN], [A])))


def test_only_a_job_on_demand_is_called_for() -> None:
    daily = made("daily", [GIVEN], [A], remedies=["remedy"])
    on_demand = {"cadence": Cadence.ON_DEMAND, "catchup": False}
    assert Graph((daily, made("remedy", [GIVEN], [B], **on_demand))).on_demand(["remedy", "daily"])
    for others in [()], [(made("remedy", [GIVEN], [B]),)]:
        with pytest.raises(GraphError, match="'daily' may call for 'remedy', which is no job on"):
            Graph((daily, *others[0]))
    assert Graph.alone(daily).order == (daily,)


def test_until_takes_a_job_with_all_it_builds_on() -> None:
    graph = Graph((made("one", [GIVEN], [A]), made("two", [A], [B]), made("aside", [GIVEN], [C])))
    assert [job.name for job in graph.select(until="two")] == ["one", "two"]
    assert [job.name for job in graph.select(only=("two",))] == ["two"]


def test_a_job_on_demand_runs_only_where_it_is_named_and_is_drawn_all_the_same() -> None:
    asked = made("asked", [A], [B], cadence=Cadence.ON_DEMAND, catchup=False)
    graph = Graph((made("one", [GIVEN], [A]), asked, made("last", [A, B], [C])))
    assert [job.name for job in graph.select()] == ["one", "last"]
    assert [job.name for job in graph.select(until="last")] == ["one", "last"]
    assert [job.name for job in graph.select(until="asked")] == ["one", "asked"]
    assert [job.name for job in graph.select(only=("asked", "last"))] == ["asked", "last"]
    lines = as_text(graph).splitlines()
    assert lines[1].split("  ")[-2:] == ["on demand", "a → b"]


def test_an_unknown_job_is_refused_with_those_there_are() -> None:
    with pytest.raises(GraphError, match="no job 'twoo'; the jobs are one"):
        Graph((made("one", [GIVEN], [A]),)).select(only=("twoo",))


def test_drawings_name_every_job_and_table() -> None:
    graph = Graph((made("one", [GIVEN], [A]), made("two", [history(A)], [B])))
    assert as_text(graph).splitlines()[1].endswith("a → b")
    assert "one --> t_a" in as_mermaid(graph)
    assert "t_a --> two" in as_mermaid(graph)
    drawn = json.loads(as_json(graph))["jobs"]
    assert [(job["name"], job["upstream"]) for job in drawn] == [("one", []), ("two", ["one"])]


def keeps(name: str, *after: str) -> Maintenance:
    def function(run: object) -> None:
        """Do nothing."""

    function.__name__ = name
    return maintenance(after=after)(function)


def test_maintenance_comes_last_one_after_the_other_and_only_where_it_is_named() -> None:
    graph = Graph((keeps("b_vacuum", "z_compact"), made("one", [GIVEN], [A]), keeps("z_compact")))
    assert [job.name for job in graph.order] == ["one", "z_compact", "b_vacuum"]
    assert [job.name for job in graph.select()] == ["one"]
    named = ("b_vacuum", "z_compact")
    assert [job.name for job in graph.select(only=named)] == ["z_compact", "b_vacuum"]
    assert predecessors(graph.order)["z_compact"] == {"one"}
    drawn = json.loads(as_json(graph))["jobs"]
    assert [(each["kind"], each["upstream"]) for each in drawn[1:]] == [
        ("maintenance", []),
        ("maintenance", ["z_compact"]),
    ]
    assert as_text(graph).splitlines()[-1].endswith("on demand  looks after all tables")


def test_maintenance_goes_after_maintenance_alone() -> None:
    with pytest.raises(GraphError, match="'two' is to go after 'one', which is no maintenance job"):
        Graph((made("one", [GIVEN], [A]), keeps("two", "one")))


FILE = '''"""Add up."""
from tests.unit.runtime.test_graph import A, GIVEN
from cinelake.runtime.job import job

@job(reads=[GIVEN], writes=[A])
def {name}(run):
    pass
'''


def test_a_job_is_found_in_its_file(tmp_path: Path) -> None:
    (tmp_path / "sums").mkdir()
    (tmp_path / "sums" / "add_up.py").write_text(FILE.format(name="add_up"))
    (found,) = discover(tmp_path)
    assert (found.name, found.area, found.description) == ("add_up", "sums", "Add up.")


def test_a_job_that_is_not_called_like_its_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "sums").mkdir()
    (tmp_path / "sums" / "add_up.py").write_text(FILE.format(name="subtract"))
    with pytest.raises(GraphError, match="name the function 'add_up' like the file"):
        discover(tmp_path)


def test_a_file_without_a_job_is_refused(tmp_path: Path) -> None:
    (tmp_path / "sums").mkdir()
    (tmp_path / "sums" / "add_up.py").write_text('"""Nothing here."""\n')
    with pytest.raises(GraphError, match="declares 0 jobs"):
        discover(tmp_path)
