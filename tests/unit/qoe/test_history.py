"""What the days before tell of an hour is what a plain loop over them tells."""

from __future__ import annotations

from math import isnan, nan

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from cinelake.qoe.history import TOLD, whole_series, with_usual
from cinelake.qoe.usual import Usual

USUAL = Usual(days=7, lately_days=3, spread_pairs=500)
COLUMNS = ("cell", "metric", "day", "hour", "is_free", "bad", "total", "prior", "profile", "now")


def scene(seed: int, known: float) -> pd.DataFrame:
    """Hours of three series with gaps, now and then a bad one; a share of priors, profiles and nows is known."""
    drawn = np.random.default_rng(seed)
    rows = [
        (cell, metric, day, hour, day % 7 > 4)
        for cell, metric in (("a", "stall"), ("a", "slow_start"), ("b", "stall"))
        for day in range(100, 120)
        for hour in (3, 20)
        if drawn.random() < 0.8
    ]
    frame = pd.DataFrame(rows, columns=list(COLUMNS[:5]))
    frame["total"] = drawn.integers(1, 200, len(frame))
    chance = np.where(drawn.random(len(frame)) < 0.1, 0.4, 0.03)
    frame["bad"] = drawn.binomial(frame.total, chance)
    for name, low, high in (("prior", 0.01, 0.1), ("profile", 0.5, 2), ("now", 0.01, 0.1)):
        told = drawn.uniform(low, high, len(frame))
        frame[name] = np.where(drawn.random(len(frame)) < known, told, np.nan)
    return frame[list(COLUMNS)]


def by_loops(frame: pd.DataFrame, usual: Usual) -> pd.DataFrame:
    """The method as its description says it, row by row."""

    def shrunk(bad: float, total: float, prior: float, weight: float) -> float:
        if not isnan(prior):
            return (bad + weight * prior) / (total + weight)
        return bad / total if total else nan

    def bounded(rate: float) -> float:
        return rate if isnan(rate) else min(max(rate, 1e-4), 0.95)

    def past(row: pd.Series, days: int, *same: str) -> pd.DataFrame:
        own = frame[(frame.day < row.day) & (frame.day >= row.day - days)]
        for name in ("cell", "metric", *same):
            own = own[own[name] == row[name]]
        return own

    w = usual.level_sessions
    for place, row in frame.iterrows():
        own = past(row, usual.days)
        prior = row.now if isnan(row.prior) else row.prior
        rate = bounded(shrunk(own.bad.sum(), own.total.sum(), prior, w) * row.profile)
        capped = row.bad if isnan(rate) else min(row.bad, usual.cap * rate * row.total + 3)
        varies = row.total * rate * (1 - rate)
        frame.loc[place, "capped"] = capped
        frame.loc[place, "over"] = (capped - row.total * rate) ** 2 - varies
        frame.loc[place, "pairs"] = varies * (row.total - 1)
    told = []
    for _, row in frame.iterrows():
        own, late = past(row, usual.days), past(row, usual.lately_days)
        long = shrunk(own.capped.sum(), own.total.sum(), row.prior, w)
        level = bounded(shrunk(late.capped.sum(), late.total.sum(), long, w))
        hour = past(row, usual.days, "hour", "is_free")
        expected = level * row.profile
        rate = bounded(shrunk(hour.capped.sum(), hour.total.sum(), expected, usual.hour_sessions))
        held = usual.spread_pairs * (1.0 if isnan(level) else level * (1 - level))
        spread = (own.over.sum() + usual.spread * held) / (own.pairs.sum() + held)
        spread = min(max(spread, 1e-4), 0.3) + 1 / (own.total.sum() + w)
        told.append((level, bounded(row.now) if isnan(rate) else rate, spread, own.total.sum()))
    return pd.DataFrame(told, columns=list(TOLD))


@pytest.mark.parametrize("known", [0.0, 0.7, 1.0])
def test_it_agrees_with_loops_over_the_days_before(known: float) -> None:
    frame = scene(1, known)
    table = pa.Table.from_pandas(frame, preserve_index=False)
    found = with_usual(table, USUAL, 0).to_pandas()
    expected = by_loops(frame, USUAL)
    pd.testing.assert_frame_equal(found[list(TOLD)], expected, check_dtype=False, rtol=1e-9)


def test_days_before_the_first_are_history_only() -> None:
    table = pa.Table.from_pandas(scene(1, 1.0), preserve_index=False)
    late = with_usual(table, USUAL, 115).to_pandas()
    whole = with_usual(table, USUAL, 0).to_pandas()
    pd.testing.assert_frame_equal(late, whole[whole.day >= 115].reset_index(drop=True))


@pytest.mark.parametrize("rows", [1, 7, 40, 10_000])
@pytest.mark.parametrize("at_once", [1, 25, 10_000])
def test_series_are_never_cut_in_two(rows: int, at_once: int) -> None:
    table = pa.Table.from_pandas(scene(3, 1.0), preserve_index=False)
    pieces = list(whole_series(iter(table.to_batches(max_chunksize=rows)), at_once))
    assert pa.concat_tables(pieces) == table
    each = [set(zip(*(p[n].to_pylist() for n in COLUMNS[:2]), strict=True)) for p in pieces]
    assert sum(map(len, each)) == len(set.union(*each)) == 3


def test_of_no_rows_nothing_is_told() -> None:
    assert list(whole_series(iter([]))) == []
