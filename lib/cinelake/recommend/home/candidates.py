"""The loops that find the titles of candidate rows (shelving.py), profile by profile, in place.

`odds (profiles, titles)` are float32, positions of titles int32 with −1 for none, flags bool.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from cinelake.recommend.home.compiled import compiled
from cinelake.recommend.scoring import Matrix

# Classes of equal width that odds are counted in, to find those that the best begin with; a power of two, by digits of
# which they are sorted.
_BINS, _BITS = 2048, 11
_SIGN, _LOWER = 1 << 31, (1 << 31) - 1


@compiled
def best(odds: Matrix, is_open: Matrix, seen: Matrix, found: Matrix) -> None:
    """Put the titles that are worth most to each profile into `found (profiles, count)`, in order, equals by position.

    Of those that are open `(titles)` and not seen `(profiles, titles)`; where these are fewer, the rest stays as it is.
    """
    profiles, titles = odds.shape
    count = found.shape[1]
    keys, places = np.empty(titles, np.int64), np.empty(titles, np.int64)
    spare = np.empty(titles, np.int64), np.empty(titles, np.int64)
    bins = np.zeros(_BINS, np.int64)
    for profile in range(profiles):
        own = odds[profile]
        number, least, most = 0, np.float32(np.inf), np.float32(-np.inf)
        for title in range(titles):
            if is_open[title] and not seen[profile, title]:
                places[number] = title
                number += 1
                least, most = min(least, own[title]), max(most, own[title])
        if number > count:
            number = _cut(own, places, number, count, (least, most), bins)
        _keyed(own, places, number, keys)
        _sorted(keys, places, spare, number, bins)
        for at in range(min(number, count)):
            found[profile, at] = places[at]


@compiled
def _cut(
    own: Matrix, places: Matrix, number: int, count: int, ends: tuple[Any, Any], bins: Matrix
) -> int:
    """Keep, of the first `number` places, those of the classes that the best `count` lie in; returns how many."""
    least, most = ends
    if not most > least:
        return number
    scale = np.float32(_BINS - 1) / (most - least)
    bins[:] = 0
    for at in range(number):
        bins[int((most - own[places[at]]) * scale)] += 1
    total, last = 0, 0
    while total < count:
        total += bins[last]
        last += 1
    kept = 0
    for at in range(number):
        if int((most - own[places[at]]) * scale) < last:
            places[kept] = places[at]
            kept += 1
    return kept


@compiled
def _keyed(own: Matrix, places: Matrix, number: int, keys: Matrix) -> None:
    """Whole numbers in whose order odds fall: the bits of a float, of which those of the greatest come first."""
    bits = own.view(np.uint32)
    for at in range(number):
        value = np.int64(bits[places[at]])
        keys[at] = value if value >= _SIGN else _LOWER - value


@compiled
def _sorted(
    keys: Matrix, places: Matrix, spare: tuple[Matrix, Matrix], number: int, bins: Matrix
) -> None:
    """Sort places by keys of 32 bits, digit by digit (radix sort), which leaves equals as they came."""
    for shift in (0, _BITS, 2 * _BITS):
        bins[:] = 0
        for at in range(number):
            bins[(keys[at] >> shift) & (_BINS - 1)] += 1
        first = 0
        for digit in range(_BINS):
            bins[digit], first = first, first + bins[digit]
        for at in range(number):
            digit = (keys[at] >> shift) & (_BINS - 1)
            spare[0][bins[digit]], spare[1][bins[digit]] = keys[at], places[at]
            bins[digit] += 1
        keys[:number], places[:number] = spare[0][:number], spare[1][:number]


@compiled
def filled(found: Matrix, first: Matrix, shelves: Matrix, titles: Matrix) -> None:
    """Put the titles of each profile `(profiles, best)` into the rows of `titles (profiles, rows, width)`, in order.

    Title `t` belongs to the rows `shelves[first[t]:first[t + 1]]`. What is left of a row stays as it is.
    """
    profiles, rows, width = titles.shape
    count = np.zeros(rows, np.int64)
    for profile in range(profiles):
        count[:] = 0
        for title in found[profile]:
            if title < 0:
                break
            for at in range(first[title], first[title + 1]):
                row = shelves[at]
                if count[row] < width:
                    titles[profile, row, count[row]] = title
                    count[row] += 1


@compiled
def blended(
    odds: Matrix,
    is_open: Matrix,
    seen: Matrix,
    shelf: tuple[Matrix, Matrix],
    row: int,
    titles: Matrix,
    added: Matrix,
) -> None:
    """Put into a row of `titles (profiles, rows, width)` the titles of a shelf, positions and what each has there, that
    are worth most with it, and into `added` what that is; equals in the order of the shelf.
    """
    members, own = shelf
    profiles, _, width = titles.shape
    value = np.empty(width, np.float32)
    for profile in range(profiles):
        count = 0
        for at in range(len(members)):
            title = members[at]
            if not is_open[title] or seen[profile, title]:
                continue
            worth = odds[profile, title] + own[at]
            if count == width and worth <= value[width - 1]:
                continue
            place = min(count, width - 1)
            while place > 0 and value[place - 1] < worth:
                value[place] = value[place - 1]
                titles[profile, row, place] = titles[profile, row, place - 1]
                added[profile, row, place] = added[profile, row, place - 1]
                place -= 1
            value[place] = worth
            titles[profile, row, place], added[profile, row, place] = title, own[at]
            count = min(count + 1, width)


@compiled
def arranged(
    rows: tuple[Matrix, Matrix, Matrix, Matrix],
    odds: Matrix,
    here: Matrix,
    found: tuple[Matrix, Matrix, Matrix],
) -> None:
    """Put the titles of rows in the order of what they are worth then, equals as they came.

    `rows` are titles, what is added in the row, told odds (NaN: what a title is worth) and places told of, each
    `(profiles, rows, width)`; `here (titles)` is what circumstances add. Into `found` go titles, odds and places.
    """
    titles, added, told, places = rows
    profiles, count, width = titles.shape
    key, order = np.empty(width, np.float32), np.empty(width, np.int64)
    worth = np.empty(width, np.float32)
    for profile in range(profiles):
        for row in range(count):
            number = 0
            while number < width and titles[profile, row, number] >= 0:
                title, value = titles[profile, row, number], told[profile, row, number]
                if np.isnan(value):
                    value = odds[profile, title] + here[title]
                worth[number] = value
                value += added[profile, row, number]
                place = number
                while place > 0 and key[place - 1] < value:
                    key[place], order[place] = key[place - 1], order[place - 1]
                    place -= 1
                key[place], order[place] = value, number
                number += 1
            for at in range(number):
                cell = order[at]
                found[0][profile, row, at] = titles[profile, row, cell]
                found[1][profile, row, at] = worth[cell]
                found[2][profile, row, at] = places[profile, row, cell]
            found[0][profile, row, number:] = -1
