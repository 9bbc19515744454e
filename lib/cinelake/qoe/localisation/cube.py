"""Sums over the attribute cube: of leaves, by every combination of up to so many of their attributes.

A pass over all leaves for each set of dimensions is what a search of many leaves takes its time for. Leaves are many
where dimensions are, and of some few of these there are far fewer combinations: those are added up first, and the
sets of dimensions among them are told from what they came to, not from the leaves (as views of a data cube are:
Harinarayan, Rajaraman and Ullman 1996, "Implementing Data Cubes Efficiently").
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.sparse import csc_array

Codes = npt.NDArray[np.int64]
Matrix = npt.NDArray[np.float64]
Chosen = tuple[int, ...]
# Combinations that could be, up to which those that are are found in a table of all.
TABLE = 2**24
# Rows from which on it is worth while to think about what to add up first.
MANY = 2**15
# Dimensions that may be added up first beyond those of the largest set that is told from them.
BEYOND = 2


@dataclass(frozen=True)
class Cuboid:
    """The elements of some dimensions, combinations of one attribute of each that leaves do have, and their sums.

    `attributes (elements, dimensions of the cuboid)` are the codes that make an element, `sums (elements, columns)`
    what the leaves of each add up to. Elements are in the order of their codes.
    """

    dimensions: Chosen
    attributes: Codes
    sums: Matrix


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
        # A dimension's codes lie together, since they are read dimension by dimension.
        codes = np.empty((len(leaves), len(dimensions)), np.int64, order="F")
        names = []
        for place, name in enumerate(dimensions):
            codes[:, place], told = _coded(leaves[name])
            names.append(told)
        return cls(tuple(dimensions), codes, tuple(names))

    def choices(self, depth: int) -> list[Chosen]:
        """The sets of up to `depth` dimensions, those of few dimensions first.

        Dimensions in which all leaves have the same attribute tell nothing apart, and are left out.
        """
        telling = [place for place in range(len(self.dimensions)) if np.ptp(self.codes[:, place])]
        sizes = range(1, min(depth, len(telling)) + 1)
        return [chosen for size in sizes for chosen in combinations(telling, size)]

    def cuboids(self, values: Matrix, wanted: Iterable[Chosen]) -> Iterator[Cuboid]:
        """The cuboids of the sets of dimensions, in any order, with sums of the leaves' `values (leaves, columns)`.

        Those without elements are left out. Sums that are to be the same however they are added up need values of
        which sums are exact.
        """
        wanted = list(wanted)
        named = sorted({dimension for chosen in wanted for dimension in chosen})
        rows = _Rows(tuple(named), [self.codes[:, dimension] for dimension in named], values)
        yield from self._told(rows, wanted)

    def _told(self, rows: _Rows, wanted: Sequence[Chosen]) -> Iterator[Cuboid]:
        sizes = {
            dimension: len(self.names[dimension]) + 1 for chosen in wanted for dimension in chosen
        }
        first, rest = _shared(sizes, rows, wanted)
        for chosen, some in first:
            yield from self._told(self._added_up(rows, chosen), some)
        for chosen in rest:
            cuboid = self._added_up(rows, chosen).cuboid()
            if len(cuboid.attributes):
                yield cuboid

    def _added_up(self, rows: _Rows, chosen: Chosen) -> _Rows:
        """Rows by some of their dimensions only, a missing attribute like any other."""
        if chosen == rows.dimensions and rows.are_apart:
            return rows
        sizes = [len(self.names[dimension]) + 1 for dimension in chosen]
        key = np.zeros(len(rows.values), np.int64)
        for dimension, size in zip(chosen, sizes, strict=True):
            key *= size
            key += rows.codes[rows.dimensions.index(dimension)]
            key += 1
        possible = math.prod(sizes)
        if possible <= TABLE:
            there = np.zeros(possible, np.bool_)
            there[key] = True
            elements = np.flatnonzero(there)
            places = np.empty(possible, np.int32)
            places[elements] = np.arange(len(elements), dtype=np.int32)
            members = places[key]
        else:
            elements, inverse = np.unique(key, return_inverse=True)
            members = inverse.astype(np.int32)
        codes: list[Codes] = []
        left = elements
        for size in reversed(sizes):
            left, code = np.divmod(left, size)
            codes.insert(0, code - 1)
        # A column for each row, with one entry.
        each = np.arange(len(key) + 1, dtype=np.int32)
        belongs = csc_array(
            (np.ones(len(key)), members, each),
            shape=(len(elements), len(key)),
        )
        return _Rows(chosen, codes, belongs @ rows.values, are_apart=True)

    def named(self, dimensions: Sequence[int], attributes: Sequence[int]) -> dict[str, str]:
        """The attributes of an element by name."""
        return {
            self.dimensions[dimension]: str(self.names[dimension][code])
            for dimension, code in zip(dimensions, attributes, strict=True)
        }

    def agreeing(self, dimensions: Sequence[int], attributes: Sequence[int]) -> Codes:
        """How many of an element's attributes each leaf `(leaves)` has."""
        agreeing = np.zeros(len(self.codes), np.int64)
        for dimension, code in zip(dimensions, attributes, strict=True):
            agreeing += self.codes[:, dimension] == code
        return agreeing


