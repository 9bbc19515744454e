"""Random numbers that are the same in every run: of a hash and a number, without state (SplitMix64, Steele 2014)."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[Any]


def mixed(hashes: Matrix, numbers: Matrix) -> Matrix:
    """64 random bits for each hash (of 64 bits) and number, of the shape to which both are broadcast."""
    bits = hashes.astype(np.int64).view(np.uint64) + (
        numbers.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    )
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        bits = (bits ^ (bits >> np.uint64(shift))) * np.uint64(factor)
    found: Matrix = bits ^ (bits >> np.uint64(31))
    return found
