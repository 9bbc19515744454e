"""The loops of composition (compose.py): what is taken next depends on all that was taken before.

All work in place, profile by profile, on arrays of a tile of profiles (making.py): titles are int32, chances float32.
"""

from __future__ import annotations

import numpy as np

from cinelake.recommend.home.compiled import compiled
from cinelake.recommend.scoring import Matrix

# Less than any difference between rows that matters, and more than sums are off by rounding.
_ROUNDING = 1e-12


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
    kinds, least, most, _ = offered
    theta, phi = looked_at
    places, cells = slots.shape[1], slots.shape[2]
    # The number of the place, counted over all profiles, at which a title was used last.
    used = np.zeros(len(genres[0]) - 1, np.int64)
    worth, more = np.zeros(rows), np.zeros((rows, tastes.shape[1]))
    count, reach = np.zeros(rows, np.int64), np.zeros(rows, np.int64)
    bound, slope = np.zeros(rows), np.zeros(tastes.shape[1])
    covered, waits = np.zeros(tastes.shape[1]), np.zeros(len(most), np.bool_)
    is_stale, is_out, left = np.ones(rows, np.bool_), np.zeros(rows, np.bool_), most.copy()
    may_stand = np.zeros(rows, np.bool_)
    for profile in range(profiles):
        begin, asked = profile * places, 0
        covered[:], left[:], is_stale[:], is_out[:] = 0.0, most, True, False
        own = titles[profile], chances[profile]
        for place in range(places):
            for row in range(rows):
                is_out[row] |= left[kinds[row]] == 0
                if is_stale[row] and not is_out[row]:
                    worth[row], count[row], reach[row] = _looked_over(
                        (own[0][row], own[1][row]), used, begin, phi, cells, genres, more[row]
                    )
                    is_stale[row] = False
                may_stand[row] = not is_out[row] and count[row] >= least[row]
            is_first = False
            while asked < len(preferred) and not is_first:
                is_first = _first(may_stand, kinds, preferred[asked])
                asked += 1
            if not is_first:
                _narrowed(may_stand, offered, left, waits, places - place)
            for genre in range(len(slope)):
                slope[genre] = diversity * theta[place] * tastes[profile, genre]
                slope[genre] /= 1 + covered[genre]
            chosen = _greatest(
                may_stand, (theta[place], diversity), (worth, more, bound),
                (slope, covered, tastes[profile]),
            )  # fmt: skip
            if chosen < 0:
                break
            pages[profile, place] = chosen
            is_out[chosen] = True
            left[kinds[chosen]] -= 1
            for genre in range(len(covered)):
                covered[genre] += theta[place] * more[chosen, genre]
            _taken(own[0], chosen, used, begin, place, slots[profile, place])
            _marked(own[0], (is_out, is_stale, reach), used, begin + place + 1)


@compiled
def _narrowed(
    may_stand: Matrix,
    offered: tuple[Matrix, Matrix, Matrix, Matrix],
    left: Matrix,
    waits: Matrix,
    places: int,
) -> None:
    """The last places belong to the kinds that a page always has."""
    kinds, _, most, always = offered
    waits[:] = False
    number = 0
    for row in range(len(may_stand)):
        kind = kinds[row]
        if may_stand[row] and always[kind] and left[kind] == most[kind] and not waits[kind]:
            waits[kind] = True
            number += 1
    if number >= places:
        for row in range(len(may_stand)):
            may_stand[row] &= waits[kinds[row]]


@compiled
def _first(may_stand: Matrix, kinds: Matrix, preferred: int) -> bool:
    """Where a row of the preferred kind may stand, no other may; whether one may."""
    for row in range(len(may_stand)):
        if may_stand[row] and kinds[row] == preferred:
            may_stand &= kinds == preferred
            return True
    return False


@compiled
def _greatest(
    may_stand: Matrix,
    weights: tuple[float, float],
    rows: tuple[Matrix, Matrix, Matrix],
    profile: tuple[Matrix, Matrix, Matrix],
) -> int:
    """The row that adds most, of equals the first; −1 where none may stand.

    What a row adds is bounded by its tangent, for the logarithm is concave; so it is worked out for few.
    """
    (theta, diversity), (worth, more, bound), (slope, covered, taste) = weights, rows, profile
    likely, greatest, chosen = -1, -np.inf, -1
    for row in range(len(may_stand)):
        if not may_stand[row]:
            continue
        total = theta * worth[row]
        for genre in range(len(slope)):
            total += slope[genre] * more[row, genre]
        bound[row] = total
        if likely < 0 or total > bound[likely]:
            likely = row
    if likely < 0 or diversity == 0:
        return likely
    greatest = theta * worth[likely] + diversity * _covering(theta, more[likely], covered, taste)
    chosen = likely
    for row in range(len(may_stand)):
        if not may_stand[row] or row == likely or bound[row] < greatest - _ROUNDING:
            continue
        value = theta * worth[row] + diversity * _covering(theta, more[row], covered, taste)
        if value > greatest or (value == greatest and row < chosen):
            chosen, greatest = row, value
    return chosen


@compiled
def _looked_over(
    own: tuple[Matrix, Matrix],
    used: Matrix,
    begin: int,
    phi: Matrix,
    cells: int,
    genres: tuple[Matrix, Matrix, Matrix],
    more: Matrix,
) -> tuple[float, int, int]:
    """What a row is worth as it is now, what is free of it moved up, how many titles that are, and among how many they
    stand; its genres into `more`.
    """
    (titles, chances), (first, genre, share) = own, genres
    worth, count, reach = 0.0, 0, 0
    more[:] = 0.0
    while reach < len(titles) and titles[reach] >= 0 and count < cells:
        title = titles[reach]
        if used[title] <= begin:
            worth += phi[count] * chances[reach]
            for at in range(first[title], first[title + 1]):
                more[genre[at]] += phi[count] * share[at]
            count += 1
        reach += 1
    return worth, count, reach


@compiled
def _covering(theta: float, more: Matrix, covered: Matrix, taste: Matrix) -> float:
    """What a row adds to having something of all that a profile likes."""
    found = 0.0
    for genre in range(len(covered)):
        if more[genre] > 0 and taste[genre] > 0:
            found += taste[genre] * np.log1p(theta * more[genre] / (1 + covered[genre]))
    return found


@compiled
def _taken(
    titles: Matrix, chosen: int, used: Matrix, begin: int, place: int, slots: Matrix
) -> None:
    """Use the titles of the chosen row."""
    number = 0
    for cell in range(titles.shape[1]):
        title = titles[chosen, cell]
        if title < 0 or number == len(slots):
            break
        if used[title] <= begin:
            used[title] = begin + place + 1
            slots[number] = cell
            number += 1


@compiled
def _marked(titles: Matrix, state: tuple[Matrix, Matrix, Matrix], used: Matrix, stamp: int) -> None:
    """Mark the rows that have lost a title with this stamp: of those that they were looked over for."""
    is_out, is_stale, reach = state
    for row in range(len(titles)):
        if is_out[row]:
            continue
        for cell in range(reach[row]):
            if used[titles[row, cell]] == stamp:
                is_stale[row] = True
                break
