"""Classes of taste are found again from choices, and a step of the fit is uphill."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import csr_array

from cinelake.recommend.taste_classes import Classes, Evidence, Sums

TITLES, LENGTH = 40, 12
# The second market has not got the first quarter of the titles.
OFFERED = np.ones((2, TITLES))
OFFERED[1, :10] = 1e-3


def service(profiles: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Choices with two tastes, one for even and one for odd titles; their markets and classes."""
    drawn = np.random.default_rng(3)
    taste, market = np.arange(profiles) % 2, np.arange(profiles) // 2 % 2
    # In each market the first titles are wanted most.
    wanted = np.linspace(2, 0, TITLES) + 2.5 * (np.arange(TITLES) % 2 == taste[:, None])
    odds = np.exp(wanted) * (OFFERED[market] > 0.5)
    luck = drawn.gumbel(size=odds.shape)
    first = np.argsort(-(np.log(np.maximum(odds, 1e-9)) + luck), axis=1)[:, :LENGTH]
    chosen = np.zeros(odds.shape)
    np.put_along_axis(chosen, first, 1.0, axis=1)
    return chosen, market, taste


def start(chosen: np.ndarray, offered: np.ndarray) -> Classes:
    return Classes.at_random(chosen.sum(axis=0), offered, 6, 2, 2.0, seed=1)


def summed(found: Classes, chosen: np.ndarray, market: np.ndarray) -> Sums:
    posteriors = Evidence.of(found).posteriors(csr_array(chosen), market)
    lengths = posteriors * chosen.sum(axis=1, keepdims=True)
    of_market = np.stack([lengths[market == m].sum(axis=0) for m in range(len(found.offered))])
    return Sums(posteriors.T @ chosen, of_market, posteriors.sum(axis=0))


def fitted(chosen: np.ndarray, market: np.ndarray, offered: np.ndarray, rounds: int) -> Classes:
    found = start(chosen, offered)
    for _ in range(rounds):
        found = found.better(summed(found, chosen, market))
    return found


def objective(found: Classes, chosen: np.ndarray, market: np.ndarray) -> float:
    """The log-likelihood and the priors, by the definition."""
    odds = np.exp(found.classes @ found.titles.T + found.offsets) * found.offered[market][:, None]
    chance = odds / odds.sum(axis=2, keepdims=True)
    of_class = np.einsum("pt,pct->pc", chosen, np.log(chance)) + np.log(found.shares)
    priors = found.penalty * (found.titles**2).sum() + (found.classes**2).sum()
    return float(np.logaddexp.reduce(of_class, axis=1).sum() - priors / 2)


def test_posteriors_are_by_bayes_rule() -> None:
    chosen, market, _ = service(20)
    found = start(chosen, OFFERED)
    odds = np.exp(found.utilities)[None] * OFFERED[market][:, None]
    likelihood = np.prod((odds / odds.sum(axis=2, keepdims=True)) ** chosen[:, None], axis=2)
    expected = likelihood * found.shares
    expected /= expected.sum(axis=1, keepdims=True)
    assert Evidence.of(found).posteriors(csr_array(chosen), market) == pytest.approx(expected)


def test_each_round_makes_the_fit_better() -> None:
    chosen, market, _ = service(400)
    found = start(chosen, OFFERED)
    reached = [objective(found, chosen, market)]
    for _ in range(12):
        found = found.better(summed(found, chosen, market))
        reached.append(objective(found, chosen, market))
    assert (np.diff(reached) > 0).all()


def test_tastes_are_found_again() -> None:
    chosen, market, taste = service(600)
    found = fitted(chosen[:500], market[:500], OFFERED, 15)
    posteriors = Evidence.of(found).posteriors(csr_array(chosen[500:]), market[500:])
    odds = np.exp(found.utilities)
    chances = posteriors @ (odds / odds.sum(axis=1, keepdims=True))
    odd = chances[:, 1::2].sum(axis=1)
    assert ((odd > 0.5) == (taste[500:] == 1)).mean() > 0.95


def test_a_title_that_is_not_everywhere_is_worth_what_it_is_where_it_is() -> None:
    chosen, market, _ = service(600)

    def ahead(offered: np.ndarray) -> float:
        """How far the titles that one market has not got are ahead of as many that both have."""
        offsets = fitted(chosen, market, offered, 15).offsets
        return float(offsets[:10].mean() - offsets[10:20].mean())

    # By the truth 0.51, less what is lost because nobody chooses a title twice.
    assert ahead(OFFERED) == pytest.approx(0.4, abs=0.15)
    assert ahead(np.ones_like(OFFERED)) < 0.0


def test_a_profile_of_no_known_market_is_judged_by_what_is_on_offer_on_average() -> None:
    chosen, market, _ = service(20)
    found = start(chosen, OFFERED)
    average = replace(found, offered=OFFERED.mean(axis=0, keepdims=True))
    nowhere = Evidence.of(found).posteriors(csr_array(chosen), np.full(20, -1))
    assert nowhere == pytest.approx(Evidence.of(average).posteriors(csr_array(chosen), market * 0))
