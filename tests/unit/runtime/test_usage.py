"""What a run cost is what Spark says of its own jobs, added up; of other runs nothing gets in."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from py4j.protocol import Py4JError
from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from pyspark.util import inheritable_thread_target

from cinelake.runtime.runs.usage import Usage, _Store, added_up, tagged, usage_of


def stage(number: int, tasks: int = 1, **told: Any) -> dict[str, Any]:
    counts = ("numFailedTasks", "executorRunTime", "executorCpuTime", "jvmGcTime", "inputBytes", "outputBytes",
              "shuffleWriteBytes", "diskBytesSpilled", "peakExecutionMemory")  # fmt: skip
    return (
        dict.fromkeys(counts, 0)
        | {"stageId": number, "numTasks": tasks, "numCompleteTasks": tasks, "status": "COMPLETE"}
        | {"peakExecutorMetrics": {"JVMHeapMemory": 0}}
        | told
    )


def spread(
    number: int, tasks: int, median: float, longest: float, held: float = 0
) -> dict[str, Any]:
    return stage(number, tasks) | {
        "taskMetricsDistributions": {
            "executorRunTime": [median, longest],
            "peakExecutionMemory": [held / 2, held],
        }
    }


def job(start: int | None, end: int | None) -> dict[str, Any]:
    return {"submissionTime": start, "completionTime": end, "stageIds": []}


def test_nothing_costs_nothing() -> None:
    assert added_up([], []) == Usage()


def test_measures_add_up_and_peaks_do_not() -> None:
    stages = [
        stage(1, 2, executorRunTime=1500, inputBytes=10, diskBytesSpilled=7, peakExecutionMemory=5),
        stage(2, 3, executorRunTime=500, shuffleWriteBytes=4, peakExecutionMemory=9,
              numFailedTasks=1, peakExecutorMetrics={"JVMHeapMemory": 77}),
        # Its result was there already.
        stage(3, 8, status="SKIPPED", numCompleteTasks=0),
    ]  # fmt: skip
    told = added_up([job(0, 100)], stages, [], [spread(2, 3, 0, 0, held=4)])
    assert (told.stages, told.tasks, told.failed_tasks) == (2, 5, 1)
    assert (told.task_seconds, told.bytes_read, told.bytes_spilled) == (2.0, 10, 7)
    # The sum of its tasks' is no peak of theirs.
    assert (told.peak_task_bytes, told.peak_heap_bytes) == (4, 77)
    assert added_up([], [stage(1, peakExecutionMemory=6), *stages]).peak_task_bytes == 6


def test_of_batches_counts_add_up_and_peaks_are_the_largest() -> None:
    one = Usage(tasks=3, busy_seconds=1.5, peak_task_bytes=9, skew=2.0, longest_task_seconds=4.0)
    two = Usage(tasks=2, busy_seconds=1.0, peak_task_bytes=7, peak_heap_bytes=5, skew=8.0,
                longest_task_seconds=1.0)  # fmt: skip
    both = Usage(tasks=5, busy_seconds=2.5, peak_task_bytes=9, peak_heap_bytes=5, skew=2.0,
                 longest_task_seconds=4.0)  # fmt: skip
    assert one + two == two + one == both
    assert Usage() + Usage() == Usage()


@pytest.mark.parametrize(
    ("jobs", "seconds"),
    [
        ([(0, 1000), (2000, 3000)], 2.0),
        # Side by side, one in the other, and one that has not ended.
        ([(0, 1000), (500, 1500)], 1.5),
        ([(0, 5000), (1000, 2000)], 5.0),
        ([(0, 1000), (500, None)], 1.0),
    ],
)
def test_time_in_which_two_jobs_are_at_work_counts_once(
    jobs: list[tuple[int, int | None]], seconds: float
) -> None:
    assert added_up([job(*span) for span in jobs], []).busy_seconds == seconds


def test_skew_is_that_of_the_stage_with_the_longest_task_if_it_has_enough_of_them() -> None:
    told = added_up([], [], [spread(1, 8, 2, 40), spread(2, 4, 400, 2000), spread(3, 3, 1, 9000)])
    assert (told.skew, told.longest_task_seconds) == (5.0, 2.0)
    assert added_up([], [], [spread(3, 3, 1, 9000)]).skew is None
    assert added_up([], [], [spread(1, 4, 0, 3)]).skew == 3.0


def test_the_memory_that_is_told_is_one_tasks_and_not_that_of_all_of_a_stage(
    spark: SparkSession,
) -> None:
    with tagged(spark, "sorts:1"):
        rows = spark.range(0, 80_000, numPartitions=8).withColumn("key", F.hash("id"))
        rows.sortWithinPartitions("key").write.format("noop").mode("overwrite").save()
    told = usage_of(spark, "sorts:1")
    assert told is not None
    store = _Store(spark)
    [sums] = [s for j in store.jobs("sorts:1") for n in j["stageIds"] for s in store.stage(n)]
    assert sums["numTasks"] == told.tasks == 8
    # All eight hold about the same.
    assert sums["peakExecutionMemory"] / 8 <= told.peak_task_bytes
    assert told.peak_task_bytes < sums["peakExecutionMemory"] / 4


class Closed:
    """A session whose store does not answer as it used to."""

    @property
    def sparkContext(self) -> object:  # noqa: N802
        raise Py4JError("no such method: statusStore")


def test_a_table_is_not_lost_for_what_it_cost(caplog: pytest.LogCaptureFixture) -> None:
    assert usage_of(Closed(), "r") is None  # type: ignore[arg-type]
    assert "what run r cost cannot be told" in caplog.text


def test_spark_tells_of_the_jobs_of_a_run_whichever_thread_asked_for_them(
    spark: SparkSession,
) -> None:

    def count() -> None:
        # Made anew, for what was shuffled once is not shuffled again.
        spark.range(0, 1000, numPartitions=5).groupBy(F.col("id") % 3).count().collect()

    count()
    with tagged(spark, "a-run:1"):
        count()
        alone = usage_of(spark, "a-run:1")
        with ThreadPoolExecutor(1) as pool:
            pool.submit(inheritable_thread_target(spark)(count)).result()
    count()
    one, told = usage_of(spark, "a-run:1"), usage_of(spark, "nobody")
    assert one is not None
    assert alone is not None
    assert told == Usage()
    assert 0 < alone.jobs < one.jobs <= 2 * alone.jobs
    assert one.bytes_shuffled > 0
    assert one.busy_seconds > 0
    assert one.skew is not None
    assert one.metrics["spark.tasks"] == one.tasks
    assert "spark.peak_heap_bytes" not in one.metrics or one.peak_heap_bytes
