"""The stream itself: all plays of a chunk go through time together, one heartbeat a step.

A step is `heartbeat_s` of a play's own time; pauses stand outside it and only move the clock. State per play:
position, buffer, rung of the ladder, throughput as estimated, whether it stalls. In a step a play may resume
from a stall, be interrupted once (the buffer runs empty, a seek, a skipped intro, a pause, the end), and resume
again; what comes too close after an interruption waits for the next step.

Thresholds are media3's DefaultLoadControl: 2.5 s of picture to start, 5 s after a rebuffer. The choice
of quality follows throughput, with less caution when the buffer is full (a throughput rule with a buffer rule on
top, as players in the field have: Spiteri et al., "From theory to practice: improving bitrate adaptation in the
DASH reference player", MMSys 2018). A viewer leaves when what it had to wait lately is more than it bears.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from cinelake.simulate.player.effects import Effects, Now
from cinelake.simulate.player.scene import LADDER, Scenes
from cinelake.simulate.player.script import INTRO, PAUSE, Script
from cinelake.simulate.player.settings import PlayerSettings
from cinelake.simulate.player.startup import START_MEDIA_S, STARTED, Starts
from cinelake.simulate.player.tape import Beat, Outcome, Tape, Tick
from cinelake.simulate.randomness import Bools, Floats, Longs, bits
from cinelake.simulate.trace import SECOND, PlayColumns

REBUFFER_MEDIA_S = 5.0
# Above this buffer a player rather keeps a quality that is too high for the moment.
_COMFORT_S = 20.0
# Steps longer than planned after which a play that cannot go on is given up.
_PATIENT_STEPS = 60
_MEMORY = 0.93
_Z = ndtri((np.arange(4096) + 0.5) / 4096)


@dataclass
class _State:
    """What changes from step to step, a row a play."""

    position: Floats
    buffer: Floats
    rung: Longs
    estimate: Floats
    noise: Floats
    outage: Floats
    waited: Floats
    stalled: Bools
    by_seek: Bools  # whether the stall was caused by a seek
    needs: Floats  # buffer at which a stall ends
    paused: Floats
    jumped_to: Floats
    next: Longs  # in the script


@dataclass(frozen=True)
class _Stretch:
    """A step up to its interruption."""

    wait: Floats
    resumed: Bools
    still: Bools
    played: Floats
    position: Floats
    buffer: Floats
    rest: Floats  # of the step, after the interruption
    ends: Bools
    acted: Bools
    emptied: Bools
    act: Longs


@dataclass(frozen=True)
class _Interruption:
    """What interrupts a step, and the rest of it."""

    kind: Longs
    value: Floats
    is_pause: Bools
    is_jump: Bools
    needs: Floats
    latency: Floats
    cost: Floats
    stops: Bools
    goes_on: Bools
    stood: Floats
    again: Floats
    position: Floats
    buffer: Floats
    late_end: Bools


def stream(
    plays: PlayColumns,
    scenes: Scenes,
    script: Script,
    begun: Starts,
    effects: Effects,
    settings: PlayerSettings,
    seed: int,
) -> Tape:
    """Everything that the players of these plays go through from their first frame on."""
    return _Stream(plays, scenes, script, begun, effects, settings, seed).run()


class _Stream:
    def __init__(
        self,
        plays: PlayColumns,
        scenes: Scenes,
        script: Script,
        begun: Starts,
        effects: Effects,
        settings: PlayerSettings,
        seed: int,
    ) -> None:
        self.plays, self.scenes, self.script = plays, scenes, script
        self.effects, self.settings, self.seed = effects, settings, seed
        self.step_s = settings.heartbeat_s
        rows = len(plays)
        self.first = plays.pressed_at + (begun.seconds * SECOND).astype(np.int64)
        self.leave = np.maximum(plays.leave_position, plays.start_position + 1.0)
        watch = self.leave - plays.start_position
        self.limit = np.ceil(1.5 * watch / self.step_s).astype(np.int64) + _PATIENT_STEPS
        self.active = np.flatnonzero(begun.outcome == STARTED)
        self.tape = Tape(rows, self.step_s)
        zero = np.zeros(rows)
        self.state = _State(
            position=plays.start_position.astype(np.float64).copy(),
            buffer=np.full(rows, START_MEDIA_S),
            rung=begun.rung.copy(),
            estimate=scenes.base_kbps.copy(),
            noise=zero.copy(),
            outage=zero.copy(),
            waited=zero.copy(),
            stalled=np.zeros(rows, dtype=np.bool_),
            by_seek=np.zeros(rows, dtype=np.bool_),
            needs=zero.copy(),
            paused=zero.copy(),
            jumped_to=np.full(rows, -1.0),
            next=script.first.copy(),
        )

    def run(self) -> Tape:
        number = 0
        while len(self.active):
            self._step(number)
            number += 1
        return self.tape

    def _step(self, number: int) -> None:
        a, state, step_s = self.active, self.state, self.step_s
        dice = bits(self.seed, "step", self.scenes.key[a], number)
        wall = self.first[a] + ((number * step_s + state.paused[a]) * SECOND).astype(np.int64)
        now = self.effects.at(wall, a)
        kbps = self._throughput(a, dice, now)
        old = state.rung[a]
        rung = self._rung(a, kbps)
        fill = np.clip(kbps / LADDER[rung], 1e-3, 30.0)  # seconds of picture per second
        run = self._stretch(a, fill, dice)
        pause = self._interruption(a, run, fill)
        tick = Tick(
            number=number,
            play=a,
            start_s=number * step_s + state.paused[a],
            wait=run.wait,
            resumed=run.resumed,
            was_seek=state.by_seek[a],
            still=run.still,
            until=run.wait + run.played,
            emptied=run.emptied,
            jump=pause.is_jump,
            stalls=pause.is_jump & (pause.needs > 0),
            latency=pause.latency,
            is_intro=pause.is_jump & (pause.kind == INTRO),
            pause=pause.is_pause,
            pause_s=np.where(pause.is_pause, pause.value, 0.0),
            cost=pause.cost,
            goes_on=pause.goes_on,
            before=run.position,
            target=np.where(pause.is_jump, pause.value, np.nan),
            position=pause.position,
            switched=(rung != old) & (number > 0),
            rung=rung,
        )
        beat = self._beat(a, dice, now, run, pause, rung, kbps)
        self._settle(a, run, pause, beat, rung)
        outcome, offset = self._endings(a, number, dice, now, tick, beat, run.ends | pause.late_end)
        self.tape.add(tick, beat, self.first[a], outcome, offset, dice)
        state.paused[a] += tick.pause_s
        self.active = a[outcome == Outcome.LIVES]

    def _stretch(self, a: Longs, fill: Floats, dice: np.ndarray) -> _Stretch:
        """A stall from before goes on or ends; then the play plays until something comes between."""
        state, step_s = self.state, self.step_s
        stalled = state.stalled[a]
        missing = np.maximum(state.needs[a] - state.buffer[a], 0) / fill
        wait = np.where(stalled, np.minimum(missing, step_s), 0.0)
        resumed = stalled & (missing < step_s)
        still = stalled & ~resumed
        buffer = np.where(resumed, np.maximum(state.buffer[a], state.needs[a]), state.buffer[a])
        buffer = np.where(still, buffer + fill * step_s, buffer)
        left = step_s - wait
        position = state.position[a]
        empty_in = np.where(fill < 1, buffer / np.maximum(1 - fill, 1e-9), np.inf)
        # A segment that is lost or cannot be decoded stops the picture whatever the buffer holds.
        hiccup = _share(dice, 24, 20) < self.scenes.hiccup_rate[a] * step_s
        empty_in = np.where(hiccup, np.minimum(empty_in, _share(dice, 52, 12) * step_s), empty_in)
        leaves_in = np.maximum(self.leave[a] - position, 0)
        act, acts_in = self._next_act(a, position)
        until = np.minimum(np.minimum(empty_in, leaves_in), acts_in)
        hit = (until < left) & ~still
        ends = hit & (leaves_in <= until)
        acted = hit & ~ends & (acts_in <= until)
        played = np.where(still, 0.0, np.minimum(until, left))
        buffer = buffer + np.where(still, 0, fill - 1) * played
        return _Stretch(
            wait=wait,
            resumed=resumed,
            still=still,
            played=played,
            position=position + played,
            buffer=np.clip(buffer, 0, self.scenes.buffer_s[a]),
            rest=np.where(hit & ~ends, left - played, 0.0),
            ends=ends,
            acted=acted,
            emptied=hit & ~ends & ~acted,
            act=act,
        )

    def _interruption(self, a: Longs, run: _Stretch, fill: Floats) -> _Interruption:
        """What came between, what it costs, and how the step goes on after it."""
        most = self.scenes.buffer_s[a]
        kind = np.where(run.acted, self.script.kind[run.act], -1)
        value = self.script.value[run.act]
        is_pause = run.acted & (kind == PAUSE)
        is_jump = run.acted & (kind != PAUSE)
        ahead = value - run.position
        within = is_jump & (ahead >= 0) & (ahead < run.buffer)
        needs = np.where(
            run.emptied, REBUFFER_MEDIA_S, np.where(is_jump & ~within, START_MEDIA_S, 0.0)
        )
        latency = np.where(is_jump, 0.15 + 3 * self.scenes.round_trip_s[a], 0.0)
        cost = latency + needs / fill
        buffer = np.where(is_jump, np.where(within, run.buffer - ahead, 0.0), run.buffer)
        buffer = np.where(run.emptied, 0.0, buffer)
        buffer = np.where(is_pause, np.minimum(buffer + fill * value, most), buffer)
        position = np.where(is_jump, value, run.position)
        broken = run.emptied | is_jump
        stops = broken & (cost >= run.rest)
        goes_on = (run.emptied | run.acted) & ~stops
        again = np.where(goes_on, run.rest - np.where(is_pause, 0.0, cost), 0.0)
        grown = np.clip(np.maximum(buffer, needs) + (fill - 1) * again, 0, most)
        caught = buffer + fill * np.maximum(run.rest - latency, 0)
        position = position + again
        # The picture may come to the end in what is left of the step.
        late_end = goes_on & (position >= self.leave[a])
        over = np.where(late_end, position - self.leave[a], 0.0)
        return _Interruption(
            kind=kind,
            value=value,
            is_pause=is_pause,
            is_jump=is_jump,
            needs=needs,
            latency=latency,
            cost=cost,
            stops=stops,
            goes_on=goes_on,
            stood=np.where(broken, np.minimum(cost, run.rest), 0.0),
            again=np.maximum(again - over, 0),
            position=position - over,
            buffer=np.where(goes_on, grown, np.where(stops, caught, buffer)),
            late_end=late_end,
        )

    def _beat(
        self,
        a: Longs,
        dice: np.ndarray,
        now: Now,
        run: _Stretch,
        pause: _Interruption,
        rung: Longs,
        kbps: Floats,
    ) -> Beat:
        by_seek = self.state.by_seek[a]
        stalled = self.state.stalled[a]
        played = run.played + pause.again
        return Beat(
            played=played,
            waited=np.where(stalled & ~by_seek, run.wait, 0.0)
            + np.where(run.emptied, pause.stood, 0.0),
            sought=np.where(stalled & by_seek, run.wait, 0.0)
            + np.where(pause.is_jump, pause.stood, 0.0),
            rebuffers=run.emptied.astype(np.int64),
            buffer=pause.buffer,
            kbps=kbps,
            dropped=self._dropped(a, dice, played, rung, now),
            stops=pause.stops | run.still,
            by_seek=np.where(run.still, by_seek, pause.is_jump),
        )

    def _settle(
        self, a: Longs, run: _Stretch, pause: _Interruption, beat: Beat, rung: Longs
    ) -> None:
        state = self.state
        state.position[a], state.buffer[a], state.rung[a] = pause.position, pause.buffer, rung
        state.stalled[a] = beat.stops
        state.by_seek[a] = beat.by_seek
        state.needs[a] = np.where(run.still, state.needs[a], pause.needs)
        state.waited[a] = _MEMORY * state.waited[a] + beat.waited
        state.jumped_to[a] = np.where(pause.is_jump, pause.value, state.jumped_to[a])
        state.next[a] += run.acted

    def _throughput(self, a: Longs, dice: np.ndarray, now: Now) -> Floats:
        state, scenes = self.state, self.scenes
        z = _Z[(dice & np.uint64(4095)).astype(np.int64)]
        noise = 0.8 * state.noise[a] + 0.6 * scenes.jitter[a] * z
        state.noise[a] = noise
        # In a congested network some segments hardly come at all.
        often = scenes.outage_rate[a] * self.step_s + 0.12 * now.congestion
        begins = _share(dice, 12, 20) < often
        # From 8 to 90 seconds, evenly in the logarithm.
        outage = state.outage[a] + np.where(begins, 8.0 * 11.0 ** _share(dice, 52, 12), 0.0)
        lost = np.minimum(outage, self.step_s)
        state.outage[a] = outage - lost
        kbps: Floats = scenes.base_kbps[a] * now.throughput * np.exp(noise)
        kbps = np.maximum(kbps * (1 - 0.9995 * lost / self.step_s), 20.0)
        state.estimate[a] = 0.6 * state.estimate[a] + 0.4 * kbps
        return kbps

    def _rung(self, a: Longs, kbps: Floats) -> Longs:
        state = self.state
        old, buffer = state.rung[a], state.buffer[a]
        safe = np.where(buffer > _COMFORT_S, 0.85, 0.65) * np.minimum(state.estimate[a], 1.5 * kbps)
        wanted = np.clip(np.searchsorted(LADDER, safe, side="right") - 1, 0, self.scenes.top[a])
        up = np.minimum(wanted, old + 1)
        down = np.where(buffer > _COMFORT_S, np.maximum(wanted, old - 1), wanted)
        chosen: Longs = np.where(wanted > old, np.where(buffer > 10, up, old), down)
        return chosen

    def _next_act(self, a: Longs, position: Floats) -> tuple[Longs, Floats]:
        """The next act of each play's script, and in how many seconds of picture it is due."""
        script, state = self.script, self.state
        for _ in range(2):
            act = np.minimum(state.next[a], len(script.position) - 1)
            has = state.next[a] < script.first[a + 1]
            # A jump forward passes over what lay between.
            passed = has & (script.position[act] < state.jumped_to[a])
            state.next[a] += passed
        act = np.minimum(state.next[a], len(script.position) - 1)
        has = state.next[a] < script.first[a + 1]
        due = np.maximum(script.position[act] - position, 0)
        return act, np.where(has & (script.position[act] >= state.jumped_to[a]), due, np.inf)

    def _dropped(self, a: Longs, dice: np.ndarray, played: Floats, rung: Longs, now: Now) -> Longs:
        usual = self.scenes.drops_a_minute[a] * np.where(rung >= 6, 2.0, 1.0)
        rate = usual * np.exp(0.8 * _Z[((dice >> np.uint64(8)) & np.uint64(4095)).astype(np.int64)])
        rate = rate + 900 * now.dropped_frames
        dropped: Longs = np.floor(rate * played / 60 + _share(dice, 32, 20)).astype(np.int64)
        return dropped

    def _endings(
        self,
        a: Longs,
        number: int,
        dice: np.ndarray,
        now: Now,
        tick: Tick,
        beat: Beat,
        ends: Bools,
    ) -> tuple[Longs, Floats]:
        """How the play ends in this step, if it does, and where in the step (s)."""
        step_s = self.step_s
        poor = np.where(self.scenes.is_poor[a], 3.0, 1.0)
        hazard = self.settings.errors_an_hour * poor * step_s / 3600
        errs = _share(dice, 32, 20) < hazard + 0.05 * now.playback_error * step_s / 30
        had_enough = (self.state.waited[a] > self.plays.patience[a]) & (beat.waited > 0)
        stuck = number + 1 >= self.limit[a]
        outcome = np.full(len(a), Outcome.LIVES, dtype=np.int64)
        offset = np.full(len(a), float(step_s))
        outcome[stuck] = Outcome.KILLED
        share = _share(dice, 52, 12)
        outcome[had_enough] = Outcome.HAD_ENOUGH
        since = np.where(tick.still, 0.0, tick.until)
        in_stall = had_enough & beat.stops
        offset[in_stall] = (since + (step_s - since) * share)[in_stall]
        outcome[errs] = Outcome.ERROR
        last = np.where(tick.goes_on, tick.until + np.where(tick.pause, 0, tick.cost), since)
        offset[errs] = (last + (step_s - last) * share)[errs]
        outcome[ends] = Outcome.LEAVES
        again = np.where(tick.goes_on, tick.until + np.where(tick.pause, 0, tick.cost), tick.until)
        more = np.where(tick.goes_on, beat.played - (tick.until - tick.wait), 0)
        offset[ends] = (again + more)[ends]
        return outcome, np.minimum(offset, step_s)


def _share(dice: np.ndarray, shift: int, width: int) -> Floats:
    """`width` bits of the dice as a number in (0, 1)."""
    part = (dice >> np.uint64(shift)) & np.uint64(2**width - 1)
    share: Floats = (part.astype(np.float64) + 0.5) / 2.0**width
    return share
