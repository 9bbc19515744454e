"""Sums over the cube are those of plain groupings."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cinelake.qoe.localisation import cube as cubes
from cinelake.qoe.localisation.cube import Cube
from cinelake.qoe.localisation.evidence import GRAIN, LIFTS, Counts, evidence
from cinelake.qoe.localisation.settings import Scan

DIMENSIONS = ["a", "b", "c", "d"]
ATTRIBUTE = st.sampled_from(["x", "y", "z", None])
LEAF = st.tuples(ATTRIBUTE, ATTRIBUTE, ATTRIBUTE, ATTRIBUTE, st.integers(0, 9))


@pytest.mark.parametrize("many", [2**15, 0], ids=["from leaves", "from sums"])
@pytest.mark.parametrize("table", [2**24, 0], ids=["table", "sorted"])
@settings(deadline=None, max_examples=100)
@given(rows=st.lists(LEAF, min_size=1, max_size=30), copies=st.sampled_from([1, 20]))
def test_elements_and_sums_are_those_of_groupings(
    many: int,
    table: int,
    rows: list[tuple[str | None, str | None, str | None, str | None, int]],
    copies: int,
) -> None:
    frame = pd.DataFrame(rows * copies, columns=[*DIMENSIONS, "value"])
    cube = Cube.of(frame, DIMENSIONS)
    found = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cubes, "TABLE", table)
        patch.setattr(cubes, "MANY", many)
        for cuboid in cube.cuboids(frame[["value"]].to_numpy(float), cube.choices(3)):
            in_order = [tuple(each) for each in cuboid.attributes.tolist()]
            assert in_order == sorted(set(in_order))
            for attributes, total in zip(cuboid.attributes, cuboid.sums[:, 0], strict=True):
                named = cube.named(cuboid.dimensions, attributes)
                found[tuple(named.items())] = total
    expected = {}
    telling = [name for name in DIMENSIONS if frame[name].nunique(dropna=False) > 1]
    for size in (1, 2, 3):
        for chosen in combinations(telling, size):
            grouped = frame.dropna(subset=list(chosen)).groupby(list(chosen))["value"].sum()
            for key, total in grouped.items():
                # A grouping by one column tells its keys bare.
                expected[tuple(zip(chosen, key if size > 1 else (*key,), strict=True))] = total
    assert found == expected


def test_many_leaves_are_read_seldom() -> None:
    """Of four attributes in each of five dimensions, 25 sums are wanted: all leaves need not be read for each."""
    random = np.random.default_rng(5)
    dimensions = list("abcde")
    frame = pd.DataFrame({name: random.integers(0, 4, 100_000) for name in dimensions})
    cube = Cube.of(frame, dimensions)
    read = []
    with pytest.MonkeyPatch.context() as patch:
        added_up = Cube._added_up
        patch.setattr(
            Cube,
            "_added_up",
            lambda self, rows, chosen: (
                read.append(len(rows.values)) or added_up(self, rows, chosen)
            ),
        )
        found = list(cube.cuboids(np.ones((len(frame), 1)), cube.choices(3)))
    assert len(found) == 25
    assert all(cuboid.sums.sum() == len(frame) for cuboid in found)
    assert read.count(len(frame)) == 1


def test_numbers_and_their_text_are_one_attribute() -> None:
    frame = pd.DataFrame({"a": [5, "5", None, 7]}, dtype=object)
    cube = Cube.of(frame, ["a"])
    assert cube.codes[:, 0].tolist() == [0, 0, -1, 1]
    assert cube.names[0].tolist() == ["5", "7"]


def test_evidence_is_for_the_lift_there_was() -> None:
    def of(bad: int) -> np.ndarray:
        counts = Counts(*(np.array([value], float) for value in (bad, 1000, 200, 10_000)))
        return evidence(counts, Scan())[0]

    as_ever, fivefold = of(20), of(100)
    assert (as_ever < 0).all()
    assert LIFTS[fivefold.argmax()] == pytest.approx(5, rel=0.15)
    assert fivefold.max() > 5


def test_a_leaf_of_any_size_can_tell_only_so_much() -> None:
    def of(size: int) -> float:
        counts = Counts(*(np.array([value * size], float) for value in (60, 1000, 200, 10_000)))
        return float(evidence(counts, Scan()).max())

    assert of(1) < of(10) < of(100)
    assert of(10_000) < 1.2 * of(100)


def test_sums_of_evidence_are_exact() -> None:
    random = np.random.default_rng(3)
    total = random.integers(0, 5000, 2000).astype(float)
    counts = Counts(
        random.binomial(total.astype(int), 0.1).astype(float), total, total * 0.02 // 1, total
    )
    told = evidence(counts, Scan())
    assert (told / GRAIN == np.round(told / GRAIN)).all()
    assert (told[::-1].sum(axis=0) == told.sum(axis=0)).all()
    assert (told[total == 0] == 0).all()
