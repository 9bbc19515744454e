"""Leaves of an incident whose cause is known."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product

import numpy as np
import pandas as pd

DIMENSIONS = ["cdn", "isp", "device"]
ATTRIBUTES = {
    "cdn": ["akka", "brisk", "crest"],
    "isp": ["north", "south", "east", "west"],
    "device": ["phone", "tv", "web", "old"],
}
RATE = 0.02


def leaves(
    lifts: Mapping[tuple[tuple[str, str], ...], float] | None = None,
    seed: int = 1,
    viewers: int = 1000,
    load: float = 1.0,
    rate: Mapping[str, float] | None = None,
) -> pd.DataFrame:
    """48 leaves with some 1,000 viewers each, now and ten times that in history.

    `lifts` multiplies the rates of leaves that have some attributes (none: all leaves); `rate` is that of a device
    where it is not 2 %.
    """
    random = np.random.default_rng(seed)
    frame = pd.DataFrame(product(*ATTRIBUTES.values()), columns=DIMENSIONS)
    size = random.lognormal(np.log(viewers), 0.7, len(frame))
    usual = frame["device"].map(dict(rate or {})).astype(float).fillna(RATE).to_numpy()
    now = usual.copy()
    for attributes, lift in (lifts or {}).items():
        has = np.ones(len(frame), np.bool_)
        for name, value in attributes:
            has &= (frame[name] == value).to_numpy()
        now[has] *= lift
    frame["past_total"] = (10 * size).astype(int)
    frame["past_bad"] = random.binomial(frame["past_total"], usual)
    frame["total"] = (load * size).astype(int)
    # Rates vary between leaves more than chance does.
    varied = np.minimum(now * random.gamma(50, 1 / 50, len(frame)), 1)
    frame["bad"] = random.binomial(frame["total"], varied)
    return frame
