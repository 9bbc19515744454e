"""The compiled loops find what a plain sort finds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cinelake.recommend.home import candidates

SEEDS = st.integers(0, 2**32 - 1)


def crowd(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Odds with equals among them, what is open, and what has been seen."""
    rng = np.random.default_rng(seed)
    titles = int(rng.integers(1, 60))
    odds = rng.choice(rng.normal(-3, rng.choice([0.0, 1.0, 1e4]), 40), (3, titles))
    return odds.astype(np.float32), rng.random(titles) < 0.8, rng.random((3, titles)) < 0.2


def plain(odds: np.ndarray, is_there: np.ndarray, count: int) -> list[int]:
    """By a stable sort, filled up with −1."""
    positions = np.flatnonzero(is_there)
    found = positions[np.argsort(-odds[positions], kind="stable")][:count].tolist()
    return [*found, *[-1] * (count - len(found))]


@settings(max_examples=80, deadline=None)
@given(SEEDS, st.integers(1, 50))
def test_the_best_titles_are_those_of_a_stable_sort(seed: int, count: int) -> None:
    odds, is_open, seen = crowd(seed)
    found = np.full((3, count), -1, np.int32)
    candidates.best(odds, is_open, seen, found)
    assert found.tolist() == [plain(odds[n], is_open & ~seen[n], count) for n in range(3)]


@settings(max_examples=80, deadline=None)
@given(SEEDS)
def test_a_shelf_that_adds_something_has_its_best_by_both(seed: int) -> None:
    odds, is_open, seen = crowd(seed)
    rng = np.random.default_rng(seed)
    members = rng.permutation(odds.shape[1])[: rng.integers(0, 30)].astype(np.int32)
    more = rng.choice([0.0, 0.5, 2.0], len(members)).astype(np.float32)
    titles, added = np.full((3, 2, 8), -1, np.int32), np.zeros((3, 2, 8), np.float32)
    candidates.blended(odds, is_open, seen, (members, more), 1, titles, added)
    assert (titles[:, 0] == -1).all()
    for n in range(3):
        own = plain(odds[n, members] + more, (is_open & ~seen[n])[members], 8)
        assert titles[n, 1].tolist() == [members[at] if at >= 0 else -1 for at in own]
        assert added[n, 1].tolist() == [more[at] if at >= 0 else 0.0 for at in own]


@settings(max_examples=80, deadline=None)
@given(SEEDS)
def test_rows_stand_in_the_order_of_what_their_titles_are_worth_then(seed: int) -> None:
    rng = np.random.default_rng(seed)
    odds, here = rng.normal(size=(2, 20)).astype(np.float32), rng.normal(size=20).astype(np.float32)
    titles = np.stack([[rng.permutation(20)[:6] for _ in range(3)] for _ in range(2)]).astype(
        np.int32
    )
    titles[np.arange(6) >= rng.integers(0, 7, (2, 3, 1))] = -1
    added = rng.choice([0.0, 1.0], titles.shape).astype(np.float32)
    told = np.where(rng.random(titles.shape) < 0.3, 0.5, np.nan).astype(np.float32)
    places = rng.integers(0, 9, titles.shape).astype(np.int32)
    found = np.empty_like(titles), np.empty_like(told), np.empty_like(places)
    candidates.arranged((titles, added, told, places), odds, here, found)
    for profile in range(2):
        worth = odds[profile] + here
        for row in range(3):
            own = titles[profile, row]
            own = own[own >= 0]
            cells = slice(0, len(own))
            value = np.where(
                np.isnan(told[profile, row, cells]), worth[own], told[profile, row, cells]
            )
            order = np.argsort(-(value + added[profile, row, cells]), kind="stable")
            assert found[0][profile, row].tolist() == [*own[order], *[-1] * (6 - len(own))]
            assert found[1][profile, row, cells] == pytest.approx(value[order])
            assert (
                found[2][profile, row, cells].tolist()
                == places[profile, row, cells][order].tolist()
            )
