"""What a viewer does during a play, in order of position: pauses, seeks, the skipped intro."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cinelake.simulate.randomness import Floats, Longs
from cinelake.simulate.trace import Plays

PAUSE, SEEK, INTRO = range(3)


@dataclass(frozen=True)
class Script:
    """Acts of all plays, those of play i at `first[i]:first[i + 1]`; one more stands at the end, never due."""

    first: Longs
    position: Floats  # s of media
    kind: Longs
    value: Floats  # of a pause its seconds, of a jump its target


def script(plays: Plays) -> Script:
    """The acts that the plays call for."""
    rows, pauses, seeks = plays.rows, plays.pauses, plays.seeks
    skips = rows.skips_intro & (rows.intro_end > rows.intro_start)
    skips &= rows.start_position <= rows.intro_start
    intro = np.flatnonzero(skips)
    # Nobody finds the button in the first moment.
    at = rows.intro_start[intro] + 0.25 * np.minimum(
        rows.intro_end[intro] - rows.intro_start[intro], 12.0
    )
    play = np.concatenate([pauses.play, seeks.play, intro])
    position = np.concatenate([pauses.position, seeks.position, at])
    kind = np.repeat([PAUSE, SEEK, INTRO], [len(pauses), len(seeks), len(intro)])
    value = np.concatenate([pauses.seconds, seeks.target, rows.intro_end[intro]])
    order = np.lexsort((kind, position, play))
    counts = np.bincount(play, minlength=len(rows))
    return Script(
        first=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        position=np.append(position[order], np.inf),
        kind=np.append(kind[order], PAUSE).astype(np.int64),
        value=np.append(value[order], 0.0),
    )
