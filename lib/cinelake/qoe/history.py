"""What the days before tell of an hour: its level, rate and spread (qoe/baseline.py has the method), in numpy.

Spark has no window over many days of a series that does not sort for each way to group its hours, and three of those
are three passes; series of whole weeks are small, and thousands of them are told at once here. Rows come as Arrow
batches in which a series stands together.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from cinelake.qoe.usual import Usual

Floats = NDArray[np.float64]
Places = NDArray[np.int64]
SERIES = ("cell", "metric")
TOLD = ("level", "rate", "spread", "known")
_LEAST_RATE, _MOST_RATE = 1e-4, 0.95
_LEAST_SPREAD, _MOST_SPREAD = 1e-4, 0.3
# Rows that are told at once: what numpy makes of them stays in the processor's caches.
AT_ONCE = 50_000
HOURS = 24


def whole_series(batches: Iterator[pa.RecordBatch], at_once: int = AT_ONCE) -> Iterator[pa.Table]:
    """The rows anew, in tables of about so many, none of which ends within a series."""
    waiting: list[pa.RecordBatch] = []
    rows = 0
    for batch in batches:
        waiting.append(batch)
        rows += batch.num_rows
        if rows < at_once:
            continue
        table = pa.Table.from_batches(waiting)
        same = [pc.equal(table[name], table[name][rows - 1]) for name in SERIES]
        whole = rows - pc.sum(pc.and_(*same)).as_py()
        if whole:
            yield table.slice(0, whole)
        waiting, rows = table.slice(whole).to_batches(), rows - whole
    if rows:
        yield pa.Table.from_batches(waiting)


def with_usual(table: pa.Table, usual: Usual, first: int) -> pa.Table:
    """Rows of whole series, of the days from `first` on (days since 1970), with `level, rate, spread, known`.

    They hold `day, hour, is_free, bad, total` and `prior, profile, now`, which are null where nobody knows; so are
    `level` and `rate`. Nothing of a row's own day enters but by `now`, nor what lies more than `usual.days` before.
    """
    day, hour = _whole(table, "day"), _whole(table, "hour")
    bad, total, prior, profile, now = (
        table[name].to_numpy().astype(np.float64)
        for name in ("bad", "total", "prior", "profile", "now")
    )
    series = _codes(table)
    slot = np.unique((series * HOURS + hour) * 2 + _whole(table, "is_free"), return_inverse=True)[1]
    since = day - day.min()
    w = usual.level_sessions

    def before(days: int, within: Places, *columns: Floats) -> list[Floats]:
        return [_sum_before(since, within, column, days) for column in columns]

    known_bad, known = before(usual.days, series, bad, total)
    was_usual = _bounded(_shrunk(known_bad, known, _first_known(prior, now), w) * profile)
    capped = _first_known(np.minimum(bad, usual.cap * was_usual * total + 3), bad)
    varies = total * was_usual * (1 - was_usual)
    off = (capped - total * was_usual) ** 2
    over, pairs = np.nan_to_num(off - varies), np.nan_to_num(varies * (total - 1))
    long, over, pairs = before(usual.days, series, capped, over, pairs)
    late, late_total = before(usual.lately_days, series, capped, total)
    level = _bounded(_shrunk(late, late_total, _shrunk(long, known, prior, w), w))
    at_hour, at_hour_total = before(usual.days, slot, capped, total)
    rate = _shrunk(at_hour, at_hour_total, level * profile, usual.hour_sessions)
    # Sums are divided, and not quotients summed: an hour in which hardly anything is usual would outweigh all others.
    held = usual.spread_pairs * _first_known(level * (1 - level), np.ones_like(level))
    spread = np.clip((over + usual.spread * held) / (pairs + held), _LEAST_SPREAD, _MOST_SPREAD)
    at_last = _first_known(_bounded(rate), _bounded(now))
    # What the rate is not known well varies like sessions that go bad together.
    told = (level, at_last, spread + 1 / (known + w), known)
    wanted = day >= first
    judged = table.filter(pa.array(wanted))
    for name, column in zip(TOLD, told, strict=True):
        judged = judged.append_column(name, pa.array(column[wanted], from_pandas=True))
    return judged


def _sum_before(since: Places, part: Places, values: Floats, days: int) -> Floats:
    """For each row the sum of what lies in the same part on the `days` days before its own; parts count from 0 on."""
    parts, length = int(part.max()) + 1, int(since.max()) + 1
    by_day = np.bincount(part * length + since, weights=values, minlength=parts * length)
    grown = np.zeros((parts, length + 1))
    np.cumsum(by_day.reshape(parts, length), axis=1, out=grown[:, 1:])
    found: Floats = grown[part, since] - grown[part, np.maximum(since - days, 0)]
    return found


def _codes(table: pa.Table) -> Places:
    """A number for each series, from 0 on."""
    begins = np.zeros(table.num_rows, dtype=bool)
    for name in SERIES:
        column = table[name].combine_chunks()
        changed = pc.not_equal(column.slice(1), column.slice(0, table.num_rows - 1))
        begins[1:] |= changed.to_numpy(zero_copy_only=False)
    return np.cumsum(begins, dtype=np.int64)


def _whole(table: pa.Table, name: str) -> Places:
    found: Places = table[name].to_numpy().astype(np.int64)
    return found


def _first_known(one: Floats, other: Floats) -> Floats:
    return np.where(np.isnan(one), other, one)


def _shrunk(bad: Floats, total: Floats, prior: Floats, weight: float) -> Floats:
    """The rate of bad ones among all and `weight` more at the prior's; without a prior that of them alone."""
    alone = np.divide(bad, total, out=np.full_like(bad, np.nan), where=total > 0)
    return _first_known((bad + weight * prior) / (total + weight), alone)


def _bounded(rate: Floats) -> Floats:
    """A rate that nothing divides by zero with; what is not known stays so."""
    return np.clip(rate, _LEAST_RATE, _MOST_RATE)
