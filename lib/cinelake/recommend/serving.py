"""The registered ALS model as others load it: titles for a history, whether its profile is known or
not.

The history is folded in: with the factors `Y` of the titles fixed, the profile's factors are one
ridge regression, `(YᵀY + α Σ y yᵀ + λ·n·I) x = (1 + α) Σ y` over the `n` titles of the history,
which is the step that MLlib takes for every profile. Nobody's history is in the artefact, only the
titles' factors and how many liked each; a history of unknown titles gets the most liked ones.

MLflow keeps a copy of this file as the model's code, so it imports nothing of this package.
"""

from __future__ import annotations

import io
from typing import Any

import mlflow
import numpy as np
import numpy.typing as npt
import pandas as pd

FILE = "titles.npz"
Vector = npt.NDArray[Any]


def pack(ids: Vector, factors: Vector, likes: Vector, *, alpha: float, reg_param: float) -> bytes:
    """The content of the artefact `titles.npz`."""
    content = io.BytesIO()
    np.savez(
        content,
        ids=np.asarray(ids, dtype=np.str_),
        factors=np.asarray(factors, dtype=np.float32),
        likes=np.asarray(likes, dtype=np.float64),
        weights=np.array([alpha, reg_param]),
    )
    return content.getvalue()


class FoldIn:
    """The best titles for any history."""

    def __init__(self, content: Any) -> None:
        with np.load(content, allow_pickle=False) as packed:
            self.ids: Vector = packed["ids"]
            self.factors = packed["factors"].astype(np.float64)
            self.likes: Vector = packed["likes"]
            self.alpha, self.reg_param = packed["weights"]
        self.position = {title: at for at, title in enumerate(self.ids.tolist())}
        self.gram = self.factors.T @ self.factors

    def factors_of(self, history: list[str]) -> Vector | None:
        """The factors of a profile that liked these titles; None where none of them is known."""
        known = sorted({self.position[title] for title in history if title in self.position})
        if not known:
            return None
        liked = self.factors[known]
        ridge = self.reg_param * len(known) * np.eye(self.factors.shape[1])
        solution: Vector = np.linalg.solve(
            self.gram + self.alpha * liked.T @ liked + ridge, (1 + self.alpha) * liked.sum(axis=0)
        )
        return solution

    def top(self, history: list[str], k: int) -> tuple[list[str], list[float]]:
        """The k best titles outside the history, with their scores; ties in the order of their ids."""
        factors = self.factors_of(history)
        scores = self.likes.copy() if factors is None else self.factors @ factors
        scores[[self.position[title] for title in history if title in self.position]] = -np.inf
        best = np.lexsort((self.ids, -scores))[:k]
        best = best[np.isfinite(scores[best])]
        return self.ids[best].tolist(), scores[best].tolist()


class TitlesForHistory(mlflow.pyfunc.PythonModel):  # type: ignore[misc, name-defined]
    """`history` (title ids) in each row → `titles` and `scores`; `params={"k": 10}`."""

    def load_context(self, context: Any) -> None:
        self.model = FoldIn(context.artifacts[FILE])

    def predict(
        self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        del context
        k = int((params or {}).get("k", 10))
        lists = [self.model.top(list(history), k) for history in model_input["history"]]
        return pd.DataFrame(lists, columns=["titles", "scores"])


mlflow.models.set_model(TitlesForHistory())
