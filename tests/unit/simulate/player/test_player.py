"""What players report hangs together, and what is done to them shows."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from unit.simulate.player.traces import (
    PLACES,
    QUIET,
    SEED,
    START,
    around,
    plays,
    service,
    watched,
)

from cinelake.simulate.player.incidents import Incidents, incidents_between
from cinelake.simulate.player.settings import IncidentSettings, PlayerSettings
from cinelake.simulate.player.telemetry import Watched
from cinelake.simulate.trace import DAY, HOUR, SECOND, Entry, Leaves

USUAL = PlayerSettings()
STALL = ("rebuffer_start", "rebuffer_end")


def events(found: Watched, play: int = 0) -> list[dict[str, Any]]:
    rows = np.flatnonzero(found.playback_play == play)
    part = found.playback.take(rows)
    payload = {name: column.to_pylist() for name, column in part.payload.items()}
    return [
        {name: values[n] for name, values in payload.items()} | {"at": at}
        for n, at in enumerate(part.happened.tolist())
    ]


def kinds(found: Watched, play: int = 0) -> list[str]:
    return [event["event"] for event in events(found, play) if event["event"] != "quality_switch"]


def beats(found: Watched) -> dict[str, np.ndarray]:
    named = {
        name: np.array(column.to_pylist()) for name, column in found.heartbeats.payload.items()
    }
    return named | {"at": found.heartbeats.happened}


def struck(kind: Any, severity: float = 1.0, **where: str) -> Incidents:
    wanted = IncidentSettings(
        kind=kind,
        start=dt.datetime(2026, 1, 1, 9),
        hours=6,
        ramp_minutes=1,
        severity=severity,
        **(where or {"cdn": "aurora"}),
    )
    settings = QUIET.model_copy(update={"incidents": (wanted,)})
    return incidents_between(START, START + DAY, PLACES, settings, SEED)


def test_a_film_on_a_good_line_is_watched_to_its_end() -> None:
    found = watched(plays(1))
    assert kinds(found) == ["attempt", "first_frame", "end"]
    [truth] = found.truth.to_pylist()
    assert truth["outcome"] == "as_meant"
    assert truth["seconds_watched"] == pytest.approx(3600, abs=0.1)
    assert truth["rebuffer_s"] == 0
    told = beats(found)
    assert told["played_s"].sum() == pytest.approx(3600 - 3600 % 30, abs=31)
    assert (np.diff(told["at"]) / SECOND).max() < 31
    assert events(found)[-1]["position_s"] == 3600


def test_an_hour_takes_an_hour_and_its_stalls_and_pauses() -> None:
    trace, scene = service(300)
    found = watched(trace, scene, settings=USUAL)
    truth = found.truth.to_pylist()
    for play in range(0, 300, 7):
        mine = events(found, play)
        if mine[-1]["event"] not in {"stop", "end"} or mine[1]["event"] != "first_frame":
            continue
        took = (mine[-1]["at"] - mine[1]["at"]) / SECOND
        t = truth[play]
        spent = t["seconds_watched"] + t["rebuffer_s"] + t["seek_s"] + t["seconds_paused"]
        assert took == pytest.approx(spent, abs=35)


def test_events_come_in_an_order_that_a_player_can_have() -> None:
    trace, scene = service(600)
    found = watched(trace, scene, settings=USUAL.model_copy(update={"outages_an_hour": 6}))
    for play in range(0, 600, 5):
        mine = events(found, play)
        assert [e["sequence"] for e in mine] == list(range(len(mine)))
        assert mine[0]["event"] == "attempt"
        assert all(a["at"] <= b["at"] for a, b in pairwise(mine))
        names = [e["event"] for e in mine]
        stalls = [n for n in names if n in {"rebuffer_start", "rebuffer_end"}]
        assert all(a != b for a, b in pairwise(stalls))
        if "first_frame" in names:
            assert names[1] == "first_frame"
        else:
            assert names[1:] in (["error"], ["stop"], [])
        assert not set(names[:-1]) & {"stop", "end", "error"}


def test_each_play_is_the_same_whatever_it_is_simulated_with() -> None:
    trace, scene = service(200)
    whole = watched(trace, scene, settings=USUAL).truth.to_pylist()
    part = np.arange(100, 120)
    alone = scene.take(part)
    assert watched(trace.take(part), alone, settings=USUAL).truth.to_pylist() == whole[100:120]


def test_pauses_seeks_and_the_intro_are_reported() -> None:
    trace = plays(
        1,
        intro_start=10.0,
        intro_end=70.0,
        skips_intro=True,
        skips_credits=True,
        leave_position=3510.0,
        pauses=([0], [600], [125]),
        seeks=([0, 0], [300, 1200], [200, 2000]),
    )
    found = watched(trace)
    told = [(e["event"], e["position_s"], e["to_position_s"]) for e in events(found)]
    told = [row for row in told if row[0] != "quality_switch"]
    assert [row[0] for row in told] == [
        "attempt", "first_frame", "skip_intro", *STALL, "seek_done", "seek", *STALL, "seek_done",
        "pause", "resume", "seek", *STALL, "seek_done", "skip_credits", "end",
    ]  # fmt: skip
    assert told[2][1:] == (13.0, 70.0)
    assert [row[1:] for row in told if row[0] == "seek"] == [(300, 200), (1200, 2000)]
    paused = beats(found)["state"] == "paused"
    assert paused.sum() == 4
    assert found.truth["seconds_paused"].to_pylist() == [125]
    watch = 3510 - (70 - 13) + 100 - 800
    assert found.truth["seconds_watched"][0].as_py() == pytest.approx(watch, abs=1)


def test_a_seek_stalls_only_where_nothing_is_loaded_yet_and_says_that_it_was_the_seek() -> None:
    found = watched(plays(2, seeks=([0, 1], [600, 600], [3000, 610])))
    assert found.truth["rebuffers"].to_pylist() == [0, 0], "which counts what the network caused"
    assert min(found.truth["seek_s"].to_pylist()) > 0
    far = [e for e in events(found, 0) if e["event"] in STALL]
    assert [(e["event"], e["cause"]) for e in far] == [(kind, "seek") for kind in STALL]
    assert kinds(found, 1) == ["attempt", "first_frame", "seek", "seek_done", "end"]


def test_plays_over_midnight_and_over_a_change_of_clocks_are_known() -> None:
    hours = np.array([22.5, 23.5, 23.5])
    trace = plays(3, pressed_at=(START + hours * HOUR).astype(np.int64))
    scene = around(3)
    change = np.array([START + DAY, START + DAY, START + 2 * DAY])
    # The second sees clocks go back an hour at midnight, and so the same day twice.
    scene = replace(scene, clock_change_at=change, utc_offset_then_s=np.array([0, -3600, 0]))
    found = watched(trace, scene).truth
    assert found["crosses_clock_change"].to_pylist() == [False, True, False]
    assert found["crosses_midnight"].to_pylist() == [False, False, True]


def test_who_walks_away_reports_no_stop() -> None:
    found = watched(plays(200, leaves=Leaves.ABANDONS, leave_position=1800.0))
    last = {kinds(found, play)[-1] for play in range(200)}
    assert last == {"first_frame", "pause"}


def test_nobody_waits_longer_than_it_bears() -> None:
    slow = around(400, capacity_mbps=0.4, connection=3)
    found = watched(plays(400, patience=6.0), slow, settings=QUIET)
    outcome = np.array(found.truth["outcome"].to_pylist())
    assert np.isin(outcome, ["had_enough", "left_before_start"]).mean() > 0.5
    assert found.truth["rebuffer_s"].to_numpy().max() < 120


def test_after_a_failure_the_next_episode_does_not_start_by_itself() -> None:
    trace = plays(
        600,
        sitting=np.arange(600) // 3,
        account=np.arange(600) // 3,
        entry=np.where(np.arange(600) % 3 == 0, Entry.SEARCH, Entry.AUTOPLAY),
        leaves=Leaves.AUTOPLAYS,
        pressed_at=START + (np.arange(600) % 3) * HOUR,
    )
    fails = QUIET.model_copy(update={"start_failure_share": 0.3})
    found = watched(trace, settings=fails)
    failed = np.array(found.truth["outcome"].to_pylist()) == "start_failure"
    assert failed.mean() == pytest.approx(0.3, abs=0.06)
    assert len(failed) == pytest.approx(200 * (1 + 0.7 + 0.49), rel=0.08)


def test_a_play_that_was_held_up_pushes_the_next_one_back() -> None:
    trace = plays(
        2,
        sitting=0,
        account=0,
        profile=0,
        entry=np.array([Entry.SEARCH, Entry.AUTOPLAY]),
        leaves=Leaves.AUTOPLAYS,
        pressed_at=START + np.array([0, 3590]) * SECOND,
    )
    found = watched(trace)
    end = events(found, 0)[-1]["at"]
    assert events(found, 1)[0]["at"] == end


@pytest.mark.parametrize(
    ("kind", "measure", "factor"),
    [
        ("congestion", "rebuffer_s", 10),
        ("slow_start", "join_s", 3),
        ("start_failure", "failed", 20),
        ("playback_error", "errors", 20),
    ],
)
def test_an_incident_shows_where_it_strikes_and_nowhere_else(
    kind: str, measure: str, factor: float
) -> None:
    trace = plays(1500)
    found = watched(trace, incidents=struck(kind), settings=USUAL)
    cdn = np.array(found.playback.payload["cdn"].to_pylist())
    attempt = np.array(found.playback.payload["event"].to_pylist()) == "attempt"
    hit = cdn[attempt] == "aurora"
    outcome = np.array(found.truth["outcome"].to_pylist())
    values = {
        "rebuffer_s": found.truth["rebuffer_s"].to_numpy(),
        "join_s": np.nan_to_num(found.truth["join_s"].to_numpy(zero_copy_only=False)),
        "failed": np.isin(outcome, ["start_failure"]).astype(float),
        "errors": (outcome == "error").astype(float),
    }[measure]
    assert values[hit].mean() > factor * max(values[~hit].mean(), 1e-3)
    felt = np.array([len(names) for names in found.truth["incident_ids"].to_pylist()])
    assert (felt[hit] == 1).all()
    assert (felt[~hit] == 0).all()


def test_old_weak_devices_are_always_poor() -> None:
    poor = watched(plays(300), around(300, is_poor=True), settings=USUAL)
    good = watched(plays(300), settings=USUAL)
    drops = [found.heartbeats.payload["dropped_frames"].to_numpy().mean() for found in (poor, good)]
    assert drops[0] > 10 * drops[1]
    assert (
        poor.truth["bitrate_kbps"].to_numpy().mean()
        < 0.5 * good.truth["bitrate_kbps"].to_numpy().mean()
    )


def test_the_evening_is_slower_than_the_morning() -> None:
    cable = around(800, connection=1, capacity_mbps=8.0)
    morning = watched(plays(800, pressed_at=START + 6 * HOUR), cable, settings=USUAL)
    evening = watched(plays(800, pressed_at=START + 21 * HOUR), cable, settings=USUAL)
    rates = [found.truth["bitrate_kbps"].to_numpy().mean() for found in (morning, evening)]
    assert rates[0] > 1.1 * rates[1]
