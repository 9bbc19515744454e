"""Moments of the simulated service beside what is published of real ones, and the table of both.

Where a figure is published, the range lies around it; where none was found, or none that could be checked, the table
says that the range is this project's own, of what it holds plausible. Services differ, and so ranges are wide.
"""

from __future__ import annotations

import numpy as np
import pytest

from cinelake.simulate.calendar import to_local, weekday
from cinelake.simulate.randomness import Bools
from cinelake.simulate.settings import Settings
from cinelake.simulate.trace import DAY, HOUR, Entry, Offender, PlayColumns
from cinelake.simulate.viewers.context import context_weights
from cinelake.simulate.viewers.service_side import batch_of
from cinelake.simulate.world import devices as dev
from cinelake.simulate.world.catalogue import CONTEXTS, catalogue
from cinelake.simulate.world.markets import geography

from .conftest import Service, Watching


@pytest.fixture(scope="module")
def moments(service: Service, watching: Watching) -> dict[str, float]:
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
        **_of_titles(honest, film),
        **_of_quality(watching),
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


def _of_titles(plays: PlayColumns, film: Bools) -> dict[str, float]:
    """Title completion: of viewers who begin a film, and of those who see a season's first episode whole."""
    seen = plays.leave_position >= plays.credits_start - 1
    key = plays.viewer * 10**5 + plays.title
    begun, ended = np.unique(key[film & (plays.start_position == 0)]), np.unique(key[film & seen])
    titles = catalogue(Settings())
    last = titles.episodes_a_season[plays.title] - 1
    first_seen = np.unique(key[~film & seen & (plays.episode == 0)])
    last_seen = np.unique(key[~film & seen & (plays.episode == last)])
    return {
        "films finished by those who begin them": np.isin(begun, ended).mean(),
        "first seasons finished after their first episode": np.isin(first_seen, last_seen).mean(),
    }


def _of_quality(watching: Watching) -> dict[str, float]:
    outcome = watching.told("outcome")
    join = watching.told("join_s").astype(float)
    join = join[~np.isnan(join)]
    waited, played = watching.told("rebuffer_s").sum(), watching.told("seconds_watched").sum()
    started = ~np.isin(outcome, ["start_failure", "left_before_start"])
    return {
        "start-up time, median (s)": float(np.quantile(join, 0.5)),
        "start-up time, 90 % (s)": float(np.quantile(join, 0.9)),
        "start-up time, 99 % (s)": float(np.quantile(join, 0.99)),
        "starts that take longer than 2 s": float((join > 2).mean()),
        "rebuffer ratio": waited / (waited + played),
        "plays that stall": float((watching.told("rebuffers")[started] > 0).mean()),
        "attempts that never start": float((~started).mean()),
        "plays that end in an error": float((outcome[started] == "error").mean()),
    }


DIGITAL_I = "Digital i, by What's on Netflix, 2024: 53 to 78 % of the best films"
PLUM = "PlumResearch, 2023: 41 to 70 % of hits in 28 days; fewer of others"
COMSCORE = "comScore, June 2017: 1 h 40 min of Netflix a day of a home that streams"
OURS = "this project's range"
LRG = "Leichtman Research Group, Connected and 4K TVs, 2020: 64 % of connected homes have three or more, mean 4.1"
RECODE = "Netflix, by Recode, 7 March 2018: 70 % of streams on televisions"
PRIME = "Nielsen, by MediaPost, April 2020, and comScore, June 2017: most between 20 and 22, or 20 and 23"
CONVIVA = "Conviva, Viewer Experience Report 2014"
ANTENNA = "Antenna, September 2024: Netflix 1.8 %, the average service 5.3 %"
PASSWORDS = (
    "Chatterjee et al., IEEE S&P 2016: almost 10 % of log-in attempts fail by simple typing errors"
)
IMC = "Krishnan and Sitaraman, IMC 2012: viewers begin to leave after 2 s; so most must be faster"
# Moment: from, to, source.
KNOWN = {
    "plays that the top tenth of titles draws": (0.35, 0.70, f"{OURS}; a long tail as in Yu et al., EuroSys 2006"),
    "titles played": (350, 1200, OURS),
    "plays in prime time, 19 to 23": (0.30, 0.48, f"{OURS}, around the hours of the next but one"),
    "plays from 3 to 6": (0.0, 0.05, OURS),
    "peak hour": (20, 22, PRIME),
    "plays on Saturday and Sunday": (0.29, 0.42, OURS),
    "hours watched on televisions": (0.50, 0.80, RECODE),
    "accounts on several devices": (0.64, 0.98, LRG),
    "devices of an account": (2.5, 6.0, LRG),
    "films seen to the credits": (0.40, 0.75, f"{OURS} for sessions"),
    "episodes seen to the credits": (0.65, 0.92, f"{OURS} for sessions"),
    "films finished by those who begin them": (0.45, 0.80, DIGITAL_I),
    "first seasons finished after their first episode": (0.15, 0.70, PLUM),
    "start-up time, median (s)": (0.5, 2.0, IMC),
    "start-up time, 90 % (s)": (1.5, 6.0, f"{OURS}; Akamai, 2018: a mean of 4.84 s among services asked"),
    "start-up time, 99 % (s)": (3.0, 15.0, OURS),
    "starts that take longer than 2 s": (0.05, 0.50, IMC),
    "rebuffer ratio": (0.001, 0.01, "Conviva, Q2 2018: .78 % (by Codavel)"),
    "plays that stall": (0.05, 0.30, f"{CONVIVA}: 26.9 % of views in 2013, a third fewer than a year before"),
    "attempts that never start": (0.01, 0.06, f"{CONVIVA}: 4.8 % in 2013"),
    "plays that end in an error": (0.0005, 0.02, OURS),
    "plays shorter than ten minutes": (0.08, 0.50, OURS),
    "new choices from the home page": (0.55, 0.85, OURS),
    "honest log-ins failing by the password": (0.05, 0.25, PASSWORDS),
    "hours a day of an account": (1.0, 3.5, COMSCORE),
    "thumbs that point up": (0.60, 0.90, OURS),
    "mean rating": (3.2, 4.2, f"{OURS}; MovieLens' ml-latest-small has 3.5"),
    "searches' snapshots that find nothing": (0.03, 0.30, OURS),
    "accounts cancelled in a month": (0.005, 0.055, ANTENNA),
}  # fmt: skip


def test_moments_are_where_they_are_known_to_be(moments: dict[str, float]) -> None:
    print()  # noqa: T201
    for name, (low, high, source) in KNOWN.items():
        print(f"{name:<50} {moments[name]:>8.3f}  {low:g} to {high:g} ({source})")  # noqa: T201
    assert moments.keys() == KNOWN.keys()
    outside = [n for n, (low, high, _) in KNOWN.items() if not low <= moments[n] <= high]
    assert not outside


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
