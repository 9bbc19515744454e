"""Plays become records of `playback` and `heartbeats`, and the truth about them.

Everything that is the same for a whole play comes as a dictionary array with one entry a play: its text is made once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cinelake.simulate.player import tape as kinds
from cinelake.simulate.player.effects import Effects
from cinelake.simulate.player.incidents import Incidents, Places
from cinelake.simulate.player.scene import LADDER, Scenes, scenes
from cinelake.simulate.player.script import script
from cinelake.simulate.player.settings import PlayerSettings
from cinelake.simulate.player.sittings import sequels
from cinelake.simulate.player.startup import FAILED, LEFT, STARTED, Starts, starts
from cinelake.simulate.player.stream import stream
from cinelake.simulate.player.tape import Events, Heartbeats, Outcome, Pauses, State, Tape
from cinelake.simulate.randomness import Bools, Floats, Longs, bits, integers, uniform
from cinelake.simulate.trace import (
    CONNECTIONS,
    DAY,
    SECOND,
    Devices,
    Entry,
    Leaves,
    Networks,
    Offender,
    PlayColumns,
    Plays,
    Records,
    ids,
    title_ids,
)
from cinelake.sources.heartbeats import STATES
from cinelake.sources.playback import EVENTS

CAUSES = ("network", "seek")
OUTCOMES = ("as_meant", "start_failure", "left_before_start", "had_enough", "error", "killed")
_IO_ERRORS = (
    "ERROR_CODE_IO_NETWORK_CONNECTION_FAILED",
    "ERROR_CODE_IO_NETWORK_CONNECTION_TIMEOUT",
    "ERROR_CODE_IO_BAD_HTTP_STATUS",
)
_APP_ERRORS = (
    "ERROR_CODE_DECODING_FAILED",
    "ERROR_CODE_DRM_LICENSE_ACQUISITION_FAILED",
    "ERROR_CODE_DECODER_INIT_FAILED",
)
_ERRORS = (*_IO_ERRORS, *_APP_ERRORS)
# A paused player that nobody comes back to is closed within this time.
_FORGOTTEN_S = 3600.0
TRUTH = pa.schema(
    [
        ("play_id", pa.string()),
        ("account_id", pa.string()),
        ("profile_id", pa.string()),
        ("viewer_id", pa.string()),
        ("device_id", pa.string()),
        ("title_id", pa.string()),
        ("episode_id", pa.string()),
        ("pressed_at", pa.timestamp("us", "UTC")),
        ("ended_at", pa.timestamp("us", "UTC")),
        ("crosses_midnight", pa.bool_()),  # of the place where it is watched
        ("crosses_clock_change", pa.bool_()),
        ("offender", pa.string()),
        ("enjoyment", pa.float64()),
        ("meant", pa.string()),
        ("meant_position_s", pa.float64()),
        ("outcome", pa.string()),
        ("join_s", pa.float64()),
        ("seconds_watched", pa.float64()),
        ("seconds_paused", pa.float64()),
        ("rebuffers", pa.int64()),
        ("rebuffer_s", pa.float64()),
        ("seek_s", pa.float64()),
        ("bitrate_kbps", pa.float64()),
        ("ended_position_s", pa.float64()),
        ("is_poor_device", pa.bool_()),
        ("premiere_load", pa.float64()),
        ("incident_ids", pa.list_(pa.string())),
    ]
)


@dataclass(frozen=True)
class Names:
    """Texts for the numbers of a world, beside those of the places that incidents strike."""

    countries: tuple[str, ...]


@dataclass(frozen=True)
class Surroundings:
    """Where plays happen, row by row."""

    networks: Networks
    devices: Devices
    utc_offset_s: Longs
    clock_change_at: Longs  # when clocks are changed there next (µs UTC)
    utc_offset_then_s: Longs
    premiere: Floats

    def take(self, index: Longs) -> Surroundings:
        """Those of the plays at these places."""
        return Surroundings(
            self.networks.take(index),
            self.devices.take(index),
            self.utc_offset_s[index],
            self.clock_change_at[index],
            self.utc_offset_then_s[index],
            self.premiere[index],
        )


@dataclass(frozen=True)
class Watched:
    """What players report of some plays; `truth` has a row for each play number in `play`, in this order."""

    playback: Records
    playback_play: Longs  # row of the truth that each playback record is of
    heartbeats: Records
    truth: pa.Table


def watch(
    plays: Plays,
    around: Surroundings,
    incidents: Incidents,
    places: Places,
    names: Names,
    settings: PlayerSettings,
    seed: int,
) -> Watched:
    """Let the players play; `plays` are sorted by account, sitting and press, sittings whole."""
    rows = plays.rows
    scene = scenes(
        rows, around.networks, around.devices, around.utc_offset_s, around.premiere, settings, seed
    )
    longest = (2 * (rows.leave_position - rows.start_position) + 7200) * SECOND
    effects = Effects(
        scene, rows.pressed_at, rows.pressed_at + longest.astype(np.int64), incidents, settings
    )
    begun = starts(rows, scene, effects, settings, seed)
    tape = stream(rows, scene, script(plays), begun, effects, settings, seed)
    _note_false_starts(tape, rows, begun)
    happens, shift = sequels(rows, tape.ended_at, tape.outcome == Outcome.LEAVES)
    report = _Report(rows, scene, around, begun, tape, effects, happens, shift, places, seed)
    events = report.events()
    beats = report.heartbeats()
    shared = report.shared(names)
    kept = np.flatnonzero(happens)
    place = np.cumsum(happens) - 1
    return Watched(
        playback=report.playback(events, shared),
        playback_play=place[events.play],
        heartbeats=report.beat_records(beats, shared),
        truth=report.truth(incidents).take(pa.array(kept)),
    )


def _note_false_starts(tape: Tape, rows: PlayColumns, begun: Starts) -> None:
    false = begun.outcome != STARTED
    tape.ended_at[false] = (rows.pressed_at + (begun.seconds * SECOND).astype(np.int64))[false]
    tape.ended_position[false] = rows.start_position[false]


class _Report:
    def __init__(
        self,
        rows: PlayColumns,
        scene: Scenes,
        around: Surroundings,
        begun: Starts,
        tape: Tape,
        effects: Effects,
        happens: Bools,
        shift: Longs,
        places: Places,
        seed: int,
    ) -> None:
        self.rows, self.scene, self.around, self.begun, self.tape = rows, scene, around, begun, tape
        self.effects, self.happens, self.shift = effects, happens, shift
        self.places, self.seed = places, seed
        self.ids = ids(seed, "play", scene.key)

    # ---- what happened

    def events(self) -> Events:
        """All events of the plays that came about, in order of play and time."""
        rows, begun, tape = self.rows, self.begun, self.tape
        every = np.arange(len(rows))
        first = rows.pressed_at + (begun.seconds * SECOND).astype(np.int64)
        started = np.flatnonzero(begun.outcome == STARTED)
        parts = [
            self._events(every, rows.pressed_at, kinds.ATTEMPT, rows.start_position),
            replace(
                self._events(
                    started, first[started], kinds.FIRST_FRAME, rows.start_position[started]
                ),
                rung=begun.rung[started],
            ),
            tape.events(),
        ]
        for kind, mask in self._ends().items():
            who = np.flatnonzero(mask)
            parts.append(self._events(who, tape.ended_at[who], kind, tape.ended_position[who]))
        walked = np.flatnonzero(self._walks_away() & self._stays_paused())
        parts.append(
            self._events(walked, tape.ended_at[walked], kinds.PAUSED, tape.ended_position[walked])
        )
        events = Events.joined(parts)
        events = events.take(self.happens[events.play])
        events = replace(events, at=events.at + self.shift[events.play])
        order = np.lexsort((events.kind == kinds.END, events.at, events.play))
        return events.take(order)

    def heartbeats(self) -> Heartbeats:
        """All heartbeats of the plays that came about, in order of play and time."""
        tape, step = self.tape, self.tape.step_s
        pauses = tape.pauses()
        walked = np.flatnonzero(self._walks_away() & self._stays_paused())
        forgotten = _FORGOTTEN_S * uniform(self.seed, "forgotten", self.scene.key[walked]) ** 2
        joining = np.flatnonzero(self.begun.seconds > step)
        at, where, rung = tape.ended_at, tape.ended_position, tape.ended_rung
        parts = [
            tape.heartbeats(),
            self._standing(pauses, State.PAUSED),
            self._standing(
                Pauses(
                    walked,
                    at[walked],
                    forgotten,
                    where[walked],
                    rung[walked],
                    tape.ended_buffer[walked],
                ),
                State.PAUSED,
            ),
            self._standing(
                Pauses(
                    joining,
                    self.rows.pressed_at[joining],
                    self.begun.seconds[joining],
                    self.rows.start_position[joining],
                    self.begun.rung[joining],
                    np.zeros(len(joining)),
                ),
                State.JOINING,
            ),
        ]
        beats = Heartbeats.joined(parts)
        beats = beats.take(self.happens[beats.play])
        beats = replace(beats, at=beats.at + self.shift[beats.play])
        return beats.take(np.lexsort((beats.at, beats.play)))

    def _standing(self, spans: Pauses, state: State) -> Heartbeats:
        """Heartbeats of players that stand still."""
        step = self.tape.step_s
        counts = np.floor(spans.seconds / step).astype(np.int64)
        row = np.repeat(np.arange(len(spans)), counts)
        k = np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts) + 1
        zero = np.zeros(len(row))
        return Heartbeats(
            play=spans.play[row],
            at=spans.at[row] + (k * step * SECOND).astype(np.int64),
            state=np.full(len(row), int(state)),
            position=spans.position[row],
            rung=spans.rung[row],
            buffer=spans.buffer[row],
            kbps=self.scene.base_kbps[spans.play[row]],
            dropped=zero.astype(np.int64),
            played=zero,
            rebuffers=zero.astype(np.int64),
            waited=zero,
        )

    def _events(self, play: Longs, at: Longs, kind: int, position: Floats) -> Events:
        return Events(
            play=play,
            at=at,
            kind=np.full(len(play), kind, dtype=np.int64),
            position=position.astype(np.float64),
            target=np.full(len(play), np.nan),
            rung=np.full(len(play), -1, dtype=np.int64),
            by_seek=np.zeros(len(play), dtype=np.bool_),
        )

    def _walks_away(self) -> Bools:
        """Whose player is left behind, or killed: no stop is ever reported."""
        walks: Bools = (self.tape.outcome == Outcome.LEAVES) & (self.rows.leaves == Leaves.ABANDONS)
        return walks

    def _stays_paused(self) -> Bools:
        """Of those, whose player is left paused; the app of the others is closed at once."""
        stays: Bools = uniform(self.seed, "walks away", self.scene.key) < 0.5
        return stays

    def _ends(self) -> dict[int, Bools]:
        rows, tape, begun = self.rows, self.tape, self.begun
        as_meant = (tape.outcome == Outcome.LEAVES) & (rows.leaves != Leaves.ABANDONS)
        over = (rows.leaves == Leaves.FINISHES) | (rows.leaves == Leaves.AUTOPLAYS)
        in_credits = tape.ended_position < rows.runtime - 2
        skips = as_meant & over & rows.skips_credits & in_credits
        return {
            kinds.SKIP_CREDITS: skips,
            kinds.END: as_meant & over & (skips | ~in_credits | (rows.leaves == Leaves.AUTOPLAYS)),
            kinds.STOP: (begun.outcome == LEFT)
            | (tape.outcome == Outcome.HAD_ENOUGH)
            | (as_meant & ~over)
            | (as_meant & over & ~skips & in_credits & (rows.leaves != Leaves.AUTOPLAYS)),
            kinds.ERROR: (begun.outcome == FAILED) | (tape.outcome == Outcome.ERROR),
        }

    # ---- how it is told

    def shared(self, names: Names) -> dict[str, pa.Array]:
        """What is the same in all records of a play: one entry a play."""
        rows, scene, networks = self.rows, self.scene, self.around.networks
        seed = self.seed
        episode = pa.array(rows.episode >= 0)
        own = title_ids(seed, rows.title, rows.episode)
        text = pa.string()
        return {
            "play_id": self.ids,
            "account_id": ids(seed, "account", rows.account),
            "profile_id": ids(seed, "profile", rows.profile),
            "device_id": ids(seed, "device", rows.device),
            "title_id": title_ids(seed, rows.title),
            "episode_id": pc.if_else(episode, own, pa.scalar(None, text)),
            "cdn": _named(self.places.cdn, scene.cdn),
            "pop": scene.pop_names(self.places).dictionary_decode(),
            "app_version": _named(self.places.app_version, scene.app_version),
            "device_model": _named(self.places.model, scene.model),
            "connection": _named(CONNECTIONS, scene.connection),
            "ip": pa.array(networks.ip.tolist(), text),
            "asn": pa.array(networks.asn),
            "isp": _named(self.places.isp, scene.isp),
            "country": _named(names.countries, networks.country),
            "region": _named(self.places.region, scene.region),
        }

    def playback(self, events: Events, shared: dict[str, pa.Array]) -> Records:
        """Events as records."""
        rows, play = self.rows, events.play
        sequence = _places(play)
        attempt = events.kind == kinds.ATTEMPT
        index = pa.array(play.astype(np.int32))

        def of(name: str) -> pa.Array:
            return pa.DictionaryArray.from_arrays(index, shared[name])

        home = attempt & (rows.row[play] >= 0)
        page = attempt & (rows.page[play] != 0)
        rebuffer = np.isin(events.kind, (kinds.REBUFFER_START, kinds.REBUFFER_END))
        entries = pa.array([entry.name.lower() for entry in Entry])
        places = ("cdn", "pop", "app_version", "device_model", "connection", "ip", "asn", "isp")
        payload = {
            **{n: of(n) for n in ("play_id", "account_id", "profile_id", "device_id")},
            **{n: of(n) for n in ("title_id", "episode_id")},
            "event": pa.DictionaryArray.from_arrays(
                pa.array(events.kind.astype(np.int8)), pa.array(EVENTS)
            ),
            "sequence": pa.array(sequence.astype(np.int32)),
            "position_s": pa.array(np.round(events.position, 1)),
            "to_position_s": pa.array(np.round(events.target, 1), from_pandas=True),
            "bitrate_kbps": _bitrates(events.rung),
            "cause": pa.DictionaryArray.from_arrays(
                pa.array(events.by_seek.astype(np.int8), mask=~rebuffer), pa.array(CAUSES)
            ),
            "error_code": self._error_codes(events),
            "entry": pa.DictionaryArray.from_arrays(
                pa.array(rows.entry[play].astype(np.int8), mask=~attempt), entries
            ),
            "row": pa.array(rows.row[play].astype(np.int32), mask=~home),
            "rank": pa.array(rows.rank[play].astype(np.int32), mask=~home),
            "page_id": pa.DictionaryArray.from_arrays(
                pa.array(play.astype(np.int32), mask=~page), ids(self.seed, "page", rows.page)
            ),
            **{name: of(name) for name in (*places, "country", "region")},
        }
        order = bits(self.seed, "playback order", self.scene.key[play], sequence).view(np.int64)
        return Records("playback", rows.account[play], events.at, order, payload)

    def beat_records(self, beats: Heartbeats, shared: dict[str, pa.Array]) -> Records:
        """Heartbeats as records."""
        play = beats.play
        sequence = _places(play)
        index = pa.array(play.astype(np.int32))
        dice = bits(self.seed, "heartbeat order", self.scene.key[play], sequence)
        # A player's own estimate of the throughput is good to a tenth or so.
        error = 0.9 + 0.2 * ((dice >> np.uint64(40)) & np.uint64(1023)).astype(np.float64) / 1023
        payload = {
            **{
                name: pa.DictionaryArray.from_arrays(index, shared[name])
                for name in ("play_id", "account_id", "device_id")
            },
            "sequence": pa.array(sequence.astype(np.int32)),
            "state": pa.DictionaryArray.from_arrays(
                pa.array(beats.state.astype(np.int8)), pa.array(STATES)
            ),
            "position_s": pa.array(np.round(beats.position, 1)),
            "bitrate_kbps": _bitrates(beats.rung),
            "buffer_s": pa.array(np.round(beats.buffer, 1)),
            "throughput_kbps": pa.array((beats.kbps * error).astype(np.int64)),
            "dropped_frames": pa.array(beats.dropped),
            "played_s": pa.array(np.round(beats.played, 1)),
            "rebuffers": pa.array(beats.rebuffers),
            "rebuffer_s": pa.array(np.round(beats.waited, 1)),
            **{
                name: pa.DictionaryArray.from_arrays(index, shared[name])
                for name in ("cdn", "pop", "connection")
            },
        }
        return Records(
            "heartbeats", self.rows.account[play], beats.at, dice.view(np.int64), payload
        )

    def _error_codes(self, events: Events) -> pa.Array:
        key = self.scene.key[events.play]
        by_app = uniform(self.seed, "error side", key) < 0.4
        by_app &= self.scene.cdn[events.play] >= 0
        code = integers(3, self.seed, "error code", key) + 3 * by_app
        is_error = events.kind == kinds.ERROR
        return pa.DictionaryArray.from_arrays(
            pa.array(code.astype(np.int8), mask=~is_error), pa.array(_ERRORS)
        )

    # ---- the truth

    def truth(self, incidents: Incidents) -> pa.Table:
        """A row a play, in order."""
        rows, tape, begun, seed = self.rows, self.tape, self.begun, self.seed
        episode = pa.array(rows.episode >= 0)
        own = title_ids(seed, rows.title, rows.episode)
        outcome = np.zeros(len(rows), dtype=np.int64)
        for place, mask in enumerate(
            (
                begun.outcome == FAILED,
                begun.outcome == LEFT,
                tape.outcome == Outcome.HAD_ENOUGH,
                tape.outcome == Outcome.ERROR,
                tape.outcome == Outcome.KILLED,
            )
        ):
            outcome[mask] = place + 1
        begins, ends = rows.pressed_at + self.shift, tape.ended_at + self.shift
        around = self.around
        changed = (begins < around.clock_change_at) & (ends >= around.clock_change_at)
        ahead = (
            around.utc_offset_s,
            np.where(changed, around.utc_offset_then_s, around.utc_offset_s),
        )
        day = [
            (at // SECOND + s) * SECOND // DAY for at, s in zip((begins, ends), ahead, strict=True)
        ]
        joined = np.where(begun.outcome == STARTED, begun.seconds, np.nan)
        rate = np.where(tape.played > 0, tape.bitrate_seconds / np.maximum(tape.played, 1e-9), 0)
        columns = [
            self.ids,
            ids(seed, "account", rows.account),
            ids(seed, "profile", rows.profile),
            ids(seed, "viewer", rows.viewer),
            ids(seed, "device", rows.device),
            title_ids(seed, rows.title),
            pc.if_else(episode, own, pa.scalar(None, pa.string())),
            pa.array(begins, pa.timestamp("us", "UTC")),
            pa.array(ends, pa.timestamp("us", "UTC")),
            pa.array(day[1] != day[0]),
            pa.array(changed),
            _named(tuple(o.name.lower() for o in Offender), rows.offender),
            pa.array(rows.enjoyment),
            _named(tuple(way.name.lower() for way in Leaves), rows.leaves),
            pa.array(rows.leave_position.astype(np.float64)),
            _named(OUTCOMES, outcome),
            pa.array(joined, from_pandas=True),
            pa.array(tape.played),
            pa.array(tape.paused),
            pa.array(tape.rebuffers),
            pa.array(tape.waited),
            pa.array(tape.sought),
            pa.array(rate),
            pa.array(tape.ended_position),
            pa.array(self.scene.is_poor),
            pa.array(self.scene.premiere),
            self._felt(incidents),
        ]
        return pa.table(columns, schema=TRUTH)

    def _felt(self, incidents: Incidents) -> pa.Array:
        effects = self.effects
        felt = np.flatnonzero(effects.was_felt)
        felt = felt[np.lexsort((effects.incident[felt], effects.play[felt]))]
        counts = np.bincount(effects.play[felt], minlength=len(self.rows))
        names = ids(self.seed, "incident", incidents.number)
        chosen = names.take(pa.array(effects.incident[felt]))
        offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
        return pa.ListArray.from_arrays(pa.array(offsets), chosen)


def _places(play: Longs) -> Longs:
    """The number of each row among those of its play; rows are in order of play."""
    begin = np.flatnonzero(np.diff(play, prepend=-1))
    counts = np.diff(np.append(begin, len(play)))
    places: Longs = np.arange(len(play)) - np.repeat(begin, counts)
    return places


def _named(names: tuple[str, ...], index: np.ndarray) -> pa.Array:
    return pa.array(names, pa.string()).take(pa.array(index.astype(np.int64)))


def _bitrates(rung: Longs) -> pa.Array:
    return pa.DictionaryArray.from_arrays(
        pa.array(rung.astype(np.int8), mask=rung < 0), pa.array(LADDER.astype(np.int64))
    )
