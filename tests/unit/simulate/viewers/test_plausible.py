"""Moments of the simulated viewers beside what is known of real ones.

Sources of the ranges: Yu et al., "Understanding user behavior in large-scale video-on-demand systems", EuroSys 2006
(long tail, hours); Leichtman Research Group, "Connected TVs", 2023 (devices); Gomez-Uribe and Hunt, "The Netflix
Recommender System", ACM TMIS 2015 (entry points); Recode, "70 percent of Netflix viewing is on TVs", 2018 (screens);
Chatterjee et al., IEEE S&P 2016 (log-in failures); Antenna, "State of Subscriptions", 2023 (churn); Cucerzan and
Brill, EMNLP 2004 (queries). Ranges are wider than the sources, which differ from each other.
"""

from __future__ import annotations

import numpy as np
import pytest

from cinelake.simulate.calendar import to_local, weekday
from cinelake.simulate.trace import DAY, HOUR, Entry, Offender
from cinelake.simulate.viewers.context import context_weights
from cinelake.simulate.viewers.service_side import batch_of
from cinelake.simulate.world import devices as dev
from cinelake.simulate.world.catalogue import CONTEXTS, catalogue
from cinelake.simulate.world.markets import geography

from .conftest import Service


@pytest.fixture(scope="module")
def moments(service: Service) -> dict[str, float]:
    honest = service.plays.rows.take(service.plays.rows.offender == Offender.HONEST)
    settings = service.settings
    zones = geography(settings.world.markets).zones
    batch = batch_of(settings, service.accounts)
    local = to_local(zones, batch.homes.zone[honest.account], honest.pressed_at)
    hour = np.bincount(local % DAY // HOUR, minlength=24) / len(honest)
    pairs = np.unique(np.stack([honest.viewer, honest.title.astype(np.int64)]), axis=1)
    plays = np.sort(np.bincount(pairs[1]))[::-1]
    used = np.unique(np.stack([honest.account, honest.device]), axis=1)[0]
    devices = np.unique(used, return_counts=True)[1]
    lasts = honest.leave_position - honest.start_position
    screens = np.isin(dev.kinds(settings, honest.device), [dev.TV, dev.CONSOLE])
    outcome = service.column("log_ins", "outcome")
    own = ~np.isin(service.column("log_ins", "connection"), ["hosting", "vpn"])
    film = honest.episode < 0
    chosen = ~np.isin(honest.entry, [Entry.AUTOPLAY, Entry.CONTINUE])
    off = weekday(local // DAY) >= 5
    action = service.column("interactions", "action")
    return {
        "plays that the top tenth of titles draws": plays[: len(plays) // 10].sum() / plays.sum(),
        "titles played": float(len(plays)),
        "plays in prime time, 19 to 23": hour[19:23].sum(),
        "plays from 3 to 6": hour[3:6].sum(),
        "peak hour": float(np.argmax(hour)),
        "plays on Saturday and Sunday": off.mean(),
        "hours watched on televisions": lasts[screens].sum() / lasts.sum(),
        "accounts on several devices": (devices > 1).mean(),
        "devices of an account": devices.mean(),
        "films seen to the credits": (
            honest.leave_position[film] >= honest.credits_start[film] - 1
        ).mean(),
        "episodes seen to the credits": (
            honest.leave_position[~film] >= honest.credits_start[~film] - 1
        ).mean(),
        "plays shorter than ten minutes": (lasts < 600).mean(),
        "new choices from the home page": (honest.entry[chosen] == Entry.HOME).mean(),
        "honest log-ins failing by the password": (outcome[own] == "wrong_password").mean(),
        "hours a day of an account": lasts.sum() / 3600 / 28 / len(np.unique(honest.account)),
        "thumbs that point up": (action == "thumbs_up").sum()
        / np.isin(action, ["thumbs_up", "thumbs_down"]).sum(),
        "mean rating": service.column("ratings", "rating").astype(float).mean(),
        "searches' snapshots that find nothing": (
            service.column("searches", "is_zero_results") == "true"
        ).mean(),
        "accounts cancelled in a month": (batch.cancelled_at < service.end).sum()
        / (batch.homes.signed_up_at < service.start).sum(),
    }


RANGES = {
    "plays that the top tenth of titles draws": (0.35, 0.70),
    "titles played": (350, 1200),
    "plays in prime time, 19 to 23": (0.30, 0.48),
    "plays from 3 to 6": (0.0, 0.05),
    "peak hour": (20, 21),
    "plays on Saturday and Sunday": (0.29, 0.42),
    "hours watched on televisions": (0.50, 0.80),
    "accounts on several devices": (0.75, 0.98),
    "devices of an account": (2.5, 6.0),
    "films seen to the credits": (0.40, 0.75),
    "episodes seen to the credits": (0.65, 0.92),
    "plays shorter than ten minutes": (0.08, 0.50),
    "new choices from the home page": (0.55, 0.85),
    "honest log-ins failing by the password": (0.05, 0.25),
    "hours a day of an account": (1.0, 3.5),
    "thumbs that point up": (0.60, 0.90),
    "mean rating": (3.2, 4.2),
    "searches' snapshots that find nothing": (0.03, 0.30),
    "accounts cancelled in a month": (0.005, 0.05),
}


@pytest.mark.parametrize("name", RANGES)
def test_a_moment_is_where_it_is_known_to_be(moments: dict[str, float], name: str) -> None:
    low, high = RANGES[name]
    print(f"{name}: {moments[name]:.3f} (plausible: {low:g} to {high:g})")  # noqa: T201
    assert low <= moments[name] <= high


def test_attention_falls_with_row_and_rank(service: Service) -> None:
    rows = service.plays.rows
    home = rows.entry == Entry.HOME
    by_row, by_rank = np.bincount(rows.row[home])[1:], np.bincount(rows.rank[home])
    assert by_row[0] > 2 * by_row[3] > by_row[6]
    assert by_rank[0] > 1.5 * by_rank[3] > 1.5 * by_rank[6]


def test_exploration_slots_are_drawn_without_regard_to_taste(service: Service) -> None:
    explored = service.column("impressions", "is_exploration") == "true"
    title = service.column("impressions", "title_id")
    assert 0.02 < explored.mean() < 0.05
    spread = np.unique(title[explored], return_counts=True)[1]
    normal = np.unique(title[~explored], return_counts=True)[1]
    assert spread.std() / spread.mean() < 0.6 * normal.std() / normal.mean()


@pytest.mark.parametrize(
    ("context", "strong", "weak"),
    [
        ("horror", "2026-10-30T22:00", "2026-06-30T22:00"),
        ("family", "2026-12-25T18:00", "2026-11-18T18:00"),
        ("romcom", "2026-06-05T21:00", "2026-06-03T21:00"),
        ("kids", "2026-06-03T16:00", "2026-06-03T21:00"),
        ("film", "2026-06-06T20:00", "2026-06-03T20:00"),
        ("documentary", "2026-06-07T20:00", "2026-06-03T20:00"),
    ],
)
def test_context_moves_choices(service: Service, context: str, strong: str, weak: str) -> None:
    at = np.array([strong, weak], dtype="datetime64[us]").astype(np.int64)
    weights = context_weights(
        service.settings, np.zeros(2, dtype=np.int64), at, np.full(2, dev.LAPTOP)
    )
    first, second = weights[:, CONTEXTS.index(context)]
    assert first > second + 0.4


def test_friday_evening_is_for_romance_and_comedy(service: Service) -> None:
    rows, settings = service.plays.rows, service.settings
    chosen = rows.take((rows.entry == Entry.HOME) & (rows.offender == Offender.HONEST))
    zones = geography(settings.world.markets).zones
    zone = batch_of(settings, service.accounts).homes.zone[chosen.account]
    local = to_local(zones, zone, chosen.pressed_at)
    evening = local % DAY >= 18 * HOUR
    friday = evening & (weekday(local // DAY) == 4)
    other = evening & (weekday(local // DAY) < 4)
    romantic = catalogue(settings).context[chosen.title, CONTEXTS.index("romcom")]
    assert romantic[friday].mean() > 1.15 * romantic[other].mean()


def test_new_titles_arrive_and_are_watched_most_at_first(service: Service) -> None:
    titles = catalogue(service.settings)
    rows = service.plays.rows
    age = rows.pressed_at // DAY - titles.release_day[rows.title]
    first = (rows.episode <= 0) & (age >= 0)
    assert (age[first] < 28).mean() > 0.04
    news = set(service.column("titles", "title_id")) - {
        key
        for records in service.standing
        if records.source == "titles"
        for key in records.payload["title_id"].to_pylist()
    }
    assert news
