"""Jobs run side by side where none needs what another makes, and in the graph's order where one does."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql.types import DateType

from cinelake.runtime.job import AnyJob, IngestRun, Job, JobParams, Reading, ingest, job, previous
from cinelake.runtime.runs.graph import Graph, GraphError
from cinelake.runtime.runs.pipeline import Request, chosen
from cinelake.runtime.runs.side_by_side import predecessors, run_side_by_side
from cinelake.sources.ratings import RATINGS_SOURCE
from cinelake.tables.contract import Column, Kind, Layer, Table
from cinelake.tables.ingest import BRONZE_RATINGS

TABLES = [
    Table(
        f"t{number}",
        "toy",
        Layer.SILVER,
        "One row a day.",
        (Column("day", DateType(), "day", required=True),),
        ("day",),
        window="day",
        kind=Kind.EXTERNAL if number == 0 else Kind.MANAGED,
    )
    for number in range(9)
]


def made(number: int, *reads: Table | Reading) -> Job:
    """The job that writes table `number`."""

    def function(run: object) -> None:
        """Do nothing."""

    function.__name__ = f"job{number}"
    return job(reads=reads, writes=[TABLES[number]], params=JobParams)(function)


@ingest(source=RATINGS_SOURCE, writes=BRONZE_RATINGS)
def source(run: IngestRun) -> None:
    """Do nothing."""


class Log:
    """What started and ended, in order."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.running: set[str] = set()
        self.ended: list[str] = []
        self.most = 0

    def work(self, job: AnyJob, before: set[str]) -> None:
        with self._lock:
            assert before <= set(self.ended), f"{job.name} started before {before}"
            self.running.add(job.name)
            self.most = max(self.most, len(self.running))
        with self._lock:
            self.running.remove(job.name)
            self.ended.append(job.name)


def no_cancel() -> None:
    raise AssertionError("nothing is to be cancelled")


def test_a_reader_waits_for_its_writer_and_nobody_else() -> None:
    jobs = [made(1, TABLES[0]), made(2, TABLES[0]), made(3, TABLES[1])]
    assert predecessors(jobs) == {"job1": set(), "job2": set(), "job3": {"job1"}}


def test_what_reads_the_past_of_a_table_never_runs_beside_what_writes_it() -> None:
    jobs = [made(1, TABLES[0], previous(TABLES[2])), made(2, TABLES[0]), made(3, TABLES[0])]
    assert predecessors(jobs) == {"job1": set(), "job2": {"job1"}, "job3": set()}
    turned = [jobs[1], jobs[2], jobs[0]]
    assert predecessors(turned) == {"job2": set(), "job3": set(), "job1": {"job2"}}


def test_windowed_jobs_wait_until_all_sources_are_in() -> None:
    jobs = [made(1, TABLES[0]), source, made(2, TABLES[1])]
    assert predecessors(jobs) == {
        "source": set(),
        "job1": {"source"},
        "job2": {"source", "job1"},
    }


def test_two_that_share_nothing_run_at_the_same_time() -> None:
    meeting = threading.Barrier(2)
    run_side_by_side(
        [made(1, TABLES[0]), made(2, TABLES[0])], 2, lambda _: _meet(meeting), no_cancel
    )
    assert not meeting.broken


def _meet(meeting: threading.Barrier) -> None:
    meeting.wait(timeout=30)


def test_the_job_with_the_longest_way_to_the_end_goes_first() -> None:
    jobs = [made(1, TABLES[0]), made(2, TABLES[0]), made(3, TABLES[2]), made(4, TABLES[3])]
    log = Log()
    run_side_by_side(jobs, 1, lambda job: log.work(job, set()), no_cancel)
    assert log.ended == ["job2", "job3", "job1", "job4"]


@st.composite
def pipelines(draw: st.DrawFn) -> Sequence[AnyJob]:
    jobs: list[AnyJob] = []
    for number in range(1, draw(st.integers(1, len(TABLES) - 1)) + 1):
        earlier = draw(st.sets(st.sampled_from(range(number)), max_size=3))
        jobs.append(made(number, *(TABLES[n] for n in sorted(earlier or {0}))))
    return Graph(tuple(jobs)).order


@given(jobs=pipelines(), at_once=st.integers(1, 4))
def test_every_job_runs_once_after_those_it_builds_on(jobs: Sequence[AnyJob], at_once: int) -> None:
    upstream, log = Graph(tuple(jobs)).upstream, Log()
    run_side_by_side(jobs, at_once, lambda job: log.work(job, upstream[job.name]), no_cancel)
    assert sorted(log.ended) == sorted(job.name for job in jobs)
    assert log.most <= at_once


def test_an_interrupt_cancels_what_runs_and_starts_nothing_more() -> None:
    started, stop = [], threading.Event()

    def work(job: AnyJob) -> None:
        started.append(job.name)
        if job.name == "job1":
            raise KeyboardInterrupt
        assert stop.wait(timeout=30)

    jobs = [made(1, TABLES[0]), made(2, TABLES[0]), made(3, TABLES[2])]
    with pytest.raises(KeyboardInterrupt):
        run_side_by_side(jobs, 2, work, stop.set)
    assert "job3" not in started
    assert stop.is_set() or started == ["job1"]


def test_a_trigger_drives_sources_alone() -> None:
    graph = Graph((source, made(1, TABLES[0])))
    endless = {"processingTime": "1 second"}
    assert chosen(graph, Request()) == list(graph.order)
    assert chosen(graph, Request(trigger=endless)) == [source]
    with pytest.raises(GraphError, match="job1 computes windows; run it without --trigger"):
        chosen(graph, Request(trigger=endless, only=("job1",)))
