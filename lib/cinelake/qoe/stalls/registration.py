"""What is registered of the prediction of stalls, so that others can load and serve it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, DataType, Schema
from pyspark.sql import SparkSession

from cinelake.qoe.stalls import serving
from cinelake.qoe.stalls.moments import FEATURES
from cinelake.qoe.stalls.trees import Boosted

# Tags of a version: from which chance on a session is at risk.
THRESHOLD = "threshold"
NODES = "nodes"


def registrable(trees: Boosted, spark: SparkSession) -> Mapping[str, Any]:
    """Arguments of `Tracker.register`."""
    return {
        "python_model": Path(serving.__file__),
        "artifacts": {serving.FILE: json.dumps(trees.told()).encode()},
        "frames": {NODES: trees.frame(spark)},
        "input_example": pd.DataFrame({name: [0.0] for name in FEATURES}),
        "signature": ModelSignature(
            inputs=Schema([ColSpec(DataType.double, name) for name in FEATURES]),
            outputs=Schema([ColSpec(DataType.double, "chance")]),
        ),
        "pip_requirements": [f"{name}=={version(name)}" for name in ("mlflow", "numpy", "pandas")],
    }
