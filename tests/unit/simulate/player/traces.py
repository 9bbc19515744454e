"""Plays made by hand, in surroundings made by hand, for tests of the player and of delivery."""

from __future__ import annotations

from typing import Any

import numpy as np

from cinelake.simulate.calendar import NEVER
from cinelake.simulate.player.incidents import Incidents, Places, incidents_between
from cinelake.simulate.player.settings import PlayerSettings
from cinelake.simulate.player.telemetry import Names, Surroundings, Watched, watch
from cinelake.simulate.randomness import integers, uniform
from cinelake.simulate.trace import (
    DAY,
    HOUR,
    Devices,
    Entry,
    Leaves,
    Networks,
    Pauses,
    PlayColumns,
    Plays,
    Seeks,
)

SEED = 7
START = 1_767_225_600_000_000  # 1 January 2026
PLACES = Places(
    cdn=("aurora", "borealis", "cirrus", "drift"),
    region=("DE-BY", "DE-BE", "FR-IDF"),
    isp=("Netz", "Funk", "Fil"),
    model=("Alpha TV", "Beta Phone"),
    app_version=("5.1.0", "5.2.0"),
    region_market=(0, 0, 1),
    region_weight=(1.0, 1.0, 1.0),
    isp_market=(0, 0, 1),
    isp_utc_offset=(1.0, 1.0, 1.0),
    model_kind=(0, 0),
)
NAMES = Names(countries=("DE", "FR"))
QUIET = PlayerSettings(
    start_failure_share=0,
    errors_an_hour=0,
    outages_an_hour=0,
    hiccups_an_hour=0,
    incidents_a_day=0,
    maintenance_share=0,
)


def plays(rows: int, **columns: Any) -> Plays:
    """`rows` plays of films of an hour, watched to the end on a good line; `columns` say otherwise."""
    every = np.arange(rows)
    given: dict[str, Any] = {
        "account": every,
        "profile": every * 8,
        "viewer": every * 16,
        "device": every * 64,
        "network": every * 32,
        "sitting": every,
        "title": np.zeros(rows, dtype=np.int32),
        "episode": np.full(rows, -1, dtype=np.int16),
        "pressed_at": np.full(rows, START + 10 * HOUR),
        "start_position": np.zeros(rows),
        "runtime": np.full(rows, 3600.0),
        "intro_start": np.zeros(rows),
        "intro_end": np.zeros(rows),
        "credits_start": np.full(rows, 3500.0),
        "leave_position": np.full(rows, 3600.0),
        "leaves": np.full(rows, Leaves.FINISHES, dtype=np.int8),
        "entry": np.full(rows, Entry.SEARCH, dtype=np.int8),
        "row": np.full(rows, -1, dtype=np.int16),
        "rank": np.full(rows, -1, dtype=np.int16),
        "page": np.zeros(rows, dtype=np.int64),
        "impression": np.zeros(rows, dtype=np.int64),
        "search": np.zeros(rows, dtype=np.int64),
        "patience": np.full(rows, 1e9),
        "skips_intro": np.zeros(rows, dtype=np.bool_),
        "skips_credits": np.zeros(rows, dtype=np.bool_),
        "binge_position": np.zeros(rows, dtype=np.int16),
        "offender": np.zeros(rows, dtype=np.int8),
        "enjoyment": np.zeros(rows),
    }
    pauses = columns.pop("pauses", ((), (), ()))
    seeks = columns.pop("seeks", ((), (), ()))
    for name, value in columns.items():
        given[name] = np.broadcast_to(np.asarray(value, dtype=given[name].dtype), (rows,)).copy()
    return Plays(PlayColumns(**given), Pauses(*_ragged(pauses)), Seeks(*_ragged(seeks)))


def around(rows: int, **columns: Any) -> Surroundings:
    """Fibre of 100 Mbit/s and a good television; `columns` say otherwise."""
    networks: dict[str, Any] = {
        "ip": np.array([f"192.0.2.{i % 250}" for i in range(rows)], dtype=object),
        "asn": np.full(rows, 64500),
        "isp": np.zeros(rows, dtype=np.int64),
        "connection": np.zeros(rows, dtype=np.int8),
        "country": np.zeros(rows, dtype=np.int64),
        "region": np.zeros(rows, dtype=np.int64),
        "true_region": np.zeros(rows, dtype=np.int64),
        "latitude": np.zeros(rows),
        "longitude": np.zeros(rows),
        "accuracy_km": np.full(rows, 20.0),
        "capacity_mbps": np.full(rows, 100.0),
    }
    devices: dict[str, Any] = {
        "kind": np.zeros(rows, dtype=np.int8),
        "model": np.zeros(rows, dtype=np.int64),
        "app_version": np.zeros(rows, dtype=np.int64),
        "is_poor": np.zeros(rows, dtype=np.bool_),
    }
    for name, value in columns.items():
        columns_of = networks if name in networks else devices
        kind = columns_of[name].dtype
        columns_of[name] = np.broadcast_to(np.asarray(value, dtype=kind), (rows,)).copy()
    zero = np.zeros(rows)
    never, utc = np.full(rows, NEVER), zero.astype(np.int64)
    return Surroundings(Networks(**networks), Devices(**devices), utc, never, utc, zero)


def none() -> Incidents:
    """No incidents."""
    return incidents_between(START, START + 1, PLACES, QUIET, SEED)


def watched(
    trace: Plays,
    scene: Surroundings | None = None,
    incidents: Incidents | None = None,
    settings: PlayerSettings = QUIET,
) -> Watched:
    """What the players report."""
    return watch(
        trace, scene or around(len(trace)), incidents or none(), PLACES, NAMES, settings, SEED
    )


def service(rows: int, days: int = 3) -> tuple[Plays, Surroundings]:
    """A mixture of plays, lines and devices that is roughly that of a service."""
    every = np.arange(rows)
    line = np.array([0, 1, 2, 3, 5])[integers(5, SEED, "t line", every)]
    mbps = np.array([250.0, 120.0, 40.0, 30.0, 0, 80.0])[line]
    spread = np.exp(0.6 * (uniform(SEED, "t mbps", every) * 3 - 1.5))
    pressed = START + (uniform(SEED, "t press", every) * days * DAY).astype(np.int64)
    runtime = np.where(uniform(SEED, "t film", every) < 0.4, 6300.0, 2700.0)
    share = np.minimum(1.0, 0.1 + 1.2 * uniform(SEED, "t leave", every))
    trace = plays(
        rows,
        account=every // 20,
        profile=every // 20 * 8,
        device=every // 20 * 64 + every % 3,
        pressed_at=pressed,
        runtime=runtime,
        leave_position=runtime * share,
        leaves=np.where(share >= 1, Leaves.FINISHES, Leaves.STOPS),
        patience=np.exp(3.2 + 0.8 * (uniform(SEED, "t patience", every) * 4 - 2)),
        pauses=(every[::3], runtime[::3] * share[::3] * 0.5, np.full(len(every[::3]), 100.0)),
        seeks=(every[::5], runtime[::5] * share[::5] * 0.3, runtime[::5] * share[::5] * 0.35),
    )
    scene = around(
        rows,
        connection=line,
        capacity_mbps=mbps * spread,
        isp=integers(3, SEED, "t isp", every),
        region=integers(3, SEED, "t region", every),
        kind=integers(5, SEED, "t kind", every),
        is_poor=uniform(SEED, "t poor", every) < 0.03,
    )
    return trace, scene


def _ragged(columns: Any) -> list[Any]:
    play, position, value = columns
    return [np.array(play, np.int64), np.array(position, float), np.array(value, float)]
