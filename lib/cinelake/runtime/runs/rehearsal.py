"""A job run on frames, without any lake: reads are cut to the window, writes are judged but not stored.

For tests and benchmarks. What it logs is kept to be looked at, and no model can be registered.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from cinelake.runtime.given import IngestRun, JobError, JobParams, P, Run
from cinelake.runtime.intake.turned_away import particulars
from cinelake.runtime.job import AnyJob, Ingest, Job, Maintenance, hash_of_content
from cinelake.runtime.keys import Keyring
from cinelake.runtime.runs.publish import PublishError, accepted, judged, rejected
from cinelake.runtime.tracking.registry import Registry
from cinelake.runtime.tracking.tracker import Tracker
from cinelake.runtime.tracking.versions import ModelVersion
from cinelake.runtime.windows import Window
from cinelake.tables.contract import Model, Table

if TYPE_CHECKING:
    from cinelake.sources.source import Source

# Nobody's secret: rehearsals hold made-up people, and the same ones become the same each time.
REHEARSAL_KEYS = Keyring(b"the secret of rehearsals, which everybody knows")


@dataclass
class Rehearsed:
    """What a rehearsed job would have published, by table, what it would have turned away, and what it warned of."""

    _judged: dict[str, DataFrame] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    def __getitem__(self, table: Table) -> DataFrame:
        return accepted(self._of(table)).select(*table.names)

    def quarantined(self, table: Table) -> DataFrame:
        """`reasons array<string>, raw string` of the rejected rows."""
        rows = rejected(self._of(table))
        columns = particulars(rows, table)
        return rows.select(*(columns[name].alias(name) for name in ("reasons", "raw")))

    def _of(self, table: Table) -> DataFrame:
        if table.name not in self._judged:
            raise JobError(
                f"the job wrote nothing into {table.name!r}; it wrote {sorted(self._judged)}"
            )
        return self._judged[table.name]


class RehearsalTracker(Tracker):
    """Keeps what a rehearsed job logs, for tests to look at; nothing is sent, nothing can be registered."""

    def __init__(self, area: str) -> None:
        super().__init__(Registry("rehearsal"), "rehearsal", area)
        self.params: dict[str, Any] = {}
        self.metrics: dict[str, float] = {}
        self.tags: dict[str, Any] = {}
        self.pictures: list[str] = []
        self.status = "RUNNING"
        # What it began for parts of its work, by name.
        self.children: dict[str, RehearsalTracker] = {}

    def log_params(self, params: Mapping[str, Any]) -> None:
        self.params |= params

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:  # noqa: ARG002
        self.metrics |= metrics

    def set_tags(self, tags: Mapping[str, Any]) -> None:
        self.tags |= tags

    def log_figure(self, figure: Any, name: str) -> None:  # noqa: ARG002
        self.pictures.append(name)

    def log_text(self, text: str, name: str) -> None:  # noqa: ARG002
        self.pictures.append(name)

    def flush(self) -> None:
        """Nothing waits to be sent."""

    def finish(self, status: str = "FINISHED", error: str | None = None) -> None:  # noqa: ARG002
        self.status = status

    def child(self, name: str, tags: Mapping[str, str] | None = None) -> RehearsalTracker:
        self.children[name] = RehearsalTracker(self.area)
        self.children[name].set_tags(tags or {})
        return self.children[name]

    def finished(self, tag: str, value: str) -> list[Mapping[str, str]]:
        runs = self.children.values()
        return [run.tags for run in runs if run.status == "FINISHED" and run.tags.get(tag) == value]


class _Rehearsal(Run[P]):
    def __init__(
        self,
        declared: Job,
        window: Window,
        params: P,
        inputs: Mapping[Table, DataFrame],
        models: Mapping[str, ModelVersion],
        tracker: Tracker,
    ) -> None:
        super().__init__(declared, window, params, "rehearsal")
        self._inputs = {table.name: frame for table, frame in inputs.items()}
        self._models = models
        self._tracker = tracker
        self.outputs = Rehearsed(warnings=self.warnings)

    @property
    def tracker(self) -> Tracker:
        return self._tracker

    @property
    def inputs_fingerprint(self) -> str:
        return hash_of_content(
            [self.params.model_dump(mode="json"), self.job.version, str(self.window)]
        )

    @property
    def input_versions(self) -> Mapping[str, int]:
        return {}

    @property
    def inputs_digest(self) -> str:
        return hash_of_content(str(self.window))

    def keys(self, kinds: Iterable[str]) -> DataFrame:
        spark = next(iter(self._inputs.values())).sparkSession
        return REHEARSAL_KEYS.frame(spark, kinds)

    def read(self, table: Table) -> DataFrame:
        reading = self._reading(table)
        if table.name not in self._inputs:
            raise JobError(
                f"rehearsal of {self.job.name!r}: hand over rows for {table.name!r}; [] will do"
            )
        frame = self._inputs[table.name].select(*table.names)
        start, end = reading.reach.of(self.window)
        if table.window is None:
            return frame
        # In ISO form: Spark takes no date of the year 1, which a reach over all history starts with.
        day = F.col(table.window).cast("string")
        return frame.where((day >= start.isoformat()) & (day < end.isoformat()))

    def write(self, table: Table, frame: DataFrame) -> None:
        self._check_output(table)
        # Computed once, as a publication does, however often it is looked at.
        marked = judged(table, frame).localCheckpoint()
        assert table.window is not None
        inside = (F.col(table.window) >= F.lit(self.start)) & (
            F.col(table.window) < F.lit(self.end)
        )
        if not accepted(marked).where(~inside).isEmpty():
            raise PublishError(
                f"job {self.job.name!r} wrote rows into {table.name!r} outside its window {self.window}"
            )
        self.outputs._judged[table.name] = marked

    def account_for(self, source: Source, frame: DataFrame, /, **fates: Column) -> DataFrame:  # noqa: ARG002
        return frame

    def log_shares(self, frame: DataFrame, conditions: Mapping[str, Column]) -> DataFrame:
        shares = [
            F.avg(F.coalesce(held, F.lit(False)).cast("double")).alias(name)
            for name, held in conditions.items()
        ]
        known = frame.localCheckpoint()
        (found,) = known.agg(*shares).toArrow().to_pylist()
        # There are none of no rows.
        self._tracker.log_metrics(
            {name: share for name, share in found.items() if share is not None}
        )
        return known

    def log_figures(self, frame: DataFrame, figures: Mapping[str, Column]) -> DataFrame:
        told = (figure.alias(name) for name, figure in figures.items())
        known = frame.localCheckpoint()
        (found,) = known.agg(*told).toArrow().to_pylist()
        self._tracker.log_metrics(
            {name: float(value) for name, value in found.items() if value is not None}
        )
        return known

    def _approved_on(self, model: Model, day: date) -> ModelVersion | None:  # noqa: ARG002
        return self._models.get(model.name)


class _IngestRehearsal(IngestRun):
    def __init__(self, target: Table, landed: DataFrame) -> None:
        super().__init__(landed)
        self._target = target
        self.outputs = Rehearsed()

    def append(self, frame: DataFrame) -> None:
        self.outputs._judged[self._target.name] = judged(self._target, frame)


def rehearse(
    declared: AnyJob,
    inputs: Mapping[Table, DataFrame] | DataFrame,
    start: date | None = None,
    end: date | None = None,
    params: JobParams | None = None,
    *,
    models: Mapping[str, ModelVersion] | None = None,
    tracker: Tracker | None = None,
) -> Rehearsed:
    """Run a job on frames: reads are cut to the reach, writes are judged but not stored.

    `inputs` are frames by table; for an ingest job, the landed lines (`value string, file string, line bigint`). The
    default window is one day, `start`.
    """
    if isinstance(declared, Ingest):
        if not isinstance(inputs, DataFrame):
            raise JobError(
                f"rehearsal of ingest job {declared.name!r} takes a frame of landed lines"
            )
        batch = _IngestRehearsal(declared.target, inputs)
        declared.function(batch)
        return batch.outputs
    if isinstance(inputs, DataFrame) or start is None or isinstance(declared, Maintenance):
        raise JobError(f"rehearsal of {declared.name!r} takes frames by table, and a start")
    window = Window(start, end or start + timedelta(days=1))
    run: _Rehearsal[Any] = _Rehearsal(
        declared,
        window,
        params or declared.configured({}),
        inputs,
        models or {},
        tracker or RehearsalTracker(declared.area),
    )
    declared.function(run)
    return run.outputs
