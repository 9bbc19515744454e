"""Fit what account integrity is shipped with, `prior.json` and `experience.json`, to simulated services.

    python scripts/fit_integrity_prior.py EXAMPLES.parquet … lib/cinelake/integrity

Examples have `account_id, subject, label, features`: parties of simulated services beside what the simulator knows of
them, several days of each, as `bench_integrity.py` writes them, and of each service once more with devices that nobody
registered until a few weeks before (`CINELAKE_BENCH_REGISTERED`). Seeds whose figures are published must not be among
them. Accounts that were registered late have trees of their own, and count for nothing else. Not every service knows
when devices came or what titles are about, or keeps log-ins, so examples count in part without them. The weights of
screens, playback and places are set by hand from the spread of their numbers, and are kept as they are.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression

from cinelake.integrity.changes import changes
from cinelake.integrity.experience import CERTAIN
from cinelake.integrity.habits import tastes
from cinelake.integrity.household import AGELESS, LATE, log_ins

# The ridge, by 5-fold trials: weaker ones fit single accounts.
STRENGTH = 0.3
HONEST = "honest"
ROUNDS, RATE, LEAVES, LEAF_ROWS, FOLDS = 150, 0.06, 15, 60, 5
# What examples count of which something is not told.
UNTOLD = 0.12
# What tells of the service, not of a party: trees ask for it before they ask for others; it is no reason.
UNSAID = ("ages_known", LATE)


def told_in_part(rows: pd.DataFrame) -> pd.DataFrame:
    """The examples, and once more as services would tell them that do not know when devices came, or keep no log-ins,
    or neither, or do not know what titles are about; `weight` is what each counts.
    """
    unlogged = log_ins([], 1) | changes([], [])
    whole = _shares(rows)

    def without(unknown: Mapping[str, float]) -> pd.DataFrame:
        told = [
            [{"name": e["name"], "value": unknown.get(e["name"], e["value"])} for e in row]
            for row in rows.features
        ]
        return rows.assign(weight=whole * UNTOLD, features=told)

    untitled = tastes([], [])
    blind = [without(told) for told in (AGELESS, unlogged, AGELESS | unlogged, untitled)]
    seeing = rows.assign(weight=whole * (1 - len(blind) * UNTOLD))
    return pd.concat([seeing, *blind], ignore_index=True)


def card_of(rows: pd.DataFrame) -> dict[str, dict[str, object]]:
    """Weights, typical values and spreads of one card."""
    names, values, weight = _table(rows, UNSAID)
    honest = (rows.label == HONEST).to_numpy()
    mean, spread = values.mean(axis=0), np.maximum(values.std(axis=0), 1e-3)
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
    usual = np.average(values[honest], axis=0, weights=weight[honest])
    typical = dict(zip(names, usual.round(4).tolist(), strict=True))
    spreads = dict(zip(names, spread.round(4).tolist(), strict=True))
    return {"weights": weights, "typical": typical, "spread": spreads}


def trees_of(rows: pd.DataFrame) -> tuple[dict[str, object], np.ndarray]:
    """Nodes of boosted trees, and for each row the odds by trees that were not shown its account."""
    names, values, weight = _table(rows, (LATE,))
    kinds = sorted(set(rows.label) - {HONEST})

    def grown(mask: np.ndarray) -> HistGradientBoostingClassifier:
        trees = HistGradientBoostingClassifier(
            max_iter=ROUNDS, learning_rate=RATE, max_leaf_nodes=LEAVES, min_samples_leaf=LEAF_ROWS,
            l2_regularization=1.0, early_stopping=False, random_state=7,
        )  # fmt: skip
        return trees.fit(values[mask], rows.label[mask], sample_weight=weight[mask])

    fold = pd.util.hash_pandas_object(rows.account_id, index=False).to_numpy() % FOLDS
    apart = np.zeros((len(rows), len(kinds)))
    for number in range(FOLDS):
        told = grown(fold != number)
        apart[fold == number] = _odds(told, told.decision_function(values[fold == number]), kinds)
    trees = grown(np.ones(len(rows), dtype=bool))
    nodes: dict[str, list] = {
        name: [] for name in ("root", "feature", "threshold", "left", "right", "adds")
    }
    offset = 0
    # What scikit-learn keeps to itself: one tree a round and class.
    for by_class in trees._predictors:
        for place, tree in enumerate(by_class):
            own = tree.nodes
            leaf = own["is_leaf"].astype(bool)
            score = np.zeros((len(own), len(trees.classes_)))
            score[leaf, place] = own["value"][leaf]
            nodes["root"].append(offset)
            nodes["feature"] += np.where(leaf, -1, own["feature_idx"].astype(int)).tolist()
            nodes["threshold"] += np.where(leaf, 0, own["num_threshold"]).round(6).tolist()
            nodes["left"] += np.where(leaf, -1, own["left"].astype(int) + offset).tolist()
            nodes["right"] += np.where(leaf, -1, own["right"].astype(int) + offset).tolist()
            nodes["adds"] += _odds(trees, score, kinds).round(5).tolist()
            offset += len(own)
    base = _odds(trees, trees._baseline_prediction.reshape(1, -1), kinds)[0]
    odds = np.clip(apart, -CERTAIN, CERTAIN)
    return {"names": names, "kinds": kinds, "base": base.round(5).tolist(), **nodes}, odds


def _odds(
    trees: HistGradientBoostingClassifier, scores: np.ndarray, kinds: list[str]
) -> np.ndarray:
    """Of each kind against honest, from scores of all classes."""
    classes = list(trees.classes_)
    return scores[:, [classes.index(kind) for kind in kinds]] - scores[:, [classes.index(HONEST)]]


def blended(
    rows: pd.DataFrame, plain: dict, kinds: list[str], odds: np.ndarray
) -> dict[str, dict[str, object]]:
    """A card that weighs the odds of the plain card and those of trees that were not shown the account.

    Both are sums of features, so that the blend is one; where a scene is like none that trees saw, the plain card
    holds.
    """
    names, values, weight = _table(rows, UNSAID)
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


def _shares(rows: pd.DataFrame) -> pd.Series:
    """What each row counts, so that each party counts once."""
    told: pd.Series = 1 / rows.groupby(["account_id", "subject"]).label.transform("size")
    return told


def _table(
    rows: pd.DataFrame, without: Collection[str] = ()
) -> tuple[list[str], np.ndarray, np.ndarray]:
    names = [each["name"] for each in rows.features.iloc[0] if each["name"] not in without]
    told = [[e["value"] for e in row if e["name"] not in without] for row in rows.features]
    return names, np.array(told, dtype=float), rows.weight.to_numpy()


def main(*examples: str, folder: str) -> None:
    # An account of one service is another than that of the same name in the next.
    parts = [pd.read_parquet(one) for one in examples]
    told = [part.assign(account_id=f"{n} " + part.account_id) for n, part in enumerate(parts)]
    everything = pd.concat(told, ignore_index=True)
    is_late = np.array(
        [e["value"] > 0 for row in everything.features for e in row if e["name"] == LATE]
    )
    rows = told_in_part(everything[~is_late])
    out = Path(folder)
    cards = json.loads((out / "prior.json").read_text())
    trees, odds = trees_of(rows)
    late, _ = trees_of(everything[is_late].assign(weight=_shares(everything[is_late])))
    shipped = {"known": trees, "late": late}
    (out / "experience.json").write_text(json.dumps(shipped, separators=(",", ":")) + "\n")
    cards["party_reasons"] = card_of(rows)
    cards["party"] = blended(rows, cards["party_reasons"], trees["kinds"], odds)
    (out / "prior.json").write_text(json.dumps(cards, indent=1, sort_keys=True) + "\n")
    print(rows.label.value_counts().to_dict(), len(trees["feature"]), "nodes")


if __name__ == "__main__":
    main(*sys.argv[1:-1], folder=sys.argv[-1])
