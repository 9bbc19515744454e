"""Sums over the attribute cube: of leaves, by every combination of up to so many of their attributes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.sparse import csc_array

Codes = npt.NDArray[np.int64]
Matrix = npt.NDArray[np.float64]
# Combinations that could be, up to which those that are are found in a table of all.
TABLE = 2**24


@dataclass(frozen=True)
class Cuboid:
    """The elements of some dimensions: combinations of one attribute of each that leaves do have.

    `members (leaves)` numbers the element of each leaf, −1 where one of its attributes is missing; `attributes
    (elements, dimensions of the cuboid)` are the codes that make an element. Elements are in the order of their
    codes.
    """

    dimensions: tuple[int, ...]
    members: Codes
    attributes: Codes

    def sums(self, values: Matrix) -> Matrix:
        """The sums `(elements, columns)` of the leaves' `values (leaves, columns)`."""
        is_inside = self.members >= 0
        inside = self.members[is_inside]
        # How many leaves before each leaf are members: a column of the matrix has one entry, or none.
        before = np.concatenate([[0], np.cumsum(is_inside)])
        shape = len(self.attributes), len(self.members)
        belongs = csc_array((np.ones(len(inside)), inside, before), shape=shape)
        summed: Matrix = belongs @ values
        return summed


@dataclass(frozen=True)
class Cube:
    """Leaves by their attributes: `codes (leaves, dimensions)`, −1 for a missing one; `names` of each dimension's
    codes.

    A leaf whose attribute is missing belongs to no element that names the dimension: that it is missing is no cause.
    """

    dimensions: tuple[str, ...]
    codes: Codes
    names: tuple[npt.NDArray[np.object_], ...]

    @classmethod
    def of(cls, leaves: pd.DataFrame, dimensions: Sequence[str]) -> Cube:
        """Encode the attributes, as text, in the order of text."""
        coded = [_coded(leaves[name]) for name in dimensions]
        # A dimension's codes lie together, since they are read dimension by dimension.
        codes = np.asfortranarray(np.stack([codes for codes, _ in coded], axis=1), np.int64)
        return cls(tuple(dimensions), codes, tuple(names for _, names in coded))

    def cuboids(self, depth: int) -> Iterator[Cuboid]:
        """The cuboids of up to `depth` dimensions that have elements; those of few dimensions first.

        Dimensions in which all leaves have the same attribute tell nothing apart, and are left out.
        """
        telling = [place for place in range(len(self.dimensions)) if np.ptp(self.codes[:, place])]
        for size in range(1, min(depth, len(telling)) + 1):
            for chosen in combinations(telling, size):
                cuboid = self._cuboid(chosen)
                if len(cuboid.attributes):
                    yield cuboid

    def _cuboid(self, chosen: tuple[int, ...]) -> Cuboid:
        sizes = [len(self.names[dimension]) for dimension in chosen]
        key = np.zeros(len(self.codes), np.int64)
        is_part = np.zeros(len(self.codes), np.bool_)
        for dimension, size in zip(chosen, sizes, strict=True):
            codes = self.codes[:, dimension]
            key *= size
            key += codes
            is_part |= codes < 0
        # One more place, for leaves of which an attribute is missing.
        possible = math.prod(sizes)
        key[is_part] = possible
        if possible <= TABLE:
            there = np.zeros(possible + 1, np.bool_)
            there[key] = True
            there[possible] = False
            elements = np.flatnonzero(there)
            places = np.cumsum(there) - 1
            places[possible] = -1
            members = places[key]
        else:
            elements, members = np.unique(key, return_inverse=True)
            if is_part.any():
                elements, members = elements[:-1], np.where(is_part, -1, members)
        attributes = np.empty((len(elements), len(chosen)), np.int64)
        left = elements
        for place in reversed(range(len(chosen))):
            left, attributes[:, place] = np.divmod(left, sizes[place])
        return Cuboid(chosen, members, attributes)

    def named(self, dimensions: Sequence[int], attributes: Sequence[int]) -> dict[str, str]:
        """The attributes of an element by name."""
        return {
            self.dimensions[dimension]: str(self.names[dimension][code])
            for dimension, code in zip(dimensions, attributes, strict=True)
        }

    def agreeing(self, dimensions: Sequence[int], attributes: Sequence[int]) -> Codes:
        """How many of an element's attributes each leaf `(leaves)` has."""
        same = self.codes[:, list(dimensions)] == np.asarray(attributes)
        agreeing: Codes = same.sum(axis=1)
        return agreeing


def _coded(column: pd.Series) -> tuple[Codes, npt.NDArray[np.object_]]:
    codes, names = pd.factorize(column)
    text = np.array([str(name) for name in names], dtype=object)
    # Numbers and their text may come mixed; equal text is one attribute.
    ordered, places = np.unique(text.astype(str), return_inverse=True)
    return np.where(codes >= 0, places[codes] if len(places) else -1, -1), ordered.astype(object)
