"""Incidents are drawn day by day, strike what exists, and rise and fall."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest
from unit.simulate.player.traces import PLACES, QUIET, SEED, START

from cinelake.simulate.player import incidents as trouble
from cinelake.simulate.player.incidents import (
    DIMENSIONS,
    Incidents,
    UnknownPlace,
    check_places,
    incidents_between,
)
from cinelake.simulate.player.settings import IncidentSettings, PlayerSettings
from cinelake.simulate.trace import DAY, HOUR, MINUTE

OFTEN = PlayerSettings(incidents_a_day=8)
MONTH = incidents_between(START, START + 28 * DAY, PLACES, OFTEN, SEED)


def drawn(incidents: Incidents) -> Incidents:
    return incidents.take(incidents.kind < trouble.MAINTENANCE)


def test_a_window_alone_has_what_the_same_window_of_a_longer_one_has() -> None:
    start, end = START + 9 * DAY, START + 12 * DAY
    alone = incidents_between(start, end, PLACES, OFTEN, SEED)
    cut = MONTH.take((MONTH.start < end) & (MONTH.end > start))
    assert sorted(alone.number) == sorted(cut.number)
    assert len(set(MONTH.number)) == len(MONTH)


def test_half_of_all_last_two_hours_or_more() -> None:
    hours = (drawn(MONTH).end - drawn(MONTH).start) / HOUR
    assert np.mean(hours >= 2) == pytest.approx(0.5, abs=0.12)
    assert hours.max() <= 48


def test_combinations_exist() -> None:
    found = drawn(MONTH)
    where = {name: found.where[:, n] for n, name in enumerate(DIMENSIONS)}
    both = (where["region"] >= 0) & (where["isp"] >= 0)
    region_market, isp_market = np.array(PLACES.region_market), np.array(PLACES.isp_market)
    assert both.any()
    assert (region_market[where["region"][both]] == isp_market[where["isp"][both]]).all()
    assert ((found.where >= 0).sum(axis=1) >= 1).all()


def test_some_overlap() -> None:
    found = drawn(MONTH)
    order = np.argsort(found.start)
    overlaps = found.start[order][1:] < found.end[order][:-1]
    assert overlaps.mean() > 0.1


def test_strength_rises_over_the_ramp_and_falls_at_the_end() -> None:
    wanted = IncidentSettings(
        kind="congestion",
        start=dt.datetime(2026, 1, 1),
        hours=2,
        ramp_minutes=20,
        severity=0.8,
        cdn="aurora",
    )
    settings = QUIET.model_copy(update={"incidents": (wanted,)})
    one = incidents_between(START, START + DAY, PLACES, settings, SEED)
    minutes = np.array([-1, 0, 10, 20, 60, 115, 120])
    strength = one.strength(np.zeros(len(minutes), dtype=np.int64), START + minutes * MINUTE)
    assert strength.round(2).tolist() == [0, 0, 0.4, 0.8, 0.8, 0.8, 0]


def test_an_incident_on_what_does_not_exist_is_refused() -> None:
    wanted = IncidentSettings(
        kind="congestion", start=dt.datetime(2026, 1, 1), hours=1, severity=1, cdn="aurorra"
    )
    with pytest.raises(UnknownPlace, match=r"cdn 'aurorra'.*did you mean 'aurora'"):
        check_places(PLACES, QUIET.model_copy(update={"incidents": (wanted,)}))


def test_an_incident_must_strike_somewhere() -> None:
    with pytest.raises(ValueError, match="names at least one"):
        IncidentSettings(kind="congestion", start=dt.datetime(2026, 1, 1), hours=1, severity=1)
