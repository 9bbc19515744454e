"""How surprising bad hours are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import betabinom, binom, chi2

from cinelake.qoe.chances import MOST, surprise, together
from cinelake.qoe.live.settings import Watching


def of(bad: float, total: float, rate: float, spread: float) -> float:
    return float(
        surprise(*(np.array([value], dtype=np.float64) for value in (bad, total, rate, spread)))[0]
    )


@given(st.integers(1, 400), st.floats(0.001, 0.6), st.data())
def test_without_correlation_it_is_a_binomials_tail(
    total: int, rate: float, data: st.DataObject
) -> None:
    bad = data.draw(st.integers(1, total))
    exact = -binom.logsf(bad - 1, total, rate) / np.log(10)
    assert of(bad, total, rate, 0.0) == pytest.approx(min(exact, MOST), rel=1e-6, abs=1e-9)


@pytest.mark.parametrize(
    ("total", "rate", "spread"), [(40, 0.02, 0.02), (200, 0.1, 0.05), (1000, 0.01, 0.01)]
)
def test_with_correlation_it_is_near_a_beta_binomials_and_never_far_too_sure(
    total: int, rate: float, spread: float
) -> None:
    strength = 1 / spread - 1
    law = betabinom(total, rate * strength, (1 - rate) * strength)
    for bad in (int(law.ppf(0.99)), int(law.ppf(0.999)), int(law.ppf(0.9999))):
        exact = -np.log10(law.sf(bad - 1))
        assert of(bad, total, rate, spread) == pytest.approx(exact, rel=0.35)


def test_nothing_bad_is_no_surprise_and_everything_bad_is_bounded() -> None:
    assert of(0, 100, 0.1, 0.01) == 0
    assert of(0, 0, 0.1, 0.01) == 0
    assert of(1e6, 1e6, 1e-4, 1e-6) == MOST


@given(st.floats(0, 60), st.floats(0, 60))
def test_two_hours_are_taken_together_by_fishers_method(one: float, other: float) -> None:
    exact = -chi2.logsf(2 * np.log(10) * (one + other), 4) / np.log(10)
    assert together(np.array([one]), np.array([other]))[0] == pytest.approx(exact, abs=1e-9)


def test_sixty_looks_at_a_quiet_hour_alarm_no_more_often_than_the_budget_says() -> None:
    dice, hours, rate, threshold = np.random.default_rng(5), 20_000, 0.02, 2.0
    total = dice.poisson(400 / 60, (hours, 60))
    bad = dice.binomial(total, rate).cumsum(axis=1).astype(float)
    seen = total.cumsum(axis=1).astype(float)
    often, alone = np.full(hours, rate), np.zeros(hours)
    looks = np.stack([surprise(bad[:, n], seen[:, n], often, alone) for n in range(60)], axis=1)
    budget = hours * 10**-threshold
    is_over = looks[:, -1] >= threshold
    # One look keeps to it; the luckiest of sixty does not, nor would it, were two in a row asked for.
    assert is_over.sum() <= budget
    assert (looks.max(axis=1) >= threshold).sum() > 3 * budget
    assert (np.minimum(looks[:, 1:], looks[:, :-1]).max(axis=1) >= threshold).sum() > 2 * budget
    goes_on = (looks[:, :-1] >= threshold + np.log10(Watching().looks)).any(axis=1)
    assert (goes_on | is_over).sum() <= budget
