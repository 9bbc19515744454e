"""A simulated service in memory, small enough to look at: what its viewers do, what its players go through, the truth.

One process makes it, without Spark; what it holds is what a delivery of the same accounts and days would tell.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from cinelake.simulate.calendar import midnight, to_local
from cinelake.simulate.delivery.shipment import Window, deliver
from cinelake.simulate.player.incidents import Incidents, incidents_between
from cinelake.simulate.player.telemetry import Surroundings, Watched, watch
from cinelake.simulate.randomness import Longs
from cinelake.simulate.settings import Settings
from cinelake.simulate.surroundings import burden, names, places, surroundings
from cinelake.simulate.trace import DAY, Plays, Records
from cinelake.simulate.viewers.people import Batch
from cinelake.simulate.viewers.service_side import batch_of, generate
from cinelake.simulate.world.markets import geography


@dataclass(frozen=True)
class Exhibit:
    """Plays as they were meant, with where they happen; what players made of them; records; receipts."""

    settings: Settings
    start: int  # µs UTC
    end: int
    batch: Batch
    plays: Plays
    around: Surroundings
    watched: Watched
    incidents: Incidents
    records: list[Records]
    truth: dict[str, pa.Table]
    faults: pa.Table  # as shipment.FAULT_COUNTS
    delays_s: np.ndarray  # from event to receipt, of records that can be read

    @property
    def local(self) -> Longs:
        """When plays were pressed, on the wall where the account lives (µs)."""
        zones = geography(self.settings.world.markets).zones
        home = np.searchsorted(self.batch.homes.account, self.plays.rows.account)
        return to_local(zones, self.batch.homes.zone[home], self.plays.rows.pressed_at)


def exhibit(
    accounts: int, days: int, start: str = "2026-01-05", settings: Settings | None = None
) -> Exhibit:
    """The first `accounts` accounts of the service of these settings in so many days from `start` on."""
    settings = settings or Settings()
    begin = int(np.datetime64(start, "D").astype(np.int64)) * DAY
    end = begin + days * DAY
    numbers = np.arange(accounts)

    def spoilt(network: Longs, month: Longs) -> np.ndarray:
        return burden(settings, network, month)

    plays, records, truths = generate(settings, numbers, begin, end, spoilt)
    around = surroundings(settings, plays.rows)
    where, seed = places(settings), settings.seed
    struck = incidents_between(begin - DAY, end + DAY, where, settings.player, seed)
    watched = watch(plays, around, struck, where, names(settings), settings.player, seed)
    every = [*records, watched.playback, watched.heartbeats]
    window = Window(begin, midnight(settings.world.ends))
    counts, delays = [], []
    for part in every:
        shipment = deliver(part, 1, window, settings.delivery, seed)
        counts.append(shipment.counts)
        readable = shipment.arrived < midnight(settings.world.ends)
        delays.append((shipment.arrived - part.happened)[readable] / 1e6)
    return Exhibit(
        settings=settings,
        start=begin,
        end=end,
        batch=batch_of(settings, numbers, spoilt),
        plays=plays,
        around=around,
        watched=watched,
        incidents=struck,
        records=every,
        truth=truths.tables,
        faults=pa.concat_tables(counts),
        delays_s=np.concatenate(delays),
    )
