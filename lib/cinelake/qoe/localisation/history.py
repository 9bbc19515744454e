"""Which of the times before an incident a rise is measured against."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from pyspark.sql import Column, WindowSpec
from pyspark.sql import functions as F

# An incident seen late has begun before; what it did, or another, to the times before it is no history.
MOST_OF_MEDIAN = 1.3
# Standard deviations of a count by which chance may pass that: where few are bad, one more is no incident.
BY_CHANCE = 2.0


def calm(bad: npt.NDArray[np.float64], total: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """The times at which the rate of all was at most 1.3 times its median, but for chance; none where nobody watched.

    `bad` of `total` viewers at each time `(times)`. Of times at all, one is calm.
    """
    watched = total > 0
    rate = np.divide(bad, total, out=np.zeros(len(total)), where=watched)
    if not watched.any():
        return watched
    most = MOST_OF_MEDIAN * np.median(rate[watched]) * total
    found: npt.NDArray[np.bool_] = watched & (bad <= most + BY_CHANCE * np.sqrt(most + 1))
    return found


def is_calm(bad: Column, total: Column, times: WindowSpec) -> Column:
    """The same of rows, of which `times` are those that belong together."""
    median = F.median(F.try_divide(bad, total)).over(times)
    most = MOST_OF_MEDIAN * median * total
    return F.coalesce((total > 0) & (bad <= most + BY_CHANCE * F.sqrt(most + 1)), F.lit(False))
