"""Incidents: what strikes a combination of CDN, region, ISP, device model and app version for a while.

Grain: one row an incident, confounders included (ISP maintenance). Drawn day by day, so that a window needs
only the days before that may reach into it. Half of all last two hours or more, and most strike one or two
attributes (Jiang et al., "Shedding light on the structure of Internet video quality problems in the wild",
CoNEXT 2013). A fifth have a companion elsewhere at the same time. Strength rises over the ramp, stays, and falls
in a quarter of the ramp.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from cinelake.simulate.player.settings import IncidentSettings, PlayerSettings
from cinelake.simulate.randomness import (
    Floats,
    Longs,
    exponential,
    integers,
    normal,
    pick,
    pick_by_row,
    poisson,
    uniform,
)
from cinelake.simulate.trace import DAY, HOUR, MINUTE, Columns, ids
from cinelake.spelling import hint

KINDS = (
    "congestion",
    "slow_start",
    "start_failure",
    "playback_error",
    "dropped_frames",
    "maintenance",
    "premiere",
)
CONGESTION, SLOW_START, START_FAILURE, PLAYBACK_ERROR, DROPPED_FRAMES, MAINTENANCE, PREMIERE = (
    range(7)
)
DIMENSIONS = ("cdn", "region", "isp", "model", "app_version")
# What random incidents strike, and how often; a network's fault shows in other ways than an app's.
_NETWORK = ((0,), (0, 1), (2,), (1, 2), (0, 2), (0, 1, 2), (1,))
_NETWORK_WEIGHTS = (2.0, 3.0, 2.0, 1.5, 2.0, 1.0, 0.5)
_APP = ((3, 4), (4,), (3,), (1, 4), (0, 3))
_APP_WEIGHTS = (3.0, 1.0, 1.0, 1.0, 1.0)
_APP_SHARE = 0.35
_NETWORK_KINDS = (CONGESTION, SLOW_START, START_FAILURE, PLAYBACK_ERROR)
_NETWORK_KIND_WEIGHTS = (4.0, 1.5, 1.5, 0.7)
_APP_KINDS = (START_FAILURE, PLAYBACK_ERROR, DROPPED_FRAMES, SLOW_START)
_APP_KIND_WEIGHTS = (2.0, 2.0, 1.5, 1.0)
# The longest that one lasts, so that a window knows how far to look back.
LONGEST = 2 * DAY
TRUTH = pa.schema(
    [
        ("incident_id", pa.string()),
        ("kind", pa.string()),
        ("is_confounder", pa.bool_()),
        *((name, pa.string()) for name in DIMENSIONS),
        ("started_at", pa.timestamp("us", "UTC")),
        ("full_at", pa.timestamp("us", "UTC")),
        ("ended_at", pa.timestamp("us", "UTC")),
        ("severity", pa.float64()),
    ]
)


class UnknownPlace(ValueError):
    """A wanted incident strikes what is not there; the message says what there is."""


@dataclass(frozen=True)
class Places:
    """What incidents can strike: names by dimension, and how these belong together.

    App versions stand in blocks of equal length, one a device kind, in order of release.
    """

    cdn: tuple[str, ...]
    region: tuple[str, ...]
    isp: tuple[str, ...]
    model: tuple[str, ...]
    app_version: tuple[str, ...]
    region_market: tuple[int, ...]
    region_weight: tuple[float, ...]
    isp_market: tuple[int, ...]  # −1 for those of no market, which random incidents leave alone
    isp_utc_offset: tuple[float, ...]  # h
    model_kind: tuple[int, ...]
    kinds: int = 1
    released_from: int = 0  # when the first version came (µs UTC)
    released_every: int = 21 * DAY

    def names(self, dimension: int) -> tuple[str, ...]:
        names: tuple[str, ...] = getattr(self, DIMENSIONS[dimension])
        return names

    def version(self, kind: Longs, at: Longs) -> Longs:
        """The version of a kind's app that was the newest at these moments."""
        block = len(self.app_version) // self.kinds
        number = np.clip((at - self.released_from) // self.released_every, 0, block - 1)
        version: Longs = kind * block + number
        return version


@dataclass(frozen=True)
class Incidents(Columns):
    """Incidents; `where` is a matrix of indices into `Places` by dimension, −1 for anywhere."""

    number: Longs
    kind: Longs
    where: Longs
    start: Longs  # µs UTC
    full: Longs
    end: Longs
    severity: Floats

    def strength(self, chosen: Longs, times: Longs) -> Floats:
        """Strength of the `chosen` incidents at the `times`, one by one: 0 … severity."""
        start, full, end = self.start[chosen], self.full[chosen], self.end[chosen]
        rise = (times - start) / np.maximum(full - start, 1)
        fall = (end - times) / np.maximum((full - start) / 4, 1)
        strength: Floats = np.clip(np.minimum(rise, fall), 0, 1) * self.severity[chosen]
        return strength


def incidents_between(
    start: int, end: int, places: Places, settings: PlayerSettings, seed: int
) -> Incidents:
    """All incidents at work in `[start, end)`, µs UTC."""
    parts = [
        _random(start, end, places, settings, seed),
        _maintenance(start, end, places, settings, seed),
        _wanted(places, settings.incidents),
    ]
    found = Incidents.joined(parts)
    return found.take((found.start < end) & (found.end > start))


def premieres_as_incidents(days: Longs, titles: Longs, load: float) -> Incidents:
    """Premieres for the truth: everywhere, for the day; what they do stands in each play's scene."""
    where = np.full((len(days), len(DIMENSIONS)), -1, dtype=np.int64)
    kind = np.full(len(days), PREMIERE, dtype=np.int64)
    start = days * DAY
    severity = np.full(len(days), load)
    return Incidents(titles + (1 << 45), kind, where, start, start, start + DAY, severity)


def check_places(places: Places, settings: PlayerSettings) -> None:
    """Raises UnknownPlace for a wanted incident on what does not exist."""
    for wanted in settings.incidents:
        for dimension, name in enumerate(DIMENSIONS):
            value = getattr(wanted, name)
            known = places.names(dimension)
            if value is not None and value not in known:
                raise UnknownPlace(
                    f"player.incidents: an incident on {name} {value!r}, which does not exist; "
                    f"{hint(value, known, alike=0.4)}"
                )


def truth(incidents: Incidents, places: Places, seed: int) -> pa.Table:
    """The incidents as they are told to nobody."""
    times = pa.timestamp("us", "UTC")
    columns: list[pa.Array] = [
        ids(seed, "incident", incidents.number),
        pa.array([KINDS[kind] for kind in incidents.kind], pa.string()),
        pa.array(incidents.kind >= MAINTENANCE),
    ]
    for dimension in range(len(DIMENSIONS)):
        names = places.names(dimension)
        column = incidents.where[:, dimension]
        columns.append(pa.array([names[i] if i >= 0 else None for i in column], pa.string()))
    columns += [pa.array(t, times) for t in (incidents.start, incidents.full, incidents.end)]
    columns.append(pa.array(incidents.severity))
    return pa.table(columns, schema=TRUTH)


def _random(start: int, end: int, places: Places, settings: PlayerSettings, seed: int) -> Incidents:
    days = np.arange((start - LONGEST) // DAY, (end - 1) // DAY + 1, dtype=np.int64)
    counts = poisson(settings.incidents_a_day, seed, "incidents of a day", days)
    day = np.repeat(days, counts)
    k = np.arange(len(day)) - np.repeat(np.cumsum(counts) - counts, counts)
    own = _drawn(day, k, np.zeros(len(day), dtype=np.int64), places, seed)
    has_companion = uniform(seed, "incident companion", day, k) < 0.2
    more = _drawn(
        day[has_companion], k[has_companion], np.ones(has_companion.sum(), np.int64), places, seed
    )
    return Incidents.joined([own, more])


def _drawn(day: Longs, k: Longs, companion: Longs, places: Places, seed: int) -> Incidents:
    keys = day, k, companion
    is_app = uniform(seed, "incident side", *keys) < _APP_SHARE
    network = pick(_NETWORK_WEIGHTS, seed, "incident network shape", *keys)
    app = pick(_APP_WEIGHTS, seed, "incident app shape", *keys)
    kind = np.where(
        is_app,
        np.array(_APP_KINDS)[pick(_APP_KIND_WEIGHTS, seed, "incident app kind", *keys)],
        np.array(_NETWORK_KINDS)[pick(_NETWORK_KIND_WEIGHTS, seed, "incident network kind", *keys)],
    )
    # A companion begins within the first hour of its incident.
    base = uniform(seed, "incident onset", day, k) * DAY
    shift = companion * uniform(seed, "incident companion onset", *keys) * HOUR
    start = day * DAY + (base + shift).astype(np.int64)
    where = _struck(start, keys, places, seed)
    for dimension in range(len(DIMENSIONS)):
        strikes = np.where(
            is_app,
            np.array([dimension in shape for shape in _APP])[app],
            np.array([dimension in shape for shape in _NETWORK])[network],
        )
        where[~strikes, dimension] = -1
    hours = 2.0 * np.exp(1.0 * normal(seed, "incident length", *keys))
    length = np.minimum((np.maximum(hours, 0.25) * HOUR).astype(np.int64), LONGEST)
    ramp = (5 + 20 * exponential(seed, "incident ramp", *keys)) * MINUTE
    full = start + np.minimum(ramp.astype(np.int64), length // 2)
    severity = 0.35 + 0.65 * uniform(seed, "incident severity", *keys)
    number = (day * 64 + k) * 2 + companion
    return Incidents(number, kind, where, start, full, start + length, severity)


def _struck(start: Longs, keys: tuple[Longs, Longs, Longs], places: Places, seed: int) -> Longs:
    """A combination that exists: an ISP of the region's market, a version of the model's app."""
    region = pick(places.region_weight, seed, "incident region", *keys)
    market = np.array(places.region_market)[region]
    fits = (np.array(places.isp_market)[None, :] == market[:, None]).astype(np.float64)
    isp = pick_by_row(fits, uniform(seed, "incident isp", *keys))
    model = integers(len(places.model), seed, "incident model", *keys)
    # The faults of a version show in the weeks after its release.
    age = (14 * DAY * exponential(seed, "incident version", *keys)).astype(np.int64)
    version = places.version(np.array(places.model_kind)[model], start - age)
    cdn = integers(len(places.cdn), seed, "incident cdn", *keys)
    return np.stack([cdn, region, isp, model, version], axis=1)


def _maintenance(
    start: int, end: int, places: Places, settings: PlayerSettings, seed: int
) -> Incidents:
    days = np.arange(start // DAY - 1, end // DAY + 2, dtype=np.int64)
    isps = np.arange(len(places.isp), dtype=np.int64)
    night = uniform(seed, "maintenance", days[:, None], isps[None, :])
    works = (night < settings.maintenance_share) & (np.array(places.isp_market) >= 0)[None, :]
    d, i = np.nonzero(works)
    offsets = np.array(places.isp_utc_offset)
    # Two to five at night, where the ISP is.
    begin = days[d] * DAY + ((2 - offsets[i]) * HOUR).astype(np.int64)
    where = np.full((len(d), len(DIMENSIONS)), -1, dtype=np.int64)
    where[:, DIMENSIONS.index("isp")] = i
    severity = 0.4 + 0.5 * uniform(seed, "maintenance severity", days[d], i)
    kind = np.full(len(d), MAINTENANCE, dtype=np.int64)
    number = (days[d] * 4096 + i) * 2 + (1 << 40)
    return Incidents(number, kind, where, begin, begin + 5 * MINUTE, begin + 3 * HOUR, severity)


def _wanted(places: Places, wanted: tuple[IncidentSettings, ...]) -> Incidents:
    where = np.full((len(wanted), len(DIMENSIONS)), -1, dtype=np.int64)
    starts = []
    for row, incident in enumerate(wanted):
        for dimension, name in enumerate(DIMENSIONS):
            value = getattr(incident, name)
            if value is not None:
                where[row, dimension] = places.names(dimension).index(value)
        zoned = incident.start if incident.start.tzinfo else incident.start.replace(tzinfo=dt.UTC)
        starts.append(round(zoned.timestamp() * 1e6))
    start = np.array(starts, dtype=np.int64)
    length = np.array([round(i.hours * HOUR) for i in wanted], dtype=np.int64)
    ramp = np.array([round(i.ramp_minutes * MINUTE) for i in wanted], dtype=np.int64)
    return Incidents(
        number=np.arange(len(wanted), dtype=np.int64) + (1 << 50),
        kind=np.array([KINDS.index(i.kind) for i in wanted], dtype=np.int64),
        where=where,
        start=start,
        full=start + np.minimum(ramp, length),
        end=start + length,
        severity=np.array([i.severity for i in wanted], dtype=np.float64),
    )
