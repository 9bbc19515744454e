"""How much of a limit in minutes is spent: for budgets of commands that somebody waits for, and for nothing that
decides a row of a table.
"""

from __future__ import annotations

import time
from collections.abc import Callable


def share_spent(minutes: float, clock: Callable[[], float] = time.monotonic) -> Callable[[], float]:
    """What tells the share of the limit that has passed since now: 1 when it is reached, more beyond it."""
    began = clock()

    def share() -> float:
        return (clock() - began) / 60 / minutes if minutes > 0 else 1.0

    return share
