"""What is registered with a logistic regression, so that others can load and serve it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, DataType, Schema, TensorSpec
from mlflow.types.schema import Array
from pyspark.sql import SparkSession

from cinelake.recommend.home import logit_serving
from cinelake.recommend.home.logit import Logit


def registrable(
    logit: Logit, numbers: Sequence[str], spark: SparkSession, terms: Sequence[str] | None = None
) -> Mapping[str, Any]:
    """Arguments of `Tracker.register`; `terms`, where it knows any, are an example of a row's."""
    columns: list[ColSpec | TensorSpec] = [ColSpec(DataType.double, name) for name in numbers]
    example: dict[str, list[Any]] = {name: [0.0] for name in numbers}
    if terms is not None:
        columns.append(ColSpec(Array(DataType.string), logit_serving.TERMS, required=False))
        example[logit_serving.TERMS] = [list(terms)]
    told = {"intercept": logit.intercept, "weights": dict(logit.weights)}
    return {
        "python_model": Path(logit_serving.__file__),
        "artifacts": {logit_serving.FILE: json.dumps(told).encode()},
        "frames": {"weights": logit.frame(spark)},
        "input_example": pd.DataFrame(example),
        "signature": ModelSignature(
            inputs=Schema(columns), outputs=Schema([ColSpec(DataType.double, "chance")])
        ),
        "pip_requirements": [f"{name}=={version(name)}" for name in ("mlflow", "numpy", "pandas")],
    }
