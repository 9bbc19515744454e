"""What the players went through, written down step by step, and read off as events and heartbeats.

Times are seconds of wall clock since the first frame of the play, pauses included.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from cinelake.simulate.player.scene import LADDER
from cinelake.simulate.randomness import Bools, Floats, Longs
from cinelake.simulate.trace import SECOND, Columns


class Outcome(IntEnum):
    """How a step leaves a play."""

    LIVES = 0
    LEAVES = 1  # as intended
    HAD_ENOUGH = 2  # of waiting
    ERROR = 3
    KILLED = 4  # it got nowhere, and the app was closed


class State(IntEnum):
    """What a heartbeat says that the player is doing; places in sources.heartbeats.STATES."""

    JOINING = 0
    PLAYING = 1
    PAUSED = 2
    SEEKING = 3
    REBUFFERING = 4


@dataclass(frozen=True)
class Tick:
    """One step of the living plays: what happened when, in seconds of the step."""

    number: int
    play: Longs
    start_s: Floats  # wall clock at the step's begin, since the first frame
    wait: Floats
    resumed: Bools
    was_seek: Bools
    still: Bools
    until: Floats
    emptied: Bools
    jump: Bools
    stalls: Bools  # a jump to where nothing is loaded yet
    latency: Floats  # s from a jump to the stall that it causes
    is_intro: Bools
    pause: Bools
    pause_s: Floats
    cost: Floats
    goes_on: Bools
    before: Floats  # position at the interruption
    target: Floats
    position: Floats  # at the end of the step
    switched: Bools
    rung: Longs


@dataclass(frozen=True)
class Beat:
    """What the heartbeat at the end of the step tells."""

    played: Floats
    waited: Floats
    sought: Floats
    rebuffers: Longs
    buffer: Floats
    kbps: Floats
    dropped: Longs
    stops: Bools
    by_seek: Bools


@dataclass(frozen=True)
class Events(Columns):
    """Changes of state; `kind` is a place in sources.playback.EVENTS."""

    play: Longs
    at: Longs  # µs UTC
    kind: Longs
    position: Floats
    target: Floats  # nan where it goes nowhere
    rung: Longs  # −1 where it says nothing of quality
    by_seek: Bools


@dataclass(frozen=True)
class Heartbeats(Columns):
    """Signs of life."""

    play: Longs
    at: Longs  # µs UTC
    state: Longs
    position: Floats
    rung: Longs
    buffer: Floats
    kbps: Floats
    dropped: Longs
    played: Floats
    rebuffers: Longs
    waited: Floats


@dataclass(frozen=True)
class Pauses(Columns):
    """Pauses as they were made."""

    play: Longs
    at: Longs
    seconds: Floats
    position: Floats
    rung: Longs
    buffer: Floats


(
    ATTEMPT,
    FIRST_FRAME,
    PAUSED,
    RESUME,
    SEEK,
    SEEK_DONE,
    REBUFFER_START,
    REBUFFER_END,
    QUALITY_SWITCH,
    SKIP_INTRO,
    SKIP_CREDITS,
    ERROR,
    STOP,
    END,
) = range(14)


class Tape:
    """Takes steps, gives columns."""

    def __init__(self, plays: int, step_s: float) -> None:
        self.step_s = step_s
        self.outcome = np.full(plays, Outcome.LIVES, dtype=np.int64)
        self.ended_at = np.zeros(plays, dtype=np.int64)
        self.ended_position = np.zeros(plays)
        self.ended_rung = np.zeros(plays, dtype=np.int64)
        self.ended_buffer = np.zeros(plays)
        self.played = np.zeros(plays)
        self.waited = np.zeros(plays)
        self.sought = np.zeros(plays)
        self.paused = np.zeros(plays)
        self.rebuffers = np.zeros(plays, dtype=np.int64)
        self.bitrate_seconds = np.zeros(plays)
        self._events: list[Events] = []
        self._beats: list[Heartbeats] = []
        self._pauses: list[Pauses] = []

    def add(
        self,
        tick: Tick,
        beat: Beat,
        first: Longs,
        outcome: Longs,
        offset: Floats,
        dice: np.ndarray,
    ) -> None:
        """Write a step down; `first` is the time of the first frame, `offset` that of the end in the step."""
        play = tick.play
        self.played[play] += beat.played
        self.waited[play] += beat.waited
        self.sought[play] += beat.sought
        self.paused[play] += tick.pause_s
        self.rebuffers[play] += beat.rebuffers
        self.bitrate_seconds[play] += beat.played * LADDER[tick.rung]
        self._write_events(tick, first, offset)
        lives = outcome == Outcome.LIVES
        self._write_beats(tick, beat, first, lives, dice)
        dead = ~lives
        gone = play[dead]
        self.outcome[gone] = outcome[dead]
        wall = tick.start_s[dead] + offset[dead] + tick.pause_s[dead]
        self.ended_at[gone] = first[dead] + (wall * SECOND).astype(np.int64)
        self.ended_position[gone] = tick.position[dead]
        self.ended_rung[gone] = tick.rung[dead]
        self.ended_buffer[gone] = beat.buffer[dead]

    def events(self) -> Events:
        """All events but attempts, first frames and ends."""
        return Events.joined(self._events) if self._events else _NO_EVENTS

    def heartbeats(self) -> Heartbeats:
        """All heartbeats of steps, without those in pauses."""
        return Heartbeats.joined(self._beats) if self._beats else _NO_BEATS

    def pauses(self) -> Pauses:
        """The pauses that were made."""
        return Pauses.joined(self._pauses) if self._pauses else _NO_PAUSES

    def _write_events(self, tick: Tick, first: Longs, offset: Floats) -> None:
        resumed = np.where(tick.was_seek, SEEK_DONE, REBUFFER_END)
        position = tick.before
        start = position - (tick.until - tick.wait)
        jump = np.where(tick.is_intro, SKIP_INTRO, SEEK)
        back = tick.until + tick.cost
        stall = tick.until + tick.latency
        yes, no = np.ones(len(tick.play), dtype=np.bool_), np.zeros(len(tick.play), dtype=np.bool_)
        for mask, at, kind, where, paused, caused in (
            (tick.resumed & tick.was_seek, tick.wait, REBUFFER_END, start, False, yes),
            (tick.resumed, tick.wait, resumed, start, False, tick.was_seek),
            (tick.switched, tick.wait + 0.2, QUALITY_SWITCH, start, False, no),
            (tick.emptied, tick.until, REBUFFER_START, position, False, no),
            (tick.jump, tick.until, jump, position, False, yes),
            (tick.stalls, stall, REBUFFER_START, tick.target, False, yes),
            (tick.pause, tick.until, PAUSED, position, False, no),
            (tick.goes_on & tick.emptied, back, REBUFFER_END, position, False, no),
            (tick.goes_on & tick.stalls, back, REBUFFER_END, tick.target, False, yes),
            (tick.goes_on & tick.jump, back, SEEK_DONE, tick.target, False, yes),
            (tick.goes_on & tick.pause, tick.until, RESUME, position, True, no),
        ):
            # What would come after the end of the play never happens.
            found = np.flatnonzero(mask & (at <= offset))
            if len(found) == 0:
                continue
            wall = tick.start_s[found] + at[found] + (tick.pause_s[found] if paused else 0.0)
            kinds = kind[found] if isinstance(kind, np.ndarray) else np.full(len(found), kind)
            jumps = (kinds == SEEK) | (kinds == SKIP_INTRO)
            self._events.append(
                Events(
                    play=tick.play[found],
                    at=first[found] + (wall * SECOND).astype(np.int64),
                    kind=kinds.astype(np.int64),
                    position=where[found],
                    target=np.where(jumps, tick.target[found], np.nan),
                    rung=np.where(kinds == QUALITY_SWITCH, tick.rung[found], -1),
                    by_seek=caused[found],
                )
            )
        paused_at = np.flatnonzero(tick.pause & (tick.until <= offset))
        if len(paused_at):
            wall = tick.start_s[paused_at] + tick.until[paused_at]
            self._pauses.append(
                Pauses(
                    play=tick.play[paused_at],
                    at=first[paused_at] + (wall * SECOND).astype(np.int64),
                    seconds=tick.pause_s[paused_at],
                    position=position[paused_at],
                    rung=tick.rung[paused_at],
                    buffer=np.full(len(paused_at), 50.0),
                )
            )

    def _write_beats(
        self, tick: Tick, beat: Beat, first: Longs, lives: Bools, dice: np.ndarray
    ) -> None:
        state = np.where(
            beat.stops, np.where(beat.by_seek, State.SEEKING, State.REBUFFERING), State.PLAYING
        )
        wall = tick.start_s + self.step_s + tick.pause_s
        jitter = ((dice >> np.uint64(20)) & np.uint64(255)).astype(np.int64) * 1000
        beats = Heartbeats(
            play=tick.play,
            at=first + (wall * SECOND).astype(np.int64) + jitter,
            state=state,
            position=tick.position,
            rung=tick.rung,
            buffer=beat.buffer,
            kbps=beat.kbps,
            dropped=beat.dropped,
            played=beat.played,
            rebuffers=beat.rebuffers,
            waited=beat.waited,
        )
        self._beats.append(beats if lives.all() else beats.take(lives))


def _nothing(count: int) -> list[np.ndarray]:
    return [np.zeros(0, dtype=np.int64)] * count


_NO_EVENTS = Events(*_nothing(7))
_NO_BEATS = Heartbeats(*_nothing(11))
_NO_PAUSES = Pauses(*_nothing(6))
