"""Everything a command may need, started only when it is asked for."""

from __future__ import annotations

import getpass
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from pyspark.sql import SparkSession

from cinelake.runtime.code_version import code_version
from cinelake.runtime.delta.commits import Note
from cinelake.runtime.delta.lake import Lake
from cinelake.runtime.delta.lock import lake_lock
from cinelake.runtime.given import JobError, JobParams
from cinelake.runtime.intake.inlets import Inlets
from cinelake.runtime.job import AnyJob, Job, Maintenance
from cinelake.runtime.keys import Keyring, keyring
from cinelake.runtime.runs.context import Context, new_run_id
from cinelake.runtime.runs.graph import Graph, discover
from cinelake.runtime.runs.ledger import Ledger
from cinelake.runtime.runs.pipeline import Pipeline
from cinelake.runtime.settings import Settings, local_path
from cinelake.runtime.shared import MisplacedSetting, require_known
from cinelake.runtime.spark.preflight import (
    require_catalog,
    require_conditions,
    require_executors,
    require_write_access,
)
from cinelake.runtime.spark.session import IN_ONE_PROCESS, spark_session
from cinelake.runtime.tracking.buffer import Buffer
from cinelake.runtime.tracking.runs import Tracking
from cinelake.spelling import hint
from cinelake.tables.contract import Layer, Table
from cinelake.tables.system import PSEUDONYM_REQUESTS


class Workspace:
    """Settings and, on demand, the session, the lake, the jobs and MLflow."""

    def __init__(
        self, settings: Settings, spark: SparkSession | None = None, jobs: Path | None = None
    ) -> None:
        self.settings = settings
        self._given_spark = spark
        self._jobs = jobs

    @cached_property
    def spark(self) -> SparkSession:
        return self._given_spark or spark_session(self.settings)

    @cached_property
    def lake(self) -> Lake:
        lake = self.settings.lake
        if lake.catalog is not None:
            require_catalog(self.spark, lake.catalog)
        return Lake(self.spark, lake.root, lake.catalog, self.settings.landing, lake.lock_wait)

    @cached_property
    def ledger(self) -> Ledger:
        return Ledger(self.lake)

    @cached_property
    def tracking(self) -> Tracking:
        token = self.settings.secrets.mlflow_token
        if token is not None:
            # MLflow's client takes it from nowhere else.
            os.environ["MLFLOW_TRACKING_TOKEN"] = token.get_secret_value()
        # Beside a local lake only its lock's holder runs jobs.
        sole = self.settings.lake_is_local and self.settings.mlflow.tracking_uri is None
        return Tracking(self.settings.tracking_uri, self.settings.artifact_root, sole=sole)

    @cached_property
    def waiting(self) -> Buffer:
        """What was logged while MLflow was away, and waits to be delivered."""
        return Buffer(self.lake.storage, f"{self.lake.root}/tracking")

    @cached_property
    def keyring(self) -> Keyring:
        """The keys for pseudonyms; raises ConfigError where there is no secret."""
        return keyring(self.settings, self.lake.storage)

    def pseudonyms(
        self, kind: str, ids: Sequence[str], length: int, command: str
    ) -> dict[str, str]:
        """Id → its pseudonym, of `length` hex digits; who asked for it is written down before it is told."""
        found = {text: self.keyring.hmac(kind, text)[:length] for text in ids}
        by, now = getpass.getuser(), datetime.now(UTC)
        rows = [(now, by, command, str(kind), pseudonym) for pseudonym in found.values()]
        frame = self.spark.createDataFrame(rows, PSEUDONYM_REQUESTS.schema)
        note = Note(run=new_run_id(), job=command, code=code_version(), action="record")
        with self.writing():
            self.lake.append(PSEUDONYM_REQUESTS, frame, note)
        return found

    @cached_property
    def graph(self) -> Graph:
        """The graph of the jobs beside `conf/`; needs no session."""
        return Graph(tuple(discover(self.jobs_folder)))

    @property
    def jobs_folder(self) -> Path:
        if self._jobs is not None:
            return self._jobs
        conf = self.settings.conf_dir
        return (conf.parent if conf else Path.cwd()) / "jobs"

    def parameters(self) -> dict[str, JobParams]:
        """The parameters of every job that has some.

        Raises JobError for a setting that its job does not have, and for those of a job that is not there.
        """
        taking = {j.name: j for j in self.graph.jobs if isinstance(j, Job | Maintenance)}
        for name in self.settings.jobs:
            if name not in taking:
                raise JobError(f"[jobs.{name}]: there is no such job; {hint(name, taking)}")
        try:
            require_known(self.settings.shared, [job.params for job in taking.values()])
        except MisplacedSetting as misplaced:
            raise JobError(str(misplaced)) from None
        return {
            name: job.configured(self.settings.jobs, self.settings.shared)
            for name, job in taking.items()
        }

    def context(self) -> Context:
        """The lake with its ledger as it stands now."""
        configured, shared = self.settings.jobs, self.settings.shared
        self.tracking.buffer = self.waiting
        return Context(
            self.lake,
            self.ledger,
            self.ledger.books(),
            self.tracking,
            lambda job: job.configured(configured, shared),
            lambda: self.keyring,
        )

    def pipeline(self, graph: Graph | None = None) -> Pipeline:
        """The pipeline of `graph`, or of all jobs."""
        # Now, rather than at a job's turn, which may be hours from here.
        self.parameters()
        inlets = Inlets(self.lake, self.settings.ingest, self.settings.secrets.kafka_password)
        driven = self.settings.pipeline
        return Pipeline(
            graph or self.graph, self.context(), inlets, driven.concurrent_jobs, driven.freshness
        )

    def require_secret(self, jobs: Iterable[AnyJob]) -> None:
        """Raises ConfigError where jobs are to make pseudonyms and there is no secret to make them under.

        To be asked before the first of them: what they read may take hours to come in. Pseudonyms are made of what
        bronze holds of people.
        """
        read = (each.source for job in jobs if isinstance(job, Job) for each in job.reads)
        if any(isinstance(t, Table) and t.layer is Layer.BRONZE and t.personal for t in read):
            _ = self.keyring

    def stop(self) -> None:
        """End the session, if one was started: executors left alone try to come back."""
        if "spark" in self.__dict__:
            self.spark.stop()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the lake's lock, where the lake needs one, once it is known that all may write.

        Raises LakeBusy, LakeError and SessionError.
        """
        if not self.settings.lake_is_local:
            require_write_access(self.lake.storage, self.settings.lake.root)
            require_conditions(self.lake.storage, self.settings.lake.root)
            self._require_executors()
            yield
            return
        with lake_lock(local_path(self.settings.lake.root), self.settings.lake.lock_wait):
            self._require_executors()
            yield

    def _require_executors(self) -> None:
        if not IN_ONE_PROCESS.fullmatch(self.spark.sparkContext.master or ""):
            wait = self.settings.spark.executor_wait
            require_executors(self.spark, self.settings.lake.root, wait)
