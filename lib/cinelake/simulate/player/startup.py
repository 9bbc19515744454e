"""From the press of play to the first frame: joining, failing to start, and leaving before it starts.

Join time is the device's start, six round trips (names, secure connections, manifest, licence), and two and a half
seconds of picture (media3's DefaultLoadControl), with a log-normal spread; an autoplayed episode was loaded ahead.
Viewers begin to leave after two seconds, 5.8 % more of them with each second (Krishnan and Sitaraman, "Video stream
quality impacts viewer behavior", IMC 2012); how long each one bears is the play's `patience`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cinelake.simulate.player.effects import Effects
from cinelake.simulate.player.scene import LADDER, Scenes
from cinelake.simulate.player.settings import PlayerSettings
from cinelake.simulate.randomness import Floats, Longs, normal, uniform
from cinelake.simulate.trace import Columns, Entry, PlayColumns

STARTED, FAILED, LEFT = range(3)
START_MEDIA_S = 2.5
ROUND_TRIPS = 6
# A player gives up by itself after so long.
GIVES_UP_S = 90.0
_SPREAD = 0.45
# The first picture is asked for before the throughput is known.
_FIRST_RUNG = 3


@dataclass(frozen=True)
class Starts(Columns):
    """How each attempt began."""

    outcome: Longs  # STARTED, FAILED or LEFT
    seconds: Floats  # to the first frame, to the error, or to leaving
    rung: Longs


def starts(
    plays: PlayColumns, scenes: Scenes, effects: Effects, settings: PlayerSettings, seed: int
) -> Starts:
    """What becomes of each press of play."""
    key = scenes.key
    now = effects.at(plays.pressed_at)
    kbps = scenes.base_kbps * now.throughput
    rung = np.minimum(scenes.top, np.searchsorted(LADDER, 0.5 * scenes.base_kbps) - 1)
    rung = np.clip(rung, 0, _FIRST_RUNG)
    media = START_MEDIA_S * LADDER[rung] / kbps
    spread = np.exp(_SPREAD * normal(seed, "join", key))
    join = (scenes.start_s + ROUND_TRIPS * scenes.round_trip_s + media) * spread
    join = join * (1 + 8 * now.slow_start)
    join = np.where(plays.entry == Entry.AUTOPLAY, 0.25 * join, join)
    # Old and weak devices fail thrice as often.
    by_chance = settings.start_failure_share * np.where(scenes.is_poor, 3.0, 1.0)
    drawn = uniform(seed, "start failure", key)
    fails = (drawn < by_chance + 0.6 * now.start_failure) | (join > GIVES_UP_S)
    when = np.minimum(join, GIVES_UP_S) * (0.4 + 0.6 * uniform(seed, "fails after", key))
    leaves = plays.patience < np.where(fails, when, join)
    outcome = np.where(leaves, LEFT, np.where(fails, FAILED, STARTED))
    seconds = np.where(leaves, plays.patience, np.where(fails, when, join))
    return Starts(outcome, np.maximum(seconds, 0.05), rung)
