"""A place becomes its hexagon, and of the hexagon stays the middle."""

from __future__ import annotations

import re

import h3
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cinelake.behaviour.places import RESOLUTION, cells, middles
from cinelake.integrity.journeys import TravelRules
from cinelake.tables.behaviour import LOG_INS
from cinelake.tables.contract import Matches

NONE = [None, None]
(PATTERN,) = (check.pattern for check in LOG_INS.checks if isinstance(check, Matches))


def of(*places: tuple[float | None, float | None]) -> pa.Array:
    lat, lon = (pa.array([place[axis] for place in places], pa.float64()) for axis in (0, 1))
    return cells(lat, lon)


def test_a_place_becomes_its_cell_and_half_a_place_none() -> None:
    found = of((52.674, 13.272), (52.52, 13.4), (-33.9, 151.2), (None, 1.0), (1.0, None))
    assert found.to_pylist() == ["831f1dfffffffff"] * 2 + ["83be0efffffffff"] + NONE
    assert of().to_pylist() == []


def test_a_cell_knows_no_date_line() -> None:
    assert len({*of((-17.0, 180.0), (-17.0, -180.0), (-17.0, 179.99)).to_pylist()}) == 1


@given(st.lists(st.tuples(st.floats(-90, 90), st.floats(-180, 180)), min_size=1, max_size=20))
def test_each_place_lies_near_the_middle_of_a_coarse_cell_that_the_contract_takes(
    places: list[tuple[float, float]],
) -> None:
    found = of(*places)
    latitude, longitude = (column.to_pylist() for column in middles(found))
    for place, cell, *middle in zip(places, found.to_pylist(), latitude, longitude, strict=True):
        assert h3.get_resolution(cell) == RESOLUTION
        assert re.fullmatch(PATTERN, cell)
        assert h3.great_circle_distance(place, middle) <= TravelRules().uncertain_km + 5


def test_middles_stand_beside_their_cells_and_nothing_beside_nothing() -> None:
    latitude, longitude = middles(pa.array(["831f1dfffffffff", None, "8326cbfffffffff"]))
    assert latitude.to_pylist() == [52.932, None, 32.238]
    assert longitude.to_pylist() == [13.879, None, -96.951]


def test_what_is_no_cell_is_named() -> None:
    with pytest.raises(ValueError, match=r"'N52E013' is no cell of H3; log-ins .* built again"):
        middles(pa.array(["831f1dfffffffff", "N52E013"]))
