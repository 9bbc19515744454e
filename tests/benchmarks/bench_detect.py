"""How fast one plain series is judged, on one core: 100,000 readings of five minutes, plain and against the season.

Measured in time of the processor, for the machine may be busy. Target: 50,000 readings a second.
"""

from __future__ import annotations

import statistics
import time

import numpy as np
import pandas as pd

from cinelake.qoe.detect import Detection, detect

READINGS = 100_000


def speed(series: pd.DataFrame, settings: Detection) -> float:
    """Readings a second, the median of three times."""
    seconds = []
    for _ in range(3):
        started = time.process_time()
        detect(series, settings)
        seconds.append(time.process_time() - started)
    return len(series) / statistics.median(seconds)


def test_a_series_is_judged_fast() -> None:
    random = np.random.default_rng(7)
    daily = 10 * np.sin(2 * np.pi * np.arange(READINGS) / 288)
    kinds = {
        "noise": random.normal(size=READINGS),
        "daily": daily + random.normal(size=READINGS),
        "walk": random.normal(size=READINGS).cumsum(),
        "counts": random.poisson(0.5, size=READINGS).astype(float),
    }
    times = pd.date_range("2026-01-01", periods=READINGS, freq="5min")
    print()
    for kind, values in kinds.items():
        series = pd.DataFrame({"timestamp": times, "value": values})
        plain, seasonal = speed(series, Detection()), speed(series, Detection(season="day"))
        print(f"{kind:<8} {plain:>9,.0f} readings/s, against the season {seasonal:>9,.0f}")
        assert min(plain, seasonal) >= 50_000
