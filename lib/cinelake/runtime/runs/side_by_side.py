"""Jobs side by side: as many at once as are asked for, each after those whose tables or models it shares.

Rules. Of two jobs of which one writes what the other reads, even its past alone, the one that is earlier in the
graph's order goes first: what a job reads stands still while it runs, and a run does not depend on who was
quicker. How far the data is complete is known when all sources are in, so windowed jobs wait for them.

Of the jobs that may start, that with the longest way to the end behind it does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from graphlib import TopologicalSorter

from cinelake.runtime.job import AnyJob, Ingest, Maintenance

CANCEL_AGAIN_SECONDS = 0.2


def predecessors(jobs: Sequence[AnyJob]) -> dict[str, set[str]]:
    """Job → those of `jobs`, which are in the graph's order, that must have ended before it starts."""
    sources = {job.name for job in jobs if isinstance(job, Ingest)}
    windowed = [job for job in jobs if job.name not in sources]
    found = {name: set[str]() for name in sources}
    for place, job in enumerate(windowed):
        found[job.name] = sources | {o.name for o in windowed[:place] if _share(job, o)}
    return found


def run_side_by_side(
    jobs: Sequence[AnyJob],
    at_once: int,
    work: Callable[[AnyJob], None],
    cancel: Callable[[], None],
) -> None:
    """Call `work` for each of `jobs`, in threads.

    What `work` raises, or an interrupt, ends the rest: `cancel` is called until those at work have ended.
    """
    before = predecessors(jobs)
    sorter, by_name = TopologicalSorter(before), {job.name: job for job in jobs}
    sorter.prepare()
    urgency = _ways_to_the_end(jobs, before)
    ready: list[str] = []
    working: dict[Future[None], str] = {}
    with ThreadPoolExecutor(at_once, thread_name_prefix="job") as pool:
        try:
            while sorter.is_active():
                ready += sorter.get_ready()
                ready.sort(key=urgency.__getitem__, reverse=True)
                while ready and len(working) < at_once:
                    name = ready.pop(0)
                    working[pool.submit(work, by_name[name])] = name
                for ended in wait(working, return_when=FIRST_COMPLETED).done:
                    ended.result()
                    sorter.done(working.pop(ended))
        except BaseException:
            # One at work may be between two Spark jobs, where there is nothing to cancel yet.
            while not all(future.done() for future in working):
                cancel()
                wait(working, timeout=CANCEL_AGAIN_SECONDS)
            raise


def _share(job: AnyJob, other: AnyJob) -> bool:
    # Who looks after tables looks after everybody's.
    if isinstance(job, Maintenance) or isinstance(other, Maintenance):
        return True
    return bool(_read(job) & _written(other) or _written(job) & _read(other))


def _read(job: AnyJob) -> set[str]:
    return {reading.name for reading in job.reads}


def _written(job: AnyJob) -> set[str]:
    return {written.name for written in job.writes}


def _ways_to_the_end(
    jobs: Sequence[AnyJob], before: dict[str, set[str]]
) -> dict[str, tuple[int, int]]:
    """Job → how many jobs follow one another after it at most, and, of equals, who is first in the graph's order."""
    longest = dict.fromkeys(before, 0)
    for job in reversed(jobs):
        for name in before[job.name]:
            longest[name] = max(longest[name], longest[job.name] + 1)
    return {job.name: (longest[job.name], -place) for place, job in enumerate(jobs)}
