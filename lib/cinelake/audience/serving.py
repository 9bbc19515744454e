"""A registered clustering as others load it: vectors in, shares in clusters out.

A row is a `population`, adult or kid, and a `vector`, whose numbers `names.json` names in their order. What comes out
is `cluster`, the number of the cluster with the greatest share, and `shares`, of all clusters by number.

MLflow keeps a copy of this file as the model's code, so it imports nothing of this package.
"""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd

FILE, NAMES = "clusters.npz", "names.json"


class Clusters(mlflow.pyfunc.PythonModel):  # type: ignore[misc, name-defined]
    """Rows of `population, vector` → `cluster`, `shares`."""

    def load_context(self, context: Any) -> None:
        held = np.load(io.BytesIO(Path(context.artifacts[FILE]).read_bytes()))
        self.names = json.loads(Path(context.artifacts[NAMES]).read_text())
        self.numbers: dict[str, dict[str, Any]] = {}
        for key in held.files:
            population, _, name = key.partition(".")
            self.numbers.setdefault(population, {})[name] = held[key]

    def predict(
        self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        del context, params
        found: list[Any] = [None] * len(model_input)
        populations = model_input["population"].to_numpy()
        for population in sorted(set(populations)):
            if population not in self.numbers:
                raise ValueError(
                    f"no population {population!r}; the model knows {', '.join(sorted(self.numbers))}"
                )
            places = np.flatnonzero(populations == population)
            given = [np.asarray(v, float) for v in model_input["vector"].iloc[places]]
            wanted = len(self.names[population])
            odd = next((v for v in given if len(v) != wanted or not np.isfinite(v).all()), None)
            if odd is not None:
                raise ValueError(
                    f"a vector of {population} has {wanted} finite numbers, not {len(odd)} or NaN among them; "
                    f"{NAMES} names them"
                )
            for place, shares in zip(
                places, self._shares(population, np.array(given)), strict=True
            ):
                found[place] = shares
        return pd.DataFrame({"cluster": [int(np.argmax(s)) for s in found], "shares": found})

    def _shares(self, population: str, vectors: Any) -> list[list[float]]:
        own = self.numbers[population]
        short = ((vectors - own["mean"]) * own["scale"]) @ own["ways"]
        length = np.linalg.norm(short, axis=1, keepdims=True)
        short = short / np.where(length > 1e-12, length, 1.0)
        white = own["whitening"]
        logs = np.empty((len(short), len(own["centres"])))
        for cluster, centre in enumerate(own["centres"]):
            if white.shape[1:] == (1, 1):
                inverse = white[cluster, 0, 0]
                away, volume = (short - centre) * inverse, short.shape[1] * np.log(inverse)
            else:
                away, volume = (
                    (short - centre) @ white[cluster],
                    np.linalg.slogdet(white[cluster])[1],
                )
            logs[:, cluster] = (
                np.log(own["weights"][cluster]) - 0.5 * (away**2).sum(axis=1) + volume
            )
        shares = np.exp(logs - logs.max(axis=1, keepdims=True))
        return (shares / shares.sum(axis=1, keepdims=True)).tolist()  # type: ignore[no-any-return]


mlflow.models.set_model(Clusters())
