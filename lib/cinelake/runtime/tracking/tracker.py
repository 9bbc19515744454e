"""The MLflow run of one job run: what is logged, kept while MLflow is away, and registered as a model."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from datetime import date
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyspark.sql import DataFrame

from cinelake.runtime.tracking import frames as artefacts
from cinelake.runtime.tracking import registration
from cinelake.runtime.tracking.buffer import Kept
from cinelake.runtime.tracking.registry import Registry
from cinelake.runtime.tracking.store import TrackingDown, all_pages, now_ms, shortened
from cinelake.runtime.tracking.told import Told
from cinelake.runtime.tracking.versions import (
    CARD,
    FINGERPRINT,
    FRAMES,
    MODEL_CARD,
    TRAINED_THROUGH,
    ModelVersion,
)
from cinelake.tables.contract import Model

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure
    from mlflow.entities import DatasetInput
    from mlflow.models import ModelSignature

# MLflow's own mark of a run that is part of another.
PARENT = "mlflow.parentRunId"

# Limits of MLflow's log_batch; beyond them a whole batch is refused.
PARAMS_A_BATCH = 100
TAGS_A_BATCH = 100
METRICS_A_BATCH = 800


class Tracker:
    """The MLflow run of one job run. What is logged is sent by `flush` or `finish`.

    Once MLflow `is_away`, all that is logged is kept, and goes to the tracking's buffer at the end.
    """

    def __init__(
        self,
        tracking: Registry,
        mlflow_run_id: str,
        area: str,
        kept: Kept | None = None,
        *,
        is_away: bool = False,
    ) -> None:
        self.tracking = tracking
        self.mlflow_run_id = mlflow_run_id
        self.area = area
        self.is_away = is_away
        self._kept = kept
        # What this run registered or found registered already; the ledger enters it.
        self.registered: list[ModelVersion] = []
        self._params: dict[str, str] = {}
        self._metrics: list[tuple[str, float, int, int]] = []
        self._tags: dict[str, str] = {}
        self._inputs: dict[str, tuple[str, int]] = {}
        # What goes onto the card of a model, for what was sent is known to MLflow only.
        self._told = Told(kept.tags if kept else {})
        self._card = ""

    def log_params(self, params: Mapping[str, Any]) -> None:
        self._params |= shortened(params)
        self._told.settings |= shortened(params)

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        # Milliseconds of logging are MLflow's own axis; no table ever reads them.
        now = now_ms()
        self._metrics += [(key, float(value), now, step or 0) for key, value in metrics.items()]
        self._told.metrics |= metrics

    def set_tags(self, tags: Mapping[str, Any]) -> None:
        self._tags |= shortened(tags)

    def log_inputs(self, tables: Mapping[str, tuple[str, int]]) -> None:
        """Log the tables that were read, by name: where they are, and their versions."""
        self._inputs |= tables

    def log_figure(self, figure: Figure, name: str) -> None:
        """Log a matplotlib figure; `name` ends in .png or .svg and may hold folders."""
        client, run_id = self.tracking, self.mlflow_run_id
        self._told.figures[name] = figure
        if not self._sent(lambda: client.client.log_figure(run_id, figure, name)):
            content = io.BytesIO()
            figure.savefig(content, format=Path(name).suffix.removeprefix(".") or "png")
            assert self._kept is not None
            self._kept.add_picture(name, content.getvalue())

    def log_text(self, text: str, name: str) -> None:
        """Log a text, JSON or HTML page under `name`."""
        client, run_id = self.tracking, self.mlflow_run_id
        if not self._sent(lambda: client.client.log_text(run_id, text, name)):
            assert self._kept is not None
            self._kept.texts[name] = text

    def log_card(self, html: str) -> None:
        """Log the page about a model that is to be registered, in place of the one that is made of what was logged."""
        self.log_text(html, MODEL_CARD)
        self._card = f"runs:/{self.mlflow_run_id}/{MODEL_CARD}"

    def flush(self) -> None:
        """Send what is buffered: one call, or a few where MLflow's limits force it."""
        if self._sent(self._send_batches):
            self._params, self._tags, self._metrics, self._inputs = {}, {}, [], {}

    def take_up(self, kept: Kept) -> None:
        """Log what was kept of a run, as far as it goes in batches."""
        self._params |= kept.params
        self._metrics += kept.metrics
        self._inputs |= kept.inputs
        self._tags |= {
            key: value for key, value in kept.tags.items() if not key.startswith("mlflow.")
        }

    def _sent(self, send: Callable[[], object]) -> bool:
        """Whether it could be sent; if not, and there is a buffer, this run goes there from now on."""
        if self.is_away:
            return False
        try:
            with self.tracking.explained():
                send()
        # Artefacts go to a file system, or by HTTP with no client of MLflow's between.
        except (TrackingDown, OSError):
            if self.tracking.buffer is None or self._kept is None:
                raise
            self.tracking.stay_away()
            self.is_away = True
        return not self.is_away

    def _send_batches(self) -> None:
        from mlflow.entities import Metric, Param, RunTag

        params = iter([Param(key, value) for key, value in self._params.items()])
        tags = iter([RunTag(key, value) for key, value in self._tags.items()])
        metrics = iter([Metric(*metric) for metric in self._metrics])
        while batch := (
            list(islice(metrics, METRICS_A_BATCH)),
            list(islice(params, PARAMS_A_BATCH)),
            list(islice(tags, TAGS_A_BATCH)),
        ):
            if not any(batch):
                break
            self.tracking.client.log_batch(self.mlflow_run_id, *batch, synchronous=True)
        if self._inputs:
            read = [_dataset(name, *where) for name, where in self._inputs.items()]
            self.tracking.client.log_inputs(self.mlflow_run_id, datasets=read)

    def finish(self, status: str = "FINISHED", error: str | None = None) -> None:
        """End the run as FINISHED, FAILED or KILLED."""
        if error is not None:
            self.set_tags({"error": error})
        self.flush()
        client, run_id = self.tracking, self.mlflow_run_id
        if self._sent(lambda: client.client.set_terminated(run_id, status)):
            return
        assert self._kept is not None
        assert self.tracking.buffer is not None
        self._kept.status, self._kept.ended_ms = status, now_ms()
        self._kept.params |= self._params
        self._kept.metrics += self._metrics
        self._kept.inputs |= self._inputs
        self._kept.tags |= self._tags
        self.tracking.buffer.keep(self._kept)

    def child(self, name: str, tags: Mapping[str, str] | None = None) -> Tracker:
        """Open a run for a part of this one, below which MLflow shows it."""
        self._refuse_absence()
        with self.tracking.explained():
            run = self.tracking.client.create_run(
                self.tracking.experiment(self.area),
                run_name=name,
                tags={PARENT: self.mlflow_run_id} | shortened(tags or {}),
            )
        return Tracker(self.tracking, run.info.run_id, self.area)

    def finished(self, tag: str, value: str) -> list[Mapping[str, str]]:
        """The tags of the area's finished runs that carry a tag of this value, oldest first."""
        self._refuse_absence()
        from mlflow.entities import ViewType

        with self.tracking.explained():
            experiment = self.tracking.experiment(self.area)
            found = all_pages(
                lambda page_token: self.tracking.client.search_runs(
                    [experiment],
                    f"tags.`{tag}` = '{value}' AND attributes.status = 'FINISHED'",
                    ViewType.ACTIVE_ONLY,
                    order_by=["attributes.start_time ASC"],
                    page_token=page_token,
                )
            )
        return [dict(run.data.tags) for run in found]

    def _refuse_absence(self) -> None:
        if self.is_away:
            raise TrackingDown(
                f"{self.tracking.place} is away, and models and trials are kept nowhere "
                "else; run this job again when it is back"
            )

    def resume(self, model: Model, fingerprint: str) -> ModelVersion | None:
        """The version trained from these inputs, registering it if only that step is missing.

        None means that nothing usable was logged: train and `register`. Raises TrackingDown where MLflow is away.
        """
        self._refuse_absence()
        found = self.tracking.find(model, fingerprint)
        if found is None:
            logged = registration.logged(self.tracking, self.area, model, fingerprint)
            if logged is None:
                return None
            found = registration.create_version(self.tracking, model, logged)
        self.registered.append(found)
        return found

    def settled(
        self,
        model: Model,
        fingerprint: str,
        train: Callable[[], ModelVersion | None],
        nothing: type[Exception] | tuple[()] = (),
    ) -> ModelVersion | None:
        """The version trained from these inputs, by an earlier run or now, taken through its gate.

        None where there is nothing to train on: `train` returned none, or raised `nothing`, which is then a tag.
        """
        try:
            version = self.resume(model, fingerprint) or train()
        except nothing as why:
            self.set_tags({"skipped": why})
            return None
        return version and self.tracking.settle(model, version)

    def register(
        self,
        model: Model,
        *,
        python_model: str | Path | Any,
        signature: ModelSignature,
        input_example: pd.DataFrame,
        pip_requirements: list[str],
        trained_through: date,
        fingerprint: str,
        artifacts: Mapping[str, bytes] | None = None,
        frames: Mapping[str, DataFrame] | None = None,
        params: Mapping[str, Any] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> ModelVersion:
        """Log and register a model as a pyfunc, or return the version that this training already
        has.

        `python_model` is the path of a models-from-code file or a PythonModel; `artifacts` are
        the contents of small files for it, by name; `frames` are written by Spark and read again
        with `Registry.read_frame`. `tags` become the version's, beside those every version has.
        Its card is the one that was logged, or else made of what this run has logged so far.
        """
        found = self.resume(model, fingerprint)
        if found is not None:
            return found
        if not self._card:
            # Cards draw with matplotlib, for which runs that register nothing would wait.
            from cinelake.runtime.tracking.card import card

            self.log_card(card(model, trained_through, self._told, tags or {}))
        own = {
            FINGERPRINT: fingerprint,
            TRAINED_THROUGH: trained_through.isoformat(),
            CARD: self._card,
        }
        with self.tracking.explained():
            client = self.tracking.client
            logged = client.create_logged_model(
                self.tracking.experiment(self.area),
                name=model.name,
                source_run_id=self.mlflow_run_id,
                tags=shortened(tags or {}) | own,
                params=shortened(params or {}),
                model_type="pyfunc",
            )
        if frames:
            home = artefacts.write(self.tracking, logged, frames)
            with self.tracking.explained():
                client.set_logged_model_tags(logged.model_id, {FRAMES: home})
        registration.log_pyfunc(
            self.tracking,
            logged,
            run_id=self.mlflow_run_id,
            python_model=python_model,
            artifacts=artifacts,
            signature=signature,
            input_example=input_example,
            pip_requirements=pip_requirements,
        )
        # READY is the mark that everything above is in place; until then a rerun starts afresh.
        with self.tracking.explained():
            logged = client.finalize_logged_model(logged.model_id, "READY")
        version = registration.create_version(self.tracking, model, logged)
        self.registered.append(version)
        return version


def _dataset(name: str, location: str, version: int) -> DatasetInput:
    """A version of a Delta table, as `mlflow.data.get_source` reads it."""
    from mlflow.entities import Dataset, DatasetInput

    # Made by hand, for MLflow's own leaves version 0 away, and takes no path with a scheme.
    source = json.dumps({"path": location, "delta_table_version": version})
    return DatasetInput(Dataset(name, str(version), "delta_table", source))
