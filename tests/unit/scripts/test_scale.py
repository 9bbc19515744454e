"""What `make scale` makes of costs that were measured."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from growth import Growth, fitted
from scale import JobCost, Measured, growths, page, steep

SIZES = (150, 450, 1500)


@given(
    fixed=st.floats(1, 50),
    last=st.floats(50, 5000),
    power=st.floats(0.5, 1.9),
)
def test_the_power_of_a_cost_is_found_beneath_what_is_fixed(
    fixed: float, last: float, power: float
) -> None:
    slope = last / SIZES[-1] ** power
    costs = [fixed + slope * n**power for n in SIZES]
    assume(costs[-1] > 3 * costs[0])
    growth = fitted(SIZES, costs)
    assert growth.power == pytest.approx(power, abs=0.06)
    if power > 1.06:
        assert growth.at(15_000) == pytest.approx(fixed + slope * 15_000**power, rel=0.2)


def test_what_did_not_grow_has_no_power() -> None:
    growth = fitted(SIZES, [20.0, 19.0, 21.5])
    assert growth == Growth(pytest.approx(20.17, abs=0.01), 0.0, None)
    assert growth.at(1e9) == growth.fixed


def test_of_what_is_mostly_fixed_no_power_is_told() -> None:
    growth = fitted(SIZES, [62.0, 66.0, 90.0])
    assert (growth.power, growth.is_told) == (1.0, False)
    assert growth.at(1500) == pytest.approx(90, rel=0.05)


def test_what_grew_slower_than_its_rows_is_extrapolated_as_if_it_had_kept_up() -> None:
    growth = fitted(SIZES, [0.4 * n**0.7 for n in SIZES])
    assert growth.power == pytest.approx(0.7, abs=0.02)
    assert growth.at(2e6) - growth.fixed == pytest.approx(2 * (growth.at(1e6) - growth.fixed))


def test_two_sizes_tell_nothing() -> None:
    with pytest.raises(ValueError, match="2 sizes tell no power; measure three or more"):
        fitted((1, 1, 3), (1, 1, 2))


def test_the_page_names_what_grows_too_fast_and_what_the_driver_does_alone() -> None:
    found = [
        Measured(
            n,
            {
                "even": JobCost(2 + 0.1 * n, 2.0, 1.0, 10),
                "pairs": JobCost(0.0001 * n**2, 1.0, 1.0, 5_000_000, 3_000_000),
                "collects": JobCost(3 + 0.1 * n, 3 + 0.05 * n, 1.0, 10),
            },
            {"plays": 4_000 * n},
            9_000 * n,
        )
        for n in SIZES
    ]
    lines = page(found, 14, date(2026, 5, 1), "--accounts 50").splitlines()
    assert lines[2].startswith(
        'Measured on 2026-05-01 by `make scale ARGS="--accounts 50"`: all jobs'
    )
    [first, second, third, fourth] = [line for line in lines if line.startswith("- ")]
    assert first == "- Jobs that grow faster than n^1.15: `pairs` (2.00)."
    assert "takes longer the more profiles there are: `collects` (1.00). A cluster" in second
    assert third.endswith("`pairs` 5.0 MB, `collects` 10 B and `even` 10 B.")
    assert lines[lines.index(fourth) + 1 :] == [
        "  - `collects`: 75.0 s of tasks, the longest 1.0 s, nothing spilled, 78.0 s of the driver alone.",
        "  - `pairs`: 224.0 s of tasks, the longest 1.0 s, 3.0 MB spilled, 1.0 s of the driver alone.",
    ]
    assert steep(growths(found)) == ["`pairs` (2.00)"]
    [million] = [line for line in lines if line.startswith("| 1 million ")]
    assert million.endswith("| 4.0 GB | 9.0 GB |")
    jobs = [line.split(" ")[1] for line in lines if line.startswith("| `")]
    assert jobs == ["`pairs`", "`collects`", "`even`"]
