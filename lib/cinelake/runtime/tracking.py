"""MLflow: one experiment per area, one run per job run, and the registry through which models pass.

A run carries the window and the versions of every table read and written, so that any number can be
traced to its data. What a job logs is buffered and sent in one batch when it finishes: one call
costs a few milliseconds against SQLite and a round trip against a server.

A model version is made in steps, each of which a rerun recognises as done:

1. *logged*: artefacts stand in a logged model tagged with the fingerprint of its training inputs.
   Frames (user factors) are written by Spark straight into the artefact location; MLflow's Spark
   flavour would copy them through the driver's disk twice, needs a global active run, and makes no
   logged model.
2. *registered*: a version of the registered model `cinelake.<area>.<model>`, which gets
   `trained_through` and `training_fingerprint` in the same transaction.
3. *judged*: the tags `gate.reason` and, last of all, `gate` = `passed` or `failed`.
4. *alias* `challenger`, then `champion`. Aliases serve people and servers; jobs use
   `newest_approved`.

MLflow may be away while jobs run. What they log is then kept in the lake (`tracking_buffer.py`) and delivered later;
tables do not wait for it. Models cannot do without: a job that registers or reads one fails, and says why.

Only the client API is used: the fluent one keeps a global active run and tracking URI, which two
lakes in one process would fight over.
"""

from __future__ import annotations

import fcntl
import io
import logging
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cached_property
from itertools import islice
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from pyspark.sql import DataFrame, SparkSession

from cinelake.runtime.machine import on_disk
from cinelake.runtime.tracking_buffer import Buffer, Kept
from cinelake.runtime.windows import Window
from cinelake.tables.contract import Model

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure
    from mlflow import MlflowClient
    from mlflow.entities import LoggedModel
    from mlflow.entities.model_registry import ModelVersion as RegistryVersion
    from mlflow.models import ModelSignature

FINGERPRINT = "training_fingerprint"
TRAINED_THROUGH = "trained_through"
FRAMES = "frames"
GATE = "gate"
GATE_REASON = "gate.reason"
# A page about a version among the artefacts of the run that trained it: its name, and the tag that says where it is.
MODEL_CARD, CARD = "model_card.html", "model_card"
PASSED = "passed"
FAILED = "failed"
# What a gate has decided before its version is registered, and why.
PROPOSAL, PROPOSAL_REASON = "proposal", "proposal.reason"
CHALLENGER = "challenger"
CHAMPION = "champion"
# MLflow's own mark of a run that is part of another.
PARENT = "mlflow.parentRunId"

# Limits of MLflow's log_batch and of its columns; beyond them a whole batch is refused.
PARAMS_A_BATCH = 100
TAGS_A_BATCH = 100
METRICS_A_BATCH = 800
LONGEST_VALUE = 5000

# What MLflow says to a request that is wrong, and would be wrong later.
WRONG_REQUESTS = frozenset(
    {"INVALID_PARAMETER_VALUE", "BAD_REQUEST", "RESOURCE_DOES_NOT_EXIST", "RESOURCE_ALREADY_EXISTS"}
)
# How long nobody knocks again at a door that nobody answered: each knock takes seconds.
DOWN_SECONDS = 60.0

# File systems that Spark's executors reach themselves. A server that hands artefacts through its
# own HTTP interface (mlflow-artifacts:) is not one of them.
SPARK_SCHEMES = frozenset(
    {"", "file", "hdfs", "viewfs", "s3", "s3a", "gs", "abfs", "abfss", "wasbs", "dbfs"}
)


def proposed(*, passed: bool, reason: str) -> dict[str, str]:
    """A gate's decision as tags for `Tracker.register`, so that a rerun need not measure again."""
    return {PROPOSAL: PASSED if passed else FAILED, PROPOSAL_REASON: reason}


class TrackingError(RuntimeError):
    """MLflow cannot do what was asked; the message says which setting or name to look at."""


class TrackingDown(TrackingError):
    """MLflow cannot be reached, or cannot keep anything; the same may well work later."""


