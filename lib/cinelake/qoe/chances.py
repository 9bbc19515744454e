"""How surprising it is that so many sessions went bad, when each goes bad at a rate and they go bad together.

The chance of `bad` or more of `total` under a beta-binomial of rate r and intraclass correlation ρ. It has no closed
tail, so a law with its first two moments stands in: a negative binomial, whose tail is a regularised incomplete beta
function and as long as that of a beta-binomial of small rate (both are mixtures over a rate that varies like a gamma);
or, where a beta-binomial varies less than a Poisson, as with little correlation, a binomial of `total / (1 + (total −
1) ρ)` sessions (the design effect: Kish 1965, "Survey Sampling"), which is exact without correlation.

What the rate itself is not known well adds to ρ: a rate told from h sessions has a beta posterior, 1 / (h + 1) of it.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.special import betainc

Floats = NDArray[np.float64]
# Beyond this a chance is no number any more, and nobody asks.
MOST = 300.0


def surprise(bad: Floats, total: Floats, rate: Floats, spread: Floats) -> Floats:
    """−log10 of the chance of `bad` or more; 0 where nothing is bad, at most `MOST`. All of one length."""
    worth = 1 + np.maximum(total - 1, 0) * spread
    mean = total * rate
    excess = mean * (1 - rate) * worth - mean
    is_long = excess > 1e-9 * mean
    size = mean**2 / np.where(is_long, excess, 1.0)
    k, n = bad / worth, total / worth
    long = betainc(np.maximum(bad, 1e-9), np.maximum(size, 1e-9), mean / (mean + size + 1e-300))
    short = betainc(np.maximum(k, 1e-9), np.maximum(n - k, 0) + 1, rate)
    chance = np.where(bad > 0, np.where(is_long, long, short), 1.0)
    with np.errstate(divide="ignore"):
        found: Floats = np.minimum(-np.log10(chance), MOST)
    return np.maximum(found, 0.0)


def together(one: Floats, other: Floats) -> Floats:
    """The surprise of two independent ones together, by Fisher's method: −2 Σ ln p is χ² of 4 degrees of freedom."""
    total = (one + other) * np.log(10)
    found: Floats = (total - np.log1p(total)) / np.log(10)
    return np.maximum(found, 0.0)


def with_surprise(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Batches with `bad, total, expected_rate, spread` get `surprise double`, for `mapInArrow`.

    Spark has no incomplete beta function.
    """
    for batch in batches:
        numbers = [
            batch.column(name).to_numpy(zero_copy_only=False).astype(np.float64)
            for name in ("bad", "total", "expected_rate", "spread")
        ]
        yield batch.append_column("surprise", pa.array(surprise(*numbers)))
