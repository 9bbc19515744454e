"""Random numbers as functions of what they are for: counter-based, without state.

A number depends on the seed, a purpose in words and integer keys (account, day, title …), and on nothing else:
not on the order of calls, nor on what else is drawn, nor on how accounts are split into batches. So any part of
a simulation can be generated alone. Method: keys are absorbed one by one by the finaliser of SplitMix64 (Steele,
Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014), whose output passes BigCrush; the
start value is BLAKE2b of seed and purpose.

All functions broadcast their keys as numpy does. The cheapest order of keys is the one that broadcasts last.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Longs: TypeAlias = NDArray[np.int64]
Bools: TypeAlias = NDArray[np.bool_]
Keys: TypeAlias = NDArray[Any] | int

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)
_SHIFTS = (np.uint64(30), np.uint64(27), np.uint64(31))


@lru_cache(maxsize=4096)
def _start(seed: int, purpose: str) -> int:
    digest = hashlib.blake2b(f"{seed}|{purpose}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big")


def _mixed(state: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """SplitMix64's finaliser, in place."""
    state ^= state >> _SHIFTS[0]
    state *= _FIRST
    state ^= state >> _SHIFTS[1]
    state *= _SECOND
    state ^= state >> _SHIFTS[2]
    return state


def bits(seed: int, purpose: str, *keys: Keys) -> NDArray[np.uint64]:
    """64 random bits per combination of keys."""
    state = np.array([_start(seed, purpose)], dtype=np.uint64)
    shape: tuple[int, ...] = ()
    for key in keys:
        array = np.asarray(key)
        shape = np.broadcast_shapes(shape, array.shape)
        word = np.atleast_1d(array).astype(np.int64).view(np.uint64)
        state = _mixed((state + _GOLDEN) ^ (word * _GOLDEN))
    if not keys:
        state = _mixed(state + _GOLDEN)
    return state.reshape(shape)


def uniform(seed: int, purpose: str, *keys: Keys) -> Floats:
    """Uniform on the open interval (0, 1)."""
    drawn: Floats = (bits(seed, purpose, *keys) >> np.uint64(11)).astype(np.float64)
    return (drawn + 0.5) * 2.0**-53


def normal(seed: int, purpose: str, *keys: Keys) -> Floats:
    """Standard normal, by Box and Muller's method from the halves of one word."""
    word = bits(seed, purpose, *keys)
    radius = ((word >> np.uint64(32)).astype(np.float64) + 0.5) * 2.0**-32
    angle = (word & np.uint64(0xFFFFFFFF)).astype(np.float64) * (2.0**-31 * np.pi)
    drawn: Floats = np.sqrt(-2.0 * np.log(radius)) * np.cos(angle)
    return drawn


def exponential(seed: int, purpose: str, *keys: Keys) -> Floats:
    """Exponential with mean 1."""
    drawn: Floats = -np.log(uniform(seed, purpose, *keys))
    return drawn


def gumbel(seed: int, purpose: str, *keys: Keys) -> Floats:
    """Standard Gumbel: the greatest of utilities plus such noise is a draw from their softmax."""
    drawn: Floats = -np.log(-np.log(uniform(seed, purpose, *keys)))
    return drawn


def happens(probability: Floats | float, seed: int, purpose: str, *keys: Keys) -> Bools:
    """Whether what has this probability comes about."""
    drawn: Bools = uniform(seed, purpose, *keys) < probability
    return drawn


def integers(bound: Longs | int, seed: int, purpose: str, *keys: Keys) -> Longs:
    """Uniform integers in 0 … bound − 1."""
    drawn: Longs = np.floor(uniform(seed, purpose, *keys) * bound).astype(np.int64)
    return drawn


def pick(weights: Sequence[float] | Floats, seed: int, purpose: str, *keys: Keys) -> Longs:
    """Indices drawn with the weights, which need not add up to 1."""
    edges = np.cumsum(np.asarray(weights, dtype=np.float64))
    drawn = np.searchsorted(edges, uniform(seed, purpose, *keys) * edges[-1], side="right")
    found: Longs = np.minimum(drawn, len(edges) - 1).astype(np.int64)
    return found


def pick_by_row(weights: Floats, drawn: Floats) -> Longs:
    """One index per row of a matrix of weights, by inversion of `drawn` uniforms (one per row)."""
    edges = np.cumsum(weights, axis=-1)
    found = np.sum(edges < (drawn * edges[..., -1])[..., None], axis=-1)
    chosen: Longs = np.minimum(found, weights.shape[-1] - 1)
    return chosen


def poisson(rate: Floats | float, seed: int, purpose: str, *keys: Keys) -> Longs:
    """Poisson counts for small rates, by inversion; cut off at 40."""
    drawn = uniform(seed, purpose, *keys)
    mean, drawn = np.broadcast_arrays(np.asarray(rate, dtype=np.float64), drawn)
    term = np.exp(-mean)
    total = term.copy()
    count = np.zeros(mean.shape, dtype=np.int64)
    for k in range(1, 41):
        above = drawn > total
        if not above.any():
            break
        count += above
        term = term * mean / k
        total = total + term
    return count
