"""How a cost grows with the size of a service, fitted to measurements of a few sizes.

A cost is `fixed + slope · n^power`, for `n` profiles: what a job costs whatever there is to do, and what its rows add.
A line through logarithms would take the fixed part for slow growth, which at the sizes of one machine is most of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import nnls

# Powers that are tried. What grows faster than the square of its rows is told by the square, which is bad enough.
POWERS = np.round(np.arange(0.3, 2.001, 0.01), 2)
# Growth from the smallest to the largest size, in the cost's unit and as a share, below which it is noise.
LEAST, LEAST_SHARE = 2.0, 0.25
# Times the smallest size's cost that the largest's has to be, and times what is noise that it has to have grown, for a
# power to be told from it: beneath that, what the machine did meanwhile decides between a line and a square.
TELLING, TELLING_NOISE = 3.0, 3.0


@dataclass(frozen=True)
class Growth:
    """`fixed + slope · n^power`. A cost that did not grow has no power, and no slope; of one that grew too little for a
    power to be told, 1 is taken.
    """

    fixed: float
    slope: float
    power: float | None
    is_told: bool = True

    def at(self, n: float) -> float:
        """The cost of `n` profiles, never by a power below 1: what grew slower on few may have been half idle."""
        return self.fixed + (self.slope * n ** max(1.0, self.power) if self.power else 0.0)


def fitted(sizes: Sequence[float], costs: Sequence[float], least: float = LEAST) -> Growth:
    """The growth nearest to `costs` at `sizes`, by relative squares.

    Raises ValueError with fewer than three sizes, from which a power cannot be told.
    """
    if len(set(sizes)) < 3:
        raise ValueError(f"{len(set(sizes))} sizes tell no power; measure three or more")
    n, cost = np.asarray(sizes, float), np.asarray(costs, float)
    first, last = cost[n.argmin()], cost[n.argmax()]
    if last - first < max(least, LEAST_SHARE * first):
        return Growth(float(cost.mean()), 0.0, None)
    scale = n.max()
    if last < TELLING * first or last - first < TELLING_NOISE * least:
        fixed, slope, _ = _least_squares(n / scale, cost, 1.0)
        return Growth(fixed, slope / scale, 1.0, is_told=False)
    tried = [(*_least_squares(n / scale, cost, power), power) for power in POWERS]
    *_, power = min(tried, key=lambda found: (found[2], found[3]))
    # What is extrapolated by a power of 1 is fitted by it, too.
    used = max(1.0, float(power))
    fixed, slope, _ = _least_squares(n / scale, cost, used)
    return Growth(fixed, slope / scale**used, float(power))


def _least_squares(n: np.ndarray, cost: np.ndarray, power: float) -> tuple[float, float, float]:
    """Fixed part, slope, and how far off they are; neither is negative."""
    design = np.column_stack([np.ones_like(n), n**power]) / cost[:, None]
    (fixed, slope), off = nnls(design, np.ones_like(cost))
    return float(fixed), float(slope), float(off)
