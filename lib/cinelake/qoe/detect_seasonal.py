"""A plain series against what was usual at the same time of day, or of the week."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]
NANOSECONDS = {"day": 86_400 * 10**9, "week": 7 * 86_400 * 10**9}
SLOT = 900 * 10**9
# Of so many days or weeks before, the median: one bad day does not become usual, and a new habit does.
PERIODS = 8


def against_season(
    times: npt.NDArray[np.int64], values: Values, season: Literal["day", "week"]
) -> Values:
    """The values less the median, over up to eight days or weeks before, of the mean in the same quarter of an hour.

    `times` are nanoseconds since 1970 in UTC, ascending. NaN where no day or week before tells of the quarter. Only
    days and weeks that ended before a reading are looked at, so that later readings change nothing.
    """
    length = NANOSECONDS[season]
    if not len(values):
        return values
    slots = length // SLOT
    slot = (times % length) // SLOT
    is_known = np.isfinite(values)
    # Only the periods that have readings stand in the table: a series may pause for years.
    there, place = np.unique(times // length, return_inverse=True)
    cell = (place * slots + slot)[is_known]
    count = np.bincount(cell, minlength=len(there) * slots)
    total = np.bincount(cell, values[is_known], minlength=len(there) * slots)
    mean = np.where(count > 0, total / np.maximum(count, 1), np.nan).reshape(len(there), slots)
    usual = np.full_like(mean, np.nan)
    for row in range(1, len(there)):
        before = mean[max(0, row - PERIODS) : row]
        told = ~np.isnan(before).all(axis=0)
        usual[row, told] = np.nanmedian(before[:, told], axis=0)
    return values - usual[place, slot]
