"""What incidents, the evening and premieres do to each play at a moment."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cinelake.simulate.player import incidents as kinds
from cinelake.simulate.player.incidents import Incidents
from cinelake.simulate.player.scene import Scenes
from cinelake.simulate.player.settings import PlayerSettings
from cinelake.simulate.randomness import Floats, Longs
from cinelake.simulate.trace import SECOND

_SLOTS = 96
_DAY_S = 86_400


def _evening() -> Floats:
    """Load of a network by quarter of the local day, 0 … 1: low until five, highest at nine."""
    hour = np.arange(_SLOTS) / 4
    evening: Floats = np.exp(-0.5 * ((hour - 21.0) / 1.8) ** 2) + 0.25 * np.exp(
        -0.5 * ((hour - 13.0) / 3.0) ** 2
    )
    return evening


_LOAD = _evening()


@dataclass(frozen=True)
class Now:
    """The state of things for some plays at their moments."""

    throughput: Floats  # factor
    slow_start: Floats  # strengths of incidents, 0 … 1
    start_failure: Floats
    playback_error: Floats
    dropped_frames: Floats
    congestion: Floats


class Effects:
    """Looks up what strikes plays. Pairs of play and incident are found once; few plays have any."""

    def __init__(
        self,
        scenes: Scenes,
        start: Longs,
        end: Longs,
        incidents: Incidents,
        settings: PlayerSettings,
    ) -> None:
        """`start` and `end` bound each play's time (µs)."""
        self._scenes = scenes
        self._settings = settings
        self._incidents = incidents
        play, incident = [], []
        where = scenes.where()
        for row in range(len(incidents)):
            strikes = incidents.where[row]
            hit = (start < incidents.end[row]) & (end > incidents.start[row])
            for dimension in np.flatnonzero(strikes >= 0):
                hit &= where[:, dimension] == strikes[dimension]
            places = np.flatnonzero(hit)
            play.append(places)
            incident.append(np.full(len(places), row, dtype=np.int64))
        self.play: Longs = np.concatenate(play) if play else np.zeros(0, dtype=np.int64)
        self.incident: Longs = np.concatenate(incident) if incident else np.zeros(0, dtype=np.int64)
        # Whether the incident did anything while the player was there.
        self.was_felt = np.zeros(len(self.play), dtype=np.bool_)

    def at(self, times: Longs, chosen: Longs | None = None) -> Now:
        """At the `times` (µs) of the `chosen` plays (places in `scenes`, ascending), or of all."""
        scenes = self._scenes
        picked = slice(None) if chosen is None else chosen
        local = (times // SECOND + scenes.utc_offset_s[picked]) % _DAY_S
        load = _LOAD[local * _SLOTS // _DAY_S]
        evening = self._settings.evening_peak * scenes.evening[picked] * load
        throughput = (1 - np.minimum(evening, 0.9)) * (1 - scenes.premiere[picked] * load)
        rows = len(times)
        strengths = np.zeros((5, rows))
        if len(self.play):
            throughput = self._struck(throughput, strengths, times, chosen)
        return Now(throughput, *strengths)

    def _struck(
        self, throughput: Floats, strengths: Floats, times: Longs, chosen: Longs | None
    ) -> Floats:
        pairs = np.arange(len(self.play))
        place = self.play
        if chosen is not None:
            position = np.searchsorted(chosen, self.play)
            position = np.minimum(position, len(chosen) - 1)
            pairs = np.flatnonzero(chosen[position] == self.play)
            place = position[pairs]
        strength = self._incidents.strength(self.incident[pairs], times[place])
        self.was_felt[pairs] |= strength > 0.02
        kind = self._incidents.kind[self.incident[pairs]]
        slow = (kind == kinds.CONGESTION) | (kind == kinds.MAINTENANCE)
        throughput = throughput.copy()
        np.multiply.at(throughput, place[slow], 1 - 0.985 * strength[slow] ** 0.5)
        order = (kinds.SLOW_START, kinds.START_FAILURE, kinds.PLAYBACK_ERROR, kinds.DROPPED_FRAMES)
        for row, those in enumerate([*(kind == wanted for wanted in order), slow]):
            np.maximum.at(strengths[row], place[those], strength[those])
        return throughput
