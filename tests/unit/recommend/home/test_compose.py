"""The row that adds most comes first, no title stands twice, and a page has something of all that its profile likes."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from cinelake.recommend.home.compose import Candidates, Grid, Pages, RowOffers, compose

FLAT = np.ones(40), np.ones(100)


def offers(
    kinds: list[int], most: int = 9, least: int = 1, always: tuple[int, ...] = ()
) -> RowOffers:
    of_kinds = max(kinds) + 1
    return RowOffers(
        np.array(kinds),
        np.full(len(kinds), least),
        np.full(of_kinds, most),
        np.isin(np.arange(of_kinds), always),
    )


def composed(
    candidates: Candidates, of: RowOffers, tastes: Any, genres: Any, *more: Any, **named: Any
) -> Pages:
    return compose(candidates, of, tastes, csr_array(genres), *more, **named)


def shown(candidates: Candidates, pages: object, profile: int = 0) -> list[list[int]]:
    rows, slots = pages.rows[profile], pages.slots[profile]  # type: ignore[attr-defined]
    return [
        [int(candidates.titles[profile, row, cell]) for cell in cells if cell >= 0]
        for row, cells in zip(rows, slots, strict=True)
        if row >= 0
    ]


def one(rows: list[list[int]], odds: dict[int, float]) -> Candidates:
    width = max(map(len, rows))
    titles = np.array([[*row, *[-1] * (width - len(row))] for row in rows])[None]
    return Candidates(titles, np.vectorize(lambda title: odds.get(title, -9.0))(titles))


def test_rows_come_by_what_they_add_and_share_no_title() -> None:
    # The second row is the best; of the first, what remains without its titles is worth least.
    candidates = one([[0, 1], [0, 1, 2], [3, 4]], {0: 1.0, 1: 0.5, 2: 0.5, 3: -1.0, 4: -1.0})
    grid = Grid(rows=3, titles=3, diversity=0)
    found = composed(candidates, offers([0, 1, 2]), np.ones((1, 1)), np.ones((5, 1)), FLAT, grid)
    assert shown(candidates, found) == [[0, 1, 2], [3, 4]]


def test_what_is_free_moves_up_and_rows_too_short_are_left_out() -> None:
    candidates = one([[0, 1], [1, 2, 3], [4]], {0: 3.0, 1: 3.0, 2: 1.0, 3: 1.0, 4: 9.0})
    grid = Grid(rows=3, titles=2, diversity=0)
    found = composed(
        candidates, offers([0, 1, 2], least=2), np.ones((1, 1)), np.ones((5, 1)), FLAT, grid
    )
    assert shown(candidates, found) == [[0, 1], [2, 3]]


def test_a_kind_has_no_more_rows_than_it_may_and_one_can_come_first() -> None:
    candidates = one([[0], [1], [2], [3]], {0: 4.0, 1: 3.0, 2: 2.0, 3: 1.0})
    grid = Grid(rows=4, titles=2, diversity=0)
    of = offers([0, 0, 0, 1], most=2)
    found = composed(candidates, of, np.ones((1, 1)), np.ones((4, 1)), FLAT, grid)
    assert shown(candidates, found) == [[0], [1], [3]]
    found = composed(candidates, of, np.ones((1, 1)), np.ones((4, 1)), FLAT, grid, first=[1])
    assert shown(candidates, found) == [[3], [0], [1]]
    # A kind of which the profile has no row leaves its place to the next one.
    found = composed(candidates, of, np.ones((1, 1)), np.ones((4, 1)), FLAT, grid, first=[2, 1])
    assert shown(candidates, found) == [[3], [0], [1]]


def test_a_kind_that_pages_always_have_takes_the_last_place_if_it_is_worth_no_other() -> None:
    candidates = one([[0], [1], [2], [3], [4]], {0: 4.0, 1: 3.0, 2: 2.0, 3: 1.0, 4: 9.0})
    grid, of = Grid(rows=3, titles=1, diversity=0), offers([0, 0, 0, 1, 2], always=(1, 2))
    found = composed(candidates, of, np.ones((1, 1)), np.ones((5, 1)), FLAT, grid)
    assert shown(candidates, found) == [[4], [0], [3]]
    # One that has not enough titles waits for nothing.
    short = RowOffers(of.kinds, np.array([1, 1, 1, 2, 1]), of.most, of.always)
    found = composed(candidates, short, np.ones((1, 1)), np.ones((5, 1)), FLAT, grid)
    assert shown(candidates, found) == [[4], [0], [1]]


def test_what_is_to_come_first_comes_before_what_pages_always_have() -> None:
    candidates = one([[0], [1]], {0: 1.0, 1: 4.0})
    grid, of = Grid(rows=1, titles=1, diversity=0), offers([0, 1], always=(1,))
    found = composed(candidates, of, np.ones((1, 1)), np.ones((2, 1)), FLAT, grid, first=[0])
    assert shown(candidates, found) == [[0]]


def test_diversity_brings_up_what_else_the_profile_likes() -> None:
    # Two rows of one genre that are a little better than one of another.
    candidates = one([[0], [1], [2]], {0: 0.1, 1: 0.1, 2: 0.0})
    genres = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    both, only = np.array([[0.5, 0.5]]), np.array([[1.0, 0.0]])
    of, grid = offers([0, 1, 2]), Grid(rows=3, titles=1, diversity=0.5)
    assert shown(candidates, composed(candidates, of, both, genres, FLAT, grid)) == [[0], [2], [1]]
    assert shown(candidates, composed(candidates, of, only, genres, FLAT, grid)) == [[0], [1], [2]]


def value(candidates: Candidates, pages: object, tastes: np.ndarray, genres: np.ndarray, grid: Grid,
          theta: np.ndarray, phi: np.ndarray) -> float:  # fmt: skip
    """The objective, by its definition."""
    rows, slots = pages.rows[0], pages.slots[0]  # type: ignore[attr-defined]
    chosen, covered = 0.0, np.zeros(genres.shape[1])
    for place, row in enumerate(rows):
        for at, cell in enumerate(slots[place]):
            if row >= 0 and cell >= 0:
                weight = theta[place] * phi[at]
                chosen += weight * candidates.chances[0, row, cell]
                covered += weight * genres[candidates.titles[0, row, cell]]
    return float(chosen + grid.diversity * (tastes[0] * np.log1p(covered)).sum())


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_greedy_takes_at_each_place_the_row_that_adds_most(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows, width, titles, kinds = 5, 4, 9, 3
    drawn = np.stack([rng.permutation(titles)[:width] for _ in range(rows)])[None]
    drawn[np.arange(width) >= rng.integers(1, width + 1, (1, rows, 1))] = -1
    candidates = Candidates(drawn, rng.normal(-1, 1, titles)[drawn])
    genres = rng.dirichlet(np.ones(kinds), titles)
    tastes = rng.dirichlet(np.ones(kinds), 1)
    theta, phi = 0.8 ** np.arange(3), 0.7 ** np.arange(2)
    grid = Grid(rows=3, titles=2, diversity=0.3)
    of = offers([0, 1, 2, 3, 4])
    found = composed(candidates, of, tastes, genres, (theta, phi), grid)
    told = shown(candidates, found)
    flat = [title for row in told for title in row]
    assert len(flat) == len(set(flat))
    assert all(0 < len(row) <= 2 for row in told)

    # Swap the first row for any other, alone on its page: none is worth more.
    def alone(row: int) -> float:
        only = Candidates(candidates.titles[:, [row]], candidates.odds[:, [row]])
        single = Grid(rows=1, titles=2, diversity=0.3)
        page = composed(only, offers([0]), tastes, genres, (theta, phi), single)
        return value(only, page, tastes, genres, single, theta, phi)

    if told:
        assert alone(int(found.rows[0, 0])) >= max(map(alone, range(rows))) - 1e-9


def test_pages_do_not_depend_on_which_profiles_come_together() -> None:
    rng = np.random.default_rng(3)
    titles = np.stack([[rng.permutation(30)[:8] for _ in range(6)] for _ in range(7)])
    titles[np.arange(8) >= rng.integers(1, 9, (7, 6, 1))] = -1
    candidates = Candidates(titles, rng.normal(size=titles.shape))
    genres, tastes = rng.dirichlet(np.ones(4), 30), rng.dirichlet(np.ones(4), 7)
    grid, of = Grid(rows=4, titles=3), offers([0, 0, 1, 1, 2, 2], most=1)
    whole = composed(candidates, of, tastes, genres, FLAT, grid)
    for one_ in range(7):
        part = Candidates(candidates.titles[[one_]], candidates.odds[[one_]])
        page = composed(part, of, tastes[[one_]], genres, FLAT, grid)
        assert np.array_equal(page.rows[0], whole.rows[one_])
        assert np.array_equal(page.slots[0], whole.slots[one_])
