"""When records are received, and what the client's clock said: pure functions of the event.

Most records arrive within a second (a log-normal delay). Some come minutes late; on some days an account's
client is offline, and what it reports reaches the collector hours or days later, all at once. In a silent hour
the collector of a source is down: clients keep their records and send them when it is back, so such an hour
has no files and nothing is lost. A clock that is wrong belongs to a device, always.
"""

from __future__ import annotations

import hashlib

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy.special import ndtri

from cinelake.simulate.delivery.settings import DeliverySettings
from cinelake.simulate.randomness import Bools, Floats, Longs, uniform
from cinelake.simulate.trace import DAY, HOUR, MINUTE, SECOND

# Sources that the service's own machines report: their clocks are right, and they are always online.
SERVED = frozenset({"accounts", "profiles", "devices", "titles", "availability", "log_ins"})
# The longest row of silent hours.
SILENCE = 6
LATEST_S = 7200.0
# A copy comes within this time: one that came a day later would be taken for another event.
AGAIN_S = 6 * 3600.0
_QUANTILES = ndtri((np.arange(4096) + 0.5) / 4096)


def reach_us(settings: DeliverySettings) -> int:
    """The longest time from event to receipt (µs)."""
    return int(settings.offline_hours * HOUR) + int(AGAIN_S * SECOND) + (SILENCE + 2) * HOUR


def delays_us(dice: np.ndarray, settings: DeliverySettings) -> Longs:
    """The usual time from event to receipt (µs, whole ms), from 12 bits of each event's dice."""
    z = _QUANTILES[(dice & np.uint64(4095)).astype(np.int64)]
    seconds = settings.delay_s * np.exp(settings.delay_spread * z)
    delays: Longs = (seconds * 1000).astype(np.int64) * 1000 + 1000
    return delays


def offline_until(account: Longs, happened: Longs, settings: DeliverySettings, seed: int) -> Longs:
    """When the client that was offline is back (µs UTC); 0 where it was online."""
    day = happened // DAY
    drawn = uniform(seed, "offline day", account, day)
    until = np.zeros(len(account), dtype=np.int64)
    off = np.flatnonzero(drawn < settings.offline_share)
    if len(off):
        keys = account[off], day[off]
        since = day[off] * DAY + (uniform(seed, "offline since", *keys) * DAY).astype(np.int64)
        hours = settings.offline_hours * uniform(seed, "offline for", *keys) ** 2
        back = since + (hours * HOUR).astype(np.int64)
        waits = (happened[off] >= since) & (happened[off] < back)
        until[off] = np.where(waits, back, 0)
    return until


def after_silence(
    received: Longs, dice: np.ndarray, source: int, settings: DeliverySettings, seed: int
) -> tuple[Longs, Bools]:
    """Receipts with silent hours left out, and which records had to wait for the end of one."""
    hours = received // HOUR
    known, place = np.unique(hours, return_inverse=True)
    free = known.copy()
    for _ in range(SILENCE):
        free = np.where(is_silent(free, source, settings, seed), free + 1, free)
    waits = (free != known)[place]
    if not waits.any():
        return received, waits
    jitter = ((dice >> np.uint64(12)) & np.uint64(1023)).astype(np.int64) * (10 * MINUTE // 1024)
    back = free[place] * HOUR + jitter // 1000 * 1000
    return np.where(waits, back, received), waits


def is_silent(hours: Longs, source: int, settings: DeliverySettings, seed: int) -> Bools:
    """Whether nothing of the source is received in these hours (since 1970)."""
    silent: Bools = uniform(seed, "silent hour", source, hours) < settings.silent_hour_share
    return silent


def is_repeated(hours: Longs, source: int, settings: DeliverySettings, seed: int) -> Bools:
    """Whether the file of the source is delivered twice in these hours (since 1970)."""
    twice: Bools = uniform(seed, "repeated file", source, hours) < settings.repeated_file_share
    return twice


def clock_offsets_us(
    payload: dict[str, pa.Array], settings: DeliverySettings, seed: int
) -> tuple[Longs, Bools]:
    """How far the clock of each record's device is ahead (µs), and whether absurdly far."""
    column = payload["device_id"]
    if not pa.types.is_dictionary(column.type):
        column = pc.dictionary_encode(column)
    names = column.dictionary.to_pylist()
    keys = np.array([_word(name or "") for name in names], dtype=np.int64)
    drawn = uniform(seed, "clock", keys)
    absurd = drawn < settings.absurd_clock_share
    wrong = ~absurd & (drawn < settings.absurd_clock_share + settings.skewed_share)
    size = uniform(seed, "clock offset", keys)
    seconds: Floats = np.zeros(len(names))
    # From two seconds to five hours, and from a day to eight years, evenly in the logarithm.
    seconds[wrong] = 2.0 * (9000.0 ** size[wrong])
    seconds[absurd] = 86_400.0 * (2920.0 ** size[absurd])
    sign = np.where(uniform(seed, "clock sign", keys) < 0.5, -1, 1)
    offsets = (seconds * sign * 1000).astype(np.int64) * 1000
    index = pc.fill_null(column.indices, 0).to_numpy(zero_copy_only=False)
    return offsets[index], absurd[index]


def _word(text: str) -> int:
    return int.from_bytes(
        hashlib.blake2b(text.encode(), digest_size=8).digest(), "big", signed=True
    )
