"""Devices: what each account owns, models, app versions.

A device's number says what it is for. Inside an account: 0–7 shared by the household (televisions, console, tablet;
even: until it is replaced, odd: after), 8–14 televisions of people elsewhere, 15 the television of a second home,
16 + 3·slot + {0, 1, 2} a viewer's telephone, its successor, and laptop or tablet. Multi-device homes are the rule:
80 % of United States television homes have a connected television device, those 4.1 on average, and 64 % of them three
or more (Leichtman Research Group, "Connected and 4K TVs", 2020).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cinelake.simulate import randomness as rnd
from cinelake.simulate.calendar import midnight
from cinelake.simulate.randomness import Bools, Longs
from cinelake.simulate.settings import Settings
from cinelake.simulate.trace import DAY, DEVICE_KINDS, DEVICES, Devices

TV, CONSOLE, PHONE, TABLET, LAPTOP = range(5)
MAIN_TV, SECOND_TV, THE_CONSOLE, THE_TABLET = 0, 2, 4, 6
TV_ELSEWHERE, SECOND_HOME_TV, PERSONAL = 8, 15, 16


@dataclass(frozen=True)
class Model:
    """A kind of hardware: name, operating system, share in its kind, how often it is hopelessly slow."""

    kind: int
    name: str
    os: str
    weight: float
    poor: float


MODELS: tuple[Model, ...] = (
    Model(TV, "Lumina L5", "LuminaOS 5", 0.26, 0.02),
    Model(TV, "Lumina L2", "LuminaOS 2", 0.12, 0.35),
    Model(TV, "Vistaron X", "Android TV 12", 0.24, 0.03),
    Model(TV, "Vistaron S", "Android TV 9", 0.14, 0.18),
    Model(TV, "Streamstick 4K", "StickOS 8", 0.24, 0.04),
    Model(CONSOLE, "Playcube 5", "CubeOS 5", 0.6, 0.0),
    Model(CONSOLE, "Gamebox S", "BoxOS 10", 0.4, 0.01),
    Model(PHONE, "Pomona 15", "PomOS 19", 0.34, 0.0),
    Model(PHONE, "Pomona 11", "PomOS 17", 0.16, 0.03),
    Model(PHONE, "Nova A5", "Android 12", 0.22, 0.12),
    Model(PHONE, "Nova S24", "Android 15", 0.28, 0.0),
    Model(TABLET, "Pomona Pad 9", "PomOS 18", 0.55, 0.01),
    Model(TABLET, "Nova Tab A", "Android 11", 0.45, 0.15),
    Model(LAPTOP, "browser on Windows", "Windows 11", 0.58, 0.03),
    Model(LAPTOP, "browser on macOS", "macOS 15", 0.32, 0.01),
    Model(LAPTOP, "browser on Linux", "Linux", 0.10, 0.02),
)
VERSION_WEEKS = 3
VERSIONS = 400


def app_version_name(kind: int, version: int) -> str:
    """As `tv-7.12`: releases are numbered through, twelve to a main version."""
    return f"{DEVICE_KINDS[kind]}-{4 + version // 12}.{version % 12}"


def kinds(settings: Settings, device: Longs) -> Longs:
    """Index into DEVICE_KINDS."""
    slot = device % DEVICES
    personal = (slot - PERSONAL) % 3
    kept = rnd.happens(0.6, settings.seed, "laptop rather than tablet", device)
    return np.select(
        [
            slot < THE_CONSOLE,
            slot < THE_TABLET,
            slot < TV_ELSEWHERE,
            slot < PERSONAL,
            personal < 2,
            kept,
        ],
        [TV, CONSOLE, TABLET, TV, PHONE, LAPTOP],
        TABLET,
    )


def describe(settings: Settings, device: Longs, at_us: Longs) -> Devices:
    """What devices are at these moments; apps follow the newest release with a lag of their own."""
    seed = settings.seed
    kind = kinds(settings, device)
    model = np.zeros(len(device), dtype=np.int64)
    drawn = rnd.uniform(seed, "model", device)
    for index in range(len(DEVICE_KINDS)):
        of_kind = [n for n, entry in enumerate(MODELS) if entry.kind == index]
        edges = np.cumsum([MODELS[n].weight for n in of_kind])
        chosen = np.minimum(np.searchsorted(edges, drawn * edges[-1], side="right"), len(edges) - 1)
        model = np.where(kind == index, np.array(of_kind)[chosen], model)
    poor = np.array([entry.poor for entry in MODELS])[model]
    old = rnd.exponential(seed, "app lag", device) * np.where(kind == TV, 30, 8)
    since = (at_us - midnight(settings.world.founded)) / DAY + 500 - old
    version = np.clip(since / (7 * VERSION_WEEKS), 0, VERSIONS - 1).astype(np.int64)
    return Devices(
        kind=kind.astype(np.int8),
        model=model,
        app_version=version,
        is_poor=rnd.happens(poor, seed, "poor device", device),
    )


def replaced_at(settings: Settings, device: Longs) -> Longs:
    """When a device of an even or first number gives way to its successor (µs UTC); after the world's end for some."""
    founded, ends = midnight(settings.world.founded), midnight(settings.world.ends)
    drawn = rnd.uniform(settings.seed, "replaced", device)
    # A third of them within a year and a half; televisions live longer.
    share = np.where(kinds(settings, device) == PHONE, 1.0, 0.6)
    at = founded + drawn / share * (ends - founded)
    return np.where(drawn < share, at, ends + 400 * DAY).astype(np.int64)


def owns(settings: Settings, account: Longs, people: Longs, device_slot: int) -> Bools:
    """Whether a household has this shared device."""
    odds = {
        MAIN_TV: np.where(people == 1, 0.80, 0.93),
        SECOND_TV: np.where(people <= 2, 0.18, 0.42),
        THE_CONSOLE: np.where(people <= 2, 0.15, 0.38),
        THE_TABLET: np.where(people <= 2, 0.20, 0.50),
    }[device_slot]
    return rnd.happens(odds, settings.seed, "owns", account, device_slot)
