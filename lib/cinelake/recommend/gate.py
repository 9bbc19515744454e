"""The gate between a trained model and the people who get its lists.

A version passes when, on the same holdout, its recipe beats the popularity baseline, and also the
recipe of the current champion trained on the same days. Nothing is measured on data that a model
has seen: the champion itself may have been trained on the test days, so it is its recipe that
competes.

The same recipe on newer data is a refresh: it has nobody to beat but the baseline.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

CHALLENGER = "challenger"
CHAMPION = "champion"
POPULAR = "popular"


@dataclass(frozen=True)
class Measured:
    """A mean over profiles with its 95 % interval."""

    mean: float
    low: float
    high: float
    profiles: int

    def __str__(self) -> str:
        return f"{self.mean:.4f} [{self.low:.4f}, {self.high:.4f}]"


@dataclass(frozen=True)
class Decision:
    """Whether a version may be used, and why in words."""

    passed: bool
    reason: str


def decide(measured: Mapping[str, Measured], measure: str, incumbent: str) -> Decision:
    """Judge the challenger against the baseline and, where it was measured, the champion's recipe.

    `incumbent` says in words why the champion's recipe was not measured, should it be missing.
    """
    own = measured.get(CHALLENGER)
    if own is None:
        return Decision(
            False,
            "nothing could be held out: no profile liked something before and something new after a "
            "cut. So nothing shows that the model is better than popularity, which is served instead",
        )
    over = f"over {own.profiles} held-out profile{'' if own.profiles == 1 else 's'}"
    rivals = {POPULAR: "popularity", CHAMPION: "the champion's recipe"}
    beaten = []
    for rival, called in rivals.items():
        if rival not in measured:
            continue
        theirs = measured[rival]
        if own.mean <= theirs.mean:
            return Decision(False, f"{measure} {own} does not beat {called}, {theirs}, {over}")
        beaten.append(f"{called}, {theirs}")
    if CHAMPION not in measured:
        beaten.append(incumbent)
    return Decision(True, f"{measure} {own} beats {'; '.join(beaten)}; {over}")