@dataclass(frozen=True)
class _Rows:
    """Leaves, or what they add up to: the codes of each dimension, and the values `(rows, columns)`."""

    dimensions: Chosen
    codes: Sequence[Codes]
    values: Matrix
    # Whether no two rows have all codes in common, and they are in the order of them.
    are_apart: bool = False

    def cuboid(self) -> Cuboid:
        attributes = np.stack(self.codes, axis=1)
        is_whole = (attributes >= 0).all(axis=1)
        return Cuboid(self.dimensions, attributes[is_whole], self.values[is_whole])


def _shared(
    sizes: dict[int, int], rows: _Rows, wanted: Sequence[Chosen]
) -> tuple[list[tuple[Chosen, list[Chosen]]], list[Chosen]]:
    """What to add up first, with the sets that are told from each; and the sets that are told from the rows themselves.

    Work is counted in rows that are read. One after the other is chosen what saves most of it, as long as any does;
    how many rows it comes to is at most how many combinations could be.
    """
    count, dimensions = len(rows.values), sorted(sizes)
    if count < MANY:
        return [], list(wanted)
    deepest = min(max(map(len, wanted), default=0) + BEYOND, len(dimensions))
    tried = [
        chosen
        for size in range(2, deepest + 1)
        for chosen in combinations(dimensions, size)
        if not (rows.are_apart and chosen == rows.dimensions)
        and math.prod(sizes[each] for each in chosen) < count
    ]
    most = np.array([math.prod(sizes[each] for each in chosen) for chosen in tried], np.float64)
    holds = np.array(
        [[set(one) <= set(chosen) for one in wanted] for chosen in tried], np.bool_
    ).reshape(len(tried), len(wanted))
    places = {chosen: place for place, chosen in enumerate(wanted)}
    own = np.array([places.get(chosen, -1) for chosen in tried], np.int64)
    is_left = np.ones(len(wanted), np.bool_)
    found = []
    while tried:
        told = holds @ is_left.astype(np.float64)
        # What is wanted itself is read off, and not added up again.
        is_wanted = (own >= 0) & is_left[own]
        saved = (told - 1) * count - (told - is_wanted) * most
        best = int(saved.argmax())
        if saved[best] <= 0:
            break
        some = np.flatnonzero(holds[best] & is_left)
        is_left[some] = False
        found.append((tried[best], [wanted[place] for place in some.tolist()]))
    return found, [wanted[place] for place in np.flatnonzero(is_left).tolist()]


def _coded(column: pd.Series) -> tuple[Codes, npt.NDArray[np.object_]]:
    codes, names = pd.factorize(column)
    text = np.array([str(name) for name in names], dtype=object)
    # Numbers and their text may come mixed; equal text is one attribute.
    ordered, places = np.unique(text.astype(str), return_inverse=True)
    return np.where(codes >= 0, places[codes] if len(places) else -1, -1), ordered.astype(object)
