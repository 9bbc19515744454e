"""Runs in MLflow: opened, delivered late, closed and pruned."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from threading import Lock

from cinelake.runtime.tracking.buffer import Buffer, Kept
from cinelake.runtime.tracking.registry import Registry
from cinelake.runtime.tracking.store import (
    TrackingDown,
    TrackingError,
    all_pages,
    now_ms,
    shortened,
)
from cinelake.runtime.tracking.tracker import PARENT, Tracker
from cinelake.runtime.windows import Window

# What each run of a job carries, and hardly anybody else's: a store is often shared with others.
OURS = "tags.job LIKE '%' AND tags.run_id LIKE '%' AND tags.`mlflow.source.name` LIKE 'jobs/%'"


class Tracking(Registry):
    """A store with its registry and the runs in it.

    Who knows that nobody else runs jobs on the store says `sole`: runs that are open then were killed, and are closed
    before the first one of their area starts.
    """

    def __init__(self, uri: str, artifact_root: str | None = None, *, sole: bool = False) -> None:
        super().__init__(uri, artifact_root)
        # Areas whose abandoned runs are closed.
        self._sole, self._closed, self._starting = sole, set[str](), Lock()

    def start(
        self,
        area: str,
        job: str,
        window: Window | None,
        run_id: str,
        tags: Mapping[str, str] | None = None,
        *,
        description: str = "",
        seconds: float = 0,
    ) -> Tracker:
        """Open the MLflow run of one job run; `run_id` is the lake's own id of the run.

        Ingest jobs have no window. `description` says what the job does, `seconds` how long ago it began.
        """
        own = {
            "job": job,
            "run_id": run_id,
            "mlflow.source.name": f"jobs/{area}/{job}.py",
            "mlflow.source.type": "JOB",
        }
        if description:
            own["mlflow.note.content"] = description
        if window is not None:
            own |= {
                "window.start": window.start.isoformat(),
                "window.end": window.end.isoformat(),
            }
        name = f"{job} {window.start}..{window.end}" if window else job
        started_ms = now_ms() - round(1000 * seconds)
        kept = Kept(run_id, area, name, started_ms, tags=own | shortened(tags or {}))
        try:
            # Jobs start side by side, and none may take another's run for a dead one.
            with self._starting:
                if self._sole and area not in self._closed:
                    self.close_abandoned(area)
                    self._closed.add(area)
            with self.explained():
                kept.mlflow_run_id = self._open(kept)
        except TrackingDown:
            if self.buffer is None:
                raise
            return Tracker(self, "", area, kept, is_away=True)
        return Tracker(self, kept.mlflow_run_id, area, kept)

    def deliver(self, kept: Kept) -> None:
        """Log a run that was kept while MLflow was away; raises TrackingDown where it still is."""
        try:
            self._deliver(kept)
        except OSError as error:
            raise TrackingDown(f"MLflow cannot keep artefacts: {error}") from error

    def deliver_all(self, buffer: Buffer) -> tuple[int, list[str]]:
        """Log what waits in `buffer`, oldest first; returns how many runs have got there, and why others have not.

        What MLflow refuses stays, and keeps nothing behind it from being delivered. Raises TrackingDown where MLflow is
        away.
        """
        delivered, refused = 0, []
        for run in buffer.runs():
            try:
                self.deliver(run)
            except TrackingDown:
                raise
            except TrackingError as error:
                refused.append(f"{run.name} ({run.run_id}): {error}")
            else:
                buffer.forget(run)
                delivered += 1
        return delivered, refused

    def _deliver(self, kept: Kept) -> None:
        with self.explained():
            run_id = kept.mlflow_run_id or self._found(kept) or self._open(kept)
            tracker = Tracker(self, run_id, kept.area, kept)
            tracker.take_up(kept)
            for name, text in kept.texts.items():
                self.client.log_text(run_id, text, name)
            for name in kept.pictures:
                with tempfile.TemporaryDirectory(prefix="cinelake-picture-") as scratch:
                    file = Path(scratch) / Path(name).name
                    file.write_bytes(kept.picture(name))
                    folder = str(Path(name).parent)
                    self.client.log_artifact(run_id, str(file), None if folder == "." else folder)
            tracker.flush()
            self.client.set_terminated(run_id, kept.status, kept.ended_ms)

    def _open(self, kept: Kept) -> str:
        run = self.client.create_run(
            self.experiment(kept.area),
            start_time=kept.started_ms,
            run_name=kept.name,
            tags=kept.tags,
        )
        return str(run.info.run_id)

    def _found(self, kept: Kept) -> str | None:
        """The run, where an earlier delivery began it."""
        from mlflow.entities import ViewType

        found = self.client.search_runs(
            [self.experiment(kept.area)],
            f"tags.run_id = '{kept.run_id}'",
            ViewType.ACTIVE_ONLY,
            max_results=1,
        )
        return str(found[0].info.run_id) if found else None

    def close_abandoned(self, area: str) -> int:
        """Mark an area's runs that never ended as killed; returns how many.

        Only for one who knows that no other run is under way, such as the holder of the lake's
        lock.
        """
        from mlflow.entities import ViewType

        with self.explained():
            running = self.client.search_runs(
                [self.experiment(area)], "attributes.status = 'RUNNING'", ViewType.ACTIVE_ONLY
            )
            for run in running:
                self.client.set_terminated(run.info.run_id, "KILLED")
        return len(running)

    def prune(self, age: timedelta) -> int:
        """Put runs of jobs into MLflow's bin that began more than `age` before the newest; returns how many.

        A run that a version of a model came from stays, and what it is a part of, and whatever others keep in the
        store. `mlflow gc` empties the bin.
        """
        from mlflow.entities import Run, ViewType

        with self.explained():
            experiments = [e.experiment_id for e in all_pages(self.client.search_experiments)]
            newest = self.client.search_runs(
                experiments, OURS, ViewType.ALL, max_results=1,
                order_by=["attributes.start_time DESC"],
            ) if experiments else []  # fmt: skip
            if not newest:
                return 0
            kept = {v.run_id for v in all_pages(self.client.search_model_versions) if v.run_id}
            kept |= {
                parent
                for run in kept
                if (parent := self.client.get_run(run).data.tags.get(PARENT)) is not None
            }
            before = newest[0].info.start_time - int(age.total_seconds() * 1000)

            def old(which: str, view: int) -> list[Run]:
                condition = f"{which} AND attributes.start_time < {before} AND attributes.status != 'RUNNING'"
                return all_pages(
                    lambda page_token: self.client.search_runs(
                        experiments, condition, view, page_token=page_token
                    )
                )

            # A part began after the whole, which may be in the bin already.
            wholes = old(OURS, ViewType.ALL)
            ids = {run.info.run_id for run in wholes}
            parts = old(f"tags.`{PARENT}` LIKE '%'", ViewType.ACTIVE_ONLY)
            ours = wholes + [run for run in parts if run.data.tags[PARENT] in ids]
            gone = [
                run.info.run_id
                for run in ours
                if run.info.lifecycle_stage == "active" and run.info.run_id not in kept
            ]
            for run_id in gone:
                self.client.delete_run(run_id)
        return len(gone)
