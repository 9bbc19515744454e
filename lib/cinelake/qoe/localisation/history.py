"""Which of the times before an incident a rise is measured against."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

# An incident seen late has begun before; what it did to the times before it is no history.
MOST_OF_MEDIAN = 1.3


def calm(bad: npt.NDArray[np.float64], total: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """The times at which the rate of all was at most 1.3 times its median; none where nobody watched.

    `bad` of `total` viewers at each time `(times)`. Of times at all, one is calm.
    """
    watched = total > 0
    rate = np.divide(bad, total, out=np.zeros(len(total)), where=watched)
    if not watched.any():
        return watched
    found: npt.NDArray[np.bool_] = watched & (rate <= MOST_OF_MEDIAN * np.median(rate[watched]))
    return found
