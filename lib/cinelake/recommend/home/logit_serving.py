"""A registered logistic regression as others load it: features in, chances out.

A column `terms`, where there is one, holds arrays of strings; all others are numbers by the names of features. A
feature that the regression does not know is an error, a term counts nothing.

MLflow keeps a copy of this file as the model's code, so it imports nothing of this package.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd

FILE, TERMS = "weights.json", "terms"


class Chances(mlflow.pyfunc.PythonModel):  # type: ignore[misc, name-defined]
    """Rows of features → `chance`, 0 to 1."""

    def load_context(self, context: Any) -> None:
        told = json.loads(Path(context.artifacts[FILE]).read_text())
        self.intercept, self.weights = told["intercept"], told["weights"]

    def predict(
        self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        del context, params
        odds = np.full(len(model_input), self.intercept, float)
        for name in model_input.columns:
            if name == TERMS:
                odds += [
                    sum(self.weights.get(t, 0.0) for t in terms) for terms in model_input[name]
                ]
            elif name in self.weights:
                odds += self.weights[name] * model_input[name].to_numpy(float)
            else:
                raise ValueError(f"no feature {name!r}; the model knows {', '.join(self.weights)}")
        return pd.DataFrame({"chance": 1 / (1 + np.exp(-odds))})


mlflow.models.set_model(Chances())
