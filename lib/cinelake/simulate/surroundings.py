"""Where plays happen, looked up in the world: places that incidents strike, lines, devices, local time, premieres."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from cinelake.simulate.calendar import midnight, next_change, offset
from cinelake.simulate.player.incidents import MAINTENANCE, Places, incidents_between
from cinelake.simulate.player.telemetry import Names, Surroundings
from cinelake.simulate.randomness import Floats, Longs
from cinelake.simulate.settings import Settings
from cinelake.simulate.trace import DAY, DEVICE_KINDS, HOUR, SECOND, PlayColumns
from cinelake.simulate.world import devices as hardware
from cinelake.simulate.world import networks as lines
from cinelake.simulate.world.catalogue import catalogue
from cinelake.simulate.world.markets import geography

# Newcomers among the originals that all the world waits for.
_GREAT_SHARE = 0.1
# How much of a premiere's load those feel who watch something else.
_BYSTANDERS = 0.35
# World day at which releases of apps are counted from (see world.devices.describe).
_RELEASES_BEFORE_DAYS = 500


@lru_cache(maxsize=8)
def places(settings: Settings) -> Places:
    """What incidents can strike in this world."""
    world = geography(settings.world.markets)
    founded = midnight(settings.world.founded)
    first_region = {int(m): n for n, m in reversed(list(enumerate(world.region_market)))}
    zone = np.array([world.region_zone[first_region.get(int(m), 0)] for m in world.isp_market])
    ahead = offset(world.zones, zone, np.full(len(zone), founded, dtype=np.int64)) / HOUR
    versions = [
        hardware.app_version_name(kind, number)
        for kind in range(len(DEVICE_KINDS))
        for number in range(hardware.VERSIONS)
    ]
    return Places(
        cdn=settings.player.cdns,
        region=world.regions,
        isp=world.isps,
        model=tuple(model.name for model in hardware.MODELS),
        app_version=tuple(versions),
        region_market=tuple(int(m) for m in world.region_market),
        region_weight=tuple(float(w) for w in world.region_weight),
        isp_market=tuple(int(m) for m in world.isp_market),
        isp_utc_offset=tuple(float(h) for h in ahead),
        model_kind=tuple(model.kind for model in hardware.MODELS),
        kinds=len(DEVICE_KINDS),
        released_from=founded - _RELEASES_BEFORE_DAYS * DAY,
        released_every=7 * hardware.VERSION_WEEKS * DAY,
    )


def names(settings: Settings) -> Names:
    """Texts that telemetry needs beside those."""
    return Names(countries=geography(settings.world.markets).countries)


def surroundings(settings: Settings, plays: PlayColumns) -> Surroundings:
    """Where these plays happen."""
    world = geography(settings.world.markets)
    networks = lines.describe(settings, plays.network, plays.pressed_at)
    devices = hardware.describe(settings, plays.device, plays.pressed_at)
    code = devices.kind.astype(np.int64) * hardware.VERSIONS + devices.app_version
    zone = world.region_zone[networks.true_region]
    ahead = offset(world.zones, zone, plays.pressed_at)
    changes_at, then = next_change(world.zones, zone, plays.pressed_at)
    return Surroundings(
        networks=networks,
        devices=type(devices)(devices.kind, devices.model, code, devices.is_poor),
        utc_offset_s=ahead // SECOND,
        clock_change_at=changes_at,
        utc_offset_then_s=then // SECOND,
        premiere=_premiere_loads(settings, plays, (plays.pressed_at + ahead) // DAY),
    )


def burden(settings: Settings, network: Longs, month: Longs) -> Floats:
    """The share of a network's viewing in a month (since 1970) that incidents spoil, 0 … 1."""
    known, place = np.unique(network, return_inverse=True)
    founded = np.full(len(known), midnight(settings.world.founded), dtype=np.int64)
    line = lines.describe(settings, known, founded)
    first, table = _burdens(settings)
    row = np.clip(month - first, 0, len(table) - 1)
    spoilt: Floats = table[row, line.isp[place], line.true_region[place]]
    return spoilt


@lru_cache(maxsize=2)
def _burdens(settings: Settings) -> tuple[int, Floats]:
    """First month, and shares by month, ISP and region."""
    where = places(settings)
    begin, end = midnight(settings.world.founded), midnight(settings.world.ends)
    found = incidents_between(begin, end, where, settings.player, settings.seed)
    found = found.take(found.kind < MAINTENANCE)
    months = _months(np.array([begin, end]))
    table = np.zeros((int(months[1] - months[0]) + 1, len(where.isp), len(where.region)))
    shares = np.array(settings.player.cdn_shares) / sum(settings.player.cdn_shares)
    cdn, region, isp, model, version = found.where.T
    weight = found.severity * (found.end - found.start) / (30 * DAY)
    weight = weight * np.where(cdn >= 0, shares[cdn], 1.0)
    weight = weight * np.where((model >= 0) | (version >= 0), 1 / len(where.model), 1.0)
    for row, month in enumerate(_months(found.start) - months[0]):
        isps = slice(None) if isp[row] < 0 else isp[row]
        regions = slice(None) if region[row] < 0 else region[row]
        table[month, isps, regions] += weight[row]
    return int(months[0]), np.minimum(table, 1.0)


def _months(times: Longs) -> Longs:
    months: Longs = times.astype("datetime64[us]").astype("datetime64[M]").astype(np.int64)
    return months


@lru_cache(maxsize=8)
def premieres(settings: Settings) -> tuple[Longs, Longs]:
    """Days and titles of the great premieres, in order of days."""
    titles = catalogue(settings)
    founded = midnight(settings.world.founded) // DAY
    new = titles.is_original & (titles.release_day > founded)
    if not new.any():
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    great = new & (titles.fame >= np.quantile(titles.fame, 1 - _GREAT_SHARE))
    title = np.flatnonzero(great)
    title = title[np.argsort(titles.release_day[title], kind="stable")]
    return titles.release_day[title].astype(np.int64), title


def _premiere_loads(settings: Settings, plays: PlayColumns, day: Longs) -> Floats:
    days, titles = premieres(settings)
    everyone = _BYSTANDERS * np.isin(day, days)
    released = catalogue(settings).release_day[plays.title]
    own = np.isin(plays.title, titles) & (day == released)
    loads: Floats = settings.player.premiere_load * np.where(own, 1.0, everyone)
    return loads