@dataclass(frozen=True)
class ModelVersion:
    """One version of a registered model; `uri` is where its artefacts are loaded from."""

    name: str
    version: int
    uri: str
    trained_through: date
    run_id: str
    tags: Mapping[str, str] = field(default_factory=dict, hash=False)

    @property
    def approved(self) -> bool:
        return self.tags.get(GATE) == PASSED

    @property
    def judged(self) -> bool:
        """Whether the gate has decided, either way."""
        return GATE in self.tags

    @property
    def reason(self) -> str:
        return self.tags.get(GATE_REASON, "")


@dataclass(frozen=True)
class ModelRun:
    """What a version's training run reported, for leaderboards."""

    version: ModelVersion
    metrics: Mapping[str, float]
    params: Mapping[str, str]


class Tracking:
    """A tracking store. Making one costs nothing; MLflow is imported, and its store made, at first
    use.

    Who knows that nobody else runs jobs on the store says `sole`: runs that are open then were killed, and are closed
    before the first one of their area starts.
    """

    def __init__(self, uri: str, artifact_root: str | None = None, *, sole: bool = False) -> None:
        self.uri = uri
        self.artifact_root = artifact_root
        self._experiments: dict[str, str] = {}
        # Areas whose abandoned runs are closed.
        self._sole, self._closed, self._starting = sole, set[str](), Lock()
        # Where runs wait while MLflow is away; without one, its absence is an error.
        self.buffer: Buffer | None = None
        self._down_until, self._has_warned = 0.0, False

    @classmethod
    def beside_lake(
        cls, lake_root: str, tracking_uri: str | None = None, artifact_root: str | None = None
    ) -> Self:
        """The configured server, or a SQLite store in `<lake root>/mlflow`.

        Raises TrackingError where neither is possible: SQLite needs a local folder.
        """
        if tracking_uri:
            return cls(tracking_uri, artifact_root)
        parts = urlsplit(lake_root)
        if parts.scheme not in ("", "file"):
            raise TrackingError(
                f"the lake {lake_root!r} is not a local folder, so MLflow's SQLite file cannot "
                "stand beside it; set [mlflow] tracking_uri to a tracking server"
            )
        home = (
            Path(parts.path) if parts.scheme else Path(lake_root)
        ).expanduser().resolve() / "mlflow"
        return cls(f"sqlite:///{home / 'mlflow.db'}", artifact_root or str(home / "artifacts"))

    @cached_property
    def client(self) -> MlflowClient:
        """The client; made once, with the store created if it is a SQLite file that is not there
        yet.
        """
        _quieten()
        if self.uri.startswith("sqlite:///"):
            _create_sqlite_store(Path(self.uri.removeprefix("sqlite:///")), self.artifact_root)
        from mlflow import MlflowClient

        return MlflowClient(self.uri, self.uri)

    def start(
        self,
        area: str,
        job: str,
        window: Window | None,
        run_id: str,
        tags: Mapping[str, str] | None = None,
    ) -> Tracker:
        """Open the MLflow run of one job run; `run_id` is the lake's own id of the run.

        Ingest jobs have no window.
        """
        own = {"job": job, "run_id": run_id}
        if window is not None:
            own |= {
                "window.start": window.start.isoformat(),
                "window.end": window.end.isoformat(),
            }
        name = f"{job} {window.start}..{window.end}" if window else job
        kept = Kept(run_id, area, name, _now(), tags=own | _shortened(tags or {}))
        try:
            # Jobs start side by side, and none may take another's run for a dead one.
            with self._starting:
                if self._sole and area not in self._closed:
                    self.close_abandoned(area)
                    self._closed.add(area)
            with self._explained():
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

    def _deliver(self, kept: Kept) -> None:
        with self._explained():
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
            self._experiment(kept.area),
            start_time=kept.started_ms,
            run_name=kept.name,
            tags=kept.tags,
        )
        return str(run.info.run_id)

    def _found(self, kept: Kept) -> str | None:
        """The run, where an earlier delivery began it."""
        from mlflow.entities import ViewType

        found = self.client.search_runs(
            [self._experiment(kept.area)],
            f"tags.run_id = '{kept.run_id}'",
            ViewType.ACTIVE_ONLY,
            max_results=1,
        )
        return str(found[0].info.run_id) if found else None

    def stay_away(self) -> None:
        """Nobody answered: for a while, nobody is asked."""
        self._down_until = time.monotonic() + DOWN_SECONDS

    def warning(self) -> str | None:
        """What to say, once, of runs that wait; None when it was said."""
        if self._has_warned:
            return None
        self._has_warned = True
        return (
            f"MLflow at {_without_password(self.uri)} is away: tables are made, and what jobs log waits in the lake; "
            "`cinelake mlflow flush` delivers it when MLflow is back"
        )

    # Registry

    def versions(self, model: Model) -> list[ModelVersion]:
        """Every version, newest version number first."""
        found = self._search(f"name = '{registered_name(model)}'")
        return sorted(found, key=lambda version: -version.version)

    def find(self, model: Model, fingerprint: str) -> ModelVersion | None:
        """The version trained from these very inputs; the oldest, should two runs have raced."""
        found = self._search(
            f"name = '{registered_name(model)}' AND tags.{FINGERPRINT} = '{fingerprint}'"
        )
        return min(found, key=lambda version: version.version, default=None)

    def newest_approved(self, model: Model, day: date) -> ModelVersion | None:
        """The approved version a window starting on `day` may use: none trained on that day or
        later.
        """
        found = self._search(f"name = '{registered_name(model)}' AND tags.{GATE} = '{PASSED}'")
        usable = [version for version in found if version.trained_through <= day]
        return max(usable, key=lambda v: (v.trained_through, v.version), default=None)

    def at_alias(self, model: Model, alias: str) -> ModelVersion | None:
        """The version an alias points at, if any."""
        from mlflow.exceptions import MlflowException

        name = registered_name(model)
        try:
            return _version(self.client.get_model_version_by_alias(name, alias))
        except MlflowException as missing:
            if missing.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                return None
            raise

    def set_alias(self, version: ModelVersion, alias: str) -> None:
        """Point `alias` at `version`; where it pointed before is overwritten in one step."""
        with self._explained():
            self.client.set_registered_model_alias(version.name, alias, str(version.version))

    def drop_alias(self, model: Model, alias: str) -> None:
        """Point `alias` at no version."""
        with self._explained():
            self.client.delete_registered_model_alias(registered_name(model), alias)

    def advance(self, model: Model, version: ModelVersion, alias: str) -> bool:
        """Point an alias at a version unless it points at one trained on newer data.

        Training an old window again must not take the newest model from those who ask for it.
        """
        present = self.at_alias(model, alias)
        if present is not None and _age(present) > _age(version):
            return False
        if present != version:
            self.set_alias(version, alias)
        return True

    def promote(self, model: Model, version: ModelVersion) -> bool:
        """Make an approved version champion, unless the champion was trained on newer data."""
        if not version.approved:
            raise TrackingError(
                f"{version.name} version {version.version} has not passed its gate; only "
                "approved versions become champion"
            )
        return self.advance(model, version, CHAMPION)

    def tag(self, version: ModelVersion, key: str, value: str) -> ModelVersion:
        """Set one tag; returns the version as it now is."""
        with self._explained():
            self.client.set_model_version_tag(
                version.name, str(version.version), key, value[:LONGEST_VALUE]
            )
        return ModelVersion(
            version.name,
            version.version,
            version.uri,
            version.trained_through,
            version.run_id,
            {**version.tags, key: value[:LONGEST_VALUE]},
        )

    def judge(self, version: ModelVersion, *, passed: bool, reason: str) -> ModelVersion:
        """Write the gate's decision; the verdict last, so an approved version always has its reason."""
        verdict = PASSED if passed else FAILED
        told = f"{verdict.capitalize()}: {reason}"
        with self._explained():
            if CARD in version.tags:
                told += f"\n\n[Model card]({self._page(version.run_id, MODEL_CARD)})"
            self.client.update_model_version(version.name, str(version.version), told)
        return self.tag(self.tag(version, GATE_REASON, reason), GATE, verdict)

    def settle(self, model: Model, version: ModelVersion) -> ModelVersion:
        """Take a registered version through its gate, by the decision that it carries (`proposed`).

        It becomes challenger, is judged unless it was before, and champion if it is approved. A rerun ends the same.
        """
        self.advance(model, version, CHALLENGER)
        if not version.judged:
            passed = version.tags[PROPOSAL] == PASSED
            version = self.judge(version, passed=passed, reason=version.tags[PROPOSAL_REASON])
        if version.approved:
            self.promote(model, version)
        return version

    def _page(self, run_id: str, name: str) -> str:
        """Where MLflow's own pages show an artefact, from any other of its pages."""
        experiment = self.client.get_run(run_id).info.experiment_id
        return f"#/experiments/{experiment}/runs/{run_id}/artifacts/{name}"

    def report(self, version: ModelVersion) -> ModelRun:
        """The metrics and parameters of the run that trained a version."""
        with self._explained():
            data = self.client.get_run(version.run_id).data
        return ModelRun(version, dict(data.metrics), dict(data.params))

    def read_frame(self, version: ModelVersion, name: str) -> DataFrame:
        """A frame that was registered with a version. Raises TrackingError where it has none of
        that name.
        """
        home = version.tags.get(FRAMES)
        if home is None:
            raise TrackingError(
                f"{version.name} version {version.version} was registered without frames"
            )
        path = f"{home}/{name}"
        spark = SparkSession.active()
        if not _exists(spark, path):
            raise TrackingError(
                f"{version.name} version {version.version} has no frame {name!r} at {path}; "
                "if the artefacts were removed, delete the version and train again"
            )
        return spark.read.parquet(path)

    def close_abandoned(self, area: str) -> int:
        """Mark an area's runs that never ended as killed; returns how many.

        Only for one who knows that no other run is under way, such as the holder of the lake's
        lock.
        """
        from mlflow.entities import ViewType

        with self._explained():
            running = self.client.search_runs(
                [self._experiment(area)], "attributes.status = 'RUNNING'", ViewType.ACTIVE_ONLY
            )
            for run in running:
                self.client.set_terminated(run.info.run_id, "KILLED")
        return len(running)

    def prune(self, age: timedelta) -> int:
        """Put runs into MLflow's bin that began more than `age` before the newest; returns how many.

        A run that a version of a model came from stays, and what it is a part of. `mlflow gc` empties the bin.
        """
        from mlflow.entities import ViewType

        with self._explained():
            experiments = [e.experiment_id for e in _all_pages(self.client.search_experiments)]
            newest = self.client.search_runs(
                experiments, run_view_type=ViewType.ALL, max_results=1,
                order_by=["attributes.start_time DESC"],
            ) if experiments else []  # fmt: skip
            if not newest:
                return 0
            kept = {v.run_id for v in _all_pages(self.client.search_model_versions) if v.run_id}
            kept |= {
                parent
                for run in kept
                if (parent := self.client.get_run(run).data.tags.get(PARENT)) is not None
            }
            before = newest[0].info.start_time - int(age.total_seconds() * 1000)
            old = _all_pages(
                lambda page_token: self.client.search_runs(
                    experiments,
                    f"attributes.start_time < {before} AND attributes.status != 'RUNNING'",
                    ViewType.ACTIVE_ONLY,
                    page_token=page_token,
                )
            )
            gone = [run.info.run_id for run in old if run.info.run_id not in kept]
            for run_id in gone:
                self.client.delete_run(run_id)
        return len(gone)

    # Steps of a registration; Tracker.register strings them together

    def logged(self, area: str, model: Model, fingerprint: str) -> LoggedModel | None:
        """A complete logged model of this fingerprint, registered or not.

        What a killed run left half made is marked failed.
        """
        with self._explained():
            found = self.client.search_logged_models(
                [self._experiment(area)],
                f"name = '{model.name}' AND tags.{FINGERPRINT} = '{fingerprint}'",
            )
        for entry in found:
            if str(entry.status) == "PENDING":
                self.client.finalize_logged_model(entry.model_id, "FAILED")
        ready = [entry for entry in found if str(entry.status) == "READY"]
        return min(ready, key=lambda entry: entry.creation_timestamp, default=None)

    def create_version(self, model: Model, logged: LoggedModel) -> ModelVersion:
        """Register a logged model; its tags become the version's in the same transaction."""
        from mlflow.exceptions import MlflowException

        name = registered_name(model)
        with self._explained():
            try:
                self.client.create_registered_model(name, description=model.description)
            except MlflowException as exists:
                if exists.error_code != "RESOURCE_ALREADY_EXISTS":
                    raise
            made = self.client.create_model_version(
                name,
                logged.artifact_location,
                run_id=logged.source_run_id,
                tags=dict(logged.tags),
                model_id=logged.model_id,
            )
        return _version(made)

    def frames_home(self, logged: LoggedModel) -> str:
        """Where Spark writes a logged model's frames."""
        location: str = logged.artifact_location
        scheme = urlsplit(location).scheme
        if scheme in SPARK_SCHEMES:
            return _for_spark(f"{location}/frames")
        if self.artifact_root and urlsplit(self.artifact_root).scheme in SPARK_SCHEMES:
            return _for_spark(f"{self.artifact_root}/frames/{logged.model_id}")
        raise TrackingError(
            f"the MLflow server keeps artefacts at {scheme}:, which Spark cannot write; set "
            "[mlflow] artifact_root to storage that driver and executors share"
        )

    def _experiment(self, area: str) -> str:
        if area not in self._experiments:
            self._experiments[area] = self._find_or_create_experiment(area)
        return self._experiments[area]

    def _find_or_create_experiment(self, area: str) -> str:
        from mlflow.exceptions import MlflowException

        with self._explained():
            found = self.client.get_experiment_by_name(area)
            if found is None:
                location = f"{self.artifact_root}/{area}" if self.artifact_root else None
                try:
                    return str(self.client.create_experiment(area, artifact_location=location))
                except MlflowException as raced:
                    if raced.error_code != "RESOURCE_ALREADY_EXISTS":
                        raise
                    found = self.client.get_experiment_by_name(area)
            if found is None:
                raise TrackingError(f"MLflow says experiment {area!r} exists, but does not show it")
            # Someone put the experiment into MLflow's bin: its name is still taken, and its runs
            # still exist.
            if found.lifecycle_stage == "deleted":
                self.client.restore_experiment(found.experiment_id)
            return str(found.experiment_id)

    def _search(self, condition: str) -> list[ModelVersion]:
        with self._explained():
            found = _all_pages(
                lambda page_token: self.client.search_model_versions(
                    condition, page_token=page_token
                )
            )
        return [_version(entry) for entry in found]

    @contextmanager
    def _explained(self) -> Iterator[None]:
        from mlflow.exceptions import MlflowException

        where = f"MLflow at {_without_password(self.uri)}"
        if time.monotonic() < self._down_until:
            raise TrackingDown(
                f"{where} is away; check [mlflow] tracking_uri and that the server runs"
            )
        try:
            yield
        except MlflowException as error:
            kind = TrackingError if error.error_code in WRONG_REQUESTS else TrackingDown
            if kind is TrackingDown:
                self.stay_away()
            raise kind(
                f"{where} refused: {error.message or error}; "
                "check [mlflow] tracking_uri and that the server runs"
            ) from error


