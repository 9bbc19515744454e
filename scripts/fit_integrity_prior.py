"""Fit the weights that account integrity is shipped with (`lib/cinelake/integrity/prior.json`) to simulated services.

    python scripts/fit_integrity_prior.py examples.parquet lib/cinelake/integrity/prior.json

Examples have `card, label, features`: suspects of simulated services beside what the simulator knows of them, as
`tests/benchmarks/bench_integrity.py` writes them when CINELAKE_BENCH_EXAMPLES names a file. Seeds whose
figures are published must not be among them. Rows of one suspect on several days count as one.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression

# The ridge, by 5-fold trials: weaker ones fit single accounts.
STRENGTH = 0.3
HONEST = "honest"


def card_of(rows: pd.DataFrame) -> dict[str, dict[str, object]]:
    """Weights, typical values and spreads of one card."""
    names = [each["name"] for each in rows.features.iloc[0]]
    values = np.array([[each["value"] for each in row] for row in rows.features], dtype=float)
    honest = (rows.label == HONEST).to_numpy()
    mean, spread = values.mean(axis=0), np.maximum(values.std(axis=0), 1e-3)
    weight = 1 / rows.groupby(["account_id", "subject"]).label.transform("size").to_numpy()
    kinds = sorted(set(rows.label) - {HONEST})
    target = rows.label.map({HONEST: 0} | {kind: n + 1 for n, kind in enumerate(kinds)})
    model = LogisticRegression(C=STRENGTH, max_iter=5000)
    model.fit((values - mean) / spread, target, sample_weight=weight)
    if len(kinds) == 1:
        coefficients = np.vstack([np.zeros(len(names)), model.coef_[0]])
        intercepts = np.array([0.0, model.intercept_[0]])
    else:
        coefficients, intercepts = model.coef_, model.intercept_
    weights = {}
    for n, kind in enumerate(kinds):
        # Against honest, and in the features' own units.
        own = (coefficients[n + 1] - coefficients[0]) / spread
        base = float(intercepts[n + 1] - intercepts[0] - own @ mean)
        weights[kind] = {"": round(base, 5)} | dict(zip(names, own.round(5).tolist(), strict=True))
    typical = dict(zip(names, values[honest].mean(axis=0).round(4).tolist(), strict=True))
    spreads = dict(zip(names, spread.round(4).tolist(), strict=True))
    return {"weights": weights, "typical": typical, "spread": spreads}


def main(examples: str, out: str) -> None:
    rows = pd.read_parquet(examples)
    told = {card: card_of(own) for card, own in rows.groupby("card")}
    Path(out).write_text(json.dumps(told, indent=1, sort_keys=True) + "\n")
    for card, own in rows.groupby("card"):
        print(card, own.label.value_counts().to_dict())


if __name__ == "__main__":
    main(*sys.argv[1:])
