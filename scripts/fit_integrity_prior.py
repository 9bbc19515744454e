"""Fit what account integrity is shipped with, `prior.json` and `experience.json`, to simulated services.

    python scripts/fit_integrity_prior.py EXAMPLES.parquet … lib/cinelake/integrity

Examples have `account_id, subject, label, features`: parties of simulated services beside what the simulator knows of
them, several days of each, as `bench_integrity.py` writes them. Seeds whose figures are published must not be among
them. The weights of screens, playback and places are set by hand from the spread of their numbers, and are kept as they
are.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression

# The ridge, by 5-fold trials: weaker ones fit single accounts.
STRENGTH = 0.3
HONEST = "honest"
TREES, DEPTH, LEAF_ROWS, FOLDS = 60, 12, 5, 5
CERTAIN = 5.0


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


def forest_of(rows: pd.DataFrame) -> tuple[dict[str, object], np.ndarray]:
    """Nodes of the trees, and for each row the odds by trees that were not shown its account."""
    names, values, weight = _table(rows)
    kinds = sorted(set(rows.label) - {HONEST})

    def grown(mask: np.ndarray) -> RandomForestClassifier:
        forest = RandomForestClassifier(
            TREES, max_depth=DEPTH, min_samples_leaf=LEAF_ROWS, n_jobs=2, random_state=7
        )
        return forest.fit(values[mask], rows.label[mask], sample_weight=weight[mask])

    fold = pd.util.hash_pandas_object(rows.account_id, index=False).to_numpy() % FOLDS
    apart = np.zeros((len(rows), len(kinds)))
    for number in range(FOLDS):
        forest = grown(fold != number)
        columns = [list(forest.classes_).index(kind) for kind in kinds]
        apart[fold == number] = forest.predict_proba(values[fold == number])[:, columns]
    apart = np.clip(apart, 1e-6, 1 - 1e-6)
    forest = grown(np.ones(len(rows), dtype=bool))
    columns = [list(forest.classes_).index(kind) for kind in kinds]
    told: dict[str, list] = {
        name: [] for name in ("root", "feature", "threshold", "left", "right", "share")
    }
    offset = 0
    for tree in forest.estimators_:
        own = tree.tree_
        leaf = own.children_left < 0
        share = own.value[:, 0, :] / own.value[:, 0, :].sum(axis=1, keepdims=True)
        told["root"].append(offset)
        told["feature"] += np.where(leaf, -1, own.feature).tolist()
        told["threshold"] += np.where(leaf, 0, own.threshold).round(5).tolist()
        told["left"] += np.where(leaf, -1, own.children_left + offset).tolist()
        told["right"] += np.where(leaf, -1, own.children_right + offset).tolist()
        told["share"] += np.where(leaf[:, None], share[:, columns], 0).round(4).tolist()
        offset += own.node_count
    odds = np.clip(np.log(apart / (1 - apart)), -CERTAIN, CERTAIN)
    return {"names": names, "kinds": kinds, **told}, odds


def blended(
    rows: pd.DataFrame, plain: dict, kinds: list[str], odds: np.ndarray
) -> dict[str, dict[str, object]]:
    """A card that weighs the odds of the plain card and those of trees that were not shown the account.

    Both are sums of features, so that the blend is one; where a scene is like none that trees saw, the plain card
    holds.
    """
    names, values, weight = _table(rows)
    own = [plain["weights"][kind] for kind in kinds]
    by_card = np.column_stack(
        [each[""] + values @ np.array([each[n] for n in names]) for each in own]
    )
    both = np.hstack([np.clip(by_card, -CERTAIN, CERTAIN), odds])
    target = rows.label.map({HONEST: 0} | {kind: n + 1 for n, kind in enumerate(kinds)})
    meta = LogisticRegression(C=STRENGTH, max_iter=5000).fit(both, target, sample_weight=weight)
    weights = {}
    for n, kind in enumerate(kinds):
        share = meta.coef_[n + 1] - meta.coef_[0]
        told = {"": float(meta.intercept_[n + 1] - meta.intercept_[0])}
        told[""] += float(sum(share[k] * each[""] for k, each in enumerate(own)))
        told |= {
            name: float(sum(share[k] * each[name] for k, each in enumerate(own))) for name in names
        }
        told |= {f"seen_{k}": float(share[len(kinds) + m]) for m, k in enumerate(kinds)}
        weights[kind] = {name: round(value, 5) for name, value in sorted(told.items())}
        print(
            kind,
            dict(
                zip(
                    [*(f"card {k}" for k in kinds), *(f"trees {k}" for k in kinds)],
                    share.round(2).tolist(),
                    strict=True,
                )
            ),
        )
    honest = (rows.label == HONEST).to_numpy()
    typical = plain["typical"] | {
        f"seen_{k}": round(float(odds[honest, m].mean()), 4) for m, k in enumerate(kinds)
    }
    spread = plain["spread"] | {
        f"seen_{k}": round(float(odds[:, m].std()), 4) for m, k in enumerate(kinds)
    }
    return {"weights": weights, "typical": typical, "spread": spread}


def _table(rows: pd.DataFrame) -> tuple[list[str], np.ndarray, np.ndarray]:
    names = [each["name"] for each in rows.features.iloc[0]]
    values = np.array([[each["value"] for each in row] for row in rows.features], dtype=float)
    return (
        names,
        values,
        1 / rows.groupby(["account_id", "subject"]).label.transform("size").to_numpy(),
    )


def main(*examples: str, folder: str) -> None:
    # An account of one service is another than that of the same name in the next.
    parts = [pd.read_parquet(one) for one in examples]
    rows = pd.concat(
        [part.assign(account_id=f"{n} " + part.account_id) for n, part in enumerate(parts)],
        ignore_index=True,
    )
    out = Path(folder)
    told = json.loads((out / "prior.json").read_text())
    trees, odds = forest_of(rows)
    (out / "experience.json").write_text(json.dumps(trees, separators=(",", ":")) + "\n")
    told["party_reasons"] = card_of(rows)
    told["party"] = blended(rows, told["party_reasons"], trees["kinds"], odds)
    (out / "prior.json").write_text(json.dumps(told, indent=1, sort_keys=True) + "\n")
    print(rows.label.value_counts().to_dict(), len(trees["feature"]), "nodes")


if __name__ == "__main__":
    main(*sys.argv[1:-1], folder=sys.argv[-1])
