"""One small simulated service for the tests of this folder, made once; and what its players go through."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
import pytest

from cinelake.simulate.calendar import midnight
from cinelake.simulate.player.incidents import Incidents, incidents_between
from cinelake.simulate.player.telemetry import Watched, watch
from cinelake.simulate.settings import Settings
from cinelake.simulate.surroundings import names, places, surroundings
from cinelake.simulate.trace import DAY, Plays, Records, Truths
from cinelake.simulate.viewers.service_side import (
    generate,
    generate_world,
    standing,
    standing_world,
)

START = midnight(dt.date(2026, 1, 1))


@dataclass(frozen=True)
class Service:
    """What 300 accounts do in four weeks."""

    settings: Settings
    accounts: np.ndarray
    start: int
    end: int
    plays: Plays
    records: list[Records]
    truths: Truths
    standing: list[Records]

    def of(self, source: str, before: bool = False) -> list[Records]:
        every = [*self.records, *self.standing] if before else self.records
        return [records for records in every if records.source == source]

    def column(self, source: str, name: str, before: bool = False) -> np.ndarray:
        parts = [
            records.payload[name].cast("string").to_numpy(zero_copy_only=False)
            for records in self.of(source, before)
        ]
        return np.concatenate(parts) if parts else np.array([], dtype=object)


@pytest.fixture(scope="session")
def service() -> Service:
    settings = Settings()
    accounts = np.arange(300)
    end = START + 28 * DAY
    plays, records, truths = generate(settings, accounts, START, end)
    world, of_titles = generate_world(settings, START, end)
    before = [*standing(settings, accounts, START), *standing_world(settings, START)]
    return Service(
        settings,
        accounts,
        START,
        end,
        plays,
        [*records, *world],
        Truths(truths.tables | of_titles.tables),
        before,
    )


@dataclass(frozen=True)
class Watching:
    """The players of the service, all plays together."""

    watched: Watched
    incidents: Incidents

    def told(self, name: str) -> np.ndarray:
        """A column of the truth, a row a play that came about."""
        column: np.ndarray = self.watched.truth[name].to_numpy()
        return column

    def attempts(self, *names: str) -> list[np.ndarray]:
        """Columns of the records of attempts, in the same order."""
        payload = self.watched.playback.payload
        first = payload["event"].cast("string").to_numpy(zero_copy_only=False) == "attempt"
        return [
            payload[name].cast("string").to_numpy(zero_copy_only=False)[first] for name in names
        ]


@pytest.fixture(scope="session")
def watching(service: Service) -> Watching:
    settings, plays, seed = service.settings, service.plays, service.settings.seed
    where = places(settings)
    struck = incidents_between(service.start - DAY, service.end + DAY, where, settings.player, seed)
    around = surroundings(settings, plays.rows)
    found = watch(plays, around, struck, where, names(settings), settings.player, seed)
    return Watching(found, struck)
