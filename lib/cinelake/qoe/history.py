"""What the days before tell of an hour: its level, rate and spread (qoe/baseline.py has the method), in numpy.

Spark has no window over many days of a series that does not sort for each way to group its hours, and three of those
are three passes. Here the hours of some dozen cells are laid out by cell, day and hour, and what lies on which days
before is summed by a product with a matrix of zeros and ones. Rows come as Arrow batches in which a cell's hours stand
together, in any order, all metrics of an hour in one row:

- `key long`: the cell, as a number by which rows are sorted; `at int`: the hour (hours since 1970);
- `counts array<long>`: by metric, how many sessions were bad in the upper half, of how many in the lower;
- `parent long`: the cell above;
- `cell string`: the name, of which only the hours that are judged have need.

What is above cells does not come with their rows, which are far more than it is: `Heads` are held beside them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from cinelake.qoe.usual import Usual
from cinelake.tables.qoe import METRICS

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]
EPOCH = date(1970, 1, 1)
HOURS = 24
_LEAST_RATE, _MOST_RATE = 1e-4, 0.95
_LEAST_SPREAD, _MOST_SPREAD = 1e-4, 0.3
# Cells that are told at once: what numpy makes of one metric of theirs stays in the processor's caches.
AT_ONCE = 64
# By metric what a parent has: prior, profile, now.
_ABOVE = len(METRICS), 3


@dataclass(frozen=True)
class Above:
    """What the parent has of each hour; NaN where nobody knows."""

    prior: Floats
    profile: Floats
    now: Floats


@dataclass(frozen=True)
class Heads:
    """What cells above others have by hour: `told (heads, hours, metrics, 3)` of the hours from `first` on, prior,
    profile and now, NaN where that is not known, and `is_there (heads, hours)`.

    The last head is the whole service, which is above all whose own parent is not among `keys`, those of the heads
    before it; and in hours of which a parent does not know, it is told instead.
    """

    keys: Numbers
    first: int
    told: Floats
    is_there: NDArray[np.bool_]

    @classmethod
    def of(cls, service: pa.Table, parents: pa.Table | None = None) -> Heads:
        """From rows of `above_children`: those of the whole service, and of other parents."""
        rows = [service] if parents is None else [service, parents]
        hours = np.concatenate([each["at"].to_numpy() for each in rows])
        first, last = (int(hours.min()), int(hours.max())) if len(hours) else (0, -1)
        own = np.zeros(0, np.int64) if parents is None else parents["key"].to_numpy()
        keys, head = np.unique(own, return_inverse=True)
        told = np.full((len(keys) + 1, last - first + 1, *_ABOVE), np.nan)
        is_there = np.zeros(told.shape[:2], np.bool_)
        at = service["at"].to_numpy() - first
        # First everywhere what the whole service has; parents, where they know, know better.
        told[:, at], is_there[:, at] = _numbers(service), True
        if parents is not None:
            at = parents["at"].to_numpy() - first
            told[head, at], is_there[head, at] = _numbers(parents), True
        return cls(keys, first, told, is_there)

    def above(self, parent: Numbers, at: Numbers) -> tuple[NDArray[np.bool_], Numbers, Numbers]:
        """By row whether anybody is above, and of those rows where that stands in `told`."""
        head = np.searchsorted(self.keys, parent)
        known = self.keys[np.minimum(head, len(self.keys) - 1)] if len(self.keys) else parent - 1
        head = np.where(known == parent, head, len(self.keys))
        hour = at.astype(np.int64) - self.first
        is_inside = (hour >= 0) & (hour < self.is_there.shape[1])
        has = np.zeros(len(at), np.bool_)
        has[is_inside] = self.is_there[head[is_inside], hour[is_inside]]
        return has, head[has], hour[has]


def nobody() -> Heads:
    """Above the whole service."""
    columns = {"key": pa.int64(), "at": pa.int32(), "above": pa.binary()}
    return Heads.of(pa.table({name: pa.array([], of) for name, of in columns.items()}))


@dataclass(frozen=True)
class Told:
    """What is usual of each hour of the days that are asked for, and in how many sessions that was seen."""

    level: Floats
    rate: Floats
    spread: Floats
    known: Floats


def whole_cells(batches: Iterator[pa.RecordBatch], at_once: int = AT_ONCE) -> Iterator[pa.Table]:
    """The rows anew, in tables of so many cells, the last of fewer."""
    waiting: list[pa.RecordBatch] = []
    for batch in batches:
        table = pa.Table.from_batches([*waiting, batch])
        keys = table["key"].to_numpy()
        begins = np.flatnonzero(keys[1:] != keys[:-1]) + 1
        start = 0
        for end in begins[at_once - 1 :: at_once].tolist():
            yield table.slice(start, end - start)
            start = end
        waiting = [some for some in table.slice(start).to_batches() if some.num_rows]
    if waiting:
        yield pa.Table.from_batches(waiting)


class Hours:
    """The hours of some cells, laid out by cell, day and hour of the day."""

    def __init__(self, table: pa.Table, heads: Heads) -> None:
        key, self._at = (table[name].to_numpy() for name in ("key", "at"))
        first, last = self._at.min() // HOURS, self._at.max() // HOURS
        self.days = np.arange(first, last + 1, dtype=np.int64)
        cell = np.cumsum(np.append(0, key[1:] != key[:-1]))
        self._shape = cell[-1] + 1, len(self.days), HOURS
        self._place = (cell * len(self.days) - first) * HOURS + self._at
        counts = table["counts"].combine_chunks().flatten().to_numpy()
        self._halves = counts.view(np.uint32).reshape(-1, len(METRICS), 2)
        self._heads = heads
        self._has_above, *self._above = heads.above(table["parent"].to_numpy(), self._at)

    def counted(self, metric: str) -> tuple[Floats, Floats]:
        """Bad sessions, and all; 0 in hours without any."""
        total, bad = self._halves[:, METRICS.index(metric)].T
        return self._laid_out(bad, 0), self._laid_out(total, 0)

    def above(self, metric: str) -> Above:
        """What the parent has; where nobody is above, no hour of the day is like another for all that is known."""
        head, hour = self._above
        told = self._heads.told[head, hour, METRICS.index(metric)]
        place = self._place[self._has_above]
        prior, profile, now = (
            self._laid_out(told[:, part], otherwise, place)
            for part, otherwise in enumerate((np.nan, 1, np.nan))
        )
        return Above(prior, profile, now)

    def given(self) -> Floats:
        """By row, metric and part what the parent has, NaN where there is none."""
        found = np.full((len(self._place), *_ABOVE), np.nan)
        head, hour = self._above
        found[self._has_above] = self._heads.told[head, hour]
        return found

    def since(self, first: int) -> Numbers:
        """The rows of the days from `first` on."""
        return np.flatnonzero(self._at >= first * HOURS)

    def of(self, rows: Numbers, values: Floats) -> Floats:
        """By row what is laid out, be it of the last days only."""
        cell, day, hour = np.unravel_index(self._place[rows], self._shape)
        found: Floats = values[cell, day - len(self.days) + values.shape[1], hour]
        return found

    def _laid_out(
        self, values: NDArray[np.generic], otherwise: float, place: Numbers | None = None
    ) -> Floats:
        found = np.full(self._shape, otherwise, np.float64)
        found.reshape(-1)[self._place if place is None else place] = values
        return found


def usual_hours(
    bad: Floats, total: Floats, above: Above, days: Numbers, first: int, usual: Usual
) -> Told:
    """What is usual of each hour of the days from `first` on; all are by series, day and hour of the day.

    Days are numbers, from 1970 on. Nothing of an hour's own day enters but by `now`, nor what lies more than
    `usual.days` before.
    """
    w = usual.level_sessions
    asked = days >= first
    history, lately = (_before(days, most) for most in (usual.days, usual.lately_days))
    of_day = total.sum(axis=2)
    known_bad, known = _on_days(history, bad.sum(axis=2)), _on_days(history, of_day)
    beforehand = _shrunk(known_bad, known, _first_known(above.prior, above.now), w)
    was_usual = _bounded(beforehand * above.profile)
    capped = np.fmin(bad, usual.cap * total * was_usual + 3)
    capped_of_day = capped.sum(axis=2)
    daily = _told_by_day(capped, total, was_usual / _bounded(beforehand))

    history, lately, known = history[asked], lately[asked], known[:, asked]
    prior, profile, now = (each[:, asked] for each in (above.prior, above.profile, above.now))
    long = _shrunk(_on_days(history, capped_of_day), known, prior, w)

    def level_on(counting: Floats) -> Floats:
        own = _on_days(counting, capped_of_day), _on_days(counting, of_day)
        return _bounded(_shrunk(*own, long, w))

    level = level_on(lately)
    is_free = _are_free(days, usual)
    alike = [history * (is_free[asked, None] == is_free)]
    outweighing = [usual.hour_sessions]
    if usual.weekday_sessions is not None:
        weekday = days % 7
        alike.append(alike[0] * (weekday[asked, None] == weekday))
        outweighing.append(usual.weekday_sessions)
    over, pairs = np.zeros_like(level), np.zeros_like(level)
    expected = [np.zeros_like(level) for _ in alike]
    # The last span is the lately one. A level that has shifted is no shape of the day, and no spread.
    for last in range(0, usual.days, usual.lately_days):
        end = min(last + usual.lately_days, usual.days)
        span = (_before(days, end) - _before(days, last))[asked]
        then = _first_known(level_on(span), 0)
        expected = [
            sofar + then * ((span * some) @ total)
            for sofar, some in zip(expected, alike, strict=True)
        ]
        of_span = _one_by_one(daily, np.flatnonzero(asked), last, end)[..., None]
        over += of_span[0] - then * of_span[1] + then**2 * of_span[2]
        pairs += then * of_span[3] - then**2 * of_span[4]
    for some, sofar, sessions in zip(alike, expected, outweighing, strict=True):
        profile = _shrunk(some @ capped, sofar, profile, sessions * level)
    at_last = _first_known(_bounded(level * profile), _bounded(now))
    # Sums are divided, and not quotients summed: an hour in which hardly anything is usual would outweigh all others.
    held = usual.spread_pairs * _first_known(level * (1 - level), np.ones_like(level))
    spread = (over + usual.spread * held) / (np.maximum(pairs, 0) + held)
    # What the rate is not known well varies like sessions that go bad together.
    spread = np.clip(spread, _LEAST_SPREAD, _MOST_SPREAD) + 1 / (known + w)
    return Told(level, at_last, spread, np.broadcast_to(known, level.shape))


def _told_by_day(bad: Floats, total: Floats, profile: Floats) -> Floats:
    """`(5, series, days)`: of what `(bad − L q)² − L q (1 − L p)` and `L q (1 − L p)(n − 1)` are made for any level L.

    Of `total`, n, sessions at a profile p of the day `q = n p` are expected at a level of 1. The first is its first,
    less L times its second, and L² times its third part; the other L times its fourth less L² times its fifth. Hours
    of which no profile is known are left out.
    """
    is_known = ~np.isnan(profile)
    p, n, x = (np.where(is_known, each, 0) for each in (profile, total, bad))
    q = n * p
    xx, xq, qq, qp, qn = (_over_hours(*two) for two in ((x, x), (x, q), (q, q), (q, p), (q, n)))
    all_q = q.sum(axis=2)
    # As q = n p, q p n is q².
    return np.stack([xx, 2 * xq + all_q, qq + qp, qn - all_q, qq - qp])


def rated(table: pa.Table, heads: Heads, usual: Usual, first: int) -> Iterator[pa.RecordBatch]:
    """`cell, metric, day, hour, bad, total, rate, spread, known` of the days from `first` on, where anybody was."""
    hours = Hours(table, heads)
    asked = hours.since(first)
    if not len(asked):
        return
    cell, at = (table[name].take(pa.array(asked)).combine_chunks() for name in ("cell", "at"))
    day, hour = np.divmod(at.to_numpy(), HOURS)
    for metric in METRICS:
        bad, total = hours.counted(metric)
        there = np.flatnonzero(hours.of(asked, total))
        if not len(there):
            continue
        told = usual_hours(bad, total, hours.above(metric), hours.days, first, usual)
        rows = asked[there]
        yield pa.RecordBatch.from_pydict(
            {
                "cell": cell.take(pa.array(there)),
                "metric": pa.repeat(metric, len(there)),
                "day": day[there],
                "hour": hour[there],
                "bad": hours.of(rows, bad).astype(np.int64),
                "total": hours.of(rows, total).astype(np.int64),
                "rate": pa.array(hours.of(rows, told.rate), from_pandas=True),
                "spread": hours.of(rows, told.spread),
                "known": hours.of(rows, told.known),
            }
        )


def above_children(table: pa.Table, heads: Heads, usual: Usual) -> pa.RecordBatch:
    """`key, at, above` of each row, for the cells that it is the parent of; what it does not know is its parent's.

    `above` are numbers of eight bytes, by metric `prior, profile, now`, which `Heads` are made of.
    """
    hours = Hours(table, heads)
    every, first = np.arange(table.num_rows), int(hours.days[0])
    found = hours.given()
    for place, metric in enumerate(METRICS):
        (bad, total), above = hours.counted(metric), hours.above(metric)
        told = usual_hours(bad, total, above, hours.days, first, usual)
        at_last = np.divide(bad, total, out=np.full_like(bad, np.nan), where=total > 0)
        # What all of the service fares like now tells more than what one part of it does.
        own = told.level, told.rate / told.level, _first_known(above.now, at_last)
        for part, values in enumerate(own):
            of_rows = hours.of(every, np.where(total > 0, values, np.nan))
            found[:, place, part] = _first_known(of_rows, found[:, place, part])
    key, at = (table[name].combine_chunks() for name in ("key", "at"))
    above = pa.array([row.tobytes() for row in found], pa.binary())
    return pa.RecordBatch.from_pydict({"key": key, "at": at, "above": above})


def _numbers(rows: pa.Table) -> Floats:
    """By row, metric and part what `above` holds."""
    held = b"".join(rows["above"].to_pylist())
    return np.frombuffer(held, np.float64).reshape(-1, *_ABOVE)


def _before(days: Numbers, most: int) -> Floats:
    """By day which days lie in the `most` ones before it: 1, else 0."""
    ago = days[:, None] - days
    return ((ago > 0) & (ago <= most)).astype(np.float64)


def _on_days(counting: Floats, values: Floats) -> Floats:
    """By series and day the sum over the days that count for it."""
    found: Floats = values @ counting.T
    return found[..., None]


def _one_by_one(values: Floats, places: Numbers, last: int, end: int) -> Floats:
    """The sum over days more than `last` and up to `end` before those of these places; the last axis is days.

    In the order of days, however many there are beside them: small differences are told from large sums of fractions.
    """
    found = np.zeros((*values.shape[:-1], len(places)))
    for ago in range(last + 1, end + 1):
        has = places >= ago
        found[..., has] += values[..., places[has] - ago]
    return found


def _over_hours(one: Floats, other: Floats) -> Floats:
    """By series and day the sum of the products of its hours."""
    found: Floats = np.einsum("sdh,sdh->sd", one, other)
    return found


def _are_free(days: Numbers, usual: Usual) -> NDArray[np.bool_]:
    """Whether they are weekends or holidays; the first day of 1970 was a Thursday."""
    holidays = [(day - EPOCH).days for day in usual.holidays]
    return ((days + 3) % 7 >= 5) | np.isin(days, holidays)


def _first_known(one: Floats, other: Floats | float) -> Floats:
    return np.where(np.isnan(one), other, one)


def _shrunk(bad: Floats, total: Floats, prior: Floats, weight: Floats | float) -> Floats:
    """The rate of bad ones among all and `weight` more at the prior's; without a prior that of them alone."""
    alone = np.divide(bad, total, out=np.full_like(bad, np.nan), where=total > 0)
    return _first_known((bad + weight * prior) / (total + weight), alone)


def _bounded(rate: Floats) -> Floats:
    """A rate that nothing divides by zero with; what is not known stays so."""
    return np.clip(rate, _LEAST_RATE, _MOST_RATE)
