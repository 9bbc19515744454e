"""Where each play happens: device, line, CDN and point of presence, and what they are capable of.

One row a play. CDNs are chosen a play at a time, by shares; a point of presence serves a region, and most ISPs
of a region meet a CDN in the same one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from cinelake.simulate.player.incidents import Places
from cinelake.simulate.player.settings import PlayerSettings
from cinelake.simulate.randomness import Bools, Floats, Longs, bits, integers, normal, pick, uniform
from cinelake.simulate.trace import (
    CONNECTIONS,
    DEVICE_KINDS,
    Columns,
    Devices,
    Networks,
    PlayColumns,
)

# Bitrates of the ladder (kbit/s), 240p to 2160p; Apple's HLS authoring guide goes from 145 to 16,800.
LADDER = np.array([235, 560, 1050, 1750, 3000, 5800, 8000, 16000], dtype=np.float64)
# The highest rung by device kind (tv, console, phone, tablet, laptop), and for old, weak ones.
_TOP = np.array([7, 7, 4, 5, 6])
_TOP_POOR = 3
# Seconds to start the app's player, by device kind.
_START_S = np.array([1.6, 1.3, 0.9, 0.9, 0.8])
# The most that a player keeps in its buffer (s): media3's DefaultLoadControl has 50, televisions less memory.
_BUFFER_S = np.array([35.0, 45.0, 50.0, 50.0, 50.0])
_BUFFER_POOR_S = 15.0
# Frames dropped per minute played, by device kind.
_DROPS = np.array([0.4, 0.1, 0.6, 0.6, 0.4])

# By CONNECTIONS (fibre, cable, dsl, mobile, satellite, corporate, hosting, vpn, relay):
# round trip (s), spread of throughput from minute to minute (log), how much the evening weighs, and outages
# in units of the setting, which is for a fixed line.
_ROUND_TRIP_S = np.array([0.02, 0.03, 0.04, 0.07, 0.60, 0.03, 0.02, 0.09, 0.06])
_JITTER = np.array([0.15, 0.25, 0.25, 0.50, 0.40, 0.25, 0.15, 0.35, 0.25])
_EVENING = np.array([0.4, 1.2, 0.8, 1.2, 1.5, 0.2, 0.1, 0.6, 0.6])
_OUTAGES = np.array([0.5, 0.9, 1.3, 4.0, 5.0, 1.0, 0.3, 2.0, 1.5])
# No server gives a single stream more than this (kbit/s).
_SERVER_KBPS = 60_000.0
# Points of presence by CDN and region.
_POPS = 2


@dataclass(frozen=True)
class Scenes(Columns):
    """What surrounds each play."""

    key: Longs  # number of the play, to draw by
    cdn: Longs
    pop: Longs  # 0 … 1, among those of the CDN in the region
    region: Longs
    isp: Longs
    model: Longs
    app_version: Longs
    connection: Longs
    kind: Longs  # of device
    base_kbps: Floats  # throughput of the play in a quiet hour
    jitter: Floats
    evening: Floats  # weight of the evening peak
    outage_rate: Floats  # per second
    hiccup_rate: Floats  # lost or broken segments per second
    buffer_s: Floats
    round_trip_s: Floats
    start_s: Floats
    drops_a_minute: Floats
    top: Longs  # highest rung of the ladder
    is_poor: Bools
    utc_offset_s: Longs
    premiere: Floats  # share of throughput lost to a premiere

    def where(self) -> Longs:
        """The dimensions that incidents strike, as a matrix (see incidents.DIMENSIONS)."""
        return np.stack([self.cdn, self.region, self.isp, self.model, self.app_version], axis=1)

    def pop_names(self, places: Places) -> pa.DictionaryArray:
        """Names of the points of presence, as `aurora-de-by-1`."""
        code = (self.cdn * len(places.region) + self.region) * _POPS + self.pop
        known, index = np.unique(code, return_inverse=True)
        names = [
            f"{places.cdn[c // _POPS // len(places.region)]}-"
            f"{places.region[c // _POPS % len(places.region)].lower()}-{c % _POPS + 1}"
            for c in known.tolist()
        ]
        return pa.DictionaryArray.from_arrays(
            pa.array(index.astype(np.int32)), pa.array(names, pa.string())
        )


def scenes(
    plays: PlayColumns,
    networks: Networks,
    devices: Devices,
    utc_offset_s: Longs,
    premiere: Floats,
    settings: PlayerSettings,
    seed: int,
) -> Scenes:
    """The scenes of plays; `networks`, `devices`, `utc_offset_s` and `premiere` are theirs, row by row."""
    key = play_numbers(plays, seed)
    cdn = pick(settings.cdn_shares, seed, "cdn", key)
    region = networks.region
    # Most plays of an ISP's region meet a CDN in one place; some are sent elsewhere.
    home_pop = integers(_POPS, seed, "pop of isp", cdn, region, networks.isp)
    pop = np.where(uniform(seed, "pop", key) < 0.9, home_pop, 1 - home_pop)
    connection = networks.connection.astype(np.int64)
    kind = devices.kind.astype(np.int64)
    reach = np.exp(0.10 * normal(seed, "cdn in region", cdn, region))
    # What is left of the line: others in the home, walls between the device and its router.
    left = 0.85 * np.exp(-0.45 * np.abs(normal(seed, "share of line", key)))
    weak = np.where(devices.is_poor, 0.35, 1.0)
    base = np.minimum(networks.capacity_mbps * 1000 * left, _SERVER_KBPS) * reach * weak
    return Scenes(
        key=key,
        cdn=cdn,
        pop=pop,
        region=region,
        isp=networks.isp,
        model=devices.model,
        app_version=devices.app_version,
        connection=connection,
        kind=kind,
        base_kbps=np.maximum(base, 150.0),
        jitter=_JITTER[connection],
        evening=_EVENING[connection],
        outage_rate=_OUTAGES[connection] * settings.outages_an_hour / 3600,
        hiccup_rate=np.where(devices.is_poor, 4.0, 1.0) * settings.hiccups_an_hour / 3600,
        buffer_s=np.where(devices.is_poor, _BUFFER_POOR_S, _BUFFER_S[kind]),
        round_trip_s=_ROUND_TRIP_S[connection],
        start_s=_START_S[kind] * np.where(devices.is_poor, 2.2, 1.0),
        drops_a_minute=_DROPS[kind] * np.where(devices.is_poor, 60.0, 1.0),
        top=np.where(devices.is_poor, np.minimum(_TOP[kind], _TOP_POOR), _TOP[kind]),
        is_poor=devices.is_poor,
        utc_offset_s=utc_offset_s,
        premiere=premiere,
    )


def play_numbers(plays: PlayColumns, seed: int) -> Longs:
    """A number for each play that does not depend on what else is generated."""
    return bits(seed, "play", plays.device, plays.profile, plays.pressed_at).view(np.int64)


assert len(_TOP) == len(DEVICE_KINDS)
assert len(_JITTER) == len(CONNECTIONS)