class Tracker:
    """The MLflow run of one job run. What is logged is sent by `flush` or `finish`.

    Once MLflow `is_away`, all that is logged is kept, and goes to the tracking's buffer at the end.
    """

    def __init__(
        self,
        tracking: Tracking,
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

    def log_params(self, params: Mapping[str, Any]) -> None:
        self._params |= _shortened(params)

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        # Milliseconds of logging are MLflow's own axis; no table ever reads them.
        now = _now()
        self._metrics += [(key, float(value), now, step or 0) for key, value in metrics.items()]

    def set_tags(self, tags: Mapping[str, Any]) -> None:
        self._tags |= _shortened(tags)

    def log_figure(self, figure: Figure, name: str) -> None:
        """Log a matplotlib figure; `name` ends in .png or .svg and may hold folders."""
        client, run_id = self.tracking, self.mlflow_run_id
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

    def log_card(self, html: str) -> dict[str, str]:
        """Log the page about a model that is to be registered; returns the tag that leads to it from the version."""
        self.log_text(html, MODEL_CARD)
        return {CARD: f"runs:/{self.mlflow_run_id}/{MODEL_CARD}"}

    def flush(self) -> None:
        """Send what is buffered: one call, or a few where MLflow's limits force it."""
        if self._sent(self._send_batches):
            self._params, self._tags, self._metrics = {}, {}, []

    def take_up(self, kept: Kept) -> None:
        """Log what was kept of a run, as far as it goes in batches."""
        self._params |= kept.params
        self._metrics += kept.metrics
        self._tags |= {
            key: value for key, value in kept.tags.items() if not key.startswith("mlflow.")
        }

    def _sent(self, send: Callable[[], object]) -> bool:
        """Whether it could be sent; if not, and there is a buffer, this run goes there from now on."""
        if self.is_away:
            return False
        try:
            with self.tracking._explained():
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
        self._kept.status, self._kept.ended_ms = status, _now()
        self._kept.params |= self._params
        self._kept.metrics += self._metrics
        self._kept.tags |= self._tags
        self.tracking.buffer.keep(self._kept)

    def child(self, name: str, tags: Mapping[str, str] | None = None) -> Tracker:
        """Open a run for a part of this one, below which MLflow shows it."""
        self._refuse_absence()
        with self.tracking._explained():
            run = self.tracking.client.create_run(
                self.tracking._experiment(self.area),
                run_name=name,
                tags={PARENT: self.mlflow_run_id} | _shortened(tags or {}),
            )
        return Tracker(self.tracking, run.info.run_id, self.area)

    def finished(self, tag: str, value: str) -> list[Mapping[str, str]]:
        """The tags of the area's finished runs that carry a tag of this value, oldest first."""
        self._refuse_absence()
        from mlflow.entities import ViewType

        with self.tracking._explained():
            experiment = self.tracking._experiment(self.area)
            found = _all_pages(
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
                f"MLflow at {_without_password(self.tracking.uri)} is away, and models and trials are kept nowhere "
                "else; run this job again when it is back"
            )

    def resume(self, model: Model, fingerprint: str) -> ModelVersion | None:
        """The version trained from these inputs, registering it if only that step is missing.

        None means that nothing usable was logged: train and `register`. Raises TrackingDown where MLflow is away.
        """
        self._refuse_absence()
        found = self.tracking.find(model, fingerprint)
        if found is None:
            logged = self.tracking.logged(self.area, model, fingerprint)
            if logged is None:
                return None
            found = self.tracking.create_version(model, logged)
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
        with `Tracking.read_frame`. `tags` become the version's, beside those every version has.
        """
        found = self.resume(model, fingerprint)
        if found is not None:
            return found
        own = {FINGERPRINT: fingerprint, TRAINED_THROUGH: trained_through.isoformat()}
        with self.tracking._explained():
            client = self.tracking.client
            logged = client.create_logged_model(
                self.tracking._experiment(self.area),
                name=model.name,
                source_run_id=self.mlflow_run_id,
                tags=_shortened(tags or {}) | own,
                params=_shortened(params or {}),
                model_type="pyfunc",
            )
        if frames:
            home = self.tracking.frames_home(logged)
            for name, frame in frames.items():
                frame.write.mode("overwrite").parquet(f"{home}/{name}")
            with self.tracking._explained():
                client.set_logged_model_tags(logged.model_id, {FRAMES: home})
        self._log_pyfunc(
            logged,
            python_model=python_model,
            artifacts=artifacts,
            signature=signature,
            input_example=input_example,
            pip_requirements=pip_requirements,
        )
        # READY is the mark that everything above is in place; until then a rerun starts afresh.
        with self.tracking._explained():
            logged = client.finalize_logged_model(logged.model_id, "READY")
        version = self.tracking.create_version(model, logged)
        self.registered.append(version)
        return version

    def _log_pyfunc(
        self,
        logged: LoggedModel,
        *,
        python_model: str | Path | Any,
        artifacts: Mapping[str, bytes] | None,
        signature: ModelSignature,
        input_example: pd.DataFrame,
        pip_requirements: list[str],
    ) -> None:
        import mlflow.pyfunc
        from mlflow.models import Model as ModelFile

        with tempfile.TemporaryDirectory(prefix="cinelake-model-") as scratch:
            home = Path(scratch) / "model"
            files = {name: Path(scratch) / name for name in artifacts or {}}
            for name, path in files.items():
                path.write_bytes((artifacts or {})[name])
            mlflow.pyfunc.save_model(
                str(home),
                python_model=str(on_disk(python_model, Path(scratch)))
                if isinstance(python_model, Path)
                else python_model,
                artifacts={name: str(path) for name, path in files.items()} or None,
                signature=signature,
                input_example=input_example,
                pip_requirements=pip_requirements,
                mlflow_model=ModelFile(run_id=self.mlflow_run_id, model_id=logged.model_id),
            )
            with self.tracking._explained():
                self.tracking.client.log_model_artifacts(logged.model_id, str(home))


def registered_name(model: Model) -> str:
    """`cinelake.<area>.<model>`: a registry is one flat list, often shared with others."""
    return f"cinelake.{model.area}.{model.name}"


def _version(entry: RegistryVersion) -> ModelVersion:
    tags = dict(entry.tags)
    through = tags.get(TRAINED_THROUGH)
    if through is None:
        raise TrackingError(
            f"{entry.name} version {entry.version} has no tag {TRAINED_THROUGH!r}, so no job registered "
            "it; add the tag (a date) or delete that version"
        )
    return ModelVersion(
        name=entry.name,
        version=int(entry.version),
        uri=f"models:/{entry.name}/{entry.version}",
        trained_through=date.fromisoformat(through),
        run_id=entry.run_id or "",
        tags=tags,
    )


def _all_pages(search: Callable[..., Any]) -> list[Any]:
    """What a search of MLflow finds, page by page."""
    found: list[Any] = []
    token: str | None = None
    while True:
        page = search(page_token=token)
        found += page
        token = page.token
        if not token:
            return found


def _now() -> int:
    """Milliseconds since 1970, which is how MLflow tells time."""
    return int(time.time() * 1000)


def _age(version: ModelVersion) -> tuple[date, int]:
    return version.trained_through, version.version


def _shortened(values: Mapping[str, Any]) -> dict[str, str]:
    """As text, cut where MLflow's column ends: one long value must not lose a whole batch."""
    return {key: str(value)[:LONGEST_VALUE] for key, value in values.items()}


def _without_password(uri: str) -> str:
    parts = urlsplit(uri)
    return (
        parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
        if "@" in parts.netloc
        else uri
    )


def _for_spark(location: str) -> str:
    return location.replace("s3://", "s3a://", 1) if location.startswith("s3://") else location


def _exists(spark: SparkSession, path: str) -> bool:
    jvm = spark._jvm
    if jvm is None:
        raise TrackingError("the Spark session has no JVM; frames need a classic session")
    target = jvm.org.apache.hadoop.fs.Path(path)
    file_system = target.getFileSystem(spark.sparkContext._jsc.hadoopConfiguration())
    return bool(file_system.exists(target))


def _quieten() -> None:
    """No telemetry, and warnings only: MLflow and Alembic announce each of some 50 migrations."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
    # Its own patience with a server that is not there is minutes for each of a run's calls.
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "30")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    import mlflow

    assert (
        mlflow.__name__
    )  # imported for its logging set-up, which would undo the next lines if it came later
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)


def _create_sqlite_store(path: Path, artifact_root: str | None) -> None:
    """Make MLflow's tables once, whole or not at all.

    The migrations are not transactional: a process killed among them leaves a file that MLflow can
    never open again. So they run on a file beside, which is renamed when complete, under a lock for
    two at once.
    """
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with (path.parent / f".{path.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if path.exists():
            return
        from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

        draft = path.with_name(f".{path.name}.new")
        draft.unlink(missing_ok=True)
        store = SqlAlchemyStore(  # type: ignore[no-untyped-call]
            f"sqlite:///{draft}", artifact_root or str(path.parent / "artifacts")
        )
        store._dispose_engine()  # type: ignore[no-untyped-call]
        draft.replace(path)
