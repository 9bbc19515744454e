"""Plays that follow each other in one sitting: what does not come about, and what comes later than meant.

The next episode starts by itself only when the one before ran to its end; when the player failed or the viewer had
enough, the autoplays behind it never happen. A play that was held up by stalls pushes those behind it back.
"""

from __future__ import annotations

import numpy as np

from cinelake.simulate.randomness import Bools, Longs
from cinelake.simulate.trace import SECOND, Entry, PlayColumns

# From leaving one play to pressing the next.
_HAND_US = 2 * SECOND


def sequels(plays: PlayColumns, ended_at: Longs, as_meant: Bools) -> tuple[Bools, Longs]:
    """Which plays come about, and by how much they are pushed back (µs).

    `plays` are sorted by account, sitting and press; `as_meant` tells those that ended as the viewer meant them to.
    """
    rows = len(plays)
    happens = np.ones(rows, dtype=np.bool_)
    shift = np.zeros(rows, dtype=np.int64)
    if rows == 0:
        return happens, shift
    same = np.zeros(rows, dtype=np.bool_)
    same[1:] = (plays.account[1:] == plays.account[:-1]) & (plays.sitting[1:] == plays.sitting[:-1])
    begin = np.flatnonzero(~same)
    place = np.arange(rows) - np.repeat(begin, np.diff(np.append(begin, rows)))
    is_auto = plays.entry == Entry.AUTOPLAY
    for turn in range(1, int(place.max()) + 1):
        row = np.flatnonzero(place == turn)
        before = row - 1
        happens[row] = ~is_auto[row] | (happens[before] & as_meant[before])
        hand = np.where(is_auto[row], 0, _HAND_US)
        free = np.where(happens[before], ended_at[before] + shift[before] + hand, 0)
        shift[row] = np.maximum(free - plays.pressed_at[row], 0)
    return happens, shift
