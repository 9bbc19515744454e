"""The steps of a registration; `Tracker.register` strings them together, and a rerun takes those that are missing."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cinelake.runtime.spark.machine import on_disk
from cinelake.runtime.tracking.store import Store
from cinelake.runtime.tracking.versions import (
    FINGERPRINT,
    ModelVersion,
    from_registry,
    registered_name,
)
from cinelake.tables.contract import Model

if TYPE_CHECKING:
    import pandas as pd
    from mlflow.entities import LoggedModel
    from mlflow.models import ModelSignature


def logged(store: Store, area: str, model: Model, fingerprint: str) -> LoggedModel | None:
    """A complete logged model of this fingerprint, registered or not.

    What a killed run left half made is marked failed.
    """
    with store.explained():
        found = store.client.search_logged_models(
            [store.experiment(area)],
            f"name = '{model.name}' AND tags.{FINGERPRINT} = '{fingerprint}'",
        )
    for entry in found:
        if str(entry.status) == "PENDING":
            store.client.finalize_logged_model(entry.model_id, "FAILED")
    ready = [entry for entry in found if str(entry.status) == "READY"]
    return min(ready, key=lambda entry: entry.creation_timestamp, default=None)


def log_pyfunc(
    store: Store,
    logged: LoggedModel,
    *,
    run_id: str,
    python_model: str | Path | Any,
    artifacts: Mapping[str, bytes] | None,
    signature: ModelSignature,
    input_example: pd.DataFrame,
    pip_requirements: list[str],
) -> None:
    """Put a pyfunc among the artefacts of a logged model; arguments as of `Tracker.register`."""
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
            mlflow_model=ModelFile(run_id=run_id, model_id=logged.model_id),
        )
        with store.explained():
            store.client.log_model_artifacts(logged.model_id, str(home))


def create_version(store: Store, model: Model, logged: LoggedModel) -> ModelVersion:
    """Register a logged model; its tags become the version's in the same transaction."""
    from mlflow.exceptions import MlflowException

    name = registered_name(model)
    with store.explained():
        try:
            store.client.create_registered_model(name, description=model.description)
        except MlflowException as exists:
            if exists.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        made = store.client.create_model_version(
            name,
            logged.artifact_location,
            run_id=logged.source_run_id,
            tags=dict(logged.tags),
            model_id=logged.model_id,
        )
    return from_registry(made)
