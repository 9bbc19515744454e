"""What parties like this one turned out to be before: boosted decision trees, as features of the scorecard.

Method: gradient boosting (Friedman, 2001) of a multinomial likelihood, fitted by scikit-learn to simulated services
(`scripts/fit_integrity_prior.py`) and shipped as the nodes of its trees in `experience.json`. A party is given the
logarithm of the odds of each kind against honest as the trees see them, as features named `seen_…`; the scorecard
weighs these with all others, so that verdicts can move how much they count. Trees see what a sum of features cannot:
that a set of its own means one thing with profiles of its own and another at weekends. Accounts whose devices were
registered late have trees of their own, for there everything that families have seems to have come lately.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from cinelake.integrity.household import LATE
from cinelake.integrity.outliers import Floats, leaves, matrix_of

PREFIX = "seen_"
# Beyond these odds (logarithm) the trees do not tell more from less.
CERTAIN = 5.0


@dataclass(frozen=True)
class Experience:
    """Nodes of all trees, one after the other, and for each node what it adds to the odds (logarithm) of each kind."""

    names: Sequence[str]
    kinds: Sequence[str]
    root: NDArray[np.int64]
    feature: NDArray[np.int64]
    threshold: Floats
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    adds: Floats  # nodes × kinds
    base: Floats  # by kind: the odds before any tree

    def odds(self, rows: Floats) -> Floats:
        """Rows × kinds; columns of `rows` are in the order of `names`."""
        told = np.tile(self.base, (len(rows), 1))
        for at in leaves(rows, self.root, self.feature, self.threshold, self.left, self.right):
            told += self.adds[at]
        return np.clip(told, -CERTAIN, CERTAIN)

    @classmethod
    def of_json(cls, told: Mapping[str, Any]) -> Experience:
        def whole(name: str) -> NDArray[np.int64]:
            return np.array(told[name], dtype=np.int64)

        def real(name: str) -> Floats:
            return np.array(told[name], dtype=float)

        return cls(
            told["names"],
            told["kinds"],
            whole("root"),
            whole("feature"),
            real("threshold"),
            whole("left"),
            whole("right"),
            real("adds"),
            real("base"),
        )


@cache
def shipped_experience(name: str) -> Experience:
    """The trees that come with the package: of accounts whose devices are `known`, or were registered `late`."""
    text = files("cinelake.integrity").joinpath("experience.json").read_text()
    return Experience.of_json(json.loads(text)[name])


def with_experience(parties: DataFrame, known: Experience, late: Experience) -> DataFrame:
    """Rows whose `features` have those of the forests among them, in order of names; both tell of the same kinds."""
    names = [PREFIX + kind for kind in known.kinds]

    def told(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            features = batch.column("features").to_pylist()
            is_late = matrix_of(features, [LATE])[:, 0] > 0
            odds = np.zeros((len(features), len(names)))
            for trees, own in ((known, ~is_late), (late, is_late)):
                if own.any():
                    odds[own] = trees.odds(matrix_of(features, trees.names)[own])
            yield batch.append_column("_seen", pa.array(odds.tolist(), type=pa.list_(pa.float64())))

    # No built-in function walks trees that were fitted elsewhere.
    schema = parties.select("*", F.lit(None).cast("array<double>").alias("_seen")).schema
    scored = parties.mapInArrow(told, schema)
    seen = F.array(
        *(
            F.struct(F.lit(name).alias("name"), F.round(F.get("_seen", F.lit(n)), 6).alias("value"))
            for n, name in enumerate(names)
        )
    )
    whole = F.array_sort(F.concat("features", seen)).alias("features")
    return scored.select(*(whole if name == "features" else name for name in parties.columns))
