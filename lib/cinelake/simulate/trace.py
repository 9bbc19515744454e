"""What passes between the parts of the simulation: columns of numpy arrays, one element a row.

Entities are global numbers. An account is a number from 0; its parts are numbered inside it, so that each number
leads back to its account: profile = account · 8 + k, viewer (a person) = account · 16 + k, device = account · 64 + k,
network = account · 32 + k. Networks that many accounts meet in (carrier NAT, VPN exits, offices, hosts) are numbered
from `COMMON`. Titles are numbers of the catalogue; an episode is a number in its series from 0 over all seasons, −1
for a film. Times are microseconds UTC, media positions seconds.

`ids` turns numbers into the opaque texts that land.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from enum import IntEnum
from typing import Self, TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from cinelake.simulate.randomness import bits

PROFILES = 8
VIEWERS = 16
DEVICES = 64
NETWORKS = 32
# Networks and devices from here on belong to no single account.
COMMON = 1 << 40
# An episode's id is that of `title * EPISODES + episode + 1`; the film's or series' own has 0 for the sum's end.
EPISODES = 1024

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

_HEX = np.frombuffer(b"0123456789abcdef", dtype=np.uint8)
PREFIXES = {
    "account": "a",
    "profile": "p",
    "device": "d",
    "title": "t",
    "page": "g",
    "search": "q",
    "play": "v",
    "event": "e",
    "incident": "i",
    "viewer": "w",
}


def ids(seed: int, kind: str, *numbers: NDArray[np.int64]) -> pa.StringArray:
    """Opaque ids, as `a-3f2b…`: a prefix for the kind and 16 hex digits of a hash of the numbers."""
    words = np.atleast_1d(bits(seed, f"id of {kind}", *numbers))
    prefix = np.frombuffer(f"{PREFIXES[kind]}-".encode(), dtype=np.uint8)
    octets = words.astype(">u8").view(np.uint8).reshape(-1, 8)
    text = np.empty((len(words), len(prefix) + 16), dtype=np.uint8)
    text[:, : len(prefix)] = prefix
    text[:, len(prefix) :: 2] = _HEX[octets >> 4]
    text[:, len(prefix) + 1 :: 2] = _HEX[octets & 15]
    offsets = np.arange(len(words) + 1, dtype=np.int32) * text.shape[1]
    return pa.StringArray.from_buffers(len(words), pa.py_buffer(offsets), pa.py_buffer(text))


def title_ids(
    seed: int, title: NDArray[np.int32], episode: NDArray[np.int16] | None = None
) -> pa.StringArray:
    """Ids of films and series, or of the episodes when given (−1 means the film or series itself)."""
    number = title.astype(np.int64) * EPISODES
    if episode is not None:
        number = number + episode.astype(np.int64) + 1
    return ids(seed, "title", number)


class Leaves(IntEnum):
    """How a viewer means to end a play."""

    STOPS = 0  # presses stop or back at `leave_position`
    FINISHES = 1  # the title runs out, or the viewer goes in the credits
    ABANDONS = 2  # walks away at `leave_position`: no stop is ever reported
    AUTOPLAYS = 3  # the next episode follows without a press


class Entry(IntEnum):
    """Whence a play was started."""

    HOME = 0
    SEARCH = 1
    CONTINUE = 2  # the continue-watching row of the home page
    AUTOPLAY = 3
    DEEP_LINK = 4  # a notification, a mail, a voice command, or the television's own screen


class Offender(IntEnum):
    """What the viewer behind a play is, by the truth."""

    HONEST = 0
    EX_PARTNER = 1
    FRIEND = 2
    BUYER = 3  # of a resold account
    INTRUDER = 4  # by credential stuffing
    SLOW_INTRUDER = 5
    SCREENS = 6  # more screens at once than the plan allows, as in a bar
    PIRATE = 7


@dataclass(frozen=True)
class Columns:
    """Arrays of equal length. Subclasses declare them."""

    def __len__(self) -> int:
        return len(getattr(self, fields(self)[0].name))

    def take(self, index: NDArray[np.int64] | NDArray[np.bool_]) -> Self:
        """The rows at these places, in this order (or where a mask is true)."""
        return type(self)(**{f.name: getattr(self, f.name)[index] for f in fields(self)})

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """The rows of all parts, one after the other."""
        return cls(
            **{f.name: np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(cls)}
        )


@dataclass(frozen=True)
class Pauses(Columns):
    """Pauses of plays; `play` is the row in `Plays`."""

    play: NDArray[np.int64]
    position: NDArray[np.float64]  # where the picture stands (s of media)
    seconds: NDArray[np.float64]  # how long it stands


@dataclass(frozen=True)
class Seeks(Columns):
    """Jumps in plays, in order of `position` within a play; a jump back makes a scene seen twice."""

    play: NDArray[np.int64]
    position: NDArray[np.float64]  # where the viewer jumps from (s of media)
    target: NDArray[np.float64]  # and to


_Ragged = TypeVar("_Ragged", Pauses, Seeks)


@dataclass(frozen=True)
class PlayColumns(Columns):
    """Intended play attempts, before the player has its say, sorted by account, sitting and press."""

    account: NDArray[np.int64]
    profile: NDArray[np.int64]
    viewer: NDArray[np.int64]  # who really watches
    device: NDArray[np.int64]
    network: NDArray[np.int64]
    sitting: NDArray[
        np.int64
    ]  # plays of one sitting share it: one viewer, one device, one after the other
    title: NDArray[np.int32]
    episode: NDArray[np.int16]
    pressed_at: NDArray[np.int64]  # µs UTC; of an autoplay, when the next episode begins
    start_position: NDArray[np.float64]  # s of media; above 0 when it resumes
    runtime: NDArray[np.float64]  # s
    intro_start: NDArray[np.float64]  # s; equal to `intro_end` without an intro
    intro_end: NDArray[np.float64]
    credits_start: NDArray[np.float64]  # s
    leave_position: NDArray[np.float64]  # where the viewer means to be when it leaves (s of media)
    leaves: NDArray[np.int8]  # Leaves
    entry: NDArray[np.int8]  # Entry
    row: NDArray[np.int16]  # of the home page; −1 unless from there
    rank: NDArray[np.int16]
    page: NDArray[np.int64]  # number of the page view for ids("page", page); 0 if none
    impression: NDArray[np.int64]  # `order` of the impression record clicked; 0 if none
    search: NDArray[np.int64]  # number of the search for ids("search", search); 0 if none
    patience: NDArray[np.float64]  # seconds of joining or rebuffering that the viewer bears
    skips_intro: NDArray[np.bool_]
    skips_credits: NDArray[np.bool_]
    binge_position: NDArray[np.int16]  # episodes of the same series before this one in the sitting
    offender: NDArray[np.int8]  # Offender
    enjoyment: NDArray[np.float64]  # hidden, about standard normal: how much the viewer likes it


@dataclass(frozen=True)
class Plays:
    """Plays with their pauses and seeks, these in order of play and position."""

    rows: PlayColumns
    pauses: Pauses
    seeks: Seeks

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, index: NDArray[np.int64]) -> Plays:
        """The plays at these places, with their own pauses and seeks."""
        place = np.full(len(self.rows), -1, dtype=np.int64)
        place[index] = np.arange(len(index))

        def kept(ragged: _Ragged) -> _Ragged:
            new = place[ragged.play]
            order = np.lexsort((ragged.position, new))
            order = order[new[order] >= 0]
            return replace(ragged.take(order), play=new[order])

        return Plays(self.rows.take(index), kept(self.pauses), kept(self.seeks))


@dataclass(frozen=True)
class Networks(Columns):
    """What networks look like at given moments; made by `world.networks.describe`."""

    ip: NDArray[np.object_]  # text
    asn: NDArray[np.int64]
    isp: NDArray[np.int64]  # index into `World.isps`
    connection: NDArray[np.int8]  # index into CONNECTIONS
    country: NDArray[np.int64]  # index into `World.countries`, as the edge's geo lookup says
    region: NDArray[np.int64]  # index into `World.regions`, as the edge says
    true_region: NDArray[np.int64]  # where the network really is
    latitude: NDArray[np.float64]  # degrees, as the edge says
    longitude: NDArray[np.float64]
    accuracy_km: NDArray[np.float64]
    capacity_mbps: NDArray[np.float64]  # of the line in its best hour


CONNECTIONS = (
    "fibre",
    "cable",
    "dsl",
    "mobile",
    "satellite",
    "corporate",
    "hosting",
    "vpn",
    "relay",
)


@dataclass(frozen=True)
class Devices(Columns):
    """What devices are at given moments; made by `world.devices.describe`."""

    kind: NDArray[np.int8]  # index into DEVICE_KINDS
    model: NDArray[np.int64]  # index into `world.devices.MODELS`
    app_version: NDArray[np.int64]  # index into `world.devices.APP_VERSIONS`
    is_poor: NDArray[np.bool_]  # too old or too weak to ever play well


DEVICE_KINDS = ("tv", "console", "phone", "tablet", "laptop")


@dataclass(frozen=True)
class Records:
    """Rows of one source for delivery.

    `order` is unique within account and source and does not depend on the window, so that an event's id is
    `ids(seed, "event", hash of source, account, order)`. World-level records have account −1. Payload arrays may be
    dictionary-encoded, and texts stand for times (ISO 8601) where the source's schema says so.
    """

    source: str
    account: NDArray[np.int64]
    happened: NDArray[np.int64]  # µs UTC by a true clock
    order: NDArray[np.int64]
    payload: dict[str, pa.Array]

    def __len__(self) -> int:
        return len(self.account)

    def take(self, index: NDArray[np.int64]) -> Records:
        chosen = pa.array(index)
        return Records(
            self.source,
            self.account[index],
            self.happened[index],
            self.order[index],
            {name: column.take(chosen) for name, column in self.payload.items()},
        )


@dataclass(frozen=True)
class Truths:
    """Tables of the hidden truth by name."""

    tables: dict[str, pa.Table] = field(default_factory=dict)
