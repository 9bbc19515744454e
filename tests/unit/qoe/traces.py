"""Records of plays from a few words each, and what an independent few lines of pandas say of them.

The oracle walks through the events of one play, keeping the state in a variable; it knows nothing of windows, slices
or Spark.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
from pyspark.sql import DataFrame, SparkSession

from cinelake.qoe.heard import BEAT_COLUMNS
from cinelake.sources.heartbeats import HEARTBEATS_SOURCE
from cinelake.sources.playback import PLAYBACK_SOURCE

DAY = datetime(2026, 3, 28, tzinfo=UTC)
ENVELOPE = "event_id string, event_time timestamp, event_date date, received_at timestamp, clock_ahead_ms bigint"
WHO = {
    "account_id": "a1", "profile_id": "p1", "device_id": "d1", "title_id": "t1", "cdn": "aurora", "pop": "aurora-1",
    "isp": "Lindenglas", "asn": 64596, "region": "Bavaria", "device_model": "Vistaron S", "app_version": "tv-8.5",
    "connection": "fibre", "country": "DE",
}  # fmt: skip


@dataclass
class Traces:
    """Records of plays; `at` is seconds after midnight of 28 March."""

    events: list[dict[str, Any]] = field(default_factory=list)
    beats: list[dict[str, Any]] = field(default_factory=list)

    def play(self, name: str, told: str, **more: Any) -> None:
        """Events as `0 attempt, 2 first_frame 3000, 60 rebuffer_start seek, 61 stop`: time, what, bitrate or cause."""
        for number, each in enumerate(told.split(",")):
            at, event, *rest = each.split()
            detail = {
                "bitrate_kbps" if word.isdigit() else "cause": int(word) if word.isdigit() else word
                for word in rest
            }
            self.event(name, number, float(at), event, **(detail | more))

    def event(self, play: str, number: int, at: float, event: str, **more: Any) -> None:
        payload = WHO | {"play_id": play, "sequence": number, "event": event}
        self.events.append(self._landed(f"{play}-e{number}", at, payload | more))

    def beat(
        self, play: str, number: int, at: float, played: float | None = 30.0, **more: Any
    ) -> None:
        payload = {"play_id": play, "state": "playing", "played_s": played}
        self.beats.append(self._landed(f"{play}-h{number}", at, payload | more))

    def _landed(self, event_id: str, at: float, payload: dict[str, Any]) -> dict[str, Any]:
        when = DAY + timedelta(seconds=at)
        received = when + timedelta(seconds=payload.pop("delay", 1))
        return {
            "event_id": event_id, "event_time": when, "event_date": when.date(), "received_at": received,
            "clock_ahead_ms": payload.pop("ahead_ms", None),
        } | payload  # fmt: skip

    def frames(self, spark: SparkSession) -> tuple[DataFrame, DataFrame]:
        """Typed records of playback and heartbeats."""

        def typed(source: Any, rows: list[dict[str, Any]], names: tuple[str, ...]) -> DataFrame:
            own = [c for c in source.columns if c.name in names]
            shape = ", ".join(f"{c.name} {c.type.simpleString()}" for c in own)
            return spark.createDataFrame(rows, f"{ENVELOPE}, {shape}")

        return (
            typed(PLAYBACK_SOURCE, self.events, PLAYBACK_SOURCE.names),
            typed(HEARTBEATS_SOURCE, self.beats, BEAT_COLUMNS),
        )


@dataclass
class Player:
    """A player that is told events, one after the other."""

    shown: bool = False
    paused: bool = False
    jumping: bool = False
    dry: bool = False
    by_seek: bool = False
    over: bool = False

    def told(self, event: str, cause: str | None) -> None:
        self.shown |= event in {"first_frame", "rebuffer_start", "rebuffer_end", "seek_done"}
        if event in {"pause", "resume"}:
            self.paused = event == "pause"
        if event in {"seek", "skip_intro", "seek_done"}:
            self.jumping = event != "seek_done"
        if event == "rebuffer_start":
            self.dry, self.by_seek = True, cause == "seek"
        if event in {"rebuffer_end", "seek_done"}:
            self.dry = self.by_seek = False
        self.over |= event in {"stop", "end", "error"}

    def state(self) -> str:
        if self.over or not self.shown:
            return "end" if self.over else "join"
        if self.jumping or (self.dry and self.by_seek):
            return "seek"
        if self.paused:
            return "pause"
        return "stall" if self.dry else "play"


def oracle(events: pd.DataFrame, beats: pd.DataFrame, grace_s: int = 60) -> dict[str, Any]:
    """What media3's machine makes of one play whose records are all of one session, each once.

    Integers in milliseconds. `events` hold `event, sequence, event_time, cause, bitrate_kbps, clock_ahead_ms`, `beats`
    `event_time, state, played_s, rebuffers, rebuffer_s, dropped_frames, bitrate_kbps`.
    """
    rows = events.sort_values(["event_date", "sequence", "event_time", "event_id"]).to_dict(
        "records"
    )
    ms = [math.floor(row["event_time"].timestamp() * 1000 + 1e-6) for row in rows]
    spent = dict.fromkeys(("join", "play", "pause", "seek", "stall", "end"), 0)
    counts = dict.fromkeys(("stalls", "seeks", "pauses", "switches_up", "switches_down"), 0)
    bits = known = 0
    player, rate, state = Player(), None, None
    over, clock, went_back, jumped_early = None, -(10**18), False, False
    for number, row in enumerate(rows):
        event = row["event"]
        went_back |= ms[number] < clock
        clock = max(clock, ms[number])
        told = row["bitrate_kbps"] if 32 <= (row["bitrate_kbps"] or 0) <= 200_000 else None
        counts["seeks"] += event == "seek" and not player.over
        counts["pauses"] += event == "pause" and not player.over
        if event == "quality_switch" and rate is not None and told is not None:
            counts["switches_up"] += told > rate
            counts["switches_down"] += told < rate
        rate = told or rate
        player.told(event, row["cause"])
        jumped_early |= event in {"seek", "skip_intro"} and player.state() == "join"
        over = number if player.over and over is None else over
        before, state = state, player.state()
        counts["stalls"] += state == "stall" and before != "stall"
        lasted = max(ms[number + 1], clock) - clock if number + 1 < len(rows) else 0
        spent[state] += lasted
        if state == "play" and rate is not None:
            bits, known = bits + int(rate) * lasted, known + lasted
    numbers = [row["sequence"] for row in rows]
    is_whole = (
        over is not None and over == len(rows) - 1 and not went_back and numbers == list(range(len(rows)))
        and all(pd.isna(row["clock_ahead_ms"]) for row in rows)
    )  # fmt: skip
    found: dict[str, Any] = counts | {
        "is_by_events": is_whole, "play_ms": spent["play"], "stall_ms": spent["stall"], "pause_ms": spent["pause"],
        "seek_ms": spent["seek"], "bits": bits, "bitrate_ms": known,
    }  # fmt: skip
    counted = beats.sort_values("received_at").drop_duplicates("event_id")
    # What is less than nothing is not known.
    counts = ["rebuffers", "dropped_frames", "throughput_kbps"]
    counted = counted.assign(**{name: counted[name].where(counted[name] >= 0) for name in counts})
    # No heartbeat tells of less than nothing, nor of more than ten minutes.
    played = (counted["played_s"].fillna(0).clip(0, 600) * 1000).round().astype("int64")
    # Nobody drops more frames than there are: 240 a second, and what a second of a heartbeat's own delay adds.
    dropped = counted["dropped_frames"].where(
        counted["dropped_frames"] <= 240 * (played / 1000 + 1)
    )
    found["dropped_frames"] = int(dropped.fillna(0).sum())
    found["frames_ms"] = int(played[dropped.notna()].sum())
    found["beats"] = len(counted)
    found["throughput_beats"] = int(counted["throughput_kbps"].notna().sum())
    found["throughput_kbps"] = int(counted["throughput_kbps"].fillna(0).sum())
    stands = (counted["state"] == "rebuffering") | (counted["rebuffers"].fillna(0) > 0)
    found["stalled_beats"] = int(stands.sum())
    found["error_code"] = (
        rows[over]["error_code"] if over is not None and rows[over]["event"] == "error" else None
    )
    beaten = [math.floor(at.timestamp() * 1000 + 1e-6) for at in counted["event_time"]]
    heard = ms[: over + 1] if over is not None else ms
    began_at, last_sign = min(heard + beaten), max(heard + beaten)
    ended_at = max(ms[over] if over is not None else last_sign + grace_s * 1000, began_at)
    if not is_whole:
        told = counted["bitrate_kbps"].where(counted["bitrate_kbps"].between(32, 200_000))
        bitrate = told.fillna(0).astype("int64")
        found |= {
            "play_ms": int(played.sum()),
            "stall_ms": int((counted["rebuffer_s"].fillna(0).clip(0, 600) * 1000).round().sum()),
            "stalls": int(counted["rebuffers"].fillna(0).sum()),
            "bits": int((bitrate * played).sum()),
            "bitrate_ms": int(played[told.notna()].sum()),
        }
        # The event that ends a pause or a jump may be lost; no longer than heartbeats leave room for does it last.
        room = max(ended_at - began_at - found["play_ms"] - found["stall_ms"], 0)
        found["seek_ms"] = min(found["seek_ms"], room)
        found["pause_ms"] = min(found["pause_ms"], room - found["seek_ms"])
    words = rows[over]["event"] if over is not None else None
    began = player.shown or found["play_ms"] > 0
    found["outcome"] = {(True, True): "playback_failure", (True, False): "start_failure"}.get(
        (words == "error", began), "played" if began else "exit_before_start"
    )
    in_vain = max(ms[over] if over is not None else 0, last_sign) - began_at
    found["wait_ms"] = None if began else in_vain
    attempts = [at for at, row in zip(ms, rows, strict=True) if row["event"] == "attempt"]
    frames = [at for at, row in zip(ms, rows, strict=True) if row["event"] == "first_frame"]
    is_right = all(pd.isna(row["clock_ahead_ms"]) for row in rows)
    known_join = bool(
        attempts and frames and is_right and min(frames) >= min(attempts) and not jumped_early
    )
    found["join_ms"] = min(frames) - min(attempts) if known_join else None
    return found
