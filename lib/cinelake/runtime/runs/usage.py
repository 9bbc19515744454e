"""What a run cost, by Spark's own measures.

Everything that a run asks of Spark carries the run's id as a job tag; afterwards the store that feeds Spark's web pages
is asked for the jobs of that tag and their stages, whether pages are served or not. The store keeps the newest 1,000
jobs and stages (`spark.ui.retainedJobs`, `spark.ui.retainedStages`): of a run with more, the older ones are missing.

Measures. `busy_seconds` is how long at least one of the run's Spark jobs was at work; what the run took beside that
went into planning, tracking and commits. `task_seconds` is the time of all tasks added up, `cpu_seconds` that of the
JVM's threads in them: Python workers' is not in it. `skew` is, of the stage with the longest task among the stages
that took most and have four tasks or more, the longest task's time over the median's. `peak_task_bytes` is the most
that one task held for sorting, grouping and joining; as many tasks as there are cores may hold that at once. What Spark
tells of a stage is no peak: it adds up those of all its tasks, also of those that ran one after the other. So it is
asked for the largest task of the stages whose sums are largest. `peak_heap_bytes` is the most heap that an executor was
seen with, which is looked at every ten seconds and null where no stage lasted that long.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from typing import Any

from py4j.protocol import Py4JError
from pyspark.sql import SparkSession

from cinelake.runtime.spark.machine import first_line

log = logging.getLogger(__name__)

# Fewer tasks have no median to speak of.
FEWEST_TASKS = 4
# Quantiles are looked up task by task, so only the stages that took or held most are asked for theirs.
LOOKED_AT = 5
# Events reach the store through a queue.
WAIT_MS = 2000


@dataclass(frozen=True)
class Usage:
    """Seconds, bytes and counts of one run; see the module for what they mean."""

    jobs: int = 0
    stages: int = 0
    tasks: int = 0
    failed_tasks: int = 0
    busy_seconds: float = 0.0
    task_seconds: float = 0.0
    cpu_seconds: float = 0.0
    gc_seconds: float = 0.0
    bytes_read: int = 0
    bytes_written: int = 0
    bytes_shuffled: int = 0
    bytes_spilled: int = 0
    peak_task_bytes: int = 0
    peak_heap_bytes: int | None = None
    skew: float | None = None
    longest_task_seconds: float | None = None

    def __add__(self, other: Usage) -> Usage:
        """What both cost, one after the other: peaks do not add up, and skew goes with the longest task."""
        heaps = [peak for peak in (self.peak_heap_bytes, other.peak_heap_bytes) if peak is not None]
        longer = max(self, other, key=lambda usage: usage.longest_task_seconds or 0.0)
        sums = {name: getattr(self, name) + getattr(other, name) for name in ADDED_UP}
        return Usage(
            **sums,
            peak_task_bytes=max(self.peak_task_bytes, other.peak_task_bytes),
            peak_heap_bytes=max(heaps, default=None),
            skew=longer.skew,
            longest_task_seconds=longer.longest_task_seconds,
        )

    @property
    def metrics(self) -> dict[str, float]:
        """For MLflow, under `spark.`; what is not known is left out."""
        return {f"spark.{name}": float(v) for name, v in asdict(self).items() if v is not None}


NOT_ADDED_UP = {"peak_task_bytes", "peak_heap_bytes", "skew", "longest_task_seconds"}
ADDED_UP = tuple(field.name for field in fields(Usage) if field.name not in NOT_ADDED_UP)


@contextmanager
def tagged(spark: SparkSession, run_id: str) -> Iterator[None]:
    """While the block lasts, whatever this thread asks of Spark counts as the run's."""
    context = spark.sparkContext
    context.addJobTag(run_id)
    try:
        yield
    finally:
        context.removeJobTag(run_id)


def usage_of(spark: SparkSession, run_id: str) -> Usage | None:
    """What the Spark jobs tagged with `run_id` have cost until now; None where Spark does not tell.

    The store is Spark's own affair and may change with it; a table that is made is not to be lost for its costs.
    """
    try:
        return _asked(_Store(spark), run_id)
    except Py4JError as error:
        log.warning("what run %s cost cannot be told: %s", run_id, first_line(error))
        return None


def _asked(store: _Store, run_id: str) -> Usage:
    jobs = store.jobs(run_id)
    stages = [stage for number in _stages_of(jobs) for stage in store.stage(number)]
    many = sorted(
        (stage for stage in stages if stage["numTasks"] >= FEWEST_TASKS),
        key=lambda stage: -stage["executorRunTime"],
    )
    spread = [s for stage in many[:LOOKED_AT] for s in store.stage(stage["stageId"], spread=True)]
    known = {stage["stageId"] for stage in spread}
    held = sorted(
        (stage for stage in stages if stage["numTasks"] > 1 and stage["peakExecutionMemory"]),
        key=lambda stage: -stage["peakExecutionMemory"],
    )
    more = [stage["stageId"] for stage in held[:LOOKED_AT] if stage["stageId"] not in known]
    holding = [stage for number in more for stage in store.stage(number, spread=True)]
    return added_up(jobs, stages, spread, holding)


