"""The registered prediction of stalls as others load it: features of a moment in, `chance` out.

MLflow keeps a copy of this file as the model's code, so it imports nothing of this package.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd

FILE = "trees.json"


class Stalls(mlflow.pyfunc.PythonModel):  # type: ignore[misc, name-defined]
    """Rows of features → `chance` of a stall in the next minute, 0 to 1."""

    def load_context(self, context: Any) -> None:
        self.told = json.loads(Path(context.artifacts[FILE]).read_text())
        self.nodes = {
            name: np.array(self.told[name])
            for name in ("feature", "threshold", "left", "right", "value")
        }

    def predict(
        self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        del context, params
        rows, nodes = model_input[self.told["names"]].to_numpy(float), self.nodes
        margin = np.zeros(len(rows))
        for root in self.told["root"]:
            at = np.full(len(rows), root)
            while (inner := nodes["feature"][at] >= 0).any():
                here = at[inner]
                left = rows[inner, nodes["feature"][here]] <= nodes["threshold"][here]
                at[inner] = np.where(left, nodes["left"][here], nodes["right"][here])
            margin += nodes["value"][at]
        odds = self.told["intercept"] + self.told["slope"] * margin
        return pd.DataFrame({"chance": 1 / (1 + np.exp(-odds))})


mlflow.models.set_model(Stalls())
