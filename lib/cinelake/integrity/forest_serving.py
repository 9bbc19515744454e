"""A registered isolation forest as others load it: features of parties in, `oddness` out.

MLflow keeps a copy of this file as the model's code, so it imports nothing of this package.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd

FILE = "forest.json"


class Oddness(mlflow.pyfunc.PythonModel):  # type: ignore[misc, name-defined]
    """Rows of features → `oddness`, 0 to 1."""

    def load_context(self, context: Any) -> None:
        told = json.loads(Path(context.artifacts[FILE]).read_text())
        self.names, self.usual, self.trees = told["names"], told["usual"], len(told["root"])
        self.nodes = {
            name: np.array(told[name])
            for name in ("feature", "threshold", "left", "right", "length")
        }
        self.root = told["root"]

    def predict(
        self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        del context, params
        rows, nodes = model_input[self.names].to_numpy(float), self.nodes
        total = np.zeros(len(rows))
        for root in self.root:
            at = np.full(len(rows), root)
            while (inner := nodes["feature"][at] >= 0).any():
                here = at[inner]
                left = rows[inner, nodes["feature"][here]] <= nodes["threshold"][here]
                at[inner] = np.where(left, nodes["left"][here], nodes["right"][here])
            total += nodes["length"][at]
        return pd.DataFrame({"oddness": 2.0 ** (-total / self.trees / self.usual)})


mlflow.models.set_model(Oddness())