def added_up(
    jobs: Sequence[Mapping[str, Any]],
    stages: Sequence[Mapping[str, Any]],
    spread: Sequence[Mapping[str, Any]] = (),
    holding: Sequence[Mapping[str, Any]] = (),
) -> Usage:
    """The usage that Spark's descriptions of jobs and stages add up to.

    `spread` are the stages that took most, and `holding` others that held most, with median and largest of their tasks.
    """
    ran = [stage for stage in stages if stage["numTasks"] and stage["status"] != "SKIPPED"]
    longest, skew = _skew(spread)
    polled = [stage["peakExecutorMetrics"] for stage in ran if stage.get("peakExecutorMetrics")]
    heap = max((peak["JVMHeapMemory"] for peak in polled), default=0)
    return Usage(
        jobs=len(jobs),
        stages=len(ran),
        tasks=_total(ran, "numCompleteTasks"),
        failed_tasks=_total(ran, "numFailedTasks"),
        busy_seconds=covered((job["submissionTime"], job["completionTime"]) for job in jobs) / 1e3,
        task_seconds=_total(ran, "executorRunTime") / 1e3,
        cpu_seconds=_total(ran, "executorCpuTime") / 1e9,
        gc_seconds=_total(ran, "jvmGcTime") / 1e3,
        bytes_read=_total(ran, "inputBytes"),
        bytes_written=_total(ran, "outputBytes"),
        bytes_shuffled=_total(ran, "shuffleWriteBytes"),
        bytes_spilled=_total(ran, "diskBytesSpilled"),
        peak_task_bytes=_largest_task(ran, [*spread, *holding]),
        peak_heap_bytes=heap or None,
        skew=skew,
        longest_task_seconds=longest,
    )


def _skew(spread: Sequence[Mapping[str, Any]]) -> tuple[float | None, float | None]:
    """Of the stage with the longest task: that task's seconds, and how many times the median's they are."""
    times = [
        stage["taskMetricsDistributions"]["executorRunTime"]
        for stage in spread
        if stage.get("taskMetricsDistributions") and stage["numTasks"] >= FEWEST_TASKS
    ]
    if not times:
        return None, None
    median, longest = max(times, key=lambda pair: (pair[1], -pair[0]))
    # A task of less than a millisecond is told as none.
    return longest / 1e3, longest / max(median, 1.0)


def _largest_task(ran: Iterable[Mapping[str, Any]], spread: Iterable[Mapping[str, Any]]) -> int:
    """The most that one task held: the sum over the tasks of a stage is that where it has one."""
    alone = [stage["peakExecutionMemory"] for stage in ran if stage["numTasks"] == 1]
    among = [
        stage["taskMetricsDistributions"]["peakExecutionMemory"][1]
        for stage in spread
        if stage.get("taskMetricsDistributions")
    ]
    return int(max([*alone, *among], default=0))


def covered(spans: Iterable[tuple[int | None, int | None]]) -> int:
    """How much of the time axis the spans cover; one that has no end is none."""
    covered, until = 0, 0
    for start, end in sorted((s, e) for s, e in spans if s is not None and e is not None):
        covered += max(0, end - max(start, until))
        until = max(until, end)
    return covered


def _total(stages: Iterable[Mapping[str, Any]], name: str) -> int:
    return sum(int(stage[name]) for stage in stages)


def _stages_of(jobs: Iterable[Mapping[str, Any]]) -> list[int]:
    return sorted({number for job in jobs for number in job["stageIds"]})


class _Store:
    """Spark's store of what ran, asked in JSON: a call a job and stage, and not one a number."""

    def __init__(self, spark: SparkSession) -> None:
        self._context: Any = spark.sparkContext._jsc.sc()
        jvm: Any = spark._jvm
        self._context.listenerBus().waitUntilEmpty(WAIT_MS)
        self._store = self._context.statusStore()
        self._json = jvm.com.fasterxml.jackson.databind.ObjectMapper()
        self._json.registerModule(jvm.com.fasterxml.jackson.module.scala.DefaultScalaModule())
        self._no_tasks = jvm.java.util.ArrayList()
        gateway: Any = spark.sparkContext._gateway
        self._quantiles = gateway.new_array(jvm.double, 2)
        self._quantiles[0], self._quantiles[1] = 0.5, 1.0

    def jobs(self, tag: str) -> list[dict[str, Any]]:
        numbers = self._context.statusTracker().getJobIdsForTag(tag)
        return [json.loads(self._json.writeValueAsString(self._store.job(n))) for n in numbers]

    def stage(self, number: int, *, spread: bool = False) -> list[dict[str, Any]]:
        """Every attempt at a stage; none of one that the store has dropped."""
        found = self._store.stageData(number, False, self._no_tasks, spread, self._quantiles)
        attempts: list[dict[str, Any]] = json.loads(self._json.writeValueAsString(found))
        return attempts
