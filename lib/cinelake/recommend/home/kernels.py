"""The loops of pages, compiled (Numba): what is taken next depends on all that was taken before.

All work in place, profile by profile, on arrays of a tile of profiles (making.py). They are compiled for the types they
are called with when they are first called, and kept on disk beside this file where it is on one.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar, cast

import numpy as np
from numba import njit

from cinelake.recommend.scoring import Matrix

F = TypeVar("F", bound=Callable[..., object])
# A file inside an archive, as `--py-files cinelake.zip` has it, has no place beside it.
KEPT = Path(__file__).is_file()


def compiled(loop: F) -> F:
    """The same function, compiled when it is first called."""
    return cast(F, njit(loop, cache=KEPT, nogil=True))


@compiled
def filled(best: Matrix, first: Matrix, shelves: Matrix, titles: Matrix) -> None:
    """Put the titles of each profile `(profiles, best)` into the rows of `titles (profiles, rows, width)`, in order.

    Title `t` belongs to the rows `shelves[first[t]:first[t + 1]]`. What is left of a row stays as it is.
    """
    profiles, rows, width = titles.shape
    count = np.zeros(rows, np.int64)
    for profile in range(profiles):
        count[:] = 0
        for title in best[profile]:
            if title < 0:
                break
            for at in range(first[title], first[title + 1]):
                row = shelves[at]
                if count[row] < width:
                    titles[profile, row, count[row]] = title
                    count[row] += 1


@compiled
def ordered(worth: Matrix, order: Matrix) -> None:
    """Put into `order` the cells of each row by their worth `(profiles, rows, width)`, the best first; equals as they
    came. Rows come nearly in order, so each cell finds its place among those before it.
    """
    profiles, rows, width = worth.shape
    for profile in range(profiles):
        for row in range(rows):
            for cell in range(width):
                value, place = worth[profile, row, cell], cell
                while place > 0 and worth[profile, row, order[profile, row, place - 1]] < value:
                    order[profile, row, place] = order[profile, row, place - 1]
                    place -= 1
                order[profile, row, place] = cell


@compiled
def composed(
    titles: Matrix,
    chances: Matrix,
    offered: tuple[Matrix, Matrix, Matrix, Matrix],
    tastes: Matrix,
    genres: tuple[Matrix, Matrix, Matrix],
    looked_at: tuple[Matrix, Matrix],
    diversity: float,
    preferred: Matrix,
    pages: Matrix,
    slots: Matrix,
) -> None:
    """`compose` (compose.py), into `pages (profiles, places)` and `slots (profiles, places, cells)`, filled with −1.

    `offered` are the kinds of rows, the fewest titles of each, the most rows of each kind, and whether a kind always
    has one; `genres` are those of title `t` at `[first[t]:first[t + 1]]`, `first, genre, share`.
    """
    profiles, rows, _ = titles.shape
    kinds, least, most, always = offered
    theta, phi = looked_at
    places, cells = slots.shape[1], slots.shape[2]
    # The number of the place, counted over all profiles, at which a title was used last.
    used = np.zeros(len(genres[0]) - 1, np.int64)
    worth, more = np.zeros(rows), np.zeros((rows, tastes.shape[1]))
    count, waits = np.zeros(rows, np.int64), np.zeros(len(most), np.bool_)
    for profile in range(profiles):
        begin, covered, left = profile * places, np.zeros(tastes.shape[1]), most.copy()
        is_stale, is_taken = np.ones(rows, np.bool_), np.zeros(rows, np.bool_)
        for place in range(places):
            _refreshed(
                (titles[profile], chances[profile]),
                (is_taken, is_stale),
                (used, begin, phi, cells),
                genres,
                (worth, count, more),
            )
            may_stand = ~is_taken & (left[kinds] > 0) & (count >= least)
            waits[:] = False
            waits[kinds[may_stand]] = True
            waits &= always & (left == most)
            # The last places belong to the kinds that a page always has.
            if waits.sum() >= places - place:
                may_stand &= waits[kinds]
            if place < len(preferred):
                goes_first = may_stand & (kinds == preferred[place])
                may_stand = goes_first if goes_first.any() else may_stand
            chosen, greatest = -1, -np.inf
            for row in range(rows):
                if not may_stand[row]:
                    continue
                value = theta[place] * worth[row]
                if diversity > 0:
                    value += diversity * _covering(
                        theta[place], more[row], covered, tastes[profile]
                    )
                if value > greatest:
                    chosen, greatest = row, value
            if chosen < 0:
                break
            pages[profile, place] = chosen
            is_taken[chosen] = True
            left[kinds[chosen]] -= 1
            covered += theta[place] * more[chosen]
            _taken(titles[profile], chosen, used, begin, place, slots[profile, place], is_stale)


@compiled
def _refreshed(
    row_titles: tuple[Matrix, Matrix],
    state: tuple[Matrix, Matrix],
    page: tuple[Matrix, int, Matrix, int],
    genres: tuple[Matrix, Matrix, Matrix],
    found: tuple[Matrix, Matrix, Matrix],
) -> None:
    """Look over the rows of which titles have been taken since."""
    (titles, chances), (is_taken, is_stale), (used, begin, phi, cells) = row_titles, state, page
    worth, count, more = found
    for row in range(len(titles)):
        if is_stale[row] and not is_taken[row]:
            own = titles[row], chances[row]
            worth[row], count[row] = _looked_over(own, used, begin, phi, cells, genres, more[row])
            is_stale[row] = False


@compiled
def _looked_over(
    own: tuple[Matrix, Matrix],
    used: Matrix,
    begin: int,
    phi: Matrix,
    cells: int,
    genres: tuple[Matrix, Matrix, Matrix],
    more: Matrix,
) -> tuple[float, int]:
    """What a row is worth as it is now, what is free of it moved up, and how many titles that are; its genres into
    `more`.
    """
    (titles, chances), (first, genre, share) = own, genres
    worth, count = 0.0, 0
    more[:] = 0.0
    for cell in range(len(titles)):
        title = titles[cell]
        if title < 0 or count == cells:
            break
        if used[title] <= begin:
            worth += phi[count] * chances[cell]
            for at in range(first[title], first[title + 1]):
                more[genre[at]] += phi[count] * share[at]
            count += 1
    return worth, count


@compiled
def _covering(theta: float, more: Matrix, covered: Matrix, taste: Matrix) -> float:
    """What a row adds to having something of all that a profile likes."""
    found = 0.0
    for genre in range(len(covered)):
        if more[genre] > 0:
            found += taste[genre] * np.log1p(theta * more[genre] / (1 + covered[genre]))
    return found


@compiled
def _taken(
    titles: Matrix,
    chosen: int,
    used: Matrix,
    begin: int,
    place: int,
    slots: Matrix,
    is_stale: Matrix,
) -> None:
    """Use the titles of the chosen row, and mark the rows that hold one of them."""
    rows, width = titles.shape
    number = 0
    for cell in range(width):
        title = titles[chosen, cell]
        if title < 0 or number == len(slots):
            break
        if used[title] <= begin:
            used[title] = begin + place + 1
            slots[number] = cell
            number += 1
    for row in range(rows):
        for cell in range(width):
            title = titles[row, cell]
            if title < 0:
                break
            if used[title] == begin + place + 1:
                is_stale[row] = True
                break
