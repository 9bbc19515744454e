"""What is registered with a clustering, so that others can load and serve it."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, DataType, Schema
from mlflow.types.schema import Array
from pyspark.sql import SparkSession

from cinelake.audience import serving
from cinelake.audience.clustering import Population, frames
from cinelake.audience.factors import Behind

SIGNATURE = ModelSignature(
    inputs=Schema([ColSpec(DataType.string, "population"), ColSpec(Array(DataType.double), "vector")]),
    outputs=Schema([ColSpec(DataType.long, "cluster"), ColSpec(Array(DataType.double), "shares")]),
)  # fmt: skip


def registrable(
    populations: Mapping[str, Population], model: Behind | None, spark: SparkSession
) -> dict[str, Any]:
    """Arguments of `Tracker.register`."""
    packed = io.BytesIO()
    arrays: dict[str, Any] = {
        f"{name}.{what}": array
        for name, own in populations.items()
        for what, array in own.numbers.items()
    }
    np.savez(packed, **arrays)
    names = {name: own.known.names for name, own in populations.items()}
    held = frames(populations, spark)
    if model is not None:
        held |= model.frames
    first = next(iter(populations))
    return {
        "python_model": Path(serving.__file__),
        "artifacts": {
            serving.FILE: packed.getvalue(),
            serving.NAMES: json.dumps(names).encode(),
        },
        "frames": held,
        "input_example": pd.DataFrame(
            {"population": [first], "vector": [[0.0] * len(names[first])]}
        ),
        "signature": SIGNATURE,
        "pip_requirements": [f"{name}=={version(name)}" for name in ("mlflow", "numpy", "pandas")],
    }
