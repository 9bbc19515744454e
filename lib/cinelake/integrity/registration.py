"""What is registered of the models of account integrity, so that others can load and serve them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, DataType, Schema
from pyspark.sql import SparkSession

from cinelake.integrity import forest_serving, serving
from cinelake.integrity.outliers import Forest, usual_length
from cinelake.integrity.scorecard import Scorecard


def registrable_card(card: Scorecard, spark: SparkSession) -> Mapping[str, Any]:
    """Arguments of `Tracker.register`."""
    return _registrable(
        serving.__file__,
        {serving.FILE: card.json().encode()},
        sorted(card.typical),
        sorted(card.weights),
        {"weights": card.frame(spark)},
    )


def registrable_forest(forest: Forest, spark: SparkSession) -> Mapping[str, Any]:
    """Arguments of `Tracker.register`."""
    told = {
        "names": list(forest.names),
        "usual": usual_length(forest.sample),
        "root": forest.root.tolist(),
        "feature": forest.feature.tolist(),
        "threshold": forest.threshold.tolist(),
        "left": forest.left.tolist(),
        "right": forest.right.tolist(),
        "length": forest.length.tolist(),
    }
    return _registrable(
        forest_serving.__file__,
        {forest_serving.FILE: json.dumps(told).encode()},
        forest.names,
        ["oddness"],
        {"nodes": forest.frame(spark)},
    )


def _registrable(
    code: str,
    artifacts: Mapping[str, bytes],
    inputs: Sequence[str],
    outputs: Sequence[str],
    frames: Mapping[str, Any],
) -> Mapping[str, Any]:
    def columns(names: Sequence[str]) -> Schema:
        return Schema([ColSpec(DataType.double, name) for name in names])

    return {
        "python_model": Path(code),
        "artifacts": artifacts,
        "frames": frames,
        "input_example": pd.DataFrame({name: [0.0] for name in inputs}),
        "signature": ModelSignature(inputs=columns(inputs), outputs=columns(outputs)),
        "pip_requirements": [f"{name}=={version(name)}" for name in ("mlflow", "numpy", "pandas")],
    }
