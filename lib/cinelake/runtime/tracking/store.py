"""MLflow as one lake's store: reaching it, its experiments, and what is said when it refuses or is away."""

from __future__ import annotations

import fcntl
import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from cinelake.runtime.settings import without_password
from cinelake.runtime.tracking.buffer import Buffer

if TYPE_CHECKING:
    from mlflow import MlflowClient

# As long as MLflow's columns are; beyond it a whole batch is refused.
LONGEST_VALUE = 5000

# What MLflow says to a request that is wrong, and would be wrong later.
WRONG_REQUESTS = frozenset(
    {"INVALID_PARAMETER_VALUE", "BAD_REQUEST", "RESOURCE_DOES_NOT_EXIST", "RESOURCE_ALREADY_EXISTS"}
)
# What Hadoop calls its file systems, and MLflow has no client for: Spark's frames go there, and all else to the server.
HADOOP_ALONE = frozenset({"s3a", "abfs"})
# How long nobody knocks again at a door that nobody answered: each knock takes seconds.
DOWN_SECONDS = 60.0


# MLflow shows an experiment as one of agents and prompts unless it is told otherwise.
TRAINING = {"mlflow.experimentKind": "custom_model_development"}


class TrackingError(RuntimeError):
    """MLflow cannot do what was asked; the message says which setting or name to look at."""


class TrackingDown(TrackingError):
    """MLflow cannot be reached, or cannot keep anything; the same may well work later."""


class Store:
    """A tracking store. Making one costs nothing; MLflow is imported, and its store made, at first
    use.
    """

    def __init__(self, uri: str, artifact_root: str | None = None) -> None:
        self.uri = uri
        self.artifact_root = artifact_root
        self._experiments: dict[str, str] = {}
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
        yet. Raises TrackingDown where there is no room for it, or no right to make it.
        """
        _quieten()
        from mlflow import MlflowClient
        from sqlalchemy.exc import OperationalError

        if self.uri.startswith("sqlite:///"):
            path = Path(self.uri.removeprefix("sqlite:///"))
            try:
                _create_sqlite_store(path, self.artifact_root)
            except (OperationalError, OSError) as error:
                self.stay_away()
                why = error.orig if isinstance(error, OperationalError) else error
                raise TrackingDown(
                    f"{self.place} cannot be made: {why}; make room in {path.parent}, or let it be written to"
                ) from error

        return MlflowClient(self.uri, self.uri)

    @property
    def place(self) -> str:
        """Which MLflow, for messages."""
        return f"MLflow at {without_password(self.uri)}"

    def stay_away(self) -> None:
        """Nobody answered: for a while, nobody is asked."""
        self._down_until = time.monotonic() + DOWN_SECONDS

    def warning(self) -> str | None:
        """What to say, once, of runs that wait; None when it was said."""
        if self._has_warned:
            return None
        self._has_warned = True
        return (
            f"{self.place} is away: tables are made, and what jobs log waits in the lake; "
            "`cinelake mlflow flush` delivers it when MLflow is back"
        )

    def experiment(self, area: str) -> str:
        """The id of an area's experiment, which is made, or taken out of MLflow's bin, if need be."""
        if area not in self._experiments:
            self._experiments[area] = self._find_or_create_experiment(area)
        return self._experiments[area]

    def _location(self, area: str) -> str | None:
        """Where the artefacts of an area go; None leaves that to the server."""
        if self.artifact_root is None:
            return None
        scheme = urlsplit(self.artifact_root).scheme
        if scheme not in HADOOP_ALONE:
            return f"{self.artifact_root}/{area}"
        if self.uri.startswith(("http://", "https://")):
            return None
        raise TrackingError(
            f"MLflow itself puts nothing at {scheme}: ([mlflow] artifact_root), and {without_password(self.uri)} is no "
            "server that takes artefacts; set [mlflow] tracking_uri to one, or artifact_root to another place"
        )

    def _find_or_create_experiment(self, area: str) -> str:
        from mlflow.exceptions import MlflowException

        with self.explained():
            found = self.client.get_experiment_by_name(area)
            if found is None:
                try:
                    return str(
                        self.client.create_experiment(
                            area, artifact_location=self._location(area), tags=TRAINING
                        )
                    )
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
            for name in TRAINING.keys() - found.tags.keys():
                self.client.set_experiment_tag(found.experiment_id, name, TRAINING[name])
            return str(found.experiment_id)

    @contextmanager
    def explained(self) -> Iterator[None]:
        """What MLflow refuses inside becomes a TrackingError, or TrackingDown where it may work later."""
        from mlflow.exceptions import MlflowException

        if time.monotonic() < self._down_until:
            raise TrackingDown(
                f"{self.place} is away; check [mlflow] tracking_uri and that the server runs"
            )
        try:
            yield
        except MlflowException as error:
            kind = TrackingError if error.error_code in WRONG_REQUESTS else TrackingDown
            if kind is TrackingDown:
                self.stay_away()
            raise kind(
                f"{self.place} refused: {error.message or error}; "
                "check [mlflow] tracking_uri and that the server runs"
            ) from error


def all_pages(search: Callable[..., Any]) -> list[Any]:
    """What a search of MLflow finds, page by page."""
    found: list[Any] = []
    token: str | None = None
    while True:
        page = search(page_token=token)
        found += page
        token = page.token
        if not token:
            return found


def shortened(values: Mapping[str, Any]) -> dict[str, str]:
    """As text, cut where MLflow's column ends: one long value must not lose a whole batch."""
    return {key: str(value)[:LONGEST_VALUE] for key, value in values.items()}


def now_ms() -> int:
    """Milliseconds since 1970, which is how MLflow tells time."""
    return int(time.time() * 1000)


def _quieten() -> None:
    """No telemetry, and warnings only: MLflow and Alembic announce each of some 50 migrations."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
    # Its own patience with a server that is not there is minutes for each of a run's calls.
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "30")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    # Where a server shows each run: commands print their JSON there, and nothing else.
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
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
