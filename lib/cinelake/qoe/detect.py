"""What is odd in one plain series: a score for each of its readings, from those before it alone.

Three channels are watched, each against the last 4,000 readings before the current block of 50:

- the step from the reading before,
- the distance of the reading to the nearest of history,
- the same for an exponential mean of span 10.

A channel's surprise is how far a value lies in the tail of the channel's own history: with the threshold `u`, its
99.5 % quantile, and Hill's (1975) estimate `g` of the tail beyond it, `ln(value / u) / g` is in nats what makes it
rarer than the threshold. The greatest of the three counts. Alarms are rationed, as people are who have to look at
them: for 60 readings after one, only one more than twice as large speaks, and the more alarms of at least its size
there were, the less it counts.

A reading is odd in value, not in time: gaps and uneven steps of time mean nothing, except with `season`, where the
series is first taken against what was usual at the same time of day (detect_seasonal.py). Scores do not change when
readings are appended, nor when all are multiplied by the same number.
"""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections import deque
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field
from scipy.signal import lfilter

from cinelake.qoe.detect_seasonal import against_season

Values = npt.NDArray[np.float64]


class Detection(BaseModel):
    """Settings of the detector; they were chosen for plain series of many kinds, not for one."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    season: Literal["day", "week"] | None = Field(
        None, description="take readings against what was usual at this time of day, or of the week"
    )
    memory: int = Field(4000, ge=200, description="readings of history")
    block: int = Field(50, ge=1, description="readings held against the same history")
    warm_up: int = Field(100, ge=20, description="readings before the first that is judged")
    span: float = Field(10.0, ge=1, description="of the exponential mean (readings)")
    tail: float = Field(0.005, gt=0, le=0.1, description="share of history beyond the threshold")
    quiet: int = Field(
        60, ge=0, description="readings after an alarm in which only a larger one speaks"
    )
    escalation: float = Field(2.0, ge=1, description="how many times as large that has to be")
    weariness: float = Field(0.4, ge=0, description="taken off for each alarm before, as a share")
    half_score: float = Field(
        3.0, gt=0, description="surprise, in nats, of which the score is one half"
    )


# A tail is judged by its ten greatest values at least, and its shape by as if five more of 1/4 had been seen, which
# lies between a normal and an exponential tail.
LEAST_EXCEEDING = 10
PRIOR_SHAPE, PRIOR_WEIGHT = 0.25, 5.0
# Differences and sums of such values would be infinite.
TOO_LARGE = 1e150


def detect(series: pd.DataFrame | pd.Series, settings: Detection | None = None) -> pd.Series:
    """Scores in [0, 1), 0 where nothing is odd, in the order and with the index of the series.

    `series` has the columns `timestamp` and `value`, or is a Series of values indexed by time. Rows are taken in
    the order of time, those of one time in the order given, each as a reading of its own. Values that are
    missing, infinite or beyond 1e150 score 0 and leave no trace; the first `warm_up` readings score 0, with
    `season` those of the first day or week. Raises ValueError for columns that are missing, times that are none, or
    values that are no numbers.
    """
    settings = settings or Detection()
    times, values = _read(series)
    order = np.argsort(times, kind="stable")
    told = values[order]
    if settings.season is not None:
        told = against_season(times[order], told, settings.season)
    scores = np.zeros(len(values))
    is_known = np.abs(told) < TOO_LARGE
    surprise = surprises(told[is_known], settings)
    spoken = rationed(surprise, settings)
    scores[order[is_known]] = spoken / (spoken + settings.half_score)
    return pd.Series(scores, index=series.index, name="score")


def surprises(values: Values, settings: Detection) -> Values:
    """The greatest surprise of the channels `(readings)`, in nats beyond the threshold; 0 below it."""
    smooth = _smoothed(values, settings.span)
    reads = [_Sorted(values), _Sorted(smooth)]
    nearest = [np.zeros(len(values)) for _ in reads]
    channels = [np.abs(np.diff(values, prepend=values[:1])), *nearest]
    found = np.zeros(len(values))
    for start in range(settings.block, len(values), settings.block):
        now = slice(start, start + settings.block)
        first = max(0, start - settings.memory)
        for channel, read in zip(nearest, reads, strict=True):
            channel[now] = _distances(read.between(first, start), read.values[now])
        if start < settings.warm_up:
            continue
        # Distances of the first block have nothing to be distances to.
        judged = slice(max(settings.block, first), start)
        for channel in channels:
            past = channel[judged]
            if len(past) > LEAST_EXCEEDING:
                found[now] = np.maximum(found[now], _beyond(past, channel[now], settings.tail))
    found[: settings.warm_up] = 0
    return found


def rationed(surprise: Values, settings: Detection) -> Values:
    """What is left `(readings)` of surprises when alarms are rationed."""
    spoken = np.zeros(len(surprise))
    recent: deque[tuple[int, float]] = deque()
    # Sizes of the alarms of the time remembered, in order.
    sizes: list[float] = []
    last, size = -settings.quiet - 1, 0.0
    for row in np.flatnonzero(surprise > 0).tolist():
        height = float(surprise[row])
        if row - last <= settings.quiet and height <= settings.escalation * size:
            continue
        while recent and recent[0][0] < row - settings.memory:
            del sizes[bisect_left(sizes, recent.popleft()[1])]
        as_large = len(sizes) - bisect_left(sizes, height)
        spoken[row] = height / (1 + settings.weariness * as_large)
        insort(sizes, height)
        recent.append((row, height))
        last, size = row, height
    return spoken


def _read(series: pd.DataFrame | pd.Series) -> tuple[npt.NDArray[np.int64], Values]:
    if isinstance(series, pd.DataFrame):
        missing = [name for name in ("timestamp", "value") if name not in series.columns]
        if missing:
            raise ValueError(
                f"the series has no column {' and no '.join(missing)}; it has {', '.join(map(str, series.columns))}"
            )
        times, values = series["timestamp"], series["value"]
    else:
        times, values = series.index.to_series(), series
    try:
        read = pd.to_datetime(times, utc=True)
    except (ValueError, TypeError) as error:
        raise ValueError(f"timestamps cannot be read: {error}") from error
    if read.isna().any():
        raise ValueError(f"{int(read.isna().sum())} rows have no timestamp")
    try:
        numbers = pd.to_numeric(values).to_numpy(np.float64, na_value=np.nan)
    except (ValueError, TypeError) as error:
        raise ValueError(f"values are not numbers: {error}") from error
    return read.to_numpy("datetime64[ns]").astype(np.int64), numbers


def _smoothed(values: Values, span: float) -> Values:
    if not len(values):
        return values
    weight = 2 / (span + 1)
    smooth: Values = lfilter([weight], [1, weight - 1], values, zi=[(1 - weight) * values[0]])[0]
    return smooth


class _Sorted:
    """Values in order, of a stretch that only moves on: what stays is not sorted again."""

    def __init__(self, values: Values) -> None:
        self.values = values
        self._order = np.zeros(0, np.int64)
        self._stop = 0

    def between(self, start: int, stop: int) -> Values:
        """The values of rows from `start` to before `stop`, ascending; neither may be less than before."""
        stay = self._order[self._order >= start]
        rows = np.concatenate([stay, np.arange(max(start, self._stop), stop)])
        # Timsort, which finds the run that is in order already.
        self._order = rows[np.argsort(self.values[rows], kind="stable")]
        self._stop = stop
        ordered: Values = self.values[self._order]
        return ordered


def _distances(history: Values, values: Values) -> Values:
    """To the nearest of `history`, which is sorted."""
    above = np.searchsorted(history, values)
    higher = history[np.minimum(above, len(history) - 1)]
    lower = history[np.maximum(above - 1, 0)]
    nearest: Values = np.minimum(np.abs(higher - values), np.abs(values - lower))
    return nearest


def _beyond(past: Values, values: Values, tail: float) -> Values:
    """The surprise of values of a channel, in nats beyond what a share `tail` of the past exceeds; 0 below it."""
    count = len(past)
    exceeding = max(math.ceil(tail * count), LEAST_EXCEEDING)
    greatest = np.partition(past, count - exceeding - 1)[count - exceeding - 1 :]
    threshold = greatest[0]
    if threshold <= 0:
        # Mostly nothing happens; what does is held to the least that did.
        greatest = greatest[greatest > 0]
        if not len(greatest):
            # What never was in `count` readings has a chance of 1 / (count + 1), however large it is.
            return np.where(values > 0, math.log(count + 1), 0.0)
        threshold, exceeding = greatest.min(), len(greatest)
    logs = np.log(greatest / threshold)
    shape = (logs.sum() + PRIOR_SHAPE * PRIOR_WEIGHT) / (exceeding + PRIOR_WEIGHT)
    over = np.log(np.maximum(values, threshold) / threshold) / shape
    # Where more than the share had to be taken for the tail, the threshold lies deeper.
    found: Values = np.maximum(over + math.log(tail * count / exceeding), 0.0)
    return np.where(values > threshold, found, 0.0)
