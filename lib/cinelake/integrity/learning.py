"""What people's verdicts teach: weights of the scorecard of parties, moved from those that are shipped.

Method: multinomial logistic regression with a normal prior around the present weights (a maximum a posteriori
estimate): few verdicts move little, many decide. Features count in units of their spread. An example is a case as the
person saw it, with the verdict that holds: `confirm` says that it was of its kind, `reject` that the account is honest.
Appeals are open questions and teach nothing. Judged on the newest verdicts, which the fit for that purpose did not see.

Caveat: people judge what was shown to them. Verdicts say little of accounts that raised no case, so the prior stays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from scipy.optimize import minimize

from cinelake.integrity.scorecard import INTERCEPT, Scorecard

Floats = NDArray[np.float64]
HONEST = "honest"
# Verdicts that are learned from: the newest.
MOST_VERDICTS = 20_000
TEST_SHARE = 1 / 3


@dataclass(frozen=True)
class Lesson:
    """Features of cases in the order of `names`, and what they turned out to be: 0 honest, then kinds by name."""

    values: Floats
    label: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.label)

    def part(self, rows: slice) -> Lesson:
        return Lesson(self.values[rows], self.label[rows])


def examples(verdicts: DataFrame, kinds: Sequence[str]) -> DataFrame:
    """`case_id, given_on, kind, verdict, features` of the verdicts that hold, of these kinds: the newest of each
    case.
    """
    columns = ("verdict", "given_on", "kind", "features")
    newest = verdicts.groupBy("case_id").agg(
        F.max_by(F.struct(*columns), F.struct("given_on", "number")).alias("last")
    )
    return (
        newest.select("case_id", "last.*")
        .where(F.col("kind").isin(*kinds) & F.col("verdict").isin("confirm", "reject"))
        .orderBy(F.desc("given_on"), "case_id")
        .limit(MOST_VERDICTS)
    )


def lesson(rows: Sequence[Mapping[str, Any]], card: Scorecard) -> Lesson:
    """Examples as arrays, the oldest first; a feature that a case does not have is typical."""
    names, kinds = _names(card), sorted(card.weights)
    ordered = sorted(rows, key=lambda row: (row["given_on"], row["case_id"]))
    values = np.array(
        [
            [told.get(name, card.typical[name]) for name in names]
            for told in ({e["name"]: e["value"] for e in row["features"]} for row in ordered)
        ]
    ).reshape(-1, len(names))
    label = [0 if row["verdict"] == "reject" else 1 + kinds.index(row["kind"]) for row in ordered]
    return Lesson(values, np.array(label, dtype=np.int64))


def moved(card: Scorecard, told: Lesson, prior_spread: float) -> Scorecard:
    """The weights that these examples and the prior make likeliest."""
    names, kinds = _names(card), sorted(card.weights)
    middle = np.array([card.typical[name] for name in names])
    unit = np.array([card.spread[name] for name in names])
    rows = np.hstack([np.ones((len(told), 1)), (told.values - middle) / unit])
    prior = _centred(card, names, kinds, middle, unit)

    def loss(flat: Floats) -> tuple[float, Floats]:
        weights = flat.reshape(prior.shape)
        chances = _softmax(rows @ weights.T)
        seen = np.log(np.maximum(chances[np.arange(len(told)), told.label], 1e-300)).sum()
        off = (weights - prior) / prior_spread
        target = np.eye(len(kinds) + 1)[told.label]
        slope = (chances - target)[:, 1:].T @ rows + off / prior_spread
        return float(-seen + 0.5 * (off**2).sum()), slope.ravel()

    found = minimize(loss, prior.ravel(), jac=True, method="L-BFGS-B").x.reshape(prior.shape)
    weights = {}
    for kind, (base, *own) in zip(kinds, found.tolist(), strict=True):
        each = np.array(own) / unit
        told_weights = dict(zip(names, each.tolist(), strict=True))
        weights[kind] = {INTERCEPT: base - float(each @ middle)} | told_weights
    return Scorecard(weights, card.typical, card.spread)


def log_loss(card: Scorecard, told: Lesson) -> float:
    """Mean of −log of the probability that was given to what turned out (nats)."""
    names, kinds = _names(card), sorted(card.weights)
    weights = np.array(
        [[card.weights[k][INTERCEPT], *(card.weights[k][n] for n in names)] for k in kinds]
    )
    rows = np.hstack([np.ones((len(told), 1)), told.values])
    chances = _softmax(rows @ weights.T)
    return float(-np.log(np.maximum(chances[np.arange(len(told)), told.label], 1e-12)).mean())


def _names(card: Scorecard) -> list[str]:
    return sorted(card.typical)


def _centred(
    card: Scorecard, names: Sequence[str], kinds: Sequence[str], middle: Floats, unit: Floats
) -> Floats:
    """The card's weights for features that are centred and in units of their spread; the intercept comes first."""
    own = np.array([[card.weights[kind][name] for name in names] for kind in kinds])
    base = np.array([card.weights[kind][INTERCEPT] for kind in kinds]) + own @ middle
    return np.hstack([base[:, None], own * unit])


def _softmax(odds: Floats) -> Floats:
    """Chances of honest, whose odds are 0, and of the kinds."""
    whole = np.hstack([np.zeros((len(odds), 1)), np.clip(odds, -40, 40)])
    raised = np.exp(whole - whole.max(axis=1, keepdims=True))
    chances: Floats = raised / raised.sum(axis=1, keepdims=True)
    return chances
