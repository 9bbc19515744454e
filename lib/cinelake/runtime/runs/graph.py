"""The graph of jobs, derived from what they read and write; no list of jobs exists anywhere.

Every file under `jobs/<area>/` declares one job named like the file. A cycle, an input that nobody produces and
two writers of one table are refused with the names.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from types import ModuleType

from cinelake.runtime.given import JobError
from cinelake.runtime.job import AnyJob, Cadence, Ingest, Job, Maintenance
from cinelake.spelling import hint
from cinelake.tables.contract import Kind, Model, Table


class GraphError(ValueError):
    """The jobs do not form a pipeline; the message names the jobs and tables at fault."""


def discover(folder: Path) -> list[AnyJob]:
    """The jobs declared under `folder`, one a file.

    Raises GraphError for a missing folder, or a file without exactly one job of the file's name.
    """
    if not folder.is_dir():
        raise GraphError(
            f"{folder} is not a folder of jobs; run from the project or the bundle, or set CINELAKE_CONF"
        )
    files = sorted(path for path in folder.glob("*/*.py") if not path.name.startswith("_"))
    return [_declared_in(path) for path in files]


@dataclass(frozen=True)
class Graph:
    """Jobs in an order in which every input is written before it is read."""

    jobs: tuple[AnyJob, ...]
    # A job run alone relies on tables that others have written.
    complete: bool = True

    def __post_init__(self) -> None:
        self._refuse_two_writers()
        if self.complete:
            self._refuse_unproduced_inputs()
            self._refuse_odd_remedies()
            self._refuse_unknown_predecessors()
        _ = self.order

    @classmethod
    def alone(cls, job: AnyJob) -> Graph:
        """A graph of one job."""
        return cls((job,), complete=False)

    @cached_property
    def writer(self) -> dict[str, AnyJob]:
        """Job by the name of the table or model that it writes."""
        return {written.name: job for job in self.jobs for written in job.writes}

    @cached_property
    def upstream(self) -> dict[str, set[str]]:
        """Names of the jobs that each job directly builds on."""
        names = {job.name for job in self.jobs}
        return {
            job.name: names.intersection(job.after)
            if isinstance(job, Maintenance)
            else {self.writer[name].name for name in job.inputs if name in self.writer}
            for job in self.jobs
        }

    @cached_property
    def order(self) -> tuple[AnyJob, ...]:
        by_name = {job.name: job for job in self.jobs}
        sorter = TopologicalSorter(self.upstream)
        try:
            sorter.prepare()
        except CycleError as error:
            path = " → ".join(reversed(error.args[1]))
            raise GraphError(
                f"the jobs form a cycle: {path}; one of them must read previous(…) or another table"
            ) from error
        ordered: list[AnyJob] = []
        while sorter.is_active():
            # Sorted within a rank, so that a plan reads the same on every machine.
            ready = sorted(sorter.get_ready(), key=lambda name: (by_name[name].area, name))
            ordered += [by_name[name] for name in ready]
            sorter.done(*ready)
        # Who looks after tables does so when all others are done.
        return tuple(sorted(ordered, key=lambda job: isinstance(job, Maintenance)))

    @cached_property
    def tables(self) -> list[Table]:
        """Every table that some job reads or writes."""
        found = {
            item.name: item
            for job in self.jobs
            for item in _touched(job)
            if isinstance(item, Table)
        }
        return [found[name] for name in sorted(found)]

    @property
    def maintenance(self) -> list[Maintenance]:
        """The jobs that look after tables, in no order."""
        return [job for job in self.jobs if isinstance(job, Maintenance)]

    def readers(self, name: str) -> list[str]:
        """Names of the jobs that read a table or model."""
        return sorted(
            job.name for job in self.jobs if any(reading.name == name for reading in job.reads)
        )

    def on_demand(self, names: Iterable[str]) -> list[AnyJob]:
        """Those of the jobs on demand that are named, in order."""
        wanted = set(names)
        return [job for job in self.order if job.name in wanted and is_on_demand(job)]

    def select(self, only: Sequence[str] = (), until: str | None = None) -> list[AnyJob]:
        """The jobs to run, in order: those named, or one with everything it builds on, or all.

        A job on demand is among them only where it is named itself. Raises GraphError for an unknown name.
        """
        known = {job.name for job in self.jobs}
        on_demand = {job.name for job in self.jobs if is_on_demand(job)} - {until}
        for name in (*only, *([until] if until else [])):
            if name not in known:
                raise GraphError(
                    f"there is no job {name!r}; {hint(name, sorted(known), 'the jobs are')}"
                )
        wanted = set(only) if only else known - on_demand
        if until:
            wanted &= self._ancestry(until)
        return [job for job in self.order if job.name in wanted]

    def _ancestry(self, name: str) -> set[str]:
        found = {name}
        for upstream in self.upstream[name]:
            found |= self._ancestry(upstream)
        return found

    def _refuse_two_writers(self) -> None:
        first: dict[str, str] = {}
        names: set[str] = set()
        for job in self.jobs:
            if job.name in names:
                raise GraphError(f"two jobs are called {job.name!r}; names are unique across areas")
            names.add(job.name)
            for written in job.writes:
                if written.name in first:
                    raise GraphError(
                        f"{written.name!r} is written by both {first[written.name]!r} and {job.name!r}"
                    )
                first[written.name] = job.name

    def _refuse_odd_remedies(self) -> None:
        on_demand = {job.name for job in self.jobs if is_on_demand(job)}
        for job in self.jobs:
            for remedy in job.remedies if isinstance(job, Job) else ():
                if remedy not in on_demand:
                    raise GraphError(
                        f"job {job.name!r} may call for {remedy!r}, which is no job on demand"
                    )

    def _refuse_unknown_predecessors(self) -> None:
        known = {job.name for job in self.maintenance}
        for job in self.maintenance:
            for name in job.after:
                if name not in known:
                    raise GraphError(
                        f"job {job.name!r} is to go after {name!r}, which is no maintenance job"
                    )

    def _refuse_unproduced_inputs(self) -> None:
        for job in self.jobs:
            for reading in job.reads:
                source = reading.source
                produced = reading.name in self.writer
                by_people = isinstance(source, Table) and source.kind in (
                    Kind.EXTERNAL,
                    Kind.SYSTEM,
                )
                if not produced and not by_people:
                    raise GraphError(
                        f"job {job.name!r} reads {reading.name!r}, which no job writes"
                    )


def is_on_demand(job: AnyJob) -> bool:
    """Whether a job waits to be named."""
    return not isinstance(job, Ingest) and job.cadence is Cadence.ON_DEMAND


def as_text(graph: Graph) -> str:
    """One line a job: where it stands, and what goes in and out."""
    width = max((len(f"{job.area}/{job.name}") for job in graph.order), default=0)
    longest = max(len(cadence) for cadence in Cadence)
    lines = []
    for job in graph.order:
        due = "always" if isinstance(job, Ingest) else job.cadence
        lines.append(f"{f'{job.area}/{job.name}':<{width}}  {due:<{longest}}  {_flow(job)}")
    return "\n".join(lines)


def _flow(job: AnyJob) -> str:
    if isinstance(job, Maintenance):
        return "looks after all tables"
    read = (
        [f"landing/{job.source.name}"] if isinstance(job, Ingest) else [r.name for r in job.reads]
    )
    return f"{', '.join(read)} → {', '.join(written.name for written in job.writes)}"


def as_mermaid(graph: Graph) -> str:
    """A flow chart for pages that draw Mermaid: jobs are boxes, tables cylinders, models hexagons."""
    lines = ["flowchart LR"]
    shapes: dict[str, str] = {}
    for job in graph.order:
        lines.append(f'  {job.name}["{job.name}"]')
        for item in _touched(job):
            shapes[item.name] = (
                f'  t_{item.name}{{{{"{item.name}"}}}}'
                if isinstance(item, Model)
                else f'  t_{item.name}[("{item.name}")]'
            )
    lines += [shapes[name] for name in sorted(shapes)]
    for job in graph.order:
        lines += [
            f"  t_{reading.name} --> {job.name}" for reading in job.reads if reading.name in shapes
        ]
        lines += [f"  {job.name} --> t_{written.name}" for written in job.writes]
    return "\n".join(lines)


def as_json(graph: Graph) -> str:
    """The graph for programs, such as the one that makes the Airflow DAG."""
    return json.dumps(
        {
            "jobs": [
                {
                    "name": job.name,
                    "area": job.area,
                    "kind": type(job).__name__.lower(),
                    "cadence": "always" if isinstance(job, Ingest) else str(job.cadence),
                    "description": job.description,
                    "reads": [reading.name for reading in job.reads],
                    "writes": [written.name for written in job.writes],
                    "upstream": sorted(graph.upstream[job.name]),
                }
                for job in graph.order
            ]
        },
        indent=2,
    )


def _touched(job: AnyJob) -> Iterable[Table | Model]:
    yield from (reading.source for reading in job.reads)
    yield from job.writes


def _declared_in(path: Path) -> AnyJob:
    module = _load(path)
    declared = [value for value in vars(module).values() if isinstance(value, AnyJob)]
    if len(declared) != 1:
        raise GraphError(f"{path} declares {len(declared)} jobs; a job file declares exactly one")
    if declared[0].name != path.stem:
        raise GraphError(
            f"{path}: its job is called {declared[0].name!r}; name the function {path.stem!r} like the file"
        )
    return declared[0]


def _load(path: Path) -> ModuleType:
    name = f"cinelake_jobs.{path.parent.name}.{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Registered, so that the function's own module and its docstring can be found again.
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except JobError as error:
        raise GraphError(f"{path}: {error}") from error
    return module
