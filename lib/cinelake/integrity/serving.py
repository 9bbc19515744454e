"""A registered scorecard as others load it: features of parties in, chances by kind out.

MLflow keeps a copy of this file as the model's code, so it imports nothing of this package.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd

FILE = "weights.json"


class Chances(mlflow.pyfunc.PythonModel):  # type: ignore[misc, name-defined]
    """Rows of features → a column of chances for each kind, 0 to 1; what is left is honest."""

    def load_context(self, context: Any) -> None:
        self.weights = json.loads(Path(context.artifacts[FILE]).read_text())["weights"]

    def predict(
        self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        del context, params
        raised = {}
        for kind, own in sorted(self.weights.items()):
            odds = np.full(len(model_input), own[""], float)
            for name, weight in own.items():
                if name:
                    odds += weight * model_input[name].to_numpy(float)
            raised[kind] = np.exp(np.clip(odds, -40, 40))
        total = 1 + sum(raised.values())
        return pd.DataFrame({kind: each / total for kind, each in raised.items()})


mlflow.models.set_model(Chances())
